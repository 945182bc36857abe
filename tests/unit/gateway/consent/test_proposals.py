"""What collected signatures amount to: as the registry counts them, and no further."""

from dataclasses import replace

import pytest

from gateway import eip712
from gateway.consent.control import Attested, Proposed
from gateway.consent.guardianship import Guardian, Guardianship
from gateway.consent.proposals import (
    Collected,
    Due,
    Lacking,
    Whole,
    assemble,
    digest_of,
    due,
    name_of,
    paper_of,
    read_paper,
)
from gateway.errors import IntegrityError
from gateway.ids import ActorId, SubjectId
from gateway.ports.documents import PaperKind

DOMAIN = eip712.domain(chain_id=1, contract="0x" + "22" * 20)
SALT = b"\x05" * 32
NEXT, REGISTRAR = b"\x0a" * 20, b"\x0b" * 20
SIGNERS = tuple(bytes([number]) * 20 for number in (1, 2, 3))
GUARDIANS = Guardianship(
    guardians=tuple(Guardian(actor=ActorId(signer[:1] * 32), signer=signer) for signer in SIGNERS),
    threshold=2,
    salt=SALT,
)
PROPOSED = Proposed(subject=SubjectId(b"\x01" * 32), controller=NEXT, attempt=1, not_after=2_000)
ATTESTED = Attested(subject=PROPOSED.subject, controller=NEXT, attempt=1)


def by(signer: bytes, said: Proposed | Attested = PROPOSED) -> Collected:
    witness = ActorId(b"\x0c" * 32) if isinstance(said, Attested) else None
    return Collected(said=said, signer=signer, signature=b"s" + signer, registrar=witness)


def found(*collected: Collected, objected: bool = False) -> Whole | Lacking:
    return assemble(PROPOSED, GUARDIANS, collected, objected=objected)


def test_enough_guardians_and_the_next_key_are_whole() -> None:
    whole = found(by(SIGNERS[2]), by(NEXT), by(SIGNERS[0]))
    assert isinstance(whole, Whole)
    assert (whole.who, whole.signatures) == ((0, 2), (b"s" + SIGNERS[0], b"s" + SIGNERS[2]))
    assert (whole.controller_signature, whole.registrar, whole.attestation) == (b"s" + NEXT, bytes(32), b"")


def test_what_is_lacking_is_told() -> None:
    assert found() == Lacking(guardians=2, controller=True, attestation=False)
    assert found(by(SIGNERS[0]), by(SIGNERS[0])) == Lacking(guardians=1, controller=True, attestation=False)
    assert found(*map(by, SIGNERS)) == Lacking(guardians=0, controller=True, attestation=False)


@pytest.mark.parametrize(
    "other",
    [
        replace(PROPOSED, attempt=2),
        replace(PROPOSED, controller=b"\x0d" * 20),
        replace(PROPOSED, not_after=2_001),
        replace(PROPOSED, subject=SubjectId(b"\x02" * 32)),
    ],
)
def test_a_signature_under_another_text_counts_for_nothing(other: Proposed) -> None:
    collected = (by(SIGNERS[0]), by(NEXT), by(SIGNERS[1], other))
    assert found(*collected) == Lacking(guardians=1, controller=False, attestation=False)


def test_after_an_objection_all_guardians_or_a_registrar_must_sign() -> None:
    two = (by(SIGNERS[0]), by(SIGNERS[1]), by(NEXT))
    assert found(*two, objected=True) == Lacking(guardians=0, controller=False, attestation=True)
    assert isinstance(found(*two, by(SIGNERS[2]), objected=True), Whole)
    attested = found(*two, by(REGISTRAR, ATTESTED), objected=True)
    assert isinstance(attested, Whole)
    assert (attested.registrar, attested.attestation) == (b"\x0c" * 32, b"s" + REGISTRAR)


def test_a_registrar_does_not_stand_in_for_a_guardian() -> None:
    one = (by(SIGNERS[0]), by(NEXT), by(REGISTRAR, ATTESTED))
    assert found(*one, objected=True) == Lacking(guardians=1, controller=False, attestation=False)


def test_a_guardian_who_proposes_does_not_attest() -> None:
    both = (by(SIGNERS[0]), by(SIGNERS[1]), by(NEXT), by(SIGNERS[0], ATTESTED))
    assert found(*both, objected=True) == Lacking(guardians=0, controller=False, attestation=True)
    silent = (by(SIGNERS[0]), by(SIGNERS[1]), by(NEXT), by(SIGNERS[2], ATTESTED))
    assert isinstance(found(*silent, objected=True), Whole)


@pytest.mark.parametrize("other", [replace(ATTESTED, attempt=0), replace(ATTESTED, controller=b"\x0d" * 20)])
def test_an_attestation_of_another_attempt_or_key_counts_for_nothing(other: Attested) -> None:
    two = (by(SIGNERS[0]), by(SIGNERS[1]), by(NEXT), by(REGISTRAR, other))
    assert found(*two, objected=True) == Lacking(guardians=0, controller=False, attestation=True)


@pytest.mark.parametrize("one", [by(SIGNERS[0]), by(NEXT), by(REGISTRAR, ATTESTED)])
def test_a_signature_comes_back_from_its_paper(one: Collected) -> None:
    paper = paper_of(one, salt=SALT, domain=DOMAIN)
    assert read_paper(paper, domain=DOMAIN) == one
    assert paper.name == name_of(digest_of(one.said, DOMAIN), one.signer, SALT)
    assert paper.name != paper_of(one, salt=bytes(32), domain=DOMAIN).name


def test_a_paper_that_is_no_signature_of_this_chain_is_an_integrity_error() -> None:
    paper = paper_of(by(NEXT), salt=SALT, domain=DOMAIN)
    for other in (replace(paper, kind=PaperKind.LIMITS), replace(paper, octets=b"{}"), replace(paper, octets=b"[]")):
        with pytest.raises(IntegrityError):
            read_paper(other, domain=DOMAIN)
    with pytest.raises(IntegrityError):
        read_paper(paper, domain=eip712.domain(chain_id=2, contract="0x" + "22" * 20))


@pytest.mark.parametrize(
    ("block_time", "now", "period", "expected"),
    [
        (99, 99, 12, Due.WAIT),
        (100, 100, 12, Due.WAIT),
        (123, 99, 12, Due.WAIT),
        (124, 99, 12, Due.FINISH),
        (99, 10_000, 12, Due.WAIT),
        (99, 99.9, 0, Due.WAIT),
        (99, 100, 0, Due.BLOCK),
        (100, 0, 0, Due.FINISH),
    ],
)
def test_it_is_finished_by_the_chains_time_and_a_block_is_wanted_only_on_demand(
    block_time: int, now: float, period: float, expected: Due
) -> None:
    assert due(ready_at=100, block_time=block_time, now=now, period=period, confirmations=2) is expected
