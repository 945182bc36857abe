"""Whether a patient's own records fulfil a study's criteria: a verdict a criterion, and why, for the patient to read.

True here: pure and deterministic. MET and NOT_MET are said only of what the records tell for certain; whatever cannot
be read, dated or found is UNKNOWN, and so is an expression that does not fit the records. A verdict is about the
condition as it is written, in both lists; `favours` says what it means for taking part.
Not done here: consent, and telling anybody. A match decides nothing: people do, at a visit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final

from gateway.deid.fhirpath.parts import Tree, UnfitError
from gateway.deid.trees import Resource
from gateway.errors import LimitError
from gateway.trials.recruitment.collection import Collection
from gateway.trials.recruitment.compiling import Either, Path, Question, Search, Told, questions
from gateway.trials.recruitment.model import Coded, Criteria, Criterion
from gateway.trials.recruitment.wording import Reason, why

MOST_STEPS: Final = 50_000_000
"""Parts of expressions times the resources that they look at."""
MOST_EVIDENCE: Final = 5


class Verdict(StrEnum):
    MET = "MET"
    NOT_MET = "NOT_MET"
    UNKNOWN = "UNKNOWN"


class Fit(StrEnum):
    """`FITS`: every inclusion criterion is met, and no exclusion criterion. `DOES_NOT_FIT`: one speaks against it."""

    FITS = "FITS"
    DOES_NOT_FIT = "DOES_NOT_FIT"
    UNCLEAR = "UNCLEAR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """`favours`: whether it speaks for taking part; None: it is not known. `evidence`: `Type/id` of records that tell
    it, five at most, the patient's own."""

    criterion: Criterion
    excludes: bool
    verdict: Verdict
    favours: bool | None
    reason: Reason
    why: str = field(repr=False)
    evidence: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """In the order of the criteria, inclusion first."""

    fit: Fit
    judged: tuple[Judged, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """Criteria compiled for one day, for any number of patients. It keeps nothing: threads may share it."""

    asked: tuple[tuple[Criterion, bool, Question], ...]

    def match(self, resources: Iterable[Resource]) -> Match:
        """`resources`: one patient's, as plain JSON. Raises CallerError for what is none, LimitError for too many."""
        collection = Collection(resources)
        steps = sum(
            path.expression.nodes * collection.size(path.types) for _, _, asked in self.asked for path in _paths(asked)
        )
        if steps > MOST_STEPS:
            raise LimitError("are too many for these criteria", field=("resources",))
        judged = tuple(_judge(one, excludes, asked, collection) for one, excludes, asked in self.asked)
        return Match(fit=_fit(judged), judged=judged)


def screening(criteria: Criteria, *, today: date) -> Screening:
    """Raises CallerError that names a criterion whose expression is none: ask once before criteria are taken."""
    return Screening(asked=questions(criteria, today=today))


def match(criteria: Criteria, resources: Iterable[Resource], *, today: date) -> Match:
    """Of one patient. Raises as `screening` and `Screening.match` do."""
    return screening(criteria, today=today).match(resources)


def _fit(judged: Sequence[Judged]) -> Fit:
    favours = {one.favours for one in judged}
    if False in favours:
        return Fit.DOES_NOT_FIT
    return Fit.UNCLEAR if None in favours else Fit.FITS


def _paths(asked: Question) -> tuple[Path, ...]:
    match asked:
        case Either():
            return (asked.known,)
        case Search():
            return tuple(path for one in asked.sought for path in (one.counted, *one.these, one.others))
        case Told():
            return (asked.path,)


def _judge(criterion: Criterion, excludes: bool, asked: Question, collection: Collection) -> Judged:
    try:
        held, reason, evidence = _ask(criterion, asked, collection)
    except UnfitError:
        held, reason, evidence = None, Reason.UNFIT, []
    wanted = not isinstance(criterion.condition, Coded) or criterion.condition.wanted
    answer = None if held is None else held is wanted
    return Judged(
        criterion=criterion,
        excludes=excludes,
        verdict=Verdict.UNKNOWN if answer is None else Verdict.MET if answer else Verdict.NOT_MET,
        favours=None if answer is None else answer is not excludes,
        reason=reason,
        why=why(criterion.condition, held=held, reason=reason),
        evidence=tuple(_names(evidence)),
    )


def _ask(criterion: Criterion, asked: Question, collection: Collection) -> tuple[bool | None, Reason, list[Tree]]:
    """Whether it is so, why, and the items that say it. Raises UnfitError."""
    match asked:
        case Either():
            return _either(asked, collection)
        case Search():
            condition = criterion.condition
            return _search(asked, collection, silence_is_no=isinstance(condition, Coded) and condition.silence_is_no)
        case Told():
            return _told(asked, collection)


def _either(asked: Either, collection: Collection) -> tuple[bool | None, Reason, list[Tree]]:
    known = _run(asked.known, collection)
    if len(known) != 1:
        return None, Reason.UNCLEAR if known else Reason.SILENT, []
    for paths, held in ((asked.yes, True), (asked.no, False)):
        if any(path.expression.run(known[0], 0) for path in paths):
            return held, Reason.TOLD, known
    return None, Reason.UNCLEAR, known


def _search(asked: Search, collection: Collection, *, silence_is_no: bool) -> tuple[bool | None, Reason, list[Tree]]:
    found: list[Tree] = []
    is_any = is_likely = False
    for one in asked.sought:
        is_any = is_any or bool(_run(one.counted, collection))
        these = [item for path in one.these for item in _run(path, collection)]
        certain = [item for item in these if one.within is None or one.within.expression.run(item, 0)]
        found += certain
        if not certain:
            these += _run(one.others, collection)
            is_likely = is_likely or any(one.before is None or not one.before.expression.run(item, 0) for item in these)
    if found:
        return True, Reason.TOLD, found
    if is_likely:
        return None, Reason.UNCLEAR, []
    return (False, Reason.TOLD, []) if is_any and silence_is_no else (None, Reason.SILENT, [])


def _told(asked: Told, collection: Collection) -> tuple[bool | None, Reason, list[Tree]]:
    found = _run(asked.path, collection)
    if not found:
        return None, Reason.SILENT, []
    if len(found) > 1 or type(found[0]) is not bool:
        return None, Reason.UNFIT, []
    return found[0], Reason.TOLD, []


def _run(path: Path, collection: Collection) -> list[Tree]:
    return path.expression.run(collection.bundle(path.types), 0)


def _names(items: Iterable[Tree]) -> list[str]:
    named = [(one["resourceType"], one.get("id")) for one in items if type(one) is dict and "resourceType" in one]
    return list(dict.fromkeys(f"{kind}/{one}" for kind, one in named if isinstance(one, str)))[:MOST_EVIDENCE]
