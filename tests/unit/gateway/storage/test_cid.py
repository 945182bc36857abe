"""One spelling of a CID is lawful, and it is the one every IPFS client gives to the same bytes."""

import random
import tarfile
from pathlib import Path

import multiformats
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import CallerError, IntegrityError
from gateway.storage.model import KEPT, SHORT, Block, Cid, Codec, VerifiedBlock, verify

EMPTY = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"  # `ipfs add --raw-leaves` of nothing


@given(st.binary(max_size=64), st.sampled_from(Codec))
def test_text_equals_that_of_multiformats(data: bytes, codec: Codec) -> None:
    cid = Cid.of(data, codec=codec)
    theirs = multiformats.CID("base32", 1, codec.value, ("sha2-256", cid.digest))
    assert str(cid) == str(theirs)
    assert bytes(cid) == bytes(theirs)


@given(st.binary(min_size=32, max_size=32), st.sampled_from(Codec))
def test_parsing_text_gives_the_cid_back(digest: bytes, codec: Codec) -> None:
    cid = Cid.from_digest(digest, codec=codec)
    assert Cid.parse(str(cid)) == cid
    assert Cid.from_bytes(bytes(cid)) == cid


def test_empty_block_has_the_name_that_kubo_gives() -> None:
    assert str(Cid.of(b"")) == EMPTY


@given(st.text(max_size=70))
def test_no_other_text_parses(text: str) -> None:
    with pytest.raises(CallerError) as refusal:
        Cid.parse(text)
    assert refusal.value.field == ("cid",)


def _named(hash_name: str, digest: bytes, *, base: str = "base32", version: int = 1, codec: str = "raw") -> str:
    return str(multiformats.CID(base, version, codec, (hash_name, digest)))


@pytest.mark.parametrize(
    "text",
    [
        _named("identity", b"hello"),
        _named("identity", b"x" * 32),
        _named("sha1", b"1" * 20),
        _named("sha2-512", b"2" * 64),
        _named("sha3-256", b"3" * 32),
        _named("sha2-256", b"4" * 32, codec="dag-cbor"),
        _named("sha2-256", b"4" * 32, base="base58btc"),
        _named("sha2-256", b"4" * 32, base="base32upper"),
        _named("sha2-256", b"4" * 32, base="base16"),
        _named("sha2-256", b"4" * 32, base="base58btc", version=0, codec="dag-pb"),
        EMPTY.upper(),
        EMPTY[:-1] + "v",  # same octets, other padding bits
        EMPTY + "=",
        EMPTY + "\n",
        " " + EMPTY,
        "/ipfs/" + EMPTY,
        "ipfs://" + EMPTY,
        "http://127.0.0.1/" + EMPTY,
        "../" + EMPTY,
        EMPTY[:30] + "1" + EMPTY[31:],
        EMPTY[:30] + "_" + EMPTY[31:],
        EMPTY[:30] + "ı" + EMPTY[31:],  # upper-cases to an ASCII letter
        "b" + "+" * 58,
        "b-" + EMPTY[2:],
        "",
    ],
)
def test_every_other_kind_of_name_is_refused_naming_cid(text: str) -> None:
    with pytest.raises(CallerError) as refusal:
        Cid.parse(text)
    assert refusal.value.field == ("cid",)


def test_bytes_of_another_block_are_not_verified() -> None:
    with pytest.raises(IntegrityError):
        verify(Block(Cid.of(b"one"), b"two"))


@pytest.mark.parametrize("size", [0, 1, KEPT - 1, KEPT, KEPT + 1, 2 * KEPT, 2 * KEPT + 1, SHORT - 1, SHORT, SHORT + 1])
def test_of_a_block_of_any_size_every_octet_is_in_its_name(size: int) -> None:
    block = random.Random(size).randbytes(size)
    name = Cid.of(block)
    assert name.names(block)
    assert not name.names(block + b"\0")
    for at in {*range(0, size, 997), size - 1} - {-1}:
        assert not name.names(block[:at] + bytes([block[at] ^ 1]) + block[at + 1 :])


def test_an_unverified_block_cannot_be_made() -> None:
    with pytest.raises(IntegrityError):
        VerifiedBlock(cid=Cid.of(b"one"), data=b"two")


def test_public_fixtures_have_the_names_in_their_file_names(shared_data: Path) -> None:
    checked = 0
    with tarfile.open(shared_data / "vectors" / "ipld-codec-fixtures.tar.gz") as archive:
        for member in archive.getmembers():
            if member.name.endswith(".dag-pb"):
                block = archive.extractfile(member)
                assert block is not None
                assert str(Cid.of(block.read(), codec=Codec.DAG_PB)) == Path(member.name).stem
                checked += 1
    assert checked > 5
