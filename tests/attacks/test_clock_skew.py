"""A host whose clock is wrong by ten minutes or a day, or is stepped while the gateway runs (libfaketime).

No consent that has ended permits, and no deny that has not ended is lifted; what ends rights goes on. The gateway and
its children have the wrong clock; people, and a chain of its own machine, have the right one.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.journeys import documents
from tests.journeys.gateway_process import GatewayProcess, run_command
from tests.journeys.people import Crowd, Door, Patient, Person, instant
from tests.journeys.resources import observation
from tests.servers.anvil import running_anvil
from tests.servers.pytest_fixtures import require_library, require_program

pytestmark = pytest.mark.services

TEN_MINUTES, DAY = 600, 86_400
SECONDS = 30.0
SEEN_SECONDS = 2.5
"""libfaketime looks at its file again once what it knows is two whole seconds old: at each question it would cost more
than all else."""
ANSWER_SECONDS = "30"
"""A faked clock makes everything slow; how soon an answer comes is measured elsewhere."""
HOLDS_SECONDS = 1.5
"""A caller, a standing and a permit of before are not kept for longer."""


@dataclass(frozen=True)
class Host:
    """A gateway on a machine whose clock can be set. `ahead`: the file that says by how many seconds it is wrong."""

    gateway: GatewayProcess
    ahead: Path
    crowd: Crowd

    def set(self, seconds: int) -> None:
        fresh = self.ahead.with_suffix(".next")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.rename(self.ahead)
        time.sleep(SEEN_SECONDS)

    def code(self, person: Person, record: str) -> str:
        return person.once(documents.READ, {"id": record}).code

    def await_code(self, person: Person, record: str, *codes: str) -> None:
        deadline = time.monotonic() + SECONDS
        while (code := self.code(person, record)) not in codes:
            assert time.monotonic() < deadline, f"still {code!r}"
            time.sleep(0.05)

    def stays_refused(self, person: Person, record: str) -> None:
        deadline = time.monotonic() + HOLDS_SECONDS
        while time.monotonic() < deadline:
            assert self.code(person, record), "it was read"
            time.sleep(0.05)


def _host(folder: Path, settings: dict[str, str]) -> GatewayProcess:
    library = require_library("faketime/libfaketimeMT.so.1")
    ahead = folder / "clock"
    ahead.write_text("+0\n")
    faked = {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(ahead), "FAKETIME_CACHE_DURATION": "1"}
    # The monotonic clock is nobody's to set, on a real host either.
    faked |= {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
    return GatewayProcess(
        folder,
        {"ANSWER_SECONDS": ANSWER_SECONDS, **settings},
        before=("/usr/bin/env", *(f"{name}={text}" for name, text in faked.items())),
    )


@pytest.fixture
def host(embedded: Host) -> Iterator[Host]:
    """Set right again after each test."""
    yield embedded
    embedded.set(0)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The embedded column: the chain has the host's clock."""
    yield from _embedded(tmp_path_factory.mktemp("host"))


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Host]:
    """One whose chain was never ahead."""
    yield from _embedded(tmp_path)


def _embedded(folder: Path) -> Iterator[Host]:
    gateway = _host(folder, {})
    try:
        gateway.start()
        yield Host(gateway=gateway, ahead=folder / "clock", crowd=Crowd(Door(gateway.base), gateway.registrar_key))
    finally:
        gateway.stop()


@pytest.fixture
def chained(tmp_path: Path) -> Iterator[Host]:
    """A chain with a clock of its own, which makes a block a second."""
    require_program("anvil")
    with running_anvil(extra=("--block-time", "1")) as anvil:
        settings = {"CHAIN_URL": anvil.url, "CHAIN_PROFILE": "period=1,confirmations=0,finality=64"}
        gateway = _host(tmp_path, settings)
        code, said = run_command("deploy", "--fund", settings=gateway.settings)
        assert code == 0, said
        try:
            gateway.start()
            crowd = Crowd(Door(gateway.base), gateway.registrar_key)
            yield Host(gateway=gateway, ahead=tmp_path / "clock", crowd=crowd)
        finally:
            gateway.stop()


