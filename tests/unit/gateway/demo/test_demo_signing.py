"""A careful wallet signs what was asked and nothing else."""

from datetime import UTC, datetime
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data

from gateway.consent import messages, rules
from gateway.consent.model import Action, ConsentInput, Effect, Purpose
from gateway.demo.model import StepFailedError, WrongCallError
from gateway.demo.signing import AskedConsent, check_consent, check_revocation, check_sign_in
from gateway.demo.wallet import Wallet, typed_data_digest
from gateway.eip712 import digest, domain
from gateway.ids import ActorId, SubjectId
from tests.unit.gateway.demo.anchored_world import DEPLOYMENT

NOW = 1_800_000_000
SUBJECT, GRANTEE = SubjectId(b"\x01" * 32), ActorId(b"\x02" * 32)
DOMAIN = domain(chain_id=DEPLOYMENT.chain_id, contract=DEPLOYMENT.consent)
ASKED = AskedConsent(
    subject="0x" + SUBJECT.hex(),
    grantee="0x" + GRANTEE.hex(),
    grantee_name="Dr. Who",
    actions=("READ", "WRITE"),
    purposes=("TREAT",),
    labels=("PSY", "unclassified"),
    now=NOW,
    not_after=NOW + 86_400,
)


def drafted(**changes: Any) -> dict[str, Any]:
    """As the gateway itself drafts it, of another wish where `changes` say so."""
    wish: dict[str, Any] = {
        "subject": SUBJECT,
        "effect": Effect.PERMIT,
        "grantee": GRANTEE,
        "actions": (Action.READ, Action.WRITE),
        "purposes": (Purpose.TREAT,),
        "resource_types": (),
        "codes": (),
        "authors": (),
        "records": (),
        "labels": ("PSY", "unclassified"),
        "data_from": None,
        "data_to": None,
        "data_use": (),
        "not_before": None,
        "not_after": datetime.fromtimestamp(ASKED.not_after, UTC),
        "terms_hash": None,
    }
    terms = rules.draft_terms(
        ConsentInput(**{**wish, **changes}), epoch=0, now=NOW, salt=b"\x03" * 32, grantee_name="Dr. Who"
    )
    return messages.consent_typed_data(terms, DOMAIN)


def test_the_gateways_own_draft_is_signed_and_its_words_are_shown() -> None:
    assert "Dr. Who" in check_consent(drafted(), ASKED, deployment=DEPLOYMENT)


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": SubjectId(b"\x09" * 32)},
        {"effect": Effect.DENY},
        {"grantee": ActorId(b"\x09" * 32)},
        {"actions": (Action.READ,)},
        {"purposes": (Purpose.TREAT, Purpose.HRESCH)},
        {"labels": ("PSY", "HIV", "unclassified")},
        {"codes": ("http://loinc.org|1-1",)},
        {"resource_types": ("Observation",)},
        {"data_use": ("DUO:0000042",)},
        {"terms_hash": b"\x01" * 32},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_draft_that_says_something_else_is_not_signed(changes: dict[str, Any]) -> None:
    with pytest.raises(StepFailedError, match="not signed"):
        check_consent(drafted(**changes), ASKED, deployment=DEPLOYMENT)


def changed(path: str, value: Any) -> dict[str, Any]:
    full = drafted()
    at: Any = full
    *parents, last = path.split(".")
    for name in parents:
        at = at[name]
    at[last] = value
    return full


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("primaryType", "Permit"),
        ("domain.chainId", 1),
        ("domain.verifyingContract", "0x" + "00" * 20),
        ("domain.salt", "0x" + "00" * 32),
        ("types.Scope", []),
        ("types.Consent", [{"name": "subject", "type": "bytes32"}]),
        ("types.Extra", []),
        ("message.notAfter", NOW + 10 * 86_400),
        ("message.notBefore", NOW + 80_000),
        ("message.scope.statement", "I allow everything."),
        ("message.scope", None),
    ],
)
def test_typed_data_of_another_shape_or_domain_is_not_signed(path: str, value: Any) -> None:
    with pytest.raises(StepFailedError, match="not signed"):
        check_consent(changed(path, value), ASKED, deployment=DEPLOYMENT)


def test_the_gateways_own_draft_of_a_revocation_is_signed() -> None:
    full = messages.revocation_typed_data(SUBJECT, b"\x05" * 32, DOMAIN)
    check_revocation(full, subject=ASKED.subject, consent="0x" + "05" * 32, deployment=DEPLOYMENT)


def test_a_revocation_of_another_consent_is_not_signed() -> None:
    full = messages.revocation_typed_data(SUBJECT, b"\x05" * 32, DOMAIN)
    with pytest.raises(StepFailedError, match="another consent"):
        check_revocation(full, subject=ASKED.subject, consent="0x" + "06" * 32, deployment=DEPLOYMENT)


ADDRESS = "0x9858EfFD232B4033E47d90003D41EC34EcaEda94"


def sign_in(domain: str = "gateway.example", address: str = ADDRESS, chain: int = 7) -> str:
    return (
        f"{domain} wants you to sign in with your Ethereum account:\n{address}\n\nSign in to Consentry.\n\n"
        f"URI: https://{domain}\nVersion: 1\nChain ID: {chain}\nNonce: {'0' * 32}\n"
        "Issued At: 2027-01-01T00:00:00.000Z\nExpiration Time: 2027-01-01T00:05:00.000Z"
    )


def test_a_sign_in_message_of_the_gateway_is_signed() -> None:
    check_sign_in(sign_in(), base="https://gateway.example", address=ADDRESS, chain_id=7)


def test_a_machines_own_names_stand_for_each_other() -> None:
    check_sign_in(sign_in("localhost:8000"), base="http://127.0.0.1:9000", address=ADDRESS, chain_id=7)


@pytest.mark.parametrize(
    "message",
    [
        sign_in("gateway.evil"),
        sign_in(address="0x" + "00" * 20),
        sign_in(chain=8),
        sign_in("localhost:8000"),
        "",
        "Sign this.",
    ],
)
def test_another_sign_in_message_is_not_signed(message: str) -> None:
    with pytest.raises(StepFailedError, match="not signed"):
        check_sign_in(message, base="https://gateway.example", address=ADDRESS, chain_id=7)


def test_a_wallet_signs_as_eth_account_recovers() -> None:
    wallet, full = Wallet.new(), drafted()
    by_type = Account.recover_message(encode_typed_data(full_message=full), signature=wallet.sign_typed_data(full))
    by_text = Account.recover_message(encode_defunct(text="hello"), signature=wallet.sign_text("hello"))
    assert (by_type, by_text) == (wallet.address, wallet.address)


def test_the_digest_is_the_gateways() -> None:
    assert typed_data_digest(drafted()) == "0x" + digest(drafted()).hex()


@pytest.mark.parametrize("key", ["", "0x12", "secret-that-must-not-show", "0x" + "00" * 32])
def test_a_key_that_is_none_is_refused_and_not_quoted(key: str) -> None:
    with pytest.raises(WrongCallError) as caught:
        Wallet.of_hex(key)
    assert str(caught.value) == "the registrar's key is not 32 bytes of hexadecimal"
