"""A guardianship has one hash here and on chain, is nothing else than its hash says, and is not what none may be."""

from dataclasses import replace

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from gateway.consent.guardianship import Guardian, Guardianship, check, hash_of, paper_of, read_paper
from gateway.errors import CallerError, IntegrityError
from gateway.ids import ActorId
from gateway.ports.documents import PaperKind

SALT = b"\x05" * 32
PATIENT = b"\x09" * 20


def guardian(number: int) -> Guardian:
    return Guardian(actor=ActorId(bytes([number]) * 32), signer=bytes([number]) * 20)


def of(count: int, threshold: int) -> Guardianship:
    return Guardianship(
        guardians=tuple(guardian(number + 1) for number in range(count)), threshold=threshold, salt=SALT
    )


@given(
    st.lists(st.binary(min_size=20, max_size=120), max_size=16),
    st.integers(0, 2**32 - 1),
    st.binary(min_size=32, max_size=32),
)
def test_the_hash_is_the_registrys(signers: list[bytes], threshold: int, salt: bytes) -> None:
    guardians = tuple(Guardian(actor=ActorId(bytes(32)), signer=signer) for signer in signers)
    found = hash_of(Guardianship(guardians=guardians, threshold=threshold, salt=salt))
    assert found == keccak(encode(["bytes[]", "uint32", "bytes32"], [signers, threshold, salt]))


def test_a_paper_is_read_by_its_hash_alone() -> None:
    paper = paper_of(of(3, 2))
    assert read_paper(paper, paper.name) == of(3, 2)
    for other in (of(3, 1), of(2, 2), replace(of(3, 2), salt=bytes(32))):
        with pytest.raises(IntegrityError):
            read_paper(paper_of(other), paper.name)


@pytest.mark.parametrize("octets", [b"", b"[]", b"{}", b'{"guardians":1,"threshold":1,"salt":""}', b'"x"'])
def test_a_paper_that_does_not_read_is_an_integrity_error(octets: bytes) -> None:
    paper = replace(paper_of(of(3, 2)), octets=octets)
    with pytest.raises(IntegrityError):
        read_paper(paper, paper.name)


def test_a_paper_of_another_kind_is_refused() -> None:
    paper = replace(paper_of(of(3, 2)), kind=PaperKind.SIGNATURE)
    with pytest.raises(IntegrityError):
        read_paper(paper, paper.name)


@pytest.mark.parametrize(
    ("found", "field"),
    [
        (of(17, 2), "guardianIds"),
        (Guardianship(guardians=(guardian(1), guardian(1)), threshold=1, salt=SALT), "guardianIds"),
        (Guardianship(guardians=(guardian(1), guardian(9)), threshold=1, salt=SALT), "guardianIds"),
        (of(3, 0), "threshold"),
        (of(3, 4), "threshold"),
    ],
)
def test_what_no_guardianship_may_be(found: Guardianship, field: str) -> None:
    with pytest.raises(CallerError) as refused:
        check(found, controller=PATIENT)
    assert refused.value.field == (field,)


def test_what_a_guardianship_may_be() -> None:
    for found in (of(1, 1), of(3, 2), of(16, 16)):
        check(found, controller=b"\xee" * 20)
