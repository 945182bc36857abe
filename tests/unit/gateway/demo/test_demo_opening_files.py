"""What the gateway seals opens for its recipient by another implementation, and in no other way."""

from collections.abc import Iterator

import pytest
from Crypto.PublicKey import ECC

from gateway.crypto.releases import CHUNK_SIZE, Binding, seal_file, wrap_secret
from gateway.demo.model import StepFailedError
from gateway.demo.opening_files import HEAD_SIZE, SEALED_SIZE, Address, EncryptionKey, FileKeys, open_file
from gateway.ports.clock import SystemEntropy

KEY = EncryptionKey.new()
RELEASE, RECIPIENT = b"r" * 16, b"a" * 32
SECRET, HALF, MANIFEST = b"s" * 32, b"h" * 32, b"m" * 32
NAME = "people/part-00000.parquet"
ADDRESS = Address(release=RELEASE, recipient=RECIPIENT, encryption_key=KEY.public)
BINDING = Binding(release=RELEASE, recipient=RECIPIENT, encryption_key=KEY.public)
KEYS = FileKeys(address=ADDRESS, secret=SECRET, half=HALF)


def sealed(content: bytes) -> bytes:
    return b"".join(seal_file([content], BINDING, name=NAME, secret=SECRET, half=HALF, entropy=SystemEntropy()))


def opened(octets: bytes, keys: FileKeys = KEYS, name: str = NAME) -> bytes:
    def parts() -> Iterator[bytes]:
        for at in range(0, len(octets), 70_000):
            yield octets[at : at + 70_000]

    return b"".join(open_file(parts(), keys, name=name))


@pytest.mark.parametrize("size", [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE, 2_500_000])
def test_what_the_gateway_seals_opens(size: int) -> None:
    content = SystemEntropy().bytes(size)
    assert opened(sealed(content)) == content


def test_the_wrapped_secret_opens_with_the_recipients_key() -> None:
    wrapped = wrap_secret(SECRET, BINDING, manifest=MANIFEST)
    assert KEY.open_secret(wrapped, ADDRESS, manifest=MANIFEST) == SECRET


@pytest.mark.parametrize(
    ("key", "address", "manifest"),
    [
        (EncryptionKey.new(), ADDRESS, MANIFEST),
        (KEY, Address(release=b"R" * 16, recipient=RECIPIENT, encryption_key=KEY.public), MANIFEST),
        (KEY, Address(release=RELEASE, recipient=b"A" * 32, encryption_key=KEY.public), MANIFEST),
        (KEY, ADDRESS, b"M" * 32),
    ],
    ids=["key", "release", "recipient", "manifest"],
)
def test_the_wrapped_secret_opens_for_nothing_else(key: EncryptionKey, address: Address, manifest: bytes) -> None:
    wrapped = wrap_secret(SECRET, BINDING, manifest=MANIFEST)
    with pytest.raises(StepFailedError, match="does not open"):
        key.open_secret(wrapped, address, manifest=manifest)


@pytest.mark.parametrize("wrapped", [b"", b"x" * 79, b"x" * 80, b"\0" * 80], ids=["none", "short", "noise", "zeros"])
def test_what_is_no_wrapped_secret_is_refused(wrapped: bytes) -> None:
    with pytest.raises(StepFailedError, match="does not open"):
        KEY.open_secret(wrapped, ADDRESS, manifest=MANIFEST)


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        (FileKeys(address=ADDRESS, secret=b"S" * 32, half=HALF), NAME),
        (FileKeys(address=ADDRESS, secret=SECRET, half=b"H" * 32), NAME),
        (KEYS, "people/part-00001.parquet"),
    ],
    ids=["secret", "half", "name"],
)
def test_a_file_opens_under_nothing_else(keys: FileKeys, name: str) -> None:
    with pytest.raises(StepFailedError, match="does not open"):
        opened(sealed(b"content"), keys, name)


WHOLE = sealed(bytes(2 * CHUNK_SIZE + 5))
FIRST, SECOND = HEAD_SIZE, HEAD_SIZE + SEALED_SIZE


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        WHOLE[: HEAD_SIZE - 1],
        WHOLE[:HEAD_SIZE],
        WHOLE[:SECOND],
        WHOLE[:-1],
        WHOLE + b"\0",
        WHOLE[:HEAD_SIZE] + WHOLE[SECOND:],
        WHOLE[:HEAD_SIZE] + WHOLE[SECOND : SECOND + SEALED_SIZE] + WHOLE[FIRST:SECOND] + WHOLE[SECOND + SEALED_SIZE :],
        b"X" + WHOLE[1:],
    ],
    ids=["empty", "less", "head", "one chunk", "cut", "longer", "first gone", "swapped", "magic"],
)
def test_what_was_cut_moved_or_mixed_does_not_open(octets: bytes) -> None:
    with pytest.raises(StepFailedError):
        opened(octets)


def test_the_public_key_is_what_rfc_7748_writes() -> None:
    key = ECC.generate(curve="Curve25519")
    assert EncryptionKey(key).public == key.public_key().export_key(format="raw")
    assert len(EncryptionKey(key).public) == 32


def test_keys_do_not_show_themselves() -> None:
    assert "secret" not in repr(KEYS)
    assert repr(KEY).startswith("<")
