"""One case for each patient, whatever holds them: bundles, lines of a bulk export, folders."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from gateway import jsontext
from gateway.demo.bundles import to_bundle
from gateway.demo.datasets.cases import load_cases, split
from gateway.demo.datasets.cohort import consenting, consents
from gateway.demo.model import NotABundleError


def patient(id: str) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": id}


def about(id: str, member: str = "subject", text: str | None = None) -> dict[str, Any]:
    return {"resourceType": "Observation", member: {"reference": text or f"Patient/{id}"}}


def bundle(*entries: dict[str, Any]) -> bytes:
    return jsontext.dumps({"resourceType": "Bundle", "type": "collection", "entry": list(entries)})


def lines(*resources: dict[str, Any]) -> bytes:
    return b"\n".join(map(jsontext.dumps, resources)) + b"\n"


ORGANIZATION = {"resourceType": "Organization", "id": "o"}


def cases_of(raw: bytes) -> list[list[dict[str, Any]]]:
    return [list(one.resources) for one in split("file", [to_bundle("file", raw)]).bundles]


def test_a_bundle_of_one_patient_stays_whole() -> None:
    raw = bundle({"resource": patient("a")}, {"resource": about("a")}, {"resource": ORGANIZATION})
    (case,) = split("file", [to_bundle("file", raw)]).bundles
    assert jsontext.dumps(case.wire) == raw


def test_lines_are_split_by_patient() -> None:
    raw = lines(patient("a"), patient("b"), about("b"), about("a", "patient"), about("b", "beneficiary"), ORGANIZATION)
    assert cases_of(raw) == [
        [patient("a"), about("a", "patient")],
        [patient("b"), about("b"), about("b", "beneficiary")],
    ]


def test_what_is_left_out_is_said() -> None:
    found = split("x.ndjson", [to_bundle("x.ndjson", lines(patient("a"), patient("b"), ORGANIZATION))])
    assert found.notes == ("x.ndjson: 2 patients; 1 records of nobody are left out",)


def test_records_name_their_patient_without_the_patient_itself() -> None:
    raw = lines(about("a", text="https://ehr.example/fhir/Patient/a"), about("b"), about("a", text="Patient/a"))
    assert [len(one) for one in cases_of(raw)] == [2, 1]


def test_full_urls_name_patients_in_a_bundle_of_several() -> None:
    entries = [
        {"fullUrl": "urn:uuid:1", "resource": patient("a")},
        {"fullUrl": "urn:uuid:2", "resource": patient("b")},
        {"resource": about("b", text="urn:uuid:2")},
        {"resource": about("a", text="Patient/a/_history/2")},
    ]
    assert [[one.get("id") for one in case] for case in cases_of(bundle(*entries))] == [["a", None], ["b", None]]


def test_patients_without_a_name_are_not_one() -> None:
    nameless = {"resourceType": "Patient"}
    assert cases_of(lines(nameless, nameless)) == [[nameless], [nameless]]


def test_a_subject_that_is_no_patient_is_nobodys() -> None:
    group = {"resourceType": "Observation", "subject": {"reference": "Group/Patient"}}
    assert cases_of(lines(patient("a"), patient("b"), group, {"resourceType": "List", "subject": "x"})) == [
        [patient("a")],
        [patient("b")],
    ]


def test_the_lines_of_a_folder_are_taken_together_and_its_bundles_each(tmp_path: Path) -> None:
    (tmp_path / "Patient.000.ndjson.gz").write_bytes(gzip.compress(lines(patient("a"), patient("b"))))
    (tmp_path / "Observation.000.ndjson").write_bytes(lines(about("b"), about("a")))
    (tmp_path / "c.json").write_bytes(bundle({"resource": patient("c")}))
    (tmp_path / "README.txt").write_text("not read")
    found = load_cases([tmp_path])
    assert [len(one.resources) for one in found.bundles] == [2, 2, 1]


def test_files_without_a_patient_are_left_out(tmp_path: Path) -> None:
    for name, resource in (("a.json", patient("a")), ("hospital.json", ORGANIZATION)):
        (tmp_path / name).write_bytes(bundle({"resource": resource}))
    found = load_cases([tmp_path / "hospital.json", tmp_path / "a.json"])
    assert len(found.bundles) == 1
    assert found.notes == ("hospital.json: nobody's records; left out",)


def test_without_files_there_are_the_two_that_ship() -> None:
    assert len(load_cases([]).bundles) == 2


def test_nobody_at_all_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hospital.json").write_bytes(bundle({"resource": ORGANIZATION}))
    with pytest.raises(NotABundleError, match="no patient"):
        load_cases([tmp_path / "hospital.json"])


@pytest.mark.parametrize("raw", [b"", b"{", b'{"a": 1}', b"\x1f\x8bnot gzip"])
def test_a_file_that_holds_no_fhir_is_refused_by_name(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "broken.json").write_bytes(raw)
    with pytest.raises(NotABundleError, match=r"broken\.json"):
        load_cases([tmp_path / "broken.json"])


def test_an_empty_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(NotABundleError, match=tmp_path.name):
        load_cases([tmp_path])


def test_a_bulk_export_is_split(shared_data: Path) -> None:
    found = load_cases([shared_data / "fhir" / "bulk-10-patients"])
    assert len(found.bundles) == 13
    assert sum(one["resourceType"] == "Patient" for case in found.bundles for one in case.resources) == 13
    assert "left out" in found.notes[0]


def test_a_bulk_export_of_records_alone_is_split(shared_data: Path) -> None:
    found = load_cases([shared_data / "fhir" / "bulk-100-patients"])
    assert len(found.bundles) > 50
    assert sum(len(case.resources) for case in found.bundles) == 1353


@pytest.mark.parametrize(
    ("patients", "given"), [(1, 1), (2, 1), (3, 2), (9, 8), (10, 9), (19, 18), (20, 18), (30, 27), (400, 360)]
)
def test_all_but_some_consent(patients: int, given: int) -> None:
    assert consenting(patients) == given
    assert consents(0, of=patients)
