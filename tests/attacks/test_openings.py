"""Nobody gets more decrypted by one request than its published limits say, whatever names and shapes they ask under.

A whole gateway behind its front door. What is too much by its shape is refused before one block is looked at; what is
too much in truth, before it leaves. `CONSENTRY_MAX_ANSWER_MIB` is 1 here, so that little is much.
"""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from gateway import jsontext
from gateway.asgi import create_app
from gateway.identity.model import Role
from gateway.ids import RecordId, SubjectId, to_global
from tests.attacks.inside import Inside, Somebody, inside
from tests.journeys.resources import observation

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

RECORDS = 4
KIB = 1024


@dataclass(slots=True, kw_only=True)
class World:
    at: Inside
    client: httpx.AsyncClient
    patient: Somebody
    subject: SubjectId
    records: list[RecordId]
    blocks: Counter[str]

    async def ask(self, query: str, **variables: Any) -> Any:
        """The whole answer, as JSON."""
        named = {"authorization": f"Bearer {self.patient.token}", "content-type": "application/json"}
        body = jsontext.dumps({"query": query, "variables": variables})
        self.blocks.clear()
        answer = await self.client.post("/graphql", content=body, headers=named)
        assert len(answer.content) < 1100 * KIB
        return jsontext.loads(answer.content)

    def fill(self, template: str) -> str:
        """With the ids of the patient and of the first record."""
        filled = template.replace("PATIENT", f'"{to_global("Patient", self.subject)}"')
        return filled.replace("RECORD", f'"{to_global("Record", self.records[0])}"')


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("opened")
    async with inside(folder, request_rate=0.0, validators=1, max_answer_mib=1) as at:
        patient = await at.person(Role.PATIENT)
        subject = await at.patient(patient)
        large = {**observation(), "note": [{"text": "x" * (300 * KIB)}]}
        records = [await at.store(patient, subject, large) for _ in range(RECORDS)]
        many = {**observation(), "note": [{"text": "x"}] * 2_000}
        records.append(await at.store(patient, subject, many))
        app: Any = create_app(at.gateway)
        blocks: Counter[str] = Counter()
        at.gateway.blocks._store = _Looked(at.gateway.blocks._store, blocks)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1:8000") as to:
            yield World(at=at, client=to, patient=patient, subject=subject, records=records, blocks=blocks)


class _Looked:
    """A block store as it is; what is asked of it is counted."""

    def __init__(self, honest: Any, counts: Counter[str]) -> None:
        self._honest = honest
        self._counts = counts

    def __getattr__(self, name: str) -> Any:
        if name in ("get", "get_now"):
            self._counts[name] += 1
        return getattr(self._honest, name)


def many(count: int, field: str) -> str:
    return " ".join(f"a{at}: {field}" for at in range(count))


def in_fragments(count: int, each: int, field: str, on: str) -> str:
    """`count` fragments, each with the field under `each` names: what one selection may not hold, many do."""
    parts = "".join(
        f" fragment F{part} on {on} {{ " + " ".join(f"a{part}x{at}: {field}" for at in range(each)) + " }"
        for part in range(count)
    )
    return "{ " + " ".join(f"...F{part}" for part in range(count)) + " }" + parts


PAGE = "{ edges { node { id } } }"
TOO_MANY = {
    "aliased pages": f"{{ patient(id: PATIENT) {{ {many(20, 'records(first: 100) ' + PAGE)} }} }}",
    "aliased pages of nothing selected": "{ patient(id: PATIENT) { "
    + many(20, "records(first: 100) { pageInfo { hasNextPage } }")
    + " } }",
    "aliased timelines": f"{{ patient(id: PATIENT) {{ {many(20, 'timeline(first: 30) ' + PAGE)} }} }}",
    "aliased latest": f"{{ patient(id: PATIENT) {{ {many(20, 'latest(last: 30) ' + PAGE)} }} }}",
    "aliased outlooks": f"{{ {many(11, 'whoCanSee(patientId: PATIENT) { __typename }')} }}",
    "aliased patients with pages": f"{{ {many(11, 'patient(id: PATIENT) { records(first: 100) ' + PAGE + ' }')} }}",
    "pages in pages": "{ patient(id: PATIENT) { records(first: 10) { edges { node { patient { records(first: 100) "
    + PAGE
    + " } } } } } }",
    "pages under a record": "{ record(id: RECORD) { ... on Record { patient { "
    + many(11, "records(first: 100) " + PAGE)
    + " } } } }",
    "pages in fragments": in_fragments(5, 4, f"patient(id: PATIENT) {{ records(first: 60) {PAGE} }}", "Query"),
}


