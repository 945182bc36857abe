"""How a resolver answers: a typed refusal, null, or an empty page; and what every page asks first.

True here: NOT_PERMITTED and UNAUTHENTICATED never become an error of the response where the schema has a quieter
answer; a stale index, a broken proof or a dead neighbour never looks like missing data.
"""

from collections.abc import Awaitable
from typing import TypeVar

import strawberry

from gateway.errors import CallerError, ConsentryError, DeniedError, LimitError, UnauthenticatedError
from gateway.ids import ActorId, RecordId, SubjectId, from_global
from schema.errors import Refusal, refuse

Value = TypeVar("Value")

PAGE_CEILING = 100
"""The most edges of one page; schema.limits multiplies with it."""
CURSOR_CHARACTERS = 512


async def outcome(steps: Awaitable[Value]) -> Value | Refusal:
    """The value, or the expected failure as a Refusal."""
    try:
        return await steps
    except ConsentryError as error:
        return refuse(error)


async def or_none(steps: Awaitable[Value]) -> Value | None:
    """The value, or None for what is refused or not asked rightly, alike."""
    try:
        return await steps
    except (CallerError, DeniedError):
        return None


async def or_empty(steps: Awaitable[Value], empty: Value) -> Value:
    """The page, or `empty` for what is refused. A wrong cursor or filter stays an error: it says nothing of data."""
    try:
        return await steps
    except (UnauthenticatedError, DeniedError):
        return empty


def given(value: Value | None) -> Value | None:
    """What the client gave; None where it gave null or nothing."""
    return None if value is strawberry.UNSET else value


def page_size(first: int) -> int:
    """1..PAGE_CEILING. Raises CallerError below, LimitError above."""
    if first < 1:
        raise CallerError("first is at least 1", field=("first",))
    if first > PAGE_CEILING:
        raise LimitError(f"first is at most {PAGE_CEILING}", field=("first",))
    return first


def cursor(after: str | None) -> str | None:
    """A cursor of ours, or None for the beginning (absent, null or empty)."""
    if not after:
        return None
    if len(after) > CURSOR_CHARACTERS:
        raise CallerError("not a cursor of this gateway", field=("after",))
    return after


def subject_of(text: strawberry.ID, *, field: str = "patientId") -> SubjectId:
    return SubjectId(from_global("Patient", text, field=(field,)))


def actor_of(text: strawberry.ID, *, field: str) -> ActorId:
    return ActorId(from_global("Actor", text, field=(field,)))


def record_of(text: strawberry.ID, *, field: str) -> RecordId:
    return RecordId(from_global("Record", text, field=(field,)))
