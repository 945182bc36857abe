"""Rows of tables as captured forms, through the text that a record holds, and back."""

import gzip
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from gateway import jsontext
from gateway.errors import CallerError, IntegrityError
from gateway.trials import datasets
from gateway.trials.datasets import forms_of
from gateway.trials.defining import defined
from gateway.trials.definition.forms import MOST_ITEMS, CapturedForm, walk
from gateway.trials.definition.references import Directory, directory
from gateway.trials.definition.responses import captured, response
from gateway.trials.documents import definition_of
from gateway.trials.tabulation.csv import read_csv, surveyed
from gateway.trials.tabulation.dataset_json import read_json
from gateway.trials.tabulation.model import Cell, DataType, Exact, Missing, Row, StoredVariable, Table, Variable
from tests.unit.gateway.trials.tabulation.studies import (
    ADAM,
    TRANSPORT,
    csv_file,
    dataset_json_file,
    define_file,
    number,
    table,
    text,
    transport,
)

STORED = StoredVariable(width=8, number=1)


def made(*tables: Table) -> Directory:
    return directory(forms_of(definition_of(defined(tables, name="S", created="2026-01-01T00:00:00"))))


def there_and_back(read: Table, rows: Sequence[Row], found: Directory) -> list[Row]:
    """By subject, each form through the JSON of its record; in the order of the table."""
    group = datasets.group_of(read.name, found)
    assert group is not None
    by_subject, _ = datasets.by_subject(read, rows)
    back: dict[int, Row] = {}
    for numbered in by_subject.values():
        for form in datasets.captured(read, numbered, group, found):
            resource = jsontext.loads(jsontext.dumps(response(form, found, status="completed")))
            back.update(datasets.rows_of(captured(resource, found), read, found))
    return [back[at] for at in sorted(back)]


def test_a_whole_number_of_a_transport_file_is_captured_as_one() -> None:
    assert [datasets.text_of(cell) for cell in (63.0, -7.0, 0.0, -0.0, 0.5, 1e22)] == [
        "63", "-7", "0", "-0.0", "0.5", "1e+22",
    ]  # fmt: skip


def test_a_date_of_tables_may_lack_parts(shared_data: Path) -> None:
    found = directory(forms_of(definition_of(define_file(shared_data, "2.0"))))
    assert found.items["IT.CM.CMSTDTC"].data_type.value == "partialDate"


def kinds(rows: Sequence[Row]) -> list[list[tuple[type, str | None]]]:
    """Types and texts: what equality alone would not see."""
    return [[(type(cell), datasets.text_of(cell)) for cell in row] for row in rows]


@pytest.mark.parametrize("name", [one for one in TRANSPORT if one not in ("ta", "te", "ti", "ts", "tv")])
def test_rows_of_the_pilot_are_as_they_were(shared_data: Path, name: str) -> None:
    read, rows = transport(shared_data, name)
    some = rows[:200]
    found = directory(forms_of(definition_of(define_file(shared_data, "2.0"))))
    back = there_and_back(read, some, found)
    assert back == some
    assert kinds(back) == kinds(some)


@pytest.mark.parametrize("name", [*ADAM, "ae"])
def test_rows_of_dataset_json_are_as_they_were(shared_data: Path, name: str) -> None:
    read, walked = read_json([dataset_json_file(shared_data, name)], file=name)
    some = list(walked)[:200]
    found = made(read) if name == "ae" else directory(forms_of(definition_of(define_file(shared_data, "2.1"))))
    back = there_and_back(read, some, found)
    assert kinds(back) == kinds(some)


def test_rows_of_text_are_as_they_were(shared_data: Path) -> None:
    octets = csv_file(shared_data, "vs")
    read, _ = surveyed([octets], name="VS", file="vs.csv", missing="NA")
    _, walked = read_csv([octets], table=read, file="vs.csv", missing="NA")
    some = [row for row, _ in zip(walked, range(300), strict=False)]
    assert kinds(there_and_back(read, some, made(read))) == kinds(some)


