"""The operator's work on keys: splitting and giving shares, rotation, backups of keys. Each is one command.

True here: none of it touches a block, and none needs the gateway to be stopped: a gateway that runs sees the store's
new revision within a second and reads it anew.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from gateway.adapters.keystore import SqlKeyStore
from gateway.adapters.shares import read_share
from gateway.adapters.unsealing import give_shares
from gateway.crypto.keys import KeyRing
from gateway.crypto.model import LOG_DOMAIN, Domain, DomainKind
from gateway.errors import CallerError
from gateway.settings import Settings
from gateway.wiring.keyring import open_keys
from gateway.wiring.vaults import NewShares, change_root


async def rotate_root(settings: Settings, *, given: Sequence[Path], fresh: NewShares | None) -> tuple[Path, ...]:
    """A new root; the share files that were made, if any."""
    store = await SqlKeyStore.open(settings.keys_url)
    try:
        return await change_root(settings, store, given=tuple(given), fresh=fresh)
    finally:
        await store.close()


def unseal(settings: Settings, files: Sequence[Path]) -> int:
    """Gives share files to the gateway that waits in the data folder; how many more it needs."""
    return give_shares(settings.data_dir, [read_share(path) for path in files])


async def rotate_epoch(settings: Settings, *, given: Sequence[Path]) -> None:
    """A new epoch key, and every key wrapped by it."""
    async with _ring(settings, given) as ring:
        await ring.turn()


async def rotate_log(settings: Settings, *, given: Sequence[Path]) -> int:
    """A new version of the log key; its number."""
    async with _ring(settings, given) as ring:
        return await ring.rotate(LOG_DOMAIN)


async def rotate_all(settings: Settings, *, given: Sequence[Path]) -> int:
    """A new version of every domain's key; how many domains."""
    async with _ring(settings, given) as ring:
        domains = await ring.domains()
        for domain in domains:
            await ring.rotate(domain)
        return len(domains)


async def rotate_patient(settings: Settings, subject: str, *, given: Sequence[Path]) -> int:
    """New versions of a patient's keys, the audit's among them; how many domains. CallerError for no such patient."""
    name = _subject(subject)
    async with _ring(settings, given) as ring:
        mine = [domain for domain in await ring.domains() if _is_of(domain, name)]
        if not mine:
            raise CallerError("this patient has no keys", field=("subject",))
        for domain in mine:
            await ring.rotate(domain)
        return len(mine)


def _is_of(domain: Domain, subject: bytes) -> bool:
    kinds = (DomainKind.SUBJECT.value, DomainKind.AUDIT.value, DomainKind.STUDY.value)
    return domain.kind in kinds and domain.name[:32] == subject


def _subject(text: str) -> bytes:
    try:
        name = bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise CallerError("the patient's name on chain: 0x and 64 hex digits", field=("subject",)) from error
    if len(name) != 32:
        raise CallerError("the patient's name on chain: 0x and 64 hex digits", field=("subject",))
    return name


@asynccontextmanager
async def _ring(settings: Settings, given: Sequence[Path]) -> AsyncIterator[KeyRing]:
    """The unlocked ring; share files come from the command or the settings, and it never waits for others."""
    if given:
        settings = settings.model_copy(update={"vault_shares": tuple(given)})
    async with AsyncExitStack() as closing:
        yield (await open_keys(settings, closing, waits=False))[1]