def _with_record(host: Host) -> tuple[Patient, Person, str]:
    deadline = time.monotonic() + SECONDS
    while host.gateway.ready()[0] != 200:
        assert time.monotonic() < deadline, host.gateway.ready()
        time.sleep(0.1)
    patient, clinician = host.crowd.patient(), host.crowd.clinician()
    return patient, clinician, patient.store(observation())


def _deny(patient: Patient, clinician: Person, *, until: float) -> None:
    patient.consent(clinician.id, effect="DENY", notAfter=instant(until))


def test_a_clock_stepped_back_in_mid_run_revives_no_consent(host: Host) -> None:
    patient, clinician, record = _with_record(host)
    ends = int(time.time()) + 5
    patient.consent(clinician.id, notAfter=instant(ends))
    assert host.code(clinician, record) == ""
    host.await_code(clinician, record, "NOT_PERMITTED")
    assert time.time() >= ends
    for seconds in (-TEN_MINUTES, -DAY):
        host.set(seconds)
        host.stays_refused(clinician, record)


def test_a_clock_stepped_forward_in_mid_run_lifts_no_deny_and_ends_permits(host: Host) -> None:
    patient, clinician, record = _with_record(host)
    patient.consent(clinician.id, notAfter=instant(time.time() + 30 * DAY))
    other = patient.store(observation())
    reader = host.crowd.clinician()
    patient.consent(reader.id, notAfter=instant(time.time() + TEN_MINUTES / 2))
    _deny(patient, clinician, until=time.time() + TEN_MINUTES / 2)
    host.await_code(clinician, record, "NOT_PERMITTED")
    assert host.code(reader, other) == ""
    host.set(TEN_MINUTES)
    host.await_code(reader, other, "NOT_PERMITTED")
    patient.store(observation())  # a block of the embedded chain, with the wrong time
    host.stays_refused(clinician, record)


def test_a_host_that_is_wrong_by_the_chains_time_reads_nothing_and_still_revokes(chained: Host) -> None:
    patient, clinician, record = _with_record(chained)
    consent = patient.consent(clinician.id, minutes=30)
    chained.await_code(clinician, record, "")
    for seconds in (TEN_MINUTES, -TEN_MINUTES, -DAY):
        chained.set(seconds)
        chained.await_code(clinician, record, "STALE")
        chained.stays_refused(clinician, record)
    patient.revoke(consent).must()
    chained.set(DAY)
    chained.await_code(clinician, record, "STALE", "UNAUTHENTICATED")
    chained.set(0)
    chained.await_code(clinician, record, "NOT_PERMITTED")


def test_the_faked_clock_is_the_gateways(host: Host) -> None:
    """What these tests stand on: a challenge of the gateway is dated by the clock that was set."""
    host.set(-DAY)
    asked = host.crowd.door.ask(documents.CHALLENGE, {"address": host.crowd.clinician().wallet.address})
    host.set(0)
    assert instant(time.time() - DAY)[:10] in asked.value["message"]


def test_a_start_with_a_wrong_clock_revives_no_consent(fresh: Host) -> None:
    patient, clinician, record = _with_record(fresh)
    patient.consent(clinician.id, notAfter=instant(time.time() + 8))
    assert fresh.code(clinician, record) == ""
    fresh.await_code(clinician, record, "NOT_PERMITTED")
    patient.consent(clinician.id, purposes=["HRESCH"])  # so that the chain has a block of after the end
    for seconds in (-DAY, DAY):
        fresh.gateway.stop()
        fresh.set(seconds)
        fresh.gateway.start()
        fresh.stays_refused(clinician, record)
        if seconds < 0:
            patient.revoke_all().must()
