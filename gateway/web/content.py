"""Large content out of the gateway: GET and HEAD of /content/{record id}, with a Range; and proofs for its chunks.

True here: a decision and its durable entry precede the first octet; what may not be shown and what is not there get
one answer. What was stored is sent as it came, as a download that no browser opens as a page of this origin. A download
that may not go on is cut short, so that no client takes a part for the whole. Source: RFC 9110, sections 8, 13 and 14.
"""

import base64
from contextlib import aclosing
from typing import Any

from starlette.types import Receive, Scope, Send

from gateway.consent.model import Purpose
from gateway.crypto.chunks import CHUNK_SIZE, count_of
from gateway.errors import CallerError, ConsentryError
from gateway.identity.model import Caller
from gateway.ids import RecordId, from_global, to_global
from gateway.records.contents import MOST_PROVEN, Contents, OpenContent
from gateway.underway import bounded
from gateway.web.access import check_rate, rate_key, token_of
from gateway.web.engine import Allow, Authenticate
from gateway.web.failures import Report, failure_of, is_callers
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

PREFIX = "/content/"
PROOF = "/proof"
PURPOSE = b"consentry-purpose"
_DOWNLOAD: HeaderList = [
    *(pair for pair in SECURITY_HEADERS if pair[0] != b"content-security-policy"),
    (b"content-security-policy", b"sandbox; default-src 'none'; frame-ancestors 'none'"),
    (b"content-disposition", b"attachment"),
    (b"accept-ranges", b"bytes"),
]


class CutShortError(Exception):
    """A response that was begun and may not be finished."""


class ContentDoor:
    """An endpoint for every method of /content/{record id} and /content/{record id}/proof."""

    def __init__(
        self,
        contents: Contents,
        *,
        authenticate: Authenticate,
        still: Authenticate,
        allow: Allow | None,
        options: WebOptions,
        transfers: Transfers,
        report: Report,
    ) -> None:
        self._report = report
        self._contents = contents
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
            proves = scope["path"].endswith(PROOF)
            try:
                async with bounded(self._options.answer_seconds):
                    content = await self._open(caller, scope["path"], headers)
                    payload = await self._proof(content, headers) if proves else None
            except TimeoutError as error:
                raise RejectedError(503, "the request took too long", code="UNAVAILABLE") from error
            if payload is None:
                await self._send(content, token, scope, receive, send, exchange)
            else:
                told = _told(content)
                await reply_json(send, exchange, status=200, payload=payload, headers=told, media=JSON_TYPE)

    async def _open(self, caller: Caller, path: str, headers: dict[bytes, bytes]) -> OpenContent:
        name = path.removeprefix(PREFIX).removesuffix(PROOF)
        record = RecordId(from_global("Record", name, field=("id",)))
        named = headers.get(PURPOSE, b"").decode("latin-1")
        try:
            purpose = Purpose(named)
        except ValueError as error:
            raise CallerError("the header Consentry-Purpose names a purpose", field=("purpose",)) from error
        return await self._contents.open(caller, record, purpose=purpose)

    async def _send(
        self, content: OpenContent, token: str | None, scope: Scope, receive: Receive, send: Send, exchange: Exchange
    ) -> None:
        headers = headers_of(scope)
        told = [*_DOWNLOAD, *_told(content), (b"x-correlation-id", exchange.correlation_id.encode())]
        etag = _etag(content)
        asked = headers.get(b"range") if headers.get(b"if-range", etag) == etag else None
        try:
            chosen = parse_range(asked if scope["method"] == "GET" else None, content.size)
        except UnsatisfiableError:
            nothing = [*told, (b"content-range", b"bytes */%d" % content.size)]
            await reply(send, exchange, status=416, body=b"", headers=nothing)
            return
        start, stop = chosen or (0, content.size)
        told += [(b"content-type", content.content_type.encode()), (b"content-length", b"%d" % (stop - start))]
        if chosen is not None:
            told.append((b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, content.size)))
        status = 200 if chosen is None else 206
        beginning = {"type": "http.response.start", "status": status, "headers": told}
        if scope["method"] == "HEAD":
            exchange.status = status
            await send(beginning)
            await send({"type": "http.response.body", "body": b""})
            return

        async def again() -> Caller | None:
            return await self._still(token)  # nobody shows it anew: one that was rotated meanwhile is no theft

        async with aclosing(self._contents.octets(content, start=start, stop=stop, again=again)) as octets:
            # The first chunk before the first word: what cannot be opened is refused in words of ours.
            first = await anext(octets)
            exchange.status = status
            await send(beginning)
            await send_all(first, octets, receive, send, exchange)

    async def _proof(self, content: OpenContent, headers: dict[bytes, bytes]) -> dict[str, Any]:
        """`Range` names octets; the proof is of each chunk that holds some of them."""
        try:
            start, stop = parse_range(headers.get(b"range"), content.size) or (0, content.size)
        except UnsatisfiableError as error:
            raise RejectedError(416, "no octet of the content is in the range") from error
        first, last = start // CHUNK_SIZE, (stop - 1) // CHUNK_SIZE
        if last - first >= MOST_PROVEN:
            raise RejectedError(413, f"at most {MOST_PROVEN} chunks in one proof", code="LIMIT")
        chunks = await self._contents.prove(content, first=first, last=last)
        return {
            "chunkSize": CHUNK_SIZE,
            "size": str(content.size),
            "count": count_of(content.size),
            "commitment": "0x" + content.large.commitment.hex(),
            "chunks": [
                {
                    "number": one.number,
                    "salt": "0x" + one.salt.hex(),
                    "path": ["0x" + beside.hex() for beside in one.path],
                }
                for one in chunks
            ],
        }


def _etag(content: OpenContent) -> bytes:
    return b'"%s"' % content.root.encode()


def _told(content: OpenContent) -> HeaderList:
    """Which record, and the signed receipt: its exact text, who signed, the signature."""
    receipt = content.released.receipt
    return [
        (b"etag", _etag(content)),
        (b"consentry-record", to_global("Record", content.released.record).encode()),
        (b"consentry-version", b"%d" % content.released.version),
        (b"consentry-decision", to_global("Decision", receipt.decision).encode()),
        (b"consentry-receipt", base64.urlsafe_b64encode(receipt.payload.encode())),
        (b"consentry-receipt-signer", b"0x" + receipt.signer.hex().encode()),
        (b"consentry-receipt-signature", b"0x" + receipt.signature.hex().encode()),
    ]
