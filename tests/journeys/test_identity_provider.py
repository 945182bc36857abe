"""A clinician's app signs in at an identity provider, and goes on while the provider's keys change; a shift on one
device ends on another."""

import time
from collections.abc import Iterator

import pytest

from gateway.adapters.jwks import AGAIN_SECONDS
from tests.journeys import documents
from tests.journeys.identities import bearer, link
from tests.journeys.people import Person, sign_in
from tests.journeys.resources import observation
from tests.journeys.sites import Site, running_site
from tests.servers.identity_provider import IdentityProvider, identity_provider


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with identity_provider("ES256") as running:
        yield running


@pytest.fixture(scope="module")
def house(provider: IdentityProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    settings = {"OIDC_ISSUERS": provider.setting(), "TOKEN_MINUTES": "5", "SESSION_MINUTES": "480"}
    with running_site(tmp_path_factory.mktemp("house"), settings=settings) as running:
        yield running


def test_an_app_reads_with_a_providers_tokens_until_its_owner_ends_it(house: Site, provider: IdentityProvider) -> None:
    doctor = house.crowd.clinician("Dr. App")
    patient = house.crowd.patient()
    record = patient.store(observation())
    patient.consent(doctor.id)
    # 1. Once: the doctor's key signs who stands for it at the provider.
    identity = link(doctor, provider, "dr.app")
    (shown,) = doctor.once(documents.LINKED_IDENTITIES).value
    assert (shown["id"], shown["subject"], shown["holds"]) == (identity, "dr.app", True)
    # 2. The app comes with tokens of the provider's token endpoint.
    app = bearer(doctor, provider, "dr.app", "openid user/*.rs")
    receipt = app.read(record).value["receipt"]
    assert receipt["purpose"] == "TREAT"
    assert {entry["actor"]["name"] for entry in patient.access_log() if entry["action"] == "READ"} == {"Dr. App"}
    # 3. The provider changes its keys: new tokens are good, and old ones while their key is published.
    provider.rotate("RS256")
    rotated = _once_known(bearer(doctor, provider, "dr.app", "user/*.rs"), record)
    assert rotated.read(record).code == ""
    assert app.read(record).code == ""
    # 4. The patient's word goes before any token.
    patient.revoke_all().must()
    assert rotated.read(record).code == "NOT_PERMITTED"
    # 5. And the doctor ends it, from wherever they hold their key.
    doctor.once(documents.UNLINK_IDENTITY, {"id": identity}).must()
    assert rotated.read(record).code == "UNAUTHENTICATED"


def _once_known(person: Person, record: str) -> Person:
    """The person, once the gateway has asked for the provider's keys again: it does so every some seconds at most."""
    deadline = time.monotonic() + AGAIN_SECONDS + 5
    while person.once(documents.READ, {"id": record}).code == "UNAUTHENTICATED" and time.monotonic() < deadline:
        time.sleep(0.5)
    return person


def test_a_shift_on_two_devices(house: Site) -> None:
    first = house.crowd.clinician("Dr. Shift")
    tablet = sign_in(house.door, first.wallet, device="Ward tablet")
    token = tablet.once(documents.REFRESH).value
    tablet = tablet.bearing(token["accessToken"])
    assert token["expiresAt"] < token["endsAt"]
    (there,) = [one for one in first.sessions() if one["device"] == "Ward tablet"]
    assert not there["current"]
    first.once(documents.END_SESSION, {"id": there["id"]}).must()
    assert tablet.once(documents.VIEWER).found is None
    assert [one["current"] for one in first.sessions()] == [True]
