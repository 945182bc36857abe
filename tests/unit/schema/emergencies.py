"""The in-memory world's break-glass: one emergency, of the clinician, for the patient. Each call is in its log."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from gateway.audit.model import AccessEvent
from gateway.emergency.model import (
    Emergency,
    EmergencyCode,
    EmergencyState,
    EmergencyView,
    NewEmergency,
    Opening,
    Review,
    Stated,
    Summary,
    Verdict,
)
from gateway.errors import DeniedError
from gateway.identity.model import Caller, Subject
from gateway.ids import ActorId, EmergencyId, SubjectId
from gateway.slices import Page, Slice

NAME = EmergencyId(b"\x51" * 32)


def make_emergency(subject: SubjectId, clinician: ActorId) -> EmergencyView:
    opening = Opening(
        subject=subject,
        clinician=clinician,
        organizations=(),
        code=EmergencyCode.CANNOT_CONSENT,
        reason="Found unconscious",
        opened_at=1_800_000_000,
        expires_at=1_800_003_600,
    )
    review = Review(emergency=NAME, reviewer=clinician, verdict=Verdict.JUSTIFIED, note="As the ward log says", at=1)
    found = Emergency(
        id=NAME,
        opening=opening,
        stated=Stated(octets=b"{}", salt=bytes(32), commitment=NAME),
        ending=None,
        review=review,
        transaction=None,
        decision=b"\x41" * 16,
    )
    return EmergencyView(emergency=found, state=EmergencyState.REVIEWED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergencies:
    """Behind `Services.emergencies`. `calls`: the world's log."""

    calls: list[tuple[str, Caller | None]]
    received: list[object]
    events: asyncio.Queue[object]
    event: AccessEvent
    subject: SubjectId
    patient: ActorId
    clinician: ActorId

    def _made(self, name: str, caller: Caller) -> EmergencyView:
        self.calls.append((name, caller))
        return make_emergency(self.subject, self.clinician)

    def _theirs(self, name: str, caller: Caller) -> EmergencyView:
        made = self._made(name, caller)
        if caller.actor.id not in (self.patient, self.clinician):
            raise DeniedError("not theirs")
        return made

    async def open(self, caller: Caller, asked: NewEmergency, /) -> EmergencyView:
        self.received.append(asked)
        return self._theirs("open_emergency", caller)

    async def end(self, caller: Caller, emergency: EmergencyId, /) -> EmergencyView:
        return self._theirs("end_emergency", caller)

    async def review(self, caller: Caller, emergency: EmergencyId, /, *, verdict: Verdict, note: str) -> EmergencyView:
        self.received.append((verdict, note))
        return self._theirs("review_emergency", caller)

    async def get(self, caller: Caller, emergency: EmergencyId, /) -> EmergencyView:
        if emergency != NAME:
            raise DeniedError("no such emergency")
        return self._theirs("get_emergency", caller)

    async def accesses(self, caller: Caller, emergency: EmergencyId, /) -> tuple[AccessEvent, ...]:
        self._theirs("accesses", caller)
        return (self.event,)

    async def of_patient(
        self, caller: Caller, subject: SubjectId, /, *, part: Slice
    ) -> Page[tuple[str, EmergencyView]]:
        made = self._made("emergencies_of_patient", caller)
        if caller.actor.id != self.patient:
            return Page()
        return Page((("m1", made),), has_previous=part.backwards)

    async def changes(self, caller: Caller, subject: SubjectId, /) -> AsyncIterator[EmergencyView]:
        self.calls.append(("emergency_changes", caller))
        if caller.actor.id != self.patient:
            raise DeniedError("not theirs")
        while isinstance(view := await self.events.get(), EmergencyView):
            yield view

    async def visible_patient(self, caller: Caller, subject: SubjectId, /) -> Subject | None:
        self.calls.append(("visible_in_emergency", caller))
        return None

    async def report(self, caller: Caller, *, overdue_only: bool, part: Slice) -> Page[Summary]:
        self.calls.append(("emergency_report", caller))
        line = Summary(id=NAME, opened_at=1_800_000_000, expires_at=1_800_003_600, overdue=True, cursor="r1")
        return Page((line,), has_previous=part.backwards)
