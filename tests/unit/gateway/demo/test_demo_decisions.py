"""A steward signs the decision that they made and nothing else; an encryption key is bound as the gateway reads it."""

from typing import Any

import pytest

from gateway import eip712
from gateway.demo.model import StepFailedError
from gateway.demo.signing import CLOCK_SECONDS, AskedDecision, check_decision, encryption_key_text
from gateway.demo.wallet import Wallet
from gateway.identity.rules import encryption_key_typed_data
from gateway.ids import ActorId, ReleaseId
from gateway.releases.model import Decision, Verdict
from gateway.releases.papers import decision_typed_data
from tests.unit.gateway.demo.anchored_world import DEPLOYMENT

NOW = 1_800_000_000
DOMAIN = eip712.domain(chain_id=DEPLOYMENT.chain_id, contract=DEPLOYMENT.consent)
ASKED = AskedDecision(
    release="0x" + "01" * 16,
    request="0x" + "02" * 32,
    verdict="APPROVED",
    reason="As agreed.",
    departures=("anonymity.k", "anonymity.l"),
    steward="0x" + "03" * 32,
    now=NOW,
)


def drafted(**changes: Any) -> dict[str, Any]:
    """As the gateway itself drafts it, of another decision where `changes` say so."""
    plain: dict[str, Any] = {
        "release": ReleaseId(b"\x01" * 16),
        "request": b"\x02" * 32,
        "verdict": Verdict.APPROVED,
        "reason": "As agreed.",
        "departures": ("anonymity.k", "anonymity.l"),
        "steward": ActorId(b"\x03" * 32),
        "at": NOW,
    }
    return decision_typed_data(Decision(**{**plain, **changes}), DOMAIN)


def test_the_gateways_own_draft_is_signed() -> None:
    check_decision(drafted(), ASKED, deployment=DEPLOYMENT)


@pytest.mark.parametrize(
    "changes",
    [
        {"release": b"\x09" * 16},
        {"request": b"\x09" * 32},
        {"verdict": Verdict.REFUSED},
        {"reason": "Because."},
        {"departures": ("anonymity.k",)},
        {"departures": ("anonymity.k", "anonymity.l", "keep.Patient.name")},
        {"steward": b"\x09" * 32},
        {"at": NOW - 2 * CLOCK_SECONDS},
        {"at": NOW + 2 * CLOCK_SECONDS},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_draft_that_decides_something_else_is_not_signed(changes: dict[str, Any]) -> None:
    with pytest.raises(StepFailedError, match="not signed"):
        check_decision(drafted(**changes), ASKED, deployment=DEPLOYMENT)


@pytest.mark.parametrize("member", ["primaryType", "types", "domain", "message"])
def test_a_draft_of_another_shape_is_not_signed(member: str) -> None:
    with pytest.raises(StepFailedError, match="not signed"):
        check_decision({**drafted(), member: {}}, ASKED, deployment=DEPLOYMENT)


def test_an_encryption_key_is_bound_by_the_text_that_the_gateway_reads() -> None:
    domain = eip712.domain(chain_id=DEPLOYMENT.chain_id, contract=DEPLOYMENT.identity)
    signer, public = "0x" + "0a" * 20, b"\x07" * 32
    assert encryption_key_text(
        signer=signer, encryption_key=public, deployment=DEPLOYMENT
    ) == encryption_key_typed_data(key=bytes.fromhex(signer[2:]), encryption_key=public, domain=domain)


def test_a_signature_is_known_as_ones_own() -> None:
    wallet, full = Wallet.new(), drafted()
    assert wallet.signed(full, wallet.sign_typed_data(full))
    assert not wallet.signed(full, Wallet.new().sign_typed_data(full))
    assert not wallet.signed(full, wallet.sign_typed_data(drafted(reason="Because.")))
