"""Key domains: each subject, subject's audit, actor and the gateway's log has keys of its own.

A domain key is random, wrapped by the epoch key, which the vault's root wraps. From it come subkeys by HKDF, one per
use. Rotation adds a version for new seals and touches no block. Unwrapped keys live in this process's memory alone.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.crypto import hazmat
from gateway.crypto.model import LOG_DOMAIN, Domain, KeyId
from gateway.errors import CallerError, IntegrityError
from gateway.ports.clock import Entropy
from gateway.ports.keys import KeyStore, Vault, WrappedKey

HELD = 20_000
"""Unwrapped domain keys kept in memory; the least used go first."""


@dataclass(frozen=True, slots=True)
class DomainKey:
    """One version of a domain's key, unwrapped into its subkeys. Never printed."""

    id: KeyId
    domain: Domain
    wrapping: bytes = field(repr=False)
    facts: bytes = field(repr=False)
    search: bytes = field(repr=False)
    sealing: bytes = field(repr=False)
    cursor: bytes = field(repr=False)
    locating: bytes = field(repr=False)

    @classmethod
    def of(cls, stored: WrappedKey, material: bytes) -> "DomainKey":
        return cls(
            KeyId(stored.key_id),
            Domain(stored.kind, stored.name),
            hazmat.derive(material, "wrap"),
            hazmat.derive(material, "facts"),
            hazmat.derive(material, "search"),
            hazmat.derive(material, "seal"),
            hazmat.derive(material, "cursor"),
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
        return hazmat.open_sealed(self.sealing, nonce, ciphertext, context)

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
        self._epoch: tuple[bytes, bytes] | None = None
        self._by_id: OrderedDict[bytes, DomainKey] = OrderedDict()
        self._newest: dict[tuple[int, bytes], bytes] = {}
        self._making = asyncio.Lock()
        self._log: DomainKey | None = None

    async def unlock(self) -> None:
        """Opens the epoch key, makes it and the log key on the first start. Raises IntegrityError, UpstreamError."""
        standing = await self._store.epoch()
        if standing is None:
            fresh = self._entropy.bytes(hazmat.KEY_SIZE)
            # Commit point inside add_epoch: before it there is no epoch key and no key under it; after it, one.
            standing = await self._store.add_epoch(self._entropy.bytes(16), await self._vault.wrap(fresh))
        self._epoch = (standing[0], await self._vault.unwrap(standing[1]))
        self._log = await self.of(LOG_DOMAIN)

    @property
    def log(self) -> DomainKey:
        """The gateway's log key: locators and the public part of audit entries."""
        if self._log is None:
            raise IntegrityError("the key ring is locked")
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
        found = self.held(key_id)
        if found is not None:
            return found
        stored = await self._store.by_id(key_id)
        if stored is None:
            raise IntegrityError("the key of this block is not in the key store")
        return self._hold(stored)

    async def of(self, domain: Domain) -> DomainKey:
        """The key for new seals of a domain; made and durable on return if there was none."""
        found = self.held_of(domain)
        if found is not None:
            return found
        async with self._making:
            stored = await self._store.newest(domain.kind, domain.name)
            if stored is None:
                stored = await self._make(domain)
            key = self._hold(stored)
            self._newest[(domain.kind, domain.name)] = key.id
            return key

    async def existing(self, domain: Domain) -> DomainKey | None:
        """Like `of`, but makes nothing."""
        found = self.held_of(domain)
        if found is not None:
            return found
        stored = await self._store.newest(domain.kind, domain.name)
        if stored is None:
            return None
        key = self._hold(stored)
        self._newest[(domain.kind, domain.name)] = key.id
        return key

    async def _make(self, domain: Domain) -> WrappedKey:
        epoch, epoch_key = self._unlocked()
        return await self._store.add(
            WrappedKey(
                key_id=self._entropy.bytes(16),
                kind=domain.kind,
                name=domain.name,
                version=1,
                epoch=epoch,
                wrapped=hazmat.wrap(epoch_key, self._entropy.bytes(hazmat.KEY_SIZE)),
            )
        )

    def _hold(self, stored: WrappedKey) -> DomainKey:
        epoch, epoch_key = self._unlocked()
        if stored.epoch != epoch:
            raise IntegrityError("a key is wrapped by an epoch key that no longer stands")
        key = DomainKey.of(stored, hazmat.unwrap(epoch_key, stored.wrapped))
        self._by_id[stored.key_id] = key
        self._by_id.move_to_end(stored.key_id)
        if len(self._by_id) > HELD:
            _, gone = self._by_id.popitem(last=False)
            self._newest.pop((gone.domain.kind, gone.domain.name), None)
        return key

    def _unlocked(self) -> tuple[bytes, bytes]:
        if self._epoch is None:
            raise IntegrityError("the key ring is locked")
        return self._epoch
