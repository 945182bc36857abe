"""`consentry keys …`: the operator's commands on keys. Shares come as files, never on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.running import run, say, settings, use

keys_app = typer.Typer(help="Keys: splitting, unsealing, rotation, backups.", no_args_is_help=True)

Config = Annotated[
    Path | None,
    typer.Option("--config", help="A TOML file of settings; variables override it.", envvar="CONSENTRY_CONFIG"),
]
Given = Annotated[
    list[Path] | None,
    typer.Option("--share", help="A share file, where the root is in shares; say it once for each."),
]


@keys_app.command("split")
def split(
    needed: Annotated[int, typer.Argument(metavar="M", help="Shares that open the root.")],
    total: Annotated[int, typer.Argument(metavar="N", help="Shares that are made.")],
    out: Annotated[Path, typer.Option("--out", help="The folder for the share files; hand them out, then empty it.")],
    share: Given = None,
    config: Config = None,
) -> None:
    """Replace the root by a new one in N share files of which any M open it; root.key is gone then."""
    from gateway.wiring.keeping import rotate_root
    from gateway.wiring.vaults import NewShares

    use(config)
    fresh = NewShares(threshold=needed, total=total, folder=out)
    for path in run(lambda: rotate_root(settings(), given=share or (), fresh=fresh)):
        say(str(path))
    say(f"Any {needed} of these {total} open the root, fewer nothing. Give each to another person, and keep none here.")
    say("A gateway that runs goes on; each start from now on waits for `consentry keys unseal SHARE_FILE`.")


@keys_app.command("unseal")
def unseal(
    files: Annotated[list[Path], typer.Argument(help="Share files.")],
    config: Config = None,
) -> None:
    """Give share files to the gateway that waits for them in the data folder."""
    from gateway.wiring.keeping import unseal as give

    use(config)
    missing = give(settings(), files)
    say(f"taken; {missing} more are needed" if missing else "taken; the gateway is unsealed")


@keys_app.command("rotate-root")
def rotate_root(share: Given = None, config: Config = None) -> None:
    """Make a new root where CONSENTRY_VAULT says, wrap the epoch key by it, and destroy the old one."""
    from gateway.wiring.keeping import rotate_root as rotate

    use(config)
    run(lambda: rotate(settings(), given=share or (), fresh=None))
    say("The epoch key is under a new root; the old one is gone.")
    say("Replicas with a data folder of their own need a copy of the new root.key.")


@keys_app.command("backup")
def back_up_keys(
    file: Annotated[Path, typer.Argument(help="The file to write; keep it apart from the other backups.")],
    config: Config = None,
) -> None:
    """Write the wrapped key store into a file that says until when it is good; the root is not in it."""
    import time

    from gateway.wiring.backups import back_up_keys as write

    use(config)
    count, until = run(lambda: write(settings(), file))
    say(f"{count} keys written to {file}. Destroy it by {time.strftime('%Y-%m-%d', time.gmtime(until))}.")


@keys_app.command("restore")
def restore_keys(
    file: Annotated[Path, typer.Argument(help="What `keys backup` wrote.")],
    config: Config = None,
) -> None:
    """Fill an empty key store from a backup; the next start destroys again what was erased since."""
    from gateway.wiring.backups import restore_keys as read

    use(config)
    count = run(lambda: read(settings(), file))
    say(f"{count} keys restored. They open under the root that wrapped them, and under no other.")


@keys_app.command("rotate-epoch")
def rotate_epoch(share: Given = None, config: Config = None) -> None:
    """Make a new epoch key, wrap every key by it, and destroy the old one."""
    from gateway.wiring.keeping import rotate_epoch as rotate

    use(config)
    run(lambda: rotate(settings(), given=share or ()))
    say("A new epoch key stands; every key is wrapped by it.")


@keys_app.command("rotate-patient")
def rotate_patient(
    subject: Annotated[str, typer.Argument(help="The patient's name on chain, 0x….")],
    share: Given = None,
    config: Config = None,
) -> None:
    """Give a patient's domains new keys for what is sealed from now on. No block is touched."""
    from gateway.wiring.keeping import rotate_patient as rotate

    use(config)
    count = run(lambda: rotate(settings(), subject, given=share or ()))
    say(f"{count} domains have a new version; what was sealed before opens as before.")


@keys_app.command("rotate-all")
def rotate_all(share: Given = None, config: Config = None) -> None:
    """Give every domain a new key for what is sealed from now on. No block is touched."""
    from gateway.wiring.keeping import rotate_all as rotate

    use(config)
    count = run(lambda: rotate(settings(), given=share or ()))
    say(f"{count} domains have a new version; what was sealed before opens as before.")


@keys_app.command("rotate-log")
def rotate_log(share: Given = None, config: Config = None) -> None:
    """Give the log a new key for locators and audit entries from now on. No block is touched."""
    from gateway.wiring.keeping import rotate_log as rotate

    use(config)
    version = run(lambda: rotate(settings(), given=share or ()))
    say(f"The log key's version {version} seals from now on; what was sealed before opens as before.")
