"""A patient's own access log. Others get an empty page, like for a patient that does not exist."""

from datetime import datetime

import strawberry

from gateway.audit import model
from gateway.audit.model import Outcome
from gateway.consent.model import Purpose
from gateway.ids import ActorId, SubjectId, to_global
from schema.anchors import Anchor, to_anchor
from schema.context import Info, RequestContext
from schema.fields import resolved
from schema.gates import cursor, or_empty, page_size
from schema.identity import Actor, to_actor
from schema.relay import Node, PageInfo


@strawberry.type(description="One decision about a patient's data, permitted or denied.")
class AccessEvent(Node):
    asker: strawberry.Private[ActorId | None]
    at: datetime
    action: str
    purpose: Purpose | None
    outcome: Outcome
    record_id: strawberry.ID | None
    decision_id: strawberry.ID
    anchor: Anchor

    @resolved("Null where nobody was signed in, or the actor is no longer known.")
    async def actor(self, info: Info) -> Actor | None:
        found = None if self.asker is None else await info.context.actors.get(self.asker)
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
    return AccessEvent(
        id=strawberry.ID(to_global("AccessEvent", event.decision)),
        asker=event.actor,
        at=event.at,
        action=event.action,
        purpose=Purpose(event.purpose) if event.purpose is not None else None,
        outcome=event.outcome,
        record_id=strawberry.ID(to_global("Record", event.record)) if event.record is not None else None,
        decision_id=strawberry.ID(to_global("Decision", event.decision)),
        anchor=to_anchor(event.anchor),
    )


async def access_log_of(
    context: RequestContext, subject: SubjectId, *, first: int, after: str | None
) -> AccessEventConnection:
    async def steps() -> AccessEventConnection:
        page = await context.services.audit.access_log(
            context.signed_in(), subject, first=page_size(first), after=cursor(after)
        )
        edges = [AccessEventEdge(cursor=event.cursor, node=to_event(event)) for event in page.events]
        end = edges[-1].cursor if edges else None
        return AccessEventConnection(edges=edges, page_info=PageInfo(has_next_page=page.has_next, end_cursor=end))

    return await or_empty(steps(), AccessEventConnection(edges=[], page_info=PageInfo(has_next_page=False)))
