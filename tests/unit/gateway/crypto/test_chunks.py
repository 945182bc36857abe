"""Sealed chunks: what is reordered, repeated, cut, flipped or taken from elsewhere does not open."""

import os
from itertools import permutations

import pytest

from gateway.consent.model import Action
from gateway.crypto import chunks
from gateway.crypto.chunks import (
    CHUNK_SIZE,
    OVERHEAD,
    SEALED_SIZE,
    ChunkOpener,
    ChunkSealer,
    SealedChunk,
    count_of,
    leaf_size,
    new_data_key,
    sealed_size,
    size_at,
)
from gateway.crypto.chunktree import commit_chunk, root_of
from gateway.crypto.keys import DomainKey
from gateway.crypto.model import LargeFacts, subject_domain
from gateway.errors import IntegrityError
from gateway.ids import RecordId
from gateway.ports.clock import SystemEntropy
from tests.unit.gateway.consent.cases import NOW, OTHER_PATIENT, OTHER_RECORD, PATIENT, RECORD
from tests.unit.gateway.crypto.blocks import KEY, FixedEntropy, allowed, domain_key

SALT = b"s" * 32
OTHER_KEY = domain_key(subject_domain(OTHER_PATIENT), b"O" * 32, b"o" * 16)


def wrapped_key(record: bytes = RECORD, key: DomainKey = KEY, subject: bytes = PATIENT) -> bytes:
    return new_data_key(allowed(Action.WRITE, record=record, subject=subject), RecordId(record), key, FixedEntropy())


def sealer(size: int, *, record: bytes = RECORD, first: int = 0, wrapped: bytes | None = None) -> ChunkSealer:
    return ChunkSealer(
        allowed(Action.WRITE, record=record),
        record=RecordId(record),
        key=KEY,
        wrapped=wrapped or wrapped_key(record),
        size=size,
        salt=SALT,
        first=first,
        entropy=SystemEntropy(),
    )


def opener(size: int, *, record: bytes = RECORD, key: DomainKey = KEY, wrapped: bytes | None = None) -> ChunkOpener:
    large = LargeFacts(
        root=b"", size=size, key_id=key.id, wrapped=wrapped or wrapped_key(), salt=SALT, commitment=bytes(32)
    )
    return ChunkOpener(allowed(Action.READ, record=record), record=RecordId(record), large=large, key=key)


def all_sealed(octets: bytes) -> list[SealedChunk]:
    """Every chunk, and the index."""
    one = sealer(len(octets))
    made = []
    for number in range(count_of(len(octets))):
        assert one.take(NOW) == number
        made.append(one.seal(number, octets[number * CHUNK_SIZE : (number + 1) * CHUNK_SIZE]))
    index = one.take(NOW)
    return [*made, one.seal(index, b"".join(each.commitment for each in made))]


@pytest.mark.parametrize("size", [1, 4056, 4057, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE + 9])
def test_what_was_sealed_opens_to_the_octet(size: int) -> None:
    octets = os.urandom(size)
    made = all_sealed(octets)
    one = opener(size)
    assert b"".join(one.open(each.number, each.octets) for each in made[:-1]) == octets
    assert one.open(len(made) - 1, made[-1].octets) == b"".join(each.commitment for each in made[:-1])
    assert [len(each.octets) for each in made] == [leaf_size(size, number) for number in range(len(made))]
    assert sum(len(each.octets) for each in made) == sealed_size(size)


def test_a_leaf_tells_the_size_to_a_power_of_two_and_no_finer() -> None:
    sizes = {len(each.octets) for size in range(5000, 8000, 333) for each in all_sealed(bytes(size))[:1]}
    assert sizes == {8192}
    assert {len(each.octets) for each in all_sealed(bytes(CHUNK_SIZE + 1))[:-1]} == {SEALED_SIZE}


def test_no_chunk_opens_in_the_place_of_another() -> None:
    made = all_sealed(os.urandom(3 * CHUNK_SIZE))
    one = opener(3 * CHUNK_SIZE)
    for here, there in permutations(range(3), 2):
        with pytest.raises(IntegrityError):
            one.open(here, made[there].octets)


