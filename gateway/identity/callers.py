"""Who is behind a token or a name, as the chain's events have it; kept until a hint or a guard says otherwise.

The version that the ledger compares is read before the events, so a change in between makes the guard fail, never the
reverse. The index is not believed: a caller's key, roles and memberships are compared with the chain's own word, and a
session is good only with a token that this gateway marked, so rows written into the database let nobody in.
"""

import asyncio
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from gateway.errors import BlockMissingError, IntegrityError, UnauthenticatedError, UpstreamError
from gateway.identity import state
from gateway.identity.model import Actor, Bearer, Caller, Membership, Role, to_bits
from gateway.ids import ActorId, SessionId
from gateway.ports.chain import Chain
from gateway.ports.clock import Clock, Steady
from gateway.ports.documents import Documents
from gateway.ports.index import Index
from gateway.ports.rows import EventRow
from gateway.ports.sign_ins import SessionRow

CONTRACT = "IdentityRegistry"
SUBJECTS = "ConsentRegistry"
"""Subjects stand with their consents."""
HELD = 10_000
TOKEN_CHARACTERS = 96
PROVEN_SECONDS = 60
"""How long a caller is kept before the chain is asked about it again; an event that is seen drops it at once."""
PROOF_SECONDS = 2.0
"""How long the chain may take to say it. A patient who revokes waits no longer for a mute chain."""
Mark = Callable[[bytes], bytes]
"""A keyed digest that only this gateway, and its replicas, can make: 16 bytes."""


