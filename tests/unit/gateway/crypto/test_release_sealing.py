"""A release opens for its recipient, with the gateway's half, whole and in order; and in no other way."""

from collections.abc import Iterator
from typing import Any

import pytest
from Crypto.Protocol import HPKE
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gateway.crypto.model import release_domain, subject_domain
from gateway.crypto.releases import (
    CHUNK_SIZE,
    HEAD_SIZE,
    SEALED_SIZE,
    Binding,
    ReleaseKeys,
    open_file,
    open_secret,
    seal_file,
    wrap_secret,
)
from gateway.errors import IntegrityError
from gateway.ports.clock import SystemEntropy
from tests.unit.gateway.crypto.blocks import domain_key

PRIVATE, OTHER_PRIVATE = (X25519PrivateKey.from_private_bytes(one * 32) for one in (b"\x11", b"\x12"))
SECRET, HALF, MANIFEST = b"s" * 32, b"h" * 32, b"m" * 32
NAME = "people-0.parquet"


def binding(release: bytes = b"r" * 16, recipient: bytes = b"a" * 32, key: X25519PrivateKey = PRIVATE) -> Binding:
    return Binding(release=release, recipient=recipient, encryption_key=key.public_key().public_bytes_raw())


def sealed(content: bytes, to: Binding | None = None, name: str = NAME) -> bytes:
    parts = (content[at : at + 300_000] for at in range(0, len(content), 300_000))
    whole = seal_file(parts, to or binding(), name=name, secret=SECRET, half=HALF, entropy=SystemEntropy())
    return b"".join(whole)


def opened(
    octets: bytes, to: Binding | None = None, name: str = NAME, secret: bytes = SECRET, half: bytes = HALF
) -> bytes:
    def parts() -> Iterator[bytes]:
        for at in range(0, len(octets), 70_000):
            yield octets[at : at + 70_000]

    return b"".join(open_file(parts(), to or binding(), name=name, secret=secret, half=half))


@pytest.mark.parametrize("size", [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE, 2_500_000])
def test_a_file_opens_as_it_was(size: int) -> None:
    content = SystemEntropy().bytes(size)
    assert opened(sealed(content)) == content


def test_the_secret_opens_for_the_recipients_key_alone() -> None:
    wrapped = wrap_secret(SECRET, binding(), manifest=MANIFEST)
    assert open_secret(wrapped, PRIVATE.private_bytes_raw(), binding(), manifest=MANIFEST) == SECRET
    for key, to, manifest in (
        (OTHER_PRIVATE, binding(), MANIFEST),
        (PRIVATE, binding(release=b"R" * 16), MANIFEST),
        (PRIVATE, binding(recipient=b"A" * 32), MANIFEST),
        (PRIVATE, binding(), b"M" * 32),
    ):
        with pytest.raises(IntegrityError):
            open_secret(wrapped, key.private_bytes_raw(), to, manifest=manifest)


def test_another_implementation_of_rfc_9180_opens_it() -> None:
    from Crypto.Protocol.DH import import_x25519_private_key
    from Crypto.PublicKey import ECC

    wrapped = wrap_secret(SECRET, binding(), manifest=MANIFEST)
    key = import_x25519_private_key(PRIVATE.private_bytes_raw())
    assert isinstance(key, ECC.EccKey)
    context = HPKE.new(
        receiver_key=key, aead_id=HPKE.AEAD.AES256_GCM, enc=wrapped[:32], info=binding().octets + MANIFEST
    )
    assert context.unseal(wrapped[32:]) == SECRET


@pytest.mark.parametrize(
    "changed",
    [
        {"to": binding(release=b"R" * 16)},
        {"to": binding(recipient=b"A" * 32)},
        {"to": binding(key=OTHER_PRIVATE)},
        {"name": "people-1.parquet"},
        {"secret": b"S" * 32},
        {"half": b"H" * 32},
    ],
)
def test_a_file_opens_under_nothing_else(changed: dict[str, Any]) -> None:
    octets = sealed(b"content")
    with pytest.raises(IntegrityError):
        opened(octets, **changed)


CONTENT = bytes(2 * CHUNK_SIZE + 5)
WHOLE = sealed(CONTENT)
FIRST, SECOND = HEAD_SIZE, HEAD_SIZE + SEALED_SIZE


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        WHOLE[:HEAD_SIZE],
        WHOLE[: HEAD_SIZE - 1],
        WHOLE[:SECOND],
        WHOLE[: 2 * SEALED_SIZE + HEAD_SIZE],
        WHOLE[:-1],
        WHOLE + b"\0",
        WHOLE[:HEAD_SIZE] + WHOLE[SECOND:],
        WHOLE[:HEAD_SIZE] + WHOLE[SECOND : SECOND + SEALED_SIZE] + WHOLE[FIRST:SECOND] + WHOLE[SECOND + SEALED_SIZE :],
        sealed(CONTENT)[:HEAD_SIZE] + WHOLE[HEAD_SIZE:],
        b"X" + WHOLE[1:],
    ],
    ids=["empty", "head", "less", "one chunk", "two chunks", "cut", "longer", "first gone", "swapped", "salt", "magic"],
)
def test_what_was_cut_moved_or_mixed_does_not_open(octets: bytes) -> None:
    with pytest.raises(IntegrityError):
        opened(octets)


@given(st.integers(0, len(SHORT := sealed(b"forty-two octets of somebody's data, sealed")) - 1), st.integers(1, 255))
def test_no_octet_can_be_another(at: int, by: int) -> None:
    with pytest.raises(IntegrityError):
        opened(SHORT[:at] + bytes([SHORT[at] ^ by]) + SHORT[at + 1 :])


def test_a_build_that_begins_anew_seals_with_another_key() -> None:
    assert sealed(b"content")[HEAD_SIZE:] != sealed(b"content")[HEAD_SIZE:]


def test_a_releases_keys_come_from_its_own_domain_and_differ() -> None:
    keys = ReleaseKeys.of(domain_key(release_domain(b"r" * 16), b"K" * 32, b"k" * 16))
    other = ReleaseKeys.of(domain_key(release_domain(b"R" * 16), b"L" * 32, b"l" * 16))
    assert len({keys.half, keys.pseudonyms, keys.shifts, other.half, other.pseudonyms, other.shifts}) == 6
    assert "half" not in repr(keys)
    with pytest.raises(IntegrityError):
        ReleaseKeys.of(domain_key(subject_domain(b"p" * 32), b"K" * 32, b"k" * 16))


@pytest.mark.parametrize("key", [b"", b"\0" * 32, b"x" * 31])
def test_what_is_no_key_is_refused(key: bytes) -> None:
    with pytest.raises(IntegrityError):
        wrap_secret(SECRET, Binding(release=b"r" * 16, recipient=b"a" * 32, encryption_key=key), manifest=MANIFEST)
