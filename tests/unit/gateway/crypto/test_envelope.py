"""The block: its octets do not drift, its size tells little, and nothing of it can be changed, moved or cut."""

import hashlib
import itertools
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.consent.model import Action
from gateway.crypto import envelope, hazmat
from gateway.crypto.keys import DomainKey
from gateway.crypto.model import ConsentFacts, RecordFacts, audit_domain, subject_domain
from gateway.errors import IntegrityError
from gateway.ids import RecordId
from tests.unit.gateway.consent.cases import NOW, OTHER_PATIENT, OTHER_RECORD, PATIENT, RECORD, permit
from tests.unit.gateway.consent.cases import outcome as decided
from tests.unit.gateway.crypto.blocks import KEY, LOG, FixedEntropy, allowed, domain_key, opened, record_facts, sealed

OTHER_KEY = domain_key(subject_domain(OTHER_PATIENT), b"O" * 32, b"o" * 16)
HEADER = 8 + 76 + 40


def refused(block: bytes, **how: Any) -> bool:
    try:
        opened(block, **how)
    except IntegrityError:
        return True
    return False


def flipped(block: bytes, at: int, mask: int = 1) -> bytes:
    return block[:at] + bytes([block[at] ^ mask]) + block[at + 1 :]


def test_what_was_sealed_opens_to_the_octet() -> None:
    assert opened(sealed().block) == b'{"value":1.10}'


def test_a_block_is_what_it_was_when_the_format_was_fixed() -> None:
    one = sealed()
    assert one.block[:8] == b"CSNTRY\x01\x01"
    assert one.locator == one.block[8:84]
    assert hashlib.sha256(one.block).hexdigest() == "61303735fcbda16390885ccfa34f6b0898726cb4c7c52537ee971bbf660b8b2c"
    assert one.facts_commitment.hex() == "02e0d65aea749cbcf9b8b791bbf0f487f97cde1ee4d57b156cfe5e2be5464057"


def test_facts_are_encoded_as_they_were_when_the_format_was_fixed() -> None:
    assert (
        hashlib.sha256(msgspec.msgpack.encode(record_facts())).hexdigest()
        == "da6fc73b3e7b9218788cd2195f700d80ef544549d26ec26e6c8111d4d26a2ace"
    )


def test_facts_of_before_a_field_was_added_read_with_its_default() -> None:
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(record_facts()))
    older = msgspec.msgpack.decode(msgspec.msgpack.encode(fields[:-7]), type=RecordFacts)
    assert (older.request, older.place, older.of, older.names, older.large) == (b"", 0, 1, (), None)
    assert (older.study, older.reason) == (b"", "")


def test_commitments_are_what_a_client_computes() -> None:
    salt = b"s" * 32
    assert envelope.commit_content(salt, b"{}") == hashlib.sha256(b"\x01" + salt + b"{}").digest()
    assert envelope.commit_octets(salt, b"{}") == hashlib.sha256(b"\x02" + salt + b"{}").digest()
    assert envelope.commit_facts(b"f") == hashlib.sha256(b"\x03f").digest()


def test_a_blocks_facts_are_committed_to() -> None:
    one = sealed()
    assert envelope.open_facts(envelope.locate(one.block, LOG), KEY).commitment == one.facts_commitment


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 40_000))
def test_a_block_is_a_power_of_two_and_at_least_4_kib(size: int) -> None:
    total = len(sealed(b"x" * size).block)
    assert total >= 4096
    assert total & (total - 1) == 0
    assert total < 4096 * 2 or total < 2 * (size + 2048)


def test_a_block_is_full_before_it_grows() -> None:
    room = next(size for size in range(2_000, 5_000) if len(sealed(b"x" * (size + 1)).block) > 4096)
    assert opened(sealed(b"x" * room).block) == b"x" * room
    assert len(opened(sealed(b"x" * (room + 1)).block)) == room + 1


