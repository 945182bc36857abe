"""What is the asker's own, as a world of the schema's tests answers it: the patient is their own, and one consent names
the clinician."""

from dataclasses import dataclass
from typing import Any

from gateway.consent.model import ConsentView
from gateway.consent.ties import Granted, GrantedFilter, GrantedPage, Relation, Tie, TiePage
from gateway.identity.model import Caller
from gateway.ids import ActorId, SubjectId
from gateway.slices import Slice


@dataclass
class Own:
    """`owner`: by whom the patient signs in; `grantee`: whom `view` names."""

    calls: list[tuple[str, Caller | None]]
    received: list[Any]
    patient: SubjectId
    owner: ActorId
    grantee: ActorId
    view: ConsentView

    async def patients(self, caller: Caller, *, part: Slice) -> TiePage:
        self.calls.append(("my_patients", caller))
        self.received.append(part)
        if caller.actor.id != self.owner:
            return TiePage()
        tie = Tie(subject=self.patient, relations=(Relation.CONTROLLER, Relation.GUARDIAN), cursor="p1")
        return TiePage(ties=(tie,), has_next=True, has_previous=part.backwards, start="p0", end="p1")

    async def consents(self, caller: Caller, *, wanted: GrantedFilter, part: Slice) -> GrantedPage:
        self.calls.append(("my_consents", caller))
        self.received.append((wanted, part))
        if caller.actor.id != self.grantee:
            return GrantedPage()
        granted = (Granted(view=self.view, cursor="g1"),)
        return GrantedPage(granted=granted, has_next=part.backwards, has_previous=True, start="g1", end="g9")
