"""What a block says to who walks pins and to who rebuilds: which key it names, and whether its content is there."""

import pytest

from gateway.crypto import envelope, hazmat
from gateway.crypto.model import subject_domain
from gateway.errors import IntegrityError
from tests.unit.gateway.consent.cases import OTHER_PATIENT
from tests.unit.gateway.crypto.blocks import KEY, LOG, domain_key, sealed

OTHER = domain_key(subject_domain(OTHER_PATIENT), b"O" * 32, KEY.id)
NONCE = b"n" * hazmat.NONCE_SIZE


def test_a_locator_names_the_key_of_its_block() -> None:
    assert envelope.key_named_by(sealed().locator, LOG) == KEY.id


@pytest.mark.parametrize("at", [0, 11, 12, 40, 75])
def test_a_locator_that_was_changed_names_nothing(at: int) -> None:
    locator = sealed().locator
    with pytest.raises(IntegrityError):
        envelope.key_named_by(locator[:at] + bytes([locator[at] ^ 1]) + locator[at + 1 :], LOG)


@pytest.mark.parametrize("size", [0, 47, 49])
def test_what_was_sealed_under_the_log_key_and_is_no_locator_names_nothing(size: int) -> None:
    other = NONCE + hazmat.seal(LOG.locating, NONCE, bytes(size), envelope.MAGIC)
    with pytest.raises(IntegrityError):
        envelope.key_named_by(other, LOG)


def test_a_block_is_whole_as_it_was_sealed() -> None:
    assert envelope.is_whole(envelope.locate(sealed().block, LOG), KEY) is True


def test_a_block_of_which_any_octet_behind_its_locator_was_changed_is_not_whole() -> None:
    block = sealed().block
    start = len(envelope.MAGIC) + len(sealed().locator)
    for at in (*range(start, len(block), 37), len(block) - 1):
        changed = block[:at] + bytes([block[at] ^ 1]) + block[at + 1 :]
        assert envelope.is_whole(envelope.locate(changed, LOG), KEY) is False, at


def test_a_block_with_anothers_content_is_not_whole() -> None:
    one, other = sealed().block, sealed(b'{"value":2.20}', seed=b"other").block
    facts_end = len(one) - envelope.locate(one, LOG).content_size - hazmat.NONCE_SIZE
    assert envelope.is_whole(envelope.locate(one[:facts_end] + other[facts_end:], LOG), KEY) is False


def test_a_block_is_not_whole_under_another_subjects_key() -> None:
    assert envelope.is_whole(envelope.locate(sealed().block, LOG), OTHER) is False


def test_a_block_of_another_version_is_not_whole_as_this_one() -> None:
    one, other = sealed(version=1).block, sealed(version=2).block
    locator = slice(len(envelope.MAGIC), len(envelope.MAGIC) + len(sealed().locator))
    mixed = other[: locator.stop] + one[locator.stop :]
    assert envelope.is_whole(envelope.locate(mixed, LOG), KEY) is False
