"""HTTP/1.1 on 127.0.0.1 and nowhere else: POST / with a JSON-RPC body, as web3 clients send it.

One thread runs everything, so blocks and reads have one order. Bounds: body, head, time to send them, connections.
A browser page cannot use it: the Host must be local (no DNS rebinding) and the type `application/json` (which asks for
a preflight that is never granted). There is no TLS and no sign-in: transactions carry their own signatures.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Final

import h11

from anchoring.chain.embedded.errors import ChainRefused, CommitUncertain
from anchoring.chain.embedded.jsonrpc import Call, answer

LOOPBACK: Final = "127.0.0.1"
LOCAL_NAMES: Final = frozenset({"127.0.0.1", "localhost"})
MAX_BODY_BYTES: Final = 1024 * 1024
MAX_HEAD_BYTES: Final = 16 * 1024
MAX_CONNECTIONS: Final = 256
READ_BYTES: Final = 64 * 1024
REQUEST_SECONDS: Final = 30.0
IDLE_SECONDS: Final = 600.0
DRAIN_SECONDS: Final = 5.0
LINGER_SECONDS: Final = 2.0
LINGER_BYTES: Final = 16 * 1024 * 1024


class _HttpRefused(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def listen(port: int) -> socket.socket:
    """A listening socket on the loopback address; port 0 takes a free one. Errors: `ChainRefused`."""
    # The protocol is named because asyncio turns Nagle's delay off only where it sees TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen(MAX_CONNECTIONS)
    except OSError as e:
        listener.close()
        raise ChainRefused(f"port {port} of {LOOPBACK} cannot be used: {e.strerror}") from e
    return listener


class RpcServer:
    """Serves `call` on a listening socket until `stop`. After `serve` returned, `failure` says whether it broke."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._stopping = asyncio.Event()
        self._idle: set[asyncio.Task[None]] = set()
        self._busy: set[asyncio.Task[None]] = set()
        self.failure: CommitUncertain | None = None

    def stop(self) -> None:
        """Take no more requests; the one in hand is finished and answered."""
        self._stopping.set()

    async def serve(self, listener: socket.socket) -> None:
        """Run until `stop`, or until a commit's outcome is unknown (then `failure` is set)."""
        server = await asyncio.start_server(self._connected, sock=listener, limit=READ_BYTES)
        await self._stopping.wait()
        server.close()
        for task in tuple(self._idle):
            task.cancel()
        if self._busy:
            await asyncio.wait(tuple(self._busy), timeout=DRAIN_SECONDS)
        for task in (*self._busy, *self._idle):
            task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._idle) + len(self._busy) >= MAX_CONNECTIONS:
            writer.close()
            return
        self._idle.add(task)
        try:
            await self._converse(_Exchange(reader, writer), task)
        except (OSError, TimeoutError, h11.RemoteProtocolError, asyncio.CancelledError):
            # The peer left, dawdled or does not speak HTTP, or the server stops: in each case the connection ends.
            pass
        finally:
            self._idle.discard(task)
            self._busy.discard(task)
            writer.close()

    async def _converse(self, exchange: _Exchange, task: asyncio.Task[None]) -> None:
        while not self._stopping.is_set():
            try:
                body = await exchange.receive()
                if body is None:
                    return
                self._idle.discard(task)
                self._busy.add(task)
                await exchange.send(200, await self._answer(body))
            except _HttpRefused as e:
                await exchange.send(e.status, e.text.encode(), close=True)
                await exchange.linger()
                return
            finally:
                self._busy.discard(task)
                self._idle.add(task)
            if not exchange.reusable():
                return

    async def _answer(self, body: bytes) -> bytes:
        try:
            return await answer(body, self._call)
        except CommitUncertain as e:
            # Neither yes nor no would be true, so the client gets no answer, and the process ends.
            self.failure = e
            self._stopping.set()
            raise _HttpRefused(503, "the chain stops") from e


class _Exchange:
    """One connection's HTTP, a request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)

    async def receive(self) -> bytes | None:
        """The next request's body, or None when the peer closed. Errors: `_HttpRefused`, `TimeoutError`."""
        async with asyncio.timeout(IDLE_SECONDS):
            head = await self._event()
        if not isinstance(head, h11.Request):
            return None
        _check(head)
        if self._http.they_are_waiting_for_100_continue:
            self._write(h11.InformationalResponse(status_code=100, headers=[]))
        body = bytearray()
        async with asyncio.timeout(REQUEST_SECONDS):
            while isinstance(event := await self._event(), h11.Data):
                body += event.data
                if len(body) > MAX_BODY_BYTES:
                    raise _HttpRefused(413, "content length too large")
        return bytes(body) if isinstance(event, h11.EndOfMessage) else None

    async def send(self, status: int, body: bytes, *, close: bool = False) -> None:
        """Answer the request in hand; a refusal is text and ends the connection."""
        headers = [
            ("content-type", "text/plain; charset=utf-8" if close else "application/json"),
            ("content-length", str(len(body))),
        ]
        if close:
            headers.append(("connection", "close"))
        self._write(h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage())
        async with asyncio.timeout(REQUEST_SECONDS):
            await self._writer.drain()

    async def linger(self) -> None:
        """Read away what the peer still sends, within bounds: closing on unread bytes would destroy the answer."""
        if self._writer.can_write_eof():
            self._writer.write_eof()
        left = LINGER_BYTES
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while left > 0 and (part := await self._reader.read(READ_BYTES)):
                    left -= len(part)

    def reusable(self) -> bool:
        """Make ready for the next request; false if either side wants the connection closed."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    def _write(self, *events: h11.Event) -> None:
        self._writer.write(b"".join(self._http.send(event) or b"" for event in events))

    async def _event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._next()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(READ_BYTES))
        return event

    def _next(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as e:
            if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                raise _HttpRefused(e.error_status_hint, "not an HTTP request this server reads") from e
            raise


def _check(request: h11.Request) -> None:
    """Refuse, before the body is read, what is not a local JSON-RPC request."""
    headers = dict(request.headers)
    host = headers.get(b"host", b"").decode("latin-1").rsplit(":", 1)[0].lower()
    if host not in LOCAL_NAMES:
        raise _HttpRefused(403, "invalid host specified")
    if request.method != b"POST":
        raise _HttpRefused(405, "method not allowed")
    if headers.get(b"content-type", b"").split(b";")[0].strip().lower() != b"application/json":
        raise _HttpRefused(415, "invalid content type, only application/json is supported")
    length = headers.get(b"content-length", b"0")
    with contextlib.suppress(ValueError):
        if int(length) > MAX_BODY_BYTES:
            raise _HttpRefused(413, "content length too large")
