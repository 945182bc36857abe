"""The console: GraphiQL from this checkout, never from a network, with the first operations ready to try.

True here: the page may load its own script and style and talk to its own origin, nothing else (CSP). A token that it
got by a wallet's signature, or was given, stays in its memory. Not done here: what the API does not allow.
"""

from functools import lru_cache
from pathlib import Path

from starlette.types import Scope, Send

from gateway.web.replies import SECURITY_HEADERS, Exchange, HeaderList, RejectedError, reply

FILES = {"/console/console.js": "text/javascript; charset=utf-8", "/console/console.css": "text/css; charset=utf-8"}
PAGE = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Consentry console</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/console/console.css">
</head>
<body>
<div id="console"></div>
<noscript>The console needs JavaScript; the API does not.</noscript>
<script src="/console/console.js"></script>
</body>
</html>
"""
POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self' data:; img-src 'self' data:; "
    b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: HeaderList = [
    *((name, value) for name, value in SECURITY_HEADERS if name not in (b"content-security-policy", b"cache-control")),
    (b"content-security-policy", POLICY),
]


@lru_cache(maxsize=8)
def _asset(name: str) -> bytes:
    return (Path(__file__).parent / "graphiql" / name).read_bytes()


async def page(scope: Scope, send: Send, exchange: Exchange) -> None:
    await _send(scope, send, exchange, PAGE, "text/html; charset=utf-8", b"no-store")


async def asset(scope: Scope, send: Send, exchange: Exchange) -> None:
    """One of the two files by its fixed name: a path never becomes a file name."""
    media = FILES.get(scope["path"])
    if media is None or scope["method"] not in ("GET", "HEAD"):
        raise RejectedError(404, "there is nothing here")
    await _send(scope, send, exchange, _asset(scope["path"].rpartition("/")[2]), media, b"no-cache")


async def _send(scope: Scope, send: Send, exchange: Exchange, body: bytes, media: str, cache: bytes) -> None:
    await reply(
        send,
        exchange,
        status=200,
        body=body,
        headers=[(b"content-type", media.encode()), (b"cache-control", cache), *HEADERS],
        head_only=scope["method"] == "HEAD",
    )


def wants_page(scope: Scope, headers: dict[bytes, bytes]) -> bool:
    """A browser that navigates here; a query in the URL is a request of its own."""
    return (
        scope["method"] in ("GET", "HEAD")
        and not scope.get("query_string")
        and b"text/html" in headers.get(b"accept", b"")
    )
