"""Pages of other origins at the doors of large content: those that the settings list, and no other.

True here: for an origin that is not listed nothing is added, so a browser keeps the answer from its page, and sends
neither octets nor a token after a preflight. Every refusal says as much as to the gateway's own pages. Source: Fetch,
section 3.3 (CORS protocol); tus 1.0.0, cross-origin requests.
"""

from collections.abc import MutableMapping
from typing import Any

from starlette.types import Receive, Scope, Send

from gateway.web.graphql import Endpoint
from gateway.web.replies import SECURITY_HEADERS, Exchange, HeaderList, RejectedError, headers_of, reply, reply_json

_PREFLIGHT: HeaderList = [
    (b"access-control-allow-methods", b"GET, HEAD, POST, PATCH, DELETE"),
    (
        b"access-control-allow-headers",
        b"authorization, content-type, range, if-range, consentry-purpose, tus-resumable, upload-length,"
        b" upload-metadata, upload-offset",
    ),
    (b"access-control-max-age", b"600"),
]
_SHOWN = (
    b"x-correlation-id, location, tus-resumable, tus-version, tus-extension, tus-max-size, upload-offset,"
    b" upload-length, upload-expires, etag, content-range, accept-ranges, consentry-record, consentry-version,"
    b" consentry-decision, consentry-receipt, consentry-receipt-signer, consentry-receipt-signature"
)


def crossing(endpoint: Endpoint, origins: tuple[str, ...]) -> Endpoint:
    """The endpoint, for pages of these origins too."""
    listed = frozenset(origin.encode() for origin in origins)

    async def answer(scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        headers = headers_of(scope)
        origin = headers.get(b"origin")
        if not listed or origin is None or origin not in listed:
            await endpoint(scope, receive, send, exchange)
            return
        told: HeaderList = [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _SHOWN),
            (b"vary", b"origin"),
        ]

        async def shown(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                kept = [pair for pair in message["headers"] if pair[0] != b"cross-origin-resource-policy"]
                message = {**message, "headers": [*kept, *told]}
            await send(message)

        if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            await reply(shown, exchange, status=204, body=b"", headers=[*SECURITY_HEADERS, *_PREFLIGHT])
            return
        try:
            await endpoint(scope, receive, shown, exchange)
        except RejectedError as refused:
            await reply_json(shown, exchange, status=refused.status, payload=refused.payload(), headers=refused.headers)

    return answer
