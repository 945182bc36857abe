"""Emergencies outlive their database: what the patient was told of comes back, open or closed, with its count."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

from tests.journeys import documents
from tests.journeys.dumps import differing, dump
from tests.journeys.emergencies import break_glass, joined, opened, read_urgently, review
from tests.journeys.gateway_process import run_command
from tests.journeys.people import sign_in
from tests.journeys.resources import observation
from tests.journeys.sites import Site, running_site
from tests.journeys.test_rebuild import burn, pids_of, settled
from tests.ports.databases import query


def test_emergencies_come_back_as_they_were(tmp_path: Path) -> None:
    with running_site(tmp_path, None, {"EMERGENCIES_PER_CLINICIAN": "3"}) as site:
        hospital, patient = site.crowd.register("ORGANIZATION", "Hospital"), site.crowd.patient()
        doctor, auditor = site.crowd.clinician(), site.crowd.register("AUDITOR", "Second")
        joined(site.crowd, hospital, doctor, auditor)
        record = patient.store(observation())
        reviewed, ended, _ = (opened(doctor, patient) for _ in range(3))
        review(auditor, reviewed["id"], verdict="NOT_JUSTIFIED").must()
        doctor.once(documents.END_EMERGENCY, {"id": ended["id"]}).must()
        settled(site.gateway.index_url)
        before = patient.person.ask(documents.EMERGENCIES, {"id": patient.id}).value
        site.gateway.stop()
        rows = dump(site.gateway.index_url)
        burn(site.gateway)
        code, said = run_command("rebuild", settings=site.gateway.settings)
        assert code == 0, said
        assert differing(rows, dump(site.gateway.index_url)) == []
        site.gateway.start()
        doctor, auditor = (sign_in(site.door, one.wallet) for one in (doctor, auditor))
        patient = replace(patient, person=sign_in(site.door, patient.person.wallet))
        assert patient.person.ask(documents.EMERGENCIES, {"id": patient.id}).value == before
        assert read_urgently(doctor, record).value["content"] == observation()
        assert break_glass(doctor, patient.id).code == "LIMIT"
        listed = auditor.ask(documents.EMERGENCY_REPORT).value["edges"]
        assert reviewed["id"] not in [edge["node"]["emergencyId"] for edge in listed]
        assert len(listed) == 2


def test_one_that_the_chain_never_saw_comes_back_and_is_told_to_the_chain(tmp_path: Path) -> None:
    with running_site(tmp_path, None, {"BATCH_SECONDS": "0.5", "CHAIN_SILENCE_SECONDS": "10"}) as site:
        doctor, patient = site.crowd.clinician(), site.crowd.patient()
        record = patient.store(observation())
        settled(site.gateway.index_url)
        chain = pids_of(site, "anchoring.chain.embedded")
        for pid in chain:
            os.kill(pid, signal.SIGSTOP)
        made = opened(doctor, patient)
        # The batch that holds the patient's notice is cut and sealed on IPFS, though it cannot be anchored.
        awaited(site, "select count(*) = 0 from tickets where batch is null")
        site.gateway.kill()
        for pid in chain:
            os.kill(pid, signal.SIGKILL)
        burn(site.gateway)
        code, said = run_command("rebuild", settings=site.gateway.settings)
        assert code == 0, said
        site.gateway.start()
        assert read_urgently(sign_in(site.door, doctor.wallet), record).value["content"] == observation()
        awaited(site, "select count(*) = 1 from chain_events where name = 'EmergencyOpened'")
        shown = sign_in(site.door, doctor.wallet).once(documents.SHOW_EMERGENCY, {"id": made["id"]}).value
        assert shown["transactionHash"] is not None


def awaited(site: Site, truth: str) -> None:
    deadline = time.monotonic() + 60
    while not query(site.gateway.index_url, truth)[0][0]:
        assert time.monotonic() < deadline, f"not in time: {truth}"
        time.sleep(0.1)
