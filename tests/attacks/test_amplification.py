"""One question costs a bounded number of questions to index, blocks and chain, however many records it is about.

True here: everything a page needs is counted at the doors of the adapters, while a whole gateway answers through its
front door; a page of a hundred costs the statements that a page of ten does. `AMPLIFICATION_RECORDS=1000` is the
release form: ten pages of a hundred.
"""

import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import pytest_asyncio

from gateway import jsontext
from gateway.asgi import create_app
from gateway.identity.model import Role
from gateway.ids import SubjectId, to_global
from gateway.records.model import NewBundle
from tests.attacks.inside import Inside, Somebody, inside
from tests.journeys.resources import bundle, observation

RECORDS = int(os.environ.get("AMPLIFICATION_RECORDS", "120"))
PAGE = 100
SETTINGS: dict[str, Any] = {"request_rate": 0.0, "validators": 1, "batch_seconds": 3600.0, "batch_size": 16_384}
"""No batch closes meanwhile: nothing is sent to the chain but for the questions that are counted."""
BUNDLE = 40
QUERY = """query ($id: ID!, $first: Int!, $after: String) { patient(id: $id) { id
  records(purpose: TREAT, first: $first, after: $after) { edges { node { id content
  author { id name } patient { id } anchor { status } receipt { consentId payload } } }
  pageInfo { hasNextPage endCursor } } } }"""
ONE = """query ($id: ID!) { patient(id: $id) { records(purpose: TREAT, first: 1) { edges { node {
  patient { records(purpose: TREAT, first: 50) { edges { node { author { id name } } } } } } } } } }"""

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]


@dataclass(slots=True)
class Counts:
    """What was asked of each adapter since `clear`. `chain`: by method, without what the follower asks by itself."""

    sql: Counter[str] = field(default_factory=Counter)
    blocks: int = 0
    chain: Counter[str] = field(default_factory=Counter)

    def clear(self) -> None:
        self.sql.clear()
        self.blocks = 0
        self.chain.clear()


BY_ITSELF = (" unpinned", " erasures", " uploads")
"""Tables that the gateway looks at twice a second, whoever asks for what."""
WARM, COLD = 1, 3
"""Exchanges with the node: for the subject, and for the caller; and what is compared for a new block, once, by itself.
What the follower asks of blocks is not counted."""
FOLLOWING = frozenset({"eth_getBlockByNumber", "eth_getLogs", "eth_chainId"})


@dataclass(slots=True, kw_only=True)
class World:
    at: Inside
    counts: Counts
    client: httpx.AsyncClient
    reader: Somebody
    subject: SubjectId

    async def ask(self, query: str, **given: Any) -> Any:
        body = jsontext.dumps({"query": query, "variables": {"id": to_global("Patient", self.subject), **given}})
        named = {"authorization": f"Bearer {self.reader.token}", "content-type": "application/json"}
        answer = await self.client.post("/graphql", content=body, headers=named)
        found: Any = jsontext.loads(answer.content)
        assert "errors" not in found, found
        return found["data"]["patient"]

    async def page(self, first: int, after: str | None = None) -> Any:
        self.counts.clear()
        return (await self.ask(QUERY, first=first, after=after))["records"]


def _counting(at: Inside) -> Counts:
    """Wraps what asks: the index's statements, the block store, the chain's client."""
    counts, gateway = Counts(), at.gateway
    index: Any
    client: Any
    index, store, client = gateway.records._reading._index, gateway.blocks._store, gateway.chain.client

    def count_sql(sql: str, *_: object) -> None:
        if not any(table in sql for table in BY_ITSELF):
            counts.sql[sql[:60]] += 1

    def count_block(*_: object) -> None:
        counts.blocks += 1

    def count_calls(requests: Sequence[tuple[str, object]]) -> None:
        """One exchange, however many are in it; those of the follower and the lanes come by themselves."""
        methods = sorted({method for method, _ in requests if method not in FOLLOWING})
        if methods:
            counts.chain[" ".join(methods)] += 1

    index._source = _Counted(index._source, fetch=count_sql)
    gateway.blocks._store = _Counted(store, get=count_block, get_now=count_block)
    client._exchange = _Counted(client, _exchange=count_calls)._exchange
    return counts


class _Counted:
    """An object as it is, with some of its methods counted before they are called."""

    def __init__(self, honest: object, **counts: Callable[..., None]) -> None:
        self._honest = honest
        self._counts = counts

    def __getattr__(self, name: str) -> Any:
        work = getattr(self._honest, name)
        count = self._counts.get(name)
        if count is None:
            return work

        def counted(*given: Any, **named: Any) -> Any:
            count(*given)
            return work(*given, **named)

        return counted


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with inside(tmp_path_factory.mktemp("amplified"), **SETTINGS) as at:
        patient, reader = await at.person(Role.PATIENT), await at.person(Role.CLINICIAN)
        subject = await at.patient(patient)
        caller = await at.caller(patient)
        assert caller is not None
        for start in range(0, RECORDS, BUNDLE):
            told = bundle(*(observation(value=str(number)) for number in range(start, min(start + BUNDLE, RECORDS))))
            await at.gateway.records.import_bundle(
                caller, NewBundle(subject=subject, bundle=told, idempotency_key=None)
            )
        await at.consent(patient, subject, reader.actor)
        counts = _counting(at)
        app: Any = create_app(at.gateway)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            made = World(at=at, counts=counts, client=client, reader=reader, subject=subject)
            await made.page(1)
            yield made


async def test_a_page_costs_as_many_statements_whatever_its_length(world: World) -> None:
    await world.page(10)
    small = Counter(world.counts.sql)
    await world.page(PAGE)
    assert sum(small.values()) <= 12, small
    assert sum(world.counts.sql.values()) <= sum(small.values()) + 1, world.counts.sql - small
    assert max(world.counts.sql.values()) <= 3, world.counts.sql


async def test_a_page_reads_each_block_once_and_one_more(world: World) -> None:
    page = await world.page(PAGE)
    assert len(page["edges"]) == PAGE
    assert world.counts.blocks <= PAGE + 1


async def test_a_page_asks_the_chain_once_at_most_though_nothing_is_kept(world: World) -> None:
    world.at.forget()
    await world.page(PAGE)
    cold = Counter(world.counts.chain)
    await world.page(PAGE)
    assert sum(world.counts.chain.values()) <= WARM, world.counts.chain
    # The subject's state, the proofs of its events and of the caller: not one of them for each record.
    print(f"without anything kept: {dict(cold)}")
    assert sum(cold.values()) <= COLD, cold


async def test_all_pages_read_as_many_blocks_as_there_are_records(world: World) -> None:
    read, statements, after, pages = 0, 0, None, 0
    while True:
        page = await world.page(PAGE, after)
        read, statements, pages = read + world.counts.blocks, statements + sum(world.counts.sql.values()), pages + 1
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert pages == -(-RECORDS // PAGE)
    assert read <= RECORDS + pages
    assert statements <= 12 * pages


async def test_authors_and_patients_of_a_page_are_asked_for_once(world: World) -> None:
    world.at.forget()
    world.counts.clear()
    await world.ask(ONE)
    assert max(world.counts.sql.values()) <= 4, world.counts.sql
