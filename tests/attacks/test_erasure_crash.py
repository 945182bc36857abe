"""kill -9 between the steps of an erasure, and an erasure over two replicas on real servers."""

import contextlib
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.attacks.shreds import loot, opened
from tests.journeys import documents
from tests.journeys.gateway_process import GatewayProcess, run_command
from tests.journeys.people import Answer, Crowd, Door, Patient, Person
from tests.journeys.resources import observation
from tests.journeys.sites import Servers, running_site
from tests.journeys.sockets import subscribed
from tests.ports.databases import query
from tests.servers.openbao import OpenBao

FINAL = 7
ACTS = [("turn", "after"), ("EMPTIED", "before"), ("FINALIZING", "after")]
"""After the keys were destroyed and before that is noted; after the blocks went and before the rows do; after the
certificate was sent. tests/unit/gateway/erasure has every one."""


class Dying(GatewayProcess):
    """A gateway that kills itself at a step of an erasure."""

    def __init__(self, folder: Path, settings: dict[str, str], *, act: str, moment: str) -> None:
        super().__init__(folder, settings)
        self.process._argv = [sys.executable, "-m", "tests.attacks.dying_gateway", act, moment, "serve"]


def until_final(gateway: GatewayProcess) -> None:
    """Until every erasure is."""
    deadline = time.monotonic() + 60
    while set(query(gateway.index_url, "select state from erasures")) != {(FINAL,)}:
        assert time.monotonic() < deadline, query(gateway.index_url, "select state from erasures")
        time.sleep(0.1)


@pytest.mark.timeout(600)
def test_an_erasure_that_is_killed_at_any_step_is_finished_by_the_next_start(tmp_path: Path) -> None:
    with running_site(tmp_path / "site") as site:
        patient, other = site.crowd.patient(), site.crowd.patient()
        reader = site.crowd.clinician()
        records = [patient.store(observation()), other.store(observation())]
        for one in (patient, other):
            one.consent(reader.id)
        typed = patient.erasure()
        settings = {name: value for name, value in site.gateway.settings.items() if name not in ("PORT", "DATA_DIR")}
    for act, moment in ACTS:
        folder = tmp_path / f"{act}-{moment}"
        shutil.copytree(site.gateway.data, folder / "data")
        dying = Dying(folder, {**settings, "DATA_DIR": str(folder / "data")}, act=act, moment=moment).start()
        dies_of(dying, patient.at(Door(dying.base)).person, typed)
        next_start = GatewayProcess(folder / "next", {**settings, "DATA_DIR": str(folder / "data")}).start()
        try:
            until_final(next_start)
            found = reader.at(Door(next_start.base))
            assert found.read(records[0]).code == "NOT_PERMITTED"
            assert found.read(records[1]).value["id"] == records[1]
        finally:
            next_start.stop()
        subjects = opened(folder / "data", loot(folder / "data")).keys()
        assert bytes.fromhex(patient.subject[2:]) not in subjects
        assert bytes.fromhex(other.subject[2:]) in subjects


def dies_of(gateway: Dying, person: Person, typed: dict[str, object]) -> None:
    """Asks until the gateway is no more; the answer may come before its end, or never."""
    deadline = time.monotonic() + 60
    while gateway.process._child is not None and gateway.process._child.poll() is None:
        assert time.monotonic() < deadline, "it did not die"
        with contextlib.suppress(httpx.HTTPError):
            person.submit(documents.ERASE, typed)
        time.sleep(0.1)


# ---- two replicas, real servers


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    first: GatewayProcess
    second: GatewayProcess
    crowd: Crowd
    servers: Servers


