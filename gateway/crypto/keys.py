"""Key domains: each subject, a subject in one study, subject's audit, actor and the gateway's log has keys of its own.

A domain key is random, wrapped by the epoch key, which the vault's root wraps. From it come subkeys by HKDF, one per
use. Rotation adds a version for new seals and touches no block; tokens and cursors stay with the first version, so that
what the index holds is found whatever the version. Unwrapped keys live in this process's memory alone, and are dropped
as soon as the store's revision is another: a key that was destroyed elsewhere is not served from here for long.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from gateway.crypto import hazmat
from gateway.crypto.model import LOG_DOMAIN, Domain, DomainKind, KeyId
from gateway.errors import CallerError, IntegrityError, UpstreamError
from gateway.ports.clock import Entropy
from gateway.ports.keys import Destroyed, EpochKey, KeyStore, Moved, Turn, Vault, WrappedKey

HELD = 20_000
"""Unwrapped domain keys kept in memory; the least used go first."""
TRIES = 5
TURN_TRIES = 20
"""Of a turn, which each key that is added meanwhile begins anew."""
_LOCKED = "the keys are locked: the key vault is away or sealed"
_DESTROYED = "the keys of this domain were destroyed"


@lru_cache(maxsize=8)
def _locating(key: bytes) -> hazmat.Aead:
    """Of the log's key, which opens the locator of every block that is read and is destroyed for nobody."""
    return hazmat.Aead(key)


@dataclass(frozen=True, slots=True)
class DomainKey:
    """One version of a domain's key, unwrapped into its subkeys. Never printed. `former`: of the log key alone, whose
    older versions nothing names: they are tried in turn, the newest first."""

    id: KeyId
    domain: Domain
    wrapping: bytes = field(repr=False)
    facts: bytes = field(repr=False)
    search: bytes = field(repr=False)
    sealing: bytes = field(repr=False)
    cursor: bytes = field(repr=False)
    locating: bytes = field(repr=False)
    former: tuple["DomainKey", ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, stored: WrappedKey, material: bytes, *, first: bytes | None = None) -> "DomainKey":
        """`first`: the material of the domain's first version, where this is a later one."""
        naming = material if first is None else first
        return cls(
            KeyId(stored.key_id),
            Domain(stored.kind, stored.name),
            hazmat.derive(material, "wrap"),
            hazmat.derive(material, "facts"),
            hazmat.derive(naming, "search"),
            hazmat.derive(material, "seal"),
            hazmat.derive(naming, "cursor"),
            hazmat.derive(material, "locate"),
        )

    def token(self, *parts: bytes) -> bytes:
        """A 16-byte keyed token of the parts (length-prefixed): equal only within the domain."""
        message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hazmat.mac(self.search, message)[:16]

    def seal(self, plaintext: bytes, *, context: bytes, entropy: Entropy) -> bytes:
        """nonce ‖ AES-256-GCM, bound to `context`. For small rows; records have envelopes."""
        nonce = entropy.bytes(hazmat.NONCE_SIZE)
        return nonce + hazmat.seal(self.sealing, nonce, plaintext, context)

    def open(self, sealed: bytes, *, context: bytes) -> bytes:
        """Raises IntegrityError."""
        nonce, ciphertext = sealed[: hazmat.NONCE_SIZE], sealed[hazmat.NONCE_SIZE :]
        for key in (self, *self.former):
            with contextlib.suppress(IntegrityError):
                return hazmat.open_sealed(key.sealing, nonce, ciphertext, context)
        raise IntegrityError("sealed bytes do not open")

    def open_locator(self, nonce: bytes, ciphertext: bytes, associated: bytes) -> bytes:
        """A block's locator, sealed under this version or an older one. Raises IntegrityError."""
        if not self.former:
            return _locating(self.locating).open(nonce, ciphertext, associated)
        for key in (self, *self.former):
            with contextlib.suppress(IntegrityError):
                return _locating(key.locating).open(nonce, ciphertext, associated)
        raise IntegrityError("a locator does not open")

    def hide(self, number: int, *, context: bytes) -> str:
        """An opaque cursor: 32 hex digits that tell nobody the number, and fit no other context."""
        return self.hide_each((number,), context=context)[0]

    def hide_each(self, numbers: Sequence[int], *, context: bytes) -> tuple[str, ...]:
        """`hide` of each; the cipher is set up once."""
        tag = hazmat.sha256(context)[:8]
        hidden = hazmat.permute(self.cursor, b"".join(tag + number.to_bytes(8, "big") for number in numbers)).hex()
        return tuple(hidden[at : at + 32] for at in range(0, len(hidden), 32))

    def reveal(self, text: str, *, context: bytes) -> int:
        """The number of a cursor of ours. Raises CallerError naming `after`."""
        try:
            plain = hazmat.permute_back(self.cursor, bytes.fromhex(text) if len(text) == 32 else bytes(16))
        except ValueError as error:
            raise CallerError("not a cursor of this connection", field=("after",)) from error
        if plain[:8] != hazmat.sha256(context)[:8]:
            raise CallerError("not a cursor of this connection", field=("after",))
        return int.from_bytes(plain[8:], "big")


