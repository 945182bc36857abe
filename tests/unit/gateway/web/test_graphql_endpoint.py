"""POST /graphql: what is refused before anything runs, and how an answer is shaped."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import orjson
import pytest
from structlog.testing import capture_logs

from gateway.asgi import FrontDoor
from gateway.errors import UpstreamError
from gateway.ids import to_global
from tests.unit.gateway.web.conftest import Parts
from tests.unit.schema.services import CANARY, RECORD

JSON = "application/json"
MODERN = "application/graphql-response+json"
VIEWER = {"query": "{ viewer { name } }"}


async def post(client: httpx.AsyncClient, content: bytes | str, **headers: str) -> httpx.Response:
    given = {"content-type": JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await client.post("/graphql", content=content, headers=given)


async def test_query_is_answered_for_the_bearer(client: httpx.AsyncClient) -> None:
    response = await client.post("/graphql", json=VIEWER, headers={"authorization": "Bearer clinician"})
    assert response.status_code == 200
    assert response.json() == {"data": {"viewer": {"name": "Dr. Ada"}}}
    assert response.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize("value", ["clinician", "Basic clinician", "Bearer", "Bearer wrong", "Bearer " + "x" * 600])
async def test_other_authorization_is_like_none(client: httpx.AsyncClient, value: str) -> None:
    response = await client.post("/graphql", json=VIEWER, headers={"authorization": value})
    assert response.json() == {"data": {"viewer": None}}


async def test_security_headers_are_on_every_answer(client: httpx.AsyncClient) -> None:
    for response in [
        await client.post("/graphql", json=VIEWER),
        await client.get("/nowhere"),
        await post(client, "null"),
        await client.get("/health"),
    ]:
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["x-frame-options"] == "DENY"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert len(response.headers["x-correlation-id"]) == 16


BAD_BODIES = [
    b"",
    b"null",
    b'"x"',
    b"1",
    b"true",
    b"{",
    b"{}",
    b'{"query": null}',
    b'{"query": 1}',
    b'{"query": {}}',
    b'{"query": ""}',
    b'{"query": "  "}',
    b'{"query": "{ __typename }", "variables": []}',
    b'{"query": "{ __typename }", "variables": "x"}',
    b'{"query": "{ __typename }", "operationName": 1}',
    b'{"query": "{ __typename }", "extensions": 7}',
    b'{"query": "{ __typename }", "query": "{ a }"}',
    b'{"query": "{ __typename }", "variables": {"a": NaN}}',
    b'{"query": "{ __typename }", "variables": {"a": Infinity}}',
    b'{"query": "\xff"}',
    b"\xef\xbb\xbf{}",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"query": "{ __typename }", "variables": {"a": ' + b"9" * 1_000_000 + b"}}",
    b'{"query": "\\ud800"}',
    b'[{"query": "{ __typename }"}]',
    b'{"query": "query A { __typename } query B { __typename }"}',
    b'{"query": "query A { __typename }", "operationName": "B"}',
    b'{"query": "subscription { recordAdded(patientId: 1) { id } }"}',
    b'{"query": "{ __typename }"}trailing',
]


@pytest.mark.parametrize("media", [JSON, MODERN])
@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
async def test_bad_body_is_a_400_in_the_shape_of_graphql(client: httpx.AsyncClient, body: bytes, media: str) -> None:
    response = await post(client, body, accept=media)
    assert response.status_code == 400
    payload = response.json()
    assert "data" not in payload
    assert payload["errors"][0]["message"]


@pytest.mark.parametrize(
    "type_",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=utf-16",
        "application/json-patch+json",
    ],
)
async def test_types_that_a_foreign_page_may_post_are_refused(
    client: httpx.AsyncClient, parts: Parts, type_: str
) -> None:
    response = await post(client, orjson.dumps(VIEWER), content_type=type_)
    assert response.status_code == 415
    assert parts.world.calls == []


@pytest.mark.parametrize("type_", [JSON, "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'])
async def test_json_in_utf8_is_taken(client: httpx.AsyncClient, type_: str) -> None:
    assert (await post(client, orjson.dumps(VIEWER), content_type=type_)).status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
async def test_compressed_bodies_are_refused(client: httpx.AsyncClient, encoding: str) -> None:
    assert (await post(client, b"\x1f\x8b", content_encoding=encoding)).status_code == 415


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD"])
async def test_other_methods_are_refused(client: httpx.AsyncClient, method: str) -> None:
    response = await client.request(method, "/graphql", params={"query": "{ viewer { name } }"})
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


async def test_body_over_the_ceiling_is_refused_before_it_is_read(build: Callable[..., FrontDoor]) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError("the body was read")

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"content-length", b"50000000")]
    await build()(http_scope(headers), receive, send)
    assert sent[0]["status"] == 413


async def test_body_without_a_length_is_cut_at_the_ceiling(build: Callable[..., FrontDoor]) -> None:
    sent: list[dict[str, Any]] = []
    given = 0

    async def receive() -> dict[str, Any]:
        nonlocal given
        given += 65_536
        return {"type": "http.request", "body": b" " * 65_536, "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    await build(max_body_bytes=1_000_000)(http_scope([(b"content-type", b"application/json")]), receive, send)
    assert sent[0]["status"] == 413
    assert given < 1_200_000


async def test_slow_body_ends_with_408(build: Callable[..., FrontDoor]) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    await build(request_seconds=0.1)(http_scope([(b"content-type", b"application/json")]), receive, send)
    assert sent[0]["status"] == 408


async def test_body_that_ends_too_soon_is_400_where_anybody_still_hears_it(build: Callable[..., FrontDoor]) -> None:
    """A server tells a client's leaving and chunks that are none alike: without an answer of ours it would say 500."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await build()(http_scope([(b"content-type", b"application/json")]), receive, send)
    assert [message.get("status") for message in sent] == [400, None]


