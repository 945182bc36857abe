"""Who is behind a token or a name, as the chain's events have it; kept until a hint or a guard says otherwise.

The version that the ledger compares is read before the events, so a change in between makes the guard fail, never the
reverse.
"""

import hashlib
from collections import OrderedDict

from gateway.errors import BlockMissingError, IntegrityError, UnauthenticatedError
from gateway.identity import state
from gateway.identity.model import Actor, Caller, Role
from gateway.ids import ActorId
from gateway.ports.chain import Chain
from gateway.ports.clock import Clock
from gateway.ports.documents import Documents
from gateway.ports.index import Index
from gateway.ports.rows import EventRow

CONTRACT = "IdentityRegistry"
HELD = 10_000
LONGEST_TOKEN = 128


class Callers:
    """Actors, their organizations, and the callers that sessions stand for."""

    def __init__(
        self, *, index: Index, chain: Chain, documents: Documents, clock: Clock, registrars: frozenset[bytes]
    ) -> None:
        self._index = index
        self._chain = chain
        self._documents = documents
        self._clock = clock
        self._registrars = registrars
        self._callers: OrderedDict[bytes, tuple[Caller, int, int]] = OrderedDict()
        self._actors: OrderedDict[bytes, Actor] = OrderedDict()
        self._forgotten = 0

    async def caller(self, token: str | None) -> Caller | None:
        """The caller behind an access token; None when there is none, or it is unknown or expired."""
        if token is None or len(token) > LONGEST_TOKEN:
            return None
        digest = digest_of(token)
        now = self._now()
        held = self._callers.get(digest)
        if held is not None and held[1] > now and (held[2] == 0 or held[2] > now):
            return held[0]
        session = await self._index.session(digest, now=now)
        if session is None:
            return None
        forgotten = self._forgotten
        found = await self._load_caller(ActorId(session.actor), now)
        if found is None or not signed_in_by(found[0].actor.key, token):
            return None
        if forgotten != self._forgotten:
            return found[0]  # something moved while this was loaded: good for its guards, not to be kept
        self._callers[digest] = (found[0], session.expires_at, found[1])
        if len(self._callers) > HELD:
            self._callers.popitem(last=False)
        return found[0]

    async def _load_caller(self, actor_id: ActorId, now: int) -> tuple[Caller, int] | None:
        """The caller, and when one of its memberships ends (0: never)."""
        actor = await self._load_actor(actor_id)
        if actor is None or actor.key == state.NOBODY:
            return None
        events = await self._index.events(actor_id, contract=CONTRACT)
        memberships = [
            found for found in state.fold_memberships(actor_id, events, self.confirmed) if found.not_after > now
        ]
        # An organization that was removed has no members; its own version is guarded with the member's.
        loaded = [await self.actor(found.organization) for found in memberships]
        organizations = [found for found in loaded if found is not None]
        caller = Caller(
            actor=actor,
            organizations=frozenset(found.id for found in organizations),
            registrar=actor.key in self._registrars and Role.REGISTRAR in actor.roles,
            guards=((actor_id, actor.version), *((found.id, found.version) for found in organizations)),
        )
        settles = 0 if all(map(self.confirmed, events)) else now + 1
        ends = min((found.not_after for found in memberships), default=0)
        return caller, min(filter(None, (settles, ends)), default=0)

    def forget(self, name: bytes) -> None:
        """Drops what is cached of an actor. An organization's change bumps its members' names too."""
        self._forgotten += 1
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
        """The same caller as it stands now, after a guard was found stale. UnauthenticatedError when it is gone, or
        its key is another: a session ends with the key that opened it."""
        for name in (caller.actor.id, *caller.organizations):
            self.forget(name)
        found = await self._load_caller(caller.actor.id, self._now())
        if found is None or found[0].actor.key != caller.actor.key:
            raise UnauthenticatedError("this actor is no longer registered under this key")
        return found[0]

    async def actor(self, actor: ActorId) -> Actor | None:
        held = self._actors.get(actor)
        return held if held is not None else await self._load_actor(actor)

    async def _load_actor(self, actor: ActorId) -> Actor | None:
        # The version is read before the events: a change in between makes the guard fail, never the reverse.
        forgotten = self._forgotten
        version = (await self._index.versions_of((actor,)))[actor]
        events = await self._index.events(actor, contract=CONTRACT)
        found = state.fold_actor(actor, events, self.confirmed)
        if found is None:
            return None
        name = await self._name_of(actor, found.profile) if any(found.profile) else None
        loaded = Actor(
            id=actor,
            key=found.key,
            roles=found.roles,
            name=name,
            encryption_key=found.encryption_key,
            epoch=found.epoch,
            version=version,
        )
        if found.settled and forgotten == self._forgotten:
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
        now = self._now()
        found = [
            await self.actor(membership.organization)
            for membership in state.fold_memberships(actor, events, self.confirmed)
            if membership.not_after > now
        ]
        return tuple(organization for organization in found if organization is not None)

    def _now(self) -> int:
        """The later of the host's clock and the chain's time: what has ended by either has ended."""
        return max(int(self._clock.now()), self._chain.head().timestamp)

    def confirmed(self, event: EventRow) -> bool:
        return self._chain.head().number - event.block_number >= self._chain.facts.confirmations


def token_for(key: bytes, secret: bytes) -> str:
    """An access token: 32 random bytes, and which key signed in, so that it is worth nothing once the key is another.
    What is kept of a token covers both."""
    return secret.hex() + _mark(key)


def signed_in_by(key: bytes, token: str) -> bool:
    return token.endswith(_mark(key))


def _mark(key: bytes) -> str:
    return hashlib.sha256(b"consentry/session-key" + key).hexdigest()[:16]


def digest_of(token: str) -> bytes:
    """SHA-256 of an access token: all of it that is ever kept."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
