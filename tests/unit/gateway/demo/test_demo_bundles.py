"""Any file of R4 resources becomes something that can be imported, or one clear line; numbers keep their text."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from gateway import jsontext
from gateway.demo.bundles import labels_of_parts, load_bundle, load_shipped, to_bundle
from gateway.demo.model import NotABundleError

PATIENT = {"resourceType": "Patient", "id": "p"}


def bundle(kind: str, *entries: Any) -> bytes:
    return jsontext.dumps({"resourceType": "Bundle", "type": kind, "entry": list(entries)})


@pytest.mark.parametrize("kind", ["collection", "batch", "transaction"])
def test_an_importable_bundle_goes_in_as_it_is(kind: str) -> None:
    raw = bundle(kind, {"resource": PATIENT, "request": {"method": "POST", "url": "Patient"}})
    assert jsontext.dumps(to_bundle("b.json", raw).wire) == raw


@pytest.mark.parametrize("kind", ["searchset", "document", "history", "message", "batch-response"])
def test_another_bundle_is_sent_as_a_collection(kind: str) -> None:
    made = to_bundle(
        "b.json", bundle(kind, {"fullUrl": "urn:uuid:1", "resource": PATIENT, "search": {"mode": "match"}})
    )
    assert made.wire == {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": "urn:uuid:1", "resource": PATIENT}],
    }


def test_what_was_repackaged_is_said() -> None:
    assert to_bundle("b.json", bundle("searchset", {"resource": PATIENT})).note == "a searchset, sent as a collection"


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH"])
def test_entries_that_create_nothing_are_left_out(method: str) -> None:
    raw = bundle("batch", {"resource": PATIENT}, {"resource": PATIENT, "request": {"method": method, "url": "Patient"}})
    assert len(to_bundle("b.json", raw).resources) == 1


@pytest.mark.parametrize("raw", [bundle("collection"), bundle("batch", {"request": {"method": "GET", "url": "x"}})])
def test_an_empty_bundle_has_nothing_to_store(raw: bytes) -> None:
    made = to_bundle("b.json", raw)
    assert (made.resources, "nothing to store" in made.note) == ((), True)


def test_one_resource_is_sent_as_a_collection() -> None:
    made = to_bundle("p.json", jsontext.dumps(PATIENT))
    assert (made.resources, made.note) == ((PATIENT,), "one Patient, sent as a collection")


def test_lines_of_a_bulk_export_are_sent_as_a_collection() -> None:
    line = jsontext.dumps(PATIENT)
    assert to_bundle("p.ndjson", line + b"\n" + line + b"\n\n").resources == (PATIENT, PATIENT)


def test_numbers_keep_their_text() -> None:
    raw = b'{"resourceType":"Observation","valueQuantity":{"value":1.10}}'
    assert b"1.10" in jsontext.dumps(to_bundle("o.json", raw).wire)


def test_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "no-ending"
    path.write_bytes(gzip.compress(jsontext.dumps(PATIENT)))
    assert load_bundle(path).resources == (PATIENT,)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(b"\xef\xbb\xbf" + jsontext.dumps(PATIENT))
    assert load_bundle(path).resources == (PATIENT,)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b'{"resourceType":1}',
        b'{"resourceType":"Bundle"}',
        b'{"resourceType":"Patient","id":"a","id":"b"}',
        b'{"resourceType":"Patient"}\n{"a":1}',
        b'{"resourceType":"Patient"}\nnot json',
        b"\x1f\x8bnot gzip",
    ],
)
def test_a_file_without_fhir_is_refused_by_name(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "strange.json"
    path.write_bytes(raw)
    with pytest.raises(NotABundleError, match=r"strange\.json"):
        load_bundle(path)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(NotABundleError, match=r"absent\.json"):
        load_bundle(tmp_path / "absent.json")


def test_two_small_patients_are_shipped() -> None:
    assert [len(made.resources) for made in load_shipped()] == [66, 73]


def test_labels_inside_resources_are_found() -> None:
    inline = {
        "url": "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label",
        "valueCoding": {"code": "HIV"},
    }
    resource = {"contained": [{"meta": {"security": [{"code": "PSY"}]}}], "note": [{"extension": [inline]}]}
    assert set(labels_of_parts(resource)) == {"HIV", "PSY"}
