"""Define-XML 2.0 and 2.1 of real studies are read whole; hostile XML and broken documents are refused."""

import re
import time
from pathlib import Path

import pytest

from gateway.errors import CallerError, LimitError
from gateway.trials.tabulation.define import read_define, table_of
from gateway.trials.tabulation.define.markup import MOST_DEPTH, MOST_ELEMENTS, MOST_OCTETS
from gateway.trials.tabulation.define.model import Check, Code, DefinedType, Item, ItemUse, Origin
from gateway.trials.tabulation.define.tables import described
from gateway.trials.tabulation.model import DataType
from tests.unit.gateway.trials.tabulation.studies import define_file, definition, transport

ELEMENTS = {
    "datasets": "<ItemGroupDef ", "items": "<ItemDef ", "code_lists": "<CodeList ", "methods": "<MethodDef ",
    "comments": "<def:CommentDef ", "value_lists": "<def:ValueListDef ", "where_clauses": "<def:WhereClauseDef ",
}  # fmt: skip


@pytest.mark.parametrize("version", ["2.0", "2.1"])
@pytest.mark.parametrize("part", ELEMENTS)
def test_every_part_of_a_real_document_is_there(shared_data: Path, version: str, part: str) -> None:
    found = len(re.findall(ELEMENTS[part] + r"[\s\S]", define_file(shared_data, version).decode()))
    assert len(getattr(definition(shared_data, version), part)) == found


def test_what_was_passed_by_is_named(shared_data: Path) -> None:
    assert [definition(shared_data, version).unread for version in ("2.0", "2.1")] == [
        ("MetaDataVersion/@Description", "MetaDataVersion/def:SupplementalDoc"),
        (
            "CodeList/@def:IsNonStandard",
            "MetaDataVersion/arm:AnalysisResultDisplays",
            "MetaDataVersion/def:SupplementalDoc",
            "ODM/@SourceSystem",
            "ODM/@SourceSystemVersion",
            "ODM/@def:Context",
        ),
    ]


def test_references_that_lead_nowhere_are_told(shared_data: Path) -> None:
    assert definition(shared_data, "2.0").dangling == (
        "WC.SUPPLB.QNAM.EQ.ENDPOINT-6f8439fc -> IT.SUPPLB.QNAM",
        "WC.SUPPLB.QNAM.EQ.LBTMSHI-341116d2 -> IT.SUPPLB.QNAM",
    )


def test_an_item_of_a_real_document_is_read(shared_data: Path) -> None:
    assert definition(shared_data, "2.0").items["IT.DM.AGEU"] == Item(
        oid="IT.DM.AGEU",
        name="AGEU",
        type=DefinedType.TEXT,
        label="Age Units",
        length=6,
        sas_name="AGEU",
        code_list="CL.AGEU",
        comment="COM.DM.AGEU",
        origins=(Origin(type="Assigned"),),
    )


def test_keys_and_what_is_mandatory_are_read(shared_data: Path) -> None:
    dataset = definition(shared_data, "2.0").datasets["IG.DM"]
    assert dataset.uses[2] == ItemUse(
        item="IT.DM.USUBJID", mandatory=True, order=3, key_sequence=2, role="IDENTIFIER", method="MT.DM.USUBJID"
    )


def test_a_code_list_is_read(shared_data: Path) -> None:
    listed = definition(shared_data, "2.0").code_lists["CL.AGEU"]
    assert listed.codes == (Code(value="YEARS", decode="YEARS", order=1, aliases=(("nci:ExtCodeID", "C29848"),)),)


def test_a_dictionary_stands_for_its_values(shared_data: Path) -> None:
    lists = definition(shared_data, "2.0").code_lists.values()
    assert sorted(one.external[0] for one in lists if one.external is not None) == ["MEDDRA", "MEDDRA", "WHODRUG"]


def test_a_where_clause_is_read(shared_data: Path) -> None:
    clause = definition(shared_data, "2.1").where_clauses["WC.ADADAS.PARAMCD.EQ.ACITM01"]
    assert clause == (Check(item="IT.ADADAS.PARAMCD", comparator="EQ", values=("ACITM01",)),)


def test_the_class_of_a_dataset_is_read_in_both_versions(shared_data: Path) -> None:
    assert definition(shared_data, "2.0").datasets["IG.DM"].kind == "SPECIAL PURPOSE"
    assert definition(shared_data, "2.1").datasets["IG.ADAE"].kinds_below == ("ADVERSE EVENT",)


def test_the_standards_are_read_in_both_versions(shared_data: Path) -> None:
    told = [
        sorted((one.name, one.version) for one in definition(shared_data, version).standards.values())
        for version in ("2.0", "2.1")
    ]
    assert told[0] == [("CDISC SDTM", "3.2")]
    assert told[1][0] == ("ADaMIG", "1.1")


def test_a_dataset_is_a_table_without_rows(shared_data: Path) -> None:
    defined = definition(shared_data, "2.0")
    one = table_of(defined, defined.datasets["IG.DM"])
    read, _ = transport(shared_data, "dm")
    assert [(v.name, v.label) for v in one.variables] == [(v.name, v.label) for v in read.variables]


def test_a_table_is_described_by_its_definition(shared_data: Path) -> None:
    defined = definition(shared_data, "2.0")
    read, _ = transport(shared_data, "dm")
    one = described(read, defined, defined.datasets["IG.DM"])
    assert (one.label, one.variables[2].oid, one.variables[2].key_sequence) == ("Demographics", "IT.DM.USUBJID", 2)
    assert one.stored == read.stored


