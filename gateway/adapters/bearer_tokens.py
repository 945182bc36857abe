"""JWT access tokens (RFC 9068) of the issuers that the settings name.

True here: the algorithms are those of the issuer's key, never the token's wish; `none` and shared secrets are not among
them; `jku`, `x5u`, `jwk` and `x5c` are not looked at, and what says `crit` is refused; type, issuer, audience and times
are as the settings have them; nothing is said twice in one object. An ID token, or one for another audience besides, is
refused: who else gets it could show it here. Not done here: who the subject is.
Source: RFC 9068; RFC 8725 (JWT best current practices); RFC 7515.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt

from gateway import jsontext
from gateway.adapters import jwks
from gateway.errors import CallerError
from gateway.ports.clock import Clock
from gateway.ports.tokens import LONGEST_TOKEN, Claims

TYPES = frozenset({"at+jwt", "application/at+jwt"})
LONGEST_SUBJECT = 255
MOST_SCOPES = 100
MOST_PURPOSES = 16
_COMPACT = re.compile(r"\A[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """One that is trusted. `audience`: what its tokens for this gateway name, alone. `jwks_url` empty: by discovery."""

    issuer: str
    audience: str
    jwks_url: str


class JwtBearerTokens:
    """Implements `gateway.ports.tokens.BearerTokens`. `longest_seconds`: the greatest lifetime that is accepted."""

    def __init__(
        self,
        issuers: Sequence[Issuer],
        *,
        skew_seconds: int,
        longest_seconds: int,
        clock: Clock,
        ca_path: Path | None = None,
    ) -> None:
        self._http = jwks.client(ca_path)
        self._issuers = {
            one.issuer: (one, jwks.IssuerKeys(one.issuer, one.jwks_url, http=self._http, clock=clock))
            for one in issuers
        }
        self._skew = skew_seconds
        self._longest = longest_seconds
        self._clock = clock
        self._jws = jwt.PyJWS()

    async def verify(self, token: str) -> Claims | None:
        # 1. Its form, and who it says that it is of: nothing of it is believed yet.
        if len(token) > LONGEST_TOKEN or _COMPACT.match(token) is None:
            return None
        try:
            header = _object(token, 0)
            named = _object(token, 1).get("iss")
        except (CallerError, ValueError):
            return None
        kid, kind = header.get("kid"), header.get("typ")
        if not isinstance(kid, str) or not isinstance(kind, str) or kind.lower() not in TYPES:
            return None
        if "crit" in header or "b64" in header or not isinstance(named, str) or named not in self._issuers:
            return None
        issuer, keys = self._issuers[named]
        # 2. The signature, by a key that its issuer publishes, and by an algorithm of that key.
        key = await keys.key(kid)
        if key is None:
            return None
        try:
            payload = self._jws.decode(token, key.material, algorithms=list(key.algorithms))
            claims = jsontext.loads(payload)
        except (jwt.PyJWTError, CallerError, ValueError, TypeError):
            return None
        # 3. What it says.
        return self._checked(claims, issuer) if isinstance(claims, dict) else None

    async def close(self) -> None:
        await self._http.aclose()

    def _checked(self, claims: dict[str, Any], issuer: Issuer) -> Claims | None:
        now = self._clock.now()
        issued, ends, begins = claims.get("iat"), claims.get("exp"), claims.get("nbf", 0)
        if type(issued) is not int or type(ends) is not int or type(begins) is not int:
            return None
        if not 0 < ends - issued <= self._longest:
            return None
        if now >= ends + self._skew or max(issued, begins) > now + self._skew:
            return None
        if claims.get("iss") != issuer.issuer or claims.get("aud") not in (issuer.audience, [issuer.audience]):
            return None
        subject = claims.get("sub")
        if (
            not isinstance(subject, str)
            or not _is_text(subject)
            or not _is_text(claims.get("jti"))
            or not _is_text(claims.get("client_id"))
        ):
            return None
        scopes, purposes = claims.get("scope", ""), claims.get("purpose_of_use", [])
        purposes = [purposes] if isinstance(purposes, str) else purposes
        if not isinstance(scopes, str) or not isinstance(purposes, list):
            return None
        if len(scopes.split()) > MOST_SCOPES or len(purposes) > MOST_PURPOSES or not all(map(_is_text, purposes)):
            return None
        return Claims(
            issuer=issuer.issuer,
            subject=subject,
            issued_at=issued,
            good_until=ends + self._skew,
            scopes=tuple(scopes.split()),
            purposes=tuple(purposes),
        )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_SUBJECT and value.isprintable()


def _object(token: str, part: int) -> dict[str, Any]:
    """A part of the token, as strict JSON: a key that is said twice is a CallerError."""
    found = jsontext.loads(jwt.utils.base64url_decode(token.split(".")[part]))
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found
