"""A patient's own access log. Others get an empty page, like for a patient that does not exist."""

from datetime import datetime

import strawberry

from gateway.audit import model
from gateway.audit.model import Outcome
from gateway.consent.model import Basis, Purpose
from gateway.ids import SubjectId, to_global
from gateway.slices import Slice
from schema.anchors import Anchor, to_anchor
from schema.context import Info, RequestContext
from schema.fields import resolved
from schema.gates import actor_of, given, or_empty, record_of
from schema.identity import Actor, to_actor
from schema.relay import Node, PageInfo
from schema.renderings import dataset_of_event, event_as_fhir, record_of_event
from schema.scalars import Hex, Json


@strawberry.type(description="One decision about a patient's data, permitted or denied.")
class AccessEvent(Node):
    event: strawberry.Private[model.AccessEvent]
    at: datetime
    action: str
    purpose: Purpose | None
    outcome: Outcome
    record_id: strawberry.ID | None
    decision_id: strawberry.ID
    anchor: Anchor
    basis: Basis | None
    emergency_id: strawberry.ID | None = strawberry.field(description="The emergency that this was done under.")
    dataset_id: strawberry.ID | None = strawberry.field(
        description="Of RELEASE the de-identified dataset that used the patient's records, of WITHDRAW_FROM_RELEASE "
        "the one whose recipient was told to remove them."
    )

    @resolved("As a FHIR R4 AuditEvent, in the shape of IHE's Basic Audit Log Patterns.")
    def as_fhir(self) -> Json:
        return Json(event_as_fhir(self.event))

    @resolved("Null where nobody was signed in, or the actor is no longer known.")
    async def actor(self, info: Info) -> Actor | None:
        asker = self.event.actor
        found = None if asker is None else await info.context.actors.get(asker)
        return None if found is None else to_actor(found)


@strawberry.type
class AccessEventEdge:
    cursor: str
    node: AccessEvent


@strawberry.type
class AccessEventConnection:
    edges: list[AccessEventEdge]
    page_info: PageInfo


def to_event(event: model.AccessEvent) -> AccessEvent:
    record, dataset = record_of_event(event), dataset_of_event(event)
    return AccessEvent(
        id=strawberry.ID(to_global("AccessEvent", event.decision)),
        event=event,
        at=event.at,
        action=event.action,
        purpose=Purpose(event.purpose) if event.purpose is not None else None,
        outcome=event.outcome,
        record_id=strawberry.ID(to_global("Record", record)) if record is not None else None,
        decision_id=strawberry.ID(to_global("Decision", event.decision)),
        anchor=to_anchor(event.anchor),
        basis=Basis(event.basis) if event.basis is not None else None,
        emergency_id=strawberry.ID(to_global("Emergency", event.emergency)) if event.emergency is not None else None,
        dataset_id=strawberry.ID(to_global("Dataset", dataset)) if dataset is not None else None,
    )


@strawberry.type(
    description="The audit entry of a decision as it was hashed, its parts sealed: with it and its anchor's proof, a "
    "receipt's entry is checked without the gateway. By decisionId, for whoever got the receipt and for the patient."
)
class AuditEntry(Node):
    writer: Hex
    seq: int
    decision: Hex
    previous: Hex = strawberry.field(description="The hash of the entry before it.")
    public: Hex = strawberry.field(description="Sealed under the gateway's log key.")
    private: Hex = strawberry.field(description="Sealed under the patient's audit key.")
    subject_token: Hex
    receipt_digest: Hex = strawberry.field(description="SHA-256 of the receipt's payload.")
    anchor: Anchor


def to_entry(found: model.SealedEntry) -> AuditEntry:
    stored = found.entry
    return AuditEntry(
        id=strawberry.ID(to_global("Decision", stored.decision)),
        writer=Hex(stored.writer),
        seq=stored.seq,
        decision=Hex(stored.decision),
        previous=Hex(stored.previous),
        public=Hex(stored.public),
        private=Hex(stored.private),
        subject_token=Hex(stored.subject_token),
        receipt_digest=Hex(stored.receipt_digest),
        anchor=to_anchor(found.anchor),
    )


@strawberry.input(
    name="AccessFilter",
    description="Of the access log; what is not given is not asked for. from and to bound the time, both included. "
    "Entries are sealed and opened one by one: a page may have a next one and hold fewer than asked for, or none.",
)
class AccessFilterInput:
    outcome: Outcome | None = strawberry.UNSET
    actor_id: strawberry.ID | None = strawberry.UNSET
    record_id: strawberry.ID | None = strawberry.UNSET
    actions: list[str] | None = strawberry.UNSET
    purpose: Purpose | None = strawberry.UNSET
    start: datetime | None = strawberry.field(name="from", default=strawberry.UNSET)
    end: datetime | None = strawberry.field(name="to", default=strawberry.UNSET)


def _to_filter(filter: AccessFilterInput | None) -> model.AccessFilter:
    if filter is None:
        return model.EVERYTHING
    return model.AccessFilter(
        outcome=filter.outcome or None,
        actor=actor_of(filter.actor_id, field="actorId") if filter.actor_id else None,
        record=record_of(filter.record_id, field="recordId") if filter.record_id else None,
        actions=frozenset(filter.actions or ()),
        purpose=filter.purpose.value if filter.purpose else None,
        start=filter.start or None,
        end=filter.end or None,
    )


async def access_log_of(
    context: RequestContext,
    subject: SubjectId,
    *,
    filter: AccessFilterInput | None,
    part: Slice,
) -> AccessEventConnection:
    async def steps() -> AccessEventConnection:
        page = await context.services.audit.access_log(
            context.signed_in(), subject, part=part, wanted=_to_filter(given(filter))
        )
        edges = [AccessEventEdge(cursor=event.cursor, node=to_event(event)) for event in page.events]
        info = PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=page.start,
            end_cursor=page.end,
        )
        return AccessEventConnection(edges=edges, page_info=info)

    return await or_empty(steps(), AccessEventConnection(edges=[], page_info=PageInfo(has_next_page=False)))
