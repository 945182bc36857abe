"""How blocks, transactions, receipts and logs look in JSON-RPC (ethereum/execution-apis, as geth prints them).

Quantities are `0x` hex without leading zeros, octets `0x` hex of even length. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import rlp  # type: ignore[import-untyped]  # rlp ships no types
from eth.abc import BlockAPI, BlockHeaderAPI, ReceiptAPI, SignedTransactionAPI
from eth_utils.crypto import keccak

from anchoring.chain.embedded.store import LogRow

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | dict[str, Json] | None"

LEGACY: Final = 0
ACCESS_LIST: Final = 1
DYNAMIC_FEE: Final = 2


def quantity(number: int) -> str:
    """A non-negative integer as JSON-RPC's QUANTITY."""
    return hex(number)


def octets(value: bytes) -> str:
    """Bytes as JSON-RPC's DATA."""
    return "0x" + value.hex()


def transaction_type(transaction: SignedTransactionAPI) -> int:
    """EIP-2718's type; py-evm has None for a legacy transaction."""
    return transaction.type_id or LEGACY


def base_fee(header: BlockHeaderAPI) -> int:
    """Wei burned for a unit of gas; py-evm's type allows headers from before London, which this chain has not."""
    return header.base_fee_per_gas or 0


def effective_gas_price(transaction: SignedTransactionAPI, header: BlockHeaderAPI) -> int:
    """Wei the sender paid for a unit of gas (EIP-1559)."""
    return min(transaction.max_fee_per_gas, base_fee(header) + transaction.max_priority_fee_per_gas)


def contract_address(transaction: SignedTransactionAPI) -> bytes:
    """The address of the contract that a creating transaction makes (Yellow Paper, section 7)."""
    return keccak(rlp.encode([transaction.sender, transaction.nonce]))[12:]


def log_json(row: LogRow, block_hash: bytes) -> dict[str, Json]:
    """One log entry."""
    return {
        "address": octets(row.address),
        "blockHash": octets(block_hash),
        "blockNumber": quantity(row.block),
        "data": octets(row.data),
        "logIndex": quantity(row.index),
        "removed": False,
        "topics": [octets(topic) for topic in row.topics],
        "transactionHash": octets(row.transaction),
        "transactionIndex": quantity(row.transaction_index),
    }


def transaction_json(transaction: SignedTransactionAPI, header: BlockHeaderAPI, index: int) -> dict[str, Json]:
    """A mined transaction. `header` is its block's."""
    kind = transaction_type(transaction)
    legacy = kind == LEGACY
    shown: dict[str, Json] = {
        "blockHash": octets(header.hash),
        "blockNumber": quantity(header.block_number),
        "from": octets(transaction.sender),
        "gas": quantity(transaction.gas),
        "gasPrice": quantity(effective_gas_price(transaction, header)),
        "hash": octets(transaction.hash),
        "input": octets(transaction.data),
        "nonce": quantity(transaction.nonce),
        "r": quantity(transaction.r),
        "s": quantity(transaction.s),
        "to": octets(transaction.to) if transaction.to else None,
        "transactionIndex": quantity(index),
        "type": quantity(kind),
        # A legacy transaction's v holds the chain id (EIP-155); a typed one's is the parity.
        "v": quantity(transaction.v if legacy else transaction.y_parity),  # type: ignore[attr-defined]  # on the legacy class only
        "value": quantity(transaction.value),
    }
    if transaction.chain_id is not None:
        shown["chainId"] = quantity(transaction.chain_id)
    if not legacy:
        shown["yParity"] = quantity(transaction.y_parity)
        shown["accessList"] = [
            {"address": octets(address), "storageKeys": [octets(slot.to_bytes(32, "big")) for slot in slots]}
            for address, slots in transaction.access_list
        ]
    if kind == DYNAMIC_FEE:
        shown["maxFeePerGas"] = quantity(transaction.max_fee_per_gas)
        shown["maxPriorityFeePerGas"] = quantity(transaction.max_priority_fee_per_gas)
    return shown


def receipt_json(
    block: BlockAPI, receipts: Sequence[ReceiptAPI], index: int, logs: Sequence[LogRow]
) -> dict[str, Json]:
    """The receipt of the transaction at `index` in `block`; `logs` are that transaction's."""
    transaction, receipt, header = block.transactions[index], receipts[index], block.header
    before = receipts[index - 1].gas_used if index else 0
    return {
        "blockHash": octets(header.hash),
        "blockNumber": quantity(header.block_number),
        "contractAddress": None if transaction.to else octets(contract_address(transaction)),
        "cumulativeGasUsed": quantity(receipt.gas_used),
        "effectiveGasPrice": quantity(effective_gas_price(transaction, header)),
        "from": octets(transaction.sender),
        "gasUsed": quantity(receipt.gas_used - before),
        "logs": [log_json(row, header.hash) for row in logs],
        "logsBloom": octets(receipt.bloom.to_bytes(256, "big")),
        # Since Byzantium the field holds the status, one byte or none (EIP-658).
        "status": quantity(int.from_bytes(receipt.state_root, "big")),
        "to": octets(transaction.to) if transaction.to else None,
        "transactionHash": octets(transaction.hash),
        "transactionIndex": quantity(index),
        "type": quantity(transaction_type(transaction)),
    }


def block_json(block: BlockAPI, *, full: bool) -> dict[str, Json]:
    """A block with its transactions' hashes, or the transactions themselves. Its fields give its hash again."""
    header = block.header
    shown = [
        transaction_json(transaction, header, index) if full else octets(transaction.hash)
        for index, transaction in enumerate(block.transactions)
    ]
    return {
        "baseFeePerGas": quantity(base_fee(header)),
        "blobGasUsed": quantity(header.blob_gas_used),
        "difficulty": quantity(header.difficulty),
        "excessBlobGas": quantity(header.excess_blob_gas),
        "extraData": octets(header.extra_data),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "hash": octets(header.hash),
        "logsBloom": octets(header.bloom.to_bytes(256, "big")),
        "miner": octets(header.coinbase),
        "mixHash": octets(header.mix_hash),
        "nonce": octets(header.nonce),
        "number": quantity(header.block_number),
        "parentBeaconBlockRoot": octets(header.parent_beacon_block_root or bytes(32)),
        "parentHash": octets(header.parent_hash),
        "receiptsRoot": octets(header.receipt_root),
        "requestsHash": octets(header.requests_hash),  # type: ignore[attr-defined]  # Prague's field, not in the API class
        "sha3Uncles": octets(header.uncles_hash),
        "size": quantity(len(rlp.encode(block))),
        "stateRoot": octets(header.state_root),
        "timestamp": quantity(header.timestamp),
        "transactions": shown,
        "transactionsRoot": octets(header.transaction_root),
        "uncles": [],
        "withdrawals": [],
        "withdrawalsRoot": octets(header.withdrawals_root or bytes(32)),
    }
