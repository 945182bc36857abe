"""Records as a client meets them. Content passes through as the octets that the decision released; nothing here reads,
filters or redacts it. `Record.resource`, which reads it, is added in `schema.fhir`."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from gateway.consent.model import Purpose
from gateway.errors import CallerError
from gateway.ids import ActorId, RecordId, SubjectId, to_global
from gateway.records import model
from schema.anchors import Anchor, DecisionReceipt, to_anchor, to_receipt
from schema.context import Info, RequestContext
from schema.errors import Refusal
from schema.gates import given, or_empty, outcome, record_of, slice_of, subject_of
from schema.identity import Actor, Patient, known_actor, to_patient
from schema.relay import Node, PageInfo
from schema.scalars import Cid, Hex, Json, to_fragment

LABELS_CEILING = 64
WRITE_PURPOSE = "ETREAT: a write in the asker's open emergency. Otherwise none: it is that of the asker's own work."


@strawberry.type(description="One version of a health record, released to the asker.")
class Record(Node):
    written_by: strawberry.Private[ActorId]
    about: strawberry.Private[SubjectId]
    text: strawberry.Private[bytes]
    version: int
    resource_type: str
    labels: list[str]
    recorded_at: datetime
    content: Json = strawberry.field(description="The FHIR R4 resource, decrypted, after the decision's obligations.")
    content_salt: Hex | None = strawberry.field(
        description="With it the reader checks the anchored content commitment: sha-256(0x01, salt, RFC 8785 form of "
        "content). Null where an obligation removed something."
    )
    cid: Cid = strawberry.field(description="Of the ciphertext on IPFS.")
    anchor: Anchor
    receipt: DecisionReceipt
    read: strawberry.Private[Any] = None
    """The resource by its fields, once somebody asked for them: it is read once, under however many names."""

    @strawberry.field
    def patient(self) -> Patient:
        return to_patient(self.about)

    @strawberry.field
    async def author(self, info: Info) -> Actor:
        return await known_actor(info.context, self.written_by)


@strawberry.type
class RecordEdge:
    cursor: str
    node: Record


@strawberry.type
class RecordConnection:
    edges: list[RecordEdge]
    page_info: PageInfo


@strawberry.input(name="RecordFilter", description="code: system|code. from and to bound the clinical period.")
class RecordFilterInput:
    resource_types: list[str] | None = strawberry.UNSET
    code: str | None = strawberry.UNSET
    start: datetime | None = strawberry.field(name="from", default=strawberry.UNSET)
    end: datetime | None = strawberry.field(name="to", default=strawberry.UNSET)
    labels: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="HL7 sensitivity labels: records that bear one of them."
    )


@strawberry.type(description="What the author gets back: no content.")
class StoredRecord:
    id: strawberry.ID
    version: int
    cid: Cid
    anchor: Anchor


@strawberry.type
class ImportedBundle:
    records: list[StoredRecord]


@strawberry.input(
    description="Keys are scoped to the actor: the same key and content answers alike, the same key and other content "
    "is a CONFLICT."
)
class CreateRecordInput:
    patient_id: strawberry.ID
    resource: Json
    labels: list[str] | None = strawberry.UNSET
    idempotency_key: str | None = strawberry.UNSET
    purpose: Purpose | None = strawberry.field(default=strawberry.UNSET, description=WRITE_PURPOSE)


@strawberry.input(description="labels: null keeps them; others than the patient may only add.")
class AmendRecordInput:
    record_id: strawberry.ID
    expected_version: int
    resource: Json
    labels: list[str] | None = strawberry.UNSET
    idempotency_key: str | None = strawberry.UNSET
    purpose: Purpose | None = strawberry.field(default=strawberry.UNSET, description=WRITE_PURPOSE)


@strawberry.input
class ImportBundleInput:
    patient_id: strawberry.ID
    bundle: Json
    idempotency_key: str | None = strawberry.UNSET
    purpose: Purpose | None = strawberry.field(default=strawberry.UNSET, description=WRITE_PURPOSE)


RecordResult = Annotated[Record | Refusal, strawberry.union("RecordResult")]
CreateRecordResult = Annotated[StoredRecord | Refusal, strawberry.union("CreateRecordResult")]
ImportBundleResult = Annotated[ImportedBundle | Refusal, strawberry.union("ImportBundleResult")]


def to_record(released: model.Released) -> Record:
    return Record(
        id=strawberry.ID(to_global("Record", released.record)),
        written_by=released.author,
        about=released.subject,
        text=released.content,
        version=released.version,
        resource_type=released.resource_type,
        labels=list(released.labels),
        recorded_at=released.recorded_at,
        content=to_fragment(released.content),
        content_salt=Hex(released.content_salt) if released.content_salt is not None else None,
        cid=Cid(released.cid),
        anchor=to_anchor(released.anchor),
        receipt=to_receipt(released.receipt),
    )


def to_stored(stored: model.StoredRecord) -> StoredRecord:
    return StoredRecord(
        id=strawberry.ID(to_global("Record", stored.record)),
        version=stored.version,
        cid=Cid(stored.cid),
        anchor=to_anchor(stored.anchor),
    )


async def read_record(context: RequestContext, record: RecordId, *, purpose: Purpose) -> Record:
    """Raises what the service raises."""
    return to_record(await context.services.records.read(context.bearing(), record, purpose=purpose))


async def record_result(context: RequestContext, id: strawberry.ID, *, purpose: Purpose) -> Record | Refusal:
    async def steps() -> Record:
        return await read_record(context, record_of(id, field="id"), purpose=purpose)

    return await outcome(steps())


async def records_of(
    context: RequestContext,
    subject: SubjectId,
    *,
    purpose: Purpose,
    filter: RecordFilterInput | None,
    order: model.RecordOrder,
    first: int,
    after: str | None,
    last: int | None,
    before: str | None,
) -> RecordConnection:
    async def steps() -> RecordConnection:
        page = await context.services.records.page(
            context.bearing(),
            subject,
            purpose=purpose,
            filter=to_filter(filter),
            order=order,
            part=slice_of(first, after, last, before),
        )
        edges = [
            RecordEdge(cursor=place, node=to_record(item)) for item, place in zip(page.items, page.cursors, strict=True)
        ]
        info = PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=page.cursors[0] if edges else None,
            end_cursor=page.cursors[-1] if edges else None,
        )
        return RecordConnection(edges=edges, page_info=info)

    return await or_empty(steps(), RecordConnection(edges=[], page_info=PageInfo(has_next_page=False)))


def to_filter(filter: RecordFilterInput | None) -> model.RecordFilter:
    if filter is None:
        return model.RecordFilter()
    return model.RecordFilter(
        resource_types=tuple(filter.resource_types or ()),
        code=filter.code or None,
        labels=_wanted_labels(filter.labels),
        start=filter.start or None,
        end=filter.end or None,
    )


def _wanted_labels(labels: list[str] | None) -> frozenset[str]:
    """Null and none given: whatever they are. An empty list asks for any of nothing."""
    wanted = _labels(labels, field=("filter", "labels"))
    if wanted == ():
        raise CallerError("name at least one label, or leave them out", field=("filter", "labels"))
    return frozenset(wanted or ())


async def create(context: RequestContext, input: CreateRecordInput) -> StoredRecord | Refusal:
    async def steps() -> StoredRecord:
        made = model.NewRecord(
            subject=subject_of(input.patient_id),
            resource=input.resource,
            labels=_labels(input.labels),
            idempotency_key=_idempotency_key(input.idempotency_key),
            purpose=given(input.purpose),
        )
        return to_stored(await context.services.records.create(context.bearing(), made))

    return await outcome(steps())


async def amend(context: RequestContext, input: AmendRecordInput) -> StoredRecord | Refusal:
    async def steps() -> StoredRecord:
        made = model.Amendment(
            record=record_of(input.record_id, field="recordId"),
            expected_version=input.expected_version,
            resource=input.resource,
            labels=_labels(input.labels),
            idempotency_key=_idempotency_key(input.idempotency_key),
            purpose=given(input.purpose),
        )
        return to_stored(await context.services.records.amend(context.bearing(), made))

    return await outcome(steps())


async def import_bundle(context: RequestContext, input: ImportBundleInput) -> ImportedBundle | Refusal:
    async def steps() -> ImportedBundle:
        made = model.NewBundle(
            subject=subject_of(input.patient_id),
            bundle=input.bundle,
            idempotency_key=_idempotency_key(input.idempotency_key),
            purpose=given(input.purpose),
        )
        stored = await context.services.records.import_bundle(context.bearing(), made)
        return ImportedBundle(records=[to_stored(one) for one in stored])

    return await outcome(steps())


def _labels(labels: list[str] | None, *, field: tuple[str, ...] = ("labels",)) -> tuple[str, ...] | None:
    if labels is None or labels is strawberry.UNSET:
        return None
    if len(labels) > LABELS_CEILING:
        raise CallerError(f"at most {LABELS_CEILING} labels", field=field)
    return tuple(labels)


def _idempotency_key(key: str | None) -> str | None:
    """Absent and null are no key; an empty one is a mistake that would join unrelated writes."""
    if key is None or key is strawberry.UNSET:
        return None
    if not 1 <= len(key) <= 200:
        raise CallerError("an idempotency key has 1 to 200 characters", field=("idempotencyKey",))
    return key