@pytest.fixture(scope="module")
def pair(servers: Servers, openbao: OpenBao, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """PostgreSQL, Kubo, a chain, redis and OpenBao behind two gateways."""
    folder: Path = tmp_path_factory.mktemp("erasing-pair")
    key = openbao.fresh_key()
    shared = servers.settings() | {
        "PUBLIC_URL": "http://127.0.0.1:1",
        "VAULT": "openbao",
        "VAULT_URL": openbao.url,
        "VAULT_KEY": key.name,
        "VAULT_TOKEN_FILE": str(key.token_path),
    }
    first = GatewayProcess(folder / "a", {**shared, "INSTANCE": "a"})
    code, said = run_command("deploy", "--fund", settings=first.settings)
    assert code == 0, said
    first.start()
    shutil.copytree(first.data, folder / "b" / "data")
    second = GatewayProcess(folder / "b", {**shared, "INSTANCE": "b"})
    try:
        second.start()
        crowd = Crowd(Door(first.base), first.registrar_key)
        yield Pair(first=first, second=second, crowd=crowd, servers=servers)
    finally:
        second.stop()
        first.stop()


def warmed(pair: Pair, reader: Person, patient: Patient, record: str) -> Person:
    """The reader at the second replica, which has everything of the patient in its caches."""
    elsewhere, deadline = reader.at(Door(pair.second.base)), time.monotonic() + 20
    while elsewhere.read(record).code and time.monotonic() < deadline:
        time.sleep(0.1)
    assert elsewhere.read(record).value["id"] == record
    return elsewhere


def keys_left(pair: Pair, subject: str) -> int:
    name = f"'\\x{subject[2:]}'"
    rows = query(
        pair.first.index_url, f"select count(*) from consentry_keys.domain_keys where kind = 1 and name = {name}"
    )
    return int(rows[0][0])


@pytest.mark.services
@pytest.mark.timeout(300)
def test_what_one_replica_erases_the_other_refuses_at_once(pair: Pair) -> None:
    patient, reader = pair.crowd.patient(), pair.crowd.clinician()
    record = patient.person.store(patient.id, observation()).value
    patient.consent(reader.id)
    elsewhere = warmed(pair, reader, patient, record["id"])
    with subscribed(elsewhere, documents.RECORD_ADDED, {"id": patient.id}) as subscription:
        erased: Answer = patient.erase()
        refused = elsewhere.once(documents.READ, {"id": record["id"]})
        erased.must()
        assert refused.code == "NOT_PERMITTED"
        assert subscription.next(seconds=5) is None
    until_final(pair.first)  # the answer waits for it, and on a busy machine not for long enough
    assert keys_left(pair, patient.subject) == 0
    assert not holds(pair, record["cid"])


@pytest.mark.services
@pytest.mark.timeout(300)
def test_a_replica_that_hears_nothing_still_refuses(pair: Pair) -> None:
    """No message reaches it; the ledger's guards and the key store's revision do."""
    patient, reader = pair.crowd.patient(), pair.crowd.clinician()
    record = patient.store(observation())
    patient.consent(reader.id)
    elsewhere = warmed(pair, reader, patient, record)
    typed = patient.erasure()
    pair.servers.redis.process.suspend()
    try:
        erased = patient.person.submit(documents.ERASE, typed)
        refused = elsewhere.once(documents.READ, {"id": record})
    finally:
        pair.servers.redis.process.resume()
    erased.must()
    assert refused.code == "NOT_PERMITTED"
    until_final(pair.first)


@pytest.mark.services
@pytest.mark.timeout(300)
def test_a_sealed_vault_delays_destruction_and_not_the_refusal(pair: Pair, openbao: OpenBao) -> None:
    patient, reader = pair.crowd.patient(), pair.crowd.clinician()
    record = patient.store(observation())
    patient.consent(reader.id)
    elsewhere = warmed(pair, reader, patient, record)
    openbao.seal()
    try:
        erased = patient.erase()
        assert (erased.value["status"], keys_left(pair, patient.subject)) == ("BEGUN", 1)
        for person in (reader, elsewhere):
            assert person.once(documents.READ, {"id": record}).code == "NOT_PERMITTED"
    finally:
        openbao.unseal()
    deadline = time.monotonic() + 30
    while keys_left(pair, patient.subject):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def holds(pair: Pair, cid: str) -> bool:
    """Whether Kubo still has the block, asked without the gateway."""
    asked = httpx.post(
        f"{pair.servers.kubo.url}/api/v0/block/stat", params={"arg": cid, "offline": "true"}, trust_env=False
    )
    return asked.status_code == 200
