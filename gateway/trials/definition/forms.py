"""A form as it was filled in: groups and items with their texts, of one subject, who is not named here.

True here: what was captured is a text, or that there is no value; what it is worth is for `values` and `checks`.
Not done here: who captured it, when and why (`gateway.trials.odm`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from gateway.errors import LimitError

MOST_ITEMS: Final = 10_000
"""Of one form, groups counted too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedItem:
    """`text`: None says that there is no value (IsNull). `unit`: OID of the unit that the value is in."""

    oid: str
    text: str | None = field(repr=False)
    unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedGroup:
    """`repeat_key`: tells the repeats of a repeating group apart."""

    oid: str
    repeat_key: str | None = None
    items: tuple[CapturedItem, ...] = ()
    groups: "tuple[CapturedGroup, ...]" = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedForm:
    """`study` and `version`: OIDs of the study and of the MetaDataVersion that defines the form."""

    study: str
    version: str
    event: str
    event_repeat_key: str | None = None
    form: str
    form_repeat_key: str | None = None
    groups: tuple[CapturedGroup, ...] = ()


def walk(groups: tuple[CapturedGroup, ...]) -> Iterator[CapturedGroup]:
    """Every group, the outer before the inner."""
    for group in groups:
        yield group
        yield from walk(group.groups)


def check_size(form: CapturedForm) -> None:
    """Raises LimitError for more than `MOST_ITEMS` items and groups."""
    if sum(1 + len(group.items) for group in walk(form.groups)) > MOST_ITEMS:
        raise LimitError(f"has more than {MOST_ITEMS} items", field=("form", form.form[:64]))
