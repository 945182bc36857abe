"""Large content into the gateway: resumable uploads by tus 1.0.0, with its creation, termination and expiration.

    POST   /content                    begins: Upload-Length, Upload-Metadata (patientId, contentType, labels, purpose)
    HEAD   /content/uploads/{upload}   tells how far it has come
    PATCH  /content/uploads/{upload}   goes on from Upload-Offset; the last octets make the record
    DELETE /content/uploads/{upload}   gives it up

True here: nothing of a body is read before the upload's owner is known; the answer's Upload-Offset is durable. A
finished upload names its record in `Consentry-Record`. Source: tus.io/protocols/resumable-upload, 1.0.0.
"""

import base64
import binascii
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate

from starlette.types import Receive, Scope, Send

from gateway.consent.model import Purpose
from gateway.errors import CallerError, ConsentryError
from gateway.identity.model import Caller
from gateway.ids import SubjectId, from_global, to_global
from gateway.records.uploads import NewUpload, Uploads, UploadView
from gateway.underway import bounded
from gateway.web.access import RETRY, check_rate, rate_key, token_of
from gateway.web.bodies import CLOSE
from gateway.web.engine import Allow, Authenticate
from gateway.web.failures import Report, failure_of, is_callers
from gateway.web.options import WebOptions
from gateway.web.replies import SECURITY_HEADERS, Exchange, HeaderList, RejectedError, headers_of, reply, reply_json
from gateway.web.transfers import Incoming, Transfers

COLLECTION = "/content"
PREFIX = "/content/uploads/"
VERSION = b"1.0.0"
METADATA_MOST = 4096
_NUMBER = re.compile(rb"\d{1,15}")
_UPLOAD = re.compile(r"[A-Za-z0-9_-]{22}")
_BODY_TYPE = b"application/offset+octet-stream"
_TUS: HeaderList = [*SECURITY_HEADERS, (b"tus-resumable", VERSION)]


