"""Break-glass as its people meet it: the clinician opens and ends, the patient is told and sees all, a second person
reviews. Who may see what is decided by the service, each time anew; nothing here opens what is sealed."""

from datetime import UTC, datetime
from typing import Annotated

import strawberry

from gateway.emergency import model
from gateway.emergency.model import EmergencyCode, EmergencyState, Verdict
from gateway.ids import ActorId, EmergencyId, SubjectId, from_global, to_global
from gateway.slices import Slice
from schema.audit import AccessEvent, to_event
from schema.context import Info, RequestContext
from schema.errors import Refusal
from schema.fields import resolved
from schema.gates import info_of, or_empty, outcome, slice_of, subject_of
from schema.identity import Actor, Patient, known_actor, to_patient
from schema.relay import Node, PageInfo
from schema.scalars import Hex

strawberry.enum(EmergencyCode, name="EmergencyKind", description="Why the glass was broken, in one word.")
strawberry.enum(EmergencyState, description="REVIEWED: closed by a second person.")
strawberry.enum(Verdict, name="EmergencyVerdict")


@strawberry.input
class OpenEmergencyInput:
    patient_id: strawberry.ID
    kind: EmergencyCode
    reason: str = strawberry.field(
        description="In the clinician's own words, 10 to 1000 characters: the patient reads it."
    )
    minutes: int = 60


@strawberry.input
class ReviewEmergencyInput:
    emergency_id: strawberry.ID
    verdict: Verdict
    note: str = strawberry.field(description="10 to 1000 characters: the patient reads it.")


@strawberry.type(description="A second person's word on an emergency access.")
class EmergencyReview:
    by: strawberry.Private[ActorId]
    verdict: Verdict
    note: str
    at: datetime

    @strawberry.field
    async def reviewer(self, info: Info) -> Actor:
        return await known_actor(info.context, self.by)


@strawberry.type(
    description="An emergency access: what its clinician stated, and what came of it. Shown to its patient, its "
    "clinician and its reviewers; to the latter two by an entry in the patient's log."
)
class Emergency(Node):
    about: strawberry.Private[SubjectId]
    opened_by: strawberry.Private[ActorId]
    name: strawberry.Private[EmergencyId]
    kind: EmergencyCode
    reason: str
    state: EmergencyState
    opened_at: datetime
    expires_at: datetime
    ended_at: datetime | None = strawberry.field(description="Where its clinician ended it before its time.")
    review: EmergencyReview | None
    commitment: Hex = strawberry.field(
        description="Its name on chain: sha-256(0x04, salt, statement). Nobody can guess what it commits to."
    )
    salt: Hex
    statement: str = strawberry.field(description="The RFC 8785 text that was committed to.")
    transaction_hash: Hex | None = strawberry.field(description="Null while in force here and not yet on chain.")

    @strawberry.field
    def patient(self) -> Patient:
        return to_patient(self.about)

    @strawberry.field
    async def clinician(self, info: Info) -> Actor:
        return await known_actor(info.context, self.opened_by)

    @resolved("What was asked under it, newest first, at most 500.")
    async def accesses(self, info: Info) -> list[AccessEvent]:
        services = info.context.services
        return [to_event(event) for event in await services.emergencies.accesses(info.context.signed_in(), self.name)]


@strawberry.type
class EmergencyEdge:
    cursor: str
    node: Emergency


@strawberry.type
class EmergencyConnection:
    edges: list[EmergencyEdge]
    page_info: PageInfo


@strawberry.type(
    description="That there is an emergency without a review. Whose it is and why is sealed: see emergency."
)
class UnreviewedEmergency:
    emergency_id: strawberry.ID
    opened_at: datetime
    expires_at: datetime
    overdue: bool = strawberry.field(description="Opened more than a day ago.")


@strawberry.type
class UnreviewedEmergencyEdge:
    cursor: str
    node: UnreviewedEmergency


@strawberry.type
class UnreviewedEmergencyConnection:
    edges: list[UnreviewedEmergencyEdge]
    page_info: PageInfo


EmergencyResult = Annotated[Emergency | Refusal, strawberry.union("EmergencyResult")]
EmergencyReportResult = Annotated[UnreviewedEmergencyConnection | Refusal, strawberry.union("EmergencyReportResult")]


