"""Connections of a patient, page by page; and many small questions at once, politely."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec

from gateway.demo.client import Gateway, shaped
from gateway.demo.documents import ALIASES
from gateway.demo.model import StepFailedError

Shape = TypeVar("Shape")
AT_ONCE = 8
"""Requests under way at one time."""
MOST_PAGES = 100_000


class _PageInfo(msgspec.Struct, frozen=True, rename="camel"):
    has_next_page: bool
    end_cursor: str | None


class _Edge(msgspec.Struct, frozen=True):
    node: dict[str, Any]


class _Connection(msgspec.Struct, frozen=True, rename="camel"):
    edges: list[_Edge]
    page_info: _PageInfo


def pages(
    gateway: Gateway, document: str, shape: type[Shape], *, patient: str, connection: str, token: str
) -> Iterator[list[Shape]]:
    """The nodes of `patient { <connection> }`, a page at a time; nothing where the patient is null."""
    after: str | None = None
    for _ in range(MOST_PAGES):
        nodes, after = page(gateway, document, shape, patient=patient, connection=connection, token=token, after=after)
        yield nodes
        if after is None:
            return
    raise StepFailedError("the pages of the connection do not end")


def page(
    gateway: Gateway,
    document: str,
    shape: type[Shape],
    *,
    patient: str,
    connection: str,
    token: str,
    after: str | None,
) -> tuple[list[Shape], str | None]:
    """The nodes of one page, and the cursor of the next; None: it was the last."""
    found = gateway.data(document, {"patient": patient, "after": after}, token=token).get("patient")
    if found is None:
        return [], None
    connected = shaped(found, dict[str, Any]).get(connection)
    edges = shaped(connected, _Connection)
    nodes = [shaped(edge.node, shape) for edge in edges.edges]
    cursor = edges.page_info.end_cursor if edges.page_info.has_next_page else None
    if edges.page_info.has_next_page and cursor in (None, after):
        raise StepFailedError("a page promises another and names no way to it")
    return nodes, cursor


def ask_each(
    gateway: Gateway,
    document: Callable[[int], str],
    ids: Sequence[str],
    *,
    token: str,
    advance: Callable[[int], None],
) -> list[Any]:
    """The answers to one question about each id, in their order: ALIASES to a request, AT_ONCE requests at a time."""
    chunks = [ids[at : at + ALIASES] for at in range(0, len(ids), ALIASES)]

    def ask(chunk: Sequence[str]) -> list[Any]:
        variables = {f"i{at}": id for at, id in enumerate(chunk)}
        data = gateway.data(document(len(chunk)), variables, token=token)
        advance(len(chunk))
        return [data.get(f"r{at}") for at in range(len(chunk))]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [answer for answers in pool.map(ask, chunks) for answer in answers]
