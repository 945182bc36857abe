"""The root in OpenBao (or another server of its transit API): the epoch key is wrapped there and the root never leaves.

The transit key is `derived`: what it wraps is bound to the epoch's id as its context. The token comes from a file, read
for each call so that an agent may renew it. Plain HTTP goes to this machine alone; redirects and the environment's
proxies are not followed. What the server says is never repeated: only its status counts.
Source: openbao.org/api-docs/secret/transit.
"""

import base64
import ipaddress
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from gateway.errors import IntegrityError, SettingsError, UpstreamError

TRANSIT = b"\x02"
"""First octet of what a transit key wrapped; its text follows, `vault:v1:…`."""
SECONDS = 5.0


class OpenBaoVault:
    """Implements `gateway.ports.keys.Vault`. `renew` and `retire` are the rotation of its root."""

    def __init__(self, url: str, *, key: str, token_path: Path, ca_path: Path | None = None) -> None:
        """`key`: mount and name, as `transit/consentry`. SettingsError for a URL or key that cannot be."""
        mount, _, name = key.rpartition("/")
        if not mount or not name:
            raise SettingsError("CONSENTRY_VAULT_KEY: mount and name of a transit key, as transit/consentry")
        self._mount, self._name = quote(mount), quote(name, safe="")
        self._token_path = token_path
        self._client = httpx.AsyncClient(
            base_url=_checked(url), verify=_trust(ca_path), timeout=SECONDS, trust_env=False, follow_redirects=False
        )

    async def wrap(self, key: bytes, *, context: bytes) -> bytes:
        answer = await self._call("encrypt", plaintext=_text(key), context=_text(context))
        return TRANSIT + _string(answer, "ciphertext").encode()

    async def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        if wrapped[:1] != TRANSIT:
            raise IntegrityError("the epoch key was not wrapped by OpenBao")
        answer = await self._call("decrypt", ciphertext=_ascii(wrapped[1:]), context=_text(context))
        try:
            return base64.b64decode(_string(answer, "plaintext"), validate=True)
        except ValueError as error:
            raise IntegrityError("OpenBao's answer is no key") from error

    async def rewrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        """The same under the newest version of the transit key; the key itself does not come here."""
        answer = await self._call("rewrap", ciphertext=_ascii(wrapped[1:]), context=_text(context))
        return TRANSIT + _string(answer, "ciphertext").encode()

    async def renew(self) -> None:
        """A new version of the transit key, which wraps from now on. Needs the right to `keys/NAME/rotate`."""
        await self._call("keys", "rotate")

    async def retire(self) -> None:
        """Destroys every version of the transit key but the newest: what they wrapped opens nowhere again. Needs the
        rights to `keys/NAME`, `keys/NAME/config` and `keys/NAME/trim`."""
        newest = (await self._call("keys", method="GET")).get("latest_version")
        if type(newest) is not int:
            raise UpstreamError("OpenBao does not tell the version of its key")
        await self._call("keys", "config", min_decryption_version=newest, min_encryption_version=newest)
        await self._call("keys", "trim", min_available_version=newest)

    async def check(self) -> None:
        """UpstreamError while it is away, sealed, not initialized, or takes the token no more."""
        await self._send("GET", "/v1/auth/token/lookup-self", {})

    async def close(self) -> None:
        await self._client.aclose()

    async def _call(self, verb: str, act: str = "", *, method: str = "POST", **fields: object) -> dict[str, Any]:
        path = f"/v1/{self._mount}/{verb}/{self._name}" + (f"/{act}" if act else "")
        return await self._send(method, path, fields)

    async def _send(self, method: str, path: str, fields: dict[str, object]) -> dict[str, Any]:
        headers = {"X-Vault-Token": self._token(), "X-Vault-Request": "true"}
        try:
            answer = await self._client.request(method, path, json=fields or None, headers=headers)
            body = answer.json() if answer.status_code == 200 else {}
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError, AttributeError) as error:
            # AttributeError: on uvloop a connection that is reset as it opens has no socket that anyio could ask.
            raise UpstreamError(f"OpenBao does not answer ({type(error).__name__})") from error
        _require(answer.status_code)
        data = body.get("data") if isinstance(body, dict) else None
        return data if isinstance(data, dict) else {}

    def _token(self) -> str:
        try:
            token = self._token_path.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise UpstreamError("CONSENTRY_VAULT_TOKEN_FILE cannot be read") from error
        if not token or not token.isprintable():
            raise UpstreamError("CONSENTRY_VAULT_TOKEN_FILE holds no token")
        return token


def _require(status: int) -> None:
    if status in (200, 204):
        return
    if status == 503:
        raise UpstreamError("OpenBao is sealed or starting: unseal it (bao operator unseal)")
    if status in (501, 429, 472, 473):
        raise UpstreamError("OpenBao is not active: initialize it, or name the active node in CONSENTRY_VAULT_URL")
    if status in (401, 403):
        raise UpstreamError("OpenBao refuses the token: renew it, or give its policy the rights to the transit key")
    if status == 404:
        raise UpstreamError("OpenBao has no such mount: enable the transit engine that CONSENTRY_VAULT_KEY names")
    if status == 400:
        raise IntegrityError("OpenBao's key does not open this, or is not as it must be (derived, of its version)")
    raise UpstreamError(f"OpenBao refuses (HTTP {status})")


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise SettingsError("CONSENTRY_VAULT_URL: https://HOST:PORT")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise SettingsError("CONSENTRY_VAULT_URL: plain http goes to this machine alone; use https")
    return f"{parts.scheme}://{parts.netloc}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _trust(ca_path: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca_path is None else str(ca_path))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError("CONSENTRY_VAULT_CA_FILE cannot be read") from error


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _ascii(octets: bytes) -> str:
    try:
        return octets.decode("ascii")
    except UnicodeDecodeError as error:
        raise IntegrityError("the wrapped epoch key is damaged") from error


def _string(answer: dict[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str):
        raise UpstreamError("OpenBao's answer is not of its form")
    return value
