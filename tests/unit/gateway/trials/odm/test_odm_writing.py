"""What is written as ODM 1.3.2 reads back equal; what ODM 1.3.2 cannot say is refused by name, not dropped."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import CallerError
from gateway.trials.definition.documents import parse
from gateway.trials.definition.grammar import Edition
from gateway.trials.odm.marks import Marks
from gateway.trials.odm.model import ClinicalData, Document, FileType, GroupData, Header, ItemData
from gateway.trials.odm.reading import read_document
from gateway.trials.odm.writing import reference_data, write_document, write_parts
from tests.unit.gateway.trials.definition.vitals import later
from tests.unit.gateway.trials.odm.documents import LATER_ITEM, history, later_data, named, pulse

AGAIN = {
    "ae.xml", "cdash-odm-test.xml", "odm-data-snapshot.xml", "test_clinical_data_01.xml", "Atlas_QS_ODMv2.xml",
    "CDASH_1-1_MH_Example_Stroke_LungDisease_IBD_CancerHistory.xml", "Chronic_Low_Back_Pain_example.xml",
    "Result_ODMv2.xml",
}  # fmt: skip
NESTED = {"Demographics_RACE_check_all_that_apply.xml", "fhir-example.xml"}


@pytest.mark.parametrize("name", sorted(AGAIN))
def test_a_document_that_is_written_reads_back_equal(shared_data: Path, name: str) -> None:
    found = named(shared_data, name)
    assert read_document(write_document(found)) == found


@pytest.mark.parametrize("name", sorted(AGAIN))
def test_what_is_written_is_odm_1_3_2(shared_data: Path, name: str) -> None:
    assert parse(write_document(named(shared_data, name))).edition is Edition.V1_3


@pytest.mark.parametrize("name", sorted(NESTED))
def test_groups_within_groups_are_not_written_as_something_else(shared_data: Path, name: str) -> None:
    with pytest.raises(CallerError, match="cannot say"):
        write_document(named(shared_data, name))


def test_a_history_with_all_marks_reads_back_equal() -> None:
    assert read_document(write_document(history())) == history()


def test_a_query_of_odm_2_is_written_into_odm_1_3_and_reads_back_equal() -> None:
    query = '<Query OID="Q" Source="System" State="Open" LastUpdateDatetime="2026-01-01T00:00:00"><Value/></Query>'
    found = read_document(later_data(LATER_ITEM.format(f'<ItemData ItemOID="I"><Value>1</Value>{query}</ItemData>')))
    assert read_document(write_document(found)) == found
    assert b"<odm2:Query " in write_document(found)


def test_marks_that_odm_1_3_has_no_place_for_are_not_dropped() -> None:
    audit = pulse().marks.audit
    clinical = replace(history().clinical[0], marks=Marks(audit=audit))
    with pytest.raises(CallerError, match="marks of its own"):
        write_document(replace(history(), clinical=(clinical,)))


def test_versions_that_differ_on_their_study_are_not_written_as_one() -> None:
    (definition,) = history().definitions
    other = replace(definition, version_oid="V2", name="Another name")
    with pytest.raises(CallerError, match="versions that differ"):
        write_document(replace(history(), definitions=(definition, other)))


def test_two_versions_of_a_study_are_written_into_one() -> None:
    (definition,) = history().definitions
    both = replace(history(), definitions=(definition, replace(definition, version_oid="V2")))
    octets = write_document(both)
    assert octets.count(b"<Study ") == 1
    assert read_document(octets) == both


HEADER = Header(file_oid="F", file_type=FileType.SNAPSHOT, created_at="2026-01-01T00:00:00")
VALUES = st.text(
    st.characters(
        codec="utf-8", exclude_categories=("Cs", "Cc"), include_characters="\t\n\r", exclude_characters="\ufffe\uffff"
    )
)


@settings(deadline=None)
@given(st.lists(st.tuples(VALUES.filter(bool), st.none() | VALUES), max_size=5))
def test_whatever_the_values_they_read_back_as_they_were(pairs: list[tuple[str, str | None]]) -> None:
    items = tuple(ItemData(oid=oid, value=value) for oid, value in pairs)
    group = GroupData(oid="G", sequence=1, items=items)
    made = Document(header=HEADER, clinical=(ClinicalData(study="S", version="V", groups=(group,)),))
    assert read_document(write_document(made)) == made


def test_a_value_that_xml_cannot_hold_is_refused() -> None:
    group = GroupData(oid="G", items=(ItemData(oid="I", value="\x00"),))
    with pytest.raises(CallerError, match="cannot hold"):
        write_document(Document(header=HEADER, clinical=(ClinicalData(study="S", version="V", groups=(group,)),)))


RICH = Path(__file__).with_name("rich.xml").read_text()
PEOPLE = Path(__file__).with_name("people.xml").read_text()
"""Of ODM 2.0: metadata, and people, that say what ODM 1.3 has no place for."""


def test_what_odm_2_says_beyond_odm_1_3_comes_through_it_unharmed() -> None:
    described = '<Description><TranslatedText Type="text/plain" xml:lang="de">Puls</TranslatedText></Description>'
    octets = later(described + RICH).replace(b"</ODM>", f"{PEOPLE}</ODM>".encode())
    found = read_document(octets)
    assert read_document(write_document(found)) == found
    assert found.admin[0].users[0].locations == ("L",)


DECODED = '<Decode><TranslatedText Type="text/plain">one</TranslatedText></Decode>'
UNSAYABLE = {
    "decodes some of its values": ('CodedValue="1"/>', f'CodedValue="1">{DECODED}</CodeListItem>'),
    "holds group G": ('<ItemRef ItemOID="I"', '<ItemGroupRef ItemGroupOID="G" Mandatory="No"/><ItemRef ItemOID="I"'),
}


@pytest.mark.parametrize("message", UNSAYABLE)
def test_what_odm_1_3_cannot_say_is_not_written(message: str) -> None:
    before, after = UNSAYABLE[message]
    assert before in RICH
    with pytest.raises(CallerError, match=message):
        write_document(read_document(later(RICH.replace(before, after, 1))))


def test_a_comment_in_a_language_is_not_written_without_it() -> None:
    comment = '<Comment><TranslatedText Type="text/plain" xml:lang="de">ja</TranslatedText></Comment>'
    item = f'<ItemData ItemOID="I"><Value>1</Value><Annotation SeqNum="1">{comment}</Annotation></ItemData>'
    found = read_document(later_data(LATER_ITEM.format(item)))
    with pytest.raises(CallerError, match="comment in a language"):
        write_document(found)


def test_nested_data_are_not_written_flat() -> None:
    inner = '<ItemGroupData ItemGroupOID="H"><ItemData ItemOID="I"><Value>1</Value></ItemData></ItemGroupData>'
    with pytest.raises(CallerError, match="holds group H"):
        write_document(read_document(later_data(LATER_ITEM.format(inner))))


def test_a_place_of_no_study_is_not_written() -> None:
    (admin,) = history().admin
    place = replace(admin.locations[0], versions=())
    with pytest.raises(CallerError, match="works by no version"):
        write_document(replace(history(), admin=(replace(admin, locations=(place,)),)))


def test_a_document_in_pieces_reads_back_as_the_same_document() -> None:
    whole = history()
    (clinical,) = whole.clinical
    hollow = replace(whole, clinical=(replace(clinical, subjects=()),))
    assert clinical.subjects
    pieces = list(write_parts(hollow, [iter(clinical.subjects)]))
    assert read_document(b"".join(pieces)) == whole
    assert len(pieces) == len(clinical.subjects) + 3


def test_a_subject_that_odm_cannot_say_ends_the_document() -> None:
    (clinical,) = history().clinical
    hollow = replace(history(), clinical=(replace(clinical, subjects=()),))
    item = ItemData(oid="I", value="a\0b")
    form = replace(clinical.subjects[0].events[0].forms[0], groups=(GroupData(oid="G", items=(item,)),))
    broken = replace(clinical.subjects[0], events=(replace(clinical.subjects[0].events[0], forms=(form,)),))
    with pytest.raises(CallerError, match="a character that XML cannot hold"):
        list(write_parts(hollow, [[broken]]))


def test_rows_about_nobody_are_reference_data() -> None:
    row = GroupData(oid="IG.TA", repeat_key="0", items=(ItemData(oid="IT.TA.ARM", value="Placebo"),))
    whole = replace(history(), others=(reference_data("S", "V", [row]),))
    found = read_document(write_document(whole))
    assert found.others == whole.others
