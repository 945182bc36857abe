"""Records of ClinicalTrials.gov in three forms, real ones."""

import gzip
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from gateway.errors import CallerError
from gateway.trials.registration import full_studies, legacy_xml, registry_v2
from gateway.trials.registration.model import Day, Enrolment, Identifier, OutcomeKind, StudyType
from gateway.trials.registration.registry import read_record
from tests.unit.gateway.trials.registration.records import paths, record


def test_every_record_is_read(shared_data: Path) -> None:
    sources = [read_record(path.read_bytes()).source for path in paths(shared_data)]
    assert [sources.count(one.SOURCE) for one in (registry_v2, full_studies, legacy_xml)] == [10, 2, 40]


def test_every_record_bears_the_number_that_its_file_does(shared_data: Path) -> None:
    for path in paths(shared_data):
        told = read_record(path.read_bytes()).registration.identifiers
        assert told[0] == Identifier(kind="NCT", value=path.name.partition(".")[0])


def test_outcomes_of_xml_are_all_there(shared_data: Path) -> None:
    """Counted by the standard library's own tree."""
    for path in paths(shared_data):
        if ".xml" not in path.name:
            continue
        raw = path.read_bytes()
        root = ElementTree.fromstring(gzip.decompress(raw) if path.suffix == ".gz" else raw)
        read = read_record(raw)
        tags = ("primary_outcome", "secondary_outcome", "other_outcome")
        assert len(read.registration.outcomes) == sum(len(root.findall(tag)) for tag in tags)
        posted = root.findall("clinical_results/outcome_list/outcome")
        assert [one.measure for one in read.reported or ()] == [(one.findtext("title") or "").strip() for one in posted]


@pytest.mark.parametrize("number", ["NCT00023673", "NCT02028676"])
def test_one_record_in_two_forms_promises_and_reports_the_same(shared_data: Path, number: str) -> None:
    ours, theirs = record(shared_data, f"{number}.json.gz"), record(shared_data, f"{number}.xml.gz")
    one, other = ours.registration, theirs.registration
    for member in ("identifiers", "title", "sponsor", "study_type", "phases", "enrolment", "dates", "arms"):
        assert getattr(one, member) == getattr(other, member), member
    assert [(each.kind, each.measure, each.time_frame) for each in one.outcomes] == [
        (each.kind, each.measure, each.time_frame) for each in other.outcomes
    ]


def test_a_record_of_api_v2_is_read_whole(shared_data: Path) -> None:
    one = record(shared_data, "NCT00763412.json").registration
    assert one.lacking == ()
    assert one.study_type is StudyType.INTERVENTIONAL
    assert one.enrolment == Enrolment(planned=None, actual=31)
    assert one.dates.submitted == Day(text="2008-09-29", actual=True)
    assert one.dates.primary_completion is not None
    assert [(arm.label, arm.kind) for arm in one.arms] == [
        ("1 Placebo", "PLACEBO_COMPARATOR"),
        ("2. repaglinide", "EXPERIMENTAL"),
    ]
    assert one.interventions[1].arms == ("2. repaglinide",)
    assert (one.eligibility.minimum_age, one.eligibility.sex) == ("12 Years", "ALL")
    assert [each.kind for each in one.outcomes] == [OutcomeKind.PRIMARY] * 3 + [OutcomeKind.SECONDARY] * 6


@pytest.mark.parametrize("name", ["NCT00465816.json", "NCT03453554.json", "NCT03182660.xml"])
def test_a_shortened_record_says_what_it_lacks(shared_data: Path, name: str) -> None:
    one = record(shared_data, name)
    assert one.registration.lacking == ("sponsor", "studyType", "eligibility.text", "enrolment", "outcomes")
    assert one.reported is None


def v2(**modules: Any) -> bytes:
    named = {"identificationModule": {"nctId": "NCT00000001", "briefTitle": "A study"}}
    return json.dumps({"protocolSection": named | modules}).encode()


def test_a_record_without_a_title_is_refused_by_name() -> None:
    with pytest.raises(CallerError) as refusal:
        read_record(v2(identificationModule={"nctId": "NCT00000001"}))
    assert refusal.value.field == ("protocolSection", "identificationModule", "briefTitle")


@pytest.mark.parametrize(
    ("modules", "place"),
    [
        ({"designModule": {"studyType": "SURPRISE"}}, ("designModule", "studyType")),
        ({"designModule": {"enrollmentInfo": {"count": -1}}}, ("designModule", "enrollmentInfo", "count")),
        ({"designModule": {"enrollmentInfo": {"count": True}}}, ("designModule", "enrollmentInfo", "count")),
        ({"designModule": []}, ("designModule",)),
        ({"outcomesModule": {"primaryOutcomes": [{}]}}, ("outcomesModule", "primaryOutcomes", "0", "measure")),
        ({"outcomesModule": {"primaryOutcomes": [7]}}, ("outcomesModule", "primaryOutcomes", "0")),
        ({"outcomesModule": {"primaryOutcomes": {}}}, ("outcomesModule", "primaryOutcomes")),
        ({"outcomesModule": {"otherOutcomes": [{}] * 501}}, ("outcomesModule", "otherOutcomes")),
        ({"statusModule": {"startDateStruct": {"date": "2019-02-30"}}}, ("statusModule", "startDateStruct", "date")),
        ({"statusModule": {"startDateStruct": {"date": "Maerz 2019"}}}, ("statusModule", "startDateStruct", "date")),
        ({"conditionsModule": {"conditions": ["x" * 4_001]}}, ("conditionsModule", "conditions", "0")),
    ],
)
def test_what_is_of_another_kind_is_refused_with_its_path(modules: dict[str, Any], place: tuple[str, ...]) -> None:
    with pytest.raises(CallerError) as refusal:
        read_record(v2(**modules))
    assert refusal.value.field == ("protocolSection", *place)


def test_a_response_of_two_studies_is_refused() -> None:
    with pytest.raises(CallerError, match="must hold one study"):
        read_record(b'{"FullStudiesResponse": {"FullStudies": [{}, {}]}}')
