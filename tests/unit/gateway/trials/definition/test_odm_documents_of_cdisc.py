"""Every ODM document of the shared data reads, or is refused for the reason that is right."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import CallerError
from gateway.trials.definition.documents import parse
from gateway.trials.definition.elements import Element, split
from gateway.trials.definition.model import StudyDefinition
from gateway.trials.definition.reading import read_definitions
from gateway.trials.definition.references import dangling, directory
from gateway.trials.definition.xmltext import read
from tests.unit.gateway.trials.definition.vitals import later, paths

READ = {
    "cdash-odm-test.xml": (1, 4, 7, 52, 16),
    "odm-data-snapshot.xml": (4, 7, 9, 52, 14),
    "Atlas_QS_ODMv2.xml": (1, 1, 2, 6, 5),
    "CDASH_1-1_MH_Example_Stroke_LungDisease_IBD_CancerHistory.xml": (0, 1, 2, 11, 6),
    "Chronic_Low_Back_Pain_example.xml": (1, 1, 2, 6, 2),
    "Demographics_RACE_check_all_that_apply.xml": (1, 1, 2, 6, 3),
    "Result_ODMv2.xml": (5, 7, 14, 63, 12),
    "fhir-example.xml": (0, 0, 3, 2, 1),
}
"""Events, forms, groups, items and code lists, as a count of their elements gives them."""
FRAGMENTS = (
    "Conditional_Repeats.xml", "Crossover_Studydesign.xml", "Inclusion_Exclusion_Simple_Workflow.xml",
    "Physio_Underwater_Therapy_BPMN_to_ODMv2_Workflow_2019-10-18_result.xml",
    "Physio_Underwater_Therapy_BPMN_to_ODMv2_Workflow_result.xml", "Timing_LZZT_Example_ODM.xml",
)  # fmt: skip
REFUSED = {
    "ae.xml": "defines no study",
    "test_clinical_data_01.xml": "defines no study",
    "cdash-odm-test-invalid.xml": "may not hold studyName in ODM 1.3.2",
    "Hypercholesterolemia_CV_Risk_factors_FH_CRF_1_3_2.xml": "may not hold ItemGroupRef in ODM 1.3.2",
} | dict.fromkeys(FRAGMENTS, "begins with MetaDataVersion")
"""Data alone; a name in small letters; ODM 2.0's structure in 1.3's namespace; no documents, but parts of some."""


def count(octets: bytes) -> tuple[int, ...]:
    """Definitions in the text, counted without reading it."""
    bare = re.sub(rb"<!--.*?-->", b"", octets, flags=re.DOTALL)
    later_forms = len(re.findall(rb'<ItemGroupDef [^>]*Type="Form"', bare))
    forms = len(re.findall(rb"<FormDef ", bare)) + later_forms
    groups = len(re.findall(rb"<ItemGroupDef ", bare)) - later_forms
    rest = [len(re.findall(pattern, bare)) for pattern in (rb"<StudyEventDef ", rb"<ItemDef ", rb"<CodeList ")]
    return rest[0], forms, groups, rest[1], rest[2]


def test_no_document_is_left_out(shared_data: Path) -> None:
    assert {path.name for path in paths(shared_data)} == READ.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", READ)
def test_a_document_reads_with_all_of_its_parts(shared_data: Path, name: str) -> None:
    (path,) = (one for one in paths(shared_data) if one.name == name)
    (found,) = read_definitions(path.read_bytes())
    lists = (found.events, found.forms, found.groups, found.items, found.code_lists)
    assert tuple(map(len, lists)) == READ[name] == count(path.read_bytes())


@pytest.mark.parametrize("name", REFUSED)
def test_a_document_is_refused_for_what_is_wrong(shared_data: Path, name: str) -> None:
    (path,) = (one for one in paths(shared_data) if one.name == name)
    with pytest.raises(CallerError, match=REFUSED[name]):
        read_definitions(path.read_bytes())


@pytest.mark.parametrize("name", FRAGMENTS)
def test_what_is_part_of_a_document_reads_within_one(shared_data: Path, name: str) -> None:
    (path,) = (one for one in paths(shared_data) if one.name == name)
    text = re.sub(r"<\?xml.*?\?>", "", path.read_text())
    empty = later("").decode()
    whole = re.sub("<MetaDataVersion .*</MetaDataVersion>", lambda _match: text, empty)
    (found,) = read_definitions(whole.encode())
    assert len(found.events) == len(re.findall(r"<(?:odm:)?StudyEventDef ", text))


def test_a_reference_that_leads_nowhere_is_told_with_its_holder(shared_data: Path) -> None:
    (path,) = (one for one in paths(shared_data) if one.name == "cdash-odm-test.xml")
    (found,) = read_definitions(path.read_bytes())
    assert {one.oid for one in dangling(directory(found))} == {"CL.ETHNIC.SUBSET.ETHNIC", "CL.RACE", "CL.SEX"}


def as_json(element: Element) -> dict[str, Any]:
    """An element in the form of CDISC's JSON examples: small first letters, lists of children, texts as content."""
    made: dict[str, Any] = {}
    for name, value in element.attributes:
        local = "language" if name.endswith("}lang") else split(name)[1]
        made[local if local == "OID" else local[:1].lower() + local[1:]] = value
    for child in element.children:
        local = split(child.name)[1]
        made.setdefault(local[:1].lower() + local[1:], []).append(as_json(child))
    if element.text:
        made["content"] = element.text
    return made


LATER = sorted(name for name in READ if name not in ("cdash-odm-test.xml", "odm-data-snapshot.xml"))


def items_first(found: StudyDefinition) -> StudyDefinition:
    """The lists of JSON do not say how items and groups of a group follow each other."""
    return replace(found, groups=tuple(replace(one, members=(*one.items, *one.groups)) for one in found.groups))


@pytest.mark.parametrize("name", LATER)
def test_json_of_odm_2_says_what_its_xml_says(shared_data: Path, name: str) -> None:
    (path,) = (one for one in paths(shared_data) if one.name == name)
    octets = json.dumps(as_json(read(path.read_bytes(), field=()))).encode()
    (said,), (written,) = read_definitions(octets), read_definitions(path.read_bytes())
    assert items_first(said) == items_first(written)


def test_numbers_of_json_are_attributes_too() -> None:
    given = later('<ItemDef OID="I" Name="I" DataType="text" Length="4"/>')
    octets = json.dumps(as_json(read(given, field=()))).replace('"4"', "4").encode()
    assert parse(octets).root.children[0].name == parse(given).root.children[0].name
    assert read_definitions(octets) == read_definitions(given)


def test_a_member_that_odm_does_not_have_is_refused_by_name() -> None:
    octets = b'{"oDMVersion": "2.0", "fileOID": "F", "fileType": "Snapshot", "colour": "red"}'
    with pytest.raises(CallerError, match="is no member of ODM") as caught:
        read_definitions(octets)
    assert caught.value.field == ("ODM", "colour")


def test_one_attribute_in_two_spellings_is_refused() -> None:
    with pytest.raises(CallerError, match="given twice"):
        read_definitions(b'{"fileOID": "F", "FileOID": "G"}')


def test_json_of_another_shape_is_refused() -> None:
    with pytest.raises(CallerError, match="must be an object"):
        read_definitions(b'{"ODM": [1]}')
