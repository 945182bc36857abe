"""Keys that are no wallet: a P-256 key, and a passkey as an authenticator makes one (WebAuthn), both in software.

They sign what they are given. What a right assertion looks like is said here once; tests bend it from there.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from eth_utils.crypto import keccak

from gateway import erc7913
from gateway.demo.wallet import typed_data_digest

PRESENT_AND_VERIFIED = 0x05


class P256Key:
    """secp256r1. `verifier`: 20 bytes, the contract that judges its signatures."""

    def __init__(self, verifier: bytes = bytes(20), *, secret: int | None = None) -> None:
        curve = ec.SECP256R1()
        self._key = ec.generate_private_key(curve) if secret is None else ec.derive_private_key(secret, curve)
        numbers = self._key.public_key().public_numbers()
        self.key = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
        self.verifier = verifier

    @property
    def octets(self) -> bytes:
        """The ERC-7913 signer."""
        return self.verifier + self.key

    @property
    def signer(self) -> str:
        return "0x" + self.octets.hex()

    @property
    def address(self) -> str:
        """What an EIP-4361 message names: the last 20 bytes of the signer's keccak-256."""
        return "0x" + keccak(self.octets)[12:].hex()

    def raw(self, digest: bytes) -> bytes:
        """r ‖ s over 32 bytes, s low."""
        r, s = decode_dss_signature(self._key.sign(digest, ec.ECDSA(Prehashed(SHA256()))))
        return r.to_bytes(32, "big") + min(s, erc7913.ORDER - s).to_bytes(32, "big")

    def sign_digest(self, digest: bytes) -> bytes:
        return self.raw(digest)

    def sign_typed_data(self, full: Mapping[str, Any]) -> str:
        return "0x" + self.sign_digest(bytes.fromhex(typed_data_digest(full)[2:])).hex()

    def sign_text(self, message: str) -> str:
        data = message.encode()
        digest = keccak(b"\x19Ethereum Signed Message:\n" + str(len(data)).encode() + data)
        return "0x" + self.sign_digest(digest).hex()


class SoftPasskey(P256Key):
    """A credential for one RP ID; `origin` is the page that asks."""

    def __init__(
        self, verifier: bytes = bytes(20), *, rp_id: str = "localhost", origin: str = "", secret: int | None = None
    ) -> None:
        super().__init__(verifier, secret=secret)
        self.rp_id = rp_id
        self.origin = origin or f"https://{rp_id}"

    def client_data(self, challenge: bytes) -> bytes:
        """clientDataJSON in the order that browsers write it (WebAuthn 5.8.1.1)."""
        text = base64.urlsafe_b64encode(challenge).rstrip(b"=").decode()
        return f'{{"type":"webauthn.get","challenge":"{text}","origin":"{self.origin}","crossOrigin":false}}'.encode()

    def authenticator_data(self, flags: int = PRESENT_AND_VERIFIED) -> bytes:
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + bytes(4)

    def assertion(
        self, client: bytes, data: bytes, *, challenge_index: int | None = None, type_index: int | None = None
    ) -> erc7913.Assertion:
        """Signed over whatever is given; indices are those of the members unless told."""
        raw = self.raw(hashlib.sha256(data + hashlib.sha256(client).digest()).digest())
        return erc7913.Assertion(
            r=int.from_bytes(raw[:32], "big"),
            s=int.from_bytes(raw[32:], "big"),
            challenge_index=client.find(b'"challenge"') if challenge_index is None else challenge_index,
            type_index=client.find(b'"type"') if type_index is None else type_index,
            authenticator_data=data,
            client_data=client,
        )

    def sign_digest(self, digest: bytes) -> bytes:
        return erc7913.encode(self.assertion(self.client_data(digest), self.authenticator_data()))
