"""The database burns; chain, IPFS and keys bring it back, and the gateway goes on where it was."""

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.packs import PackStore
from gateway.demo.wallet import Wallet
from gateway.storage.model import Cid
from gateway.storage.service import Blocks
from tests.journeys import documents, recovering
from tests.journeys.delegates import carer, delegate_to, end_delegate, hand_of, shown
from tests.journeys.dumps import differing, dump
from tests.journeys.gateway_process import GatewayProcess, run_command, variables
from tests.journeys.people import Patient, Person, sign_in
from tests.journeys.pytest_fixtures import COLUMNS
from tests.journeys.resources import bundle, condition, observation
from tests.journeys.sites import Servers, Site, running_site
from tests.ports.databases import query
from tests.servers.prepared import COMMAND

RECORDS = int(os.environ.get("REBUILD_RECORDS", "100"))
"""10,000 in the release form (`make release-B17`)."""
PATIENCE = 90 + RECORDS / 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """A patient whose guardians are signing `typed`, and one whose recovery to `key` is pending."""

    guardians: list[Person]
    waiting: Patient
    typed: dict[str, Any]
    pending: Patient
    key: Wallet


@dataclass(frozen=True, slots=True, kw_only=True)
class Burnt:
    """What was there before, and the site whose database is gone."""

    site: Site
    patients: list[Patient]
    clinician: Person
    guarded: Guarded
    before: dict[str, list[tuple[Any, ...]]]


def settled(url: str) -> None:
    """Waits until every leaf is anchored, every call has landed and all are listed that consents and papers name."""
    deadline = time.monotonic() + PATIENCE
    waiting = (
        "select (select count(*) from tickets where batch is null)"
        " + (select count(*) from batches where state not in ('ANCHORED', 'FINAL'))"
        " + (select count(*) from calls where state in ('INTENDED', 'SENT'))"
        " + (select count(*) from consents where listed = 0) + (select count(*) from papers where listed = 0)"
    )
    while query(url, waiting)[0][0]:
        assert time.monotonic() < deadline, "not everything is anchored in time"
        time.sleep(0.3)


def burn(gateway: GatewayProcess) -> None:
    """The database is gone, and with it whatever lay beside it in its files or its schema; the keys lie elsewhere."""
    if gateway.settings.get("DATABASE_URL"):
        query(gateway.index_url, "drop schema public cascade")
        query(gateway.index_url, "create schema public")
    for path in gateway.data.glob("index.db*"):
        path.unlink()


def live(site: Site, records: int) -> tuple[list[Patient], Person]:
    """Some days of a small practice: imports, amendments, consents, refusals, revocations."""
    patients = [site.crowd.patient(f"Patient {number}") for number in range(3)]
    clinician = site.crowd.clinician()
    published(site)
    each = records // len(patients)
    for number, patient in enumerate(patients):
        resources = [observation(value=f"{number}.{at}0") for at in range(each)]
        found = patient.person.import_bundle(patient.id, bundle(*resources), key=f"import {number}").value["records"]
        patient.store(condition(), key=f"one {number}")
        assert patient.person.amend(found[0]["id"], observation(value="99.90"), version=1).value
        patient.consent(clinician.id)
        ended = patient.consent(clinician.id, labels=["HIV"])
        assert patient.revoke(ended).value
        assert clinician.read(found[1]["id"]).value
    consented_for(site, patients[1], clinician)
    assert patients[2].revoke_all().value
    return patients, clinician


def published(site: Site) -> None:
    """A consent form of two versions."""
    house = site.crowd.register("ORGANIZATION", "House")
    asked: dict[str, object] = {"title": "Follow-up", "texts": [{"language": "EN", "text": "What you agree to"}]}
    first = house.ask(documents.PUBLISH_FORM, {"input": asked}).value
    house.ask(documents.PUBLISH_FORM, {"input": {**asked, "formId": first["formId"]}}).must()


def consented_for(site: Site, patient: Patient, clinician: Person) -> None:
    """By a delegate who stays, and by one who was removed; one consent the patient signed again themselves."""
    staying, leaving = carer(site), carer(site)
    delegate_to(patient, staying, denies=True)
    number = delegate_to(patient, leaving)
    hand_of(patient, staying).consent(clinician.id, resourceTypes=["Observation"])
    hand_of(patient, staying).consent(site.crowd.clinician().id, effect="DENY", resourceTypes=["Observation"])
    typed = hand_of(patient, leaving).draft(clinician.id, resourceTypes=["Observation"]).value["typedData"]
    leaving.submit(documents.GRANT, typed).must()
    patient.person.submit(documents.GRANT, typed).must()
    hand_of(patient, leaving).consent(clinician.id, resourceTypes=["Observation"])
    end_delegate(leaving, patient, number).must()


