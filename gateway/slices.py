"""Which part of a list is asked for, as Relay has it (GraphQL Cursor Connections, section 4)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """At most `size` items between two cursors: the first of them, or the last where `backwards`; in the list's own
    order either way. A cursor of None stands for that end of the list."""

    size: int
    after: str | None = None
    before: str | None = None
    backwards: bool = False