def http_scope(headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
    }


MEDIA = [
    (None, JSON),
    ("*/*", JSON),
    ("application/*", JSON),
    (JSON, JSON),
    (MODERN, MODERN),
    (f"{MODERN}, {JSON}", MODERN),
    (f"{MODERN};q=0.5, {JSON}", JSON),
    (f"{JSON};q=0.9, {MODERN};q=0.9", MODERN),
    ("text/html, */*;q=0.1", JSON),
]


@pytest.mark.parametrize(("accept", "media"), MEDIA)
async def test_media_type_is_the_one_asked_for(build: Callable[..., FrontDoor], accept: str | None, media: str) -> None:
    headers = {"content-type": JSON, **({"accept": accept} if accept else {})}
    request = httpx.Request("POST", "http://gateway/graphql", content=orjson.dumps(VIEWER), headers=headers)
    response = await httpx.ASGITransport(build()).handle_async_request(request)
    assert response.headers["content-type"] == f"{media}; charset=utf-8"


async def test_client_that_accepts_neither_gets_406(client: httpx.AsyncClient) -> None:
    assert (await post(client, orjson.dumps(VIEWER), accept="text/html")).status_code == 406


@pytest.mark.parametrize(("accept", "status"), [(JSON, 200), (MODERN, 400)])
@pytest.mark.parametrize("query", ["{ nothing }", "{", "query($a: Int!) { viewer { id } }"])
async def test_status_of_what_was_not_executed_follows_the_media_type(
    client: httpx.AsyncClient, query: str, accept: str, status: int
) -> None:
    response = await post(client, orjson.dumps({"query": query}), accept=accept)
    assert response.status_code == status
    assert "data" not in response.json()


async def test_partial_answer_is_a_200_in_either_type(client: httpx.AsyncClient, parts: Parts) -> None:
    parts.world.fail = UpstreamError("host")
    query = "query($id: ID!) { __typename node(id: $id) { id } }"
    body = orjson.dumps({"query": query, "variables": {"id": to_global("Record", RECORD)}})
    response = await post(client, body, accept=MODERN, authorization="Bearer clinician")
    assert response.status_code == 200
    assert response.json()["data"] == {"__typename": "Query", "node": None}


async def test_numbers_keep_their_text_through_the_whole_door(client: httpx.AsyncClient) -> None:
    query = "query($id: ID!) { record(id: $id) { ... on Record { content } } }"
    body = orjson.dumps({"query": query, "variables": {"id": to_global("Record", RECORD)}})
    response = await post(client, body, authorization="Bearer clinician")
    assert b'"value":1.10' in response.content


async def test_no_cross_origin_page_is_let_in_by_default(client: httpx.AsyncClient) -> None:
    response = await client.options("/graphql", headers={"origin": "https://evil.example"})
    assert not [name for name in response.headers if name.startswith("access-control-allow-origin")]


