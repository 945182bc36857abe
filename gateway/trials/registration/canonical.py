"""A registration written in one form, and named by the salted SHA-256 of it.

    content = sha-256(0x08 ‖ 32-byte salt ‖ RFC 8785 form)

True here: two registrations have one form only if they are equal, and `declared.read` makes of a form what it was
written from; what is not said is not written. The salt keeps a digest from being guessed at while the registration is
not public.
Not done here: drawing the salt, which is random, and the caller's.
"""

import hashlib
from typing import Final

from gateway import jsontext
from gateway.jsontext import JsonValue
from gateway.trials.registration.declared import DATES
from gateway.trials.registration.model import AnalysisPlan, Day, Outcome, Registration

SALT_SIZE: Final = 32


def content_digest(registration: Registration, salt: bytes) -> bytes:
    """What a protocol version is anchored by, 32 bytes. ValueError for a salt that is not of 32 bytes."""
    if len(salt) != SALT_SIZE:
        raise ValueError(f"a salt has {SALT_SIZE} bytes")
    return hashlib.sha256(b"\x08" + salt + jsontext.canonical(written(registration))).digest()


def written(one: Registration) -> JsonValue:
    """The JSON form."""
    return _said({
        "identifiers": [{"kind": each.kind, "value": each.value} for each in one.identifiers],
        "title": one.title,
        "officialTitle": one.official_title,
        "acronym": one.acronym,
        "sponsor": one.sponsor,
        "collaborators": list(one.collaborators),
        "studyType": None if one.study_type is None else one.study_type.value,
        "phases": list(one.phases),
        "conditions": list(one.conditions),
        "arms": [_said({"label": each.label, "kind": each.kind, "description": each.description}) for each in one.arms],
        "interventions": [
            _said({"name": each.name, "kind": each.kind, "description": each.description, "arms": list(each.arms)})
            for each in one.interventions
        ],
        "eligibility": _said({
            "text": one.eligibility.text,
            "sex": one.eligibility.sex,
            "minimumAge": one.eligibility.minimum_age,
            "maximumAge": one.eligibility.maximum_age,
            "healthyVolunteers": one.eligibility.healthy_volunteers,
        }),
        "enrolment": _said({"planned": one.enrolment.planned, "actual": one.enrolment.actual}),
        "dates": _said({name: _written_day(getattr(one.dates, member)) for name, member in DATES.items()}),
        "outcomes": [written_outcome(each) for each in one.outcomes],
        "analysisPlan": _written_plan(one.analysis_plan),
    })  # fmt: skip


def written_outcome(one: Outcome) -> dict[str, JsonValue]:
    """The JSON form of one outcome."""
    told: dict[str, JsonValue] = {"kind": one.kind.value, "measure": one.measure}
    return _said(told | {"description": one.description, "timeFrame": one.time_frame})


def _written_day(day: Day | None) -> JsonValue:
    return None if day is None else _said({"day": day.text, "actual": day.actual})


def _written_plan(plan: AnalysisPlan | None) -> JsonValue:
    if plan is None:
        return None
    return _said({"text": plan.text, "sha256": None if plan.sha256 is None else plan.sha256.hex()})


def _said(members: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Without what is not said: nothing, an empty list, an empty object."""
    return {name: value for name, value in members.items() if value is not None and value not in ([], {})}
