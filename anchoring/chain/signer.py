"""One account: signs EIP-1559 transactions for one chain id. It keeps no nonce and sends nothing.

The zero chain id and pre-EIP-155 transactions are never signed, so a transaction is good on its own chain alone.
"""

from dataclasses import dataclass
from typing import Any, Final

import rlp  # type: ignore[import-untyped]  # ships no types
from eth_account import Account
from eth_account.signers.local import LocalAccount

from anchoring.errors import AnchoringError
from anchoring.merkle import keccak256

GWEI: Final = 10**9
BUMP_PERCENT: Final = 25
"""Nodes take a replacement only at 10 % more of both fees or above (geth: `--txpool.pricebump` 10; some ask 12.5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees:
    """wei per gas: the most in all, and what goes to the block's maker."""

    most: int
    tip: int

    def bumped(self, *, at_least: "Fees") -> "Fees":
        """Enough more to replace a transaction that has these. What is free stays free: some accounts own nothing."""
        if self.most == 0 and at_least.most == 0:
            return self
        return Fees(most=max(_raised(self.most), at_least.most), tip=max(_raised(self.tip), at_least.tip))


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a signed transaction offers."""

    fees: Fees
    gas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedTransaction:
    """`raw`: what eth_sendRawTransaction takes; `hash`: keccak-256 of it, which names it."""

    raw: bytes
    hash: bytes


class Signer:
    """`key`: 32 bytes, secp256k1."""

    def __init__(self, key: bytes, *, chain_id: int) -> None:
        if chain_id <= 0:
            raise AnchoringError("a chain id is a positive number")
        self._account: LocalAccount = Account.from_key(key)
        self._chain_id = chain_id
        self.address: Final = str(self._account.address)

    def sign(self, *, to: str | None, data: bytes, nonce: int, gas: int, fees: Fees) -> SignedTransaction:
        """A transaction without value; `to` None deploys. Signing is deterministic (RFC 6979)."""
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": self._chain_id,
            "nonce": nonce,
            "gas": gas,
            "maxFeePerGas": fees.most,
            "maxPriorityFeePerGas": fees.tip,
            "value": 0,
            "data": data,
        }
        if to is not None:
            fields["to"] = to
        raw = bytes(self._account.sign_transaction(fields).raw_transaction)
        return SignedTransaction(raw=raw, hash=keccak256(raw))


def fees_for(*, base_fee: int, suggested_tip: int) -> Fees:
    """What to offer at a base fee: twice it, so that six full blocks in a row still take it. A chain whose base fee is
    0 charges nothing, and gets no tip either."""
    if base_fee == 0:
        return Fees(most=0, tip=0)
    return Fees(most=2 * base_fee + suggested_tip, tip=suggested_tip)


def terms_of(raw: bytes) -> Terms:
    """Reads back what `Signer.sign` wrote (EIP-1559: 2 ‖ rlp([chain id, nonce, tip, most, gas, …]))."""
    fields = rlp.decode(raw[1:])
    tip, most, gas = (int.from_bytes(field, "big") for field in fields[2:5])
    return Terms(fees=Fees(most=most, tip=tip), gas=gas)


def _raised(fee: int) -> int:
    return fee + max(1, fee * BUMP_PERCENT // 100)
