"""Bearer tokens of identity providers that the settings trust (RFC 9068), once every claim about them was checked."""

from dataclasses import dataclass, field
from typing import Protocol

WIDEST_SKEW_SECONDS = 60
"""How far an identity provider's clock may be off, at most; the settings may say less."""
LONGEST_TOKEN = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Of a token whose signature, issuer, audience, type and times hold. Times are seconds since 1970, the skew that is
    allowed for already added to `good_until`. `subject` is personal."""

    issuer: str
    subject: str = field(repr=False)
    issued_at: int
    good_until: int
    scopes: tuple[str, ...]
    purposes: tuple[str, ...]


class BearerTokens(Protocol):
    async def verify(self, token: str) -> Claims | None:
        """None for whatever does not hold, without a word why. UpstreamError where the issuer's keys cannot be had, and
        so nothing can be said. Asks the issuer a bounded number of times, whatever it is given."""
        ...

    async def close(self) -> None: ...
