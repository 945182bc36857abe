"""A request in a URL: queries alone, and of nobody who is signed in.

True here: whoever carries a token is refused before anything is decided, because a URL is written down on its way by
browsers and proxies; so no answer about a patient can be had this way. What is executed must be a query. Every refusal
is a RejectedError. Source: GraphQL over HTTP, section 6.3.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from gateway import jsontext
from gateway.errors import CallerError
from gateway.web.bodies import GraphQLRequest, to_request
from gateway.web.replies import RejectedError

OCTETS_MOST = 8_192
PARAMETERS_MOST = 16
ALLOW = [(b"allow", b"GET, POST")]
ALLOW_POST = [(b"allow", b"POST")]


def check_anonymous(headers: Mapping[bytes, bytes]) -> None:
    if b"authorization" in headers:
        raise RejectedError(
            405, "send what carries a token with POST: a URL is written down on its way", headers=ALLOW_POST
        )


def read_address(octets: bytes) -> GraphQLRequest:
    """The URL's query string as a request; `variables` and `extensions` are JSON text."""
    if len(octets) > OCTETS_MOST:
        raise RejectedError(414, f"a query in a URL has at most {OCTETS_MOST} octets; send it with POST", code="LIMIT")
    try:
        pairs = parse_qsl(
            octets.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MOST
        )
    except ValueError as error:
        raise RejectedError(400, "the URL's parameters are not URL-encoded UTF-8") from error
    found: dict[str, Any] = dict(pairs)
    if len(found) < len(pairs):
        raise RejectedError(400, "each parameter stands once in the URL")
    for name in ("variables", "extensions"):
        if name in found:
            found[name] = _parse(name, found[name])
    return to_request(found)


def _parse(name: str, text: str) -> object:
    try:
        return jsontext.loads(text) if text else None
    except CallerError as error:
        raise RejectedError(400, f"{name} is not acceptable JSON: {error.message}") from error