@pytest.mark.parametrize(
    ("cell", "variable"),
    [
        (0.1, number()),
        (-0.0, Variable(name="N", label="", type=DataType.DOUBLE, stored=STORED)),
        (63.0, Variable(name="N", label="", type=DataType.DOUBLE, stored=STORED)),
        (2.0**53, Variable(name="N", label="", type=DataType.DOUBLE, stored=STORED)),
        (Decimal(2**53 + 1), Variable(name="N", label="", type=DataType.DOUBLE, stored=STORED)),
        (Decimal("0.1000000000000000124900090270"), Variable(name="N", label="", type=DataType.DOUBLE, stored=STORED)),
        (Missing.UNDERSCORE, Variable(name="N", label="", type=DataType.DOUBLE, stored=STORED)),
        (Missing.Z, number()),
        (7, Variable(name="N", label="", type=DataType.INTEGER)),
        (jsontext.Num("1.10"), Variable(name="N", label="", type=DataType.FLOAT)),
        (jsontext.Num("1E2"), Variable(name="N", label="", type=DataType.FLOAT)),
        (jsontext.Num("-0"), Variable(name="N", label="", type=DataType.INTEGER)),
        (Exact("1,234.50"), Variable(name="N", label="", type=DataType.DECIMAL)),
        (True, Variable(name="N", label="", type=DataType.BOOLEAN)),
        ("", text()),
        (None, text()),
        (".A", text()),
    ],
    ids=str,
)
def test_a_cell_is_made_again_from_its_text(cell: Cell, variable: Variable) -> None:
    back = datasets.cell_of(datasets.text_of(cell), variable)
    assert datasets.text_of(back) == datasets.text_of(cell)
    assert back == cell
    if variable.stored is not None:
        assert type(back) is type(cell)


@pytest.mark.parametrize("said", ["twelve", "1.2.3", "", ".a", "0x10"])
def test_a_text_that_is_no_number_is_none(said: str) -> None:
    with pytest.raises(IntegrityError):
        datasets.cell_of(said, Variable(name="N", label="", type=DataType.FLOAT))


def test_a_wide_table_makes_forms_that_are_small_enough() -> None:
    wide = table(text("USUBJID"), *(text(f"V{at}") for at in range(99)))
    rows: list[tuple[int, Row]] = [(at, ("S1", *("x",) * 99)) for at in range(250)]
    found = made(wide)
    group = datasets.group_of(wide.name, found)
    assert group is not None
    forms = list(datasets.captured(wide, rows, group, found))
    assert [len(one.groups) for one in forms] == [99, 99, 52]
    assert all(_size(one) <= MOST_ITEMS for one in forms)
    assert [one.form_repeat_key for one in forms] == ["0", "1", "2"]


def _size(form: CapturedForm) -> int:
    return sum(1 + len(group.items) for group in walk(form.groups))


def test_a_variable_that_is_not_defined_is_refused_by_name() -> None:
    found = made(table(text("USUBJID"), text("KNOWN")))
    other = table(text("USUBJID"), text("UNKNOWN"))
    group = datasets.group_of(other.name, found)
    assert group is not None
    with pytest.raises(CallerError, match="is no variable that the study defines") as refused:
        list(datasets.captured(other, [(0, ("S1", "x"))], group, found))
    assert refused.value.field[-1] == "UNKNOWN"


def test_a_captured_row_that_is_not_the_tables_is_not_believed() -> None:
    whole = table(text("USUBJID"), text("KNOWN"))
    found = made(whole)
    group = datasets.group_of(whole.name, found)
    assert group is not None
    (form,) = datasets.captured(whole, [(0, ("S1", "x"))], group, found)
    with pytest.raises(IntegrityError, match="an item that its table does not have"):
        list(datasets.rows_of(form, table(text("USUBJID")), found))


def test_a_row_that_names_nobody_is_refused_by_its_number() -> None:
    with pytest.raises(CallerError, match="names no subject") as refused:
        datasets.by_subject(table(text("USUBJID")), [("S1",), (" ",)])
    assert refused.value.field[1:] == ("1", "USUBJID")


def test_a_definition_of_tables_says_what_they_say(shared_data: Path) -> None:
    octets = gzip.decompress((shared_data / "trials" / "dataset-json-i18n" / "ae.json.gz").read_bytes())
    read, _ = read_json([octets], file="ae.json")
    found = made(read)
    (group,) = found.definition.groups
    assert (group.oid, group.name, len(group.items)) == ("IG.AE", "AE", len(read.variables))
    assert found.items["IT.AE.AETERM"].description[0].text == "Reported Term for the Adverse Event"
    assert [one.name for one in found.definition.forms] == ["AE"]
