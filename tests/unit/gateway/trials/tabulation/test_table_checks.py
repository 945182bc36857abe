"""A table is held against its definition; each finding has its place, and none has a value."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import CallerError
from gateway.trials.tabulation.checks import check, findings
from gateway.trials.tabulation.dataset_json import read_json
from gateway.trials.tabulation.define.model import Definition
from gateway.trials.tabulation.define.reader import read_define
from gateway.trials.tabulation.model import Cell, DataType, Exact, Missing, Row, Table
from tests.unit.gateway.trials.tabulation.studies import (
    ADAM,
    TRANSPORT,
    dataset_json_file,
    definition,
    number,
    table,
    text,
    transport,
)

DEFINED = read_define(
    [
        b"""<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" xmlns:def="http://www.cdisc.org/ns/def/v2.0" FileOID="F"
  CreationDateTime="2024-01-01T00:00:00"><Study OID="S"><GlobalVariables>
  <StudyName>N</StudyName><StudyDescription>D</StudyDescription><ProtocolName>P</ProtocolName></GlobalVariables>
  <MetaDataVersion OID="M" Name="M" def:DefineVersion="2.0.0"><ItemGroupDef OID="IG.AE" Name="AE">
  <ItemRef ItemOID="IT.TERM" Mandatory="Yes" KeySequence="1"/><ItemRef ItemOID="IT.SEQ" KeySequence="2"/>
  <ItemRef ItemOID="IT.DTC"/><ItemRef ItemOID="IT.GRADE"/></ItemGroupDef>
  <ItemDef OID="IT.TERM" Name="AETERM" DataType="text" Length="8"/>
  <ItemDef OID="IT.SEQ" Name="AESEQ" DataType="integer" Length="8"/>
  <ItemDef OID="IT.DTC" Name="AEDTC" DataType="datetime"/>
  <ItemDef OID="IT.GRADE" Name="GRADE" DataType="float"><CodeListRef CodeListOID="CL.G"/></ItemDef>
  <CodeList OID="CL.G" Name="G" DataType="float"><EnumeratedItem CodedValue="1.0"/><EnumeratedItem CodedValue="2"/>
  </CodeList></MetaDataVersion></Study></ODM>"""
    ],
    file="define.xml",
)
AE = table(text(), number(), text("AEDTC", length=20), number("GRADE"))
SOUND: tuple[Cell, ...] = ("headache", 1.0, "2014-01-02T11:45", 1.0)


def found(one: Table, rows: list[Row], defined: Definition = DEFINED, name: str = "AE") -> list[CallerError]:
    dataset = defined.dataset(name)
    assert dataset is not None
    return list(findings(one, rows, definition=defined, dataset=dataset, file=f"{name}.xpt"))


def messages(one: Table, rows: list[Row]) -> list[str]:
    return [one.message.removeprefix("AE.xpt, ") for one in found(one, rows)]


def test_a_sound_row_has_no_finding() -> None:
    assert messages(AE, [SOUND]) == []


@pytest.mark.parametrize(
    ("at", "cell", "told"),
    [
        (0, "", "row 1, AETERM: has no value, and is mandatory"),
        (0, None, "row 1, AETERM: has no value, and is mandatory"),
        (0, "secret secret", "row 1, AETERM: is longer than the 8 characters that it is defined with"),
        (1, 1.5, "row 1, AESEQ: is no whole number, and defined as one"),
        (1, Exact("1.50"), "row 1, AESEQ: is no whole number, and defined as one"),
        (1, float("inf"), "row 1, AESEQ: is no whole number, and defined as one"),
        (2, "02JAN2014", "row 1, AEDTC: is no datetime of ISO 8601"),
        (2, "2014-1-2", "row 1, AEDTC: is no datetime of ISO 8601"),
        (3, 3.0, "row 1, GRADE: is not in the code list CL.G"),
    ],
)
def test_a_value_that_is_not_as_defined_is_found(at: int, cell: Cell, told: str) -> None:
    row = list(SOUND)
    row[at] = cell
    assert messages(AE, [tuple(row)]) == [told]


@pytest.mark.parametrize(
    ("at", "cell"),
    [(1, None), (1, Missing.A), (1, 7), (2, ""), (2, "2014"), (2, "2014-01"), (2, "2014-01-02T11:45:30Z"), (3, 2),
     (3, Exact("1.00")), (3, None)],
)  # fmt: skip
def test_a_value_that_is_as_defined_is_not_found(at: int, cell: Cell) -> None:
    row = list(SOUND)
    row[at] = cell
    assert messages(AE, [tuple(row)]) == []


def test_a_key_that_was_there_is_found_by_row() -> None:
    rows: list[Row] = [("a", 1.0, "", None), ("a", 2.0, "", None), ("a", 1, "", None), ("a1", None, "", None)]
    assert messages(AE, rows) == ["row 3: has the keys of an earlier row"]


def test_a_text_and_a_number_are_different_keys() -> None:
    one = replace(AE, variables=(AE.variables[0], replace(AE.variables[1], type=DataType.DOUBLE), *AE.variables[2:]))
    assert messages(one, [("1", 1.0, "", None), ("1", 11.0, "", None), ("11", 1.0, "", None)]) == []


def test_an_unknown_variable_is_found() -> None:
    one = replace(AE, variables=(*AE.variables, text("EXTRA")))
    assert messages(one, [(*SOUND, "x")]) == ["EXTRA: is no variable of AE"]


def test_a_missing_variable_is_found_and_a_missing_key_as_one() -> None:
    assert messages(table(text(), text("AEDTC")), [("a", "")]) == [
        "AESEQ: is missing; it is a key of AE",
        "GRADE: is missing; it is defined in AE",
    ]


def test_a_variable_of_another_type_is_found() -> None:
    one = replace(AE, variables=(number("AETERM"), text("AESEQ"), *AE.variables[2:]))
    assert messages(one, [(1.0, "a", "", None)]) == [
        "AETERM: is double, and defined as text",
        "AESEQ: is string, and defined as integer",
    ]


def test_no_finding_holds_a_value() -> None:
    rows: list[Row] = [("secret secret", 0.125, "secret", 99.0)] * 2
    assert not any("secret" in one or "99" in one or "125" in one for one in messages(AE, rows))


def test_the_first_finding_is_raised() -> None:
    dataset = DEFINED.dataset("ae")
    assert dataset is not None
    with pytest.raises(CallerError, match="row 2, AETERM") as caught:
        check(AE, [SOUND, ("", 1.0, "", None)], definition=DEFINED, dataset=dataset, file="AE.xpt")
    assert caught.value.field == ("AE.xpt", "rows", "2", "AETERM")


def test_a_real_study_is_as_defined_but_for_what_it_truly_breaks(shared_data: Path) -> None:
    defined = definition(shared_data, "2.0")
    counted: Counter[tuple[str, str, str]] = Counter()
    for name in TRANSPORT:
        for one in found(*transport(shared_data, name), defined, name):
            last = one.field[-1] if len(one.field) == 4 else ""
            counted[name, last, one.message.rpartition(": ")[2]] += 1
    assert counted == {
        ("cm", "CMDOSE", "is no whole number, and defined as one"): 931,
        ("cm", "", "has the keys of an earlier row"): 6_429,
        ("lbur", "LBSTRESN", "is no whole number, and defined as one"): 1_414,
        ("lbur", "LBSTNRLO", "is no whole number, and defined as one"): 1_145,
        ("lbur", "LBSTNRHI", "is no whole number, and defined as one"): 874,
        ("lbur", "VISITNUM", "is not in the code list CL.VISITNUM"): 46,
        ("sv", "VISITNUM", "is not in the code list CL.VISITNUM"): 1,
        ("ts", "TSVAL", "has no value, and is mandatory"): 1,
    }


def test_the_keys_of_real_medications_do_repeat(shared_data: Path) -> None:
    """Its document names keys that a plain count finds 6,429 times again."""
    defined = definition(shared_data, "2.0")
    one, rows = transport(shared_data, "cm")
    keys = {defined.items[use.item].name for use in defined.datasets["IG.CM"].uses if use.key_sequence is not None}
    at = [place for place, variable in enumerate(one.variables) if variable.name in keys]
    assert len(rows) - len({tuple(row[place] for place in at) for row in rows}) == 6_429


@pytest.mark.parametrize("name", ADAM)
def test_real_analysis_datasets_are_as_defined(shared_data: Path, name: str) -> None:
    one, rows = read_json([dataset_json_file(shared_data, name)], file=name)
    assert found(one, list(rows), definition(shared_data, "2.1"), name) == []
