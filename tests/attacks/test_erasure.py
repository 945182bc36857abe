"""Erased means gone: from the disk, from yesterday's backup, from every replica; and nobody else loses anything (B18).

`make erasure` runs it with 200 patients; ERASURE_SUBJECTS says how many.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from gateway import jsontext
from gateway.adapters.packs import PackStore
from gateway.audit.rules import verify_entries
from gateway.crypto.model import DomainKind
from gateway.ports.rows import StoredEntry
from gateway.storage.model import Cid
from tests.attacks.shreds import Loot, keys_of, loot, opened, snapshot
from tests.journeys import documents
from tests.journeys.gateway_process import GatewayProcess, run_command
from tests.journeys.people import Crowd, Door, Patient, Person, sign_in, unknown_id
from tests.journeys.resources import observation
from tests.journeys.sites import running_site
from tests.ports.databases import query
from tests.ports.notaries import lineage
from tests.servers.http import rpc

SUBJECTS = int(os.environ.get("ERASURE_SUBJECTS", "10"))
OTHERS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """A patient, a consent, and the records of each."""

    patient: Patient
    records: tuple[str, ...]
    cids: tuple[str, ...]

    @property
    def name(self) -> bytes:
        return bytes.fromhex(self.patient.subject[2:])


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A gateway that erased `erased` and not `others`; `yesterday` is its folder of before, `backup` its backup."""

    gateway: GatewayProcess
    crowd: Crowd
    reader: Person
    erased: tuple[Files, ...]
    others: tuple[Files, ...]
    answers: tuple[dict[str, str], ...]
    yesterday: Path
    backup: Path
    before: Loot
    entries: int
    settings: dict[str, str]

    @property
    def data(self) -> Path:
        return self.gateway.data


def log_of(data: Path) -> list[StoredEntry]:
    """The audit log of the one replica of a folder."""
    url = f"sqlite:///{data / 'index.db'}"
    ((instance,),) = query(url, "select distinct instance from writers")
    return lineage(url, instance)


def written(crowd: Crowd, reader: Person) -> Files:
    patient = crowd.patient()
    made = [patient.person.store(patient.id, observation(value=str(at))).value for at in (60, 61)]
    amended = patient.person.amend(made[0]["id"], observation(value="62"), version=1).value
    patient.consent(reader.id, actions=["READ", "WRITE"])
    assert reader.read(made[0]["id"]).value["id"] == made[0]["id"]
    cids = (*(one["cid"] for one in made), amended["cid"])
    return Files(patient=patient, records=tuple(one["id"] for one in made), cids=cids)


def erased_for_good(files: Files, *, seconds: float = 60.0) -> dict[str, str]:
    """What the last answer said: the chain may take longer than one answer waits; the same again tells."""
    typed, deadline = files.patient.erasure(), time.monotonic() + seconds
    while True:
        answer: dict[str, str] = files.patient.person.submit(documents.ERASE, typed).value
        if answer["status"] == "FINAL" or time.monotonic() > deadline:
            return answer
        time.sleep(0.2)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("erasure")
    with running_site(folder / "site") as site:
        reader = site.crowd.clinician()
        erased = tuple(written(site.crowd, reader) for _ in range(SUBJECTS))
        others = tuple(written(site.crowd, reader) for _ in range(OTHERS))
        code, said = run_command("backup", folder / "backup", settings=site.gateway.settings)
        assert code == 0, said
        yesterday = snapshot(site.gateway.data, folder / "yesterday")
        answers = tuple(erased_for_good(files) for files in erased)
        yield World(
            gateway=site.gateway,
            crowd=site.crowd,
            reader=reader,
            erased=erased,
            others=others,
            answers=answers,
            yesterday=yesterday,
            backup=folder / "backup",
            before=loot(yesterday),
            entries=len(log_of(yesterday)),
            settings=dict(site.gateway.settings),
        )


def test_an_erasure_without_backups_of_keys_is_final(world: World) -> None:
    assert {answer["status"] for answer in world.answers} == {"FINAL"}


def test_yesterday_everything_opened(world: World) -> None:
    """Else nothing below proves anything."""
    found = opened(world.yesterday, world.before)
    assert {files.name: found.get(files.name) for files in world.erased} == {files.name: 3 for files in world.erased}


def test_nobody_reads_an_erased_patient_and_hears_why(world: World) -> None:
    unknown = world.reader.read(unknown_id("Record", 16))
    for files in world.erased:
        again = sign_in(world.crowd.door, files.patient.person.wallet)
        for person, purpose in ((world.reader, "TREAT"), (again, "PATRQT")):
            for record in files.records:
                answer = person.read(record, purpose=purpose)
                assert (answer.code, answer.message, answer.field) == (unknown.code, unknown.message, unknown.field)
                assert person.node(record).value is None
            assert person.seen(files.patient.id, purpose=purpose) == []
            assert person.ask(documents.PATIENT, {"id": files.patient.id}).value is None
            assert person.store(files.patient.id, observation()).code == "NOT_PERMITTED"


