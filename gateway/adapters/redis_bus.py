"""The bus of several replicas: redis pub/sub for hints, token buckets in redis, the local ones when it is away.

Nothing here is relied on: a lost message costs a retry (the ledger compares guards), a lost bucket is a full one.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from typing import Any

import redis.asyncio as redis_client
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.adapters.local_bus import Buckets, Fanout, Listening
from gateway.errors import UpstreamError
from gateway.ports.clock import Clock

PREFIX = "consentry:"
FOREIGN = (RedisError, OSError, TimeoutError, ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What the client raises; ValueError and the rest where octets are no RESP (it drops the connection then)."""
SECONDS = 1.0
"""How long a command may take before the local bucket decides."""
_TAKE = """
local tokens = tonumber(redis.call('HGET', KEYS[1], 't') or ARGV[2])
local at = tonumber(redis.call('HGET', KEYS[1], 'a') or ARGV[3])
local now = tonumber(ARGV[3])
tokens = math.min(tonumber(ARGV[2]), tokens + math.max(0, now - at) * tonumber(ARGV[1]))
local allowed = 0
if tokens >= 1 then tokens = tokens - 1; allowed = 1 end
redis.call('HSET', KEYS[1], 't', tokens, 'a', now)
redis.call('EXPIRE', KEYS[1], 3600)
return allowed
"""


class RedisBus:
    """Implements `gateway.ports.bus.Bus`. `start` before use; messages of this process reach it without redis too."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._client: Any = redis_client.Redis.from_url(
            url,
            socket_timeout=SECONDS,
            socket_connect_timeout=SECONDS,
            # The client's own retries wait for seconds in all; here the next second is the retry.
            retry=Retry(NoBackoff(), 0),
            protocol=3,
        )
        self._take: Any = self._client.register_script(_TAKE)
        self._clock = clock
        self._buckets = Buckets(clock)
        self._fanout = Fanout()
        self._origin = secrets.token_hex(16).encode()
        self._listener: asyncio.Task[None] | None = None
        self._away_until = 0.0

    def start(self) -> None:
        """Begins to listen; goes on trying while redis is away."""
        self._listener = asyncio.get_running_loop().create_task(self._listen())

    async def publish(self, topic: str, payload: bytes) -> None:
        self._fanout.deliver(topic, payload)
        if self._clock.monotonic() < self._away_until:
            return
        try:
            await self._client.publish(PREFIX + topic, self._origin + b"\x00" + payload)
        except FOREIGN:
            self._away()

    def tell(self, topic: str, payload: bytes) -> None:
        self._fanout.deliver(topic, payload)

    def subscribe(self, topic: str) -> Listening:
        return self._fanout.listen(topic)

    def watch(self, heard: Callable[[str, bytes], None]) -> None:
        self._fanout.watch(heard)

    async def allow(self, key: str, *, rate: float, burst: int) -> bool:
        if self._clock.monotonic() >= self._away_until:
            try:
                return bool(await self._take(keys=[PREFIX + "rate:" + key], args=[rate, burst, self._clock.now()]))
            except FOREIGN:
                self._away()
        return self._buckets.take(key, rate=rate, burst=burst)

    async def check(self) -> None:
        try:
            await self._client.ping()
        except FOREIGN as error:
            raise UpstreamError("redis does not answer") from error

    async def close(self) -> None:
        while self._listener is not None and not self._listener.done():
            # The client swallows a cancellation that meets it while it connects: said until it is heard.
            self._listener.cancel()
            await asyncio.wait((self._listener,), timeout=0.1)
        await self._client.aclose()

    def _away(self) -> None:
        """For a second nothing is asked of redis, so that its absence costs little."""
        self._away_until = self._clock.monotonic() + SECONDS

    async def _listen(self) -> None:
        while True:
            pubsub = self._client.pubsub()
            try:
                await pubsub.psubscribe(PREFIX + "*")
                while True:
                    message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=30.0)
                    if message is not None:
                        self._receive(message)
            except FOREIGN:
                await asyncio.sleep(0.2)
            finally:
                with contextlib.suppress(*FOREIGN):
                    await pubsub.aclose()

    def _receive(self, message: dict[str, Any]) -> None:
        origin, _, payload = bytes(message["data"]).partition(b"\x00")
        topic = bytes(message["channel"]).decode("utf-8", "replace").removeprefix(PREFIX)
        if origin != self._origin:
            self._fanout.deliver(topic, payload)
