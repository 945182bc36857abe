"""Kubo as the block store, over its RPC, through ipfshttpclient's `Client`.

The node is trusted to keep blocks, not to tell the truth: what it answers is bounded in time and size here and hashed
by the caller. Only blocks that the node itself holds are found: a CID never makes it search a network. It must be in a
private swarm; `open` refuses otherwise. Never `ipfshttpclient.connect()`, which refuses every current daemon.
Measured against a bare HTTP call, ipfshttpclient costs 1.0 to 1.2 times as much, so it is used for everything.
Source: docs.ipfs.tech/reference/kubo/rpc; Kubo's docs/config.md.
"""

import asyncio
import io
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import ipfshttpclient  # type: ignore[import-untyped]  # ships no types
import requests
import urllib3

from gateway.adapters.kubo_privacy import public_signs
from gateway.adapters.kubo_transport import CONNECT_SECONDS, BoundedSession, Budget
from gateway.errors import BlockMissingError, IntegrityError, SettingsError, UpstreamError
from gateway.storage.car import encode_header, encode_section
from gateway.storage.model import Block, Cid, Codec

READ_SECONDS: Final = 3.0
WRITE_SECONDS: Final = 3.0
"""And what `WRITE_PACE` adds."""
WRITE_PACE: Final = 1 << 20
"""Octets a second that the slowest node takes."""
AWAY: Final = 1 / 3
"""The share of a read's time for which nothing is asked of a node that was mute: what waits would only wait longer."""
CONNECTIONS: Final = 8
_REPLY_SIZE_MAX: Final = 4 << 20
_LINE_SIZE_MAX: Final = 1 << 20
_PINS_SIZE_MAX: Final = 4 << 30
_BATCH_COUNT: Final = 500
_BATCH_SIZE: Final = 8 << 20
_CODEC_NAMES: Final = {Codec.RAW: "raw", Codec.DAG_PB: "dag-pb"}
_OFFLINE: Final = {"offline": "true"}
_FOREIGN: Final = (
    ipfshttpclient.exceptions.Error,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
    RecursionError,  # JSON nested deeper than the parser goes
)
_MUTE: Final = (ipfshttpclient.exceptions.TimeoutError, requests.Timeout, TimeoutError)
_GRACE_SECONDS: Final = 0.5
"""What waiting for a thread may add."""

T = TypeVar("T")