SMALL = b"""<?xml version="1.0" encoding="UTF-8"?>
<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" xmlns:def="http://www.cdisc.org/ns/def/v2.1" FileType="Snapshot"
  FileOID="F" CreationDateTime="2024-01-01T00:00:00" ODMVersion="1.3.2"><Study OID="S"><GlobalVariables>
  <StudyName>N</StudyName><StudyDescription>D</StudyDescription><ProtocolName>P</ProtocolName></GlobalVariables>
  <MetaDataVersion OID="M" Name="M" def:DefineVersion="2.1.0">
  <ItemGroupDef OID="IG.AE" Name="AE" Repeating="Yes"><ItemRef ItemOID="IT.AE.AETERM" Mandatory="Yes"/></ItemGroupDef>
  <ItemDef OID="IT.AE.AETERM" Name="AETERM" DataType="text" Length="8"><CodeListRef CodeListOID="CL.T"/></ItemDef>
  <CodeList OID="CL.T" Name="T" DataType="text"><EnumeratedItem CodedValue="a"/></CodeList>
  </MetaDataVersion></Study></ODM>"""


def refusal(octets: bytes) -> CallerError:
    started = time.monotonic()
    with pytest.raises(CallerError) as caught:
        read_define([octets], file="define.xml")
    assert time.monotonic() - started < 10.0
    return caught.value


def test_a_small_document_is_read() -> None:
    defined = read_define([SMALL], file="define.xml")
    (variable,) = table_of(defined, defined.datasets["IG.AE"]).variables
    assert (variable.name, variable.type, variable.length) == ("AETERM", DataType.STRING, 8)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (b'DefineVersion="2.1.0"', b'DefineVersion="1.0.0"', "is no Define-XML of version 2.0 or 2.1"),
        (b"odm/v1.3", b"odm/v2.0", "its root is not ODM 1.3"),
        (b'<Study OID="S">', b'<Study OID="">', "Study: has no OID"),
        (b"<StudyName>N</StudyName>", b"", "GlobalVariables: has 0 StudyName; one has to be"),
        (b'DataType="text" Length', b'DataType="string" Length', "IT.AE.AETERM: has a DataType that Define-XML"),
        (b'Length="8"', b'Length="eight"', "IT.AE.AETERM: Length is no whole number"),
        (b'Length="8"', b'Length="99999999999"', "IT.AE.AETERM: Length is no whole number"),
        (b'Mandatory="Yes"', b'Mandatory="yes"', "ItemRef: Mandatory is neither Yes nor No"),
        (b'ItemOID="IT.AE.AETERM"', b'ItemOID="IT.NONE"', "IG.AE: refers to IT.NONE, which is not defined"),
        (b'CodeListOID="CL.T"', b'CodeListOID="CL.U"', "IT.AE.AETERM: refers to CL.U, which is not defined"),
        (b'<EnumeratedItem CodedValue="a"/>', b"", "CL.T: has neither values nor one dictionary"),
        (b'CodedValue="a"/>', b'CodedValue="a"/><EnumeratedItem CodedValue="a"/>', "CL.T: has one value twice"),
        (b'<CodeList OID="CL.T"', b'<CodeList OID="CL.T" Name="U" DataType="text"><EnumeratedItem CodedValue="b"/>'
         b'</CodeList><CodeList OID="CL.T"', "CL.T: is defined twice"),
        (b'Mandatory="Yes"/>', b'Mandatory="Yes"/><ItemRef ItemOID="IT.AE.AETERM"/>', "IG.AE: has one item twice"),
        (b"</ODM>", b"", "is no well-formed XML: line"),
        (b"UTF-8", b"no-such", "encoding"),
    ],
)  # fmt: skip
def test_a_broken_document_is_refused_with_the_place(before: bytes, after: bytes, told: str) -> None:
    assert before in SMALL
    assert told in refusal(SMALL.replace(before, after, 1)).message


BILLION = b"<!DOCTYPE l [<!ENTITY a 'a'>" + b"".join(
    b"<!ENTITY %c '%s'>" % (98 + at, (b"&%c;" % (97 + at)) * 10) for at in range(20)
)


@pytest.mark.parametrize(
    "document_type",
    [
        BILLION + b"]>",
        b'<!DOCTYPE ODM SYSTEM "file:///etc/passwd">',
        b'<!DOCTYPE ODM [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE ODM [<!ENTITY % x SYSTEM "http://example.org/x.dtd"> %x;]>',
        b"<!DOCTYPE ODM []>",
    ],
)
def test_a_document_type_is_refused(document_type: bytes) -> None:
    assert "has a document type; take it out" in refusal(SMALL.replace(b"<ODM", document_type + b"<ODM", 1)).message


@pytest.mark.parametrize(
    "octets",
    [
        b"<a>" * (MOST_DEPTH + 1),
        b"<a>" * 1_000_000,
        b"<a>" + b"<b/>" * (MOST_ELEMENTS + 1),
        b"<a " + b" ".join(b'x%d=""' % at for at in range(65)) + b"/>",
        b"<a>" + b" " * MOST_OCTETS,
    ],
    ids=lambda octets: f"{octets[:8]!r}…{len(octets)}",
)
def test_a_document_beyond_the_bounds_is_refused(octets: bytes) -> None:
    assert isinstance(refusal(octets), LimitError)


@pytest.mark.parametrize("octets", [b"", b"   ", b"\0\0\0", b"{}", SMALL[:-9]])
def test_what_is_no_xml_is_refused(octets: bytes) -> None:
    assert "is no well-formed XML" in refusal(octets).message


def test_a_real_document_read_in_pieces_is_the_same(shared_data: Path) -> None:
    octets = define_file(shared_data, "2.1")
    split = [octets[at : at + 1_000] for at in range(0, len(octets), 1_000)]
    assert read_define(split, file="x") == read_define([octets], file="x")
