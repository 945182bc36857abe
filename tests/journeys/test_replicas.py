"""Two gateways on one PostgreSQL, one redis and one folder of secrets: what one ends, the other refuses at once."""

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.demo.wallet import Wallet
from tests.journeys import documents, recovering
from tests.journeys.emergencies import break_glass, opened, read_urgently
from tests.journeys.gateway_process import GatewayProcess, run_command
from tests.journeys.people import Crowd, Door, Patient, Person, sign_in
from tests.journeys.pytest_fixtures import RECOVERY_SECONDS
from tests.journeys.resources import observation
from tests.journeys.sites import Servers
from tests.journeys.sockets import subscribed
from tests.servers.chain import Chain
from tests.servers.redis import Redis, running_redis

pytestmark = pytest.mark.services


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two replicas, and the people of the first."""

    first: Door
    second: Door
    crowd: Crowd
    redis: Redis
    chain: Chain


@pytest.fixture(scope="module")
def pair(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder: Path = tmp_path_factory.mktemp("replicas")
    with running_redis() as redis:
        # One name for both in what they sign and are signed in to: a load balancer stands before them.
        shared = servers.settings() | {"REDIS_URL": redis.url, "PUBLIC_URL": "http://127.0.0.1:1"}
        shared["RECOVERY_DAYS"] = str(RECOVERY_SECONDS / 86_400)
        shared["CHAIN_SILENCE_SECONDS"] = "60"  # a mute chain is no reason of its own to refuse, here
        first = GatewayProcess(folder / "a", {**shared, "INSTANCE": "a"})
        code, said = run_command("deploy", "--fund", settings=first.settings)
        assert code == 0, said
        first.start()
        shutil.copytree(first.data, folder / "b" / "data")
        second = GatewayProcess(folder / "b", {**shared, "INSTANCE": "b"})
        try:
            second.start()
            crowd = Crowd(Door(first.base), first.registrar_key)
            doors = (Door(first.base), Door(second.base))
            yield Pair(first=doors[0], second=doors[1], crowd=crowd, redis=redis, chain=servers.chain)
        finally:
            second.stop()
            first.stop()


@pytest.fixture(scope="module")
def reader(pair: Pair) -> Person:
    return pair.crowd.clinician()


@pytest.fixture
def patient(pair: Pair) -> Patient:
    return pair.crowd.patient()


def once_known(pair: Pair, reader: Person, record: str) -> Person:
    """The reader at the second replica, once it has followed the chain to where the reader's consent is."""
    elsewhere, deadline = reader.at(pair.second), time.monotonic() + 15
    while elsewhere.read(record).code and time.monotonic() < deadline:
        time.sleep(0.1)
    assert elsewhere.read(record).value["id"] == record
    return elsewhere


def test_a_session_of_one_is_good_at_the_other(pair: Pair, reader: Person) -> None:
    deadline = time.monotonic() + 15
    while (viewer := reader.at(pair.second).ask(documents.VIEWER).value) is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert viewer["id"] == reader.id


@pytest.mark.timeout(300)
def test_a_session_that_ends_at_one_is_nobodys_at_the_other_at_once_without_redis(pair: Pair, patient: Patient) -> None:
    reader = pair.crowd.clinician("Dr. Out")
    record = patient.store(observation())
    patient.consent(reader.id)
    other = sign_in(pair.first, reader.wallet)
    elsewhere = once_known(pair, reader, record)
    (gone,) = [one for one in reader.sessions() if one["current"]]
    with subscribed(elsewhere, documents.RECORD_ADDED, {"id": patient.id}) as subscription:
        pair.redis.process.suspend()
        try:
            other.once(documents.END_SESSION, {"id": gone["id"]}).must()
            assert elsewhere.once(documents.READ, {"id": record}).code == "UNAUTHENTICATED"
            assert elsewhere.once(documents.VIEWER).found is None
            assert subscription.closed_with(seconds=5) == 4403
        finally:
            pair.redis.process.resume()
    assert other.at(pair.second).read(record).code == ""


