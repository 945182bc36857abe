"""Signatures for a recovery, kept until there are enough, and then sent: each comes at its signer's own time.

Nothing is kept for a text that no guardian has signed, so no stranger fills the index, and whoever cannot show a
guardian's signature is told what they would be told of a patient who does not exist. That guardians are collecting
stands in the audit, and in the patient's own log from the proposal on: a thief of the patient's key reads that log, and
could erase before it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent import control, proposals
from gateway.consent.control import Attested, Proposed
from gateway.consent.guardianship import Guardianship
from gateway.consent.hands import Hands
from gateway.consent.papers import Papers
from gateway.consent.proposals import Collected, Lacking, ProposalView, Whole
from gateway.consent.relaying import Relaying
from gateway.consent.standing import Standing, Standings
from gateway.errors import CallerError, ConflictError, LimitError
from gateway.identity.model import Caller
from gateway.identity.service import Identity
from gateway.ids import ActorId, SubjectId
from gateway.ports.chain import Calls, Chain, RecoveryProposal
from gateway.ports.clock import Clock
from gateway.ports.rows import CallRow

MOST_SIGNATURES = 17
"""In one submission: every guardian's, and the next controller's."""
MOST_TEXTS = 8
"""That one guardian signs for one attempt."""
SIGN, ATTEST, PROPOSE = "SIGN_RECOVERY", "ATTEST_RECOVERY", "PROPOSE_RECOVERY"


class Collecting:
    """See the module."""

    def __init__(
        self,
        *,
        identity: Identity,
        standings: Standings,
        hands: Hands,
        papers: Papers,
        calls: Calls,
        chain: Chain,
        relaying: Relaying,
        audit: Audit,
        clock: Clock,
    ) -> None:
        self._identity = identity
        self._standings = standings
        self._hands = hands
        self._papers = papers
        self._calls = calls
        self._chain = chain
        self._relaying = relaying
        self._audit = audit
        self._clock = clock

    async def sign(self, caller: Caller, *, typed_data: Mapping[str, Any], signatures: Sequence[bytes]) -> ProposalView:
        """Guardians' signatures and the next controller's, in any order and number; whoever brings them. Once there are
        enough it goes to the chain, and the answer waits for that. What is kept already is success."""
        proposed = control.read_recovery(typed_data, self._standings.domain)
        if not 1 <= len(signatures) <= MOST_SIGNATURES:
            raise LimitError(f"1 to {MOST_SIGNATURES} signatures at once", field=("signatures",))
        standing = await self._standings.asked_for(proposed.subject)
        opened = None if standing is None else await self.guardianship(standing)
        fresh = await self._verified(proposed, () if opened is None else opened.signers, signatures)
        kept = () if opened is None else await self._papers.collected(proposed.subject, salt=opened.salt)
        signed = {one.signer for one in (*kept, *fresh) if one.said == proposed}
        if standing is None or opened is None or signed.isdisjoint(opened.signers):
            raise _unsigned()
        self._require_current(standing, proposed.attempt)
        if proposed.not_after <= self._now():
            raise CallerError("already over; draft it again", field=("typedData", "message", "notAfter"))
        new = [one for one in fresh if not _is_among(one, kept)]
        _require_few(proposed.attempt, (*kept, *new))
        await self._keep(caller, standing.subject.id, opened, new, action=SIGN)
        return await self._go_on(caller, standing, opened, proposed)

    async def attest(self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes) -> ProposalView:
        """A registrar's who saw the patient in person, once the patient has objected (or may yet): for a controller
        that guardians have signed for."""
        attested = control.read_attestation(typed_data, self._standings.domain)
        await self.require_registrar(caller, ATTEST)
        digest = proposals.digest_of(attested, self._standings.domain)
        if not await self._identity.signed_by(caller.actor.key, digest, signature):
            raise CallerError("not signed by the registrar's key, or not this text", field=("signature",))
        standing = await self._standings.asked_for(attested.subject)
        opened = None if standing is None else await self.guardianship(standing)
        kept = () if opened is None else await self._papers.collected(attested.subject, salt=opened.salt)
        named = [one for one in _texts(kept) if _attests(attested, one) and one.not_after > self._now()]
        if standing is None or opened is None or not named:
            raise CallerError(
                "no guardian has signed for this controller", field=("typedData", "message", "controller")
            )
        self._require_current(standing, attested.attempt)
        if not standing.control.objected and standing.control.recovery is None:
            raise ConflictError("not needed: the patient has not objected", field=("typedData",))
        witness = Collected(said=attested, signer=caller.actor.key, signature=signature, registrar=caller.actor.id)
        new = [] if _is_among(witness, kept) else [witness]
        await self._keep(caller, standing.subject.id, opened, new, action=ATTEST)
        views = []
        for proposed in named:
            views.append(await self._go_on(caller, standing, opened, proposed))
            if views[-1].lacking is None:
                break
        return views[-1]

    async def require_registrar(self, caller: Caller, action: str) -> None:
        if not caller.registrar:
            raise await self._hands.refusal(caller, None, action, "not a registrar")

    async def guardianship(self, standing: Standing) -> Guardianship | None:
        """The one that holds now, opened."""
        named = standing.control.guardians.at(self._standings.last_block().block_time)
        return await self._papers.guardianship(standing.subject.id, named.current)

    async def views(self, standing: Standing, opened: Guardianship) -> tuple[ProposalView, ...]:
        """Every proposal that is being signed for the attempt that comes next."""
        kept = await self._papers.collected(standing.subject.id, salt=opened.salt)
        texts = [one for one in _texts(kept) if self._is_alive(standing, one)]
        return tuple(self._view(standing, opened, one, kept) for one in texts)

    async def propose_whole(self, standing: Standing) -> bool:
        """Sends what guardians signed ahead, once it may be sent; whether there was one. Nobody asks for it here."""
        opened = await self.guardianship(standing)
        if opened is None or standing.control.recovery is not None:
            return False
        kept = await self._papers.collected(standing.subject.id, salt=opened.salt)
        for proposed in _texts(kept):
            whole = proposals.assemble(proposed, opened, kept, objected=standing.control.objected)
            if isinstance(whole, Whole) and self._is_alive(standing, proposed):
                event = Event(
                    decision=self._audit.new_decision(),
                    at=self._clock.now(),
                    actor=ActorId(bytes(32)),
                    outcome=Outcome.PERMITTED,
                    action=PROPOSE,
                    subject=standing.subject.id,
                )
                await self._audit.append(event, rows=(self._call(proposed, opened, whole),))
                self._chain.wake()
                return True
        return False

    # ---- shared steps

    async def _verified(
        self, proposed: Proposed, signers: Sequence[bytes], signatures: Sequence[bytes]
    ) -> list[Collected]:
        digest = proposals.digest_of(proposed, self._standings.domain)
        found: dict[bytes, Collected] = {}
        for signature in signatures:
            signer = await self._identity.text_signer((*signers, proposed.controller), digest, signature)
            if signer is None:
                raise _unsigned()
            found.setdefault(signer, Collected(said=proposed, signer=signer, signature=signature))
        return list(found.values())

    async def _keep(
        self, caller: Caller, subject: SubjectId, opened: Guardianship, new: Sequence[Collected], *, action: str
    ) -> None:
        if not new:
            return
        rows = [await self._papers.put(subject, self._papers.paper_of(one, opened.salt)) for one in new]
        # Commit point: before it they were never given; after it they are kept, and nobody needs to sign again.
        await self._relaying.record(caller, None, action=action, rows=rows)

    async def _go_on(
        self, caller: Caller, standing: Standing, opened: Guardianship, proposed: Proposed
    ) -> ProposalView:
        # Read once more: of two who sign at the same moment the later finds both.
        collected = await self._papers.collected(standing.subject.id, salt=opened.salt)
        whole = proposals.assemble(proposed, opened, collected, objected=standing.control.objected)
        if isinstance(whole, Whole) and standing.control.recovery is None:
            call = self._call(proposed, opened, whole)
            await self._relaying.relay(caller, standing.subject.id, call, action=PROPOSE, confirmed=False)
        return self._view(standing, opened, proposed, collected)

    def _view(
        self, standing: Standing, opened: Guardianship, proposed: Proposed, collected: Sequence[Collected]
    ) -> ProposalView:
        # While one is pending, the next is made only after an objection.
        objected = standing.control.objected or standing.control.recovery is not None
        found = proposals.assemble(proposed, opened, collected, objected=objected)
        signed = {one.signer for one in collected if one.said == proposed}
        return ProposalView(
            id=proposals.digest_of(proposed, self._standings.domain),
            proposed=proposed,
            signed=len(signed & set(opened.signers)),
            lacking=found if isinstance(found, Lacking) else None,
        )

    def _call(self, proposed: Proposed, opened: Guardianship, whole: Whole) -> CallRow:
        return self._calls.propose_recovery(
            subject=proposed.subject,
            proposal=RecoveryProposal(
                controller=proposed.controller,
                not_after=proposed.not_after,
                guardians=opened.signers,
                threshold=opened.threshold,
                salt=opened.salt,
                who=whole.who,
                signatures=whole.signatures,
                controller_signature=whole.controller_signature,
                registrar=whole.registrar,
                attestation=whole.attestation,
            ),
        )

    def _require_current(self, standing: Standing, attempt: int) -> None:
        if attempt != standing.control.attempt:
            raise ConflictError("signed for another attempt; draft it again", field=("typedData", "message", "attempt"))

    def _is_alive(self, standing: Standing, proposed: Proposed) -> bool:
        return proposed.attempt == standing.control.attempt and proposed.not_after > self._now()

    def _now(self) -> float:
        return max(self._clock.now(), self._standings.last_block().block_time)


def _texts(collected: Sequence[Collected]) -> tuple[Proposed, ...]:
    return tuple(dict.fromkeys(one.said for one in collected if isinstance(one.said, Proposed)))


def _attests(attested: Attested, proposed: Proposed) -> bool:
    return (proposed.controller, proposed.attempt) == (attested.controller, attested.attempt)


def _is_among(one: Collected, kept: Sequence[Collected]) -> bool:
    return any((other.said, other.signer) == (one.said, one.signer) for other in kept)


def _require_few(attempt: int, collected: Sequence[Collected]) -> None:
    signed: dict[bytes, set[Proposed]] = {}
    for one in collected:
        if isinstance(one.said, Proposed) and one.said.attempt == attempt:
            signed.setdefault(one.signer, set()).add(one.said)
    if any(len(texts) > MOST_TEXTS for texts in signed.values()):
        raise LimitError(f"a guardian signs at most {MOST_TEXTS} texts for one attempt", field=("signatures",))


def _unsigned() -> CallerError:
    return CallerError(
        "not signed by a guardian of this patient or by the next controller, or not this text", field=("signatures",)
    )
