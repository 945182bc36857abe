"""Work on keys while people read: rotation changes no block and no answer; a split root opens for m people, and for
nobody less."""

import hashlib
import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.storage.car import CarLimits, CarReader
from tests.journeys.gateway_process import GatewayProcess, run_command
from tests.journeys.people import Crowd, Door, Patient, Person
from tests.journeys.resources import LOINC, SYSTOLIC, observation
from tests.journeys.sites import Servers, Site, running_site

COLUMNS = ["embedded", pytest.param("real", marks=pytest.mark.services)]


@pytest.fixture(scope="module", params=COLUMNS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway of its own in each column: its keys change."""
    real: Servers | None = request.getfixturevalue("servers") if request.param == "real" else None
    with running_site(tmp_path_factory.mktemp("keys"), real) as running:
        yield running


def keys(site: Site, *words: str | Path) -> str:
    code, said = run_command("keys", *words, settings=site.gateway.settings)
    assert code == 0, said
    return said


def blocks(site: Site, folder: Path) -> dict[str, str]:
    """Every pinned block: CID and SHA-256 of its bytes."""
    file = folder / f"{time.monotonic_ns()}.car"
    code, said = run_command("blocks", "export", file, settings=site.gateway.settings)
    assert code == 0, said
    reader = CarReader(io.BytesIO(file.read_bytes()), limits=CarLimits())
    return {str(block.cid): hashlib.sha256(block.data).hexdigest() for block in reader.blocks()}


def works_as_before(patient: Patient, reader: Person, records: list[str]) -> None:
    """Old and new records are read, found by code, and stand in the access log."""
    records.append(patient.store(observation(value=str(70 + len(records)))))
    for record in records:
        assert reader.read(record).value["id"] == record
    assert sorted(reader.seen(patient.id, wanted={"code": f"{LOINC}|{SYSTOLIC}"})) == sorted(records)
    read = {event["recordId"] for event in patient.access_log() if event["action"] == "READ"}
    assert set(records) <= read


ROTATIONS = [("rotate-epoch",), ("rotate-log",), ("rotate-all",), ("rotate-root",)]


@pytest.mark.timeout(300)
def test_no_rotation_changes_an_answer_or_a_block(site: Site, tmp_path: Path) -> None:
    patient, reader = site.crowd.patient(), site.crowd.clinician()
    patient.consent(reader.id)
    records: list[str] = []
    works_as_before(patient, reader, records)
    before = blocks(site, tmp_path)
    for words in (*ROTATIONS, ("rotate-patient", patient.subject)):
        keys(site, *words)
        # What came since is the worker's manifests; what was there is there, octet for octet.
        after = blocks(site, tmp_path)
        assert {cid: digest for cid, digest in after.items() if cid in before} == before, words
        works_as_before(patient, reader, records)
        before = after
    site.gateway.process.restart()
    works_as_before(patient, reader, records)


def test_a_patient_that_is_not_there_has_no_keys_to_rotate(site: Site) -> None:
    for name in ("0x" + "00" * 32, "0x00", "nonsense"):
        code, said = run_command("keys", "rotate-patient", name, settings=site.gateway.settings)
        assert (code, said.startswith("consentry: "), "Traceback" in said) == (1, True, False)


class Sealed(GatewayProcess):
    """A gateway that waits for shares: up once it says so."""

    def _answers(self) -> bool:
        return self._get("/health")[0] == 200 and "Sealed:" in self.text


def until_ready(gateway: GatewayProcess) -> None:
    deadline = time.monotonic() + 60
    while "Next:" not in gateway.text or gateway.ready()[0] != 200:
        assert time.monotonic() < deadline, gateway.text
        time.sleep(0.1)


@pytest.mark.timeout(300)
def test_a_split_root_waits_for_m_shares_and_then_opens(tmp_path: Path) -> None:
    with running_site(tmp_path / "site") as site:
        patient = site.crowd.patient()
        record = patient.store(observation())
        said = keys(site, "split", "2", "3", "--out", tmp_path / "shares")
        shares = sorted((tmp_path / "shares").iterdir())
        assert [str(path) in said for path in shares] == [True] * 3
        assert not (site.gateway.data / "root.key").exists()
        # The gateway that runs goes on.
        assert patient.person.read(record, purpose="PATRQT").value["id"] == record
        settings, registrar = site.gateway.settings, site.gateway.registrar_key
    sealed = Sealed(tmp_path / "sealed", {name: value for name, value in settings.items() if name != "PORT"})
    sealed.start()
    began = time.monotonic()
    sealed.stop()
    assert time.monotonic() - began < 15, "a sealed gateway does not end when it is told to"
    sealed.start()
    try:
        assert sealed.ready() == (503, {"status": "not ready", "parts": {"keys": "SEALED"}})
        assert Door(sealed.base).post(b'{"query":"{viewer{id}}"}').status_code == 503
        assert run_command("keys", "unseal", shares[2], settings=sealed.settings)[0] == 0
        assert sealed.ready()[0] == 503
        wrong = tmp_path / "wrong.json"
        wrong.write_text(shares[0].read_text().replace('"number": 1', '"number": 2'))
        code, said = run_command("keys", "unseal", wrong, settings=sealed.settings)
        assert (code, "share 2" in said) == (1, True)
        code, said = run_command("keys", "unseal", shares[0], settings=sealed.settings)
        assert (code, "unsealed" in said) == (0, True)
        until_ready(sealed)
        crowd = Crowd(Door(sealed.base), registrar)
        again = patient.at(crowd.door)
        assert again.person.read(record, purpose="PATRQT").value["id"] == record
    finally:
        sealed.stop()