def guarded(site: Site) -> Guarded:
    """One guardian has signed for another key already; of the second patient a recovery is pending."""
    guardians = [site.crowd.clinician("Guardian") for _ in range(2)]
    patients = [site.crowd.patient() for _ in range(2)]
    for patient in patients:
        recovering.set_guardians(patient, guardians).must()
    typed = recovering.draft(guardians[0], patients[0], Wallet.new())
    recovering.sign(guardians[0], typed, guardians[0].wallet).must()
    recovering.propose(guardians, patients[1], key := Wallet.new()).must()
    return Guarded(guardians=guardians, waiting=patients[0], typed=typed, pending=patients[1], key=key)


def rebuilt(site: Site, *options: str) -> tuple[int, dict[str, Any], str]:
    report = site.gateway.data.parent / "report.json"
    code, said = run_command("rebuild", "--json", report, *options, settings=site.gateway.settings, seconds=PATIENCE)
    return code, json.loads(report.read_text()) if report.exists() else {"said": said}, said


@pytest.fixture(scope="module", params=COLUMNS)
def burnt(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Burnt]:
    servers: Servers | None = request.getfixturevalue("servers") if request.param == "real" else None
    with running_site(tmp_path_factory.mktemp("burn"), servers, {"BATCH_SECONDS": "0.5"}) as site:
        patients, clinician = live(site, RECORDS)
        found = guarded(site)
        settled(site.gateway.index_url)
        site.gateway.stop()
        before = dump(site.gateway.index_url)
        burn(site.gateway)
        yield Burnt(site=site, patients=patients, clinician=clinician, guarded=found, before=before)


def test_the_index_is_what_it_was(burnt: Burnt) -> None:
    code, report, said = rebuilt(burnt.site)
    assert code == 0, said
    assert (report["lost"], report["inDoubt"], report["dropped"]) == ([], [], {}), said
    after = dump(burnt.site.gateway.index_url)
    assert differing(burnt.before, after) == []
    assert report["restored"]["versions"] == len(after["versions"]) >= RECORDS


def test_what_is_back_is_verified_from_end_to_end(burnt: Burnt) -> None:
    code, said = run_command("verify", settings=burnt.site.gateway.settings, seconds=PATIENCE)
    assert (code, said.strip().splitlines()[-1]) == (0, "SOUND"), said


def test_a_second_rebuild_is_refused_without_a_word(burnt: Burnt) -> None:
    code, _, said = rebuilt(burnt.site)
    assert (code, "not empty" in said) == (1, True)


def test_the_gateway_goes_on_where_it_was(burnt: Burnt) -> None:
    burnt.site.gateway.start()
    patient = again(burnt.site, burnt.patients[0])
    assert len(patient.own()) == RECORDS // 3 + 1
    reader = resigned(burnt.site, burnt.clinician)
    first = patient.own()[0]
    assert reader.read(first).value["content"] == observation(value="99.90")
    assert patient.store(condition(), key="one 0") in patient.own()
    assert len(patient.own()) == RECORDS // 3 + 1
    ended = again(burnt.site, burnt.patients[2])
    assert reader.read(ended.own()[0]).code == "NOT_PERMITTED"
    statuses = [
        edge["node"]["status"]
        for edge in patient.person.ask(documents.CONSENTS, {"id": patient.id}).value["consents"]["edges"]
    ]
    assert statuses == ["REVOKED", "ACTIVE"]
    assert len(patient.access_log()) > 5
    delegated = again(burnt.site, burnt.patients[1])
    assert [one["holds"] for one in shown(delegated.person, delegated)] == [True, False]
    page = delegated.person.ask(documents.CONSENTS, {"id": delegated.id}).value["consents"]
    assert [edge["node"]["status"] for edge in page["edges"][:4]] == ["REVOKED", "ACTIVE", "ACTIVE", "ACTIVE"]
    assert page["edges"][1]["node"]["signer"] == delegated.person.wallet.signer.lower()
    consents = [edge["node"]["consentId"] for edge in page["edges"] if edge["node"]["status"] == "ACTIVE"]
    assert set(reader.lets_in()) & set(consents)
    assert delegated.person.patients() == {delegated.id: ["CONTROLLER"]}
    patient.store(observation())
    guardians_go_on(burnt.site, burnt.guarded)
    settled(burnt.site.gateway.index_url)
    burnt.site.gateway.stop()


