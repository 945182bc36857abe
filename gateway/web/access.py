"""Who asks, and whether they may ask once more. Nothing of a token or an address is logged."""

from starlette.types import Scope

from gateway.identity.model import Caller
from gateway.web.engine import Allow
from gateway.web.replies import RejectedError

TOKEN_CHARACTERS = 8_192
RETRY = [(b"retry-after", b"1")]


def bearer(value: str | None) -> str | None:
    """`Bearer <token>` (RFC 6750 section 2.1) -> the token; None for anything else, which is like no token."""
    if value is None:
        return None
    scheme, _, token = value.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not 0 < len(token) <= TOKEN_CHARACTERS or not token.isascii():
        return None
    return token


def token_of(headers: dict[bytes, bytes]) -> str | None:
    value = headers.get(b"authorization")
    return None if value is None else bearer(value.decode("latin-1"))


def rate_key(caller: Caller | None, scope: Scope) -> str:
    """The actor, or the address of the peer where nobody is signed in. Forwarded-for headers are not believed."""
    if caller is not None:
        return f"actor:{caller.actor.id.hex()}"
    client = scope.get("client")
    return f"peer:{client[0] if client else 'unknown'}"


async def check_rate(allow: Allow | None, key: str) -> None:
    """Raises RejectedError 429 past the rate."""
    if allow is not None and not await allow(key):
        raise RejectedError(429, "too many requests; try again shortly", code="LIMIT", headers=RETRY)


def same_origin(origin: bytes, headers: dict[bytes, bytes]) -> bool:
    """Whether a browser's Origin is the host that it talks to."""
    _, separator, host = origin.partition(b"://")
    return bool(separator) and host.lower() == headers.get(b"host", b"").lower()