class KeyRing:
    """Finds and makes domain keys. `unlock` first."""

    def __init__(self, *, store: KeyStore, vault: Vault, entropy: Entropy) -> None:
        self._store = store
        self._vault = vault
        self._entropy = entropy
        self._standing: EpochKey | None = None
        self._epoch_key = b""
        self._by_id: OrderedDict[bytes, DomainKey] = OrderedDict()
        self._newest: dict[tuple[int, bytes], bytes] = {}
        self._making = asyncio.Lock()
        self._turning = asyncio.Lock()
        self._log: DomainKey | None = None

    async def unlock(self) -> None:
        """Opens the epoch key, makes it and the log key on the first start. Raises IntegrityError, UpstreamError."""
        standing = await self._store.epoch()
        if standing is None:
            fresh, epoch = self._entropy.bytes(hazmat.KEY_SIZE), self._entropy.bytes(16)
            # Commit point inside add_epoch: before it there is no epoch key and no key under it; after it, one.
            standing = await self._store.add_epoch(epoch, await self._vault.wrap(fresh, context=epoch))
        await self._adopt(standing)
        await self.of(LOG_DOMAIN)
        self._log = await self._load_log()

    async def refresh(self) -> bool:
        """Reads the store's revision; where it is another, everything kept is dropped and the epoch key opened anew.
        True: something was. UpstreamError where the vault is away or sealed: then nothing is kept either."""
        async with self._turning:
            standing = await self._store.epoch()
            if standing == self._standing and self._log is not None:
                return False
            # At once: a key that was destroyed is served no longer. What unwraps others, and the log key, stay until
            # the new ones are here: whoever asks meanwhile waits for this, and is not told that all is locked.
            self._by_id.clear()
            self._newest.clear()
            try:
                if standing is None:
                    raise UpstreamError("the key store lost its epoch key: restore it")
                if self._standing is not None and self._standing.epoch == standing.epoch:
                    self._standing = standing  # the same key, under another root or with others
                else:
                    await self._adopt(standing)
                self._log = await self._load_log()
            except BaseException:
                self.drop()
                raise
            return True

    def drop(self) -> None:
        """Forgets every key; the next `refresh` or `unlock` opens the epoch key anew."""
        self._standing, self._epoch_key, self._log = None, b"", None
        self._by_id.clear()
        self._newest.clear()
        _locating.cache_clear()

    def forget(self, name: bytes) -> None:
        """Drops the keys of every domain of this name from memory; they are asked of the store again."""
        for key in [key for key in self._by_id.values() if key.domain.name[:32] == name]:
            del self._by_id[key.id]
            self._newest.pop((key.domain.kind, key.domain.name), None)

    @property
    def log(self) -> DomainKey:
        """The gateway's log key: locators and the public part of audit entries."""
        if self._log is None:
            raise UpstreamError(_LOCKED)
        return self._log

    def held(self, key_id: bytes) -> DomainKey | None:
        """An unwrapped key that is in memory; no I/O."""
        found = self._by_id.get(key_id)
        if found is not None:
            self._by_id.move_to_end(key_id)
        return found

    def held_of(self, domain: Domain) -> DomainKey | None:
        """The newest key of a domain if it is in memory; no I/O."""
        key_id = self._newest.get((domain.kind, domain.name))
        return None if key_id is None else self.held(key_id)

    async def by_id(self, key_id: bytes) -> DomainKey:
        """Raises IntegrityError when it is not there: unknown, or destroyed."""
        found = self.held(key_id) or await self._find(lambda: self._store.by_id(key_id))
        if found is None:
            raise IntegrityError("the key of this block is not in the key store")
        return found

    async def is_gone(self, key_id: bytes) -> bool:
        """Whether no key of this name is held or stored: destroyed, or never there. UpstreamError."""
        return self.held(key_id) is None and await self._store.by_id(key_id) is None

    async def of(self, domain: Domain) -> DomainKey:
        """The key for new seals of a domain; made and durable on return if there was none. IntegrityError where the
        domain's keys were destroyed."""
        found = self.held_of(domain)
        if found is not None:
            return found
        async with self._making:
            found = await self.existing(domain)
            if found is None:
                await self._add(domain, version=1)
                found = await self.existing(domain)
            if found is None:
                raise IntegrityError(_DESTROYED)
            return found

    async def existing(self, domain: Domain) -> DomainKey | None:
        """Like `of`, but makes nothing."""
        found = self.held_of(domain)
        if found is not None:
            return found
        key = await self._find(lambda: self._store.newest(domain.kind, domain.name))
        if key is not None:
            self._newest[(domain.kind, domain.name)] = key.id
        return key

    async def load(self, domains: Sequence[Domain]) -> None:
        """Has `existing` answer from memory for those that have keys: for who asks for many of them next. What cannot
        be had just so is left to it. UpstreamError."""
        missing = [(domain.kind, domain.name) for domain in domains if self.held_of(domain) is None]
        if not missing:
            return
        standing, _ = self._unlocked()
        for stored in await self._store.newest_of(missing):
            if stored.epoch == standing.epoch and self._standing == standing:
                with contextlib.suppress(IntegrityError):
                    key = await self._unwrapped(stored)
                    if self._standing == standing:  # as in `_find`
                        self._newest[(stored.kind, stored.name)] = self._keep(key).id

    # ---- rotation and destruction

    async def rotate(self, domain: Domain) -> int:
        """A new version of a domain's key, for what is sealed from now on; its number. What was sealed before opens
        under its own. IntegrityError for a domain without keys."""
        stored = await self._store.newest(domain.kind, domain.name)
        if stored is None:
            raise IntegrityError("this domain has no keys")
        await self._add(domain, version=stored.version + 1)
        await self.refresh()
        return stored.version + 1

    async def studies_of(self, subject: bytes) -> tuple[DomainKey, ...]:
        """The keys of a subject in each study that has something of theirs."""
        kind = DomainKind.STUDY.value
        found = [await self.existing(Domain(kind, name)) for name in await self._store.within(kind, subject)]
        return tuple(key for key in found if key is not None)

    async def domains(self) -> tuple[Domain, ...]:
        """Every domain that has keys."""
        named = dict.fromkeys((stored.kind, stored.name) for stored in await self._store.all())
        return tuple(Domain(kind, name) for kind, name in named)

    async def turn(self, *, destroying: Sequence[Domain] = ()) -> bytes:
        """A new epoch key; every key is wrapped by it, but those of domains that are destroyed, which are gone with
        the old one. Gives the id of the epoch that ended. UpstreamError: in doubt, do it again."""
        for _ in range(TURN_TRIES):
            await self.refresh()
            standing, epoch_key = self._unlocked()
            # The root may have been changed by another process: what an old one wraps would open for nobody.
            if await self._vault.unwrap(standing.wrapped, context=standing.epoch) != epoch_key:
                raise IntegrityError("the epoch key in the store is not the one that is held")
            dropped = [(domain.kind, domain.name) for domain in destroying]
            left = [stored for stored in await self._store.all() if (stored.kind, stored.name) not in dropped]
            if any(stored.epoch != standing.epoch for stored in left):
                continue  # turned by another process just now
            fresh, epoch = self._entropy.bytes(hazmat.KEY_SIZE), self._entropy.bytes(16)
            turn = Turn(
                before=standing.epoch,
                epoch=epoch,
                wrapped=await self._vault.wrap(fresh, context=epoch),
                rewrapped=await asyncio.to_thread(_rewrapped, left, epoch_key, fresh),
                dropped=dropped,
            )
            if await self._store.turn(turn):
                await self.refresh()
                return standing.epoch
        raise UpstreamError("keys keep being added: try again")

    async def _add(self, domain: Domain, *, version: int) -> None:
        """A version, made under the epoch key that stands when it is written."""
        for _ in range(TRIES):
            standing, epoch_key = self._unlocked()
            added = await self._store.add(
                WrappedKey(
                    key_id=self._entropy.bytes(16),
                    kind=domain.kind,
                    name=domain.name,
                    version=version,
                    epoch=standing.epoch,
                    wrapped=hazmat.wrap(epoch_key, self._entropy.bytes(hazmat.KEY_SIZE)),
                )
            )
            if isinstance(added, Destroyed):
                raise IntegrityError(_DESTROYED)
            if not isinstance(added, Moved):
                return
            await self.refresh()
        raise UpstreamError("the epoch key keeps changing: try again")

    # ---- opening

    async def _adopt(self, standing: EpochKey) -> None:
        self._epoch_key = await self._vault.unwrap(standing.wrapped, context=standing.epoch)
        self._standing = standing

    async def _load_log(self) -> DomainKey:
        newest = await self._store.newest(LOG_DOMAIN.kind, LOG_DOMAIN.name)
        if newest is None:
            raise UpstreamError("the key store lost its log key: restore it")
        found = [await self._unwrapped(newest)]
        for version in range(newest.version - 1, 0, -1):
            stored = await self._store.version(LOG_DOMAIN.kind, LOG_DOMAIN.name, version)
            if stored is not None:
                found.append(await self._unwrapped(stored))
        return replace(found[0], former=tuple(found[1:]))

    async def _find(self, load: Callable[[], Awaitable[WrappedKey | None]]) -> DomainKey | None:
        """A stored key, unwrapped and kept. Where another epoch key stands by now, that one is opened first."""
        for _ in range(TRIES):
            standing, _ = self._unlocked()
            stored = await load()
            if stored is None:
                return None
            if stored.epoch == standing.epoch:
                key = await self._unwrapped(stored)
                # Unlocked anew meanwhile: the key may just have been destroyed, so it is not kept.
                return self._keep(key) if self._standing == standing else key
            if not await self.refresh() and self._standing == standing:
                break
        raise IntegrityError("a key is wrapped by an epoch key that no longer stands")

    async def _unwrapped(self, stored: WrappedKey) -> DomainKey:
        _, epoch_key = self._unlocked()
        material = hazmat.unwrap(epoch_key, stored.wrapped)
        if stored.version == 1:
            return DomainKey.of(stored, material)
        first = await self._store.version(stored.kind, stored.name, 1)
        if first is None:
            raise IntegrityError("the first version of a domain's key is not in the key store")
        return DomainKey.of(stored, material, first=hazmat.unwrap(epoch_key, first.wrapped))

    def _keep(self, key: DomainKey) -> DomainKey:
        self._by_id[key.id] = key
        self._by_id.move_to_end(key.id)
        if len(self._by_id) > HELD:
            _, gone = self._by_id.popitem(last=False)
            if self._newest.get((gone.domain.kind, gone.domain.name)) == gone.id:
                del self._newest[(gone.domain.kind, gone.domain.name)]
        return key

    def _unlocked(self) -> tuple[EpochKey, bytes]:
        if self._standing is None:
            raise UpstreamError(_LOCKED)
        return self._standing, self._epoch_key


def _rewrapped(keys: Sequence[WrappedKey], old: bytes, new: bytes) -> dict[bytes, bytes]:
    """Each key under the new epoch key. IntegrityError: one does not open, and none may be lost in silence."""
    return {stored.key_id: hazmat.wrap(new, hazmat.unwrap(old, stored.wrapped)) for stored in keys}
