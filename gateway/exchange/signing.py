"""What an import looks at before it signs an act of a study: it says what was asked, and nothing else is signed. Pure.

Steps, each of which raises StepFailedError:
1. the act has every member that was asked for, as it was asked, and beside them only what the gateway fills in.
2. it is the signer's own, of now, of this study.
3. what is signed is of a form that is known here, for this chain's registry, and follows from the act.
Source: EIP-712; RFC 8785; TrialRegistry.sol.
"""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway import jsontext
from gateway.demo.model import StepFailedError
from gateway.demo.signing import CLOCK_SECONDS
from gateway.errors import CallerError

_DOMAIN: Final = (("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address"))
_TYPES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "Study": (("sponsor", "bytes32"), ("salt", "bytes32"), ("gateway", "bytes32"), ("statistician", "bytes32")),
    "ProtocolVersion": (("study", "bytes32"), ("number", "uint32"), ("content", "bytes32"), ("reason", "bytes32")),
    "Enrolment": (("study", "bytes32"), ("version", "uint32"), ("allocation", "bytes32")),
    "StudyAct": (
        ("study", "bytes32"),
        ("statement", "string"),
        ("content", "bytes32"),
        ("by", "bytes32"),
        ("at", "uint64"),
    ),
}
_FILLED: Final[Mapping[str, frozenset[str]]] = {
    "protocol": frozenset({"number"}),
    "define": frozenset({"number", "sha256", "document"}),
    "terms": frozenset({"number"}),
    "open": frozenset({"version", "allocation"}),
    "enrol": frozenset({"consent"}),
}
"""What of an act follows from how the study stands, or is looked at by itself."""
_SAID: Final[Mapping[str, tuple[str, ...]]] = {
    "define": ("name", "sha256"),
    "describe": ("table",),
    "terms": ("terms",),
    "site": ("site", "name"),
    "delegate": ("role", "until"),
    "enrol": ("key", "site", "consent"),
}
"""What of an act its statement, in plain words, says as it stands."""
_ALWAYS: Final = frozenset({"act", "study", "by", "at", "salt"})
_NOTHING: Final = "0x" + "00" * 32
_LARGEST: Final = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """Of trials, on one chain. `contract` in lower case; `gateway`: its name on chain, 0x hex."""

    chain_id: int
    contract: str
    gateway: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedAct:
    """What somebody means to sign. `act`: its kind; `members`: as the act says them; `study`: hexadecimal, None for a
    registration; `by`: the signer's actor, 0x hex; `document`: the definition's octets."""

    act: str
    members: Mapping[str, Any]
    study: str | None
    by: str
    now: int
    document: bytes | None = None


def check_act(
    act: Mapping[str, Any], typed: Mapping[str, Any], statement: str, asked: AskedAct, registry: Registry
) -> None:
    """All three steps."""
    _check_members(act, asked)
    primary, message = _expected(act, statement, registry)
    expected_types = {
        name: [{"name": field, "type": kind} for field, kind in fields]
        for name, fields in (("EIP712Domain", _DOMAIN), (primary, _TYPES[primary]))
    }
    domain = typed.get("domain")
    ours = {
        "name": "Consentry",
        "version": "1",
        "chainId": registry.chain_id,
        "verifyingContract": registry.contract,
    }
    if typed.get("primaryType") != primary or typed.get("types") != expected_types:
        raise StepFailedError(f"the drafted {asked.act} is no {primary} as we know it; not signed")
    if not isinstance(domain, Mapping) or _plain(domain) != _plain(ours):
        raise StepFailedError(f"the drafted {asked.act} is for another chain or contract; not signed")
    if typed.get("message") != message:
        raise StepFailedError(f"what is to be signed does not follow from the drafted {asked.act}; not signed")


def _check_members(act: Mapping[str, Any], asked: AskedAct) -> None:
    if act.get("act") != asked.act or "0x" + str(act.get("by")) != asked.by:
        raise StepFailedError(f"the drafted {asked.act} is another act, or another's; not signed")
    if asked.study is not None and act.get("study") != asked.study:
        raise StepFailedError(f"the drafted {asked.act} is of another study; not signed")
    at = act.get("at")
    if type(at) is not int or abs(at - asked.now) > CLOCK_SECONDS:
        raise StepFailedError(f"the drafted {asked.act} is of another time; not signed")
    if act.keys() - asked.members.keys() - _ALWAYS - _FILLED.get(asked.act, frozenset()):
        raise StepFailedError(f"the drafted {asked.act} says more than was asked; not signed")
    for name, value in asked.members.items():
        if name not in act or _form(act[name]) != _form(value):
            raise StepFailedError(f"the drafted {asked.act}'s {name} is not what was asked; not signed")
    if asked.document is not None and not _holds(act, asked.document):
        raise StepFailedError("the drafted definition holds another document; not signed")


def _holds(act: Mapping[str, Any], document: bytes) -> bool:
    inflating = zlib.decompressobj()
    try:
        found = inflating.decompress(base64.b64decode(str(act.get("document")), validate=True), _LARGEST + 1)
    except (binascii.Error, zlib.error, ValueError):
        return False
    return found == document and act.get("sha256") == hashlib.sha256(document).hexdigest()


def _expected(act: Mapping[str, Any], statement: str, registry: Registry) -> tuple[str, dict[str, Any]]:
    study, by, salt = (f"0x{act.get(name)}" for name in ("study", "by", "salt"))
    match act["act"]:
        case "register":
            named = "0x" + act["statistician"] if act.get("statistician") else _NOTHING
            return "Study", {"sponsor": by, "salt": salt, "gateway": registry.gateway, "statistician": named}
        case "protocol":
            content = hashlib.sha256(b"\x08" + _octets(salt) + _form(act["registration"])).hexdigest()
            return "ProtocolVersion", {
                "study": study,
                "number": act["number"],
                "content": "0x" + content,
                "reason": _NOTHING,
            }
        case "open":
            return "Enrolment", {"study": study, "version": act["version"], "allocation": f"0x{act['allocation']}"}
        case _:
            said = (f"study {act['study'][:8]}", *(str(act[name]) for name in _SAID[act["act"]]))
            if not all(one in statement for one in said):
                raise StepFailedError(f"the statement is not about the drafted {act['act']}; not signed")
            content = hashlib.sha256(_form(dict(act))).hexdigest()
            return "StudyAct", {
                "study": study,
                "statement": statement,
                "content": "0x" + content,
                "by": by,
                "at": act["at"],
            }


def _form(value: Any) -> bytes:
    try:
        return jsontext.canonical(value)
    except CallerError as error:
        raise StepFailedError("a draft has no RFC 8785 form; not signed") from error


def _octets(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise StepFailedError("a draft holds something that is no hexadecimal; not signed") from error


def _plain(members: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value).lower() for name, value in members.items()}
