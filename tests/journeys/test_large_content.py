"""Large content end to end: what went in comes out, whole and in parts, over restarts, and ends with its patient."""

import hashlib
import os
from pathlib import Path

import httpx
import pytest

from tests.journeys.people import Patient, Person
from tests.journeys.sites import Site
from tests.journeys.uploading import SHARED, begin, download, go_on, offset_of, pieces, upload

MIB = 1 << 20
DICOM = SHARED / "dicom" / "MR2_UNCR.dcm"


@pytest.fixture(scope="module")
def image() -> bytes:
    """A DICOM file with its preamble, of two MiB and a little."""
    if not DICOM.exists():
        pytest.skip("the shared data are not here")
    octets = DICOM.read_bytes()
    assert octets[128:132] == b"DICM"
    return octets


def test_a_dicom_file_comes_back_to_the_octet(site: Site, patient: Patient, image: bytes) -> None:
    record = upload(patient.person, patient.id, image)
    reply = download(patient.person, site.door, record, purpose="PATRQT")
    assert reply.status_code == 200
    assert reply.content == image
    assert reply.headers["content-type"] == "application/dicom"
    assert reply.headers["cache-control"] == "no-store"
