"""A sign-in is good once, for its own address, its own host and its own time; whatever else is UNAUTHENTICATED."""

import re
from collections.abc import Iterator

import pytest

from gateway.demo.wallet import Wallet
from tests.journeys import documents
from tests.journeys.people import Answer, Door, Person, unknown_id
from tests.journeys.sites import Site, running_site
from tests.ports.databases import query

REFUSED = {"UNAUTHENTICATED", "INVALID"}


def challenge(door: Door, address: str) -> str:
    message: str = door.ask(documents.CHALLENGE, {"address": address}).value["message"]
    return message


def submit(door: Door, message: str, signature: str) -> Answer:
    return door.ask(documents.SIGN_IN, {"input": {"message": message, "signature": signature}})


def test_a_challenge_is_good_once(site: Site, clinician: Person) -> None:
    message = challenge(site.door, clinician.wallet.address)
    signature = clinician.wallet.sign_text(message)
    assert submit(site.door, message, signature).value["accessToken"]
    assert submit(site.door, message, signature).code == "UNAUTHENTICATED"


def test_a_signature_of_another_key_is_refused(site: Site, clinician: Person) -> None:
    message = challenge(site.door, clinician.wallet.address)
    assert submit(site.door, message, Wallet.new().sign_text(message)).code == "UNAUTHENTICATED"


def test_a_refused_signature_does_not_spend_the_challenge(site: Site, clinician: Person) -> None:
    message = challenge(site.door, clinician.wallet.address)
    submit(site.door, message, Wallet.new().sign_text(message))
    assert submit(site.door, message, clinician.wallet.sign_text(message)).value["accessToken"]


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        (r"^\S+ wants", "evil.example wants"),
        (r"0x[0-9a-fA-F]{40}", "0x52908400098527886E0F7030069857D2E4169EE7"),
        (r"URI: \S+", "URI: http://evil.example"),
        (r"Version: 1", "Version: 2"),
        (r"Chain ID: \d+", "Chain ID: 1"),
        (r"Nonce: .", "Nonce: 0"),
        (r"Nonce: [0-9a-f]+", "Nonce: 00000000000000000000000000000000"),
        (r"Issued At: \S+", "Issued At: 2020-01-01T00:00:00.000Z"),
        (r"Expiration Time: \S+", "Expiration Time: 2099-01-01T00:00:00.000Z"),
        (r"Sign in to Consentry.", "Sign away everything."),
        (r"\Z", "\nResources:\n- http://evil.example"),
        (r"\n", "\r\n"),
    ],
)
def test_a_changed_line_is_refused_though_its_own_key_signed_it(
    site: Site, clinician: Person, line: str, changed: str
) -> None:
    original = challenge(site.door, clinician.wallet.address)
    message = re.sub(line, lambda found: changed, original, count=1)
    if message == original:  # a nonce that begins with 0 of its own
        message = original.replace("Nonce: 0", "Nonce: 1")
    assert submit(site.door, message, clinician.wallet.sign_text(message)).code in REFUSED


def test_a_challenge_for_one_address_is_not_another_ones(site: Site, clinician: Person, stranger: Person) -> None:
    message = challenge(site.door, clinician.wallet.address)
    assert submit(site.door, message, stranger.wallet.sign_text(message)).code == "UNAUTHENTICATED"


def test_an_address_of_nobody_gets_no_session(site: Site) -> None:
    wallet = Wallet.new()
    message = challenge(site.door, wallet.address)
    assert submit(site.door, message, wallet.sign_text(message)).code == "UNAUTHENTICATED"


def test_a_high_s_signature_is_refused(site: Site, clinician: Person) -> None:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    message = challenge(site.door, clinician.wallet.address)
    raw = bytes.fromhex(clinician.wallet.sign_text(message)[2:])
    other_s = order - int.from_bytes(raw[32:64], "big")
    forged = raw[:32] + other_s.to_bytes(32, "big") + bytes([55 - raw[64]])
    assert submit(site.door, message, "0x" + forged.hex()).code == "UNAUTHENTICATED"


@pytest.mark.parametrize("signature", ["0x", "0x00", "0x" + "00" * 65, "0x" + "ff" * 65, "0x" + "00" * 20_000])
def test_what_is_no_signature_is_refused(site: Site, clinician: Person, signature: str) -> None:
    message = challenge(site.door, clinician.wallet.address)
    assert submit(site.door, message, signature).code in {"UNAUTHENTICATED", "INVALID", "LIMIT"}


def test_a_message_of_another_gateway_is_refused(site: Site, clinician: Person) -> None:
    message = challenge(site.door, clinician.wallet.address)
    theirs = message.replace(site.gateway.base.removeprefix("http://"), "127.0.0.1:1")
    assert submit(site.door, theirs, clinician.wallet.sign_text(theirs)).code in REFUSED


def test_an_expired_challenge_is_refused(site: Site, clinician: Person) -> None:
    message = challenge(site.door, clinician.wallet.address)
    nonce = re.findall(r"Nonce: (\S+)", message)[0]
    # Five minutes pass: what the gateway noted as the end is moved into the past.
    query(site.gateway.index_url, f"update challenges set expires_at = 1 where nonce = '{nonce}'")
    assert submit(site.door, message, clinician.wallet.sign_text(message)).code == "UNAUTHENTICATED"


def test_forged_and_unknown_tokens_are_nobody(site: Site, clinician: Person) -> None:
    for token in ("x", "0" * 64, clinician.token[:-1], clinician.token + "0", clinician.token.upper() + "x"):
        assert site.door.ask(documents.VIEWER, token=token).found is None
    assert site.door.ask(documents.READ, {"id": unknown_id("Record", 16)}, token="0" * 64).code == "UNAUTHENTICATED"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("another"), settings={"SESSION_MINUTES": "10"}) as running:
        yield running


def test_a_session_ends(other: Site) -> None:
    person = other.crowd.clinician()
    query(other.gateway.index_url, "update sessions set expires_at = 1")
    kept = Door(other.gateway.base)
    # What is held in memory keeps its own end; a gateway that starts again reads the session anew.
    other.gateway.process.restart()
    assert kept.ask(documents.VIEWER, token=person.token).found is None


def test_a_session_of_one_gateway_is_none_of_another(other: Site, clinician: Person) -> None:
    assert other.door.ask(documents.VIEWER, token=clinician.token).found is None


def test_a_challenge_of_one_gateway_is_none_of_another(site: Site, other: Site, clinician: Person) -> None:
    message = challenge(site.door, clinician.wallet.address)
    assert submit(other.door, message, clinician.wallet.sign_text(message)).code in REFUSED
