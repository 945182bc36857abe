"""A study's file at the door: to the octet, packed where that is taken, and never a part for the whole."""

import gzip
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from gateway.asgi import create_app
from gateway.errors import ConsentryError, DeniedError, IntegrityError, UnauthenticatedError, UpstreamError
from gateway.identity.model import Caller
from gateway.ids import StudyId, to_global
from gateway.records.contents import Again
from gateway.trials.trail_file import OpenTrail
from gateway.web.flows import PIECE, gathered, squeezed, takes_gzip
from tests.unit.gateway.web.conftest import Parts
from tests.unit.schema.services import CLINICIAN, DECISION

STUDY = StudyId(b"\x5d" * 32)
WHERE = f"/studies/{to_global('Study', STUDY)}/trail"
SIGNED = {"authorization": "Bearer clinician", "accept-encoding": "identity"}
LINES = [b'{"line":"%d","text":"%s"}\n' % (at, b"x" * 700) for at in range(300)]


@dataclass
class Held:
    """One study's file. `refuses`: what opening it raises; `breaks`: what comes after so many lines."""

    refuses: ConsentryError | None = None
    breaks: tuple[int, ConsentryError] | None = None
    asked: list[tuple[bytes, bytes]] = field(default_factory=list)
    looks: list[Caller | None] = field(default_factory=list)

    async def open(self, caller: Caller, study: StudyId, /) -> OpenTrail:
        self.asked.append((caller.actor.id, study))
        if self.refuses is not None:
            raise self.refuses
        return OpenTrail(study=study, caller=caller, last=9)

    async def lines(self, trail: OpenTrail, again: Again, /) -> AsyncGenerator[bytes, None]:
        for at, line in enumerate(LINES):
            if self.breaks is not None and at == self.breaks[0]:
                raise self.breaks[1]
            if at % 100 == 0:
                self.looks.append(await again())
            yield line


@dataclass
class Standing(Parts):
    """The front door over it."""

    held: Held = field(default_factory=Held)

    @property
    def trail_files(self) -> Any:
        return self.held


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
def client(held: Held) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(Standing(held=held)))
    return httpx.AsyncClient(transport=transport, base_url="http://gateway")


async def test_the_file_comes_to_the_octet(client: httpx.AsyncClient, held: Held) -> None:
    reply = await client.get(WHERE, headers=SIGNED)
    assert (reply.status_code, reply.content) == (200, b"".join(LINES))
    assert held.asked == [(CLINICIAN, STUDY)]
    assert [one is not None for one in held.looks] == [True, True, True]
    assert "content-length" not in reply.headers
    assert "content-encoding" not in reply.headers
    assert reply.headers["content-disposition"] == "attachment"
    assert reply.headers["x-content-type-options"] == "nosniff"


async def test_it_comes_packed_where_that_is_taken(client: httpx.AsyncClient) -> None:
    headers = {**SIGNED, "accept-encoding": "br, gzip;q=0.5"}
    async with client.stream("GET", WHERE, headers=headers) as reply:
        packed = b"".join([one async for one in reply.aiter_raw()])
    assert (reply.status_code, reply.headers["content-encoding"]) == (200, "gzip")
    assert gzip.decompress(packed) == b"".join(LINES)


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (DeniedError("no role", decision_id=DECISION), 403),
        (UnauthenticatedError("gone"), 401),
        (UpstreamError("away"), 503),
        (IntegrityError("tampered"), 502),
    ],
)
async def test_what_is_refused_says_nothing_of_the_study(
    client: httpx.AsyncClient, held: Held, refusal: ConsentryError, status: int
) -> None:
    held.refuses = refusal
    reply = await client.get(WHERE, headers=SIGNED)
    assert reply.status_code == status
    assert "line" not in reply.text
    held.refuses, held.breaks = None, (0, refusal)  # before the first line
    assert (await client.get(WHERE, headers=SIGNED)).status_code == status


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_a_file_that_may_not_go_on_is_cut_short(client: httpx.AsyncClient, held: Held, encoding: str) -> None:
    """No last message: the server breaks the connection, and the client hears that this is no whole file."""
    held.breaks = (200, DeniedError("no role any more"))
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> Any:
        import asyncio

        await asyncio.sleep(30)

    app = create_app(Standing(held=held))
    headers = [(b"authorization", b"Bearer clinician"), (b"accept-encoding", encoding.encode())]
    scope = {"type": "http", "method": "GET", "path": WHERE, "headers": headers, "client": ("127.0.0.1", 1)}
    await app(scope, receive, send)
    assert messages[0]["status"] == 200
    assert all(one.get("more_body") for one in messages[1:])


async def test_nobody_is_asked_in_first(client: httpx.AsyncClient, held: Held) -> None:
    assert (await client.get(WHERE)).status_code == 401
    assert held.asked == []


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        (None, False),
        (b"", False),
        (b"gzip", True),
        (b"GZIP", True),
        (b"br, gzip", True),
        (b"gzip;q=0", False),
        (b"gzip; q=0.1", True),
        (b"*", True),
        (b"*;q=0", False),
        (b"*;q=0, gzip", True),
        (b"*, gzip;q=0", False),
        (b"identity", False),
        (b"x-gzip", True),
        (b"gzip;q=x", False),
        (b"\xff\xfe;;,", False),
    ],
)
def test_gzip_is_sent_to_who_takes_it(header: bytes | None, takes: bool) -> None:
    assert takes_gzip(header) is takes


async def _pieces(parts: list[bytes]) -> AsyncGenerator[bytes, None]:
    for part in parts:
        yield part


async def test_lines_are_gathered_and_none_is_lost() -> None:
    found = [one async for one in gathered(_pieces(LINES))]
    assert b"".join(found) == b"".join(LINES)
    assert all(PIECE <= len(one) < PIECE + 1_000 for one in found[:-1])
    assert [one async for one in gathered(_pieces([]))] == []
    packed = b"".join([one async for one in squeezed(_pieces(LINES))])
    assert gzip.decompress(packed) == b"".join(LINES)
