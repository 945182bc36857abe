"""The chain as anybody sees it: standard JSON-RPC, and the four reads of the registries that a proof needs.

True here: nothing is asked of the gateway; what was read once is kept, for many records share a root. Selectors and
topics are computed from signatures. Source: Ethereum execution API; Solidity ABI specification.
"""

from dataclasses import dataclass
from typing import Any

from requests import RequestException
from web3 import HTTPProvider
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint

from anchoring.merkle import keccak256
from gateway import jsontext
from gateway.demo.model import StepFailedError

ANSWER_SECONDS = 10.0
ANCHORED_AT = keccak256(b"anchoredAt(bytes32,bytes32)")[:4]
RECEIPT_KEY_SINCE = keccak256(b"receiptKeySince(bytes32,bytes32)")[:4]
RECEIPT_KEY_UNTIL = keccak256(b"receiptKeyUntil(bytes32,bytes32)")[:4]
IDENTITY = keccak256(b"identity()")[:4]
ANCHORED = keccak256(b"Anchored(bytes32,uint64,bytes32,bytes32,uint64,bytes32)")
LOG_OPENED = keccak256(b"LogOpened(bytes32,bytes32,bytes32,bytes32,address)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainEvent:
    """A log of a transaction. `contract` in lower case; `block`: its number."""

    contract: str
    topics: tuple[bytes, ...]
    data: bytes
    block: int


class Chain:
    """Reads at the newest block, through one RPC endpoint."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._provider = HTTPProvider(
            url, request_kwargs={"timeout": ANSWER_SECONDS}, exception_retry_configuration=None
        )
        self._known: dict[tuple[str, bytes], Any] = {}
        self._terms: dict[tuple[str, bytes], tuple[int, int]] = {}

    def chain_id(self) -> int:
        return _quantity(self._ask("eth_chainId"))

    def identity_of(self, registry: str) -> str:
        """The identity registry that an anchor registry trusts, lower case."""
        return "0x" + self._words(registry, IDENTITY, 1)[0][12:].hex()

    def anchored_at(self, registry: str, log: bytes, root: bytes) -> int:
        """The block that a root was anchored in; 0: never."""
        return int.from_bytes(self._words(registry, ANCHORED_AT + log + root, 2)[0], "big")

    def receipt_key_term(self, registry: str, gateway: bytes, key: bytes) -> tuple[int, int]:
        """Blocks since and until which a receipt key is the gateway's; until 0: still, since 0: never."""
        arguments = gateway + keccak256(key)
        if (registry, arguments) not in self._terms:
            since = int.from_bytes(self._words(registry, RECEIPT_KEY_SINCE + arguments, 1)[0], "big")
            until = int.from_bytes(self._words(registry, RECEIPT_KEY_UNTIL + arguments, 1)[0], "big")
            if not since:
                return 0, until
            # A key that is retired while we run keeps its past: what it signed before stays signed.
            self._terms[registry, arguments] = since, until
        return self._terms[registry, arguments]

    def events_of(self, transaction: str) -> tuple[ChainEvent, ...]:
        """What a transaction emitted; nothing where it is unknown or reverted."""
        receipt = self._ask("eth_getTransactionReceipt", transaction)
        if not isinstance(receipt, dict) or _quantity(receipt.get("status")) != 1:
            return ()
        return tuple(_event(log) for log in receipt.get("logs", ()))

    def is_log_of(self, registry: str, log: bytes, *, gateway: bytes, kind: str) -> bool:
        """Whether this gateway opened the log for leaves of this kind."""
        topics = [_hex(LOG_OPENED), _hex(log), _hex(gateway)]
        wanted = {"address": registry, "fromBlock": "0x0", "toBlock": "latest", "topics": topics}
        found = self._ask("eth_getLogs", wanted)
        return isinstance(found, list) and any(_event(one).data[:32] == kind.encode().ljust(32, b"\0") for one in found)

    def block_hash(self, number: int) -> bytes:
        """Of the block with this number on the canonical chain. Raises StepFailedError where there is none."""
        block = self._ask("eth_getBlockByNumber", hex(number), False)
        if not isinstance(block, dict):
            raise StepFailedError(f"the chain has no block {number}")
        return _octets(block.get("hash"))

    def _words(self, contract: str, data: bytes, size: int) -> list[bytes]:
        answer = _octets(self._ask("eth_call", {"to": contract, "data": _hex(data)}, "latest"))
        if len(answer) != 32 * size:
            raise StepFailedError(f"the contract at {contract} is not the registry that it is said to be")
        return [answer[at : at + 32] for at in range(0, len(answer), 32)]

    def _ask(self, method: str, *values: Any) -> Any:
        """A kept or a fresh answer. What is kept is only what was found: an absence may end."""
        name = (method, jsontext.dumps(list(values)))
        if name in self._known:
            return self._known[name]
        try:
            answer = self._provider.make_request(RPCEndpoint(method), list(values))
        except (RequestException, Web3Exception, ValueError) as error:
            raise StepFailedError(f"the chain's RPC does not answer: {type(error).__name__}") from error
        if not isinstance(answer, dict) or "result" not in answer:
            raise StepFailedError(f"the chain's RPC refuses {method}")
        found = answer["result"]
        if found and (method != "eth_call" or any(_octets(found))):
            self._known[name] = found
        return found


def _event(log: Any) -> ChainEvent:
    if not isinstance(log, dict) or not isinstance(log.get("topics"), list):
        raise StepFailedError("the chain's RPC answers with something that is no log")
    return ChainEvent(
        contract=str(log.get("address")).lower(),
        topics=tuple(_octets(topic) for topic in log["topics"]),
        data=_octets(log.get("data")),
        block=_quantity(log.get("blockNumber")),
    )


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()


def _octets(text: Any) -> bytes:
    try:
        return bytes.fromhex(str(text).removeprefix("0x"))
    except ValueError as error:
        raise StepFailedError("the chain's RPC answers with something that is no hexadecimal") from error


def _quantity(text: Any) -> int:
    try:
        return int(str(text), 16)
    except ValueError as error:
        raise StepFailedError("the chain's RPC answers with something that is no quantity") from error