class KuboStore:
    """A BlockStore on one Kubo node. Blocks are synced by the node when its datastore says `sync: true`."""

    __slots__ = ("_away_until", "_budget", "_client", "_closed", "_read_seconds", "_threads", "_write_seconds")

    def __init__(self, url: str, *, read_seconds: float = READ_SECONDS, write_seconds: float = WRITE_SECONDS) -> None:
        """`url` is the RPC's, as `http://127.0.0.1:5001`; the seconds bound whole calls. SettingsError for another."""
        self._read_seconds = read_seconds
        self._write_seconds = write_seconds
        self._away_until = 0.0
        self._budget = Budget()
        self._client = ipfshttpclient.Client(_multiaddr(url), timeout=(CONNECT_SECONDS, write_seconds))
        # Its own session has no bounds; this attribute is where its 0.7.0, the last release, keeps one.
        self._client._client._session = BoundedSession(self._budget, connections=CONNECTIONS)
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="kubo")
        self._closed = False

    @classmethod
    async def open(cls, url: str, *, allow_public: bool = False) -> "KuboStore":
        """A node that answers and is in a private swarm. UpstreamError; SettingsError naming each public sign."""
        store = cls(url)
        try:
            signs = await store.public_signs()
            if signs and not allow_public:
                raise SettingsError("the IPFS node is not private: " + "; ".join(signs), field=("allow_public",))
        except (UpstreamError, IntegrityError, SettingsError):
            await store.close()
            raise
        return store

    async def public_signs(self) -> list[str]:
        """Why this node would be part of the public network, by its configuration, listeners and peers."""
        config = await self._ask_one(self._client.config.get)
        listening = await self._ask_one(self._client.id)
        peers = await self._ask_one(self._client.swarm.peers)
        return public_signs(config, listening, peers)

    async def put_many(self, blocks: Sequence[tuple[str, bytes]]) -> None:
        """Stored and pinned by the node on return; the names it gives must be ours (IntegrityError)."""
        parsed = [Block(Cid.parse(cid), data) for cid, data in blocks]
        if len(parsed) == 1:
            await self._put_one(parsed[0])
            return
        for batch in _batches(parsed):
            await self._import(batch)

    async def get(self, cid: str, *, limit: int) -> bytes:
        """Unverified bytes. BlockMissingError, UpstreamError; IntegrityError past the limit, while streaming."""
        opened = partial(self._client.block.get, str(Cid.parse(cid)), opts=_OFFLINE)
        try:
            return await self._run(partial(_joined, opened), seconds=self._read_seconds, size=limit, line=limit)
        except _NotFound as error:
            raise BlockMissingError(f"no block {cid}") from error

    def get_now(self, cid: str) -> bytes | None:
        """Always None: the node is another process."""
        return None

    def walk(self) -> None:
        """As `get_now`."""
        return

    async def has(self, cid: str) -> bool:
        try:
            await self._ask_one(self._client.block.stat, str(Cid.parse(cid)), opts=_OFFLINE)
        except _NotFound:
            return False
        return True

    async def pins(self) -> AsyncIterator[str]:
        """Pinned blocks of our kind; what else the node pins is passed over."""
        listing = partial(self._client.pin.ls, type="recursive", opts={"stream": "true"}, stream=True)
        lines = await self._run(listing, seconds=self._read_seconds, size=_PINS_SIZE_MAX, line=_LINE_SIZE_MAX)
        step = partial(self._run, seconds=self._read_seconds, size=_PINS_SIZE_MAX, line=_LINE_SIZE_MAX)
        try:
            while batch := await step(partial(_take, lines, 1000)):
                for line in batch:
                    name = line.get("Cid")
                    if isinstance(name, str) and name.startswith(("bafkrei", "bafybei")):
                        yield str(Cid.parse(name))
        finally:
            lines.close()

    async def remove(self, cids: Sequence[str]) -> None:
        """Unpinned and deleted from the node's datastore on return; what is not there is success. UpstreamError."""
        names = [str(Cid.parse(cid)) for cid in dict.fromkeys(cids)]
        for name in names:
            try:
                await self._ask_one(self._client.pin.rm, name, seconds=self._write_seconds)
            except _NotPinned:
                continue
        for start in range(0, len(names), 100):
            await self._delete(names[start : start + 100])

    async def check(self) -> None:
        """Returns if the node answers."""
        await self._ask_one(self._client.version)

    async def close(self) -> None:
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    async def _put_one(self, block: Block) -> None:
        opts = {"cid-codec": _CODEC_NAMES[block.cid.codec], "mhtype": "sha2-256", "pin": "true"}
        seconds = self._write_seconds + len(block.data) / WRITE_PACE
        # Commit point: before the answer the block may or may not be there, and putting again is harmless.
        reply = await self._ask_one(self._client.block.put, io.BytesIO(block.data), opts=opts, seconds=seconds)
        if reply.get("Key") != str(block.cid):
            raise IntegrityError(f"the IPFS node gave {block.cid} another name")

    async def _import(self, batch: Sequence[Block]) -> None:
        """Many blocks as one CAR file whose roots, all of them, are pinned: one call instead of one for each."""
        car = encode_header([block.cid for block in batch]) + b"".join(encode_section(block) for block in batch)
        sent = partial(self._client.dag.imprt, io.BytesIO(car), opts={"pin-roots": "true"}, stream=True)
        # Commit point: the node answers a root once its block is stored and pinned. Before: in doubt, put again.
        seconds = self._write_seconds + len(car) / WRITE_PACE
        lines = await self._run(partial(_all, sent), seconds=seconds, size=_REPLY_SIZE_MAX, line=_LINE_SIZE_MAX)
        pinned = {_pinned_root(line) for line in lines}
        if missing := [block.cid for block in batch if str(block.cid) not in pinned]:
            raise UpstreamError(f"the IPFS node did not pin {missing[0]} and {len(missing) - 1} more")

    async def _delete(self, names: Sequence[str]) -> None:
        """`block/rm`, which ipfshttpclient has no method for, through its request function."""
        opts = {"force": "true"}
        ask = partial(self._client._client.request, "/block/rm", names, opts=opts, decoder="json", stream=True)
        lines = await self._run(
            partial(_all, ask), seconds=self._write_seconds, size=_REPLY_SIZE_MAX, line=_LINE_SIZE_MAX
        )
        gone = {line.get("Hash") for line in lines if not line.get("Error")}
        if left := [name for name in names if name not in gone]:
            raise UpstreamError(f"the IPFS node still holds {left[0]} and {len(left) - 1} more")

    async def _ask_one(
        self, method: Callable[..., Any], *args: object, seconds: float | None = None, **kwargs: object
    ) -> Mapping[str, object]:
        """A call with one JSON object for an answer."""
        ask = partial(method, *args, stream=True, **kwargs)
        lines = await self._run(
            partial(_all, ask), seconds=seconds or self._read_seconds, size=_REPLY_SIZE_MAX, line=_REPLY_SIZE_MAX
        )
        if len(lines) != 1:
            raise UpstreamError("the IPFS node did not answer with one object")
        return lines[0]

    async def _run(self, work: Callable[[], T], *, seconds: float, size: int, line: int) -> T:
        """Runs in a thread under a budget; foreign errors stop here. Waiting for a thread counts as well."""

        def bounded() -> T:
            self._budget.set(seconds=seconds, size=size, line=line)
            try:
                return work()
            except ipfshttpclient.exceptions.ErrorResponse as error:
                raise _refusal(str(error)) from error
            except _FOREIGN as error:
                if isinstance(error, _MUTE):
                    self._away_until = time.monotonic() + AWAY * self._read_seconds
                raise UpstreamError(f"the IPFS node cannot be reached: {type(error).__name__}") from error

        if self._closed:
            raise UpstreamError("the block store is closed")
        if time.monotonic() < self._away_until:
            raise UpstreamError("the IPFS node was mute a moment ago")
        try:
            async with asyncio.timeout(seconds + _GRACE_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(self._threads, bounded)
        except TimeoutError as error:
            raise UpstreamError("the IPFS node is too slow") from error


class _NotFound(UpstreamError):
    """The node holds no such block."""


class _NotPinned(UpstreamError):
    """The node has no such pin."""


def _refusal(message: str) -> UpstreamError:
    """Kubo has no error codes (`Code` is 0 throughout); its words are kept out of ours."""
    if "not pinned" in message:
        return _NotPinned("not pinned")
    if "could not find" in message or "not found" in message:
        return _NotFound("not found")
    return UpstreamError("the IPFS node refused the call")


def _multiaddr(url: str) -> str:
    """`http://127.0.0.1:5001` -> `/ip4/127.0.0.1/tcp/5001/http`."""
    parts = urlsplit(url)
    try:
        port = parts.port or 5001
    except ValueError as error:
        raise SettingsError("the IPFS node's URL has no lawful port", field=("kubo_url",)) from error
    host = parts.hostname
    if parts.scheme != "http" or not host or parts.path not in ("", "/") or parts.query or parts.username:
        raise SettingsError("the IPFS node's URL is http://HOST:PORT", field=("kubo_url",))
    kind = "ip6" if ":" in host else "ip4" if host.replace(".", "").isdigit() else "dns"
    return f"/{kind}/{host}/tcp/{port}/http"


def _joined(opened: Callable[..., Iterable[bytes]]) -> bytes:
    return b"".join(opened(stream=True))


def _all(ask: Callable[[], Iterable[object]]) -> list[Mapping[str, object]]:
    return _objects(ask())


def _take(lines: Iterator[object], count: int) -> list[Mapping[str, object]]:
    return _objects(itertools.islice(lines, count))


def _objects(lines: Iterable[object]) -> list[Mapping[str, object]]:
    found: list[Mapping[str, object]] = []
    for line in lines:
        value = getattr(line, "as_json", lambda line=line: line)()
        if not isinstance(value, dict):
            raise UpstreamError("the IPFS node's answer is not a JSON object")
        found.append(value)
    return found


def _pinned_root(line: Mapping[str, object]) -> object:
    """The CID of a line `{"Root": {"Cid": {"/": …}, "PinErrorMsg": ""}}`, None if it was not pinned."""
    root = line.get("Root")
    cid = root.get("Cid") if isinstance(root, dict) and not root.get("PinErrorMsg") else None
    return cid.get("/") if isinstance(cid, dict) else None


def _batches(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    batch: list[Block] = []
    size = 0
    for block in blocks:
        if batch and (len(batch) == _BATCH_COUNT or size + len(block.data) > _BATCH_SIZE):
            yield batch
            batch, size = [], 0
        batch.append(block)
        size += len(block.data)
    if batch:
        yield batch
