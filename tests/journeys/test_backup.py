"""A backup is made while people write, holds no key, and comes back as a gateway that knows what was revoked since."""

import asyncio
import json
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gateway.adapters.keyfile import open_key
from gateway.adapters.keystore import SqlKeyStore
from gateway.adapters.root import Root
from gateway.crypto import hazmat
from tests.journeys.gateway_process import GatewayProcess, run_command
from tests.journeys.people import Crowd, Door, Patient, Person, sign_in
from tests.journeys.resources import observation
from tests.journeys.sites import Site, running_site

KEY_FILES = ("passphrase", "root.key", "receipt.key", "relay.key", "anchor.key", "registrar.key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A gateway that went on after its backup, and what was there when it was made."""

    folder: Path
    backup: Path
    data: Path
    settings: dict[str, str]
    patient: Patient
    reader: Person
    record: str
    later: str
    secrets: dict[str, bytes]


def made(site: Site, folder: Path) -> Kept:
    patient, reader = site.crowd.patient(), site.crowd.clinician()
    record = patient.store(observation())
    consent = patient.consent(reader.id)
    busy = threading.Event()

    def write() -> None:
        while not busy.is_set():
            patient.store(observation())

    writer = threading.Thread(target=write)
    writer.start()
    try:
        code, said = run_command("backup", folder / "backup", settings=site.gateway.settings)
    finally:
        busy.set()
        writer.join()
    assert (code, "Keys are not in it" in said) == (0, True), said
    assert patient.revoke(consent).value
    return Kept(
        folder=folder,
        backup=folder / "backup",
        data=site.gateway.data,
        settings=dict(site.gateway.settings),
        patient=patient,
        reader=reader,
        record=record,
        later=patient.store(observation(value="99")),
        secrets=asyncio.run(secrets_of(site.gateway.data)),
    )


async def secrets_of(data: Path) -> dict[str, bytes]:
    """Every key of the gateway, wrapped and unwrapped, and what its key files hold."""
    root = open_key(data / "root.key", data / "passphrase")
    store = await SqlKeyStore.open(f"sqlite:///{data / 'keys.db'}")
    standing, keys = await store.epoch(), await store.all()
    await store.close()
    assert standing is not None
    epoch = Root(root).unwrap(standing.wrapped, context=standing.epoch)
    found = {"root": root, "epoch": epoch, "wrapped epoch": standing.wrapped}
    for key in keys:
        found[f"wrapped {key.kind} {key.name.hex()[:8]}"] = key.wrapped
        found[f"key {key.kind} {key.name.hex()[:8]}"] = hazmat.unwrap(epoch, key.wrapped)
    found["passphrase"] = (data / "passphrase").read_bytes().strip()
    found["registrar"] = bytes.fromhex((data / "registrar.key").read_text().strip())
    for name in ("root.key", "receipt.key", "relay.key", "anchor.key"):
        found[name] = bytes.fromhex(json.loads((data / name).read_text())["sealed"])
    return found


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    folder = tmp_path_factory.mktemp("backup")
    with running_site(folder / "site") as site:
        yield made(site, folder)


def test_no_key_is_in_a_backup_in_any_form(kept: Kept) -> None:
    files = {path.name: path.read_bytes() for path in kept.backup.iterdir()}
    assert len(kept.secrets) > 12
    forms = {name: (key, key.hex().encode(), key.hex().upper().encode()) for name, key in kept.secrets.items()}
    found = [
        (file, name)
        for file, octets in files.items()
        for name, texts in forms.items()
        if any(text in octets for text in texts)
    ]
    assert found == []


def test_a_backup_never_takes_the_place_of_another(kept: Kept) -> None:
    code, said = run_command("backup", kept.backup, settings=kept.settings)
    assert (code, "exists already" in said) == (1, True)


@pytest.mark.parametrize("name", ["index.rows", "blocks.car", "manifest.json", "deployment.json"])
def test_a_backup_with_a_changed_octet_is_refused_by_name(kept: Kept, tmp_path: Path, name: str) -> None:
    shutil.copytree(kept.backup, tmp_path / "copy")
    octets = bytearray((tmp_path / "copy" / name).read_bytes())
    octets[len(octets) // 2] ^= 1
    (tmp_path / "copy" / name).write_bytes(octets)
    code, said = run_command("restore", tmp_path / "copy", settings={"DATA_DIR": str(tmp_path / "data")})
    assert (code, "Traceback" in said) == (1, False)
    assert name == "manifest.json" or name in said
    assert not (tmp_path / "data" / "index.db").exists()


@pytest.mark.timeout(300)
def test_a_restored_gateway_knows_what_was_revoked_since(kept: Kept, tmp_path: Path) -> None:
    """The keys and the chain are those of now; index and blocks are those of the backup."""
    data = tmp_path / "data"
    settings = {name: value for name, value in kept.settings.items() if name != "PORT"} | {"DATA_DIR": str(data)}
    data.mkdir(mode=0o700)
    for name in KEY_FILES:
        shutil.copy(kept.data / name, data / name)
    for name in ("keys.db", "chain.db"):
        with closing(sqlite3.connect(kept.data / name)) as now, closing(sqlite3.connect(data / name)) as copy:
            now.backup(copy)
        (data / name).chmod(0o600)
    code, said = run_command("restore", kept.backup, settings=settings)
    assert code == 0, said
    gateway = GatewayProcess(tmp_path / "restored", settings)
    gateway.start()
    try:
        crowd = Crowd(Door(gateway.base), gateway.registrar_key)
        patient = anew(crowd, kept.patient.person)
        reader = anew(crowd, kept.reader)
        mine = replace(kept.patient, person=patient)
        assert reader.read(kept.record).code == "NOT_PERMITTED"
        assert patient.read(kept.record, purpose="PATRQT").value["content"] == observation()
        assert patient.read(kept.later, purpose="PATRQT").code == "NOT_PERMITTED"
        fresh = mine.store(observation(value="7"))
        mine.consent(reader.id)
        assert reader.read(fresh).value["id"] == fresh
        code, said = run_command("restore", kept.backup, settings=gateway.settings)
        assert (code, "not empty" in said) == (1, True)
    finally:
        gateway.stop()


def anew(crowd: Crowd, person: Person) -> Person:
    """Signed in again: a backup holds no session."""
    return sign_in(crowd.door, person.wallet)
