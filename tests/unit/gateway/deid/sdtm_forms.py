"""Captured forms of CDISC's pilot study, made by the very code that captures tables; and rows of one's own."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from gateway import jsontext
from gateway.trials.datasets import by_subject, captured, group_of
from gateway.trials.definition.references import Directory, directory
from gateway.trials.definition.responses import response
from gateway.trials.documents import definition_of, forms_of
from tests.unit.gateway.trials.tabulation.studies import define_file, transport


@cache
def pilot(shared_data: Path) -> Directory:
    """By its Define-XML."""
    return directory(forms_of(definition_of(define_file(shared_data, "2.0"))))


def forms(shared_data: Path, name: str) -> Iterator[dict[str, Any]]:
    """A table's, subject by subject, as they come out of a record."""
    found = pilot(shared_data)
    table, rows = transport(shared_data, name)
    group = group_of(table.name, found)
    assert group is not None
    subjects, _ = by_subject(table, rows)
    for theirs in subjects.values():
        for form in captured(table, theirs, group, found):
            made: Any = jsontext.loads(jsontext.dumps(response(form, found, status="completed")))
            yield made


def form(*rows: Mapping[str, Any], listed: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """`listed`: variables whose answers are of a code list."""
    items = [
        {
            "linkId": "IG.X",
            "item": [
                {
                    "linkId": f"IG.X/IT.X.{name}",
                    "answer": [
                        {"valueCoding": {"system": "urn:x", "code": value}} if name in listed else _plain(value)
                    ],
                }
                for name, value in row.items()
            ],
        }
        for row in rows
    ]
    return {"resourceType": "QuestionnaireResponse", "status": "completed", "item": items, **more}


def _plain(value: Any) -> dict[str, Any]:
    return {"valueString": value} if isinstance(value, str) else {"valueDecimal": value}