@pytest.mark.parametrize("name", TOO_MANY)
async def test_what_would_open_too_many_records_is_refused_before_one_is_looked_at(world: World, name: str) -> None:
    answer = await world.ask(world.fill(TOO_MANY[name]))
    assert [one["extensions"]["code"] for one in answer["errors"]] == ["LIMIT"]
    assert "records at most, the limit is 1000" in answer["errors"][0]["message"]
    assert "data" not in answer
    assert not world.blocks


async def test_a_page_size_in_a_variable_hides_nothing(world: World) -> None:
    query = world.fill(f"query($n: Int!) {{ patient(id: PATIENT) {{ {many(20, 'records(first: $n) ' + PAGE)} }} }}")
    assert (await world.ask(query, n=100))["errors"][0]["extensions"]["code"] == "LIMIT"
    assert not world.blocks


async def test_records_of_more_octets_than_an_answer_has_are_not_released_together(world: World) -> None:
    query = world.fill("{ patient(id: PATIENT) { records(first: 4) { edges { node { content } } } } }")
    answer = await world.ask(query)
    assert answer["errors"][0]["extensions"]["code"] == "LIMIT"
    assert answer["data"]["patient"] is None
    fewer = await world.ask(query.replace("first: 4", "first: 2"))
    assert "errors" not in fewer
    assert len(fewer["data"]["patient"]["records"]["edges"]) == 2


REPEATED = {
    "content": "content",
    "a text of it": "resource { ... on FhirObservation { note { text } } }",
}


@pytest.mark.parametrize("name", REPEATED)
async def test_one_field_under_many_names_does_not_multiply_what_was_opened(world: World, name: str) -> None:
    once = await world.ask(world.fill(f"{{ record(id: RECORD) {{ ... on Record {{ {many(3, REPEATED[name])} }} }} }}"))
    assert "errors" not in once
    answer = await world.ask(
        world.fill(f"{{ record(id: RECORD) {{ ... on Record {{ {many(20, REPEATED[name])} }} }} }}")
    )
    assert answer == {
        "data": None,
        "errors": [{"message": "an answer has at most 1 MiB", "extensions": {"code": "LIMIT"}}],
    }


async def test_one_record_under_many_names_counts_each_time(world: World) -> None:
    answer = await world.ask(world.fill(f"{{ {many(20, 'record(id: RECORD) { ... on Refusal { code } }')} }}"))
    refused = [one for one in answer["data"].values() if one.get("code") == "LIMIT"]
    assert len(refused) == 20 - 3


async def test_a_node_past_the_allowance_is_an_error_and_no_null(world: World) -> None:
    answer = await world.ask(world.fill(f"{{ {many(20, 'node(id: RECORD) { id }')} }}"))
    assert {one["extensions"]["code"] for one in answer["errors"]} == {"LIMIT"}
    assert sum(one is None for one in answer["data"].values()) == len(answer["errors"]) == 20 - 3


async def test_a_long_list_under_many_names_is_walked_so_far_only(world: World) -> None:
    notes = "resource { ... on FhirObservation { " + many(26, "note { text }") + " } }"
    named = to_global("Record", world.records[-1])
    long = f'{{ record(id: "{named}") {{ ... on Record {{ {notes} }} }} }}'
    answer = await world.ask(long)
    assert "more than 50000 items" in answer["errors"][0]["message"]
    assert answer["errors"][0]["extensions"]["code"] == "LIMIT"
    assert answer["data"]["record"]["resource"] is None
    fewer = await world.ask(long.replace("a25: note { text }", ""))
    assert "errors" not in fewer
    assert len(fewer["data"]["record"]["resource"]["a0"]) == 2_000


async def test_the_allowance_is_the_requests_own(world: World) -> None:
    """What one request used up is not another's."""
    query = world.fill("{ record(id: RECORD) { ... on Record { id } ... on Refusal { code } } }")
    for _ in range(6):
        assert "id" in (await world.ask(query))["data"]["record"]