def guardians_go_on(site: Site, found: Guarded) -> None:
    """What one signed before the fire counts, and what was pending is."""
    first, second = (resigned(site, guardian) for guardian in found.guardians)
    assert recovering.sign(second, found.typed, second.wallet).value["signed"] == 2
    pending = recovering.shown(first, found.pending).value["pending"]
    assert (pending["controller"], pending["stoppable"]) == (found.key.signer, True)
    owner = again(site, found.waiting)
    named = owner.person.ask(recovering.GUARDIANS, {"id": owner.id}).value["guardians"]["current"]["opened"]
    assert [one["id"] for one in named["guardians"]] == [guardian.id for guardian in found.guardians]


def resigned(site: Site, person: Person) -> Person:
    """Sessions are gone: everybody signs in again."""
    return sign_in(site.door, person.wallet)


def again(site: Site, patient: Patient) -> Patient:
    return Patient(person=resigned(site, patient.person), id=patient.id, subject=patient.subject)


@pytest.fixture
def young(tmp_path: Path) -> Iterator[Site]:
    """A gateway that anchors nothing for an hour."""
    with running_site(tmp_path, settings={"BATCH_SECONDS": "3600"}) as site:
        yield site


def test_what_was_acknowledged_a_moment_ago_is_back_before_it_was_anchored(young: Site) -> None:
    patient, clinician = young.crowd.patient(), young.crowd.clinician()
    kept = [patient.store(observation(value=f"{at}.50"), key=f"key {at}") for at in range(5)]
    assert patient.person.amend(kept[0], observation(value="7.70"), version=1).value
    consent = patient.consent(clinician.id)
    assert clinician.read(kept[0]).value["id"] == kept[0]
    assert patient.revoke(consent).value
    while query(young.gateway.index_url, "select count(*) from unpinned")[0][0]:
        time.sleep(0.1)
    young.gateway.kill()
    before = dump(young.gateway.index_url)
    burn(young.gateway)
    code, report, said = rebuilt(young)
    assert (code, report["lost"], len(report["inDoubt"])) == (0, [], 6), said
    after = dump(young.gateway.index_url)
    for part in ("records in order", "versions", "tokens", "idempotency", "narrowings", "consents in order"):
        assert before[part] == after[part], part
    leaves = {row[1] for row in before["tickets"] if row[3]}
    assert {row[1] for row in after["tickets"] if row[3]} == leaves
    young.gateway.start()
    assert resigned(young, clinician).read(kept[0]).code == "NOT_PERMITTED"
    owner = again(young, patient)
    assert owner.person.read(kept[0], purpose="PATRQT").value["content"] == observation(value="7.70")
    assert owner.store(observation(value="3.50"), key="key 3") == kept[3]
    assert owner.own() == kept


def test_a_revocation_that_the_chain_never_saw_is_in_force_after(young: Site) -> None:
    patient, clinician = young.crowd.patient(), young.crowd.clinician()
    record = patient.store(observation())
    consent = patient.consent(clinician.id)
    young.gateway.kill()
    young.gateway.settings["CHAIN_SILENCE_SECONDS"] = "10"
    young.gateway.start()
    owner = again(young, patient)
    typed = owner.revocation(consent)
    chain = pids_of(young, "anchoring.chain.embedded")
    for pid in chain:
        os.kill(pid, signal.SIGSTOP)
    owner.person.submit(documents.REVOKE, typed)
    young.gateway.kill()
    for pid in chain:
        os.kill(pid, signal.SIGKILL)
    burn(young.gateway)
    code, report, said = rebuilt(young)
    assert (code, report["restored"]["calls that go out again"]) == (0, 1), said
    young.gateway.start()
    assert resigned(young, clinician).read(record).code == "NOT_PERMITTED"
    waiting = "select count(*) from chain_events where name = 'ConsentRevoked'"
    deadline = time.monotonic() + 30
    while not query(young.gateway.index_url, waiting)[0][0]:
        assert time.monotonic() < deadline, "the revocation never reached the chain"
        time.sleep(0.2)


