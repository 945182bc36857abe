"""The words of ClinicalTrials.gov's older forms as those of its API v2: terms, phases, kinds of outcome, days.

True here: a term that is not known stays as it is written, in upper case; a day or a kind of outcome that is not known
is refused by name. `N/A` and `[Redacted]` are nothing said.
Source: https://clinicaltrials.gov/data-api/about-api/api-migration.
"""

import re
from typing import Final

from gateway.errors import CallerError
from gateway.trials.registration.declared import checked_day
from gateway.trials.registration.model import Enrolment, OutcomeKind, StudyType

_KINDS: Final = {
    "PRIMARY": OutcomeKind.PRIMARY,
    "SECONDARY": OutcomeKind.SECONDARY,
    "OTHER_PRE_SPECIFIED": OutcomeKind.OTHER,
    "POST_HOC": OutcomeKind.POST_HOC,
}
_PHASES: Final = {"EARLY_PHASE_1": "EARLY_PHASE1", "PHASE_0": "EARLY_PHASE1", "N_A": "NA"} | {
    f"PHASE_{number}": f"PHASE{number}" for number in range(1, 5)
}
_NOTHING: Final = frozenset({"", "N/A", "[Redacted]"})
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_OLD_DAY = re.compile(r"([A-Z][a-z]+) (?:([0-9]{1,2}), )?([0-9]{4})")
_NO_LETTERS = re.compile("[^A-Z0-9]+")


def term(text: str | None) -> str | None:
    """`Placebo Comparator` -> `PLACEBO_COMPARATOR`."""
    if text is None or text in _NOTHING:
        return None
    return _NO_LETTERS.sub("_", text.upper()).strip("_") or None


def phases(text: str | None) -> tuple[str, ...]:
    """`Phase 1/Phase 2`, or one of them -> PHASE1, PHASE2; `N/A` -> NA."""
    if text is None:
        return ()
    parts = ["N_A"] if text == "N/A" else [term(part) for part in text.split("/")]
    return tuple(_PHASES.get(part, part) for part in parts if part is not None)


def study_type(text: str | None, *, field: tuple[str, ...]) -> StudyType | None:
    """Of a registry of patients (`Observational [Patient Registry]`) too. Raises CallerError for another type."""
    found = term(None if text is None else text.partition(" [")[0])
    if found is None:
        return None
    if found not in tuple(StudyType):
        raise CallerError(f"is no type of a study that is known: {', '.join(StudyType)}", field=field)
    return StudyType(found)


def outcome_kind(text: str | None, *, field: tuple[str, ...]) -> OutcomeKind:
    """Of a reported outcome. Raises CallerError."""
    found = _KINDS.get(term(text) or "")
    if found is None:
        raise CallerError("must be Primary, Secondary, Other Pre-specified or Post-Hoc", field=field)
    return found


def day(text: str, *, field: tuple[str, ...]) -> str:
    """`September 29, 2008`, `September 2008`, or ISO 8601 already -> ISO 8601. Raises CallerError."""
    if text[:1].isdigit():
        return checked_day(text[:10], field)
    found = _OLD_DAY.fullmatch(text)
    if found is None or found[1] not in _MONTHS:
        raise CallerError("must be a day or a month, as in September 29, 2008", field=field)
    month = f"{found[3]}-{_MONTHS.index(found[1]) + 1:02}"
    return month if found[2] is None else checked_day(f"{month}-{int(found[2]):02}", field)


def is_actual(text: str | None) -> bool | None:
    """`Actual`, `Anticipated`, `Estimated`."""
    found = term(text)
    return None if found is None else found == "ACTUAL"


def enrolment(count: int | None, kind: str | None) -> Enrolment:
    """A count is what came if it is said to be, else what was planned."""
    if is_actual(kind):
        return Enrolment(planned=None, actual=count)
    return Enrolment(planned=count, actual=None)


def said(text: str | None) -> str | None:
    """What is more than `N/A`."""
    return None if text is None or text in _NOTHING else text