def test_what_is_revoked_at_one_is_in_no_list_of_the_other_at_once_without_redis(pair: Pair, patient: Patient) -> None:
    reader = pair.crowd.clinician("Dr. List")
    record = patient.store(observation())
    consent = patient.consent(reader.id)
    elsewhere = once_known(pair, reader, record)
    assert reader.lets_in() == elsewhere.lets_in() == [consent]
    assert patient.person.at(pair.second).patients() == {patient.id: ["CONTROLLER"]}
    pair.redis.process.suspend()
    try:
        patient.revoke(consent).must()
        assert elsewhere.lets_in() == reader.lets_in() == []
    finally:
        pair.redis.process.resume()


def test_what_one_stores_the_other_reads(pair: Pair, patient: Patient, reader: Person) -> None:
    record = patient.store(observation())
    patient.consent(reader.id)
    assert once_known(pair, reader, record).read(record).value["content"] == observation()


def test_what_one_revokes_the_other_refuses_at_once(pair: Pair, patient: Patient, reader: Person) -> None:
    record = patient.store(observation())
    consent = patient.consent(reader.id)
    elsewhere = once_known(pair, reader, record)
    revocation = patient.revocation(consent)
    patient.person.submit(documents.REVOKE, revocation).must()
    assert elsewhere.once(documents.READ, {"id": record}).code == "NOT_PERMITTED"


@pytest.mark.timeout(300)
def test_what_one_revokes_the_other_refuses_at_once_without_redis(pair: Pair, patient: Patient, reader: Person) -> None:
    record = patient.store(observation())
    consent = patient.consent(reader.id)
    elsewhere = once_known(pair, reader, record)
    revocation = patient.revocation(consent)
    pair.redis.process.suspend()
    try:
        revoked = patient.person.submit(documents.REVOKE, revocation)
        assert revoked.value["status"] == "REVOKED"
        assert elsewhere.once(documents.READ, {"id": record}).code == "NOT_PERMITTED"
    finally:
        pair.redis.process.resume()


@pytest.mark.timeout(300)
def test_what_one_revokes_the_other_refuses_at_once_while_chain_and_redis_are_mute(pair: Pair, reader: Person) -> None:
    """Nothing but the database can tell the second replica: the revocation moves the guard that decisions stand on."""
    revoking, other = pair.crowd.patient(), pair.crowd.patient()
    record, beside = revoking.store(observation()), other.store(observation())
    consent = revoking.consent(reader.id)
    other.consent(reader.id)
    revocation = revoking.revocation(consent)
    elsewhere = once_known(pair, reader, record)
    once_known(pair, reader, beside)
    pair.chain.process.suspend()
    pair.redis.process.suspend()
    try:
        assert revoking.person.submit(documents.REVOKE, revocation).value["status"] == "REVOKED"
        assert elsewhere.once(documents.READ, {"id": record}).code == "NOT_PERMITTED"
        assert elsewhere.once(documents.READ, {"id": beside}).code == ""
    finally:
        pair.redis.process.resume()
        pair.chain.process.resume()
        await_well(pair)


def await_well(pair: Pair) -> None:
    """Until both say that every part is well again."""
    deadline = time.monotonic() + 30
    for door in (pair.first, pair.second):
        while set(door.http.get(f"{door.base}/ready").json()["parts"].values()) != {"ok"}:
            assert time.monotonic() < deadline, "not well again"
            time.sleep(0.1)
    # A call that met the mute chain is sent again after a pause: until then nobody is enrolled in time.
    while not _enrols(pair):
        assert time.monotonic() < deadline, "nobody is enrolled again"


def _enrols(pair: Pair) -> bool:
    try:
        pair.crowd.patient()
    except AssertionError:
        return False
    return True


def test_a_revocation_at_one_ends_a_subscription_at_the_other(pair: Pair, patient: Patient, reader: Person) -> None:
    consent = patient.consent(reader.id)
    elsewhere = once_known(pair, reader, patient.store(observation()))
    with subscribed(elsewhere, documents.RECORD_ADDED, {"id": patient.id}) as subscription:
        record = patient.store(observation())
        item = subscription.next()
        assert item is not None
        assert item["recordAdded"]["id"] == record
        patient.revoke(consent).must()
        assert subscription.next(seconds=5) is None