def test_a_block_is_filled_to_its_last_octet() -> None:
    fixed = len(sealed().block) - envelope.locate(sealed().block, LOG).content_size
    room = 4096 - fixed - hazmat.TAG_SIZE - 8
    assert [len(sealed(b"x" * size).block) for size in (room, room + 1)] == [4096, 8192]


def test_the_largest_block_is_sealed_and_opens() -> None:
    fixed = len(sealed().block) - envelope.locate(sealed().block, LOG).content_size
    content = bytes(envelope.LARGEST - fixed - hazmat.TAG_SIZE - 8)
    block = sealed(content).block
    assert (len(block), opened(block) == content) == (envelope.LARGEST, True)


def test_a_block_whose_parts_do_not_fill_it_is_refused() -> None:
    block = sealed().block
    for wrong in (block + b"\0", block[:4096] + bytes(4096)):
        with pytest.raises(IntegrityError):
            envelope.locate(wrong, LOG)


def test_a_document_is_all_facts_of_version_0() -> None:
    facts = ConsentFacts(salt=b"s" * 32, subject=PATIENT, typed_data=b"{}", signature=b"sig")
    document = envelope.seal_document(facts, name=RecordId(RECORD), key=KEY, log=LOG, entropy=FixedEntropy())
    located = envelope.locate(document.block, LOG)
    content = hazmat.open_sealed(
        hazmat.unwrap(KEY.wrapping, document.block[84:124]),
        document.block[124 + located.facts_size :][:12],
        document.block[124 + located.facts_size + 12 :],
        b"CSNTRY\x01\x01" + RECORD + bytes(4) + PATIENT + KEY.id + hashlib.sha256(located.facts_sealed).digest(),
    )
    assert envelope.open_facts(located, KEY).facts == facts
    assert (located.record, located.version, content[:8]) == (RECORD, 0, bytes(8))


def test_contents_of_like_size_give_blocks_of_equal_size() -> None:
    assert {len(sealed(b"x" * size).block) for size in range(0, 2_500, 97)} == {4096}


def test_a_block_is_no_larger_for_more_facts() -> None:
    few, many = sealed(codes=()), sealed(codes=tuple(f"http://loinc.org|{at}" for at in range(40)))
    assert len(few.block) == len(many.block)


def test_documents_and_records_look_alike() -> None:
    document = envelope.seal_document(
        ConsentFacts(salt=b"s" * 32, subject=PATIENT, typed_data=b"{}", signature=b""),
        name=RecordId(RECORD), key=KEY, log=LOG, entropy=FixedEntropy(),
    )  # fmt: skip
    assert (len(document.block), document.block[:8]) == (len(sealed().block), sealed().block[:8])


def test_content_past_the_largest_block_is_refused() -> None:
    with pytest.raises(IntegrityError):
        sealed(bytes(envelope.LARGEST))


def test_two_seals_of_one_content_share_no_octets_but_the_magic() -> None:
    one, two = sealed(seed=b"1").block, sealed(seed=b"2").block
    alike = sum(a == b for a, b in zip(one[8:], two[8:], strict=True))
    assert alike < len(one) / 64


def test_every_seal_draws_a_key_and_nonces_of_its_own() -> None:
    drawn: list[bytes] = []

    class Watched(FixedEntropy):
        def bytes(self, size: int) -> bytes:
            drawn.append(super().bytes(size))
            return drawn[-1]

    entropy = Watched()
    for version in range(1, 4):
        envelope.seal_record(
            allowed(Action.WRITE), facts=record_facts(content_size=1), content=b"x", record=RecordId(RECORD),
            version=version, key=KEY, log=LOG, entropy=entropy,
        )  # fmt: skip
    assert sorted(map(len, drawn)) == sorted([12, 12, 32, 12] * 3)
    assert len(set(drawn)) == 12


def test_no_octet_of_a_block_can_be_changed() -> None:
    block = sealed().block
    assert [at for at in range(len(block)) if not refused(flipped(block, at))] == []


