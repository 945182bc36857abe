"""A patient's guardians: named by the patient's signature alone, known on chain by a salted hash, opened here.

Who is told what: the patient everything, so that they can hand the opened guardianship over and need no gateway; a
guardian who asks for the patient by their id, that they are one, and how many must sign; nobody else anything
(`recoveries`). Nobody is asked whether they will guard: to sign is up to them.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gateway import eip712, erc7913
from gateway.consent import control, guardianship, policy
from gateway.consent.guardianship import Guardian, GuardiansDraft, Guardianship, GuardiansView, Named
from gateway.consent.hands import Hands
from gateway.consent.names import requester
from gateway.consent.papers import Papers
from gateway.consent.relaying import Relaying
from gateway.consent.rules import require_free
from gateway.consent.standing import Standing, Standings
from gateway.errors import CallerError, ConflictError
from gateway.identity.guardians import NONE, Guardians
from gateway.identity.model import Caller, Draft
from gateway.identity.service import Identity
from gateway.identity.verdicts import verifiers_of
from gateway.ids import ActorId, SubjectId
from gateway.ports.chain import Calls, ChainFacts
from gateway.ports.clock import Entropy
from gateway.ports.rows import Row

ACTION = "SET_GUARDIANS"
SALT_OCTETS = 32


class Guardianships:
    """See the module."""

    def __init__(
        self,
        *,
        identity: Identity,
        standings: Standings,
        hands: Hands,
        papers: Papers,
        calls: Calls,
        relaying: Relaying,
        facts: ChainFacts,
        entropy: Entropy,
    ) -> None:
        self._identity = identity
        self._standings = standings
        self._hands = hands
        self._papers = papers
        self._calls = calls
        self._relaying = relaying
        self._verifiers = verifiers_of(facts)
        self._entropy = entropy

    async def draft_guardians(
        self, caller: Caller, *, subject: SubjectId, actors: Sequence[ActorId], threshold: int
    ) -> GuardiansDraft:
        """No actors: no guardians. Raises CallerError naming what no guardianship may be."""
        standing = await self._hands.own(caller, subject, "DRAFT_GUARDIANS")
        require_free(standing.control.recovery)
        salt = self._entropy.bytes(SALT_OCTETS)
        opened = await self._opened(standing, actors, threshold=threshold, salt=salt)
        name = NONE if opened is None else guardianship.hash_of(opened)
        full = control.guardians_typed_data(subject, name, nonce=standing.control.nonce, domain=self._standings.domain)
        return GuardiansDraft(draft=Draft(id=eip712.digest(full), typed_data=full), opened=opened)

    async def set_guardians(
        self,
        caller: Caller,
        *,
        typed_data: Mapping[str, Any],
        signature: bytes,
        actors: Sequence[ActorId],
        threshold: int,
        salt: bytes,
    ) -> GuardiansView:
        """Returns once they stand on chain. The first hold at once, others after the delay. What stands is success, and
        opens it here where only its hash was known. ConflictError for an outdated draft."""
        domain = self._standings.domain
        subject, name, nonce = control.read_guardians(typed_data, domain)
        standing = await self._hands.own(caller, subject, ACTION)
        opened = await self._opened(standing, actors, threshold=threshold, salt=salt)
        if name != (NONE if opened is None else guardianship.hash_of(opened)):
            raise ConflictError(
                "not the guardians that were signed, or one has another key by now; draft them again",
                field=("guardianIds",),
            )
        full = control.guardians_typed_data(subject, name, nonce=nonce, domain=domain)
        if not await self._identity.signed_by(standing.subject.controller, eip712.digest(full), signature):
            raise CallerError("not signed by the patient's key, or not this text", field=("signature",))
        # Sealed and pinned before it is relied on: a hash that nobody can open would guard nothing.
        rows: tuple[Row, ...] = ()
        if opened is not None and await self._papers.guardianship(subject, name) is None:
            rows = (await self._papers.put(subject, guardianship.paper_of(opened)),)
        named = self._named(standing)
        if name == (named.next if named.next_at else named.current):
            await self._relaying.record(caller, subject, action=ACTION, rows=rows)
            return await self._view(await self._hands.own(caller, subject, ACTION))
        require_free(standing.control.recovery)
        if nonce != standing.control.nonce:
            raise ConflictError("drafted before another change; draft it again", field=("typedData", "message"))
        call = self._calls.set_guardians(subject=subject, guardians=name, signature=signature)
        await self._relaying.relay(caller, subject, call, action=ACTION, confirmed=True, rows=rows)
        return await self._view(await self._hands.own(caller, subject, ACTION))

    async def guardians(self, caller: Caller, subject: SubjectId) -> GuardiansView | None:
        """The patient's own; for others there are none."""
        caller = await self._identity.current(caller)
        standing = await self._standings.asked_for(subject)
        if standing is None or not policy.owns(requester(caller), standing.epochs):
            return None
        return await self._view(standing)

    async def _view(self, standing: Standing) -> GuardiansView:
        named = self._named(standing)
        return GuardiansView(
            current=await self._open(standing, named.current),
            next=await self._open(standing, named.next) if named.next_at else None,
            next_from=datetime.fromtimestamp(named.next_at, UTC) if named.next_at else None,
        )

    async def _open(self, standing: Standing, name: bytes) -> Named | None:
        if name == NONE:
            return None
        return Named(hash=name, opened=await self._papers.guardianship(standing.subject.id, name))

    def _named(self, standing: Standing) -> Guardians:
        return standing.control.guardians.at(self._standings.last_block().block_time)

    async def _opened(
        self, standing: Standing, actors: Sequence[ActorId], *, threshold: int, salt: bytes
    ) -> Guardianship | None:
        if not actors:
            return None
        if len(salt) != SALT_OCTETS:
            raise CallerError(f"{SALT_OCTETS} bytes", field=("salt",))
        if len(actors) > guardianship.MOST_GUARDIANS:
            raise CallerError(f"at most {guardianship.MOST_GUARDIANS} guardians", field=("guardianIds",))
        found = Guardianship(
            guardians=tuple([await self._guardian(actor) for actor in actors]), threshold=threshold, salt=salt
        )
        guardianship.check(found, controller=standing.subject.controller)
        return found

    async def _guardian(self, actor: ActorId) -> Guardian:
        """A guardian signs a text. A passkey of an actor signs in and nothing else, whatever page asks for it."""
        found = await self._identity.actor(actor)
        if found is None:
            raise CallerError("no such actor", field=("guardianIds",))
        if erc7913.is_passkey(found.key, self._verifiers):
            raise CallerError(
                "this actor's key is a passkey, which signs in and signs no text: name one with a wallet",
                field=("guardianIds",),
            )
        return Guardian(actor=actor, signer=found.key)