def pids_of(site: Site, module: str) -> list[int]:
    """Children of the gateway that run this module."""
    children = Path(f"/proc/{site.gateway.process.pid}/task")
    found = {int(word) for path in children.glob("*/children") for word in path.read_text().split()}
    return [pid for pid in found if module in Path(f"/proc/{pid}/cmdline").read_text()]


def test_blocks_of_others_and_forged_ones_change_nothing(young: Site, tmp_path: Path) -> None:
    patient = young.crowd.patient()
    kept = [patient.store(observation(value=f"{at}.50")) for at in range(3)]
    young.gateway.stop()
    before = dump(young.gateway.index_url)
    with running_site(tmp_path / "other") as other:
        stranger = other.crowd.patient()
        stranger.store(observation())
        other.gateway.stop()
        car = tmp_path / "other.car"
        assert run_command("blocks", "export", car, settings=other.gateway.settings)[0] == 0
    assert run_command("blocks", "import", car, settings=young.gateway.settings)[0] == 0
    asyncio.run(forge(young.gateway.data / "blocks", [bytes(row[2]) for row in before["versions"]]))
    burn(young.gateway)
    code, report, said = rebuilt(young)
    assert (code, report["lost"], len(report["inDoubt"])) == (0, [], 3), said
    assert report["blocks"]["foreign"] > 10
    after = dump(young.gateway.index_url)
    assert [row[0] for row in after["records in order"]] == [row[0] for row in before["records in order"]]
    assert after["versions"] == before["versions"]
    assert len(kept) == len(after["versions"])


async def forge(folder: Path, digests: list[bytes]) -> None:
    """Copies of real blocks with one octet changed in each part; a forged manifest of real leaves; noise."""
    store = PackStore.open(folder)
    blocks = Blocks(store)
    real = [await blocks.get(Cid.from_digest(digest)) for digest in digests]
    made = [one[:at] + bytes([one[at] ^ 1]) + one[at + 1 :] for one in real for at in (0, 9, 50, 100, 200, 4000)]
    made += [real[0][:200] + real[1][200:], real[0][:84] + real[1][84:], bytes(4096), b"x", real[0] * 2]
    await blocks.put_many(made)
    await store.close()


def test_a_rebuild_that_was_killed_keeps_every_gateway_away_and_is_begun_again(young: Site) -> None:
    patient = young.crowd.patient()
    kept = [patient.store(observation(value=f"{at}.50")) for at in range(3)]
    young.gateway.stop()
    before = dump(young.gateway.index_url)
    burn(young.gateway)
    for wait in (0.0, 0.3, 1.0):
        kill_within_a_rebuild(young, wait)
        code, said = run_command("serve", settings={**young.gateway.settings, "PORT": "0"}, seconds=60)
        assert (code, "run `consentry rebuild` again" in said) == (1, True), said
    code, report, said = rebuilt(young)
    assert (code, report["notes"]) == (0, ["An unfinished rebuild was begun again."]), said
    assert dump(young.gateway.index_url)["versions"] == before["versions"]
    young.gateway.start()
    assert sorted(again(young, patient).own()) == sorted(kept)


def kill_within_a_rebuild(site: Site, wait: float) -> None:
    """SIGKILL so many seconds after it marked the index."""
    command = subprocess.Popen([*COMMAND, "rebuild"], env=variables(site.gateway.settings), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(sqlite3.OperationalError):
            if query(site.gateway.index_url, "select 1 from meta where key = 'rebuilding'"):
                break
        time.sleep(0.02)
    time.sleep(wait)
    children = [
        int(pid) for at in Path(f"/proc/{command.pid}/task").glob("*/children") for pid in at.read_text().split()
    ]
    command.kill()
    command.wait()
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_a_block_that_is_gone_is_a_loss_that_is_named(tmp_path: Path) -> None:
    with running_site(tmp_path, settings={"BATCH_SECONDS": "0.5"}) as site:
        patient = site.crowd.patient()
        for at in range(3):
            patient.store(observation(value=f"{at}.50"))
        settled(site.gateway.index_url)
        site.gateway.stop()
        gone = Cid.from_digest(bytes(query(site.gateway.index_url, "select digest from versions")[0][0]))
        asyncio.run(remove(site.gateway.data / "blocks", gone))
        burn(site.gateway)
        code, report, said = rebuilt(site)
        assert (code, report["lost"]) == (2, [f"block {gone} is not there, and its key is"]), said
        assert report["restored"]["versions"] == 2


async def remove(folder: Path, cid: Cid) -> None:
    store = PackStore.open(folder)
    await store.remove([str(cid)])
    await store.close()