def to_emergency(view: model.EmergencyView) -> Emergency:
    found = view.emergency
    return Emergency(
        id=strawberry.ID(to_global("Emergency", found.id)),
        about=found.opening.subject,
        opened_by=found.opening.clinician,
        name=found.id,
        kind=found.opening.code,
        reason=found.opening.reason,
        state=view.state,
        opened_at=_moment(found.opening.opened_at),
        expires_at=_moment(found.opening.expires_at),
        ended_at=None if found.ending is None else _moment(found.ending.at),
        review=None if found.review is None else _review(found.review),
        commitment=Hex(found.stated.commitment),
        salt=Hex(found.stated.salt),
        statement=found.stated.octets.decode(),
        transaction_hash=None if found.transaction is None else Hex(found.transaction),
    )


def _review(review: model.Review) -> EmergencyReview:
    return EmergencyReview(by=review.reviewer, verdict=review.verdict, note=review.note, at=_moment(review.at))


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def emergency_of(text: strawberry.ID, *, field: str) -> EmergencyId:
    return EmergencyId(from_global("Emergency", text, field=(field,)))


async def open_emergency(context: RequestContext, input: OpenEmergencyInput) -> Emergency | Refusal:
    async def steps() -> Emergency:
        asked = model.NewEmergency(
            subject=subject_of(input.patient_id), code=input.kind, reason=input.reason, minutes=input.minutes
        )
        return to_emergency(await context.services.emergencies.open(context.signed_in(), asked))

    return await outcome(steps())


async def end_emergency(context: RequestContext, id: strawberry.ID) -> Emergency | Refusal:
    async def steps() -> Emergency:
        name = emergency_of(id, field="emergencyId")
        return to_emergency(await context.services.emergencies.end(context.signed_in(), name))

    return await outcome(steps())


async def review_emergency(context: RequestContext, input: ReviewEmergencyInput) -> Emergency | Refusal:
    async def steps() -> Emergency:
        name = emergency_of(input.emergency_id, field="emergencyId")
        reviewed = await context.services.emergencies.review(
            context.signed_in(), name, verdict=input.verdict, note=input.note
        )
        return to_emergency(reviewed)

    return await outcome(steps())


async def emergency_result(context: RequestContext, id: strawberry.ID) -> Emergency | Refusal:
    async def steps() -> Emergency:
        return await read_emergency(context, emergency_of(id, field="id"))

    return await outcome(steps())


async def read_emergency(context: RequestContext, name: EmergencyId) -> Emergency:
    """Raises what the service raises."""
    return to_emergency(await context.services.emergencies.get(context.signed_in(), name))


async def emergencies_of(context: RequestContext, subject: SubjectId, part: Slice) -> EmergencyConnection:
    async def steps() -> EmergencyConnection:
        page = await context.services.emergencies.of_patient(context.signed_in(), subject, part=part)
        edges = [EmergencyEdge(cursor=place, node=to_emergency(view)) for place, view in page.items]
        return EmergencyConnection(edges=edges, page_info=info_of(page, [edge.cursor for edge in edges]))

    return await or_empty(steps(), EmergencyConnection(edges=[], page_info=PageInfo(has_next_page=False)))


async def report(
    context: RequestContext, *, overdue_only: bool, first: int, after: str | None, last: int | None, before: str | None
) -> UnreviewedEmergencyConnection | Refusal:
    async def steps() -> UnreviewedEmergencyConnection:
        part = slice_of(first, after, last, before)
        page = await context.services.emergencies.report(context.signed_in(), overdue_only=overdue_only, part=part)
        edges = [UnreviewedEmergencyEdge(cursor=one.cursor, node=_line(one)) for one in page.items]
        return UnreviewedEmergencyConnection(edges=edges, page_info=info_of(page, [edge.cursor for edge in edges]))

    return await outcome(steps())


def _line(one: model.Summary) -> UnreviewedEmergency:
    return UnreviewedEmergency(
        emergency_id=strawberry.ID(to_global("Emergency", one.id)),
        opened_at=_moment(one.opened_at),
        expires_at=_moment(one.expires_at),
        overdue=one.overdue,
    )
