"""A deployment's file: what was written before there were budgets or trials opens, and what was never written does
not."""

import dataclasses
import json

import pytest

from anchoring.chain.abi import BUDGET, TRIAL
from anchoring.chain.deploy import Deployment
from anchoring.errors import ChainMismatch

BEFORE = Deployment(
    chain_id=5,
    genesis="0x" + "11" * 32,
    block=3,
    identity_registry="0x" + "21" * 20,
    consent_registry="0x" + "22" * 20,
    anchor_registry="0x" + "23" * 20,
    emergency_registry="0x" + "24" * 20,
    scope_reader="0x" + "25" * 20,
    p256_verifier="0x" + "26" * 20,
    webauthn_verifier="0x" + "27" * 20,
    gateway="0x" + "31" * 32,
    owner="0x" + "41" * 20,
    recovery_seconds=60,
    codes={},
)


def test_a_file_from_before_there_were_budgets_opens_and_names_no_ledger() -> None:
    fields = json.loads(BEFORE.to_json())
    del fields["budget_ledger"]
    found = Deployment.from_json(json.dumps(fields))
    assert found == BEFORE
    assert BUDGET not in found.by_name()
    assert found.addresses.budget == ""
    assert BUDGET not in found.addresses.by_octets().values()


def test_a_file_with_a_ledger_opens_and_names_it() -> None:
    written = dataclasses.replace(BEFORE, budget_ledger="0x" + "28" * 20)
    found = Deployment.from_json(written.to_json())
    assert found == written
    assert found.by_name()[BUDGET] == found.addresses.budget == "0x" + "28" * 20
    assert found.addresses.by_octets()[bytes.fromhex("28" * 20)] == BUDGET


def test_a_file_from_before_there_were_trials_opens_and_names_no_registry_of_them() -> None:
    fields = json.loads(BEFORE.to_json())
    del fields["trial_registry"]
    found = Deployment.from_json(json.dumps(fields))
    assert found == BEFORE
    assert TRIAL not in found.by_name()
    assert found.addresses.trial == ""
    assert TRIAL not in found.addresses.by_octets().values()


def test_a_file_with_a_registry_of_trials_opens_and_names_it() -> None:
    written = dataclasses.replace(BEFORE, trial_registry="0x" + "29" * 20)
    found = Deployment.from_json(written.to_json())
    assert found == written
    assert found.by_name()[TRIAL] == found.addresses.trial == "0x" + "29" * 20
    assert found.addresses.by_octets()[bytes.fromhex("29" * 20)] == TRIAL


@pytest.mark.parametrize("missing", ["consent_registry", "codes"])
def test_a_file_without_any_other_member_is_damaged(missing: str) -> None:
    fields = json.loads(BEFORE.to_json())
    del fields[missing]
    with pytest.raises(ChainMismatch, match="damaged"):
        Deployment.from_json(json.dumps(fields))
