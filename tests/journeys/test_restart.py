"""A gateway that is stopped, or killed, goes on where it was: records, consents, sessions, anchors, audit."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.campaigns.processes import CHAIN, kill_child
from tests.journeys import documents
from tests.journeys.gateway_process import GatewayProcess
from tests.journeys.people import Answer, Patient, Person
from tests.journeys.pytest_fixtures import COLUMNS
from tests.journeys.resources import bundle, observation
from tests.journeys.sites import Servers, Site, running_site
from tests.servers.chain import chain_answers
from tests.servers.process import is_running

ENDINGS = [pytest.param(GatewayProcess.stop, id="SIGTERM"), pytest.param(GatewayProcess.kill, id="SIGKILL")]
Ending = Callable[[GatewayProcess], None]


@pytest.fixture(scope="module", params=COLUMNS)
def own(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway that these tests may end."""
    servers: Servers | None = request.getfixturevalue("servers") if request.param == "real" else None
    with running_site(tmp_path_factory.mktemp("restart"), servers) as running:
        yield running


@pytest.fixture(scope="module")
def reader(own: Site) -> Person:
    return own.crowd.clinician()


@pytest.fixture
def patient(own: Site) -> Patient:
    return own.crowd.patient()


def restarted(site: Site, ending: Ending) -> None:
    ending(site.gateway)
    site.gateway.start()


def anchored(person: Person, record: str) -> str:
    """The transaction that anchored a record; waited for."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        proof = person.read(record, purpose="PATRQT").value["anchor"]["proof"]
        if proof is not None:
            return str(proof["transactionHash"])
        time.sleep(0.3)
    raise AssertionError("the record is not anchored")


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_was_acknowledged_stands_after(own: Site, patient: Patient, reader: Person, ending: Ending) -> None:
    record = patient.store(observation(value="1.10"))
    consent = patient.consent(reader.id)
    ended = patient.consent(reader.id, labels=["HIV"])
    patient.revoke(ended).must()
    seen = len(patient.access_log())
    restarted(own, ending)
    read = reader.read(record).value
    assert (read["content"], read["receipt"]["consentId"]) == (observation(value="1.10"), consent)
    page = patient.person.ask(documents.CONSENTS, {"id": patient.id}).value["consents"]
    assert {edge["node"]["consentId"]: edge["node"]["status"] for edge in page["edges"]} == {
        consent: "ACTIVE",
        ended: "REVOKED",
    }
    assert len(patient.access_log()) > seen


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_revocation_stands_after(own: Site, patient: Patient, reader: Person, ending: Ending) -> None:
    record = patient.store(observation())
    consent = patient.consent(reader.id)
    assert reader.read(record).value["id"] == record
    patient.revoke(consent).must()
    restarted(own, ending)
    assert reader.read(record).code == "NOT_PERMITTED"


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_waited_for_its_anchor_gets_it_after(own: Site, patient: Patient, ending: Ending) -> None:
    made = patient.person.import_bundle(patient.id, bundle(*[observation(value=str(at)) for at in range(20)])).value
    restarted(own, ending)
    assert anchored(patient.person, made["records"][-1]["id"])


def test_an_anchor_stays_what_it_was(own: Site, patient: Patient) -> None:
    record = patient.store(observation())
    transaction = anchored(patient.person, record)
    restarted(own, GatewayProcess.kill)
    assert anchored(patient.person, record) == transaction


def test_nothing_acknowledged_is_lost_when_killed_under_load(own: Site, patient: Patient) -> None:
    acknowledged: list[str] = []

    def write() -> None:
        try:
            for at in range(10_000):
                answer = patient.person.once(
                    documents.CREATE, {"input": {"patientId": patient.id, "resource": observation(value=str(at))}}
                )
                if not answer.code:
                    acknowledged.append(answer.value["id"])
        except (OSError, Exception):  # noqa: BLE001 - the connection ends as the process does
            return

    writer = threading.Thread(target=write)
    writer.start()
    while len(acknowledged) < 5:
        time.sleep(0.05)
    own.gateway.kill()
    writer.join(30)
    own.gateway.start()
    assert set(acknowledged) <= set(patient.own())
    for record in acknowledged[-3:]:
        assert patient.person.read(record, purpose="PATRQT").value["id"] == record


def test_a_request_under_way_is_finished_before_the_end(own: Site, patient: Patient) -> None:
    answers: list[Answer] = []
    many = bundle(*[observation(value=str(at)) for at in range(400)])
    asking = threading.Thread(target=lambda: answers.append(patient.person.import_bundle(patient.id, many)))
    asking.start()
    time.sleep(0.3)
    own.gateway.stop()
    asking.join(60)
    own.gateway.start()
    (answer,) = answers
    assert len(answer.value["records"]) == 400
    assert len(patient.own()) == 400


def test_a_stop_says_so(own: Site) -> None:
    own.gateway.stop()
    assert own.gateway.text.rstrip().endswith("Stopped.")
    own.gateway.start()


def test_a_second_start_makes_nothing(own: Site) -> None:
    before = own.gateway.text.count("Made on this first start")
    restarted(own, GatewayProcess.stop)
    assert own.gateway.text.count("Made on this first start") == before


def test_a_killed_gateway_leaves_no_process_behind(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path, {})
    gateway.start()
    rpc = gateway.rpc
    gateway.kill()
    gateway.start()
    assert gateway.rpc == rpc, "the embedded chain keeps its port, so nothing else held it"
    gateway.stop()


def test_an_embedded_chain_that_dies_is_started_again_where_it_was(tmp_path: Path) -> None:
    with running_site(tmp_path) as site:
        rpc, patient, reader = site.gateway.rpc, site.crowd.patient(), site.crowd.clinician()
        record = patient.store(observation())
        kill_child(site.gateway.process.pid, CHAIN)
        deadline = time.monotonic() + 60
        while not _heard(rpc) or site.gateway.ready()[0] != 200:
            assert time.monotonic() < deadline, "the chain is not well again"
            time.sleep(0.1)
        patient.consent(reader.id)
        assert site.gateway.rpc == rpc
        assert reader.read(record).value["id"] == record


def _heard(url: str) -> bool:
    """Whether a chain answers there."""
    try:
        return chain_answers(url)
    except OSError:
        return False


def test_a_stop_does_not_start_a_dead_chain_again(tmp_path: Path) -> None:
    with running_site(tmp_path) as site:
        pid = site.gateway.process.pid
        kill_child(pid, CHAIN)
        site.gateway.stop()
        assert not is_running(pid)
        assert site.gateway.text.rstrip().endswith("Stopped.")
