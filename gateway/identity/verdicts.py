"""One verdict on signatures for all rooms: taken here where it can be, from the registry where only the chain can say.

True here: wallets, P-256 keys and passkeys are judged without the chain, as the contracts judge them; and a passkey
counts only for what its page is for. The contracts do not look at the RP ID (WebAuthn 7.2, step 15); this room does, so
that an assertion made to sign in is never a signature under a text, nor the reverse. Not done here: who should have
signed.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from gateway import erc7913
from gateway.ports.chain import Chain, ChainFacts

LONGEST_SIGNATURE = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class RelyingParties:
    """RP IDs: `gateway` of the origin that people sign in to, `signing` of the page where texts are signed. Empty:
    there is none, and no passkey counts for it."""

    gateway: str
    signing: str


def verifiers_of(facts: ChainFacts) -> erc7913.Verifiers:
    return erc7913.Verifiers(p256=facts.p256_verifier, webauthn=facts.webauthn_verifier)


class Verdicts:
    """See the module."""

    def __init__(self, chain: Chain, parties: RelyingParties) -> None:
        self._chain = chain
        self._parties = parties
        self.verifiers = verifiers_of(chain.facts)

    async def signed_in_by(self, signer: bytes, digest: bytes, signature: bytes) -> bool:
        """A sign-in: a passkey's must be made for this gateway's own origin. Raises as `signer_among`."""
        if not self._made_for(self._parties.gateway, signer, signature):
            return False
        return await self.signer_among((signer,), digest, signature) is not None

    async def signed_by(self, signer: bytes, digest: bytes, signature: bytes) -> bool:
        """A text (EIP-712): a passkey's must be made at the signing page. Raises as `signer_among`."""
        return await self.text_signer((signer,), digest, signature) is not None

    async def text_signer(self, signers: Iterable[bytes], digest: bytes, signature: bytes) -> bytes | None:
        """As `signer_among`, of those whose word under a text this is."""
        meant = [signer for signer in signers if self._made_for(self._parties.signing, signer, signature)]
        return await self.signer_among(meant, digest, signature)

    async def signer_among(self, signers: Iterable[bytes], digest: bytes, signature: bytes) -> bytes | None:
        """The first that signed, wherever a passkey was asked; the chain is asked only where nobody known here did.
        Raises UpstreamError where only the chain can say and does not answer."""
        if len(signature) > LONGEST_SIGNATURE:
            return None
        waiting = []
        for signer in signers:
            found = erc7913.judge(signer, digest, signature, self.verifiers)
            if found:
                return signer
            if found is None:
                waiting.append(signer)
        for signer in waiting:
            # A contract wallet may take 65 octets too; an account without code answers no.
            if await self._chain.valid_signature(signer, digest, signature):
                return signer
        return None

    def _made_for(self, rp_id: str, signer: bytes, signature: bytes) -> bool:
        if not erc7913.is_passkey(signer, self.verifiers):
            return True
        return bool(rp_id) and erc7913.rp_id_hash(signature) == hashlib.sha256(rp_id.encode()).digest()