def test_content_that_was_cut_does_not_open_as_shorter_content() -> None:
    made = all_sealed(os.urandom(3 * CHUNK_SIZE))
    shorter = opener(2 * CHUNK_SIZE)
    with pytest.raises(IntegrityError):
        shorter.open(2, made[2].octets[: leaf_size(2 * CHUNK_SIZE, 2)])
    with pytest.raises(IntegrityError):
        shorter.open(2, made[3].octets)


def test_no_flipped_octet_opens() -> None:
    (made, _) = all_sealed(b"x" * 3000)
    one = opener(3000)
    assert one.open(0, made.octets) == b"x" * 3000
    for at in range(0, len(made.octets), 7):
        flipped = bytearray(made.octets)
        flipped[at] ^= 1
        with pytest.raises(IntegrityError):
            one.open(0, bytes(flipped))
    for cut in (0, 1, OVERHEAD, len(made.octets) - 1):
        with pytest.raises(IntegrityError):
            one.open(0, made.octets[:cut])


def test_nothing_opens_as_of_another_record_patient_or_key() -> None:
    (made, _) = all_sealed(b"x" * 3000)
    with pytest.raises(IntegrityError):
        opener(3000, record=OTHER_RECORD).open(0, made.octets)
    with pytest.raises(IntegrityError):
        opener(3000, key=OTHER_KEY)
    other = domain_key(subject_domain(PATIENT), b"K" * 32, b"j" * 16)  # the same material under another id
    with pytest.raises(IntegrityError):
        opener(3000, key=other).open(0, made.octets)
    with pytest.raises(IntegrityError):
        opener(3000, wrapped=new_data_key(allowed(Action.WRITE), RecordId(RECORD), KEY, FixedEntropy(b"2"))).open(
            0, made.octets
        )


def test_a_place_that_is_sealed_twice_has_two_keys() -> None:
    first, second = sealer(3000), sealer(3000)
    (a, b) = (each.seal(each.take(NOW), text * 3000) for each, text in ((first, b"a"), (second, b"b")))
    assert a.octets[8:24] != b.octets[8:24]
    mixed = b.octets[:24] + a.octets[24:]
    with pytest.raises(IntegrityError):
        opener(3000).open(0, mixed)


def test_a_run_seals_forward_and_each_place_once() -> None:
    one = sealer(3 * CHUNK_SIZE, first=1)
    with pytest.raises(IntegrityError):
        one.seal(1, bytes(CHUNK_SIZE))
    assert [one.take(NOW) for _ in range(3)] == [1, 2, 3]
    with pytest.raises(IntegrityError):
        one.take(NOW)


def test_only_permits_that_hold_seal_and_open() -> None:
    with pytest.raises(IntegrityError):
        new_data_key(allowed(Action.READ), RecordId(RECORD), KEY, FixedEntropy())
    with pytest.raises(IntegrityError):
        new_data_key(allowed(Action.WRITE), RecordId(RECORD), OTHER_KEY, FixedEntropy())
    with pytest.raises(IntegrityError):
        new_data_key(allowed(Action.WRITE), RecordId(OTHER_RECORD), KEY, FixedEntropy())
    large = LargeFacts(root=b"", size=1, key_id=KEY.id, wrapped=wrapped_key(), salt=SALT, commitment=b"")
    with pytest.raises(IntegrityError):
        ChunkOpener(allowed(Action.WRITE), record=RecordId(RECORD), large=large, key=KEY)
    for late in (NOW + 6, NOW - 1):
        with pytest.raises(IntegrityError):
            opener(1).check(late)
        with pytest.raises(IntegrityError):
            sealer(1).take(late)


def test_commitments_are_what_a_client_computes() -> None:
    octets = os.urandom(CHUNK_SIZE + 9)
    made = all_sealed(octets)
    wanted = [commit_chunk(SALT, number, octets[number * CHUNK_SIZE :][:CHUNK_SIZE]) for number in range(2)]
    assert [each.commitment for each in made[:-1]] == wanted
    assert root_of(wanted) == root_of([each.commitment for each in made[:-1]])


def test_sizes_add_up() -> None:
    for size in (1, CHUNK_SIZE, CHUNK_SIZE + 1, chunks.LARGEST):
        assert sum(size_at(size, number) for number in range(count_of(size))) == size
