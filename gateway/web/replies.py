"""Responses: every one bounded, uncached, and with the headers that keep a browser from being used against us."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from starlette.types import Scope, Send

from gateway import jsontext

HeaderList: TypeAlias = list[tuple[bytes, bytes]]

JSON_TYPE = b"application/json; charset=utf-8"
GRAPHQL_TYPE = b"application/graphql-response+json; charset=utf-8"
SECURITY_HEADERS: HeaderList = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
]


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request as it is logged: no path, no query, no body, no header."""

    route: str
    correlation_id: str
    status: int = 0
    octets: int = 0


class RejectedError(Exception):
    """A request that HTTP alone refuses; answered in GraphQL's shape, so that every client can read it."""

    def __init__(self, status: int, message: str, *, code: str = "INVALID", headers: Iterable[Any] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers: HeaderList = list(headers)

    def payload(self) -> dict[str, Any]:
        return {"errors": [{"message": self.message, "extensions": {"code": self.code}}]}


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Header names in lower case -> value; of a repeated header the last."""
    return {name.lower(): value for name, value in scope["headers"]}


async def reply(
    send: Send, exchange: Exchange, *, status: int, body: bytes, headers: HeaderList, head_only: bool = False
) -> None:
    """Sends the whole response. `content-length` and `x-correlation-id` are added."""
    exchange.status, exchange.octets = status, len(body)
    start = [
        *headers,
        (b"content-length", b"%d" % len(body)),
        (b"x-correlation-id", exchange.correlation_id.encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": b"" if head_only else body})


async def reply_json(
    send: Send,
    exchange: Exchange,
    *,
    status: int,
    payload: dict[str, Any],
    headers: HeaderList,
    media: bytes = JSON_TYPE,
) -> None:
    await reply(
        send,
        exchange,
        status=status,
        body=jsontext.dumps(payload),
        headers=[(b"content-type", media), *SECURITY_HEADERS, *headers],
    )
