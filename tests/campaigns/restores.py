"""An index of before is put back, and the gateway started on it: the chain's revocations are read before any answer.

Readers ask from before the port opens. Half of the revocations went through the gateway, half straight to the chain;
none of them is in the index that was put back.
"""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import psycopg.sql

from gateway.adapters.sql.urls import postgres_conninfo
from tests.campaigns.model import Asked, Figure, at_least, none_of, told
from tests.campaigns.site import ANVIL_LOSES, running_servers
from tests.journeys import documents
from tests.journeys.gateway_process import GatewayProcess
from tests.journeys.people import Patient, Person
from tests.journeys.resources import observation
from tests.journeys.sites import Site, running_site
from tests.journeys.wallets import account_of, revocation_call, send
from tests.ports.databases import query

PATIENTS = 8
ASKED_SECONDS = 2.0
"""How long readers go on once the gateway answers."""
RELAYED_SECONDS = 30.0
WAITING = "select count(*) from calls where state in ('INTENDED', 'SENT')"


@dataclass(slots=True)
class Reader:
    """Asks for one record, over and over, and keeps what came."""

    person: Person
    record: str
    codes: list[str] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.ending.is_set():
            try:
                self.codes.append(self.person.once(documents.READ, {"id": self.record}).code or "READ")
            except (httpx.TransportError, ValueError):
                time.sleep(0.005)


def restored(asked: Asked) -> tuple[Figure, ...]:
    """Reads that an index of before would permit and the chain does not."""
    with _site(asked) as site:
        clinician = site.crowd.clinician()
        patients = [site.crowd.patient(f"Restored {number}") for number in range(PATIENTS)]
        records = [patient.store(observation()) for patient in patients]
        consents = [patient.consent(clinician.id) for patient in patients]
        for record in records:
            assert clinician.read(record).value["id"] == record
        gateway = site.gateway
        _await_relayed(gateway)
        gateway.stop()
        before = _kept(gateway, asked.folder / "before")
        gateway.start()
        _revoke(site, patients, consents)
        _await_relayed(gateway)
        gateway.stop()
        _put_back(gateway, before)
        readers = [Reader(clinician, record) for record in records]
        threads = [threading.Thread(target=reader.run) for reader in readers]
        for thread in threads:
            thread.start()
        gateway.start()
        time.sleep(ASKED_SECONDS)
        for reader in readers:
            reader.ending.set()
        for thread in threads:
            thread.join(30)
        codes = [code for reader in readers for code in reader.codes]
    return (
        told("answers of a gateway on an old index", _counted(codes)),
        at_least("refusals by the decision among them", codes.count("NOT_PERMITTED"), PATIENTS),
        none_of("reads that it permitted against the chain", [code for code in codes if code == "READ"]),
    )


@contextmanager
def _site(asked: Asked) -> Iterator[Site]:
    if asked.servers == "embedded":
        with running_site(asked.folder / "restored") as site:
            yield site
        return
    with running_servers() as servers, running_site(asked.folder / "restored", servers, ANVIL_LOSES) as site:
        yield site


def _revoke(site: Site, patients: list[Patient], consents: list[str]) -> None:
    for number, (patient, consent) in enumerate(zip(patients, consents, strict=True)):
        if number % 2:
            patient.revoke(consent).must()
            continue
        if site.servers is not None:
            site.servers.chain.fund(account_of(patient).address, 10**18)
        registry = site.gateway.facts()["contracts"]["consent"]
        send(site.gateway.rpc, account_of(patient), to=registry, data=revocation_call(patient, consent))


def _await_relayed(gateway: GatewayProcess) -> None:
    deadline = time.monotonic() + RELAYED_SECONDS
    while query(gateway.index_url, WAITING)[0][0]:
        assert time.monotonic() < deadline, "calls are still under way"
        time.sleep(0.1)


def _kept(gateway: GatewayProcess, folder: Path) -> str:
    """A copy of the index of a gateway that is stopped: a folder, or the name of a PostgreSQL database."""
    url = gateway.settings.get("DATABASE_URL")
    if url is None:
        folder.mkdir()
        for path in gateway.data.glob("index.db*"):
            shutil.copy2(path, folder / path.name)
        return str(folder)
    _copied(url, url.rsplit("/", 1)[1], "before")
    return "before"


def _put_back(gateway: GatewayProcess, before: str) -> None:
    url = gateway.settings.get("DATABASE_URL")
    if url is None:
        for path in gateway.data.glob("index.db*"):
            path.unlink()
        for path in Path(before).iterdir():
            shutil.copy2(path, gateway.data / path.name)
        return
    _copied(url, before, url.rsplit("/", 1)[1])


def _copied(url: str, source: str, target: str) -> None:
    """A PostgreSQL database in the place of another, which nobody uses. The key store's schema is in it too: keys that
    were made since would be lost, but none was."""
    names = [psycopg.sql.Identifier(name) for name in (target, source)]
    with psycopg.connect(postgres_conninfo(url.rsplit("/", 1)[0] + "/postgres"), autocommit=True) as session:
        session.execute(psycopg.sql.SQL("drop database if exists {}").format(names[0]))
        session.execute(psycopg.sql.SQL("create database {} template {}").format(*names))


def _counted(codes: list[str]) -> str:
    return ", ".join(f"{code} {codes.count(code)}" for code in sorted(set(codes))) or "none"
