"""Who may see what, as a patient asks it. Every answer was decided by the service; here it is only told."""

from datetime import datetime
from typing import Annotated

import strawberry

from gateway.consent.model import Action, Purpose
from gateway.ids import ActorId, RecordId, to_global
from schema.consent import ConsentInput, to_consent_input
from schema.context import Info, RequestContext
from schema.errors import Refusal
from schema.fields import resolved
from schema.gates import outcome, record_of, subject_of
from schema.identity import Actor, known_grantee
from schema.records import RecordFilterInput, to_filter
from schema.scalars import Hex, moment_of

MOST = 500
"""Items of one of these lists."""
ANYBODY = "The zero name: whoever is named nowhere."


@strawberry.type(description="One thing that a grantee may do with a record now.")
class PermittedAccess:
    granted_to: strawberry.Private[ActorId]
    action: Action
    purpose: Purpose
    consent_id: Hex
    hidden: list[str] = strawberry.field(description="JSON pointers of parts that they are not shown.")
    until: datetime = strawberry.field(description="When the consent ends, unless it is revoked before.")

    @resolved(ANYBODY)
    async def grantee(self, info: Info) -> Actor:
        return await known_grantee(info.context, self.granted_to)


@strawberry.type(
    description="A deny that reaches a record, or a part of it. Without actions and purposes: its scope cannot be "
    "opened, and bars everybody."
)
class BarredAccess:
    granted_to: strawberry.Private[ActorId]
    actions: list[Action]
    purposes: list[Purpose]
    consent_id: Hex

    @resolved(ANYBODY)
    async def grantee(self, info: Info) -> Actor:
        return await known_grantee(info.context, self.granted_to)


@strawberry.type(
    description="Who may do what with a record at this moment, decided as if they asked; an organization is its "
    "members. Emergencies go past consents, and have a list of their own. complete: false where a list was cut."
)
class AccessExplanation:
    record_id: strawberry.ID
    permitted: list[PermittedAccess]
    barred: list[BarredAccess]
    complete: bool


@strawberry.type(description="How many of a patient's records a grantee may read for a purpose now.")
class Reach:
    granted_to: strawberry.Private[ActorId]
    purpose: Purpose
    records: int
    redacted: int = strawberry.field(description="How many of them with parts hidden.")
    consent_ids: list[Hex]

    @resolved(ANYBODY)
    async def grantee(self, info: Info) -> Actor:
        return await known_grantee(info.context, self.granted_to)


@strawberry.type(description="records: how many there are that the filter asks for.")
class Outlook:
    records: int
    reaches: list[Reach]
    complete: bool


@strawberry.type(description="How many records a grantee may read for a purpose, without a consent and with it.")
class ConsentEffectOnReading:
    granted_to: strawberry.Private[ActorId]
    purpose: Purpose
    before: int
    after: int

    @resolved(ANYBODY)
    async def grantee(self, info: Info) -> Actor:
        return await known_grantee(info.context, self.granted_to)


@strawberry.type(
    description="What a consent would change if it were in force now; nothing is kept of it. opened, closed: records "
    "that somebody more, or fewer, could read; the newest 100."
)
class ConsentPreview:
    statement: str
    records: int
    effects: list[ConsentEffectOnReading]
    opened: list[strawberry.ID]
    closed: list[strawberry.ID]
    complete: bool


AccessExplanationResult = Annotated[AccessExplanation | Refusal, strawberry.union("AccessExplanationResult")]
OutlookResult = Annotated[Outlook | Refusal, strawberry.union("OutlookResult")]
ConsentPreviewResult = Annotated[ConsentPreview | Refusal, strawberry.union("ConsentPreviewResult")]


async def explain(context: RequestContext, record: strawberry.ID) -> AccessExplanation | Refusal:
    async def steps() -> AccessExplanation:
        asked = record_of(record, field="recordId")
        found = await context.services.explaining.explain(context.signed_in(), asked)
        permitted = [
            PermittedAccess(
                granted_to=one.grantee,
                action=one.action,
                purpose=one.purpose,
                consent_id=Hex(one.consent),
                hidden=list(one.hidden),
                until=moment_of(one.until),
            )
            for one in found.permitted
        ]
        barred = [
            BarredAccess(
                granted_to=one.grantee,
                actions=list(one.actions),
                purposes=list(one.purposes),
                consent_id=Hex(one.consent),
            )
            for one in found.barred
        ]
        return AccessExplanation(
            record_id=_record_id(found.record),
            permitted=permitted[:MOST],
            barred=barred[:MOST],
            complete=len(permitted) <= MOST and len(barred) <= MOST,
        )

    return await outcome(steps())


async def who_can_see(
    context: RequestContext, patient: strawberry.ID, filter: RecordFilterInput | None
) -> Outlook | Refusal:
    async def steps() -> Outlook:
        found = await context.services.explaining.who_can_see(
            context.signed_in(), subject_of(patient), filter=to_filter(filter)
        )
        reaches = [
            Reach(
                granted_to=one.grantee,
                purpose=one.purpose,
                records=one.records,
                redacted=one.redacted,
                consent_ids=[Hex(consent) for consent in one.consents],
            )
            for one in found.reaches
        ]
        return Outlook(records=found.records, reaches=reaches[:MOST], complete=len(reaches) <= MOST)

    return await outcome(steps())


async def preview(context: RequestContext, input: ConsentInput) -> ConsentPreview | Refusal:
    async def steps() -> ConsentPreview:
        found = await context.services.explaining.preview(context.signed_in(), to_consent_input(input))
        effects = [
            ConsentEffectOnReading(granted_to=one.grantee, purpose=one.purpose, before=one.before, after=one.after)
            for one in found.effects
        ]
        return ConsentPreview(
            statement=found.statement,
            records=found.records,
            effects=effects[:MOST],
            opened=[_record_id(one) for one in found.opened],
            closed=[_record_id(one) for one in found.closed],
            complete=len(effects) <= MOST,
        )

    return await outcome(steps())


def _record_id(record: RecordId) -> strawberry.ID:
    return strawberry.ID(to_global("Record", record))
