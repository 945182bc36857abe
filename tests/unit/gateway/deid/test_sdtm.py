"""Rows of SDTM as FHIR resources: those of CDISC's pilot study, and what must not come through."""

import csv
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gateway.deid.catalogue import catalogue
from gateway.deid.codes import UCUM, is_code
from gateway.deid.dates import pooled_year_of
from gateway.deid.profile import shipped
from gateway.deid.resources import Deidentifier
from gateway.deid.sdtm import DOMAINS, SUBJECT, resources_of
from gateway.deid.sdtm.quantities import UNITS
from tests.unit.gateway.deid.people import TODAY, person
from tests.unit.gateway.deid.sdtm_forms import form, forms

SDTM = "http://www.cdisc.org/ns/sdtm"
DM = {"DOMAIN": "DM", "SEX": "F", "RFSTDTC": "2014-01-02", "AGE": "63.0", "AGEU": "YEARS"}
VS = {"DOMAIN": "VS", "VSTESTCD": "SYSBP", "VSSTRESN": "121", "VSSTRESU": "mmHg", "VSDTC": "2014-01-02T10:30"}
AE = {"DOMAIN": "AE", "AETERM": "told by Ms Smith", "AEPTCD": "10019211.0", "AESTDTC": "2014-01-03", "AESEV": "MILD"}
CM = {"DOMAIN": "CM", "CMTRT": "ASPIRIN of Ms Smith", "CMCLASCD": "N02BA", "CMSTDTC": "2003"}


def told(response: dict[str, Any]) -> list[Any]:
    found: list[Any] = [one for _, one in resources_of(response)]
    return found


def made(*rows: dict[str, Any], listed: tuple[str, ...] = (), **more: Any) -> list[Any]:
    return told(form(*rows, listed=listed, **more))


def one(row: dict[str, Any], *, listed: tuple[str, ...] = (), **changes: Any) -> Any:
    """The resource that the row makes, or None."""
    found = made({name: value for name, value in (row | changes).items() if value is not None}, listed=listed)
    return found[0] if found else None


# ---- of the pilot study


def test_demographics_of_the_pilot_are_patients(shared_data: Path) -> None:
    patients = [one for each in forms(shared_data, "dm") for one in told(each)]
    assert len(patients) == 306
    assert Counter(one["gender"] for one in patients) == {"female": 179, "male": 127}
    assert all(one["birthDate"].isdigit() and len(one["birthDate"]) == 4 for one in patients)
    assert all(one["extension"] for one in patients)


def test_a_year_of_birth_that_an_age_tells_is_never_too_late(shared_data: Path) -> None:
    with gzip.open(shared_data / "trials/sdtm-cdiscpilot01-csv/dm.csv.gz", "rt", encoding="utf-8") as stream:
        born = {row["USUBJID"]: int(row["BRTHDTC"][:4]) for row in csv.DictReader(stream)}
    years = {}
    for each in forms(shared_data, "dm"):
        (name,) = (item["answer"][0]["valueString"] for item in each["item"][0]["item"] if "USUBJID" in item["linkId"])
        years[name] = int(told(each)[0]["birthDate"])
    assert years.keys() <= born.keys()
    differ = Counter(born[name] - year for name, year in years.items())
    assert differ.keys() <= {0, 1}, differ


def test_findings_of_the_pilot_are_observations(shared_data: Path) -> None:
    found = [one for each in forms(shared_data, "qsgi") for one in told(each)]
    assert len(found) > 500
    assert {one["code"]["coding"][0]["system"] for one in found} == {SDTM}
    assert {one["category"][0]["coding"][0]["code"] for one in found} == {"QS"}
    assert all("valueQuantity" in one and one["subject"] == {"reference": SUBJECT} for one in found)
    years = [one for each in forms(shared_data, "sc") for one in told(each)]
    assert {one["valueQuantity"]["code"] for one in years} == {"a"}


def test_what_is_told_in_words_alone_is_no_resource(shared_data: Path) -> None:
    # The pilot's dictionary codes are empty, as are classes of medications.
    for name in ("ae", "mh", "cm"):
        assert not [one for each in forms(shared_data, name) for one in told(each)]


def test_treatments_that_the_study_lists_are_given(shared_data: Path) -> None:
    found = [one for each in forms(shared_data, "ex") for one in told(each)]
    assert {one["medicationCodeableConcept"]["coding"][0]["code"] for one in found} == {"PLACEBO", "XANOMELINE"}
    assert {one["dosage"]["dose"]["code"] for one in found} == {"mg"}
    assert all(one["effectivePeriod"]["start"] for one in found)


@pytest.mark.parametrize("name", ["dm", "ae", "cm", "ex", "lbur", "mh", "qsgi", "qsmm", "sc", "ds", "sv", "se"])
def test_nothing_of_the_pilots_identifiers_is_in_a_resource(shared_data: Path, name: str) -> None:
    for each in forms(shared_data, name):
        cells = {
            item["linkId"].rpartition(".")[2]: next(iter(item["answer"][0].values()))
            for item in each["item"][0]["item"]
            if "answer" in item
        }
        text = json.dumps(told(each))
        assert str(cells["USUBJID"]) not in text
        assert "CDISCPILOT01" not in text


