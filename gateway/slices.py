"""Which part of a list is asked for, and what a page of it is, as Relay has it (GraphQL Cursor Connections, section 4).
Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from gateway.errors import CallerError

Item = TypeVar("Item", covariant=True)
NEWEST: Final = 2**62
"""Above every number of a row."""
OLDEST: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """At most `size` items between two cursors: the first of them, or the last where `backwards`; in the list's own
    order either way. A cursor of None stands for that end of the list."""

    size: int
    after: str | None = None
    before: str | None = None
    backwards: bool = False

    @property
    def field(self) -> str:
        """The argument that gave `size`."""
        return "last" if self.backwards else "first"


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Items in the list's own order, and whether there are others on either side, as far as that was looked at."""

    items: tuple[Item, ...] = ()
    has_next: bool = False
    has_previous: bool = False


def page_of(walked: Sequence[Item], part: Slice, *, more: bool = False) -> Page[Item]:
    """`walked`: from the end that is asked for, one item more than asked where there are more; or `more` says so."""
    shown = tuple(walked[: part.size])
    more = more or len(walked) > part.size
    if part.backwards:
        return Page(shown[::-1], has_next=part.before is not None, has_previous=more)
    return Page(shown, has_next=more, has_previous=part.after is not None)


def between(part: Slice, number_of: Callable[[str], int]) -> tuple[int, int]:
    """Of a list that is newest first, the numbers between which its rows lie: (below them, above them). Raises
    CallerError naming the argument that is no cursor of it."""
    upper = NEWEST if part.after is None else _number(part.after, number_of, "after")
    lower = OLDEST if part.before is None else _number(part.before, number_of, "before")
    return lower, upper


def _number(cursor: str, number_of: Callable[[str], int], field: str) -> int:
    try:
        return number_of(cursor)
    except CallerError as error:
        raise CallerError(error.message, field=(field,)) from error
