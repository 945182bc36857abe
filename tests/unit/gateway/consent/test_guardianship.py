"""Who guards a subject: one hash here and on chain, and who of several namings holds."""

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from gateway.consent.guardianship import Guardian, Guardianship, fold_guardians, from_json, places, to_json
from gateway.errors import IntegrityError
from gateway.ids import ActorId
from gateway.ports.rows import EventRow
from tests.unit.gateway.consent.cases import PATIENT
from tests.unit.gateway.consent.events import event

DELAY = 100
ONE, TWO, THREE = (bytes([number]) * 32 for number in (1, 2, 3))


def guardianship(*signers: bytes, threshold: int = 1) -> Guardianship:
    guardians = tuple(Guardian(actor=ActorId(bytes([at]) * 32), signer=one) for at, one in enumerate(signers))
    return Guardianship(guardians=guardians, threshold=threshold, salt=b"\x51" * 32)


def named(seq: int, name: bytes, effective_at: int) -> EventRow:
    return event("GuardiansSet", PATIENT, guardians=name, effectiveAt=effective_at, seq=seq)


def proposed(seq: int, ready_at: int) -> EventRow:
    return event("RecoveryProposed", PATIENT, controller=b"", readyAt=ready_at, unstoppable=0, seq=seq)


def who(*events: EventRow, now: int) -> tuple[bytes | None, bytes | None]:
    held, following = fold_guardians(events, delay=DELAY, now=now)
    return held and held.name, following and following.name


@pytest.mark.parametrize("signers", [(), (b"\x01" * 20,), (b"\x01" * 20, b"\x02" * 84, b"\x03" * 33)])
def test_the_hash_is_that_of_the_abi_form(signers: tuple[bytes, ...]) -> None:
    made = guardianship(*signers, threshold=2)
    assert made.name == keccak(encode(["bytes[]", "uint32", "bytes32"], [list(signers), 2, made.salt]))


def test_what_was_sealed_is_opened_and_anything_else_is_not() -> None:
    made = guardianship(b"\x01" * 20, b"\x02" * 84)
    sealed = {"guardianship": to_json(made)}
    assert from_json(sealed, name=made.name) == made
    for wrong, name in ((sealed, ONE), ({}, made.name), ([], made.name), ({"guardianship": {"salt": 1}}, made.name)):
        with pytest.raises(IntegrityError):
            from_json(wrong, name=name)


def test_guardians_are_found_by_their_places() -> None:
    made = guardianship(b"\x01" * 20, b"\x02" * 20)
    assert places(made, [b"\x02" * 20, b"\x01" * 20]) == (1, 0)
    assert places(made, [b"\x03" * 20]) is None


def test_the_first_hold_at_once_and_others_after_the_delay() -> None:
    events = (named(1, ONE, 10), named(2, TWO, 50 + DELAY))
    assert who(*events, now=60) == (ONE, TWO)
    assert who(*events, now=50 + DELAY) == (TWO, None)


def test_a_replacement_goes_when_others_are_named_before_it_holds() -> None:
    events = (named(1, ONE, 10), named(2, TWO, 50 + DELAY), named(3, THREE, 60 + DELAY))
    assert who(*events, now=55 + DELAY) == (ONE, THREE)
    assert who(*events, now=60 + DELAY) == (THREE, None)


def test_a_replacement_that_held_is_not_undone_by_the_next() -> None:
    events = (named(1, ONE, 10), named(2, TWO, 50 + DELAY), named(3, THREE, 200 + DELAY))
    assert who(*events, now=210) == (TWO, THREE)


def test_a_proposal_takes_away_a_replacement_that_does_not_hold_yet() -> None:
    begun = (named(1, ONE, 10), named(2, TWO, 50 + DELAY))
    assert who(*begun, proposed(3, 60 + DELAY), now=500) == (ONE, None)
    assert who(*begun, proposed(3, 50 + 2 * DELAY), now=500) == (TWO, None)
