"""The operator's commands. Each prints what it did and what to do next; an expected failure is one clear line.

Settings come from `CONSENTRY_*` variables or a TOML file (`consentry settings` lists them); options override them.
They are read before what a command needs is imported: a wrong one is told at once.
"""

import contextlib
import json
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.errors import ConsentryError
from gateway.keys_cli import keys_app
from gateway.running import loading as _loading
from gateway.running import run as _run
from gateway.running import say as _say
from gateway.running import settings as _settings
from gateway.running import use as _use
from gateway.study_cli import study_app

if TYPE_CHECKING:
    from gateway.demo import DemoGateway

app = typer.Typer(
    name="consentry",
    help="A GraphQL gateway over IPFS and an anchoring chain: consented, encrypted, verifiable health records.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
blocks_app = typer.Typer(help="Move blocks between stores as CAR files.", no_args_is_help=True)
app.add_typer(blocks_app, name="blocks")
proof_app = typer.Typer(help="Files that third parties check without this gateway.", no_args_is_help=True)
app.add_typer(proof_app, name="proof")
app.add_typer(keys_app, name="keys")
app.add_typer(study_app, name="study")

Config = Annotated[
    Path | None,
    typer.Option("--config", help="A TOML file of settings; variables override it.", envvar="CONSENTRY_CONFIG"),
]


def main() -> None:
    """The `consentry` command."""
    # No core dump of it, nor of a process that it starts: memory holds keys, and what was opened.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        app()
    except ConsentryError as error:
        typer.echo(f"consentry: {error.message}", err=True)
        raise SystemExit(1) from None


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on (CONSENTRY_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on (CONSENTRY_PORT); 0: any.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="The data folder (CONSENTRY_DATA_DIR).")] = None,
    config: Config = None,
) -> None:
    """Start the gateway. The first start makes keys, contracts and a chain in the data folder."""
    _use(config)
    given = _settings(host=host, port=port, data_dir=data_dir)
    with _loading():
        from gateway.server import run_server

    _run(lambda: run_server(given, announce=_say))


@app.command()
def worker(config: Config = None) -> None:
    """Send transactions and anchor batches for servers that run with CONSENTRY_WORKER=outside."""
    _use(config)
    given = _settings()
    with _loading():
        from gateway.server import run_worker

    _run(lambda: run_worker(given, announce=_say))


@app.command()
def deploy(
    fund: Annotated[
        bool, typer.Option(help="Give the gateway's accounts coins from the node's own unlocked account (development).")
    ] = False,
    config: Config = None,
) -> None:
    """Deploy the contracts on the chain at CONSENTRY_CHAIN_URL and write their addresses into the data folder."""
    _use(config)
    given = _settings()
    with _loading():
        from gateway.server import run_deploy

    _run(lambda: run_deploy(given, fund=fund, announce=_say))


