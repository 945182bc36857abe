"""How a resolver answers: a typed refusal, null, or an empty page; and what every page asks first.

True here: NOT_PERMITTED and UNAUTHENTICATED never become an error of the response where the schema has a quieter
answer; a stale index, a broken proof or a dead neighbour never looks like missing data.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import strawberry

from gateway.errors import CallerError, ConsentryError, DeniedError, LimitError, UnauthenticatedError
from gateway.ids import ActorId, RecordId, StudyId, SubjectId, from_global
from gateway.slices import Page, Slice
from schema.errors import Refusal, refuse
from schema.relay import PageInfo

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
    """The value, or None for what is refused or not asked rightly, alike. What is too much stays an error."""
    try:
        return await steps
    except LimitError:
        raise
    except (CallerError, DeniedError):
        return None


async def or_empty(steps: Awaitable[Value], empty: Value) -> Value:
    """The page, or `empty` for what is refused. A wrong cursor or filter stays an error: it says nothing of data."""
    try:
        return await steps
    except (UnauthenticatedError, DeniedError):
        return empty


async def placing(steps: Awaitable[Value], place: Callable[[tuple[str, ...]], tuple[str, ...]]) -> Value:
    """The same; a refusal that names a field names `place` of it."""
    try:
        return await steps
    except ConsentryError as error:
        if error.field:
            error.field = place(error.field)
        raise


async def naming(steps: Awaitable[Value], members: Mapping[str, tuple[str, ...]]) -> Value:
    """The same; a refusal whose field begins with a key of `members` names that place in the input instead."""
    return await placing(steps, lambda field: (*members.get(field[0], (field[0],)), *field[1:]))


def given(value: Value | None) -> Value | None:
    """What the client gave; None where it gave null or nothing."""
    return None if value is strawberry.UNSET else value


def page_size(size: int, *, field: str = "first") -> int:
    """1..PAGE_CEILING. Raises CallerError below, LimitError above."""
    if size < 1:
        raise CallerError(f"{field} is at least 1", field=(field,))
    if size > PAGE_CEILING:
        raise LimitError(f"{field} is at most {PAGE_CEILING}", field=(field,))
    return size


def cursor(text: str | None, *, field: str = "after") -> str | None:
    """A cursor of ours, or None for the end of the list (absent, null or empty)."""
    if not text:
        return None
    if len(text) > CURSOR_CHARACTERS:
        raise CallerError("not a cursor of this gateway", field=(field,))
    return text


def slice_of(first: int, after: str | None, last: int | None, before: str | None) -> Slice:
    """What a connection's arguments ask for; `last`, where it is given, goes before `first`."""
    backwards = last is not None and last is not strawberry.UNSET
    return Slice(
        size=page_size(last, field="last") if backwards and last is not None else page_size(first),
        after=cursor(after),
        before=cursor(before, field="before"),
        backwards=backwards,
    )


def info_of(page: Page[object], cursors: Sequence[str]) -> PageInfo:
    """`cursors`: of the page's items."""
    return PageInfo(
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        start_cursor=cursors[0] if cursors else None,
        end_cursor=cursors[-1] if cursors else None,
    )


def subject_of(text: strawberry.ID, *, field: str = "patientId") -> SubjectId:
    return SubjectId(from_global("Patient", text, field=(field,)))


def actor_of(text: strawberry.ID, *, field: str) -> ActorId:
    return ActorId(from_global("Actor", text, field=(field,)))


def study_of(text: strawberry.ID, *, field: str) -> StudyId:
    return StudyId(from_global("Study", text, field=(field,)))


def record_of(text: strawberry.ID, *, field: str) -> RecordId:
    return RecordId(from_global("Record", text, field=(field,)))
