"""What an entry's text says: one act of a study, each member of its form, and the signature under it. Pure.

An entry is the RFC 8785 text of {"act": {…}, "signature": "hex"}; hex in it has no 0x. What is signed of an act is the
SHA-256 of its own text, which stands in the entry as it is.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from anchoring.verifier.verify import Refused, canonical, members, read_json

_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*")
ROLES: Final = frozenset(
    {"SPONSOR", "INVESTIGATOR", "COORDINATOR", "MONITOR", "STATISTICIAN", "SAFETY_BOARD", "INSPECTOR"}
)
_Form: TypeAlias = Callable[[object], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """`content`: SHA-256 of the act's text; `said`: its members, of their forms."""

    tag: str
    study: bytes
    by: bytes
    at: int
    salt: bytes
    said: Mapping[str, Any] = field(repr=False)
    content: bytes
    signature: bytes = field(repr=False)

    @property
    def kind(self) -> str:
        return KINDS[self.tag]

    def octets(self, name: str) -> bytes:
        return bytes.fromhex(self.said[name])


def _hex(*sizes: int) -> _Form:
    return lambda one: isinstance(one, str) and len(one) // 2 in sizes and _HEX.fullmatch(one) is not None


def _text(one: object) -> bool:
    return isinstance(one, str)


def _optional(one: object) -> bool:
    return one is None or isinstance(one, str)


def _whole(one: object) -> bool:
    return type(one) is int and 0 <= one < 1 << 63


def _flag(one: object) -> bool:
    return isinstance(one, bool)


def _object(one: object) -> bool:
    return isinstance(one, dict)


def _role(one: object) -> bool:
    return isinstance(one, str) and one in ROLES


def _each(form: _Form) -> _Form:
    return lambda value: isinstance(value, list) and all(map(form, value))


def _of(**forms: _Form) -> _Form:
    def check(one: object) -> bool:
        return isinstance(one, dict) and one.keys() == forms.keys() and all(forms[name](one[name]) for name in forms)

    return check


_D32: Final = _hex(32)
_SIGNED_FORM: Final = _of(record=_hex(16), version=_whole, digest=_D32, content=_D32)
_CAPTURED: Final = _of(
    record=_hex(16),
    version=_whole,
    digest=_D32,
    content=_D32,
    event=_text,
    form=_text,
    eventRepeatKey=_optional,
    formRepeatKey=_optional,
)
_ALL: Final[Mapping[str, _Form]] = {"act": _text, "study": _D32, "by": _D32, "at": _whole, "salt": _D32}
FORMS: Final[Mapping[str, Mapping[str, _Form]]] = {
    "register": {"title": _text, "statistician": _hex(0, 32)},
    "protocol": {"number": _whole, "registration": _object, "reason": _text},
    "define": {"number": _whole, "name": _text, "sha256": _D32, "document": _text},
    "describe": {
        "table": _text,
        "description": _object,
        "rows": lambda one: one is None or _each(_each(_optional))(one),
    },
    "terms": {"number": _whole, "terms": _D32, "keeps": _flag},
    "site": {"site": _text, "name": _text},
    "delegate": {"actor": _D32, "role": _role, "sites": _each(_text), "until": _whole},
    "enrol": {"subject": _D32, "key": _text, "site": _text, "consent": _D32},
    "withdraw": {"subject": _D32, "reason": _text, "goes": _flag},
    "allocate": {"scheme": _object, "root": _D32, "size": _whole, "seed": _text},
    "open": {"version": _whole, "allocation": _D32},
    "freeze": {"frozen": _flag, "seq": _whole, "reason": _text},
    "lock": {"head": _D32, "records": _whole, "assigned": _whole, "seq": _whole},
    "publish": {"number": _whole, "outcomes": _each(_object), "summary": _text},
    "sign": {"subject": _D32, "meaning": _whole, "forms": _each(_SIGNED_FORM)},
    "unblind": {"subject": _D32, "name": _D32, "reason": _text},
    "recruit": {"criteria": _object, "summary": _text, "open": _flag},
    "interest": {"subject": _D32, "yes": _flag},
    "capture": {"subject": _D32, "definition": _whole, "forms": _each(_CAPTURED), "reason": _text},
    "raise-query": {
        "subject": _D32,
        "query": _hex(16),
        "record": _hex(16),
        "version": _whole,
        "item": _text,
        "text": _text,
        "rule": _text,
    },
    "answer-query": {"subject": _D32, "query": _hex(16), "text": _text},
    "close-query": {"subject": _D32, "query": _hex(16), "text": _text},
    "assign": {
        "subject": _D32,
        "name": _D32,
        "stratum": _whole,
        "position": _whole,
        "arm": _D32,
        "path": _each(_D32),
    },
    "record-data": {"first": _whole, "count": _whole, "root": _D32},
}
"""What each act says beside whose it is and when."""
KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("register", "protocol", "define", "describe", "terms"), "REGISTRATION"),
    **dict.fromkeys(("open", "freeze", "lock", "record-data"), "STATE"),
    **dict.fromkeys(("enrol", "withdraw"), "ENROLMENT"),
    **dict.fromkeys(("raise-query", "answer-query", "close-query"), "QUERY"),
    **dict.fromkeys(("recruit", "interest"), "RECRUITMENT"),
    "site": "SITE",
    "delegate": "DELEGATION",
    "allocate": "ALLOCATION",
    "publish": "RESULTS",
    "sign": "SIGNATURE",
    "unblind": "UNBLINDING",
    "capture": "CAPTURE",
    "assign": "ASSIGNMENT",
}
ABOUT_SOMEBODY: Final = frozenset(
    {"ENROLMENT", "CAPTURE", "QUERY", "SIGNATURE", "UNBLINDING", "ASSIGNMENT", "RECRUITMENT"}
)
"""Kinds of entries that go with their subject's key."""
UNSIGNED: Final = frozenset(
    {"capture", "raise-query", "answer-query", "close-query", "assign", "record-data", "interest"}
)
"""Acts that the gateway writes down, and nobody signs."""


def read_act(text: bytes) -> Act:
    """Raises Refused."""
    whole = members(read_json(text), "act", "signature")
    said, signature = whole["act"], whole["signature"]
    tag = said.get("act") if isinstance(said, dict) else None
    forms = FORMS.get(tag) if isinstance(tag, str) else None
    if forms is None or not _hex(*range(10_000))(signature):
        raise Refused("no act of a study")
    members(said, *_ALL, *forms)
    for name, form in (*_ALL.items(), *forms.items()):
        if not form(said[name]):
            raise Refused(f"`{name}` is not of its form")
    if not _is_canonical(whole, text):
        raise Refused("not in RFC 8785 form")
    return Act(
        tag=str(tag),
        study=bytes.fromhex(said["study"]),
        by=bytes.fromhex(said["by"]),
        at=said["at"],
        salt=bytes.fromhex(said["salt"]),
        said=said,
        content=hashlib.sha256(text[len(b'{"act":') : -len(signature) - len(b',"signature":""}')]).digest(),
        signature=bytes.fromhex(signature),
    )


def _is_canonical(value: Any, text: bytes) -> bool:
    quick = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return quick.encode() == text or canonical(value) == text
