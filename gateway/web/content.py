"""Large content out of the gateway: GET and HEAD of /content/{record id}, with a Range; and proofs for its chunks.

True here: a decision and its durable entry precede the first octet; what may not be shown and what is not there get
one answer. What was stored is sent as it came. Not done here: sending, and what a client is told of failures
(`downloads`).
"""

import base64
from collections.abc import AsyncGenerator
from typing import Any

from gateway.consent.model import Purpose
from gateway.crypto.chunks import CHUNK_SIZE, count_of
from gateway.errors import CallerError
from gateway.identity.model import Caller
from gateway.ids import RecordId, from_global, to_global
from gateway.records.contents import MOST_PROVEN, Again, Contents, OpenContent
from gateway.web.downloads import Download, Statement
from gateway.web.ranges import UnsatisfiableError, parse_range
from gateway.web.replies import HeaderList, RejectedError

PREFIX = "/content/"
PROOF = "/proof"
PURPOSE = b"consentry-purpose"


class ContentRoom:
    """What is given for /content/{record id} and /content/{record id}/proof."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents

    async def __call__(self, caller: Caller, path: str, headers: dict[bytes, bytes]) -> Download | Statement:
        content = await self._open(caller, path, headers)
        if path.endswith(PROOF):
            told = [(b"etag", _etag(content)), *_told(content)]
            return Statement(payload=await self._proof(content, headers), told=told)

        def octets(start: int, stop: int, again: Again) -> AsyncGenerator[bytes, None]:
            return self._contents.octets(content, start=start, stop=stop, again=again)

        return Download(
            size=content.size,
            content_type=content.content_type,
            etag=_etag(content),
            told=_told(content),
            octets=octets,
        )

    async def _open(self, caller: Caller, path: str, headers: dict[bytes, bytes]) -> OpenContent:
        name = path.removeprefix(PREFIX).removesuffix(PROOF)
        record = RecordId(from_global("Record", name, field=("id",)))
        named = headers.get(PURPOSE, b"").decode("latin-1")
        try:
            purpose = Purpose(named)
        except ValueError as error:
            raise CallerError("the header Consentry-Purpose names a purpose", field=("purpose",)) from error
        return await self._contents.open(caller, record, purpose=purpose)

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
        (b"consentry-record", to_global("Record", content.released.record).encode()),
        (b"consentry-version", b"%d" % content.released.version),
        (b"consentry-decision", to_global("Decision", receipt.decision).encode()),
        (b"consentry-receipt", base64.urlsafe_b64encode(receipt.payload.encode())),
        (b"consentry-receipt-signer", b"0x" + receipt.signer.hex().encode()),
        (b"consentry-receipt-signature", b"0x" + receipt.signature.hex().encode()),
    ]