@app.command()
def demo(
    bundles: Annotated[
        list[Path] | None, typer.Argument(help="FHIR R4 bundles (.json, .json.gz); none: two small ones.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="A running gateway; without it one is started in a temporary folder.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write a machine-readable report here.")] = None,
    registrar_key: Annotated[
        Path | None, typer.Option(help="The registrar's key file; without it registrar.key in the data folder.")
    ] = None,
    rpc: Annotated[
        str | None, typer.Option(help="The chain's JSON-RPC to check against; without it the gateway's word.")
    ] = None,
) -> None:
    """Do the main job as its clients would: enrol, import, consent, read, refuse, verify, revoke, and show the log."""
    from gateway.demo import run_demo

    code = run_demo(
        bundles=bundles or [],
        url=url,
        json_file=json_file,
        registrar_key=_registrar_key(url, registrar_key),
        rpc_url=rpc,
        start_gateway=_own_gateway,
    )
    raise SystemExit(code)


@app.command()
def demo_dataset(
    bundles: Annotated[
        list[Path] | None,
        typer.Argument(help="FHIR R4 bundles, or folders and files of bulk data (.json, .ndjson, .gz); none: two."),
    ] = None,
    profile: Annotated[
        Path | None, typer.Option(help="A profile of de-identification; without it safe-harbor, or a small one.")
    ] = None,
    view: Annotated[
        list[Path] | None, typer.Option(help="A ViewDefinition, once for each table; none: three that ship.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder for what is opened.")] = Path("consentry-dataset"),
    json_file: Annotated[Path | None, typer.Option("--json", help="Write a machine-readable report here.")] = None,
    url: Annotated[
        str | None, typer.Option(help="A running gateway; without it one is started in a temporary folder.")
    ] = None,
    registrar_key: Annotated[
        Path | None, typer.Option(help="The registrar's key file; without it registrar.key in the data folder.")
    ] = None,
    rpc: Annotated[
        str | None, typer.Option(help="The chain's JSON-RPC to check against; without it the gateway's word.")
    ] = None,
) -> None:
    """Walk the road of a de-identified dataset: consent, request, decide, build, open, verify, withdraw, build anew."""
    from gateway.demo.datasets import run_demo_dataset

    code = run_demo_dataset(
        sources=bundles or [],
        views=view or [],
        profile=profile,
        out=out,
        url=url,
        json_file=json_file,
        registrar_key=_registrar_key(url, registrar_key),
        rpc_url=rpc,
        start_gateway=_own_gateway,
    )
    raise SystemExit(code)


@contextlib.contextmanager
def _own_gateway() -> "Iterator[DemoGateway]":
    """One in a temporary folder, which is gone with it."""
    from gateway.demo import DemoGateway
    from gateway.server import background_server

    folder = Path(tempfile.mkdtemp(prefix="consentry-demo-"))
    try:
        with background_server(folder) as (base, rpc_url):
            key = (folder / "registrar.key").read_text().strip()
            yield DemoGateway(url=base, rpc_url=rpc_url, registrar_key=key)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _registrar_key(url: str | None, file: Path | None) -> str | None:
    """Of a gateway that runs; one that is started has its own."""
    if url is None:
        return None
    path = file or _settings().data_dir / "registrar.key"
    if not path.is_file():
        typer.echo(f"consentry: no registrar's key at {path}: name it with --registrar-key", err=True)
        raise SystemExit(1)
    return path.read_text().strip()


@app.command()
def verify(
    json_file: Annotated[Path | None, typer.Option("--json", help="Write a machine-readable report here.")] = None,
    rpc: Annotated[str | None, typer.Option(help="The chain's JSON-RPC, if another than the gateway's.")] = None,
    config: Config = None,
) -> None:
    """Check everything: blocks, leaves, anchors, heads, audit, consents. Changes nothing; a gateway may run or not."""
    _use(config)
    given = _settings()
    with _loading():
        from gateway import jsontext
        from gateway.upkeep.progress import Shown
        from gateway.upkeep.verify import verify as work

    with Shown() as shown:
        verdict = _run(lambda: work(given, rpc=rpc, progress=shown))
    if json_file is not None:
        json_file.write_bytes(jsontext.dumps(verdict.as_json()) + b"\n")
    typer.echo("\n".join(verdict.lines()))
    raise SystemExit(0 if verdict.sound else 2)


@app.command()
def verify_study(
    file: Annotated[Path, typer.Argument(help="What GET /studies/<id>/trail gave; gzip or not.")],
    rpc: Annotated[str | None, typer.Option(help="The chain's JSON-RPC; without it nothing is compared there.")] = None,
    deployment: Annotated[
        Path | None, typer.Option(help="The gateway's /.well-known/consentry as you know it, to compare.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write a machine-readable report here.")] = None,
) -> None:
    """Check a study's file: complete, unchanged, in order. Needs no gateway; exit code 1 where there are faults."""
    from gateway.upkeep.progress import Shown
    from gateway.upkeep.study_files import check_study

    try:
        with Shown() as shown:
            report = check_study(file, rpc=rpc, deployment=deployment, progress=shown)
    except ConsentryError as error:
        typer.echo(f"consentry: {error.message}", err=True)
        raise SystemExit(2) from None
    if json_file is not None:
        json_file.write_text(json.dumps(report.as_json(), indent=1) + "\n")
    typer.echo("\n".join(report.lines()))
    raise SystemExit(0 if report.holds else 1)


@app.command()
def rebuild(
    replace: Annotated[bool, typer.Option(help="Give up whatever the index holds now.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write a machine-readable report here.")] = None,
    config: Config = None,
) -> None:
    """Make an empty index what it was, from chain, IPFS and keys alone. No gateway may run on it."""
    _use(config)
    given = _settings()
    with _loading():
        from gateway import jsontext
        from gateway.upkeep.progress import Shown
        from gateway.upkeep.rebuild import rebuild as work

    with Shown() as shown:
        report = _run(lambda: work(given, replace=replace, progress=shown))
    if json_file is not None:
        json_file.write_bytes(jsontext.dumps(report.as_json()) + b"\n")
    typer.echo("\n".join(report.lines()))
    raise SystemExit(0 if report.whole else 2)


@app.command()
def settings() -> None:
    """List every setting with its default and meaning."""
    from gateway.settings import PREFIX, Settings

    for name, field in Settings.model_fields.items():
        default = field.default if field.default not in ("", ()) else "(empty)"
        typer.echo(f"{PREFIX}{name.upper()} = {default}\n    {field.description}")


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    config: Config = None,
) -> None:
    """Copy index, settings and blocks into a folder while the gateway runs; never a key (see `keys backup`)."""
    _use(config)
    given = _settings()
    from gateway.wiring.backups import back_up

    rows, blocks = _run(lambda: back_up(given, folder))
    _say(f"{rows} rows and {blocks} blocks written to {folder}. Keys are not in it.")


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="What `backup` wrote.")],
    config: Config = None,
) -> None:
    """Fill an empty index and the block store from a backup, each file checked first."""
    _use(config)
    given = _settings()
    from gateway.wiring.backups import restore as put_back

    rows, blocks = _run(lambda: put_back(given, folder))
    _say(f"{rows} rows and {blocks} blocks restored. The next start reads the chain's revocations before it answers.")