def test_no_bit_of_the_header_can_be_changed() -> None:
    block = sealed().block
    header = [(at, 1 << bit) for at in range(HEADER + 12) for bit in range(8)]
    assert [place for place in header if not refused(flipped(block, *place))] == []


@pytest.mark.parametrize("cut", [0, 1, 8, 84, 124, 2048, 4095])
def test_a_cut_block_is_refused(cut: int) -> None:
    assert refused(sealed().block[:cut])


def test_a_large_block_cut_to_a_power_of_two_is_refused() -> None:
    assert refused(sealed(b"x" * 9_000).block[:8192])


@pytest.mark.parametrize("more", [b"\x00", bytes(4096)])
def test_a_block_with_something_after_it_is_refused(more: bytes) -> None:
    assert refused(sealed().block + more)


def parts(block: bytes) -> list[bytes]:
    """magic, locator, wrapped key, sealed facts, sealed content."""
    size = envelope.locate(block, LOG).facts_size
    edges = [0, 8, 84, 124, 124 + size, len(block)]
    return [block[a:b] for a, b in itertools.pairwise(edges)]


OTHERS = {
    "another record": sealed(record=OTHER_RECORD, seed=b"2"),
    "another version": sealed(version=2, seed=b"3"),
    "another patient": sealed(subject=OTHER_PATIENT, key=OTHER_KEY, seed=b"4"),
    "another seal of the same": sealed(seed=b"5"),
    "other content": sealed(b'{"value":9.99}', seed=b"6"),
}
_NAMES = ("magic", "locator", "wrapped key", "facts", "content")


@pytest.mark.parametrize("whose", OTHERS)
@pytest.mark.parametrize("which", range(2, 5), ids=lambda at: _NAMES[at])
def test_no_part_can_be_put_into_another_block(whose: str, which: int) -> None:
    mine, theirs = parts(sealed().block), parts(OTHERS[whose].block)
    mixed = [*mine]
    mixed[which] = theirs[which]
    assert refused(b"".join(mixed))


@pytest.mark.parametrize("whose", ["another record", "another version", "another patient"])
def test_a_block_cannot_be_given_anothers_name(whose: str) -> None:
    mine, theirs = parts(sealed().block), parts(OTHERS[whose].block)
    renamed = b"".join([mine[0], theirs[1], *mine[2:]])
    record = OTHER_RECORD if whose == "another record" else RECORD
    subject, key = (OTHER_PATIENT, OTHER_KEY) if whose == "another patient" else (PATIENT, KEY)
    permit = allowed(Action.READ, record=record, subject=subject)
    assert refused(renamed, permit=permit, key=key)
    assert refused(renamed, permit=permit, key=KEY)


@pytest.mark.parametrize("which", [2, 3, 4])
def test_facts_key_and_content_of_another_version_do_not_fit_together(which: int) -> None:
    mine, theirs = parts(sealed().block), parts(OTHERS["another version"].block)
    mixed = [*theirs]
    mixed[which] = mine[which]
    assert refused(b"".join(mixed))


@pytest.mark.parametrize(
    "key",
    [
        OTHER_KEY,
        domain_key(subject_domain(PATIENT), b"X" * 32, b"k" * 16),
        domain_key(subject_domain(OTHER_PATIENT), b"K" * 32, b"k" * 16),
        domain_key(subject_domain(PATIENT), b"K" * 32, b"x" * 16),
        domain_key(audit_domain(PATIENT), b"K" * 32, b"k" * 16),
    ],
    ids=["another patient's", "another of the patient", "relabelled to another patient", "renamed", "another kind"],
)
def test_no_other_key_opens_a_block(key: DomainKey) -> None:
    assert refused(sealed().block, key=key)


