"""Selectors and topics are those of the checked-in ABI; a node that answers nonsense proves nothing."""

import json
from importlib.resources import files
from typing import Any

import pytest

from anchoring.merkle import keccak256
from gateway.demo import rpc
from gateway.demo.model import StepFailedError
from gateway.demo.rpc import Chain
from tests.unit.gateway.demo.local_http import serving


def signatures(contract: str) -> dict[str, bytes]:
    text = (files("anchoring") / "contracts" / "abi" / f"{contract}.json").read_text()
    return {
        entry["name"]: f"{entry['name']}({','.join(item['type'] for item in entry['inputs'])})".encode()
        for entry in json.loads(text)["abi"]
        if entry["type"] in ("function", "event")
    }


@pytest.mark.parametrize(
    ("contract", "name", "ours"),
    [
        ("AnchorRegistry", "anchoredAt", rpc.ANCHORED_AT),
        ("AnchorRegistry", "identity", rpc.IDENTITY),
        ("AnchorRegistry", "Anchored", rpc.ANCHORED),
        ("AnchorRegistry", "LogOpened", rpc.LOG_OPENED),
        ("IdentityRegistry", "receiptKeySince", rpc.RECEIPT_KEY_SINCE),
        ("IdentityRegistry", "receiptKeyUntil", rpc.RECEIPT_KEY_UNTIL),
    ],
)
def test_selectors_and_topics_are_those_of_the_contracts(contract: str, name: str, ours: bytes) -> None:
    assert keccak256(signatures(contract)[name]).startswith(ours)


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {"error": {"code": -32000, "message": "no"}},
        {"result": "0x"},
        {"result": "0x01"},
        {"result": "zz"},
        {"result": None},
    ],
)
def test_a_node_that_answers_nonsense_proves_nothing(answer: Any) -> None:
    with serving(lambda body: (200, {}, answer)) as url, pytest.raises(StepFailedError):
        Chain(url).anchored_at("0x" + "33" * 20, b"\0" * 32, b"\0" * 32)


def test_a_node_that_is_not_there_is_said_so() -> None:
    with serving(lambda body: (200, {}, {})) as url:
        gone = url
    with pytest.raises(StepFailedError, match="does not answer"):
        Chain(gone).chain_id()
