"""What an edit check found: where, against which rule, how much it weighs, and what the definition says to it."""

from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """What was checked. `STRUCTURE`: what the form has beside its definition, or has too often. `EXCEPTION`: what was
    collected although its condition says that it is not."""

    STRUCTURE = "STRUCTURE"
    MANDATORY = "MANDATORY"
    EXCEPTION = "EXCEPTION"
    TYPE = "TYPE"
    LENGTH = "LENGTH"
    DIGITS = "DIGITS"
    CODE_LIST = "CODE_LIST"
    UNIT = "UNIT"
    RANGE = "RANGE"


class Weight(StrEnum):
    """`NOT_RUN`: the check is defined, and nobody knows whether it holds."""

    HARD = "HARD"
    SOFT = "SOFT"
    NOT_RUN = "NOT_RUN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One repeat of a group."""

    group: str
    repeat_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`places`: the groups down to it, outermost first; none: the form. `item`: OID, None for a group or the form.
    `message`: of the definition, in the language asked for, or in plain words; never a value."""

    rule: Rule
    weight: Weight
    places: tuple[Place, ...] = ()
    item: str | None = None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """A finding that does not know yet where it is."""

    rule: Rule
    weight: Weight
    message: str