def test_the_sessions_of_an_erased_patient_have_ended(world: World) -> None:
    assert [files.patient.person.once(documents.VIEWER).found for files in world.erased] == [None] * SUBJECTS


def test_an_erased_patient_grants_revokes_and_drafts_nothing(world: World) -> None:
    for files in world.erased[:2]:
        again = replace(files.patient, person=sign_in(world.crowd.door, files.patient.person.wallet))
        assert again.draft(world.reader.id).code == "NOT_PERMITTED"
        draft = again.person.ask(documents.DRAFT_ERASURE, {"patientId": again.id})
        assert draft.code == "NOT_PERMITTED"


def test_nobody_else_lost_anything(world: World) -> None:
    for files in world.others:
        for record in files.records:
            assert world.reader.read(record).value["id"] == record
        assert sorted(files.patient.own()) == sorted(files.records)
        files.patient.store(observation(value="63"))


# ---- the thief of the disk


def test_no_file_holds_a_key_of_before_wrapped_or_not(world: World) -> None:
    assert {files.name for files in world.erased} <= world.before.names(DomainKind.SUBJECT)
    secrets = [world.before.wrapped_epoch, world.before.epoch, *world.before.wrapped.values()]
    held = [
        path.name
        for path in world.data.rglob("*")
        if path.is_file()
        for octets in [path.read_bytes()]
        if any(secret in octets for secret in secrets)
    ]
    assert held == []


def test_with_root_and_passphrase_every_file_opens_no_erased_record(world: World) -> None:
    now = loot(world.data)
    names = {files.name for files in world.erased}
    assert now.names(DomainKind.SUBJECT) & names == set()
    found = opened(world.data, now)
    assert names & found.keys() == set()
    assert {found[files.name] >= 3 for files in world.others} == {True}


def test_yesterdays_blocks_do_not_open_with_todays_keys(world: World) -> None:
    now = loot(world.data)
    for folder in (world.yesterday, world.backup):
        assert opened(folder, now).keys() & {files.name for files in world.erased} == set()


def test_no_erased_block_lies_in_the_store(world: World) -> None:
    cids = {cid for files in world.erased for cid in files.cids}
    store = PackStore.open(world.data / "blocks")
    left = {cid for cid in cids if store.get_now(cid) is not None}
    kept = {cid for files in world.others for cid in files.cids if store.get_now(cid) is not None}
    assert left == set()
    assert len(kept) == 3 * OTHERS


def test_no_row_names_an_erased_patients_data(world: World) -> None:
    with closing(sqlite3.connect(world.data / "index.db")) as index:
        for files in world.erased:
            for table in ("records", "consents"):
                count = f"select count(*) from {table} where subject = ?"
                assert index.execute(count, (files.name,)).fetchone() == (0,)


# ---- yesterday's backup


def started_on(world: World, data: Path, folder: Path) -> GatewayProcess:
    settings = {name: value for name, value in world.settings.items() if name != "PORT"} | {"DATA_DIR": str(data)}
    return GatewayProcess(folder, settings).start()


def opens_nothing(world: World, gateway: GatewayProcess) -> None:
    crowd = Crowd(Door(gateway.base), gateway.registrar_key)
    reader = sign_in(crowd.door, world.reader.wallet)
    for files in world.erased:
        patient = sign_in(crowd.door, files.patient.person.wallet)
        for record in files.records:
            assert reader.read(record).code == "NOT_PERMITTED"
            assert patient.read(record, purpose="PATRQT").code == "NOT_PERMITTED"
    for files in world.others:
        assert reader.read(files.records[0]).value["id"] == files.records[0]
        assert reader.read(files.records[1]).value["id"] == files.records[1]


@pytest.mark.timeout(600)
def test_yesterdays_index_blocks_and_keys_open_nothing_on_todays_chain(world: World, tmp_path: Path) -> None:
    """All of yesterday but the chain: the key store itself holds the destroyed keys again, until the first start."""
    data = tmp_path / "data"
    shutil.copytree(world.yesterday, data)
    with closing(sqlite3.connect(world.data / "chain.db")) as now, closing(sqlite3.connect(data / "chain.db")) as then:
        now.backup(then)
    names = {files.name for files in world.erased}
    doomed = [key.wrapped for key in keys_of(data) if key.kind == DomainKind.SUBJECT.value and key.name in names]
    assert len(doomed) == SUBJECTS
    gateway = started_on(world, data, tmp_path / "restored")
    try:
        opens_nothing(world, gateway)
    finally:
        gateway.stop()
    assert {key.name for key in keys_of(data) if key.kind == DomainKind.SUBJECT.value} & names == set()
    assert not any(wrapped in path.read_bytes() for path in data.glob("keys.db*") for wrapped in doomed)
    assert opened(data, loot(data)).keys() & names == set()


