"""Who may write here at all: asked before anything of what was sent is looked at.

What is absent and what is not theirs are refused in the same words and for the same work, so that neither a refusal nor
its time tells that a patient or a record exists. Each refusal is audited.
"""

import contextlib

from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent import policy
from gateway.consent.model import AccessRequest, Action, Deny, Purpose, StudyStanding
from gateway.consent.names import requester
from gateway.consent.standing import Standing, Standings
from gateway.emergency.grounds import Ground, Grounds
from gateway.errors import DeniedError, IntegrityError, UpstreamError
from gateway.identity.model import Caller
from gateway.ids import RecordId, StudyId, SubjectId
from gateway.ports.clock import Clock
from gateway.ports.index import Index
from gateway.ports.rows import RecordRow
from gateway.records.opening import Found, Opening


class Admission:
    """See the module."""

    def __init__(
        self, *, standings: Standings, grounds: Grounds, audit: Audit, index: Index, opening: Opening, clock: Clock
    ) -> None:
        self._standings = standings
        self._grounds = grounds
        self._audit = audit
        self._index = index
        self._opening = opening
        self._clock = clock

    async def require_concern(
        self, caller: Caller, subject: SubjectId, record: bytes, purpose: Purpose, study: StudyId | None = None
    ) -> None:
        """Before any work: whether some decision on this subject could permit. The refusal is audited."""
        near = await self._index.nearest_subject(subject)
        if near != subject:
            raise await self._refused_alike(caller, near, None, record, purpose, study)
        ground = await self.ground(caller, subject, record, purpose, study)
        if not ground.concerns(requester(caller)):
            raise await self.refused(caller, ground.standing, record, purpose, "no consent names the caller")
        ground.require_current()

    async def _refused_alike(
        self,
        caller: Caller,
        near: bytes | None,
        row: RecordRow | None,
        record: bytes,
        purpose: Purpose,
        study: StudyId | None,
    ) -> DeniedError:
        """The refusal of what is not there, for the work of what is: on another's standing and another's block, of
        which nothing is used."""
        if near is not None:
            with contextlib.suppress(IntegrityError):
                (await self._grounds.of(caller, SubjectId(near), purpose, study)).concerns(requester(caller))
        await self._opening.glance(row)
        return await self.refused(caller, None, record, purpose, "no such name", like=near)

    async def present(
        self, caller: Caller, record: RecordId, purpose: Purpose, study: StudyId | None = None
    ) -> tuple[RecordRow, Found]:
        """The version that stands, for who may write over it. For all others it is not there, and what they sent is
        not looked at: it would be judged for a record that is there, and for no other. `study`: the one that the
        caller takes it to be of, which must be the one that its facts name."""
        row = await self._index.nearest(record)
        if row is None or row.record != record:
            near = None if row is None else row.subject
            raise await self._refused_alike(caller, near, row, record, purpose, study)
        subject = SubjectId(row.subject)
        ground = await self.ground(caller, subject, record, purpose, study)
        standing = ground.standing
        if standing is None or not ground.concerns(requester(caller)):
            await self._opening.glance(row)
            raise await self.refused(caller, standing, record, purpose, "no consent names the caller")
        ground.require_current()
        request = write_request(caller, subject, record, purpose, ground.study)
        now = self._clock.now()
        try:
            found = await self._opening.find(row)
        except (IntegrityError, UpstreamError) as error:
            if policy.reaches(request, standing.grants, standing.epochs, ground.as_of, now, ground.emergency):
                raise
            raise await self.refused(caller, standing, record, purpose, "verification failed") from error
        facts = found.known.decision_facts
        decided = policy.decide(request, facts, standing.grants, standing.epochs, ground.as_of, now, ground.emergency)
        if isinstance(decided, Deny):
            raise await self.refused(caller, standing, record, purpose, decided.reason)
        return row, found

    def forget(self, name: bytes) -> None:
        """A guard of this name moved."""
        self._grounds.forget(name)

    async def ground(
        self, caller: Caller, subject: SubjectId, record: bytes, purpose: Purpose, study: StudyId | None = None
    ) -> Ground:
        """What is decided on. A write that says it is of an emergency stands on one, and on nothing else."""
        try:
            ground = await self._grounds.of(caller, subject, purpose, study)
        except IntegrityError:
            standing = await self._standings.known(subject)
            await self.refused(caller, standing, record, purpose, "verification failed")
            raise
        if purpose is Purpose.ETREAT and ground.emergency is None:
            raise await self.refused(caller, ground.standing, record, purpose, "no open emergency")
        return ground

    async def refused(
        self,
        caller: Caller,
        standing: Standing | None,
        record: bytes,
        purpose: Purpose,
        reason: str,
        *,
        like: bytes | None = None,
    ) -> DeniedError:
        """The refusal, audited. `like`: the subject whose refusal would have cost the same."""
        event = Event(
            decision=self._audit.new_decision(),
            at=self._clock.now(),
            actor=caller.actor.id,
            outcome=Outcome.DENIED,
            action=Action.WRITE.value,
            purpose=purpose.value,
            subject=None if standing is None else standing.subject.id,
            record=record,
            reason=reason,
            like=like,
        )
        await self._audit.append(event)
        return DeniedError(reason, decision_id=event.decision)


def write_request(
    caller: Caller, subject: SubjectId, record: RecordId | None, purpose: Purpose, study: StudyStanding | None
) -> AccessRequest:
    return AccessRequest(
        requester=requester(caller),
        subject=subject,
        record=record,
        action=Action.WRITE,
        purpose=purpose,
        study=study,
    )
