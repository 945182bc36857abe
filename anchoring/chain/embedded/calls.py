"""Executing without a transaction: `eth_call` and `eth_estimateGas`. Nothing is written.

A call on `latest` sees the head's state and number, with the clock's time: on a chain that mines on demand the head
may be hours old, and a consent window is judged by the time it is asked at. `pending` is the next block; a numbered
block is run in its own context. Gas costs nothing, so a sender needs funds only for the value it moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from eth.abc import BlockHeaderAPI, ComputationAPI, SignedTransactionAPI, StateAPI
from eth.exceptions import OutOfGas, Revert, VMError
from eth.vm.forks.prague.transactions import PragueTransactionBuilder
from eth.vm.spoof import SpoofTransaction
from eth_typing import Address
from eth_utils.exceptions import ValidationError

from anchoring.chain.embedded.admission import MAX_INITCODE_BYTES, floor_gas
from anchoring.chain.embedded.evm import TRANSACTION_GAS_CAP, EmbeddedChain, ExecutionTooLong, execution_deadline
from anchoring.chain.embedded.params import CallRequest
from anchoring.chain.embedded.rpc_errors import REVERTED, RpcRefused
from anchoring.chain.embedded.wire import octets

CALL_GAS_CAP: Final = 50_000_000  # geth's RPCGasCap
ERROR_STRING: Final = bytes.fromhex("08c379a0")  # Solidity's Error(string)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A finished execution. `gas_needed` is what it took before refunds, and at least the floor of its data."""

    output: bytes
    error: VMError | None
    gas_needed: int


def call(chain: EmbeddedChain, request: CallRequest, at: BlockHeaderAPI) -> bytes:
    """The output of a call in the context of `at`. Errors: `RpcRefused`, code 3 with data for a revert."""
    ran = _run(chain, request, at, min(request.gas or CALL_GAS_CAP, CALL_GAS_CAP))
    if ran.error is not None:
        raise _refusal(ran.output, ran.error)
    return ran.output


def estimate_gas(chain: EmbeddedChain, request: CallRequest, at: BlockHeaderAPI) -> int:
    """A gas limit with which this transaction, sent now, succeeds: tried, not only computed.

    What was used is tried first. It may fall short, because a call passes on at most 63/64 of its gas (EIP-150) and a
    contract may look at what is left; then more is tried, up to the cap. Errors: `RpcRefused`.
    """
    most = min(request.gas or TRANSACTION_GAS_CAP, TRANSACTION_GAS_CAP)
    ran = _run(chain, request, at, most)
    if ran.error is not None:
        if isinstance(ran.error, OutOfGas):
            raise RpcRefused(f"gas required exceeds allowance ({most})")
        raise _refusal(ran.output, ran.error)
    used = ran.gas_needed
    for candidate in (used, used * 64 // 63 + 3_000, used * 5 // 4 + 10_000, used * 2):
        if candidate < most and _run(chain, request, at, candidate).error is None:
            return candidate
    return most


def _run(chain: EmbeddedChain, request: CallRequest, at: BlockHeaderAPI, gas: int) -> Ran:
    state = chain.vm(at).state
    sender = Address(request.sender)
    if request.value and state.get_balance(sender) < request.value:
        raise RpcRefused(
            f"insufficient funds for gas * price + value: address {octets(sender)} "
            f"have {state.get_balance(sender)} want {request.value}"
        )
    if request.to is None and len(request.data) > MAX_INITCODE_BYTES:
        raise RpcRefused(f"max initcode size exceeded: code size {len(request.data)} limit {MAX_INITCODE_BYTES}")
    unsigned = PragueTransactionBuilder.new_unsigned_access_list_transaction(
        chain_id=chain.chain_id,
        nonce=state.get_nonce(sender),
        gas_price=0,
        gas=gas,
        to=Address(request.to or b""),
        value=request.value,
        data=request.data,
        access_list=[(Address(address), slots) for address, slots in request.access_list],
    )
    floor = max(unsigned.intrinsic_gas, floor_gas(request.data))
    if gas < floor:
        raise RpcRefused(f"intrinsic gas too low: gas {gas}, minimum needed {floor}")
    computation = _apply(state, cast(SignedTransactionAPI, SpoofTransaction(unsigned, from_=sender)))
    error = computation.error if computation.is_error else None
    return Ran(output=computation.output, error=error, gas_needed=max(gas - computation.get_gas_remaining(), floor))


def _apply(state: StateAPI, spoof: SignedTransactionAPI) -> ComputationAPI:
    try:
        with execution_deadline():
            return state.apply_transaction(spoof)
    except ExecutionTooLong as e:
        raise RpcRefused(str(e)) from e
    except ValidationError as e:
        raise RpcRefused(f"invalid call: {e}") from e


def _refusal(output: bytes, error: VMError) -> RpcRefused:
    if isinstance(error, Revert):
        reason = revert_reason(output)
        text = "execution reverted" if reason is None else f"execution reverted: {reason}"
        return RpcRefused(text, code=REVERTED, data=octets(output))
    return RpcRefused("out of gas" if isinstance(error, OutOfGas) else f"execution failed: {type(error).__name__}")


def revert_reason(output: bytes) -> str | None:
    """The text of Solidity's `Error(string)`, or None for anything else (custom errors, panics, nothing)."""
    if output[:4] != ERROR_STRING or len(output) < 68:
        return None
    size = int.from_bytes(output[36:68], "big")
    text = output[68 : 68 + size]
    if int.from_bytes(output[4:36], "big") != 32 or len(text) != size:
        return None
    return text.decode("utf-8", errors="replace")
