"""Whatever key a patient has, they grant and revoke with it; and they sign in by a key that theirs has linked."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.journeys import documents
from tests.journeys.controllers import KINDS, enrolled, link
from tests.journeys.people import Person
from tests.journeys.pytest_fixtures import SETTINGS
from tests.journeys.recovering import recovers
from tests.journeys.resources import observation
from tests.journeys.sites import Site, running_site


@pytest.fixture(scope="module")
def geth_site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The real column with geth in anvil's place."""
    servers = replace(request.getfixturevalue("servers"), chain=request.getfixturevalue("geth"))
    with running_site(tmp_path_factory.mktemp("geth"), servers, SETTINGS) as running:
        yield running


def grants_and_revokes(site: Site, clinician: Person, kind: str) -> None:
    """The whole way of one patient under one kind of key."""
    patient = enrolled(site, KINDS[kind](site))
    assert patient.draft(clinician.id).code == "NOT_PERMITTED"
    assert link(patient).value["linked"] is True
    record = patient.store(observation())
    assert patient.own() == [record]
    assert clinician.read(record).code == "NOT_PERMITTED"
    consent = patient.consent(clinician.id)
    assert clinician.read(record).value["content"] == observation()
    assert patient.revoke(consent).value["status"] == "REVOKED"
    assert clinician.once(documents.READ, {"id": record}).code == "NOT_PERMITTED"
    patient.consent(clinician.id)
    assert clinician.read(record).value["id"] == record
    assert patient.revoke_all().value["epoch"] == 1
    assert clinician.once(documents.READ, {"id": record}).code == "NOT_PERMITTED"


@pytest.mark.parametrize("kind", KINDS)
def test_a_patient_grants_and_revokes_with_their_key(site: Site, clinician: Person, kind: str) -> None:
    grants_and_revokes(site, clinician, kind)


@pytest.mark.services
def test_every_kind_of_key_grants_and_revokes_on_geth(geth_site: Site) -> None:
    clinician = geth_site.crowd.clinician()
    for kind in KINDS:
        grants_and_revokes(geth_site, clinician, kind)


@pytest.mark.services
def test_a_lost_passkey_is_replaced_on_geth(geth_site: Site) -> None:
    lost = enrolled(geth_site, KINDS["passkey"](geth_site))
    assert link(lost).code == ""
    recovers(geth_site, lost, "wallet")


def test_a_credential_is_seen_by_its_patient_and_ends_when_unlinked(site: Site) -> None:
    patient = enrolled(site, KINDS["passkey"](site))
    assert link(patient).code == ""
    shown = patient.person.ask(documents.CREDENTIALS, {"id": patient.id}).value["credentials"]
    assert shown == [{"id": patient.person.id}]
    record = patient.store(observation())
    assert link(patient, linked=False).value["linked"] is False
    assert patient.person.read(record, purpose="PATRQT").code == "NOT_PERMITTED"
    assert patient.person.ask(documents.CREDENTIALS, {"id": patient.id}).value is None
