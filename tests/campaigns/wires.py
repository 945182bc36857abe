"""Shapes below GraphQL, as octets on a connection: what is slow, endless, malformed, packed or too much at once.

Each gives what was heard: statuses of HTTP, 0 where the connection was closed without one, or close codes of sockets.
Nothing here judges (`holding`).
"""

import asyncio
import gzip
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from gateway import jsontext

MIB: Final = 1 << 20
CAP: Final = 16 * MIB
"""Of a body, by default."""
SLOW_SECONDS: Final = 2.0
CROWD: Final = 60
LOST: Final = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError)
VIEWER: Final = b'{"query":"{ viewer { id } }"}'
PROTOCOL: Final = Subprotocol("graphql-transport-ws")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`wide`: a body that asks for much of a large record, lawfully."""

    host: str
    port: int
    token: str = field(repr=False)
    wide: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Heard:
    """`statuses` in the order they came; `first`: seconds until the first of them; `sent`: octets until then."""

    statuses: tuple[int, ...]
    first: float
    sent: int = 0


Send = Callable[[Target], Coroutine[Any, Any, Heard]]


def head(target: Target, *, method: str = "POST", path: str = "/graphql", **named: str) -> bytes:
    """A request's head. Names are written with `-` for `_`; content-type and token unless they are given."""
    known = {"host": f"{target.host}:{target.port}", "authorization": f"Bearer {target.token}"}
    given = {**known, "content_type": "application/json", **named}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {text}" for name, text in given.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def whole(target: Target, body: bytes, **named: str) -> bytes:
    return head(target, content_length=str(len(body)), **named) + body


async def exchange(target: Target, octets: bytes, *, answers: int = 1, within: float = 10.0) -> Heard:
    """Sends all of it at once and hears so many answers."""
    reader, writer = await asyncio.open_connection(target.host, target.port, limit=MIB)
    began, first, statuses = time.perf_counter(), 0.0, []
    try:
        async with asyncio.timeout(within):
            writing = asyncio.ensure_future(_write(writer, octets))
            for _ in range(answers):
                statuses.append(await _hear(reader))
                first = first or time.perf_counter() - began
            writing.cancel()
    except LOST:
        statuses.append(0)
    finally:
        writer.close()
    return Heard(tuple(statuses), first or time.perf_counter() - began, len(octets))


async def _write(writer: asyncio.StreamWriter, octets: bytes) -> None:
    with suppress(*LOST):
        for at in range(0, len(octets), 256 * 1024):
            writer.write(octets[at : at + 256 * 1024])
            await writer.drain()


async def _hear(reader: asyncio.StreamReader) -> int:
    """The status of one answer, its body read and dropped."""
    answer = await reader.readuntil(b"\r\n\r\n")
    size = answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0].strip()
    left = int(size or b"0")
    while left > 0:
        part = await reader.read(min(left, MIB))
        if not part:
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(part)
    return int(answer.split(b" ", 2)[1])


def of_request(body: bytes, **named: str) -> Send:
    async def send(target: Target) -> Heard:
        return await exchange(target, whole(target, body, **named))

    return send


def of_octets(make: Callable[[Target], bytes], *, answers: int = 1) -> Send:
    async def send(target: Target) -> Heard:
        return await exchange(target, make(target), answers=answers)

    return send


