"""An issuer's public keys, fetched from where it publishes them, and from nowhere that a token names.

True here: HTTPS alone, or HTTP to this machine; no redirects, no proxies of the environment; an answer is bounded in
size and time; whatever tokens come, an issuer is asked at most once in `AGAIN_SECONDS`. A key that the issuer no longer
publishes is good for `FRESH_SECONDS` at most, and for `STALE_SECONDS` where the issuer does not answer. Symmetric keys
are never taken. Source: RFC 7517; OpenID Connect Discovery 1.0.
"""

import asyncio
import ipaddress
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from gateway import jsontext
from gateway.errors import CallerError, SettingsError, UpstreamError
from gateway.ports.clock import Clock

FRESH_SECONDS = 300.0
STALE_SECONDS = 3_600.0
AGAIN_SECONDS = 10.0
FETCH_SECONDS = 3.0
LARGEST_OCTETS = 64 * 1024
MOST_KEYS = 32
SMALLEST_RSA_BITS = 2_048


@dataclass(frozen=True, slots=True)
class PublicKey:
    """`algorithms`: what it may verify, by its kind and by what its issuer says of it; nothing of it is a token's."""

    material: Any = field(repr=False)
    algorithms: tuple[str, ...]


def client(ca_path: Path | None) -> httpx.AsyncClient:
    trust = ssl.create_default_context(cafile=None if ca_path is None else str(ca_path))
    return httpx.AsyncClient(verify=trust, timeout=FETCH_SECONDS, trust_env=False, follow_redirects=False)


def require_safe(url: str) -> str:
    """The URL. Raises SettingsError where it is neither https nor of this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    near = host == "localhost" or _is_loopback(host)
    safe = parts.scheme == "https" or (parts.scheme == "http" and near)
    if not host or not safe or parts.username or parts.fragment:
        raise SettingsError("CONSENTRY_OIDC_ISSUERS: https, or http on this machine")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class IssuerKeys:
    """The keys of one issuer. `jwks_url` empty: as its discovery document says."""

    def __init__(self, issuer: str, jwks_url: str, *, http: httpx.AsyncClient, clock: Clock) -> None:
        self._issuer = require_safe(issuer)
        self._jwks_url = require_safe(jwks_url) if jwks_url else ""
        self._http = http
        self._clock = clock
        self._keys: dict[str, PublicKey] | None = None
        self._fetched = 0.0
        self._tried = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def key(self, kid: str) -> PublicKey | None:
        """None where the issuer has no such key. UpstreamError where its keys cannot be had."""
        if self._wanted(kid):
            # A task of its own: whoever asked may go away, and the issuer is asked once in AGAIN_SECONDS all the same.
            self._tried = self._clock.monotonic()
            self._fetching = asyncio.create_task(self._fetch(), name="issuer keys")
        if self._fetching is not None and (self._keys is None or kid not in self._keys or self._is_old()):
            await asyncio.shield(self._fetching)
        if self._keys is None or self._clock.monotonic() - self._fetched > STALE_SECONDS:
            raise UpstreamError("the identity provider's keys cannot be had")
        return self._keys.get(kid)

    def _wanted(self, kid: str) -> bool:
        now = self._clock.monotonic()
        if now - self._tried < AGAIN_SECONDS:
            return False
        return self._keys is None or kid not in self._keys or self._is_old()

    def _is_old(self) -> bool:
        return self._clock.monotonic() - self._fetched > FRESH_SECONDS

    async def _fetch(self) -> None:
        """Keeps what was known where the issuer does not answer, or not as it should."""
        asked_at = self._clock.monotonic()
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                found = await self._get(self._jwks_url or await self._discovered())
            self._keys = _public_keys(found)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, CallerError, SettingsError, ValueError, OSError):
            return
        except AttributeError:  # on uvloop a connection that is reset as it opens has no socket that anyio could ask
            return
        self._fetched = asked_at

    async def _discovered(self) -> str:
        found = await self._get(self._issuer.rstrip("/") + "/.well-known/openid-configuration")
        url = found.get("jwks_uri")
        # The document must be this issuer's own (Discovery 1.0, section 4.3).
        if found.get("issuer") != self._issuer or not isinstance(url, str):
            raise ValueError("not the issuer's own document")
        if urlsplit(url).scheme == "http" != urlsplit(self._issuer).scheme:
            raise ValueError("an issuer elsewhere names a place on this machine")
        return require_safe(url)

    async def _get(self, url: str) -> dict[str, Any]:
        async with self._http.stream("GET", url, headers={"accept": "application/json"}) as answer:
            if answer.status_code != 200:
                raise ValueError("refused")
            octets = b""
            async for chunk in answer.aiter_bytes():
                octets += chunk
                if len(octets) > LARGEST_OCTETS:
                    raise ValueError("too large")
        found = jsontext.loads(octets)
        if not isinstance(found, dict):
            raise ValueError("no object")
        return found


def _public_keys(found: dict[str, Any]) -> dict[str, PublicKey]:
    """By their names; what has none, is of another use, or is of no kind that is taken here, is left out. Two of one
    name are both left out: which of them was meant cannot be told."""
    listed = found.get("keys")
    if not isinstance(listed, list) or len(listed) > MOST_KEYS:
        raise ValueError("no key set, or too large")
    keys: dict[str, PublicKey] = {}
    twice: set[str] = set()
    for one in listed:
        kid = one.get("kid") if isinstance(one, dict) else None
        if not isinstance(kid, str):
            continue
        key = _public_key(one)
        if kid in keys:
            twice.add(kid)
        if key is not None:
            keys[kid] = key
    return {kid: key for kid, key in keys.items() if kid not in twice}


def _public_key(jwk: dict[str, Any]) -> PublicKey | None:
    """Public members alone are read: what else a key set holds is not looked at."""
    if jwk.get("use", "sig") != "sig":
        return None
    try:
        match jwk.get("kty"), jwk.get("crv"):
            case "RSA", _:
                material: Any = RSAAlgorithm.from_jwk({name: jwk[name] for name in ("kty", "n", "e")})
                may: tuple[str, ...] = ("RS256", "PS256") if material.key_size >= SMALLEST_RSA_BITS else ()
            case "EC", "P-256":
                material = ECAlgorithm.from_jwk({name: jwk[name] for name in ("kty", "crv", "x", "y")})
                may = ("ES256",)
            case "OKP", "Ed25519":
                material = OKPAlgorithm.from_jwk({name: jwk[name] for name in ("kty", "crv", "x")})
                may = ("EdDSA",)
            case _:
                return None
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):
        return None
    may = tuple(one for one in may if jwk.get("alg", one) == one)
    return PublicKey(material, may) if may else None
