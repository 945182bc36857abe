"""An act of a study as a client gives it -> as the service drafts it; and where in what was given a refusal is."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final

from gateway.errors import CallerError
from gateway.jsontext import JsonValue
from gateway.trials.documents import packed
from schema.gates import actor_of, given, record_of, study_of, subject_of
from schema.study_inputs import SignatureMeaning, StudyActInput
from schema.study_places import GIVEN

Asked = dict[str, Any]
_MEANINGS: Final = tuple(SignatureMeaning)
"""In the order of their numbers in what is signed."""


def chosen(input: StudyActInput) -> tuple[str, Any]:
    """The one member that is given, and its value. Raises CallerError for none."""
    for one in fields(input):
        value = given(getattr(input, one.name))
        if value is not None:
            return one.name, value
    raise CallerError("one act is given", field=("input",))


def asked_of(member: str, value: Any) -> Mapping[str, JsonValue]:
    """As `Trials.draft` takes it. Raises CallerError, its field within the member."""
    named, read = _ACTS[member]
    found: Asked = {"act": named, **read(value)}
    if member != "register":
        found["study"] = study_of(value.study_id, field="studyId").hex()
    return found


def place_of(member: str, value: Any) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    """Where in the input a refusal's field is: the member itself, where it is about what the gateway filled in."""
    known = {_camel(one.name) for one in fields(value)}

    def place(field: tuple[str, ...]) -> tuple[str, ...]:
        inner = field[1:] if field[0] == "act" else field
        if not inner:
            return (member,)
        named = (*GIVEN.get(inner[0], (inner[0],)), *inner[1:])
        return (member, *named) if named[0] in known else (member,)

    return place


def _register(value: Any) -> Asked:
    named = given(value.statistician_id)
    statistician = "" if named is None else actor_of(named, field="statisticianId").hex()
    return {"title": value.title, "statistician": statistician}


def _protocol(value: Any) -> Asked:
    return {"registration": value.registration, "reason": value.reason}


def _definition(value: Any) -> Asked:
    octets = value.document.encode()
    return {"name": value.name, "sha256": hashlib.sha256(octets).hexdigest(), "document": packed(octets)}


def _table(value: Any) -> Asked:
    return {"table": value.table, "description": value.description, "rows": given(value.rows)}


def _terms(value: Any) -> Asked:
    return {"terms": value.form_hash.hex(), "keeps": value.keeps}


def _site(value: Any) -> Asked:
    return {"site": value.site, "name": value.name}


def _delegation(value: Any) -> Asked:
    return {
        "actor": actor_of(value.actor_id, field="actorId").hex(),
        "role": value.role.value,
        "sites": value.sites,
        "until": int(value.until.timestamp()),
    }


def _enrolment(value: Any) -> Asked:
    return {"subject": _subject(value), "key": value.key, "site": value.site}


def _reasoned(value: Any) -> Asked:
    return {"subject": _subject(value), "reason": value.reason}


def _allocation(value: Any) -> Asked:
    return {"scheme": value.scheme}


def _nothing(value: Any) -> Asked:
    return {}


def _freeze(value: Any) -> Asked:
    return {"frozen": value.frozen, "reason": value.reason}


def _results(value: Any) -> Asked:
    return {"outcomes": value.outcomes, "summary": value.summary}


def _signature(value: Any) -> Asked:
    forms = [{"record": record_of(one.record_id, field="forms").hex(), "version": one.version} for one in value.forms]
    return {"subject": _subject(value), "meaning": _MEANINGS.index(value.meaning), "forms": forms}


def _recruitment(value: Any) -> Asked:
    return {"criteria": value.criteria, "summary": value.summary, "open": value.open}


def _subject(value: Any) -> str:
    return subject_of(value.patient_id).hex()


_ACTS: Final[Mapping[str, tuple[str, Callable[[Any], Asked]]]] = {
    "register": ("register", _register),
    "protocol": ("protocol", _protocol),
    "definition": ("define", _definition),
    "table": ("describe", _table),
    "terms": ("terms", _terms),
    "site": ("site", _site),
    "delegation": ("delegate", _delegation),
    "enrolment": ("enrol", _enrolment),
    "withdrawal": ("withdraw", _reasoned),
    "allocation": ("allocate", _allocation),
    "opening": ("open", _nothing),
    "freeze": ("freeze", _freeze),
    "lock": ("lock", _nothing),
    "results": ("publish", _results),
    "signature": ("sign", _signature),
    "unblinding": ("unblind", _reasoned),
    "recruitment": ("recruit", _recruitment),
}
"""Member of the input -> the act, and how its members are read."""


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(one.capitalize() for one in others)