def crowd(make: Callable[[Target], bytes], pieces: int = 20) -> Send:
    """Many connections, each of which sends its octets a piece at a time, and never ends."""

    async def one(target: Target) -> int:
        octets = make(target)
        reader, writer = await asyncio.open_connection(target.host, target.port)
        hearing = asyncio.ensure_future(_hear(reader))
        try:
            for at in range(pieces):
                writer.write(octets[at * len(octets) // pieces : (at + 1) * len(octets) // pieces])
                await asyncio.wait({hearing}, timeout=SLOW_SECONDS / pieces)
                if hearing.done():
                    return hearing.result()
            return 200  # it is still waited for
        except LOST:
            return 0
        finally:
            hearing.cancel()
            writer.close()

    async def send(target: Target) -> Heard:
        heard = await asyncio.gather(*(one(target) for _ in range(CROWD)))
        return Heard(tuple(heard), 0.0)

    return send


async def slow_readers(target: Target) -> Heard:
    """Twenty ask for much, and take nothing of it for a while."""
    opened = [await asyncio.open_connection(target.host, target.port, limit=4096) for _ in range(20)]
    for _, writer in opened:
        writer.write(whole(target, target.wide))
    await asyncio.sleep(SLOW_SECONDS)
    for _, writer in opened:
        writer.close()
    return Heard((200,), 0.0)


async def chunks_without_end(target: Target) -> Heard:
    """A body without a length, sent until somebody says that it is too much."""
    reader, writer = await asyncio.open_connection(target.host, target.port)
    part = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    sent, began = 0, time.perf_counter()
    hearing = asyncio.ensure_future(_hear(reader))
    try:
        writer.write(head(target, transfer_encoding="chunked"))
        while not hearing.done() and sent < 4 * CAP:
            writer.write(part)
            await writer.drain()
            sent += 0x10000
        status = await asyncio.wait_for(hearing, 10.0)
    except LOST:
        status = hearing.result() if hearing.done() and not hearing.exception() else 0
    finally:
        hearing.cancel()
        writer.close()
    return Heard((status,), time.perf_counter() - began, sent)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One of HTTP/2 (RFC 9113, section 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


async def rapid_reset(target: Target) -> Heard:
    """Streams of HTTP/2 that are opened and taken back at once (CVE-2023-44487)."""
    block = b"\x83\x86\x44\x08/graphql\x41\x01x"  # POST, http, :path, :authority (RFC 7541)
    one = [frame(1, 4, 2 * at + 1, block) + frame(3, 0, 2 * at + 1, bytes(4)) for at in range(20_000)]
    octets = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) + b"".join(one)
    reader, writer = await asyncio.open_connection(target.host, target.port)
    began = time.perf_counter()
    with suppress(*LOST):
        async with asyncio.timeout(SLOW_SECONDS):
            await _write(writer, octets)
            while await reader.read(MIB):
                pass
    writer.close()
    return Heard((200,), time.perf_counter() - began)


def socket(*messages: str, times: int = 1, sockets: int = 1, answers: int = 0, begin: bool = True) -> Send:
    """Sockets that each say their messages so many times over, and hear so many answers or their end."""

    async def one(target: Target) -> int:
        try:
            async with connect(f"ws://{target.host}:{target.port}/graphql", subprotocols=[PROTOCOL]) as to:
                if begin:
                    token: jsontext.JsonValue = {"authorization": f"Bearer {target.token}"}
                    await to.send(jsontext.dumps({"type": "connection_init", "payload": token}).decode())
                    await to.recv()
                for turn in range(times):
                    for message in messages:
                        await to.send(message.replace("#", str(turn)))
                async with asyncio.timeout(SLOW_SECONDS):
                    for _ in range(answers):
                        await to.recv()
                return 200
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else 0
        except (*LOST, WebSocketException):
            return 0

    async def send(target: Target) -> Heard:
        began = time.perf_counter()
        codes = await asyncio.gather(*(one(target) for _ in range(sockets)))
        return Heard(tuple(codes), time.perf_counter() - began)

    return send


def subscribe(query: str) -> str:
    return (
        jsontext.dumps({"id": "#", "type": "subscribe", "payload": {"query": query}}).decode().replace("\\u0023", "#")
    )


def _get(path: str) -> Callable[[Target], bytes]:
    return lambda target: b"GET " + path.encode() + f" HTTP/1.1\r\nhost: {target.host}\r\n\r\n".encode()


PACKED: Final = gzip.compress(b" " * 64 * MIB)
BOMB_BY_ADDRESS: Final = "/graphql?query=%7B" + "a" * 4_000 + "%7D"
MANY_NAMES: Final = "{" + " ".join(f"a{at}: viewer {{ id }}" for at in range(1_000)) + "}"

SHAPES: Final[Mapping[str, Send]] = {
    "a packed body": of_request(PACKED, content_encoding="gzip"),
    "a multipart body": of_request(b"--x\r\n\r\n" * 10_000, content_type="multipart/form-data; boundary=x"),
    "a form": of_request(b"query=" + b"a" * 100_000, content_type="application/x-www-form-urlencoded"),
    "a document as plain text": of_request(VIEWER, content_type="text/plain"),
    "an address of 60 KiB": of_octets(_get("/graphql?query=" + "a" * 60_000)),
    "a bomb in an address": of_octets(_get(BOMB_BY_ADDRESS)),
    "an address of a thousand parts": of_octets(_get("/graphql?" + "&".join(f"a{at}=1" for at in range(1_000)))),
    "ninety headers": of_octets(lambda to: whole(to, VIEWER, **{f"x{at}": "y" * 200 for at in range(90)})),
    "ten thousand headers": of_octets(lambda to: whole(to, VIEWER, **{f"x{at}": "y" for at in range(10_000)})),
    "a header of a MiB": of_octets(lambda to: whole(to, VIEWER, x="y" * MIB)),
    "an accept of many types": of_octets(lambda to: whole(to, VIEWER, accept=",".join(["a/b;q=0.1"] * 2_000))),
    "a token of 100 KiB": of_octets(lambda to: whole(to, VIEWER, authorization="Bearer " + "x" * 100_000)),
    "a length that is no number": of_octets(lambda to: head(to, content_length="1e9")),
    "two lengths": of_octets(lambda to: head(to, content_length="5, 6") + VIEWER),
    "a length and chunks": of_octets(lambda to: head(to, content_length="29", transfer_encoding="chunked") + VIEWER),
    "a chunk of 2^60 octets": of_octets(lambda to: head(to, transfer_encoding="chunked") + b"1" + b"0" * 15 + b"\r\n"),
    "a method of 8 KiB": of_octets(lambda to: whole(to, VIEWER, method="X" * 8_192)),
    "no HTTP at all": of_octets(lambda _: b"\x16\x03\x01\x02\x00" + b"\x00" * 2_000),
    "a hundred requests at once": of_octets(lambda to: whole(to, VIEWER) * 100, answers=100),
    "a hundred unknown identifiers": of_octets(
        lambda to: b"".join(whole(to, b'{"documentId":"%064d"}' % at) for at in range(100)), answers=100
    ),
    "a hundred persisted hashes": of_octets(
        lambda to: b"".join(
            whole(to, b'{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"%064x"}}}' % at) for at in range(100)
        ),
        answers=100,
    ),
    "heads that come slowly": crowd(lambda to: head(to)[:-2]),
    "bodies that come slowly": crowd(lambda to: whole(to, VIEWER)[:-1]),
    "bodies of one octet at a time": crowd(lambda to: head(to, content_length="1000") + b" " * 200, pieces=200),
    "readers that take nothing": slow_readers,
    "streams that are reset at once": rapid_reset,
    "sockets that say nothing": socket(sockets=CROWD, begin=False),
    "ten thousand pings": socket('{"type":"ping"}', times=10_000),
    "a message of 2 MiB": socket('{"type":"ping","payload":"' + "x" * (2 * MIB) + '"}', answers=1),
    "a message of deep JSON": socket('{"type":' + "[" * 100_000, answers=1),
    "operations past their number": socket(
        subscribe('subscription { recordAdded(patientId: "x") { id } }'), times=200, answers=150
    ),
    "one identifier twice": socket(subscribe("{ viewer { id } }").replace("#", "a"), times=50, answers=1),
    "bombs by socket": socket(subscribe(MANY_NAMES), times=30, answers=30),
    "more sockets than an address may have": socket(sockets=80),
}  # fmt: skip
"""By name. Those of `SLOW` take their time, whoever answers them."""
SLOW: Final = frozenset(
    {
        "heads that come slowly",
        "bodies that come slowly",
        "bodies of one octet at a time",
        "readers that take nothing",
        "streams that are reset at once",
        "sockets that say nothing",
        "ten thousand pings",
        "a message of 2 MiB",
        "operations past their number",
        "one identifier twice",
        "bombs by socket",
        "more sockets than an address may have",
        "a hundred requests at once",
        "a hundred unknown identifiers",
        "a hundred persisted hashes",
        "a chunk of 2^60 octets",
    }
)
