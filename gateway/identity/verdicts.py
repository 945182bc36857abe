"""One verdict on signatures for all rooms: taken here where it can be, from the registry where only the chain can say.

True here: wallets, P-256 keys and passkeys are judged without the chain, as the contracts judge them. Not done here:
who should have signed.
"""

from collections.abc import Iterable

from gateway import erc7913
from gateway.ports.chain import Chain, ChainFacts

LONGEST_SIGNATURE = 16_384


def verifiers_of(facts: ChainFacts) -> erc7913.Verifiers:
    return erc7913.Verifiers(p256=facts.p256_verifier, webauthn=facts.webauthn_verifier)


class Verdicts:
    """See the module."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self.verifiers = verifiers_of(chain.facts)

    async def signed_by(self, signer: bytes, digest: bytes, signature: bytes) -> bool:
        """The contract's verdict. Raises UpstreamError where only the chain can say and does not answer."""
        return await self.signer_among((signer,), digest, signature) is not None

    async def signer_among(self, signers: Iterable[bytes], digest: bytes, signature: bytes) -> bytes | None:
        """The first that signed; the chain is asked only where nobody known here did."""
        if len(signature) > LONGEST_SIGNATURE:
            return None
        open_ = []
        for signer in signers:
            found = erc7913.judge(signer, digest, signature, self.verifiers)
            if found:
                return signer
            if found is None:
                open_.append(signer)
        for signer in open_:
            # A contract wallet may take 65 octets too; an account without code answers no.
            if await self._chain.valid_signature(signer, digest, signature):
                return signer
        return None
