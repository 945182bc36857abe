"""Names and digests as the contract makes them; a debit read from its event."""

import pytest
from eth_abi.abi import encode

from anchoring.chain.budgets import Account, Debited, Ledger, debit_digest, debited, ledger_id
from anchoring.errors import ChainUnavailable
from anchoring.merkle import keccak256

GATEWAY, POPULATION, LEDGER, REF = (bytes([number]) * 32 for number in (1, 2, 3, 4))
ACCOUNTS = (b"\x0a" * 32, b"\x0b" * 32)


def test_a_ledger_is_named_by_gateway_and_population() -> None:
    assert ledger_id(GATEWAY, POPULATION) == keccak256(encode(["bytes32", "bytes32"], [GATEWAY, POPULATION]))


@pytest.mark.parametrize("words", [(b"", POPULATION), (GATEWAY, POPULATION[:31])])
def test_a_shorter_word_names_nothing(words: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        ledger_id(*words)


def test_a_digest_does_not_depend_on_the_order_that_accounts_are_named_in() -> None:
    expected = keccak256(encode(["uint64", "bytes32[]"], [7, list(ACCOUNTS)]))
    assert debit_digest(7, ACCOUNTS) == debit_digest(7, ACCOUNTS[::-1]) == expected
    assert debit_digest(7, ACCOUNTS[:1]) != expected != debit_digest(8, ACCOUNTS)


def test_a_debit_is_read_from_its_event() -> None:
    args = {"amount": 7, "accounts": b"".join(ACCOUNTS)}
    assert debited((LEDGER, REF), args) == Debited(ledger=LEDGER, ref=REF, amount=7, accounts=ACCOUNTS)
    assert debited((LEDGER, REF), {"amount": 7, "accounts": b""}).accounts == ()


@pytest.mark.parametrize(
    ("keys", "args"),
    [
        ((LEDGER,), {"amount": 7, "accounts": b""}),
        ((LEDGER, REF), {"accounts": b""}),
        ((LEDGER, REF), {"amount": 7}),
        ((LEDGER, REF), {"amount": b"7", "accounts": b""}),
        ((LEDGER, REF), {"amount": 7, "accounts": bytes(33)}),
    ],
)
def test_another_event_is_no_debit(keys: tuple[bytes, ...], args: dict[str, bytes | int]) -> None:
    with pytest.raises(ChainUnavailable):
        debited(keys, args)


def test_what_is_left_is_what_was_not_spent() -> None:
    assert Ledger(gateway=GATEWAY, debtor="0x", limit=10, spent=3).left == 7
    assert Account(limit=10, spent=10).left == 0