class UploadDoor:
    """An endpoint for every method of /content and /content/uploads/{upload}."""

    def __init__(
        self,
        uploads: Uploads,
        *,
        authenticate: Authenticate,
        still: Authenticate,
        allow: Allow | None,
        options: WebOptions,
        transfers: Transfers,
        report: Report,
    ) -> None:
        self._report = report
        self._uploads = uploads
        self._authenticate = authenticate
        self._still = still
        self._allow = allow
        self._options = options
        self._transfers = transfers

    async def __call__(self, scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        headers, method = headers_of(scope), scope["method"]
        if method == "OPTIONS":
            await reply(send, exchange, status=204, body=b"", headers=[*_TUS, *self._offered()])
            return
        if headers.get(b"tus-resumable") != VERSION:
            raise RejectedError(412, "send Tus-Resumable: 1.0.0", headers=[(b"tus-version", VERSION), *CLOSE])
        try:
            token = token_of(headers)
            caller = await self._authenticate(token) if token is not None else None
            await check_rate(self._allow, rate_key(caller, scope))
            if caller is None:
                challenge = [(b"www-authenticate", b"Bearer"), *CLOSE]
                raise RejectedError(401, "sign in first", code="UNAUTHENTICATED", headers=challenge)
            if scope["path"] == COLLECTION:
                _only(method, "POST")
                await self._begin(caller, headers, send, exchange)
            else:
                _only(method, "HEAD", "PATCH", "DELETE")
                upload = _named(scope["path"])
                if method == "PATCH":
                    await self._append(caller, upload, token, headers, receive, send, exchange)
                else:
                    await self._short(caller, upload, method, send, exchange)
        except ConsentryError as error:
            if not is_callers(error):
                self._report(error, exchange.correlation_id)
            status, payload, added = failure_of(error)
            # What of the body was not read makes the connection useless.
            closing = CLOSE if method == "PATCH" else []
            await reply_json(send, exchange, status=status, payload=payload, headers=[*_tus(), *added, *closing])

    async def _begin(self, caller: Caller, headers: dict[bytes, bytes], send: Send, exchange: Exchange) -> None:
        if headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers:
            raise RejectedError(400, "an upload begins without a body; send octets with PATCH", headers=CLOSE)
        if b"upload-defer-length" in headers:
            raise RejectedError(400, "say Upload-Length at the beginning")
        size = _number(headers, b"upload-length")
        new = _new_upload(_metadata(headers.get(b"upload-metadata", b"")), size)
        async with self._in_time():
            view = await self._uploads.begin(caller, new)
        where = (b"location", (PREFIX + _text(view.upload)).encode())
        await reply(send, exchange, status=201, body=b"", headers=[*_TUS, where, *_told(view)])

    async def _short(self, caller: Caller, upload: bytes, method: str, send: Send, exchange: Exchange) -> None:
        async with self._in_time():
            if method == "DELETE":
                await self._uploads.abandon(caller, upload)
                await reply(send, exchange, status=204, body=b"", headers=[*_TUS])
                return
            view = await self._uploads.look(caller, upload)
        told = [*_TUS, *_told(view), (b"upload-length", b"%d" % view.size)]
        await reply(send, exchange, status=200, body=b"", headers=told)

    async def _append(
        self,
        caller: Caller,
        upload: bytes,
        token: str | None,
        headers: dict[bytes, bytes],
        receive: Receive,
        send: Send,
        exchange: Exchange,
    ) -> None:
        if headers.get(b"content-type", b"").strip().lower() != _BODY_TYPE:
            raise RejectedError(415, f"content-type must be {_BODY_TYPE.decode()}", headers=CLOSE)
        if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
            raise RejectedError(415, "content-encoding is not accepted", headers=CLOSE)
        offset = _number(headers, b"upload-offset")

        async def again() -> Caller | None:
            return await self._still(token)  # nobody shows it anew: one that was rotated meanwhile is no theft

        with self._transfers.one(caller.actor.id):
            incoming = Incoming(receive)
            view = await self._uploads.append(caller, upload, offset=offset, octets=incoming.octets(), again=again)
        if incoming.slow:
            raise RejectedError(408, "the body took too long; go on from where the upload stands", headers=CLOSE)
        if not incoming.is_whole and view.record is None:
            exchange.status = 499
            return
        await reply(send, exchange, status=204, body=b"", headers=[*_TUS, *_told(view)])

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with bounded(self._options.answer_seconds):
                yield
        except TimeoutError as error:
            raise RejectedError(503, "the request took too long", code="UNAVAILABLE", headers=RETRY) from error

    def _offered(self) -> HeaderList:
        return [
            (b"tus-version", VERSION),
            (b"tus-extension", b"creation,termination,expiration"),
            (b"tus-max-size", b"%d" % self._uploads.terms.largest),
        ]


def _tus() -> HeaderList:
    return [(b"tus-resumable", VERSION)]


def _only(method: str, *allowed: str) -> None:
    if method not in allowed:
        raise RejectedError(405, f"send {' or '.join(allowed)}", headers=[(b"allow", ", ".join(allowed).encode())])


def _told(view: UploadView) -> HeaderList:
    told = [(b"upload-offset", b"%d" % view.offset)]
    if view.record is None:
        told.append((b"upload-expires", formatdate(view.expires_at, usegmt=True).encode()))
    else:
        told.append((b"consentry-record", to_global("Record", view.record).encode()))
        told.append((b"consentry-version", b"%d" % view.version))
    return told


def _number(headers: dict[bytes, bytes], name: bytes) -> int:
    value = headers.get(name, b"")
    if not _NUMBER.fullmatch(value):
        raise RejectedError(400, f"{name.decode()} must be a whole number", headers=CLOSE)
    return int(value)


def _text(upload: bytes) -> str:
    return base64.urlsafe_b64encode(upload).decode().rstrip("=")


def _named(path: str) -> bytes:
    """The upload that a path names. One that we never issued is one that is not there."""
    text = path.removeprefix(PREFIX)
    raw = base64.urlsafe_b64decode(text + "==") if _UPLOAD.fullmatch(text) else b""
    return raw if _text(raw) == text else bytes(16)


def _metadata(value: bytes) -> dict[str, str]:
    """`key base64, key base64 …`. Keys that mean nothing here, a file's name among them, are passed over unread."""
    if len(value) > METADATA_MOST:
        raise RejectedError(400, f"Upload-Metadata has at most {METADATA_MOST} octets", headers=CLOSE)
    found: dict[str, str] = {}
    for pair in value.decode("latin-1").split(","):
        name, _, encoded = pair.strip().partition(" ")
        if name in found:
            raise RejectedError(400, "each key of Upload-Metadata stands once")
        try:
            if name in ("patientId", "contentType", "labels", "purpose"):
                found[name] = base64.b64decode(encoded, validate=True).decode("utf-8")
        except (binascii.Error, ValueError) as error:
            raise RejectedError(400, "Upload-Metadata is not in its form") from error
    return found


def _new_upload(told: dict[str, str], size: int) -> NewUpload:
    labels = told.get("labels")
    try:
        purpose = Purpose(told["purpose"]) if "purpose" in told else None
    except ValueError as error:
        raise CallerError("no purpose of HL7's PurposeOfUse", field=("purpose",)) from error
    return NewUpload(
        subject=SubjectId(from_global("Patient", told.get("patientId", ""), field=("patientId",))),
        content_type=told.get("contentType", ""),
        size=size,
        labels=None if labels is None else tuple(one.strip() for one in labels.split(",") if one.strip()),
        purpose=purpose,
    )
