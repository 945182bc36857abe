"""What a patient may be told of who sees what, as a service of the schema's tests would tell it."""

from dataclasses import dataclass, field
from typing import Any

from gateway.consent.model import ANYONE, Action, ConsentInput, Purpose
from gateway.errors import DeniedError
from gateway.identity.model import Caller
from gateway.ids import ActorId, ConsentId, RecordId, SubjectId
from gateway.records.model import Barred, Effected, Explanation, Outlook, Preview, Reach, RecordFilter, Sight


@dataclass
class Outlooks:
    """`most`: items of each list. To the patient alone."""

    calls: list[tuple[str, Caller | None]]
    patient: ActorId
    grantee: ActorId
    consent: ConsentId
    record: RecordId
    most: int = 2
    asked: list[Any] = field(default_factory=list)

    async def explain(self, caller: Caller, record: RecordId, /) -> Explanation:
        self._told("explain", caller, record)
        sight = Sight(
            grantee=self.grantee,
            action=Action.READ,
            purpose=Purpose.TREAT,
            consent=self.consent,
            hidden=("/note",),
            until=1_700_000_000,
        )
        barred = Barred(grantee=ActorId(ANYONE), actions=(), purposes=(), consent=self.consent)
        return Explanation(record=record, permitted=(sight,) * self.most, barred=(barred,))

    async def who_can_see(self, caller: Caller, subject: SubjectId, /, *, filter: RecordFilter) -> Outlook:
        self._told("who_can_see", caller, (subject, filter))
        reach = Reach(grantee=self.grantee, purpose=Purpose.HRESCH, records=3, redacted=1, consents=(self.consent,))
        return Outlook(records=9, reaches=(reach,) * self.most)

    async def preview(self, caller: Caller, consent: ConsentInput, /) -> Preview:
        self._told("preview", caller, consent)
        effect = Effected(grantee=self.grantee, purpose=Purpose.TREAT, before=1, after=2)
        return Preview(statement="I allow.", records=9, effects=(effect,) * self.most, opened=(self.record,), closed=())

    def _told(self, name: str, caller: Caller, asked: object) -> None:
        self.calls.append((name, caller))
        self.asked.append(asked)
        if caller.actor.id != self.patient:
            raise DeniedError("not the caller's own subject")
