"""Emergencies outlive their database: what the patient was told of comes back, open or closed, with its count."""

from dataclasses import replace
from pathlib import Path

from tests.journeys import documents
from tests.journeys.emergencies import break_glass, joined, opened, read_urgently, review
from tests.journeys.gateway_process import run_command
from tests.journeys.people import sign_in
from tests.journeys.resources import observation
from tests.journeys.sites import running_site
from tests.journeys.test_rebuild import burn, settled


def test_emergencies_come_back_as_they_were(tmp_path: Path) -> None:
    with running_site(tmp_path, None, {"EMERGENCIES_PER_CLINICIAN": "3"}) as site:
        hospital, patient = site.crowd.register("ORGANIZATION", "Hospital"), site.crowd.patient()
        doctor, auditor = site.crowd.clinician(), site.crowd.register("AUDITOR", "Second")
        joined(site.crowd, hospital, doctor, auditor)
        record = patient.store(observation())
        reviewed, ended, _ = (opened(doctor, patient) for _ in range(3))
        review(auditor, reviewed["id"], verdict="NOT_JUSTIFIED").must()
        doctor.once(documents.END_EMERGENCY, {"id": ended["id"]}).must()
        before = patient.person.ask(documents.EMERGENCIES, {"id": patient.id}).value
        settled(site.gateway.index_url)
        site.gateway.stop()
        burn(site.gateway)
        code, said = run_command("rebuild", settings=site.gateway.settings)
        assert code == 0, said
        site.gateway.start()
        doctor, auditor = (sign_in(site.door, one.wallet) for one in (doctor, auditor))
        patient = replace(patient, person=sign_in(site.door, patient.person.wallet))
        assert patient.person.ask(documents.EMERGENCIES, {"id": patient.id}).value == before
        assert read_urgently(doctor, record).value["content"] == observation()
        assert break_glass(doctor, patient.id).code == "LIMIT"
        listed = auditor.ask(documents.EMERGENCY_REPORT).value["edges"]
        assert reviewed["id"] not in [edge["node"]["emergencyId"] for edge in listed]
        assert len(listed) == 2
