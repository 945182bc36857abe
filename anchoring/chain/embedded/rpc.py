"""The JSON-RPC methods (ethereum/execution-apis), over one open chain. Blocks, calls, logs and transactions; no HTTP.

There are no filters, no subscriptions, no accounts of the node's own and no methods that change the chain but
`eth_sendRawTransaction`. `latest`, `pending`, `safe` and `finalized` are the same block: nothing waits and nothing is
taken back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final, TypeAlias

from eth.abc import BlockAPI, BlockHeaderAPI, StateAPI
from eth.exceptions import VMError
from eth_typing import Address
from eth_utils.exceptions import ValidationError

from anchoring.chain.embedded import calls
from anchoring.chain.embedded.admission import admit
from anchoring.chain.embedded.evm import EmbeddedChain, ExecutionTooLong
from anchoring.chain.embedded.logs import find_logs
from anchoring.chain.embedded.params import (
    BlockChoice,
    Parameters,
    read_address,
    read_call,
    read_filter,
    read_flag,
    read_hash,
    read_octets,
    read_quantity,
    read_slot,
)
from anchoring.chain.embedded.rpc_errors import INTERNAL_ERROR, METHOD_NOT_FOUND, RpcRefused
from anchoring.chain.embedded.wire import (
    Json,
    base_fee,
    block_json,
    log_json,
    octets,
    quantity,
    receipt_json,
    transaction_json,
)

FEE_HISTORY_BLOCKS: Final = 1_024
FEE_PERCENTILES: Final = 100
NEWEST: Final = frozenset({"latest", "pending", "safe", "finalized"})

Method: TypeAlias = Callable[[Parameters], Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    run: Method
    least: int
    most: int


class RpcMethods:
    """`call(name, parameters)` runs one method to its end, in the caller's thread."""

    def __init__(self, chain: EmbeddedChain) -> None:
        self._chain = chain
        self._client = f"consentry-embedded/py-evm-{version('py-evm')}"
        self._methods = self._table()
        self._newest: tuple[BlockHeaderAPI, Json] | None = None

    def call(self, name: str, values: Parameters) -> Json:
        """The method's result. Errors: `RpcRefused`; `CommitUncertain`, after which the process must end."""
        entry = self._methods.get(name)
        if entry is None:
            raise RpcRefused(f"the method {name[:64]} does not exist/is not available", code=METHOD_NOT_FOUND)
        values.expect(least=entry.least, most=entry.most)
        return entry.run(values)

    def _table(self) -> dict[str, _Entry]:
        rows: tuple[tuple[str, int, int, Method], ...] = (
            ("web3_clientVersion", 0, 0, lambda _: self._client),
            ("net_version", 0, 0, lambda _: str(self._chain.chain_id)),
            ("eth_chainId", 0, 0, lambda _: quantity(self._chain.chain_id)),
            ("eth_syncing", 0, 0, lambda _: False),
            ("eth_accounts", 0, 0, lambda _: []),
            ("eth_blockNumber", 0, 0, lambda _: quantity(self._chain.head.block_number)),
            ("eth_gasPrice", 0, 0, lambda _: quantity(base_fee(self._chain.head))),
            ("eth_maxPriorityFeePerGas", 0, 0, lambda _: quantity(0)),
            ("eth_feeHistory", 2, 3, self._fee_history),
            ("eth_getBalance", 1, 2, self._balance),
            ("eth_getTransactionCount", 1, 2, self._nonce),
            ("eth_getCode", 1, 2, self._code),
            ("eth_getStorageAt", 2, 3, self._storage),
            ("eth_call", 1, 2, self._call),
            ("eth_estimateGas", 1, 2, self._estimate),
            ("eth_sendRawTransaction", 1, 1, self._send),
            ("eth_getTransactionByHash", 1, 1, self._transaction),
            ("eth_getTransactionReceipt", 1, 1, self._receipt),
            ("eth_getBlockByNumber", 1, 2, self._block_by_number),
            ("eth_getBlockByHash", 1, 2, self._block_by_hash),
            ("eth_getBlockReceipts", 1, 1, self._block_receipts),
            ("eth_getLogs", 1, 1, self._logs),
        )
        return {name: _Entry(run=run, least=least, most=most) for name, least, most, run in rows}

    # -- fees

    def _fee_history(self, values: Parameters) -> Json:
        count, percentiles = values.at(0), values.at(2)
        blocks = count if type(count) is int else read_quantity(count, name="block count")
        if not isinstance(percentiles, list | None) or len(percentiles or ()) > FEE_PERCENTILES:
            raise RpcRefused("invalid reward percentile")
        last = self._header(values.block(1))
        first = max(0, last.block_number + 1 - max(1, min(blocks, FEE_HISTORY_BLOCKS)))
        headers = [self._header(number) for number in range(first, last.block_number + 1)]
        history: dict[str, Json] = {
            "oldestBlock": quantity(first),
            # One more than asked for: the next block's. It is 0 like all (see `evm`).
            "baseFeePerGas": [quantity(base_fee(header)) for header in (*headers, last)],
            "gasUsedRatio": [header.gas_used / header.gas_limit for header in headers],
        }
        if percentiles:
            history["reward"] = [[quantity(0)] * len(percentiles) for _ in headers]
        return history

    # -- state

    def _balance(self, values: Parameters) -> Json:
        return quantity(self._state(values, 1).get_balance(Address(read_address(values.at(0)))))

    def _nonce(self, values: Parameters) -> Json:
        return quantity(self._state(values, 1).get_nonce(Address(read_address(values.at(0)))))

    def _code(self, values: Parameters) -> Json:
        return octets(self._state(values, 1).get_code(Address(read_address(values.at(0)))))

    def _storage(self, values: Parameters) -> Json:
        address, slot = Address(read_address(values.at(0))), read_slot(values.at(1))
        return octets(self._state(values, 2).get_storage(address, slot).to_bytes(32, "big"))

    def _call(self, values: Parameters) -> Json:
        return octets(calls.call(self._chain, read_call(values.at(0)), self._context(values.block(1))))

    def _estimate(self, values: Parameters) -> Json:
        choice = values.block(1)
        # A transaction sent now runs in the next block, so that is where it is tried.
        context = self._context("pending" if choice == "latest" else choice)
        return quantity(calls.estimate_gas(self._chain, read_call(values.at(0)), context))

    # -- transactions

    def _send(self, values: Parameters) -> Json:
        admitted = admit(read_octets(values.at(0)), self._chain).transaction
        try:
            self._chain.mine(admitted)
        except (ExecutionTooLong, ValidationError) as e:
            raise RpcRefused(f"invalid transaction: {e}") from e
        except VMError as e:
            raise RpcRefused(f"invalid transaction: {type(e).__name__}") from e
        except sqlite3.Error as e:
            raise RpcRefused("the chain cannot write its file; nothing was mined", code=INTERNAL_ERROR) from e
        return octets(admitted.hash)

    def _transaction(self, values: Parameters) -> Json:
        found = self._located(read_hash(values.at(0)))
        if found is None:
            return None
        block, index = found
        return transaction_json(block.transactions[index], block.header, index)

    def _receipt(self, values: Parameters) -> Json:
        found = self._located(read_hash(values.at(0)))
        if found is None:
            return None
        return self._receipts(found[0])[found[1]]

    def _located(self, transaction_hash: bytes) -> tuple[BlockAPI, int] | None:
        place = self._chain.locate(transaction_hash)
        if place is None:
            return None
        return self._chain.block(self._header(place[0])), place[1]

    # -- blocks and logs

    def _block_by_number(self, values: Parameters) -> Json:
        return self._shown(self._find(values.block(0)), full=read_flag(values.at(1)))

    def _block_by_hash(self, values: Parameters) -> Json:
        return self._shown(self._find(read_hash(values.at(0))), full=read_flag(values.at(1)))

    def _shown(self, header: BlockHeaderAPI | None, *, full: bool) -> Json:
        if header is None or full:
            return None if header is None else block_json(self._chain.block(header), full=full)
        # Whoever follows the chain asks for its newest block many times a second, and mostly there is no newer one.
        if header is not self._chain.head:
            return block_json(self._chain.block(header), full=False)
        if self._newest is None or self._newest[0] is not header:
            self._newest = header, block_json(self._chain.block(header), full=False)
        return self._newest[1]

    def _block_receipts(self, values: Parameters) -> Json:
        header = self._find(values.block(0))
        return None if header is None else self._receipts(self._chain.block(header))

    def _receipts(self, block: BlockAPI) -> list[dict[str, Json]]:
        receipts = self._chain.receipts(block)
        rows = list(self._chain.store.logs("block = ?", (block.number,)))
        return [
            receipt_json(block, receipts, index, [row for row in rows if row.transaction_index == index])
            for index in range(len(receipts))
        ]

    def _logs(self, values: Parameters) -> Json:
        found = find_logs(self._chain, read_filter(values.at(0)), self._header)
        hashes: dict[int, bytes] = {}
        for row in found:
            if row.block not in hashes:
                hashes[row.block] = self._header(row.block).hash
        return [log_json(row, hashes[row.block]) for row in found]

    # -- choosing a block

    def _find(self, choice: BlockChoice) -> BlockHeaderAPI | None:
        if isinstance(choice, bytes):
            return self._chain.header_by_hash(choice)
        if choice in NEWEST:
            return self._chain.head
        return self._chain.header(0 if isinstance(choice, str) else choice)

    def _header(self, choice: BlockChoice) -> BlockHeaderAPI:
        header = self._find(choice)
        if header is None:
            raise RpcRefused("header not found")
        return header

    def _state(self, values: Parameters, place: int) -> StateAPI:
        return self._chain.state(self._header(values.block(place)))

    def _context(self, choice: BlockChoice) -> BlockHeaderAPI:
        if choice == "pending":
            return self._chain.next_header()
        header = self._header(choice)
        if choice in NEWEST:
            return header.copy(timestamp=max(self._chain.now(), header.timestamp))
        return header