# ---- each domain


def test_a_subject_is_a_patient() -> None:
    row = DM | {"RACE": "ASIAN", "ETHNIC": "NOT HISPANIC OR LATINO", "DTHFL": "Y", "INVNAM": "Dr. Smith"}
    found = one(row)
    assert found is not None
    assert (found["gender"], found["birthDate"], found["deceasedBoolean"]) == ("female", "1950", True)
    assert [each["extension"][0]["valueCoding"]["code"] for each in found["extension"]] == ["2028-9", "2186-5"]
    assert one(row, DTHDTC="2014-03-04T05:06")["deceasedDateTime"] == "2014-03-04"


@pytest.mark.parametrize(
    ("changes", "born"),
    [
        ({"BRTHDTC": "1950-12-26"}, "1950-12-26"),
        ({"BRTHDTC": "1951"}, "1951"),
        ({"BRTHDTC": "--12-26"}, "1950"),
        ({}, "1950"),
        ({"RFSTDTC": "2013-12-31"}, "1950"),
        ({"RFSTDTC": "2013-12-30"}, "1949"),
        ({"RFSTDTC": "2014"}, "1950"),
        ({"RFSTDTC": None, "DMDTC": "2013-05-06"}, "1949"),
        ({"RFSTDTC": "2016-02-29", "AGE": "16"}, "1999"),
        ({"AGE": "7", "AGEU": "MONTHS"}, "2013"),
        ({"AGE": "30", "AGEU": "DAYS"}, "2013"),
        ({"AGE": "0", "AGEU": "HOURS"}, "2014"),
        ({"RFSTDTC": None}, None),
        ({"RFSTDTC": "2014-02-31"}, None),
        ({"RFSTDTC": "0040-01-01"}, None),
        ({"AGEU": None}, None),
        ({"AGE": "-1"}, None),
        ({"AGE": "700"}, None),
        ({"AGE": "seventy"}, None),
        ({"AGE": "1e30"}, None),
    ],
)
def test_a_birth_is_told_by_its_date_or_else_by_the_age(changes: dict[str, Any], born: str | None) -> None:
    found = one(DM, **changes)
    assert found is not None
    assert found.get("birthDate") == born


