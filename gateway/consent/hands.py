"""Who consents for a patient here: the patient, or a delegate within what the patient signed.

All others, and for a patient who does not exist, get the same refusal, audited.
"""

from dataclasses import dataclass

from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent import policy
from gateway.consent.model import Mandate
from gateway.consent.names import requester
from gateway.consent.standing import Standing, Standings
from gateway.errors import DeniedError
from gateway.identity.model import Caller
from gateway.ids import SubjectId
from gateway.ports.clock import Clock
from gateway.ports.rows import Guard


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """`mandates`: under which a delegate acts; none where it is the patient."""

    standing: Standing
    mandates: tuple[Mandate, ...]

    @property
    def guard(self) -> Guard | None:
        """What the ledger compares besides the caller: a delegate acts on the patient's standing as it was read."""
        subject = self.standing.subject.id
        return Guard(name=subject, version=self.standing.epochs.version) if self.mandates else None


class Hands:
    """See the module."""

    def __init__(self, *, standings: Standings, audit: Audit, clock: Clock) -> None:
        self._standings = standings
        self._audit = audit
        self._clock = clock

    async def own(self, caller: Caller, subject: SubjectId, action: str) -> Standing:
        """The standing of the caller's own subject."""
        standing = await self._standings.asked_for(subject)
        if standing is None or not policy.owns(requester(caller), standing.epochs):
            raise await self.refusal(caller, standing, action, "not the caller's own subject")
        return standing

    async def acting(self, caller: Caller, subject: SubjectId, action: str) -> Hand:
        """The patient's own hand, or a delegate's. Raises StaleError to a delegate where the chain cannot be asked."""
        near = await self._standings.nearest(subject)
        standing = near if near is not None and near.subject.id == subject else None
        owns = near is not None and policy.owns(requester(caller), near.epochs)
        mandates = () if near is None or owns else self._standings.mandates_of(requester(caller), near)
        if standing is None or not (owns or mandates):
            raise await self.refusal(caller, standing, action, "not the caller's own subject, nor a delegate's")
        if not owns:
            self._standings.require_current(standing)
        return Hand(standing=standing, mandates=mandates)

    async def refusal(self, caller: Caller, standing: Standing | None, action: str, reason: str) -> DeniedError:
        """To be raised: it stands in the log already."""
        event = Event(
            decision=self._audit.new_decision(),
            at=self._clock.now(),
            actor=caller.actor.id,
            outcome=Outcome.DENIED,
            action=action,
            subject=None if standing is None else standing.subject.id,
            reason=reason,
        )
        await self._audit.append(event)
        return DeniedError(reason, decision_id=event.decision)
