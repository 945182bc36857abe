"""Sockets speak graphql-transport-ws alone: text frames of JSON, one caller, a bounded number of operations.

True here: a page of a foreign origin cannot open one; nothing runs before `connection_init` was acknowledged; the token
is asked about again for each operation (and, by the schema, for each item). Not done here: deciding, executing.
Source: graphql-ws PROTOCOL.md (messages and close codes); RFC 6455 section 10.2 (Origin).
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any

import structlog
from starlette.types import Message, Receive, Scope, Send

from gateway import jsontext
from gateway.errors import CallerError, ConsentryError
from gateway.identity.model import Caller
from gateway.web.access import bearer, check_rate, rate_key, same_origin, token_of
from gateway.web.bodies import GraphQLRequest, to_request
from gateway.web.engine import Allow, Authenticate, Engine
from gateway.web.options import WebOptions
from gateway.web.replies import RejectedError, headers_of

PROTOCOL = "graphql-transport-ws"
ID_CHARACTERS = 128
BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_ACCEPTABLE = 4400, 4401, 4403, 4406
INIT_TIMEOUT, SUBSCRIBER_EXISTS, TOO_MANY_INITS, TOO_BIG = 4408, 4409, 4429, 1009
TRY_AGAIN = 1013

_log = structlog.get_logger("socket")


class _ClosedError(Exception):
    """The connection ends, for a reason that the client is told."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class SocketDoor:
    """Accepts or refuses a socket and serves it to its end."""

    def __init__(
        self,
        *,
        engine: Engine,
        authenticate: Authenticate,
        allow: Allow | None,
        options: WebOptions,
        new_id: Callable[[], str],
    ) -> None:
        self.engine = engine
        self.authenticate = authenticate
        self.allow = allow
        self.options = options
        self.new_id = new_id
        self._origins = frozenset(origin.encode() for origin in options.socket_origins)
        self._open: Counter[str] = Counter()
        self._running: Counter[str] = Counter()

    @contextlib.contextmanager
    def place(self, who: str) -> Iterator[None]:
        """A place among an actor's operations on all their sockets here. Raises RejectedError where there is none."""
        if self._running[who] >= self.options.actor_operations:
            raise RejectedError(429, "too many operations of this actor at once", code="LIMIT")
        self._running[who] += 1
        try:
            yield
        finally:
            _less(self._running, who)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        headers = headers_of(scope)
        origin = headers.get(b"origin")
        if origin is not None and origin not in self._origins and not same_origin(origin, headers):
            # Closing before accepting answers the handshake with 403.
            await send({"type": "websocket.close", "code": 1008, "reason": "origin"})
            return
        if PROTOCOL not in scope.get("subprotocols", ()):
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": NOT_ACCEPTABLE, "reason": "Subprotocol not acceptable"})
            return
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        peer = rate_key(None, scope)
        if self._open[peer] >= self.options.sockets_each:
            await send({"type": "websocket.close", "code": TRY_AGAIN, "reason": "LIMIT"})
            return
        self._open[peer] += 1
        try:
            await _Connection(self, scope, receive, send, token_of(headers)).serve()
        finally:
            _less(self._open, peer)


def _less(counted: Counter[str], name: str) -> None:
    """One less; a name that has none is not kept."""
    counted[name] -= 1
    if counted[name] <= 0:
        del counted[name]


