"""What an assembly refuses, and which views it takes."""

from pathlib import Path
from typing import Any

import pytest

from gateway import jsontext
from gateway.deid.profile import parse_profile, shipped
from gateway.deid.tables import make_table
from gateway.deid.views import parse_view
from gateway.errors import CallerError
from tests.unit.gateway.deid.releases import assemble, spool


def test_a_profile_that_asks_for_too_much_is_not_met(shared_data: Path) -> None:
    told = (
        shipped("safe-harbor")
        .text.replace(b'"k":11', b'"k":400')
        .replace(b'"suppressedMost":0.2', b'"suppressedMost":0')
    )
    strict = parse_profile(jsontext.loads(told))
    people = spool(shared_data, strict, most=60)
    left, verdict = assemble(people, strict)
    assert (left, verdict.failed) == ([], ("people", "k", "suppressed"))


@pytest.mark.parametrize(
    ("view", "field"),
    [
        ({"resource": "Patient", "select": [{"column": [{"name": "sex", "path": "gender"}]}]}, ("views", "0")),
        (
            {
                "resource": "Patient",
                "where": [{"path": "gender = 'male'"}],
                "select": [{"column": [{"name": "person", "path": "getResourceKey()"}]}],
            },
            ("views", "0"),
        ),
        (
            {
                "resource": "Patient",
                "select": [
                    {"column": [{"name": "person", "path": "getResourceKey()"}]},
                    {"forEach": "address", "column": [{"name": "state", "path": "state"}]},
                ],
            },
            ("views", "0"),
        ),
    ],
)
def test_a_view_on_people_is_one_row_each_and_has_their_key(view: Any, field: tuple[str, ...]) -> None:
    parsed = parse_view(view, field=field, types={"Patient"})
    with pytest.raises(CallerError) as refused:
        make_table("people", parsed, shipped("safe-harbor"), field=field)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("resource", "select"),
    [
        ("Condition", {"column": [{"name": "code", "path": "code.coding.code.first()"}]}),
        ("Condition", {"column": [{"name": "code", "path": "code.coding.code.first() + '.'"}]}),
        ("Condition", {"repeat": ["code.coding"], "column": [{"name": "code", "path": "code"}]}),
        ("Condition", {"forEach": "code.coding", "column": [{"name": "code", "path": "code"}]}),
        ("Encounter", {"column": [{"name": "why", "path": "reasonCode.coding.code.first()"}]}),
        (
            "Claim",
            {
                "forEach": "diagnosis",
                "column": [{"name": "of", "path": "diagnosis.ofType(CodeableConcept).coding.code"}],
            },
        ),
    ],
)
def test_what_a_record_is_about_is_sensitive_however_a_view_reads_it(resource: str, select: Any) -> None:
    parsed = parse_view({"resource": resource, "select": [select]}, field=(), types={resource})
    assert make_table("one", parsed, shipped("safe-harbor"), field=()).sensitive == (0,)


def test_a_column_made_of_elements_is_counted_with_what_reads_the_same() -> None:
    paths = {
        "person": "subject.getReferenceKey()", "code": "code.coding.code.first()",
        "is": "code.coding.code.first() = 'x'", "onset": "onset.ofType(dateTime)",
        "status": "clinicalStatus.coding.where(system = 'y').code.first()",
    }  # fmt: skip
    columns = [{"name": name, "path": path} for name, path in paths.items()]
    parsed = parse_view({"resource": "Condition", "select": [{"column": columns}]}, field=(), types={"Condition"})
    assert make_table("one", parsed, shipped("safe-harbor"), field=()).together == ((1, 2), (4,))
