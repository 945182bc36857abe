"""graphql-transport-ws as its protocol text says, and who may open a socket."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from gateway.asgi import FrontDoor
from gateway.consent.model import Purpose
from gateway.errors import UpstreamError
from gateway.ids import to_global
from tests.unit.gateway.web.conftest import Parts
from tests.unit.schema.services import CANARY, PATIENT, STRANGER_PATIENT, make_released, make_view

ADDED = "subscription($id: ID!) { recordAdded(patientId: $id) { resourceType content } }"
CONTENT = {"resourceType": "Observation", "valueQuantity": {"value": 1.1}}
ITEM = {"recordAdded": {"resourceType": "Observation", "content": CONTENT}}


class Socket:
    """A client on the other side of ASGI."""

    def __init__(
        self,
        door: FrontDoor,
        *,
        origin: str | None = None,
        protocols: tuple[str, ...] = ("graphql-transport-ws",),
        **headers: str,
    ) -> None:
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        listed = [(b"host", b"gateway"), *((name.encode(), value.encode()) for name, value in headers.items())]
        if origin is not None:
            listed.append((b"origin", origin.encode()))
        scope = {"type": "websocket", "path": "/graphql", "headers": listed, "subprotocols": list(protocols)}
        self.inbox.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(door(scope, self.inbox.get, self.outbox.put))

    async def hear(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.outbox.get(), 2)

    async def message(self) -> dict[str, Any]:
        heard = await self.hear()
        assert heard["type"] == "websocket.send", heard
        return orjson.loads(heard["text"])

    def say(self, text: str | bytes | dict[str, Any]) -> None:
        if isinstance(text, bytes):
            self.inbox.put_nowait({"type": "websocket.receive", "bytes": text})
            return
        spoken = text if isinstance(text, str) else orjson.dumps(text).decode()
        self.inbox.put_nowait({"type": "websocket.receive", "text": spoken})

    async def open(self, **payload: Any) -> "Socket":
        assert await self.hear() == {"type": "websocket.accept", "subprotocol": "graphql-transport-ws"}
        self.say({"type": "connection_init", **({"payload": payload} if payload else {})})
        assert await self.message() == {"type": "connection_ack"}
        return self

    async def leave(self) -> None:
        self.inbox.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(self.task, 2)


CLINICIAN = {"authorization": "Bearer clinician"}


async def test_items_arrive_until_the_source_ends(build: Callable[..., FrontDoor], parts: Parts) -> None:
    socket = await Socket(build()).open(**CLINICIAN)
    ask(socket, id="a")
    parts.world.events.put_nowait(make_released(Purpose.TREAT))
    assert await socket.message() == {"id": "a", "type": "next", "payload": {"data": ITEM}}
    parts.world.events.put_nowait(None)
    assert await socket.message() == {"id": "a", "type": "complete"}
    await socket.leave()


def ask(socket: Socket, patient: bytes = PATIENT, *, id: str = "1", query: str = ADDED) -> None:
    variables = {"id": to_global("Patient", patient)}
    socket.say({"id": id, "type": "subscribe", "payload": {"query": query, "variables": variables}})


async def test_answers_are_text_frames_with_numbers_as_released(build: Callable[..., FrontDoor], parts: Parts) -> None:
    socket = await Socket(build()).open(**CLINICIAN)
    ask(socket)
    parts.world.events.put_nowait(make_released(Purpose.TREAT))
    frame = await socket.hear()
    assert '"value":1.10' in frame["text"]
    await socket.leave()


@pytest.mark.parametrize(("payload", "patient"), [(CLINICIAN, STRANGER_PATIENT), ({}, PATIENT)])
async def test_what_is_refused_completes_without_an_item(
    build: Callable[..., FrontDoor], payload: dict[str, str], patient: bytes
) -> None:
    socket = await Socket(build()).open(**payload)
    ask(socket, patient)
    assert await socket.message() == {"id": "1", "type": "complete"}
    await socket.leave()


async def test_wrong_id_completes_without_an_item(build: Callable[..., FrontDoor]) -> None:
    socket = await Socket(build()).open(**CLINICIAN)
    socket.say({"id": "1", "type": "subscribe", "payload": {"query": ADDED, "variables": {"id": "nonsense"}}})
    assert await socket.message() == {"id": "1", "type": "complete"}
    await socket.leave()


async def test_signing_out_ends_a_living_subscription(build: Callable[..., FrontDoor], parts: Parts) -> None:
    socket = await Socket(build()).open(**CLINICIAN)
    ask(socket)
    parts.world.events.put_nowait(make_released(Purpose.TREAT))
    assert (await socket.message())["type"] == "next"
    parts.world.signed_out.add("clinician")
    parts.world.events.put_nowait(make_released(Purpose.TREAT))
    assert await socket.message() == {"id": "1", "type": "complete"}
    await socket.leave()


async def test_consent_changes_reach_their_patient(build: Callable[..., FrontDoor], parts: Parts) -> None:
    socket = await Socket(build(), authorization="Bearer patient").open()
    ask(socket, query="subscription($id: ID!) { consentChanged(patientId: $id) { status } }")
    parts.world.events.put_nowait(make_view())
    assert (await socket.message())["payload"] == {"data": {"consentChanged": {"status": "ACTIVE"}}}
    await socket.leave()


async def test_failing_source_is_masked(build: Callable[..., FrontDoor], parts: Parts) -> None:
    socket = await Socket(build()).open(**CLINICIAN)
    parts.world.fail = UpstreamError(CANARY)
    ask(socket)
    heard = await socket.message()
    assert CANARY not in str(heard)
    assert "UNAVAILABLE" in str(heard)
    await socket.leave()


async def test_unexpectedly_failing_source_is_masked(build: Callable[..., FrontDoor], parts: Parts) -> None:
    socket = await Socket(build()).open(**CLINICIAN)
    parts.world.fail = RuntimeError(CANARY)
    ask(socket)
    heard = await socket.message()
    assert CANARY not in str(heard)
    assert "internal error" in str(heard)
    await socket.leave()


async def test_queries_are_answered_once_and_completed(build: Callable[..., FrontDoor]) -> None:
    socket = await Socket(build()).open(**CLINICIAN)
    socket.say({"id": "q", "type": "subscribe", "payload": {"query": "{ viewer { name } }"}})
    assert await socket.message() == {"id": "q", "type": "next", "payload": {"data": {"viewer": {"name": "Dr. Ada"}}}}
    assert await socket.message() == {"id": "q", "type": "complete"}
    await socket.leave()


@pytest.mark.parametrize("query", ["{ nothing }", "{", "{a" * 50 + "}" * 50])
async def test_wrong_document_is_an_error_message(build: Callable[..., FrontDoor], query: str) -> None:
    socket = await Socket(build()).open()
    socket.say({"id": "q", "type": "subscribe", "payload": {"query": query}})
    heard = await socket.message()
    assert (heard["type"], heard["id"]) == ("error", "q")
    assert heard["payload"][0]["message"]
    await socket.leave()


async def test_completed_operation_stops_its_source(build: Callable[..., FrontDoor], parts: Parts) -> None:
    socket = await Socket(build()).open(**CLINICIAN)
    ask(socket)
    await asyncio.sleep(0.01)
    socket.say({"id": "1", "type": "complete"})
    socket.say({"type": "ping"})
    assert await socket.message() == {"type": "pong"}
    parts.world.events.put_nowait(make_released(Purpose.TREAT))
    await asyncio.sleep(0.01)
    assert socket.outbox.empty()
    await socket.leave()


async def test_leaving_ends_every_operation(build: Callable[..., FrontDoor]) -> None:
    socket = await Socket(build()).open(**CLINICIAN)
    for number in range(5):
        ask(socket, id=str(number))
    await asyncio.sleep(0.1)
    before = len(asyncio.all_tasks())
    await socket.leave()
    assert len(asyncio.all_tasks()) <= before - 5


CLOSES: list[tuple[list[Any], int]] = [
    (["not json"], 4400),
    (["[]"], 4400),
    ([b"{}"], 4400),
    (['{"type": "unknown"}'], 4400),
    (['{"type": ["x"]}'], 4400),
    (["{}"], 4400),
    (['{"type": "connection_init", "type": "ping"}'], 4400),
    (["[" * 100_000], 4400),
    (["x" * 2_000_000], 1009),
    ([{"type": "connection_init", "payload": []}], 4400),
    ([{"type": "connection_init", "payload": {"authorization": "Bearer wrong"}}], 4403),
    ([{"type": "connection_init", "payload": {"authorization": 5}}], 4403),
    ([{"id": "1", "type": "subscribe", "payload": {"query": "{ __typename }"}}], 4401),
]


@pytest.mark.parametrize(("said", "code"), CLOSES, ids=range(len(CLOSES)))
async def test_breach_of_protocol_closes_the_socket(
    build: Callable[..., FrontDoor], said: list[Any], code: int
) -> None:
    socket = Socket(build())
    await socket.hear()
    for text in said:
        socket.say(text)
    heard = await socket.hear()
    assert (heard["type"], heard["code"]) == ("websocket.close", code)
    await asyncio.wait_for(socket.task, 2)


AFTER_OPEN: list[tuple[list[Any], int]] = [
    ([{"type": "connection_init"}], 4429),
    ([{"id": "1", "type": "subscribe", "payload": None}], 4400),
    ([{"id": 1, "type": "subscribe", "payload": {}}], 4400),
    ([{"id": "", "type": "subscribe", "payload": {}}], 4400),
    ([{"id": {}, "type": "complete"}], 4400),
]


@pytest.mark.parametrize(("said", "code"), AFTER_OPEN, ids=range(len(AFTER_OPEN)))
async def test_breach_after_opening_closes_the_socket(
    build: Callable[..., FrontDoor], said: list[Any], code: int
) -> None:
    socket = await Socket(build()).open()
    for text in said:
        socket.say(text)
    assert (await socket.hear())["code"] == code


async def test_second_subscriber_of_an_id_closes_the_socket(build: Callable[..., FrontDoor]) -> None:
    socket = await Socket(build()).open(**CLINICIAN)
    ask(socket)
    ask(socket)
    assert (await socket.hear())["code"] == 4409


async def test_operations_of_a_socket_are_bounded(build: Callable[..., FrontDoor]) -> None:
    socket = await Socket(build(socket_operations=2)).open(**CLINICIAN)
    for number in range(3):
        ask(socket, id=str(number))
    heard = await socket.message()
    assert (heard["type"], heard["id"], heard["payload"][0]["extensions"]["code"]) == ("error", "2", "LIMIT")
    await socket.leave()


async def test_operations_of_an_actor_are_bounded_over_all_their_sockets(build: Callable[..., FrontDoor]) -> None:
    door = build(actor_operations=2)
    sockets = [await Socket(door).open(**CLINICIAN) for _ in range(3)]
    for socket in sockets[:2]:
        ask(socket)
        socket.say({"type": "ping"})
        assert await socket.message() == {"type": "pong"}
    ask(sockets[2])
    heard = await sockets[2].message()
    assert (heard["type"], heard["payload"][0]["extensions"]["code"]) == ("error", "LIMIT")
    other = await Socket(door).open(authorization="Bearer patient")
    ask(other)
    await sockets[0].leave()
    ask(sockets[2], id="again")
    for socket in (sockets[2], other):
        socket.say({"type": "ping"})
        assert await socket.message() == {"type": "pong"}
    for socket in (*sockets[1:], other):
        await socket.leave()


async def test_silence_before_init_closes_the_socket(build: Callable[..., FrontDoor]) -> None:
    socket = Socket(build(socket_init_seconds=0.05))
    await socket.hear()
    assert (await socket.hear())["code"] == 4408


async def test_silence_after_init_does_not(build: Callable[..., FrontDoor]) -> None:
    socket = await Socket(build(socket_init_seconds=0.05)).open()
    await asyncio.sleep(0.1)
    socket.say({"type": "ping"})
    assert await socket.message() == {"type": "pong"}
    await socket.leave()


@pytest.mark.parametrize("protocols", [(), ("graphql-ws",)])
async def test_other_protocols_are_not_spoken(build: Callable[..., FrontDoor], protocols: tuple[str, ...]) -> None:
    socket = Socket(build(), protocols=protocols)
    await socket.hear()
    assert (await socket.hear())["code"] == 4406


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://gateway.evil.example"])
async def test_foreign_origin_is_refused_before_the_socket_opens(build: Callable[..., FrontDoor], origin: str) -> None:
    heard = await Socket(build(), origin=origin).hear()
    assert heard["type"] == "websocket.close"


@pytest.mark.parametrize("origin", ["http://gateway", "https://clinic.example", None])
async def test_own_and_listed_origins_may_open(build: Callable[..., FrontDoor], origin: str | None) -> None:
    heard = await Socket(build(socket_origins=("https://clinic.example",)), origin=origin).hear()
    assert heard["type"] == "websocket.accept"


async def test_a_socket_does_not_outlive_its_session(build: Callable[..., FrontDoor], parts: Parts) -> None:
    socket = await Socket(build(socket_check_seconds=0.05)).open(**CLINICIAN)
    ask(socket)
    await asyncio.sleep(0.12)
    assert socket.outbox.empty()
    parts.world.signed_out.add("clinician")
    closed = await socket.hear()
    while closed["type"] == "websocket.send":
        closed = await socket.hear()
    assert (closed["type"], closed["code"]) == ("websocket.close", 4403)
    await asyncio.wait_for(socket.task, 2)


async def test_one_peer_has_so_many_sockets_and_no_more(build: Callable[..., FrontDoor]) -> None:
    door = build(sockets_each=2)
    held = [await Socket(door).open() for _ in range(2)]
    third = Socket(door)
    assert (await third.hear())["type"] == "websocket.accept"
    assert await third.hear() == {"type": "websocket.close", "code": 1013, "reason": "LIMIT"}
    for socket in held:
        await socket.leave()
    again = await Socket(door).open()
    await again.leave()


async def test_a_strict_door_takes_trusted_documents_alone_over_a_socket(build: Callable[..., FrontDoor]) -> None:
    door = build(trusted_documents={"added": ADDED}, trusted_only=True)
    socket = await Socket(door, authorization="Bearer patient").open()
    variables = {"id": to_global("Patient", PATIENT)}
    socket.say({"id": "1", "type": "subscribe", "payload": {"query": "{ viewer { id } }"}})
    refused = await socket.message()
    assert (refused["type"], refused["payload"][0]["extensions"]["code"]) == ("error", "INVALID")
    socket.say({"id": "2", "type": "subscribe", "payload": {"documentId": "added", "variables": variables}})
    socket.say({"id": "2", "type": "complete"})
    socket.say({"type": "ping"})
    assert await socket.message() == {"type": "pong"}
    await socket.leave()