class _Connection:
    def __init__(self, door: SocketDoor, scope: Scope, receive: Receive, send: Send, token: str | None) -> None:
        self.door = door
        self.scope = scope
        self.receive = receive
        self.asgi_send = send
        self.token = token
        self.initialised = False
        self.acknowledged = False
        self.closed = False
        self.writing = asyncio.Lock()
        self.operations: dict[str, asyncio.Task[None]] = {}

    async def serve(self) -> None:
        watching = asyncio.create_task(self._watch_session())
        try:
            async with asyncio.timeout(self.door.options.socket_init_seconds) as deadline:
                while await self._next(watching):
                    if self.acknowledged and deadline.when() is not None:
                        deadline.reschedule(None)
        except TimeoutError:
            await self._close(INIT_TIMEOUT, "Connection initialisation timeout")
        except _ClosedError as closed:
            await self._close(closed.code, closed.reason)
        finally:
            running = [watching, *self.operations.values()]
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _watch_session(self) -> None:
        """Returns once the session that the socket was opened with has ended; an outage of ours ends none."""
        while True:
            await asyncio.sleep(self.door.options.socket_check_seconds)
            with contextlib.suppress(ConsentryError):
                if self.acknowledged and self.token is not None and await self.door.authenticate(self.token) is None:
                    return

    async def _next(self, watching: asyncio.Task[None]) -> bool:
        """Serves one message; False when the client has gone. A socket does not outlive its session."""
        receiving = asyncio.ensure_future(self.receive())
        try:
            await asyncio.wait({receiving, watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not receiving.done():
                receiving.cancel()
        if not receiving.done() or receiving.cancelled():
            raise _ClosedError(FORBIDDEN, "The session has ended")
        frame = receiving.result()
        if frame["type"] == "websocket.disconnect":
            self.closed = True
            return False
        message = self._parse(frame)
        match message.get("type"):
            case "connection_init":
                await self._initialise(message)
            case "ping":
                await self._send({"type": "pong"})
            case "pong":
                pass
            case "subscribe":
                await self._subscribe(message)
            case "complete":
                self._complete(message)
            case _:
                raise _ClosedError(BAD_REQUEST, "Unknown message type")
        return True

    def _parse(self, frame: Message) -> dict[str, Any]:
        text = frame.get("text")
        if not isinstance(text, str):
            raise _ClosedError(BAD_REQUEST, "Messages are text")
        if len(text) > self.door.options.max_message_bytes:
            raise _ClosedError(TOO_BIG, "Message too big")
        try:
            message = jsontext.loads(text)
        except CallerError as error:
            raise _ClosedError(BAD_REQUEST, "Messages are JSON") from error
        if not isinstance(message, dict):
            raise _ClosedError(BAD_REQUEST, "Messages are JSON objects")
        return message

    async def _initialise(self, message: dict[str, Any]) -> None:
        if self.initialised:
            raise _ClosedError(TOO_MANY_INITS, "Too many initialisation requests")
        self.initialised = True
        payload = message.get("payload")
        if payload is not None and not isinstance(payload, dict):
            raise _ClosedError(BAD_REQUEST, "Invalid connection init payload")
        offered = (payload or {}).get("authorization", (payload or {}).get("Authorization"))
        if offered is not None:
            self.token = bearer(offered) if isinstance(offered, str) else None
            if self.token is None:
                raise _ClosedError(FORBIDDEN, "Forbidden")
        if self.token is not None:
            try:
                caller = await self.door.authenticate(self.token)
            except ConsentryError as error:
                raise _ClosedError(TRY_AGAIN, "Try again later") from error
            if caller is None:
                raise _ClosedError(FORBIDDEN, "Forbidden")
        await self._send({"type": "connection_ack"})
        self.acknowledged = True

    async def _subscribe(self, message: dict[str, Any]) -> None:
        if not self.acknowledged:
            raise _ClosedError(UNAUTHORIZED, "Unauthorized")
        name, payload = message.get("id"), message.get("payload")
        if not isinstance(name, str) or not 0 < len(name) <= ID_CHARACTERS or not isinstance(payload, dict):
            raise _ClosedError(BAD_REQUEST, "Invalid subscribe message")
        if name in self.operations:
            raise _ClosedError(SUBSCRIBER_EXISTS, "Subscriber already exists for this id")
        if len(self.operations) >= self.door.options.socket_operations:
            await self._refuse(name, RejectedError(429, "too many operations on this socket", code="LIMIT"))
            return
        try:
            request = to_request(payload)
        except RejectedError as refused:
            await self._refuse(name, refused)
            return
        task = asyncio.create_task(self._operate(name, request))
        self.operations[name] = task
        task.add_done_callback(lambda done: self._forget(name, done))

    def _forget(self, name: str, task: asyncio.Task[None]) -> None:
        if self.operations.get(name) is task:
            del self.operations[name]
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            _log.error("socket operation failed", type=type(failure).__name__)

    def _complete(self, message: dict[str, Any]) -> None:
        name = message.get("id")
        if not isinstance(name, str):
            raise _ClosedError(BAD_REQUEST, "Invalid complete message")
        task = self.operations.pop(name, None)
        if task is not None:
            task.cancel()

    async def _operate(self, name: str, request: GraphQLRequest) -> None:
        try:
            caller = await self.door.authenticate(self.token) if self.token is not None else None
            who = rate_key(caller, self.scope)
            await check_rate(self.door.allow, who)
            with self.door.place(who):
                await self._answer(name, request, caller)
        except RejectedError as refused:
            await self._refuse(name, refused)
        except ConsentryError:
            await self._refuse(name, RejectedError(503, "try again shortly", code="UNAVAILABLE"))

    async def _answer(self, name: str, request: GraphQLRequest, caller: Caller | None) -> None:
        answers = self.door.engine.stream(
            request.query,
            document_id=request.document_id,
            variables=request.variables,
            operation_name=request.operation_name,
            caller=caller,
            token=self.token,
            correlation_id=self.door.new_id(),
        )
        async with aclosing(answers):
            async for answer in answers:
                if not answer.executed:
                    self.operations.pop(name, None)
                    await self._send({"id": name, "type": "error", "payload": answer.payload["errors"]})
                    return
                await self._send({"id": name, "type": "next", "payload": answer.payload})
        # The id is free before the client hears that it is, so it may use it again at once.
        self.operations.pop(name, None)
        await self._send({"id": name, "type": "complete"})

    async def _refuse(self, name: str, refused: RejectedError) -> None:
        await self._send({"id": name, "type": "error", "payload": refused.payload()["errors"]})

    async def _send(self, message: dict[str, Any]) -> None:
        """As a text frame: binary ones are refused by clients."""
        async with self.writing:
            if not self.closed:
                await self.asgi_send({"type": "websocket.send", "text": jsontext.dumps(message).decode()})

    async def _close(self, code: int, reason: str) -> None:
        async with self.writing:
            if not self.closed:
                self.closed = True
                await self.asgi_send({"type": "websocket.close", "code": code, "reason": reason})