def test_both_write_into_one_access_log(pair: Pair, patient: Patient, reader: Person) -> None:
    record = patient.store(observation())
    patient.consent(reader.id)
    reader.read(record).must()
    before = len(_permitted_reads(patient, record))
    once_known(pair, reader, record)
    assert len(_permitted_reads(patient, record)) > before == 1


def _permitted_reads(patient: Patient, record: str) -> list[object]:
    seen = [event for event in patient.access_log() if event["recordId"] == record and event["action"] == "READ"]
    return [event["decisionId"] for event in seen if event["outcome"] == "PERMITTED"]


def test_an_idempotency_key_of_one_is_known_to_the_other(pair: Pair, patient: Patient) -> None:
    first = patient.person.store(patient.id, observation(), key="k").value["id"]
    once_known(pair, patient.person, first)
    assert patient.at(pair.second).person.store(patient.id, observation(), key="k").value["id"] == first
    assert patient.at(pair.second).person.store(patient.id, observation(value="9"), key="k").code == "CONFLICT"


def test_an_emergency_of_one_is_one_at_the_other_and_ends_at_both(pair: Pair, patient: Patient) -> None:
    doctor = pair.crowd.clinician("Dr. Two Places")
    record = patient.store(observation())
    elsewhere = once_signed_in(pair, doctor)
    made = opened(doctor, patient)
    assert read_urgently(elsewhere, record).value["id"] == record
    pair.redis.process.suspend()
    try:
        assert elsewhere.once(documents.END_EMERGENCY, {"id": made["id"]}).value["state"] == "ENDED"
        assert read_urgently(doctor, record).code == "NOT_PERMITTED"
        assert read_urgently(elsewhere, record).code == "NOT_PERMITTED"
    finally:
        pair.redis.process.resume()


def test_the_bound_on_emergencies_is_one_for_both(pair: Pair, patient: Patient) -> None:
    doctor = pair.crowd.clinician("Dr. Two Doors")
    doors = (doctor, once_signed_in(pair, doctor))
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda at: break_glass(doors[at % 2], patient.id).code, range(24)))
    assert answers.count("") == 10
    assert set(answers) <= {"", "LIMIT", "UNAVAILABLE"}


def once_signed_in(pair: Pair, person: Person) -> Person:
    """The person at the second replica, once it has followed the chain to where they are registered."""
    elsewhere, deadline = person.at(pair.second), time.monotonic() + 15
    while elsewhere.ask(documents.VIEWER).value is None and time.monotonic() < deadline:
        time.sleep(0.1)
    return elsewhere


def once_owner(patient: Patient) -> list[str]:
    """The patient's records, once the replica has followed the chain to where they are the patient's."""
    deadline = time.monotonic() + 15
    while not (found := patient.own()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def test_a_recovery_is_finished_once_by_two_and_the_old_key_is_out_at_both(pair: Pair) -> None:
    guardians = [pair.crowd.clinician(f"Guardian {number}") for number in range(2)]
    patient, key = pair.crowd.patient(), Wallet.new()
    record = patient.store(observation())
    recovering.set_guardians(patient, guardians).must()
    elsewhere = patient.at(pair.second)
    with subscribed(elsewhere.person, documents.CONSENT_CHANGED, {"id": patient.id}) as changes:
        recovering.propose(guardians, patient, key).must()
        recovering.wait_until_over(guardians[0].at(pair.second), patient)
        changes.await_end()
    successor = recovering.successor(pair.crowd, patient, key)
    for door in (pair.first, pair.second):
        assert patient.at(door).person.read(record, purpose="PATRQT").code in ("NOT_PERMITTED", "UNAUTHENTICATED")
        assert once_owner(successor.at(door)) == [record]
    done = [entry["action"] for entry in successor.access_log()]
    assert done.count("FINISH_RECOVERY") == 1
