"""A sign-in is never a consent in disguise, nor the reverse: each passkey counts for its own page alone, and a key that
controls a patient, and is no wallet, does not sign in."""

import json
from collections.abc import Iterator

import pytest

from gateway.errors import SettingsError
from gateway.settings import load
from tests.journeys import documents
from tests.journeys.keys import P256Key, SoftPasskey
from tests.journeys.people import Answer
from tests.journeys.sites import Site, running_site

GATEWAY, SIGNING = "gateway.localhost", "signing.localhost"


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway that browsers know by a name, and a signing page of another name."""
    settings = {"PUBLIC_URL": f"http://{GATEWAY}", "SIGNING_URL": f"http://{SIGNING}"}
    with running_site(tmp_path_factory.mktemp("named"), None, settings) as running:
        yield running


def verifier(site: Site, kind: str) -> bytes:
    found = json.loads((site.gateway.data / "deployment.json").read_text())
    return bytes.fromhex(found[f"{kind}_verifier"][2:])


def passkey(site: Site, rp_id: str = GATEWAY) -> SoftPasskey:
    return SoftPasskey(verifier(site, "webauthn"), rp_id=rp_id)


def register(site: Site, key: P256Key, role: str = "CLINICIAN") -> None:
    asked = {"key": key.signer, "roles": [role], "name": "Somebody with a key"}
    assert site.crowd.registrar.ask(documents.REGISTER, {"input": asked}).code == ""


def enter(site: Site, key: P256Key, *, signer: str | None = None, by: P256Key | None = None) -> Answer:
    message = site.door.ask(documents.CHALLENGE, {"address": key.address}).value["message"]
    signature = (by or key).sign_text(message)
    given = {"message": message, "signature": signature, "signer": signer or key.signer}
    return site.door.ask(documents.SIGN_IN, {"input": given})


def test_a_passkey_of_the_gateways_own_page_signs_in(named: Site) -> None:
    key = passkey(named)
    register(named, key)
    assert enter(named, key).value["actor"]["address"].lower() == key.address


def test_a_p256_key_signs_in(named: Site) -> None:
    key = P256Key(verifier(named, "p256"))
    register(named, key)
    assert enter(named, key).value["accessToken"]


@pytest.mark.parametrize("rp_id", [SIGNING, "localhost", "elsewhere.example"])
def test_a_passkey_of_another_page_does_not_sign_in(named: Site, rp_id: str) -> None:
    key = passkey(named, rp_id)
    register(named, key)
    assert enter(named, key).code == "UNAUTHENTICATED"
    key.rp_id = GATEWAY
    assert enter(named, key).code == ""


def test_what_signs_in_signs_no_text(named: Site) -> None:
    """An organization's passkey of the gateway's page: under a membership it counts for nothing."""
    key = passkey(named)
    register(named, key, "ORGANIZATION")
    token = enter(named, key).value["accessToken"]
    organization = named.door.ask(documents.VIEWER, token=token).value["id"]
    asked = {"organizationId": organization, "memberId": named.crowd.clinician().id, "notAfter": "2099-01-01T00:00:00Z"}
    typed = named.door.ask(documents.DRAFT_MEMBERSHIP, {"input": asked}, token=token).value["typedData"]

    def submit() -> Answer:
        given = {"input": {"typedData": typed, "signature": key.sign_typed_data(typed)}}
        return named.door.ask(documents.ADD_MEMBER, given, token=token)

    refused = submit()
    assert (refused.code, refused.field) == ("INVALID", ("signature",))
    key.rp_id = SIGNING
    assert submit().code == ""


@pytest.mark.parametrize("kind", ["p256", "webauthn"])
def test_a_controllers_key_that_is_no_wallet_does_not_sign_in(named: Site, kind: str) -> None:
    key = P256Key(verifier(named, "p256")) if kind == "p256" else passkey(named)
    register(named, key, "PATIENT")
    assert enter(named, key).code == ""
    assert named.crowd.registrar.ask(documents.ENROL, {"input": {"controller": key.signer}}).code == ""
    refused = enter(named, key)
    assert (refused.code, refused.field) == ("UNAUTHENTICATED", ("signer",))


def test_the_signer_is_the_one_that_the_message_names(named: Site) -> None:
    one, other = passkey(named), passkey(named)
    register(named, one)
    register(named, other)
    refused = enter(named, one, signer=other.signer, by=other)
    assert (refused.code, refused.field) == ("INVALID", ("signer",))
    assert enter(named, one, by=other).code == "UNAUTHENTICATED"
    assert enter(named, P256Key(verifier(named, "p256"))).code == "UNAUTHENTICATED"


def test_a_signing_page_on_the_gateways_own_host_stops_the_start() -> None:
    load(public_url="https://example.org", signing_url="https://sign.example.org")
    for own, signing in (
        ("https://example.org", "https://example.org:8443"),
        ("https://gateway.example.org", "https://example.org"),
        ("https://example.org", "https://127.0.0.1"),
        ("https://example.org", "https://[::1]"),
        ("https://example.org", "sign.example.org"),
    ):
        with pytest.raises(SettingsError):
            load(public_url=own, signing_url=signing)
