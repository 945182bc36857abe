"""The contracts' verdict on a signature by any signer, taken here where no chain is needed for it (ERC-7913).

True here: a wallet, a P-256 key and a passkey are judged as OpenZeppelin 5.7 judges them (ECDSA, P256, WebAuthn
and the two ERC-7913 verifiers), odd forms included, so that a dead chain hinders no revocation. Not done here: contract
wallets (ERC-1271) and verifiers that are not ours, which only the chain can judge; and whose key it is.
"""

import base64
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from gateway import eip712

ADDRESS_OCTETS = 20
KEY_OCTETS = 64
LONGEST_SIGNER = 1024
"""Octets of a signer that the registry takes (`Signers.MAX_KEY_BYTES`)."""
PRIME = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
HALF_ORDER = 0x7FFFFFFF800000007FFFFFFFFFFFFFFFDE737D56D38BCF4279DCE5617E3192A8
"""Half the order of secp256r1 (SEC 2): the largest s that P256.sol takes."""
USER_PRESENT, USER_VERIFIED, BACKUP_ELIGIBLE, BACKED_UP = 0x01, 0x04, 0x08, 0x10
"""Flags of authenticator data (WebAuthn 6.1)."""
SHORTEST_AUTHENTICATOR_DATA = 37
_TYPE = b'"type":"webauthn.get"'
_WORD = 32
_HEAD_OCTETS = 6 * _WORD
_CURVE = ec.SECP256R1()
_DIGEST = Prehashed(SHA256())


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifiers:
    """Addresses (20 bytes) of OpenZeppelin's verifiers, as deployed and checked against their code at start."""

    p256: bytes
    webauthn: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """A WebAuthn assertion in the form that WebAuthn.sol decodes (`WebAuthnAuth`)."""

    r: int
    s: int
    challenge_index: int
    type_index: int
    authenticator_data: bytes
    client_data: bytes


def is_passkey(signer: bytes, verifiers: Verifiers) -> bool:
    """Whether the signer is a WebAuthn credential of the verifier that we deployed."""
    return len(signer) > ADDRESS_OCTETS and signer[:ADDRESS_OCTETS] == verifiers.webauthn


def judge(signer: bytes, digest: bytes, signature: bytes, verifiers: Verifiers) -> bool | None:
    """Whether `signer` signed `digest` (32 bytes). None: only the chain can say (contract wallets, other verifiers)."""
    if not ADDRESS_OCTETS <= len(signer) <= LONGEST_SIGNER:
        return False
    if len(signer) == ADDRESS_OCTETS:
        return True if eip712.recover(digest, signature) == signer else None
    verifier, key = signer[:ADDRESS_OCTETS], signer[ADDRESS_OCTETS:]
    if verifier == verifiers.p256:
        return len(signature) >= KEY_OCTETS and verify_p256(key, digest, signature[:KEY_OCTETS])
    if verifier == verifiers.webauthn:
        assertion = decode(signature)
        return assertion is not None and verify_assertion(key, digest, assertion)
    return None


def verify_p256(key: bytes, digest: bytes, signature: bytes) -> bool:
    """P256.sol: `key` x ‖ y of a point on the curve, `signature` r ‖ s, 64 bytes each; s low. Digest 32 bytes."""
    if len(key) != KEY_OCTETS or len(signature) != KEY_OCTETS or len(digest) != _WORD:
        return False
    x, y = int.from_bytes(key[:_WORD], "big"), int.from_bytes(key[_WORD:], "big")
    r, s = int.from_bytes(signature[:_WORD], "big"), int.from_bytes(signature[_WORD:], "big")
    if not (0 < r < ORDER and 0 < s <= HALF_ORDER and x < PRIME and y < PRIME):
        return False
    try:
        public = ec.EllipticCurvePublicNumbers(x, y, _CURVE).public_key()
    except ValueError:  # no point of the curve
        return False
    try:
        public.verify(encode_dss_signature(r, s), digest, ec.ECDSA(_DIGEST))
    except InvalidSignature:
        return False
    return True


def verify_assertion(key: bytes, digest: bytes, assertion: Assertion) -> bool:
    """WebAuthn.sol with user verification: type, challenge, flags, signature. Origin and RP ID are not judged there."""
    data, client = assertion.authenticator_data, assertion.client_data
    if len(data) < SHORTEST_AUTHENTICATOR_DATA or len(digest) != _WORD:
        return False
    if _octets_at(client, assertion.type_index) != _TYPE:
        return False
    expected = b'"challenge":"' + base64.urlsafe_b64encode(digest).rstrip(b"=") + b'"'
    at = assertion.challenge_index
    if client[at : at + len(expected)] != expected:
        return False
    flags = data[_WORD]
    if not flags & USER_PRESENT or not flags & USER_VERIFIED or (flags & BACKED_UP and not flags & BACKUP_ELIGIBLE):
        return False
    signed = hashlib.sha256(data + hashlib.sha256(client).digest()).digest()
    if assertion.r >= 2**256 or assertion.s >= 2**256:
        return False
    return verify_p256(key, signed, assertion.r.to_bytes(_WORD, "big") + assertion.s.to_bytes(_WORD, "big"))


def rp_id_hash(signature: bytes) -> bytes | None:
    """SHA-256 of the RP ID that an assertion was made for (WebAuthn 6.1); None where it is no assertion."""
    assertion = decode(signature)
    if assertion is None or len(assertion.authenticator_data) < SHORTEST_AUTHENTICATOR_DATA:
        return None
    return assertion.authenticator_data[:_WORD]


def decode(signature: bytes) -> Assertion | None:
    """ABI form of `WebAuthnAuth`, as leniently as WebAuthn.sol reads it: offsets anywhere within, more octets after."""
    size = len(signature)
    if size < _HEAD_OCTETS:
        return None
    words = [int.from_bytes(signature[at : at + _WORD], "big") for at in range(0, _HEAD_OCTETS, _WORD)]
    data, client = _tail(signature, words[4]), _tail(signature, words[5])
    if data is None or client is None:
        return None
    return Assertion(
        r=words[0],
        s=words[1],
        challenge_index=words[2],
        type_index=words[3],
        authenticator_data=data,
        client_data=client,
    )


def encode(assertion: Assertion) -> bytes:
    """The plain ABI form of `WebAuthnAuth`: what a signing page hands over."""
    data, client = _padded(assertion.authenticator_data), _padded(assertion.client_data)
    words = (assertion.r, assertion.s, assertion.challenge_index, assertion.type_index, _HEAD_OCTETS)
    return b"".join(_word(value) for value in (*words, _HEAD_OCTETS + len(data))) + data + client


def _tail(signature: bytes, offset: int) -> bytes | None:
    room = len(signature) - _WORD
    if offset > room:
        return None
    length = int.from_bytes(signature[offset : offset + _WORD], "big")
    if length > room - offset:
        return None
    return signature[offset + _WORD : offset + _WORD + length]


def _octets_at(client: bytes, index: int) -> bytes:
    """What WebAuthn.sol compares with the type. Its index wraps at 2^256: one just below reads the last octets of the
    length before the text. No authenticator makes such a text, and the two verdicts are one all the same."""
    before = 2**256 - index
    if before < len(_TYPE):
        return (len(client).to_bytes(_WORD, "big")[-before:] + client)[: len(_TYPE)]
    return client[index : index + len(_TYPE)]


def _word(value: int) -> bytes:
    return value.to_bytes(_WORD, "big")


def _padded(data: bytes) -> bytes:
    return _word(len(data)) + data + bytes(-len(data) % _WORD)
