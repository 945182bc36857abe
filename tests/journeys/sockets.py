"""A client of graphql-transport-ws, one subscription a socket. Source: graphql-ws PROTOCOL.md."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.journeys.people import Person

PROTOCOL = Subprotocol("graphql-transport-ws")


class Subscription:
    """One running subscription."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    def next(self, *, seconds: float = 15.0) -> dict[str, Any] | None:
        """The data of the next item; None when the subscription has completed. TimeoutError when neither comes."""
        deadline = time.monotonic() + seconds
        while True:
            message = json.loads(self._socket.recv(timeout=max(0.01, deadline - time.monotonic())))
            if message["type"] == "next":
                payload: dict[str, Any] = message["payload"]
                assert "errors" not in payload, payload
                data: dict[str, Any] = payload["data"]
                return data
            if message["type"] == "complete":
                return None
            assert message["type"] in {"ping", "pong"}, message

    def await_end(self, *, seconds: float = 15.0) -> None:
        """Returns once it has completed, or its socket was closed with its session (4403); what comes before is passed
        over."""
        try:
            while self.next(seconds=seconds) is not None:
                pass
        except ConnectionClosed as closed:
            if closed.rcvd is None or closed.rcvd.code != 4403:
                raise

    def closed_with(self, *, seconds: float) -> int | None:
        """The code that the gateway closes the socket with, in time; what comes before is passed over."""
        try:
            for _ in range(3):
                self.next(seconds=seconds)
        except ConnectionClosed as closed:
            return None if closed.rcvd is None else closed.rcvd.code
        return None


@contextmanager
def subscribed(person: Person, document: str, given: Mapping[str, Any]) -> Iterator[Subscription]:
    """Opens a socket, acknowledges and subscribes; a ping and its pong show that the operation was taken."""
    url = person.door.base.replace("http://", "ws://") + "/graphql"
    with connect(url, subprotocols=[PROTOCOL], proxy=None, max_size=2**24) as socket:
        socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {person.token}"}}))
        assert json.loads(socket.recv(timeout=15))["type"] == "connection_ack"
        payload = {"query": document, "variables": dict(given)}
        socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        time.sleep(0.5)
        yield Subscription(socket)
