"""Open subscriptions: how long a new record takes to all of them, and what they cost while nothing happens.

The bar: 200 of them, all reached within a second, at next to no cost while idle. They are clinicians' on one patient's
records; each item is a decision, an audit entry and a record of its own.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.benchmarks.reads import cpu_of
from tests.benchmarks.servers import Served
from tests.benchmarks.world import World, consenting_clinicians, create_one

EACH = 10
"""Sockets of a clinician."""
ITEM_SECONDS = 30.0
_ADDED = """subscription Added($patient: ID!) { recordAdded(patientId: $patient, purpose: TREAT) {
  id version resourceType recordedAt content receipt { decisionId } } }"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """`seconds`: of each record, from the request that stores it to the last subscriber. CPU: cores in use."""

    subscriptions: int
    seconds: Sequence[float]
    idle_before: float
    idle_open: float

    def to_json(self) -> dict[str, object]:
        return {
            "subscriptions": self.subscriptions,
            "records": len(self.seconds),
            "allReachedMedianSeconds": round(median(self.seconds), 3),
            "allReachedSlowestSeconds": round(max(self.seconds), 3),
            "coresIdleBefore": round(self.idle_before, 3),
            "coresIdleOpen": round(self.idle_open, 3),
        }


def reach_all(world: World, served: Served, *, subscriptions: int, records: int, idle: float) -> Reached:
    """Opens them, waits, then stores one record after the other."""
    tokens = consenting_clinicians(world, subscriptions // EACH)
    before = _cores(served, idle)
    return asyncio.run(_reach(world, served, tokens, records=records, idle=idle, before=before))


async def _reach(
    world: World, served: Served, tokens: Sequence[str], *, records: int, idle: float, before: float
) -> Reached:
    async with AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(
                connect(
                    f"ws://127.0.0.1:{served.port}/graphql",
                    subprotocols=[Subprotocol("graphql-transport-ws")],
                    proxy=None,
                    max_size=2**24,
                    local_addr=(f"127.0.0.{2 + number}", 0),  # an address has so many sockets and no more
                )
            )
            for number, _ in enumerate(tokens)
            for _ in range(EACH)
        ]
        owners = [token for token in tokens for _ in range(EACH)]
        for socket, token in zip(sockets, owners, strict=True):
            await _subscribe(socket, token, world.patient.id)
        await asyncio.sleep(2.0)
        is_open = await asyncio.to_thread(_cores, served, idle)
        seconds = [await _one(world, sockets, number) for number in range(records)]
    return Reached(subscriptions=len(sockets), seconds=seconds, idle_before=before, idle_open=is_open)


async def _subscribe(socket: ClientConnection, token: str, patient: str) -> None:
    await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}))
    if json.loads(await socket.recv())["type"] != "connection_ack":
        raise RuntimeError("a socket is not acknowledged")
    payload = {"query": _ADDED, "variables": {"patient": patient}}
    await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))


async def _one(world: World, sockets: Sequence[ClientConnection], number: int) -> float:
    words = f"subscribed {number}"
    waiting = [asyncio.create_task(_item(socket)) for socket in sockets]
    began = time.perf_counter()
    await asyncio.to_thread(create_one, world, {"resourceType": "Basic", "code": {"text": words}})
    items = await asyncio.gather(*waiting)
    if any(item["content"]["code"]["text"] != words for item in items):
        raise RuntimeError("a subscriber was sent another record")
    return time.perf_counter() - began


async def _item(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(ITEM_SECONDS):
        while True:
            message = json.loads(await socket.recv())
            if message["type"] == "next":
                found: dict[str, Any] = message["payload"]["data"]["recordAdded"]
                return found
            if message["type"] not in {"ping", "pong"}:
                raise RuntimeError(f"a subscription ended: {message['type']}")


def _cores(served: Served, seconds: float) -> float:
    """Of the gateway's process with its children, while nobody asks for anything."""
    before, began = cpu_of(served.pid)[1], time.perf_counter()
    time.sleep(seconds)
    return (cpu_of(served.pid)[1] - before) / (time.perf_counter() - began)
