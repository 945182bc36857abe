"""A registration as a sponsor declares it: JSON of our own (`canonical` writes it), read strictly.

True here: nothing unknown is passed over, every text and list is bounded, and a refusal names the member.
Not done here: forms of registries (`registry`).
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Final

from gateway.deid.views.reading import Field, items, members, text
from gateway.errors import CallerError
from gateway.jsontext import JsonValue
from gateway.trials.registration.model import (
    LONGEST_LINE,
    LONGEST_TEXT,
    MOST_ITEMS,
    MOST_OUTCOMES,
    AnalysisPlan,
    Arm,
    Dates,
    Day,
    Eligibility,
    Enrolment,
    Identifier,
    Intervention,
    Outcome,
    OutcomeKind,
    Registration,
    StudyType,
)

MOST_SUBJECTS: Final = 10**9
_DAY = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?", re.ASCII)
_SHA256 = re.compile("[0-9a-f]{64}")
_LISTS: Final = ("identifiers", "collaborators", "phases", "conditions", "arms", "interventions", "outcomes")
_MEMBERS: Final = frozenset({
    *_LISTS, "title", "officialTitle", "acronym", "sponsor", "studyType", "eligibility", "enrolment", "dates",
    "analysisPlan",
})  # fmt: skip
DATES: Final = {
    "start": "start", "primaryCompletion": "primary_completion", "completion": "completion", "submitted": "submitted",
    "resultsSubmitted": "results_submitted",
}  # fmt: skip


def read(value: JsonValue, *, field: Field = ("registration",)) -> Registration:
    """Raises CallerError that names the member."""
    tree = members(value, _MEMBERS, field=field)
    outcomes = items(tree, "outcomes", field=field, most=MOST_OUTCOMES)
    return Registration(
        identifiers=tuple(_identifier(*each) for each in items(tree, "identifiers", field=field, most=MOST_ITEMS)),
        title=line(tree, "title", field=field),
        official_title=_maybe(tree, "officialTitle", field),
        acronym=_maybe(tree, "acronym", field),
        sponsor=_maybe(tree, "sponsor", field),
        collaborators=_lines(tree, "collaborators", field),
        study_type=_study_type(tree, field),
        phases=_lines(tree, "phases", field),
        conditions=_lines(tree, "conditions", field),
        arms=tuple(_arm(*each) for each in items(tree, "arms", field=field, most=MOST_ITEMS)),
        interventions=tuple(
            _intervention(*each) for each in items(tree, "interventions", field=field, most=MOST_ITEMS)
        ),
        eligibility=_eligibility(tree.get("eligibility", {}), (*field, "eligibility")),
        enrolment=_enrolment(tree.get("enrolment", {}), (*field, "enrolment")),
        dates=_dates(tree.get("dates", {}), (*field, "dates")),
        outcomes=tuple(read_outcome(each, field=place) for each, place in outcomes),
        analysis_plan=_plan(tree["analysisPlan"], (*field, "analysisPlan")) if "analysisPlan" in tree else None,
    )


def read_outcome(value: object, *, field: Field) -> Outcome:
    """Raises CallerError that names the member."""
    tree = members(value, {"kind", "measure", "description", "timeFrame"}, field=field)
    if tree.get("kind") not in tuple(OutcomeKind):
        raise CallerError(f"must be one of {', '.join(OutcomeKind)}", field=(*field, "kind"))
    return Outcome(
        kind=OutcomeKind(str(tree["kind"])),
        measure=line(tree, "measure", field=field),
        description=_maybe(tree, "description", field, most=LONGEST_TEXT),
        time_frame=_maybe(tree, "timeFrame", field),
    )


def line(tree: Mapping[str, object], name: str, *, field: Field, most: int = LONGEST_LINE) -> str:
    """A text that must be there, of 1 to `most` characters, none of them white space at its ends. CallerError."""
    found = text(tree, name, field=field)
    if not found or len(found) > most:
        raise CallerError(f"must have 1 to {most} characters", field=(*field, name))
    if found != found.strip():
        raise CallerError("must not begin or end with white space", field=(*field, name))
    return found


def _maybe(tree: Mapping[str, object], name: str, field: Field, *, most: int = LONGEST_LINE) -> str | None:
    return line(tree, name, field=field, most=most) if name in tree else None


def _lines(tree: Mapping[str, object], name: str, field: Field) -> tuple[str, ...]:
    """Each is read as a member of the list by its place, so that a refusal names it."""
    listed = items(tree, name, field=field, most=MOST_ITEMS)
    return tuple(line({place[-1]: each}, place[-1], field=place[:-1]) for each, place in listed)


def _identifier(value: object, field: Field) -> Identifier:
    tree = members(value, {"kind", "value"}, field=field)
    return Identifier(kind=line(tree, "kind", field=field), value=line(tree, "value", field=field))


def _study_type(tree: Mapping[str, object], field: Field) -> StudyType | None:
    if "studyType" not in tree:
        return None
    if tree["studyType"] not in tuple(StudyType):
        raise CallerError(f"must be one of {', '.join(StudyType)}", field=(*field, "studyType"))
    return StudyType(str(tree["studyType"]))


def _arm(value: object, field: Field) -> Arm:
    tree = members(value, {"label", "kind", "description"}, field=field)
    return Arm(
        label=line(tree, "label", field=field),
        kind=_maybe(tree, "kind", field),
        description=_maybe(tree, "description", field, most=LONGEST_TEXT),
    )


def _intervention(value: object, field: Field) -> Intervention:
    tree = members(value, {"name", "kind", "description", "arms"}, field=field)
    return Intervention(
        name=line(tree, "name", field=field),
        kind=_maybe(tree, "kind", field),
        description=_maybe(tree, "description", field, most=LONGEST_TEXT),
        arms=_lines(tree, "arms", field),
    )


def _eligibility(value: object, field: Field) -> Eligibility:
    tree = members(value, {"text", "sex", "minimumAge", "maximumAge", "healthyVolunteers"}, field=field)
    return Eligibility(
        text=_maybe(tree, "text", field, most=LONGEST_TEXT),
        sex=_maybe(tree, "sex", field),
        minimum_age=_maybe(tree, "minimumAge", field),
        maximum_age=_maybe(tree, "maximumAge", field),
        healthy_volunteers=_flag(tree, "healthyVolunteers", field),
    )


def _enrolment(value: object, field: Field) -> Enrolment:
    tree = members(value, {"planned", "actual"}, field=field)
    return Enrolment(planned=_count(tree, "planned", field), actual=_count(tree, "actual", field))


def _count(tree: Mapping[str, object], name: str, field: Field) -> int | None:
    value = tree.get(name)
    if name not in tree:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_SUBJECTS:
        raise CallerError("must be a whole number of subjects", field=(*field, name))
    return value


def _flag(tree: Mapping[str, object], name: str, field: Field) -> bool | None:
    value = tree.get(name)
    if name not in tree:
        return None
    if not isinstance(value, bool):
        raise CallerError("must be true or false", field=(*field, name))
    return value


def _dates(value: object, field: Field) -> Dates:
    tree = members(value, DATES.keys(), field=field)
    found = {member: _day(tree[name], (*field, name)) for name, member in DATES.items() if name in tree}
    return Dates(**dict.fromkeys(DATES.values()) | found)


def _day(value: object, field: Field) -> Day:
    tree = members(value, {"day", "actual"}, field=field)
    return Day(text=checked_day(text(tree, "day", field=field), (*field, "day")), actual=_flag(tree, "actual", field))


def checked_day(day: str, field: Field) -> str:
    """YYYY, YYYY-MM or YYYY-MM-DD. Raises CallerError."""
    try:
        known = _DAY.fullmatch(day) is not None and date.fromisoformat((day + "-01-01")[:10])
    except ValueError:
        known = False
    if not known:
        raise CallerError("must be YYYY-MM-DD, YYYY-MM or YYYY, of the calendar", field=field)
    return day


def _plan(value: object, field: Field) -> AnalysisPlan:
    tree = members(value, {"text", "sha256"}, field=field)
    digest = text(tree, "sha256", field=field) if "sha256" in tree else None
    if digest is not None and _SHA256.fullmatch(digest) is None:
        raise CallerError("must be 64 lower-case hexadecimal digits", field=(*field, "sha256"))
    told = _maybe(tree, "text", field, most=LONGEST_TEXT)
    if told is None and digest is None:
        raise CallerError("must have text, sha256, or both", field=field)
    return AnalysisPlan(text=told, sha256=None if digest is None else bytes.fromhex(digest))
