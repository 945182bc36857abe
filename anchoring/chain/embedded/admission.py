"""Which signed transactions are taken. What passes here is mined; what does not changed nothing.

True of an `Admitted`: type 0, 1 or 2, signed for this chain (EIP-155), canonical encoding, low-s signature, next nonce,
enough funds and gas. Refusals carry geth's texts, because clients decide on them (core/txpool/validation.go,
core/error.go). py-evm itself checks neither the chain id nor the fee order, the floor gas or the sender's code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import rlp  # type: ignore[import-untyped]  # rlp ships no types
from eth.abc import SignedTransactionAPI, StateAPI
from eth.constants import SECPK1_N
from eth.vm.forks.prague.transactions import PragueTransactionBuilder
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from anchoring.chain.embedded.evm import TRANSACTION_GAS_CAP, EmbeddedChain
from anchoring.chain.embedded.params import UINT64, UINT256
from anchoring.chain.embedded.rpc_errors import RpcRefused
from anchoring.chain.embedded.wire import ACCESS_LIST, DYNAMIC_FEE, LEGACY, octets, transaction_type

MAX_TRANSACTION_BYTES: Final = 128 * 1024
MAX_INITCODE_BYTES: Final = 49_152  # EIP-3860
BASE_GAS: Final = 21_000
FLOOR_GAS_A_TOKEN: Final = 10  # EIP-7623
FIRST_LIST_BYTE: Final = 0xC0


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A transaction that may be mined now. Only `admit` builds it."""

    transaction: SignedTransactionAPI


def admit(raw: bytes, chain: EmbeddedChain) -> Admitted:
    """Decode and check a signed transaction against the head. Errors: `RpcRefused` (-32000, geth's text)."""
    transaction = _decode(raw)
    _check_chain(transaction, chain.chain_id)
    if chain.locate(transaction.hash) is not None:
        raise RpcRefused("already known")
    _check_fields(transaction)
    _check_gas(transaction)
    _check_signature(transaction)
    check_account(transaction, chain.state(chain.head))
    return Admitted(transaction=transaction)


def floor_gas(data: bytes) -> int:
    """The least gas a transaction with this data pays (EIP-7623)."""
    zeros = data.count(0)
    return BASE_GAS + FLOOR_GAS_A_TOKEN * (zeros + 4 * (len(data) - zeros))


def _decode(raw: bytes) -> SignedTransactionAPI:
    if len(raw) > MAX_TRANSACTION_BYTES:
        raise RpcRefused(f"oversized data: transaction size {len(raw)}, limit {MAX_TRANSACTION_BYTES}")
    if not raw:
        raise RpcRefused("typed transaction too short")
    if raw[0] < FIRST_LIST_BYTE and raw[0] not in (ACCESS_LIST, DYNAMIC_FEE):
        raise RpcRefused("transaction type not supported")
    try:
        transaction = PragueTransactionBuilder.decode(raw)
        same = keccak(raw) == transaction.hash
    except (rlp.exceptions.RLPException, ValidationError, TypeError, ValueError, IndexError) as e:
        raise RpcRefused("rlp: the transaction cannot be decoded") from e
    if not same:
        raise RpcRefused("rlp: non-canonical transaction encoding")
    return transaction


def _check_chain(transaction: SignedTransactionAPI, chain_id: int) -> None:
    signed_for = transaction.chain_id
    if signed_for is None:
        raise RpcRefused("only replay-protected (EIP-155) transactions allowed over RPC")
    if signed_for != chain_id:
        raise RpcRefused(f"invalid sender: invalid chain id for signer: have {signed_for} want {chain_id}")


def _check_fields(transaction: SignedTransactionAPI) -> None:
    tip, fee = transaction.max_priority_fee_per_gas, transaction.max_fee_per_gas
    if tip > UINT256:
        raise RpcRefused("max priority fee per gas higher than 2^256-1")
    if fee > UINT256:
        raise RpcRefused("max fee per gas higher than 2^256-1")
    if tip > fee:
        raise RpcRefused("max priority fee per gas higher than max fee per gas")
    if transaction.value > UINT256 or transaction.nonce > UINT64 or transaction.gas > UINT64:
        raise RpcRefused("rlp: a field of the transaction is out of range")
    if transaction.nonce == UINT64:
        raise RpcRefused("nonce has max value")


def _check_gas(transaction: SignedTransactionAPI) -> None:
    gas, data = transaction.gas, transaction.data
    if gas > TRANSACTION_GAS_CAP:
        raise RpcRefused(f"transaction gas limit too high (cap: {TRANSACTION_GAS_CAP}, tx: {gas})")
    if not transaction.to and len(data) > MAX_INITCODE_BYTES:
        raise RpcRefused(f"max initcode size exceeded: code size {len(data)} limit {MAX_INITCODE_BYTES}")
    if gas < transaction.intrinsic_gas:
        raise RpcRefused(f"intrinsic gas too low: gas {gas}, minimum needed {transaction.intrinsic_gas}")
    if gas < floor_gas(data):
        raise RpcRefused(f"insufficient gas for floor data gas cost: gas {gas}, minimum needed {floor_gas(data)}")


def _check_signature(transaction: SignedTransactionAPI) -> None:
    """A signer can be recovered. High-s and out-of-range values are refused (EIP-2): no second form of a signature."""
    r, s = transaction.r, transaction.s
    parity = 0 if transaction_type(transaction) == LEGACY else transaction.y_parity
    if parity not in (0, 1) or not 0 < r < SECPK1_N or not 0 < s <= SECPK1_N // 2:
        raise RpcRefused("invalid sender: invalid transaction v, r, s values")
    try:
        transaction.check_signature_validity()
    except (BadSignature, ValidationError) as e:
        raise RpcRefused("invalid sender: recovery failed") from e


def check_account(transaction: SignedTransactionAPI, state: StateAPI) -> None:
    """The sender is no contract (EIP-3607), its next nonce is this one, and it can pay. Errors: `RpcRefused`."""
    address, nonce = transaction.sender, transaction.nonce
    if state.get_code(address):
        raise RpcRefused(f"sender not an eoa: address {octets(address)}")
    expected = state.get_nonce(address)
    if nonce < expected:
        raise RpcRefused(f"nonce too low: next nonce {expected}, tx nonce {nonce}")
    if nonce > expected:
        # geth would queue it. Here nothing waits: what is acknowledged is mined.
        raise RpcRefused(f"nonce too high: tx nonce {nonce}, gapped nonce {expected}")
    balance, cost = state.get_balance(address), transaction.gas * transaction.max_fee_per_gas + transaction.value
    if balance < cost:
        raise RpcRefused(
            f"insufficient funds for gas * price + value: balance {balance}, tx cost {cost}, overshot {cost - balance}"
        )
