"""A CAR file round trips, and every malformed or oversized one is refused before it costs anything."""

import io
import tracemalloc

import dag_cbor
import multiformats
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import CallerError, ConsentryError, IntegrityError, LimitError
from gateway.storage.car import CarLimits, CarReader, encode_header, encode_section
from gateway.storage.dagpb import encode_varint
from gateway.storage.model import Block, Cid, Codec, VerifiedBlock

LIMITS = CarLimits()


def block(data: bytes) -> Block:
    return Block(Cid.of(data), data)


def car(*blocks: Block) -> bytes:
    return encode_header([blocks[0].cid]) + b"".join(encode_section(part) for part in blocks)


def read(octets: bytes, limits: CarLimits = LIMITS) -> list[VerifiedBlock]:
    return list(CarReader(io.BytesIO(octets), limits=limits).blocks())


def header(value: object) -> bytes:
    encoded = dag_cbor.encode(value)  # type: ignore[arg-type]
    return encode_varint(len(encoded)) + encoded


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_blocks_come_back_as_they_went_in(contents: list[bytes]) -> None:
    blocks = [block(data) for data in contents]
    assert [(found.cid, found.data) for found in read(car(*blocks))] == blocks


def test_roots_come_back() -> None:
    cids = [Cid.of(b"one"), Cid.of(b"two", codec=Codec.DAG_PB)]
    assert CarReader(io.BytesIO(encode_header(cids)), limits=LIMITS).roots == tuple(cids)


def test_a_pipe_that_gives_single_octets_reads_the_same() -> None:
    class Trickle(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(1, size or 0))

    blocks = [block(b"one"), block(b"two" * 100)]
    found = CarReader(Trickle(car(*blocks)), limits=LIMITS).blocks()
    assert [part.data for part in found] == [part.data for part in blocks]


def test_a_file_without_roots_is_not_written() -> None:
    with pytest.raises(CallerError):
        encode_header([])


def test_a_block_that_is_not_its_name_is_an_integrity_error() -> None:
    with pytest.raises(IntegrityError):
        read(car(Block(Cid.of(b"one"), b"two")))


def test_blocks_before_a_wrong_one_are_given() -> None:
    found = CarReader(io.BytesIO(car(block(b"good"), Block(Cid.of(b"one"), b"two"))), limits=LIMITS).blocks()
    assert next(found).data == b"good"


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x00",
        b"\x80",
        b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
        b"\x81\x00",
        encode_varint(100) + b"short",
        header({"version": 2}),
        header({"version": 2, "roots": []}),
        header({"version": True, "roots": []})[:-1],
        header({"version": 1}),
        header({"version": 1, "roots": ["bafk"]}),
        header({"version": 1, "roots": 1}),
        header({"version": 1, "roots": [], "more": 1}),
        header([1, 2]),
        header({"version": 1, "roots": [multiformats.CID("base32", 1, "raw", ("identity", b"hello"))]}),
        encode_varint(9) + b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
        encode_varint(9) + b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        encode_varint(500_000) + b"\x81" * 500_000,
        encode_varint(20) + b"\xa2\x65roots\x81\xd8\x2a\x40\x67version\x01",
    ],
)
def test_a_header_that_is_not_car_version_1_is_the_callers(octets: bytes) -> None:
    with pytest.raises(CallerError) as refusal:
        read(octets)
    assert refusal.value.field == ("car",)


@pytest.mark.parametrize(
    "section",
    [
        b"\x00",
        b"\x01\x01",
        encode_varint(35) + bytes(35),
        encode_varint(36) + bytes(36),
        encode_varint(40) + bytes(multiformats.CID("base32", 1, "raw", ("identity", b"x" * 36))),
        encode_varint(34) + b"\x12\x20" + bytes(32),
        encode_section(block(b"whole"))[:-1],
        encode_section(block(b"whole"))[:20],
    ],
)
def test_a_section_that_is_not_a_block_of_ours_is_the_callers(section: bytes) -> None:
    with pytest.raises(CallerError) as refusal:
        read(encode_header([Cid.of(b"")]) + section)
    assert refusal.value.field == ("car",)


def test_a_declared_length_over_the_ceiling_is_refused_unread() -> None:
    class Endless(io.RawIOBase):
        taken = 0

        def read(self, size: int = -1, /) -> bytes:
            self.taken += size
            return bytes(size)

    class Started(Endless):
        def __init__(self, start: bytes) -> None:
            self._start = io.BytesIO(start)

        def read(self, size: int = -1, /) -> bytes:
            return self._start.read(size) or super().read(size)

    source = Started(encode_header([Cid.of(b"")]) + encode_varint(4 << 30))
    with pytest.raises(LimitError):
        list(CarReader(source, limits=LIMITS).blocks())
    assert source.taken == 0


def test_more_blocks_than_the_ceiling_are_refused() -> None:
    with pytest.raises(LimitError):
        read(car(*[block(b"x")] * 11), CarLimits(count=10))


def test_more_octets_than_the_ceiling_are_refused() -> None:
    with pytest.raises(LimitError):
        read(car(*[block(bytes(1000))] * 11), CarLimits(total=10_000))


def test_a_header_over_the_ceiling_is_refused() -> None:
    with pytest.raises(LimitError):
        read(encode_header([Cid.of(b"")] * 100), CarLimits(header=1000))


def test_reading_a_million_sections_holds_one_at_a_time() -> None:
    one = encode_section(block(b""))

    class Many(io.RawIOBase):
        def __init__(self) -> None:
            self._left = io.BytesIO(encode_header([Cid.of(b"")]) + one * 1000)
            self._rounds = 1000

        def read(self, size: int = -1, /) -> bytes:
            octets = self._left.read(size)
            if not octets and self._rounds:
                self._rounds -= 1
                self._left.seek(0)
                self._left.truncate()
                self._left.write(one * 1000)
                self._left.seek(0)
                octets = self._left.read(size)
            return octets

    tracemalloc.start()
    with pytest.raises(LimitError):
        for _ in CarReader(Many(), limits=CarLimits(count=50_000)).blocks():
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


@settings(max_examples=500)
@given(st.data())
def test_a_changed_file_never_yields_other_blocks(data: st.DataObject) -> None:
    blocks = [block(b"one"), block(b"second block")]
    octets = bytearray(car(*blocks))
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    octets = octets[: data.draw(st.integers(0, len(octets)))]
    try:
        found = read(bytes(octets))
    except ConsentryError:
        return
    assert all(Cid.of(part.data).digest == part.cid.digest for part in found)


@given(st.binary(max_size=300))
def test_other_octets_raise_nothing_but_our_own_errors(octets: bytes) -> None:
    try:
        read(octets)
    except ConsentryError:
        return