async def test_listed_origin_is_let_in(build: Callable[..., FrontDoor]) -> None:
    door = build(cors_origins=("https://clinic.example",))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://gateway") as client:
        preflight = await client.options("/graphql", headers={"origin": "https://clinic.example"})
        foreign = await client.post("/graphql", json=VIEWER, headers={"origin": "https://evil.example"})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "https://clinic.example"
    assert "access-control-allow-origin" not in foreign.headers


class Buckets:
    """A bus that lets the first `burst` requests of a key through and no more."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    async def allow(self, key: str, *, rate: float, burst: int) -> bool:
        self.counts[key] = self.counts.get(key, 0) + 1
        return self.counts[key] <= burst

    async def publish(self, topic: str, payload: bytes) -> None: ...

    async def subscribe(self, topic: str) -> AsyncIterator[bytes]:
        yield b""

    async def check(self) -> None: ...

    async def close(self) -> None: ...


async def test_rate_is_of_each_actor_and_of_each_peer(build: Callable[..., FrontDoor], parts: Parts) -> None:
    parts.bus = Buckets()  # type: ignore[assignment]
    door = build(rate=1.0, burst=2)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://gateway") as client:
        own = [await client.post("/graphql", json=VIEWER, headers={"authorization": "Bearer clinician"}) for _ in "123"]
        other = await client.post("/graphql", json=VIEWER)
    assert [response.status_code for response in own] == [200, 200, 429]
    assert own[2].json()["errors"][0]["extensions"]["code"] == "LIMIT"
    assert own[2].headers["retry-after"] == "1"
    assert other.status_code == 200


@pytest.mark.parametrize(("failure", "status"), [(UpstreamError(CANARY), 503), (RuntimeError(CANARY), 500)])
async def test_failing_authentication_is_unavailable_not_anonymous(
    build: Callable[..., FrontDoor], parts: Parts, failure: Exception, status: int
) -> None:
    async def fails(token: str | None) -> None:
        raise failure

    parts.world.caller = fails  # type: ignore[method-assign, assignment]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(build()), base_url="http://gateway") as client:
        response = await client.post("/graphql", json=VIEWER, headers={"authorization": "Bearer clinician"})
    assert response.status_code == status
    assert response.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    assert CANARY not in response.text


async def test_access_log_names_the_route_and_nothing_of_the_request(build: Callable[..., FrontDoor]) -> None:
    door = build()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://gateway") as client:
        with capture_logs() as logs:
            await client.post(f"/graphql?x={CANARY}", json={"query": f"{{ {CANARY} }}"}, headers={"x": CANARY})
            await client.get(f"/{CANARY}")
            await client.request(f"X{CANARY}", "/graphql")
    assert [entry["route"] for entry in logs] == ["graphql", "other", "graphql"]
    assert CANARY not in str(logs)


async def test_unexpected_failure_of_the_door_is_masked(client: httpx.AsyncClient, parts: Parts) -> None:
    parts.states = None  # type: ignore[assignment]
    with capture_logs() as logs:
        response = await client.get("/ready")
    assert response.status_code == 500
    assert response.json()["errors"][0]["message"] == "internal error"
    assert logs[0]["type"] == "TypeError"


async def test_long_bodies_that_come_at_once_are_held_up_to_a_sum_and_short_ones_always(
    build: Callable[..., FrontDoor],
) -> None:
    door, ceiling = build(max_body_bytes=200_000), 200_000
    waiting = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b" " * (ceiling - 100)
        await waiting.wait()
        yield b'{"query": "{ __typename }"}'

    headers = {"content-type": "application/json"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://gateway") as client:
        slow = [asyncio.create_task(client.post("/graphql", content=slowly(), headers=headers)) for _ in range(7)]
        done, _ = await asyncio.wait(slow, timeout=2.0, return_when=asyncio.FIRST_COMPLETED)
        refused = [task.result() for task in done]
        assert {one.status_code for one in refused} == {429}
        assert refused[0].json()["errors"][0]["extensions"]["code"] == "LIMIT"
        assert (await client.post("/graphql", json={"query": "{ __typename }"})).status_code == 200
        waiting.set()
        statuses = [(await task).status_code for task in slow]
        assert statuses.count(200) == 2
        assert (await client.post("/graphql", content=slowly(), headers=headers)).status_code == 200