def test_another_gateways_blocks_are_not_found() -> None:
    with pytest.raises(IntegrityError):
        envelope.locate(sealed().block, domain_key(LOG.domain, b"M" * 32, b"l" * 16))


def test_a_permit_opens_its_own_record_alone() -> None:
    block = sealed().block
    assert refused(block, permit=allowed(Action.READ, record=OTHER_RECORD))
    assert refused(block, permit=allowed(Action.READ, record=None))
    assert refused(block, permit=allowed(Action.READ, subject=OTHER_PATIENT))
    assert refused(block, permit=allowed(Action.WRITE))


def test_a_permit_opens_for_its_seconds_and_no_longer() -> None:
    block, permit = sealed().block, allowed(Action.READ)
    assert not refused(block, permit=permit, now=permit.expires - 0.001)
    assert refused(block, permit=permit, now=permit.expires)


def test_a_clock_that_was_set_back_opens_nothing() -> None:
    assert refused(sealed().block, permit=allowed(Action.READ), now=NOW - 1)


def test_facts_that_claim_another_patient_do_not_borrow_a_key() -> None:
    found: Any = envelope.open_facts(envelope.locate(sealed().block, LOG), KEY)
    borrowed = replace(found, facts=record_facts(subject=OTHER_PATIENT, content_size=14))
    with pytest.raises(IntegrityError):
        envelope.open_content(allowed(Action.READ, subject=OTHER_PATIENT), borrowed, KEY, now=NOW)


def test_content_of_another_size_than_its_facts_say_is_refused() -> None:
    block = envelope.seal_record(
        allowed(Action.WRITE), facts=record_facts(content_size=3), content=b"four", record=RecordId(RECORD),
        version=1, key=KEY, log=LOG, entropy=FixedEntropy(),
    ).block  # fmt: skip
    assert refused(block)


@pytest.mark.parametrize(
    ("permit", "changes", "key"),
    [
        (allowed(Action.READ), {}, KEY),
        (allowed(Action.WRITE, record=OTHER_RECORD), {}, KEY),
        (allowed(Action.WRITE, subject=OTHER_PATIENT), {}, KEY),
        (allowed(Action.WRITE), {"subject": OTHER_PATIENT}, KEY),
        (allowed(Action.WRITE), {}, OTHER_KEY),
        (allowed(Action.WRITE), {}, domain_key(audit_domain(PATIENT), b"K" * 32)),
    ],
    ids=["to read", "another record", "another patient", "facts of another", "key of another", "key of the audit"],
)
def test_nothing_is_sealed_that_was_not_permitted(permit: Any, changes: Any, key: DomainKey) -> None:
    with pytest.raises(IntegrityError):
        envelope.seal_record(
            permit, facts=record_facts(**changes), content=b"", record=RecordId(RECORD), version=1, key=key, log=LOG,
            entropy=FixedEntropy(),
        )  # fmt: skip


def test_a_doctors_permit_opens_what_the_consent_covers() -> None:
    assert opened(sealed().block, permit=decided([permit()])) == b'{"value":1.10}'


def test_junk_is_no_block() -> None:
    chance = random.Random(7)
    for size in (0, 7, 8, 84, 4095, 4096, 9000):
        assert refused(chance.randbytes(size))
        assert refused((envelope.MAGIC + chance.randbytes(size))[: max(size, 8)])


def test_facts_that_are_not_of_this_format_are_refused() -> None:
    plain = (3).to_bytes(8, "big") + b"\xc1\xc1\xc1"
    block = sealed().block
    located = envelope.locate(block, LOG)
    associated = envelope.MAGIC + located.record + located.version.to_bytes(4, "big") + PATIENT + KEY.id
    nonce = bytes(12)
    forged = nonce + hazmat.seal(KEY.facts, nonce, plain, associated)
    swapped = replace(located, block=block[:124] + forged + block[124 + len(forged) :], facts_size=len(forged))
    with pytest.raises(IntegrityError):
        envelope.open_facts(swapped, KEY)
