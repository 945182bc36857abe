"""Octets out of the gateway by GET and HEAD, with a Range: who asks, in whose place, and how they are sent. What they
are of, and who may have them, is a room's own to say (`content`, `datasets`).

True here: the room has decided, durably, before the first octet leaves. What is sent is a download that no browser
opens as a page of this origin. A download that may not go on is cut short, so that no client takes a part for the
whole. Source: RFC 9110, sections 8, 13 and 14.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from starlette.types import Message, Receive, Scope, Send

from gateway.errors import ConsentryError
from gateway.identity.model import Caller
from gateway.records.contents import Again
from gateway.underway import bounded
from gateway.web.access import check_rate, rate_key, token_of
from gateway.web.engine import Allow, Authenticate
from gateway.web.failures import Report, failure_of, is_callers
from gateway.web.flows import Flow, gathered, squeezed, takes_gzip
from gateway.web.options import WebOptions
from gateway.web.ranges import UnsatisfiableError, parse_range
from gateway.web.replies import (
    JSON_TYPE,
    SECURITY_HEADERS,
    Exchange,
    HeaderList,
    RejectedError,
    headers_of,
    reply,
    reply_json,
)
from gateway.web.transfers import EndedError, Transfers, send_all

_DOWNLOAD: HeaderList = [
    *(pair for pair in SECURITY_HEADERS if pair[0] != b"content-security-policy"),
    (b"content-security-policy", b"sandbox; default-src 'none'; frame-ancestors 'none'"),
    (b"content-disposition", b"attachment"),
]


class CutShortError(Exception):
    """A response that was begun and may not be finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """Octets that were decided on; good for one answer. `told`: headers about them. `octets`: those from the first
    number to before the second, piece by piece; it raises ConsentryError where it may not go on."""

    size: int
    content_type: str
    etag: bytes
    told: HeaderList
    octets: Callable[[int, int, Again], AsyncGenerator[bytes, None]] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """JSON in the place of octets."""

    payload: dict[str, Any] = field(repr=False)
    told: HeaderList


Room: TypeAlias = Callable[[Caller, str, dict[bytes, bytes]], Awaitable[Download | Flow | Statement]]
"""What a caller is given for a path and headers. Raises ConsentryError, RejectedError."""


class DownloadDoor:
    """An endpoint for every method of what a room is asked by."""

    def __init__(
        self,
        room: Room,
        *,
        authenticate: Authenticate,
        still: Authenticate,
        allow: Allow | None,
        options: WebOptions,
        transfers: Transfers,
        report: Report,
    ) -> None:
        self._report = report
        self._room = room
        self._authenticate = authenticate
        self._still = still
        self._allow = allow
        self._options = options
        self._transfers = transfers

    async def __call__(self, scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise RejectedError(405, "send GET or HEAD", headers=[(b"allow", b"GET, HEAD")])
        try:
            await self._serve(scope, receive, send, exchange)
        except ConsentryError as error:
            if not is_callers(error):
                self._report(error, exchange.correlation_id)
            if exchange.status:
                raise CutShortError from error
            status, payload, headers = failure_of(error)
            await reply_json(send, exchange, status=status, payload=payload, headers=headers)
        except EndedError as error:
            raise CutShortError from error

    async def _serve(self, scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        headers = headers_of(scope)
        token = token_of(headers)
        caller = await self._authenticate(token) if token is not None else None
        await check_rate(self._allow, rate_key(caller, scope))
        if caller is None:
            raise RejectedError(
                401, "sign in first", code="UNAUTHENTICATED", headers=[(b"www-authenticate", b"Bearer")]
            )
        with self._transfers.one(caller.actor.id):
            try:
                async with bounded(self._options.answer_seconds):
                    given = await self._room(caller, scope["path"], headers)
            except TimeoutError as error:
                raise RejectedError(503, "the request took too long", code="UNAVAILABLE") from error
            if isinstance(given, Download):
                await self._send(given, token, scope, receive, send, exchange)
            elif isinstance(given, Flow):
                await self._flow(given, token, scope, receive, send, exchange)
            else:
                await reply_json(send, exchange, status=200, payload=given.payload, headers=given.told, media=JSON_TYPE)

    async def _send(
        self, download: Download, token: str | None, scope: Scope, receive: Receive, send: Send, exchange: Exchange
    ) -> None:
        headers = headers_of(scope)
        told = [
            *_DOWNLOAD,
            (b"accept-ranges", b"bytes"),
            (b"etag", download.etag),
            *download.told,
            (b"x-correlation-id", exchange.correlation_id.encode()),
        ]
        asked = headers.get(b"range") if headers.get(b"if-range", download.etag) == download.etag else None
        try:
            chosen = parse_range(asked if scope["method"] == "GET" else None, download.size)
        except UnsatisfiableError:
            nothing = [*told, (b"content-range", b"bytes */%d" % download.size)]
            await reply(send, exchange, status=416, body=b"", headers=nothing)
            return
        start, stop = chosen or (0, download.size)
        told += [(b"content-type", download.content_type.encode()), (b"content-length", b"%d" % (stop - start))]
        if chosen is not None:
            told.append((b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, download.size)))
        status = 200 if chosen is None else 206
        beginning = {"type": "http.response.start", "status": status, "headers": told}
        if scope["method"] == "HEAD":
            await self._nothing_but(beginning, send, exchange)
            return
        await self._pour(download.octets(start, stop, self._again(token)), beginning, receive, send, exchange)

    async def _flow(
        self, flow: Flow, token: str | None, scope: Scope, receive: Receive, send: Send, exchange: Exchange
    ) -> None:
        """Of a length that nobody knows: the server says where it ends, or breaks the connection."""
        packs = takes_gzip(headers_of(scope).get(b"accept-encoding"))
        told = [
            *_DOWNLOAD,
            (b"accept-ranges", b"none"),
            *flow.told,
            (b"content-type", flow.content_type.encode()),
            (b"vary", b"accept-encoding"),
            *([(b"content-encoding", b"gzip")] if packs else []),
            (b"x-correlation-id", exchange.correlation_id.encode()),
        ]
        beginning = {"type": "http.response.start", "status": 200, "headers": told}
        if scope["method"] == "HEAD":
            await self._nothing_but(beginning, send, exchange)
            return
        pieces = gathered(flow.octets(self._again(token)))
        await self._pour(squeezed(pieces) if packs else pieces, beginning, receive, send, exchange)

    def _again(self, token: str | None) -> Again:
        async def again() -> Caller | None:
            return await self._still(token)  # nobody shows it anew: one that was rotated meanwhile is no theft

        return again

    async def _nothing_but(self, beginning: Message, send: Send, exchange: Exchange) -> None:
        exchange.status = beginning["status"]
        await send(beginning)
        await send({"type": "http.response.body", "body": b""})

    async def _pour(
        self,
        pieces: AsyncGenerator[bytes, None],
        beginning: Message,
        receive: Receive,
        send: Send,
        exchange: Exchange,
    ) -> None:
        async with aclosing(pieces) as octets:
            # The first piece before the first word: what cannot be opened is refused in words of ours.
            first = await anext(octets)
            exchange.status = beginning["status"]
            await send(beginning)
            await send_all(first, octets, receive, send, exchange)
