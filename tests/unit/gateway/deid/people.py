"""Patients to de-identify, and where the real ones lie."""

import os
from collections.abc import Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from gateway.deid.profile import Profile
from gateway.deid.resources import Person, make_person
from tests.unit.schema.fhir_samples import in_file

TODAY = date(2026, 11, 28)
MOST = int(os.environ.get("SYNTHEA_PATIENTS", "240"))
"""Of the 439 patients of Synthea, in the short form."""
KEY, SHIFT_KEY = b"k" * 32, b"z" * 32


def person(profile: Profile, patient: dict[str, Any] | None = None, *, subject: bytes = b"s" * 32) -> Person:
    return make_person(profile, patient, {}, subject=subject, key=KEY, shift_key=SHIFT_KEY, today=TODAY)


def bundles(shared_data: Path, *, most: int) -> Iterator[list[dict[str, Any]]]:
    """The resources of real Synthea bundles that hold a patient."""
    paths = sorted((shared_data / "fhir" / "synthea-2019").iterdir())
    read = (list(in_file(path, loads=orjson.loads)) for path in paths)
    return islice((one for one in read if any(each["resourceType"] == "Patient" for each in one)), most)


def examples(shared_data: Path) -> Iterator[dict[str, Any]]:
    """HL7's own R4 examples."""
    for path in sorted((shared_data / "fhir" / "hl7-r4-examples").glob("*.json*")):
        yield from in_file(path, loads=orjson.loads)
