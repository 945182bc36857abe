"""A server in the place of Kubo's RPC that answers every call with the octets an attacker chose."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class HostileNode:
    """`url` to reach it, the request lines that came in, and how it answers (`answer` writes the response)."""

    url: str
    answer: Callable[[asyncio.StreamWriter], object]
    requests: list[str] = field(default_factory=list)


def reply(body: bytes, *, head: bytes = b"", status: bytes = b"200 OK") -> bytes:
    """A whole HTTP/1.1 response."""
    length = b"Content-Length: %d\r\n" % len(body)
    return b"HTTP/1.1 " + status + b"\r\n" + length + head + b"Connection: close\r\n\r\n" + body


@asynccontextmanager
async def hostile_node(answer: Callable[[asyncio.StreamWriter], object]) -> AsyncIterator[HostileNode]:
    """Serves until the context ends, on loopback. `answer` may be a coroutine function."""
    node = HostileNode("", answer)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            node.requests.append(head.split(b"\r\n", 1)[0].decode())
            result = node.answer(writer)
            if asyncio.iscoroutine(result):
                await result
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    node.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield node
    finally:
        server.close()
