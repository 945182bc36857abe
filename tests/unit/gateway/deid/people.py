"""Patients to de-identify, and where the real ones lie."""

import gzip
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from gateway.deid.profile import Profile
from gateway.deid.resources import Person, make_person

TODAY = date(2026, 11, 28)
KEY, SHIFT_KEY = b"k" * 32, b"z" * 32


def person(profile: Profile, patient: dict[str, Any] | None = None, *, subject: bytes = b"s" * 32) -> Person:
    return make_person(profile, patient, {}, subject=subject, key=KEY, shift_key=SHIFT_KEY, today=TODAY)


def bundles(shared_data: Path, *, most: int) -> Iterator[list[dict[str, Any]]]:
    """The resources of real Synthea bundles that hold a patient."""
    found = 0
    for path in sorted((shared_data / "fhir" / "synthea-2019").iterdir()):
        octets = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        resources = [entry["resource"] for entry in orjson.loads(octets).get("entry", ())]
        if any(one["resourceType"] == "Patient" for one in resources):
            yield resources
            found += 1
        if found == most:
            return


def examples(shared_data: Path) -> Iterator[dict[str, Any]]:
    """HL7's own R4 examples."""
    for path in sorted((shared_data / "fhir" / "hl7-r4-examples").iterdir()):
        octets = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        if path.name.removesuffix(".gz").endswith(".json"):
            read = orjson.loads(octets)
            yield from (entry["resource"] for entry in read.get("entry", ()) if "resource" in entry)
            if read.get("resourceType") != "Bundle":
                yield read
