"""The official cases of SQL on FHIR v2 (`sql_on_fhir/NOTICE.md`), each one run."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.deid.views import Unfit, View, parse_view
from gateway.errors import CallerError

FOLDER = Path(__file__).parent / "sql_on_fhir"
TYPES = frozenset(
    {"Patient", "Observation", "Questionnaire", "QuestionnaireResponse", "Device", "ClaimResponse", "DetectedIssue"}
) | {"ImagingStudy", "Measure", "Task"}
REFUSED: dict[str, str] = {}
"""Cases of features that are refused on purpose, with the reason; none today."""
AT_A_RESOURCE = {"collection/fail when 'collection' is not true", "validate/where with path resolving to not boolean"}
"""Views that are good, of which one resource is not: their error is the typed result."""


def _cases() -> list[Any]:
    files = [json.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))]
    return [
        pytest.param(file["resources"], test, f"{file['title']}/{test['title']}", id=f"{file['title']}/{test['title']}")
        for file in files
        for test in file["tests"]
    ]


def _rows(view: View, resources: list[Any]) -> list[dict[str, Any]] | Unfit:
    names = [column.name for column in view.columns]
    found: list[dict[str, Any]] = []
    for resource in resources:
        rows = view.rows(resource)
        if isinstance(rows, Unfit):
            return rows
        found += [dict(zip(names, row, strict=True)) for row in rows]
    return found


def _sorted(rows: list[dict[str, Any]]) -> list[str]:
    """The suite does not fix the order of rows."""
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


@pytest.mark.parametrize(("resources", "test", "name"), _cases())
def test_a_case_gives_the_expected_rows_or_error(resources: list[Any], test: dict[str, Any], name: str) -> None:
    if name in REFUSED or (test.get("expectError") and name not in AT_A_RESOURCE):
        with pytest.raises(CallerError) as refusal:
            parse_view(test["view"], field=("view",), types=TYPES)
        assert refusal.value.field[0] == "view"
        return
    view = parse_view(test["view"], field=("view",), types=TYPES)
    found = _rows(view, resources)
    if name in AT_A_RESOURCE:
        assert isinstance(found, Unfit)
        return
    assert isinstance(found, list)
    assert _sorted(found) == _sorted(test["expect"])
    if "expectColumns" in test:
        assert [column.name for column in view.columns] == test["expectColumns"]


def test_the_suite_is_whole() -> None:
    names = [case.id for case in _cases()]
    assert len(names) == 144
    assert REFUSED.keys() | AT_A_RESOURCE <= set(names)
