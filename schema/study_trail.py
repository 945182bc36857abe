"""The journal of a study as its followers read it: each entry with its hash, the one before it and where it stands on
chain. What an entry says of a subject is told to whose role reaches them."""

from enum import StrEnum

import strawberry

from gateway.errors import CallerError
from gateway.ids import StudyId, to_global
from gateway.trials.showing import TrailEntry
from schema.anchors import Anchor, to_anchor
from schema.context import RequestContext
from schema.gates import cursor, page_size
from schema.relay import PageInfo
from schema.scalars import Hex

_DIGITS = 18


@strawberry.enum(description="What an entry of a study's journal is about.")
class StudyEntryKind(StrEnum):
    REGISTRATION = "REGISTRATION"
    DELEGATION = "DELEGATION"
    SITE = "SITE"
    ENROLMENT = "ENROLMENT"
    CAPTURE = "CAPTURE"
    QUERY = "QUERY"
    SIGNATURE = "SIGNATURE"
    STATE = "STATE"
    ALLOCATION = "ALLOCATION"
    ASSIGNMENT = "ASSIGNMENT"
    UNBLINDING = "UNBLINDING"
    RESULTS = "RESULTS"
    RECRUITMENT = "RECRUITMENT"


@strawberry.type(
    description="An entry of a study's journal. Its hash and that of the entry before it are in a leaf on chain, and "
    "outlive an erasure of what it says."
)
class StudyEntry:
    number: int = strawberry.field(description="From 0, without a gap.")
    kind: StudyEntryKind = strawberry.field(description="What it is about.")
    sha256: Hex = strawberry.field(description="Of its text.")
    previous: Hex = strawberry.field(description="SHA-256 of the entry before it; 32 zero octets before the first.")
    text: str | None = strawberry.field(
        description="RFC 8785, to the octet. Null where it was erased, or is about a subject whom no role of the "
        "asker's reaches."
    )
    patient_id: strawberry.ID | None = strawberry.field(
        description="Whom it is about; null where that is nobody, or the text is null."
    )
    anchor: Anchor = strawberry.field(description="Where its leaf is on its way to the chain.")


@strawberry.type(description="An entry, and where it stands in the journal.")
class StudyEntryEdge:
    cursor: str = strawberry.field(description="To go on from.")
    node: StudyEntry = strawberry.field(description="The entry.")


@strawberry.type(description="Entries of a study's journal, the first one first.")
class StudyEntryConnection:
    edges: list[StudyEntryEdge] = strawberry.field(description="The entries of this page.")
    page_info: PageInfo = strawberry.field(description="Where the page ends.")


def connection(entries: tuple[TrailEntry, ...], *, full: bool, begun: bool) -> StudyEntryConnection:
    edges = [StudyEntryEdge(cursor=str(one.entry.number), node=_to_entry(one)) for one in entries]
    info = PageInfo(
        has_next_page=full,
        has_previous_page=begun,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
    return StudyEntryConnection(edges=edges, page_info=info)


def _to_entry(one: TrailEntry) -> StudyEntry:
    entry, told = one.entry, one.octets is not None
    return StudyEntry(
        number=entry.number,
        kind=StudyEntryKind[entry.kind.name],
        sha256=Hex(entry.entry),
        previous=Hex(entry.previous),
        text=None if one.octets is None else one.octets.decode(),
        patient_id=strawberry.ID(to_global("Patient", entry.subject)) if told and entry.subject is not None else None,
        anchor=to_anchor(one.anchor),
    )


async def trail_of(context: RequestContext, study: StudyId, first: int, after: str | None) -> StudyEntryConnection:
    """Raises what the service raises."""
    size, past = page_size(first), _number(cursor(after))
    entries = await context.services.study_showing.trail(context.signed_in(), study, after=past, limit=size)
    context.show(sum(len(one.octets or b"") for one in entries))
    return connection(entries, full=len(entries) == size, begun=past >= 0)


def _number(text: str | None) -> int:
    if text is None:
        return -1
    if not text.isascii() or not text.isdecimal() or len(text) > _DIGITS:
        raise CallerError("not a cursor of this connection", field=("after",))
    return int(text)