class Callers:
    """Actors, their organizations, and the callers that sessions stand for."""

    def __init__(
        self,
        *,
        index: Index,
        chain: Chain,
        documents: Documents,
        clock: Clock,
        registrars: frozenset[bytes],
        mark: Mark,
    ) -> None:
        self._index = index
        self._chain = chain
        self._documents = documents
        self._clock = clock
        self._steady = Steady(clock)
        self._registrars = registrars
        self._mark = mark
        self._callers: OrderedDict[bytes, tuple[Caller, int, int]] = OrderedDict()
        self._actors: OrderedDict[bytes, Actor] = OrderedDict()
        self.forgotten = 0

    async def caller(self, token: str | None) -> Caller | None:
        """The caller behind an access token; None when there is none, or it is unknown or expired."""
        if token is None or len(token) != TOKEN_CHARACTERS:
            return None
        digest = digest_of(token)
        now = self.now()
        held = self.kept(digest, now)
        if held is not None:
            return held
        forgotten = self.forgotten
        session = await self._index.session(digest, now=now)
        if session is None:
            return None
        found = await self.load(ActorId(session.actor), now)
        if found is None or not self._is_marked(token, found[0].actor, session):
            return None
        # Asked again once the versions are read: a session that ends from here on makes its caller's guards fail.
        if await self._index.session(digest, now=now) != session:
            return None
        caller = replace(found[0], session=SessionId(session.session), credential=digest)
        self.keep(digest, caller, ends=session.expires_at, settles=found[1], forgotten=forgotten)
        return caller

    def kept(self, digest: bytes, now: int) -> Caller | None:
        held = self._callers.get(digest)
        return held[0] if held is not None and held[1] > now and (held[2] == 0 or held[2] > now) else None

    def keep(self, digest: bytes, caller: Caller, *, ends: int, settles: int, forgotten: int) -> None:
        """Until its token ends, or the chain is to be asked again. Nothing is kept where something moved since
        `forgotten` was read, while this was loaded: the caller is good for its guards and no more."""
        if forgotten == self.forgotten:
            self._callers[digest] = (caller, ends, settles)
            if len(self._callers) > HELD:
                self._callers.popitem(last=False)

    async def load(self, actor_id: ActorId, now: int) -> tuple[Caller, int] | None:
        """The caller, and when one of its memberships ends (0: never)."""
        actor = await self._load_actor(actor_id, nameless=True)
        if actor is None or actor.key == state.NOBODY:
            return None
        events = await self._index.events(actor_id, contract=CONTRACT)
        memberships = [
            found for found in state.fold_memberships(actor_id, events, self.confirmed) if found.not_after > now
        ]
        # An organization that was removed has no members; its own version is guarded with the member's.
        loaded = [await self._known(found.organization) for found in memberships]
        organizations = [found for found in loaded if found is not None]
        said = await self._said(actor, memberships)
        caller = Caller(
            actor=actor,
            organizations=frozenset(found.id for found in organizations),
            registrar=actor.key in self._registrars and Role.REGISTRAR in actor.roles,
            guards=((actor_id, actor.version), *((found.id, found.version) for found in organizations)),
            proven=said is True,
            disproven=said is False,
        )
        settles = now + 1 if not caller.proven or not all(map(self.confirmed, events)) else now + PROVEN_SECONDS
        return caller, min((settles, *(found.not_after for found in memberships)))

    async def _said(self, actor: Actor, memberships: Sequence[Membership]) -> bool | None:
        """Whether the chain has the actor at least so; None where it cannot be asked."""
        try:
            async with asyncio.timeout(PROOF_SECONDS):
                found = await self._chain.actor(actor.id, [one.organization for one in memberships])
        except (UpstreamError, TimeoutError):
            return None
        return (
            found.key == actor.key
            and to_bits(actor.roles) & ~found.roles == 0
            and all(one.not_after <= found.memberships[one.organization] for one in memberships)
        )

    def new_token(self, actor: Actor, secret: bytes, *, session: bytes, expires: int) -> str:
        """An access token: 32 random bytes, and a mark that binds them to the session, its actor, the actor's present
        key and the token's end. It is worth nothing once the key is another, nor to who writes another actor, session
        or end into the session's row. What is kept of a token covers both."""
        return secret.hex() + self._mark_of(secret, actor, session, expires)

    def _is_marked(self, token: str, actor: Actor, row: SessionRow) -> bool:
        try:
            secret = bytes.fromhex(token[:64])
        except ValueError:
            return False
        expected = secret.hex() + self._mark_of(secret, actor, row.session, row.expires_at)
        return hmac.compare_digest(expected.encode(), token.encode("utf-8", "replace"))

    def _mark_of(self, secret: bytes, actor: Actor, session: bytes, expires: int) -> str:
        return self._mark(secret + actor.id + session + expires.to_bytes(8, "big") + actor.key).hex()

    def kept_tokens(self) -> tuple[bytes, ...]:
        """Digests of the sessions' tokens whose callers are kept."""
        return tuple(digest for digest, (caller, _, _) in self._callers.items() if caller.bearer is None)

    def forget_bearers(self) -> None:
        """Drops the callers behind tokens of identity providers."""
        self.forgotten += 1
        for digest in [digest for digest, (caller, _, _) in self._callers.items() if caller.bearer is not None]:
            del self._callers[digest]

    @property
    def empty(self) -> bool:
        return not self._callers

    def forget_tokens(self, digests: Iterable[bytes]) -> None:
        """Drops the callers behind tokens that hold no longer."""
        self.forgotten += 1
        for digest in digests:
            self._callers.pop(digest, None)

    def forget(self, name: bytes) -> None:
        """Drops what is cached of an actor. An organization's change bumps its members' names too."""
        self.forgotten += 1
        self._actors.pop(name, None)
        for digest in [
            digest
            for digest, (caller, _, _) in self._callers.items()
            if caller.actor.id == name or name in caller.organizations
        ]:
            del self._callers[digest]

    async def current(self, caller: Caller) -> Caller:
        """The caller if its guards hold at this moment, else as it stands now. Raises as `refreshed`."""
        versions = await self._index.versions_of([name for name, _ in caller.guards])
        if all(versions[name] == version for name, version in caller.guards):
            return caller
        return await self.refreshed(caller)

    async def refreshed(self, caller: Caller) -> Caller:
        """The same caller as it stands now, after a guard was found stale. UnauthenticatedError when it is gone, its
        session has ended, or its key is another: a session ends with the key that opened it."""
        for name in (caller.actor.id, *caller.organizations):
            self.forget(name)
        found = await self.load(caller.actor.id, self.now())
        if found is None or found[0].actor.key != caller.actor.key:
            raise UnauthenticatedError("this actor is no longer registered under this key")
        # After the versions, as in `caller`.
        if caller.credential and await self._index.session(caller.credential, now=self.now()) is None:
            raise UnauthenticatedError("this session has ended")
        if caller.bearer is not None and not await self.is_linked(caller.actor, caller.bearer):
            raise UnauthenticatedError("this token is good no longer")
        return replace(found[0], session=caller.session, credential=caller.credential, bearer=caller.bearer)

    async def is_linked(self, actor: Actor, bearer: Bearer) -> bool:
        """Whether the identity still stands for the actor, and its token was issued since the last end of all."""
        row = await self._index.identity(bearer.link)
        return (
            row is not None
            and row.actor == actor.id
            and row.not_before < bearer.issued_at
            and self.now() < bearer.good_until
        )

    async def actor(self, actor: ActorId) -> Actor | None:
        held = self._actors.get(actor)
        return held if held is not None else await self._load_actor(actor)

    async def _known(self, actor: ActorId) -> Actor | None:
        held = self._actors.get(actor)
        return held if held is not None else await self._load_actor(actor, nameless=True)

    async def _load_actor(self, actor: ActorId, *, nameless: bool = False) -> Actor | None:
        """`nameless`: who asks is told by their key, so that IPFS hinders nobody; without a name nothing is kept."""
        # The version is read before the events: a change in between makes the guard fail, never the reverse.
        forgotten = self.forgotten
        version = (await self._index.versions_of((actor,)))[actor]
        events = await self._index.events(actor, contract=CONTRACT)
        found = state.fold_actor(actor, events, self.confirmed)
        if found is None:
            return None
        name, named = None, True
        try:
            name = await self._name_of(actor, found.profile) if any(found.profile) else None
        except UpstreamError:
            if not nameless:
                raise
            named = False
        loaded = Actor(
            id=actor,
            key=found.key,
            roles=found.roles,
            name=name,
            encryption_key=found.encryption_key,
            epoch=found.epoch,
            version=version,
        )
        if named and found.settled and forgotten == self.forgotten:
            self._actors[actor] = loaded
            if len(self._actors) > HELD:
                self._actors.popitem(last=False)
        return loaded

    async def _name_of(self, actor: ActorId, profile: bytes) -> str | None:
        """An actor may name any profile on chain: one that is not there, or not theirs, hinders nobody."""
        try:
            return await self._documents.profile_name(actor, profile)
        except (IntegrityError, BlockMissingError):
            return None

    async def organizations(self, actor: ActorId) -> tuple[Actor, ...]:
        """Those that the actor is a member of now."""
        events = await self._index.events(actor, contract=CONTRACT)
        now = self.now()
        found = [
            await self.actor(membership.organization)
            for membership in state.fold_memberships(actor, events, self.confirmed)
            if membership.not_after > now
        ]
        return tuple(organization for organization in found if organization is not None)

    def now(self) -> int:
        """The latest of the host's clock, the chain's time and a clock that nobody sets: what has ended by any has
        ended."""
        return max(int(self._clock.now()), int(self._steady.now()), self._chain.head().timestamp)

    def confirmed(self, event: EventRow) -> bool:
        return self._chain.head().number - event.block_number >= self._chain.facts.confirmations


def digest_of(token: str) -> bytes:
    """SHA-256 of an access token: all of it that is ever kept."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