@pytest.mark.timeout(600)
def test_a_backup_restored_with_todays_keys_opens_nothing(world: World, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    for name in ("passphrase", "root.key", "receipt.key", "relay.key", "anchor.key", "registrar.key"):
        shutil.copy(world.data / name, data / name)
    for name in ("keys.db", "chain.db"):
        with closing(sqlite3.connect(world.data / name)) as now, closing(sqlite3.connect(data / name)) as then:
            now.backup(then)
        (data / name).chmod(0o600)
    code, said = run_command("restore", world.backup, settings={**world.settings, "DATA_DIR": str(data)})
    assert code == 0, said
    gateway = started_on(world, data, tmp_path / "restored")
    try:
        opens_nothing(world, gateway)
    finally:
        gateway.stop()
    store = PackStore.open(data / "blocks")
    assert [cid for files in world.erased for cid in files.cids if store.get_now(cid) is not None] == []


# ---- the certificate, and the audit of before


def anchored(world: World, subject: str) -> tuple[bytes, bool]:
    """What the chain says of a subject, asked without the gateway."""
    facts = world.gateway.facts()
    gateway = bytes.fromhex(facts["gateway"][2:])
    data = keccak(text="erasureCertificate(bytes32,bytes32)")[:4]
    data += encode(["bytes32", "bytes32"], [bytes.fromhex(subject[2:]), gateway])
    call = {"to": facts["contracts"]["consent"], "data": "0x" + data.hex()}
    answer = bytes.fromhex(rpc(world.gateway.rpc, "eth_call", call, "latest")[2:])
    return answer[:32], bool(answer[63])


def test_the_certificate_on_chain_is_the_one_on_ipfs_and_names_each_place(world: World) -> None:
    store = PackStore.open(world.data / "blocks")
    for files, answer in zip(world.erased, world.answers, strict=True):
        digest, final = anchored(world, files.patient.subject)
        assert (answer["certificate"], final) == ("0x" + digest.hex(), True)
        text = store.get_now(str(Cid.from_digest(digest)))
        assert text is not None
        assert hashlib.sha256(text).digest() == digest
        found = json.loads(text)
        assert jsontext.canonical(jsontext.loads(text)) == text
        places = {one["place"] for one in found["shredded"]}
        assert places == {"key store", "epoch key", "backups", "blocks", "index", "memory of each replica"}
        assert (found["subject"], found["final"]) == (files.patient.subject, True)
        signed = encode_typed_data(full_message=found["request"]["typedData"])
        signer = Account.recover_message(signed, signature=found["request"]["signature"])
        assert signer == files.patient.person.wallet.address
        assert found["request"]["typedData"]["message"]["subject"] == files.patient.subject


def test_the_audit_of_before_still_verifies_and_still_names_who_looked(world: World) -> None:
    log = log_of(world.data)
    assert len(log) > world.entries
    assert verify_entries(log) is None
    keys = loot(world.data)
    audits = {key.domain.name for key in keys.keys.values() if key.domain.kind == DomainKind.AUDIT.value}
    assert {files.name for files in world.erased} <= audits
    private = {key.id: key for key in keys.keys.values() if key.domain.kind == DomainKind.AUDIT.value}
    read = [entry for entry in log if entry.private[:16] in private]
    opened_entries = [private[one.private[:16]].open(one.private[16:], context=one.decision) for one in read]
    assert all(any(files.name in text for text in opened_entries) for files in world.erased)


def test_what_was_anchored_before_is_anchored_still(world: World) -> None:
    """Tickets, batches and proofs of erased records are where they were."""
    old = f"sqlite:///{world.yesterday / 'index.db'}"
    tickets = set(query(old, "select log, leaf, values_ from tickets"))
    assert tickets <= set(query(f"sqlite:///{world.data / 'index.db'}", "select log, leaf, values_ from tickets"))


def test_verify_tells_what_was_erased_from_what_is_missing(world: World) -> None:
    deadline = time.monotonic() + 30
    while "SOUND" not in (said := run_command("verify", settings=world.settings)[1]):
        assert time.monotonic() < deadline, said
    assert f"{SUBJECTS} erasures" in said