@blocks_app.command("export")
def export_blocks(
    file: Annotated[Path, typer.Argument(help="The CAR file to write.")],
    config: Config = None,
) -> None:
    """Write every pinned block into a CAR file (CARv1)."""
    _use(config)
    given = _settings()
    from gateway.server import run_export

    count = _run(lambda: run_export(given, file))
    typer.echo(f"{count} blocks written to {file}")


@blocks_app.command("import")
def import_blocks(
    file: Annotated[Path, typer.Argument(help="The CAR file to read.")],
    config: Config = None,
) -> None:
    """Take every block of a CAR file, each hashed against its CID, and pin it."""
    _use(config)
    given = _settings()
    from gateway.server import run_import

    count = _run(lambda: run_import(given, file))
    typer.echo(f"{count} blocks taken from {file}")


@proof_app.command("questions")
def proof_questions() -> None:
    """Print what to ask GraphQL for a proof file: the record, and its receipt's audit entry by decisionId."""
    from gateway.upkeep.saving import ENTRY_QUERY, RECORD_QUERY

    typer.echo(f"{RECORD_QUERY}\n\n{ENTRY_QUERY}")


@proof_app.command("period")
def save_period(
    file: Annotated[Path, typer.Argument(help="The proof file to write.")],
    first: Annotated[int, typer.Option(help="The first block of the period.")] = 0,
    last: Annotated[int, typer.Option(help="Its last block.")] = 2**62,
    rpc: Annotated[str | None, typer.Option(help="The chain's JSON-RPC, if another than the gateway's.")] = None,
    config: Config = None,
) -> None:
    """Make a proof file of this instance's audit between two blocks, its entries sealed. A gateway may run or not."""
    _use(config)
    given = _settings()
    from gateway import jsontext
    from gateway.upkeep.periods import period_file

    made = _run(lambda: period_file(given, first=first, last=last, rpc=rpc))
    file.write_bytes(jsontext.dumps(made) + b"\n")
    typer.echo(f"Written to {file}. Check it: python -m anchoring.verifier.verify {file} --rpc URL")


@proof_app.command("save")
def save_proof(
    facts: Annotated[Path, typer.Argument(help="What /.well-known/consentry answered.")],
    answer: Annotated[Path, typer.Argument(help="The GraphQL answer with the record.")],
    file: Annotated[Path, typer.Argument(help="The proof file to write.")],
    entry: Annotated[Path | None, typer.Option(help="The GraphQL answer with the receipt's audit entry.")] = None,
) -> None:
    """Make a proof file of a record from answers that a client has already."""
    from gateway import jsontext
    from gateway.upkeep.saving import proof_file

    read = [None if path is None else jsontext.loads(path.read_bytes()) for path in (facts, answer, entry)]
    file.write_bytes(jsontext.dumps(proof_file(read[0], read[1], entry=read[2])) + b"\n")
    typer.echo(f"Written to {file}. Check it: python -m anchoring.verifier.verify {file} --rpc URL")


if __name__ == "__main__":
    main()
