"""The page where a patient reads a text and signs it with a passkey: an origin, a listener and an RP ID of its own.

True here: no cookie, no token, nothing of the API; scripts of this checkout alone, no connection to anywhere (CSP); no
frame. The page computes the digest of what it shows; who may ask is on a list that it is served with. Not done here:
judging signatures.
"""

import html
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from starlette.types import Receive, Scope, Send

from gateway.web.replies import SECURITY_HEADERS, Exchange, HeaderList, RejectedError, reply, reply_json

FOLDER = Path(__file__).parent / "signing_page"
SCRIPT = "text/javascript; charset=utf-8"
FILES = {
    "/page.js": SCRIPT,
    "/typed_data.js": SCRIPT,
    "/page.css": "text/css; charset=utf-8",
    "/noble/sha3.js": SCRIPT,
    "/noble/_u64.js": SCRIPT,
    "/noble/utils.js": SCRIPT,
    "/noble/crypto.js": SCRIPT,
}
POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'none'; base-uri 'none'; "
    b"form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS: HeaderList = [
    *((name, value) for name, value in SECURITY_HEADERS if name != b"content-security-policy"),
    (b"content-security-policy", POLICY),
    (b"permissions-policy", b"publickey-credentials-get=(self), publickey-credentials-create=(self)"),
]


@lru_cache(maxsize=16)
def _asset(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


class SigningPage:
    """ASGI 3, http alone. `openers`: origins whose windows may ask; the page answers no other."""

    def __init__(self, openers: Sequence[str]) -> None:
        named = html.escape(" ".join(openers), quote=True)
        self._page = _asset("page.html").replace(b"{openers}", named.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        exchange = Exchange(route="signing", correlation_id="")
        try:
            body, media = self._file(scope)
        except RejectedError as refused:
            await reply_json(send, exchange, status=refused.status, payload=refused.payload(), headers=refused.headers)
            return
        await reply(
            send,
            exchange,
            status=200,
            body=body,
            headers=[(b"content-type", media.encode()), *HEADERS],
            head_only=scope["method"] == "HEAD",
        )

    def _file(self, scope: Scope) -> tuple[bytes, str]:
        """One of the files by its fixed name: a path never becomes a file name."""
        path: str = scope["path"]
        if scope["method"] in ("GET", "HEAD") and not scope.get("query_string"):
            if path == "/":
                return self._page, "text/html; charset=utf-8"
            if path in FILES:
                return _asset(path[1:]), FILES[path]
        raise RejectedError(404, "there is nothing here")
