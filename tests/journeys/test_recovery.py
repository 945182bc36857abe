"""Losing a key loses nothing: guardians propose another, which stands after a delay; the old key objects once."""

from collections.abc import Iterator

import pytest

from tests.journeys.controllers import KINDS
from tests.journeys.people import Patient, Person
from tests.journeys.pytest_fixtures import SIGNING_URL
from tests.journeys.recovering import (
    propose,
    set_guardians,
    shown,
    successor,
    wait_until_over,
)
from tests.journeys.resources import observation
from tests.journeys.sites import Site, running_site

DELAY_SECONDS = 4
SETTINGS = {"SIGNING_URL": SIGNING_URL, "RECOVERY_DAYS": str(DELAY_SECONDS / 86_400)}


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway whose recoveries take seconds, not days."""
    with running_site(tmp_path_factory.mktemp("recovery"), settings=SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def guardians(quick: Site) -> tuple[Person, ...]:
    return tuple(quick.crowd.clinician(f"Guardian {number}") for number in range(3))


def recovers(site: Site, guardians: tuple[Person, ...], patient: Patient, kind: str) -> None:
    """The whole way: the key is lost, two of three guardians give another of `kind`, and nothing is lost."""
    clinician = site.crowd.clinician()
    record = patient.store(observation())
    patient.consent(clinician.id)
    assert clinician.read(record).value["id"] == record
    named = set_guardians(patient, guardians).value["current"]
    assert [one["id"] for one in named["opened"]["guardians"]] == [one.id for one in guardians]
    # The key is lost; the patient has a new one, and meets two guardians.
    key = KINDS[kind](site)
    pending = propose(guardians[:2], patient, key).value
    assert (pending["signed"], pending["guardiansNeeded"], pending["controllerNeeded"]) == (2, 0, False)
    assert shown(guardians[2], patient).value["pending"]["controller"] == key.signer
    wait_until_over(guardians[0], patient)
    # The old key has no say, its permits are over, and the record is there.
    assert patient.draft(clinician.id).code in ("NOT_PERMITTED", "UNAUTHENTICATED")
    assert clinician.read(record).code == "NOT_PERMITTED"
    again = successor(site, patient, key)
    assert again.own() == [record]
    again.consent(clinician.id)
    assert clinician.read(record).value["content"] == observation()


def test_a_lost_wallet_is_replaced_by_two_of_three_guardians(quick: Site, guardians: tuple[Person, ...]) -> None:
    recovers(quick, guardians, quick.crowd.patient(), "wallet")
