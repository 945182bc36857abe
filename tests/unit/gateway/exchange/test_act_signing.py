"""Acts that a gateway drafts are looked at before they are signed: a draft that says anything else is not signed."""

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from anchoring.chain import trials
from gateway import eip712
from gateway.demo.model import StepFailedError
from gateway.exchange.signing import AskedAct, Registry, check_act
from gateway.trials import acts
from gateway.wiring.trials import ACT, ACT_TYPES

NOW = 1_800_000_000
STUDY, BY, SALT, GATEWAY = "5d" * 32, "ac" * 32, "0a" * 32, "9e" * 32
CONTRACT = "0x" + "c0" * 20
REGISTRY = Registry(chain_id=7, contract=CONTRACT, gateway="0x" + GATEWAY)
DOCUMENT = b"<ODM/>"
MINE: dict[str, Any] = {"study": STUDY, "by": BY, "at": NOW, "salt": SALT}
MEMBERS: dict[str, dict[str, Any]] = {
    "register": {"title": "Pilot", "statistician": ""},
    "protocol": {"registration": {"title": "Pilot"}, "reason": ""},
    "define": {"name": "define.xml"},
    "describe": {"table": "TA", "description": {"version": 1}, "rows": [["x", None]]},
    "terms": {"terms": "7e" * 32, "keeps": True},
    "site": {"site": "701", "name": "Site 701"},
    "delegate": {"actor": "bc" * 32, "role": "COORDINATOR", "sites": [], "until": NOW + 9},
    "enrol": {"subject": "5b" * 32, "key": "01-701-1015", "site": "701"},
    "open": {},
}
FILLED: dict[str, dict[str, Any]] = {
    "protocol": {"number": 1},
    "define": {
        "number": 1,
        "sha256": hashlib.sha256(DOCUMENT).hexdigest(),
        "document": base64.b64encode(zlib.compress(DOCUMENT)).decode(),
    },
    "terms": {"number": 1},
    "enrol": {"consent": "cc" * 32},
    "open": {"version": 1, "allocation": "00" * 32},
}


def drafted(kind: str, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """An act and its typed data, by the gateway's own code."""
    tree = {"act": kind, **MINE, **MEMBERS[kind], **FILLED.get(kind, {}), **changes}
    act = acts.read_act(tree)
    signed = acts.signed_values(act)
    if signed is None:
        message = {
            "study": "0x" + act.study,
            "statement": acts.statement(act, names={}),
            "content": "0x" + acts.content_of(act).hex(),
            "by": "0x" + act.by,
            "at": act.at,
        }
        domain = eip712.domain(chain_id=REGISTRY.chain_id, contract=CONTRACT)
        return acts.tree_of(act), eip712.typed_data(ACT, ACT_TYPES, message, domain)
    of, values = signed
    if kind == "register":
        values = {"gateway": bytes.fromhex(GATEWAY), **values}
    typed = trials.typed_data(trials.Signed(of.value), values, chain_id=REGISTRY.chain_id, contract=CONTRACT)
    return acts.tree_of(act), typed


def check(kind: str, act: Mapping[str, Any], typed: Mapping[str, Any], **changes: Any) -> None:
    asked: dict[str, Any] = {
        "act": kind,
        "members": MEMBERS[kind],
        "study": None if kind == "register" else STUDY,
        "by": "0x" + BY,
        "now": NOW + 5,
        "document": DOCUMENT if kind == "define" else None,
    }
    statement = changes.pop("statement", None) or typed["message"].get("statement", "")
    check_act(act, typed, statement, AskedAct(**{**asked, **changes}), REGISTRY)


@pytest.mark.parametrize("kind", MEMBERS)
def test_what_was_asked_is_signed(kind: str) -> None:
    check(kind, *drafted(kind))


OTHER: dict[str, dict[str, Any]] = {
    "register": {"statistician": "5a" * 32},
    "protocol": {"registration": {"title": "Another"}},
    "define": {"name": "other.xml"},
    "describe": {"rows": [["y", None]]},
    "terms": {"keeps": False},
    "site": {"name": "Elsewhere"},
    "delegate": {"actor": "bd" * 32},
    "enrol": {"subject": "5c" * 32},
}


@pytest.mark.parametrize("kind", OTHER)
def test_a_draft_of_something_else_is_not_signed(kind: str) -> None:
    with pytest.raises(StepFailedError, match="is not what was asked; not signed"):
        check(kind, *drafted(kind, **OTHER[kind]))


@pytest.mark.parametrize("kind", [one for one in MEMBERS if one != "register"])
@pytest.mark.parametrize(
    ("member", "value", "says"),
    [("by", "ad" * 32, "another's"), ("at", NOW - 9_000, "another time"), ("study", "5e" * 32, "another study")],
)
def test_a_draft_of_another_signer_time_or_study_is_not_signed(kind: str, member: str, value: Any, says: str) -> None:
    with pytest.raises(StepFailedError, match=says):
        check(kind, *drafted(kind, **{member: value}))


def _message(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(typed: dict[str, Any]) -> None:
        assert name in typed["message"]
        typed["message"] = {**typed["message"], name: value}

    return change


def _domain(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(typed: dict[str, Any]) -> None:
        typed["domain"] = {**typed["domain"], name: value}

    return change


def _primary(typed: dict[str, Any]) -> None:
    typed["primaryType"] = "Lock"


def _types(typed: dict[str, Any]) -> None:
    typed["types"] = {**typed["types"], typed["primaryType"]: typed["types"][typed["primaryType"]][:-1]}


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("site", _message("content", "0x" + "11" * 32)),
        ("site", _message("study", "0x" + "11" * 32)),
        ("register", _message("gateway", "0x" + "11" * 32)),
        ("register", _message("statistician", "0x" + "11" * 32)),
        ("protocol", _message("content", "0x" + "11" * 32)),
        ("protocol", _message("number", 2)),
        ("open", _message("allocation", "0x" + "11" * 32)),
        ("site", _domain("chainId", 8)),
        ("site", _domain("verifyingContract", "0x" + "c1" * 20)),
        ("site", _primary),
        ("open", _types),
    ],
)
def test_typed_data_that_do_not_follow_from_the_act_are_not_signed(
    kind: str, change: Callable[[dict[str, Any]], None]
) -> None:
    act, typed = drafted(kind)
    change(typed)
    with pytest.raises(StepFailedError, match="not signed"):
        check(kind, act, typed)


@pytest.mark.parametrize("kind", ["define", "describe", "terms", "site", "delegate", "enrol"])
def test_a_statement_about_something_else_is_not_signed(kind: str) -> None:
    act, typed = drafted(kind)
    told = "The study is locked."
    typed["message"] = {**typed["message"], "statement": told}
    with pytest.raises(StepFailedError, match="the statement is not about"):
        check(kind, act, typed)


def test_a_statement_that_is_shown_is_the_one_that_is_signed() -> None:
    act, typed = drafted("site")
    with pytest.raises(StepFailedError, match="does not follow"):
        check("site", act, typed, statement=typed["message"]["statement"] + " Nothing else.")


def test_a_definition_that_holds_another_document_is_not_signed() -> None:
    packed = base64.b64encode(zlib.compress(b"<ODM />")).decode()
    with pytest.raises(StepFailedError, match="another document"):
        check("define", *drafted("define", document=packed))


def test_an_act_that_says_more_is_not_signed() -> None:
    act, typed = drafted("site")
    with pytest.raises(StepFailedError, match="says more than was asked"):
        check("site", {**act, "until": 0}, typed)
