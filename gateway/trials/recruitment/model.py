"""Eligibility criteria, read: what a study asks of its subjects.

Not done here: reading (`criteria`), asking (`compiling`, `matching`).
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum


class About(StrEnum):
    """Kinds of records in which a code may stand."""

    CONDITIONS = "conditions"
    MEDICATIONS = "medications"
    OBSERVATIONS = "observations"
    PROCEDURES = "procedures"
    ALLERGIES = "allergies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    system: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """Whole years; None: no bound."""

    least: int | None
    most: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sex:
    sexes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """`wanted`: False for `hasNot`. `silence_is_no`: records of that kind without any of the codes deny it."""

    wanted: bool
    about: About
    codes: tuple[Code, ...]
    within_days: int | None
    silence_is_no: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """`unit`: of UCUM. `least`, `most`: both included; None: no bound."""

    code: Code
    least: Decimal | None
    most: Decimal | None
    unit: str
    within_days: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expressed:
    """`expression`: FHIRPath, in the subset of `gateway.deid.fhirpath`."""

    expression: str


Condition = Age | Sex | Coded | Measured | Expressed


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """`text`: as the patient reads it."""

    text: str
    condition: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """`form`: RFC 8785, of which `digest` is the SHA-256."""

    inclusion: tuple[Criterion, ...]
    exclusion: tuple[Criterion, ...]
    form: bytes = field(repr=False)
    digest: bytes
