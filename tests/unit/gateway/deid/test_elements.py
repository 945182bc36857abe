"""A view that looks at what FHIR R4 has not is refused where it says so; those that ship are not."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.deid.catalogue import catalogue
from gateway.deid.elements import refuse_unknown, unknown_in
from gateway.deid.views import parse_view
from gateway.errors import CallerError
from tests.unit.gateway.deid.releases import definitions

ROOT = Path(__file__).resolve().parents[4]
FIELD = ("view",)


def test_the_elements_are_made_from_the_definitions() -> None:
    command = [sys.executable, "-m", "gateway.adapters.fhir_schema.elements"]
    made = subprocess.run(command, capture_output=True, check=True, cwd=ROOT)
    assert made.stdout == (ROOT / "gateway" / "deid" / "elements.json").read_bytes()


def test_what_has_a_rule_is_known() -> None:
    found = [(kind, name) for kind, rules in catalogue().resources.items() for name in rules]
    assert len(found) > 300
    assert [one for one in found if unknown_in(".".join(one)) is not None] == []


@pytest.mark.parametrize(
    ("read", "unknown"),
    [
        ("Patient", None),
        ("Patient.resourceType", None),
        ("Patient.name.family", None),
        ("Patient.birthDate.extension.valueString", None),
        ("Patient.birthDate.id", None),
        ("Patient.contained.whatever.it.is", None),
        ("Observation.valueQuantity.value", None),
        ("Observation.subject.reference", None),
        ("CarePlan.activity.*.whatever", None),
        ("Patient.nosuch", "Patient.nosuch"),
        ("Patient.nosuch.path", "Patient.nosuch"),
        ("Patient.Name.family", "Patient.Name"),
        ("Patient.birthDate.year", "Patient.birthDate.year"),
        ("Patient.deceased", "Patient.deceased"),
        ("Observation.valueQuantity.amount", "Observation.valueQuantity.amount"),
        ("Observation.nosuch.*.value", "Observation.nosuch"),
        ("Condition.code.coding.codes", "Condition.code.coding.codes"),
    ],
)
def test_a_path_is_known_or_told_as_far_as_its_first_unknown_step(read: str, unknown: str | None) -> None:
    assert unknown_in(read) == unknown


def view(**members: Any) -> Any:
    return {"resourceType": "ViewDefinition", "resource": "Observation", "status": "active", **members}


def column(path: str) -> Any:
    return {"column": [{"name": "x", "path": path}]}


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (view(select=[column("nosuch")]), ("view", "select", "0", "column", "0", "path")),
        (view(select=[column("code.coding.where(kind = 'x').code")]), ("view", "select", "0", "column", "0", "path")),
        (view(select=[{"select": [column("code.txt")]}]),
         ("view", "select", "0", "select", "0", "column", "0", "path")),
        (view(select=[{"forEach": "component", **column("code.nosuch")}]),
         ("view", "select", "0", "column", "0", "path")),
        (view(select=[{"forEach": "components", **column("id")}]), ("view", "select", "0", "column", "0", "path")),
        (view(select=[{"forEach": "component.where(nosuch = 'x')", **column("id")}]), FIELD),
        (view(where=[{"path": "nosuch = 'final'"}], select=[column("id")]), FIELD),
    ],
)  # fmt: skip
def test_a_view_of_an_unknown_path_is_refused_at_its_member(value: Any, field: tuple[str, ...]) -> None:
    parsed = parse_view(value, field=FIELD, types=catalogue().resources.keys())
    with pytest.raises(CallerError, match="FHIR R4 has no Observation") as refused:
        refuse_unknown(parsed, field=FIELD)
    assert refused.value.field == field


@pytest.mark.parametrize("name", sorted(definitions()))
def test_views_of_what_r4_has_are_not_refused(name: str) -> None:
    refuse_unknown(parse_view(definitions()[name], field=FIELD, types=catalogue().resources.keys()), field=FIELD)