def test_a_finding_is_an_observation() -> None:
    assert one(VS) == {
        "resourceType": "Observation",
        "status": "final",
        "subject": {"reference": SUBJECT},
        "category": [{"coding": [{"system": SDTM, "code": "VS"}]}],
        "code": {"coding": [{"system": SDTM, "code": "SYSBP"}]},
        "effectiveDateTime": "2014-01-02",
        "valueQuantity": {"value": 121, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"},
    }
    assert one(VS, VSLOINC="8480-6")["code"]["coding"] == [{"system": "http://loinc.org", "code": "8480-6"}]
    assert one(VS, VSLOINC="8480-7")["code"]["coding"] == [{"system": SDTM, "code": "SYSBP"}]


@pytest.mark.parametrize(
    ("changes", "value"),
    [
        ({"VSSTRESN": "64.50"}, {"value": 64.5, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"}),
        ({"VSSTRESU": "Smith units"}, {"value": 121, "unit": "Smith units"}),
        ({"VSSTRESU": None}, {"value": 121}),
        ({"VSSTRESN": None, "VSSTRESC": "<0.2", "VSSTRESU": "mg/dL"},
         {"value": 0.2, "unit": "mg/dL", "system": UCUM, "code": "mg/dL", "comparator": "<"}),
        ({"VSSTRESN": ".A", "VSSTRESC": "12"}, {"value": 12, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"}),
    ],
)  # fmt: skip
def test_a_result_is_a_number_with_its_unit(changes: dict[str, Any], value: dict[str, Any]) -> None:
    found = one(VS, **changes)
    assert found is not None
    assert found["valueQuantity"] == value


@pytest.mark.parametrize(
    "changes",
    [
        {"VSSTRESN": None},
        {"VSSTRESN": None, "VSSTRESC": "told by Ms Smith"},
        {"VSSTRESN": None, "VSSTRESC": "POSITIVE"},
        {"VSSTRESN": "nan"},
        {"VSTESTCD": "Ms Smith"},
        {"VSTESTCD": "A1234567"},
        {"VSTESTCD": None},
        {"VSSTAT": "NOT DONE"},
        {"VSOCCUR": "N"},
        {"DOMAIN": None},
        {"DOMAIN": "vital signs"},
        {"VSTESTCD": "MENARAGE", "VSSTRESU": None},
        {"VSTESTCD": "BRTHYR", "VSSTRESN": "1924", "VSSTRESU": None},
        {"VSTESTCD": "AGE", "VSSTRESU": "decades"},
    ],
)
def test_what_is_no_finding_that_may_leave_is_none(changes: dict[str, Any]) -> None:
    assert one(VS, **changes) is None


def test_a_result_in_words_is_one_that_the_study_lists() -> None:
    row = VS | {"VSSTRESN": ".", "VSSTRESC": "POSITIVE", "VSNRIND": "ABNORMAL"}
    found = one(row, listed=("VSSTRESC",))
    assert found is not None
    assert found["valueCodeableConcept"]["coding"] == [{"system": "urn:consentry:study:codes", "code": "POSITIVE"}]
    assert found["interpretation"][0]["coding"][0]["code"] == "A"
    assert one(row | {"VSSTRESC": "Ms Smith of 4 Elm Street"}, listed=("VSSTRESC",)) is None


def test_an_event_is_a_condition_by_its_codes() -> None:
    found = one(AE, AELLTCD="10019213")
    assert found is not None
    assert [each["code"] for each in found["code"]["coding"]] == ["10019211", "10019213"]
    assert (found["onsetDateTime"], found["severity"]["coding"][0]["code"]) == ("2014-01-03", "255604002")
    assert "Smith" not in json.dumps(found)
    for changes in ({"AEPTCD": None}, {"AEPTCD": "20019211"}, {"AEPTCD": "Headache"}, {"AEOCCUR": "N"}):
        assert one(AE, **changes) is None


def test_a_medication_is_told_by_its_codes() -> None:
    found = one(CM)
    assert found is not None
    assert found["resourceType"] == "MedicationStatement"
    assert found["medicationCodeableConcept"] == {"coding": [{"system": "http://www.whocc.no/atc", "code": "N02BA"}]}
    assert found["effectivePeriod"] == {"start": "2003"}
    assert one(CM, CMCLASCD="ASPIRIN") is None
    assert one(CM, CMOCCUR="N") is None


# ---- whose rows are none


def test_rows_that_cannot_be_told_are_none() -> None:
    assert [number for number, _ in resources_of(form({"X": "y"}, VS, {**VS, "VSTESTCD": ""}, VS))] == [1, 3]
    assert made(VS, status="entered-in-error") == []
    assert made(VS, modifierExtension=[{"url": "urn:x"}]) == []
    twice = form(VS)
    twice["item"][0]["item"].append({"linkId": "IG.X/OTHER.VSTESTCD", "answer": [{"valueString": "WEIGHT"}]})
    assert list(resources_of(twice)) == []
    changed = form(VS)
    changed["item"][0]["modifierExtension"] = [{"url": "urn:x"}]
    assert list(resources_of(changed)) == []


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"item": None},
        {"item": [1, {"item": "x"}]},
        {"item": [{"item": [{"answer": []}, {"linkId": 5, "answer": [{"valueString": []}]}, {"linkId": "a.DOMAIN"}]}]},
        {"item": [{"item": [{"linkId": "a.DOMAIN", "answer": [{"valueCoding": {"code": {}}}]}]}]},
    ],
)
def test_what_is_no_form_has_no_rows(broken: dict[str, Any]) -> None:
    assert list(resources_of(broken)) == []


# ---- on their way out


def test_units_are_ucum() -> None:
    assert not [unit for unit in UNITS.values() if not is_code(UCUM, unit)]


@pytest.mark.parametrize("profile", ["safe-harbor", "expert-determination"])
def test_de_identification_takes_what_is_made(profile: str) -> None:
    """Each element that is made has a rule, but the words of a unit."""
    rules = Deidentifier(shipped(profile))
    ex = {"DOMAIN": "EX", "EXTRT": "PLACEBO", "EXDOSE": "54", "EXDOSU": "mg", "EXSTDTC": "2014-01-02"}
    row = DM | {"RACE": "WHITE", "ETHNIC": "HISPANIC OR LATINO"}
    found = made(row, VS | {"VSNRIND": "HIGH"}, AE, CM, ex, listed=("EXTRT",))
    assert len(found) == 5
    for resource in found:
        left: Any = rules.apply(resource, person(shipped(profile), found[0]), id="x")
        assert left is not None
        assert set(left) == {*resource, "id"}
        assert "Smith" not in json.dumps(left)
        assert "unit" not in left.get("valueQuantity", {})


def test_who_is_over_89_by_their_age_is_pooled() -> None:
    old, younger = one(DM, AGE="88"), one(DM, AGE="40")
    assert old is not None
    assert younger is not None
    assert pooled_year_of(old["birthDate"], None, today=TODAY) == TODAY.year - 90
    assert pooled_year_of(younger["birthDate"], None, today=TODAY) is None


def test_every_domain_that_is_mapped_makes_a_type_of_the_catalogue() -> None:
    assert set(DOMAINS) == {"DM", "AE", "MH", "CE", "CM", "EX", "EC"}
    assert {"Patient", "Observation", "Condition", "MedicationStatement", "MedicationAdministration"} <= set(
        catalogue().resources
    )
