"""Where the root is, and how it changes places: the key file, its shares, or OpenBao.

True here: which root stands is said by the wrapped epoch key in the key store and by nothing else. A change of root is
prepared in files that end in `.next`, takes place in one transaction of the store, and is then tidied up; a crash
before that transaction leaves the old root, a crash after it the new one, and the next start tidies up either way.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from gateway.adapters import keyfile, sealed_file, shares
from gateway.adapters.keyfile import KeyFileVault
from gateway.adapters.openbao import TRANSIT, OpenBaoVault
from gateway.adapters.root import Root, wrapped_by
from gateway.adapters.sealed_file import Passphrase
from gateway.adapters.shares import SharesVault, Splitting
from gateway.errors import CallerError, SettingsError, UpstreamError
from gateway.ports.keys import EpochKey, KeyStore, Vault
from gateway.settings import Settings

_NEXT = ".next"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewShares:
    """`threshold` of `total` files in `folder`."""

    threshold: int
    total: int
    folder: Path


async def open_vault(settings: Settings, standing: EpochKey | None, passphrase: Passphrase | None = None) -> Vault:
    """The vault that wraps the standing epoch key; in shares, sealed but for the share files that the settings name.
    `passphrase`: the data folder's, where it opened other files just now. SettingsError where it is not the one that
    the settings say."""
    folder = settings.data_dir
    await asyncio.to_thread(_tidy, folder, standing)
    transit = standing is not None and standing.wrapped[:1] == TRANSIT
    if settings.vault == "openbao":
        if standing is not None and not transit:
            raise SettingsError("CONSENTRY_VAULT: the root is not in OpenBao yet: run `consentry keys rotate-root`")
        return openbao(settings)
    if transit:
        raise SettingsError("CONSENTRY_VAULT: the root is in OpenBao: set it to openbao, or run `keys rotate-root`")
    return await asyncio.to_thread(_local, settings, settings.vault_shares, passphrase)


def openbao(settings: Settings) -> OpenBaoVault:
    """SettingsError naming the setting that is missing."""
    if not settings.vault_url:
        raise SettingsError("CONSENTRY_VAULT_URL: name the OpenBao server")
    if settings.vault_token_file is None:
        raise SettingsError("CONSENTRY_VAULT_TOKEN_FILE: name the file with OpenBao's token")
    return OpenBaoVault(
        settings.vault_url,
        key=settings.vault_key,
        token_path=settings.vault_token_file,
        ca_path=settings.vault_ca_file,
    )


async def change_root(
    settings: Settings, store: KeyStore, *, given: tuple[Path, ...], fresh: NewShares | None
) -> tuple[Path, ...]:
    """A new root where the settings say; the old one is gone on return. `given`: share files that open the old one,
    where it is in shares. Gives the share files that were made. UpstreamError: nothing changed, or do it again."""
    folder, standing = settings.data_dir, await store.epoch()
    if standing is None:
        raise SettingsError("there are no keys yet: start the gateway once")
    await asyncio.to_thread(_tidy, folder, standing)
    if settings.vault == "openbao":
        if fresh is not None:
            raise CallerError("a root in OpenBao is not split here: OpenBao's own unseal keys are its shares")
        await _into_openbao(settings, store, standing, given)
        made: tuple[Path, ...] = ()
    else:
        former = await _former(settings, standing, given)
        try:
            epoch_key = await former.unwrap(standing.wrapped, context=standing.epoch)
        finally:
            await former.close()
        root, made = await asyncio.to_thread(_prepare, settings, fresh)
        await _put(store, standing, root.wrap(epoch_key, context=standing.epoch))
        if isinstance(former, OpenBaoVault):
            # The version that wrapped the epoch key opens nothing any more.
            await _retire_transit(settings)
    await asyncio.to_thread(_tidy, folder, await store.epoch())
    return made


async def _into_openbao(settings: Settings, store: KeyStore, standing: EpochKey, given: tuple[Path, ...]) -> None:
    vault = openbao(settings)
    try:
        if standing.wrapped[:1] == TRANSIT:
            await vault.renew()
            wrapped = await vault.rewrap(standing.wrapped, context=standing.epoch)
        else:
            former = await _former(settings, standing, given)
            wrapped = await vault.wrap(
                await former.unwrap(standing.wrapped, context=standing.epoch), context=standing.epoch
            )
        await _put(store, standing, wrapped)
        await vault.retire()
    finally:
        await vault.close()


async def _retire_transit(settings: Settings) -> None:
    vault = openbao(settings)
    try:
        await vault.renew()
        await vault.retire()
    finally:
        await vault.close()


async def _put(store: KeyStore, standing: EpochKey, wrapped: bytes) -> None:
    # Commit point, inside: before it the old root stands, after it the new one; what is left of either is tidied up.
    if not await store.rewrap_epoch(standing, wrapped):
        raise UpstreamError("the keys changed meanwhile: nothing was done, try again")


async def _former(settings: Settings, standing: EpochKey, given: tuple[Path, ...]) -> Vault:
    if standing.wrapped[:1] == TRANSIT:
        return openbao(settings)
    vault = await asyncio.to_thread(_local, settings, given or settings.vault_shares)
    await vault.check()
    return vault


def _local(settings: Settings, given: tuple[Path, ...], passphrase: Passphrase | None = None) -> Vault:
    folder = settings.data_dir
    if (folder / "root.split").exists():
        vault = SharesVault(Splitting.read(folder / "root.split"))
        for path in given:
            vault.give(shares.read_share(path))
        return vault
    return KeyFileVault.open(folder / "root.key", folder / "passphrase", passphrase)


def _prepare(settings: Settings, fresh: NewShares | None) -> tuple[Root, tuple[Path, ...]]:
    """A new root in `.next` files, and its shares where it has some. Wraps nothing yet."""
    folder = settings.data_dir
    root, key = Root.fresh()
    if fresh is None:
        if (folder / "root.split").exists():
            raise CallerError("the root is in shares: say how many the new one has (consentry keys split M N)")
        passphrase = Passphrase(folder / "passphrase")
        path = folder / f"root.key{_NEXT}"
        sealed_file.create(path, kind=keyfile.KIND, public=root.id, secret=key, passphrase=passphrase)
        return root, ()
    splitting, made = shares.split(key, threshold=fresh.threshold, total=fresh.total)
    paths = shares.write_shares(made, fresh.folder)
    sealed_file.write_new(folder / f"root.split{_NEXT}", splitting.encode())
    return root, tuple(paths)


def _tidy(folder: Path, standing: EpochKey | None) -> None:
    """Ends a change of root that a crash cut short: what wraps the standing epoch key stays, what waits beside it and
    wraps nothing goes. A root that is none of these (another replica changed it) is left for the operator."""
    if standing is None:
        return
    key, split = folder / "root.key", folder / "root.split"
    if standing.wrapped[:1] == TRANSIT:
        for path in (key, split, _next(key), _next(split)):
            sealed_file.shred(path)
        return
    stands = wrapped_by(standing.wrapped)
    if stands is not None:
        if _next(key).exists() and keyfile.id_in(_next(key)) == stands:
            sealed_file.replace(key, _next(key))
            sealed_file.shred(split)
        elif _next(split).exists() and Splitting.read(_next(split)).root == stands:
            sealed_file.replace(split, _next(split))
        if split.exists() and Splitting.read(split).root == stands:
            sealed_file.shred(key)
    for path in (_next(key), _next(split)):
        sealed_file.shred(path)


def _next(path: Path) -> Path:
    return path.with_name(path.name + _NEXT)
