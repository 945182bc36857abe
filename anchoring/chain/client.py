"""JSON-RPC over HTTP to one node: firm time-outs, bounded answers, two kinds of failure. It retries nothing.

`ChainUnavailable`: no answer that can be read; what was asked may have happened. `ChainRefused`: the node answered no.
A thin client on aiohttp rather than web3's middleware, because the chain is looked at ten times a second beside all
else (a call takes 110 us of CPU, on httpx 950); ABI coding is eth-abi's.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import aiohttp
import orjson

from anchoring.errors import ChainRefused, ChainUnavailable
from anchoring.model import BlockRef

CONNECT_SECONDS: Final = 2.0
TOTAL_SECONDS: Final = 5.0
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
MAX_BATCH: Final = 100
HEADERS: Final = {"content-type": "application/json", "accept-encoding": "identity"}

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
Request = tuple[str, tuple[Json, ...]]


class ChainClient:
    """One node at `url` (http or https). Redirects are not followed. Close it with `close`."""

    def __init__(self, url: str, *, total: float = TOTAL_SECONDS) -> None:
        self.url: Final = url
        self._timeout = aiohttp.ClientTimeout(total=total, connect=min(CONNECT_SECONDS, total))
        self._session: aiohttp.ClientSession | None = None
        self._next_id = 0

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def call(self, method: str, *params: Json) -> Json:
        """The result of one method. Raises ChainUnavailable, ChainRefused."""
        (answer,) = await self.batch([(method, params)])
        if isinstance(answer, ChainRefused):
            raise answer
        return answer

    async def batch(self, requests: Sequence[Request]) -> list[Json | ChainRefused]:
        """The results in order, a refusal in place of one that was refused; sent in groups of at most 100.
        Raises ChainUnavailable."""
        results: list[Json | ChainRefused] = []
        for start in range(0, len(requests), MAX_BATCH):
            results.extend(await self._exchange(requests[start : start + MAX_BATCH]))
        return results

    async def _exchange(self, requests: Sequence[Request]) -> list[Json | ChainRefused]:
        first = self._next_id
        self._next_id += len(requests)
        asked = [
            {"jsonrpc": "2.0", "id": first + at, "method": method, "params": params}
            for at, (method, params) in enumerate(requests)
        ]
        answer = await self._post(orjson.dumps(asked[0] if len(asked) == 1 else asked))
        answers = [answer] if isinstance(answer, Mapping) else answer
        if not isinstance(answers, Sequence) or isinstance(answers, str):
            raise ChainUnavailable("the node's answer is no JSON-RPC")
        by_id = {one["id"]: one for one in answers if isinstance(one, Mapping) and isinstance(one.get("id"), int)}
        missing = [asked[at]["method"] for at in range(len(asked)) if first + at not in by_id]
        if missing:
            raise ChainUnavailable(f"the node left {missing[0]} without an answer")
        return [_result(by_id[first + at]) for at in range(len(asked))]

    async def _post(self, body: bytes) -> Json:
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=HEADERS, timeout=self._timeout, auto_decompress=False)
        try:
            async with self._session.post(self.url, data=body, allow_redirects=False) as response:
                chunks: list[bytes] = []
                size = 0
                async for chunk in response.content.iter_any():
                    size += len(chunk)
                    if size > MAX_ANSWER_BYTES:
                        raise ChainUnavailable("the node's answer is too large")
                    chunks.append(chunk)
        except (aiohttp.ClientError, TimeoutError, OSError) as e:
            raise ChainUnavailable(f"the chain does not answer ({type(e).__name__})") from e
        try:
            decoded: Json = orjson.loads(b"".join(chunks))
        except orjson.JSONDecodeError as e:
            raise ChainUnavailable(f"the node answered {response.status} without JSON") from e
        return decoded

    # What everyone asks

    async def chain_id(self) -> int:
        return quantity(await self.call("eth_chainId"))

    async def block(self, number: int | str) -> BlockRef | None:
        """The header at a number, or at a tag such as `latest`; None if there is none."""
        answer = await self.call("eth_getBlockByNumber", number if isinstance(number, str) else hex(number), False)
        return block_ref(answer)

    async def blocks(self, numbers: Sequence[int]) -> list[BlockRef | None]:
        """The headers at these numbers, None where there is none."""
        answers = await self.batch([("eth_getBlockByNumber", (hex(number), False)) for number in numbers])
        return [None if isinstance(one, ChainRefused) else block_ref(one) for one in answers]

    async def eth_call(self, contract: str, data: bytes, *, block: int | str = "latest", sender: str = "") -> bytes:
        """What the contract returns. Raises ChainRefused with its revert data."""
        transaction: dict[str, Json] = {"to": contract, "data": "0x" + data.hex()}
        if sender:
            transaction["from"] = sender
        return octets(await self.call("eth_call", transaction, block if isinstance(block, str) else hex(block)))


def answered(results: Sequence[Json | ChainRefused]) -> list[Json]:
    """The results of a batch, none of them refused. Raises the first refusal."""
    plain: list[Json] = []
    for one in results:
        if isinstance(one, ChainRefused):
            raise one
        plain.append(one)
    return plain


def _result(answer: Mapping[str, Json]) -> Json | ChainRefused:
    error = answer.get("error")
    if error is None:
        return answer.get("result")
    if not isinstance(error, Mapping):
        return ChainRefused("the node refused, without saying why")
    code = error.get("code")
    return ChainRefused(
        str(error.get("message", ""))[:200],
        code=code if isinstance(code, int) else 0,
        data=_revert_data(error.get("data")),
    )


def _revert_data(data: Json) -> bytes:
    if isinstance(data, Mapping):  # some nodes wrap it: {"data": "0x…"}
        data = data.get("data")
    if isinstance(data, str):
        text = data.removeprefix("Reverted ")  # Besu and OpenEthereum put a word before it
        if text.startswith("0x"):
            try:
                return bytes.fromhex(text[2:])
            except ValueError:
                return b""
    return b""


def quantity(value: Json) -> int:
    """A JSON-RPC quantity. Raises ChainUnavailable for anything else."""
    if isinstance(value, str) and value.startswith("0x"):
        try:
            return int(value, 16)
        except ValueError:
            pass
    raise ChainUnavailable("the node's answer is no quantity")


def octets(value: Json) -> bytes:
    """JSON-RPC data. Raises ChainUnavailable for anything else."""
    if isinstance(value, str) and value.startswith("0x"):
        try:
            return bytes.fromhex(value[2:])
        except ValueError:
            pass
    raise ChainUnavailable("the node's answer is no data")


def block_ref(value: Json) -> BlockRef | None:
    """A header from eth_getBlockBy…; None for null. Raises ChainUnavailable for anything else."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ChainUnavailable("the node's answer is no block")
    return BlockRef(
        number=quantity(value.get("number")),
        hash=octets(value.get("hash")),
        parent=octets(value.get("parentHash")),
        timestamp=quantity(value.get("timestamp")),
    )
