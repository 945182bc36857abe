"""The yardstick: Strawberry as it is shipped, with the same answers out of memory. No consent, no store, no audit.

`strawberry.asgi.GraphQL` on Starlette, ParserCache and ValidationCache, its own JSON encoder. What it answers was
taken from the gateway once (`BENCH_ANSWERS` names the file), so queries and answers are the same on both sides.
"""

import json
import os
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import strawberry
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.scalars import JSON


@strawberry.enum
class PurposeOfUse(Enum):
    """HL7 v3, as the gateway has it."""

    TREAT = "TREAT"
    ETREAT = "ETREAT"
    HPAYMT = "HPAYMT"
    HOPERAT = "HOPERAT"
    HRESCH = "HRESCH"
    CLINTRCH = "CLINTRCH"
    PATRQT = "PATRQT"
    PUBHLTH = "PUBHLTH"


@strawberry.type
class Anchor:
    status: str


@strawberry.type
class DecisionReceipt:
    decision_id: str
    consent_id: str | None
    purpose: str
    as_of_block: int
    decided_at: str
    obligations: list[str]
    payload: str
    signer: str
    signature: str


@strawberry.type
class Record:
    id: strawberry.ID
    version: int
    resource_type: str
    labels: list[str]
    recorded_at: str
    content: JSON
    content_salt: str | None
    cid: str
    anchor: Anchor
    receipt: DecisionReceipt


@strawberry.type
class Refusal:
    code: str
    message: str


@strawberry.type
class RecordEdge:
    cursor: str
    node: Record


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class RecordConnection:
    edges: list[RecordEdge]
    page_info: PageInfo


RecordResult = Annotated[Record | Refusal, strawberry.union("RecordResult")]


def make_app() -> Starlette:
    """What granian serves (`--factory`)."""
    answers = json.loads(Path(os.environ["BENCH_ANSWERS"]).read_text())
    records = {found["id"]: _record(found) for found in answers["records"]}
    page = _connection(answers["page"])

    @strawberry.type
    class Patient:
        id: strawberry.ID

        @strawberry.field
        async def records(self, purpose: PurposeOfUse, first: int = 50) -> RecordConnection:
            return page

    @strawberry.type
    class Query:
        @strawberry.field
        async def record(self, id: strawberry.ID, purpose: PurposeOfUse) -> RecordResult:
            return records[id]

        @strawberry.field
        async def patient(self, id: strawberry.ID) -> Patient | None:
            return Patient(id=id)

    schema = strawberry.Schema(Query, extensions=[ParserCache, ValidationCache])
    return Starlette(routes=[Route("/graphql", GraphQL[Any, Any](schema))])


def _record(found: dict[str, Any]) -> Record:
    receipt = {_snake(name): value for name, value in found["receipt"].items()}
    rest = {
        _snake(name): value
        for name, value in found.items()
        if name not in ("__typename", "receipt", "anchor", "content", "id")
    }
    return Record(
        id=strawberry.ID(found["id"]),
        content=found["content"],
        anchor=Anchor(status=found["anchor"]["status"]),
        receipt=DecisionReceipt(**receipt),
        **rest,
    )


def _connection(found: dict[str, Any]) -> RecordConnection:
    edges = [RecordEdge(cursor=edge["cursor"], node=_record(edge["node"])) for edge in found["edges"]]
    info = found["pageInfo"]
    return RecordConnection(
        edges=edges, page_info=PageInfo(has_next_page=info["hasNextPage"], end_cursor=info["endCursor"])
    )


def _snake(name: str) -> str:
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name)
