"""A request's body: bounded before it is read, read under a deadline, parsed strictly, and then a typed request.

True here: of a body over the ceiling no more than the ceiling is held, and of all together a bounded sum; what passes
is one JSON object with a query. Every refusal is a RejectedError. Source: GraphQL over HTTP, sections 5.2 and 6.
"""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Receive

from gateway import jsontext
from gateway.errors import CallerError
from gateway.web.access import RETRY
from gateway.web.replies import RejectedError

CLOSE = [(b"connection", b"close")]
VALUES_CEILING = 1_000_000
"""JSON values in one body, counted by their separators before anything is built of them."""
COUNTED_FROM = 1024 * 1024
SHORT = 64 * 1024
"""Octets up to which a body is read at once; longer ones wait their turn, so that a heap of them holds up nobody."""
DOCUMENT_ID_CHARACTERS = 256
SHA256_HEX = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphQLRequest:
    """`query` may be missing where `document_id` names it; with both, the one must be the other's."""

    query: str | None = field(repr=False)
    document_id: str | None
    variables: dict[str, Any] = field(repr=False)
    operation_name: str | None


class DisconnectedError(Exception):
    """The client went away before its request was whole."""


def check_type(headers: dict[bytes, bytes]) -> None:
    """JSON in UTF-8, not compressed. Any type that a page may post across sites without asking is refused (CSRF)."""
    essence, _, parameters = headers.get(b"content-type", b"").decode("latin-1").partition(";")
    if essence.strip().lower() != "application/json":
        raise RejectedError(415, "content-type must be application/json", headers=CLOSE)
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in ("utf-8", "utf8"):
            raise RejectedError(415, "charset must be utf-8", headers=CLOSE)
    if headers.get(b"content-encoding", b"identity").strip().lower() not in (b"", b"identity"):
        raise RejectedError(415, "content-encoding is not accepted", headers=CLOSE)


def check_length(headers: dict[bytes, bytes], *, ceiling: int) -> None:
    """A declared length over the ceiling is refused before a byte of it is read."""
    declared = headers.get(b"content-length")
    if declared is None:
        return
    if not declared.isdigit() or len(declared) > 18:
        raise RejectedError(400, "content-length is not a number", headers=CLOSE)
    if int(declared) > ceiling:
        raise _too_large(ceiling)


class Octets:
    """Of all bodies that are being received, or wait to be read: past `most` of them another octet is refused, but for
    the first `SHORT` of each: however many long ones come slowly, short ones are let through."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0

    @contextmanager
    def held(self) -> Iterator[Callable[[int], None]]:
        """Takes what one body has more; all of it is let go at the end. RejectedError past the bound."""
        whole = mine = 0

        def hold(octets: int) -> None:
            nonlocal whole, mine
            whole += octets
            more = max(0, whole - SHORT) - mine
            mine += more
            self._held += more
            if more and self._held > self._most:
                raise RejectedError(
                    429, "too many large bodies at once; try again shortly", code="LIMIT", headers=[*CLOSE, *RETRY]
                )

        try:
            yield hold
        finally:
            self._held -= mine


async def read_body(
    receive: Receive, *, ceiling: int, seconds: float, hold: Callable[[int], None] = lambda octets: None
) -> bytes | bytearray:
    """The whole body, cut off at the ceiling whatever length was declared. `hold` is told of each part."""
    try:
        async with asyncio.timeout(seconds):
            return await _collect(receive, ceiling, hold)
    except TimeoutError as error:
        raise RejectedError(408, "the body took too long", headers=CLOSE) from error


async def _collect(receive: Receive, ceiling: int, hold: Callable[[int], None]) -> bytes | bytearray:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise DisconnectedError
    body: bytes = message.get("body", b"")
    hold(len(body))
    if not message.get("more_body", False):
        if len(body) > ceiling:
            raise _too_large(ceiling)
        return body
    whole = bytearray(body)  # grows in its place: a list of parts would be held twice when it is joined
    while message.get("more_body", False):
        if len(whole) > ceiling:
            raise _too_large(ceiling)
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        part = message.get("body", b"")
        hold(len(part))
        whole += part
    if len(whole) > ceiling:
        raise _too_large(ceiling)
    return whole


def _too_large(ceiling: int) -> RejectedError:
    return RejectedError(413, f"a body has at most {ceiling} bytes", code="LIMIT", headers=CLOSE)


def parse_object(body: bytes | bytearray) -> dict[str, Any]:
    """Strict JSON whose root is an object. Duplicate keys, NaN, bad UTF-8, more than 64 levels: 400."""
    if len(body) > COUNTED_FROM and body.count(b",") + body.count(b"[") + body.count(b"{") > VALUES_CEILING:
        raise RejectedError(413, f"a body holds at most {VALUES_CEILING} values", code="LIMIT")
    if not body:
        raise RejectedError(400, "the body is empty; send a JSON object with a query")
    try:
        value = jsontext.loads(body)
    except CallerError as error:
        raise RejectedError(400, f"the body is not acceptable JSON: {error.message}") from error
    if isinstance(value, list):
        raise RejectedError(400, "batches are not accepted; send one operation a request")
    if not isinstance(value, dict):
        raise RejectedError(400, "the body must be a JSON object")
    return value


def to_request(value: dict[str, Any]) -> GraphQLRequest:
    """The parameters of GraphQL over HTTP; null stands for absent, unknown members are ignored."""
    query, variables = value.get("query"), value.get("variables")
    operation_name, extensions = value.get("operationName"), value.get("extensions")
    document_id = _document_id(value.get("documentId"), extensions)
    if query is None and document_id is None:
        raise RejectedError(400, "query must be a string that holds a document")
    if query is not None and (not isinstance(query, str) or not query.strip()):
        raise RejectedError(400, "query must be a string that holds a document")
    if variables is not None and not isinstance(variables, dict):
        raise RejectedError(400, "variables must be an object")
    if operation_name is not None and not isinstance(operation_name, str):
        raise RejectedError(400, "operationName must be a string")
    if extensions is not None and not isinstance(extensions, dict):
        raise RejectedError(400, "extensions must be an object")
    return GraphQLRequest(
        query=query, document_id=document_id, variables=variables or {}, operation_name=operation_name or None
    )


def _document_id(given: object, extensions: object) -> str | None:
    """`documentId` (appendix A), or Apollo's `persistedQuery.sha256Hash` among the extensions."""
    if given is not None:
        if not isinstance(given, str) or not 0 < len(given) <= DOCUMENT_ID_CHARACTERS:
            raise RejectedError(400, f"documentId must be a string of at most {DOCUMENT_ID_CHARACTERS} characters")
        return given
    persisted = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
    if persisted is None:
        return None
    digest = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(digest, str) or not SHA256_HEX.fullmatch(digest):
        raise RejectedError(400, "extensions.persistedQuery.sha256Hash must be 64 hexadecimal digits, in lower case")
    return f"sha256:{digest}"
