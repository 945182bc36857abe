"""Privacy budgets as BudgetLedger keeps them: how they are named, how they stand, and what a debit is. Pure.

Limits and amounts are in millionths of epsilon, 1 to 2^64 - 1. A limit never changes, and what is spent stays spent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from eth_abi.abi import encode

from anchoring.errors import ChainUnavailable
from anchoring.merkle import WORD, keccak256

MAX_ACCOUNTS: Final = 4
"""Accounts that one debit names at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A data set's or a group's account below a ledger."""

    limit: int
    spent: int

    @property
    def left(self) -> int:
        return self.limit - self.spent


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger(Account):
    """A population's ledger, the account of all. `gateway`: whose owner opened it; `debtor`: the account on chain that
    alone debits it."""

    gateway: bytes
    debtor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Debited:
    """A debit that stands on chain. `accounts`: 32 bytes each, in ascending order."""

    ledger: bytes
    ref: bytes
    amount: int
    accounts: tuple[bytes, ...]


def ledger_id(gateway: bytes, population: bytes) -> bytes:
    """keccak256(abi.encode(gateway, population)), as BudgetLedger names a ledger. ValueError unless 32 bytes each."""
    if len(gateway) != WORD or len(population) != WORD:
        raise ValueError("gateway and population have 32 bytes")
    return keccak256(gateway + population)


def debit_digest(amount: int, accounts: Sequence[bytes]) -> bytes:
    """keccak256(abi.encode(amount, accounts)): what `debitOf` answers of a debit. `accounts` in any order."""
    return keccak256(encode(["uint64", "bytes32[]"], [amount, sorted(accounts)]))


def debited(keys: Sequence[bytes], args: Mapping[str, bytes | int]) -> Debited:
    """What a `Debited` event says, by its keys and args as they are indexed. Raises ChainUnavailable for another's."""
    amount, joined = args.get("amount"), args.get("accounts")
    if len(keys) != 2 or not isinstance(amount, int) or not isinstance(joined, bytes) or len(joined) % WORD:
        raise ChainUnavailable("an event that is no debit")
    accounts = tuple(joined[at : at + WORD] for at in range(0, len(joined), WORD))
    return Debited(ledger=keys[0], ref=keys[1], amount=amount, accounts=accounts)
