"""Captured forms: what the entries name, what the file gives of it, and that versions follow one another. Pure.

A form's text is committed to by sha-256(0x01 ‖ salt ‖ text). True here: of a form no more is kept than 16 octets of a
hash for each version, and of its place, one behind the other; a text is hashed and gone. The forms of an entry come
behind it, each of them, in its order.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from anchoring.verifier.study.acts import Act
from anchoring.verifier.study.lines import FormLine
from anchoring.verifier.study.report import Flaw

ANSWER: Final = b'"answer":['
"""In a FHIR QuestionnaireResponse's RFC 8785 form, once for each item that has a value: within a string its quotes
would be escaped."""
SHORT: Final = 16
_Found = Iterator[tuple[Flaw, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    record: bytes
    version: int
    content: bytes


class Forms:
    """`shown`, `withheld`: versions; `values`: items with an answer in those that are shown."""

    def __init__(self) -> None:
        self.shown = self.withheld = self.values = 0
        self._due: list[_Due] = []
        self._entry = -1
        self._known = _Known()

    @property
    def records(self) -> int:
        return len(self._known)

    def capture(self, number: int, act: Act) -> _Found:
        """The versions that an entry tells of."""
        subject = act.octets("subject")
        self._entry, self._due = number, []
        if not act.said["forms"]:
            yield Flaw.VERSION, "captures nothing"
        for one in act.said["forms"]:
            record, content = bytes.fromhex(one["record"]), bytes.fromhex(one["content"])
            version: int = one["version"]
            before = self._known.newest(record)
            if version != before + 1:
                yield Flaw.VERSION, f"version {version} of form {record.hex()} behind version {before}"
            if (version > 1) != bool(act.said["reason"]):
                yield Flaw.VERSION, "of a change, and of it alone, is said why"
            place = _short(subject, *(one[name] for name in ("event", "eventRepeatKey", "form", "formRepeatKey")))
            if self._known.place(record, place) != place:
                yield Flaw.VERSION, f"form {record.hex()} is another subject's, or in another place, than before"
            self._known.add(record, version, _short(subject, one["digest"], one["content"]))
            self._due.append(_Due(record=record, version=version, content=content))

    def sign(self, act: Act) -> _Found:
        """The versions that a signature is under."""
        if not act.said["forms"]:
            yield Flaw.ORDER, "signs nothing"
        for one in act.said["forms"]:
            signed = _short(act.octets("subject"), one["digest"], one["content"])
            if self._known.version(bytes.fromhex(one["record"]), one["version"]) != signed:
                yield Flaw.ORDER, f"signs version {one['version']} of form {one['record']}, which is not so captured"

    def ask(self, act: Act) -> _Found:
        """The version that a query is about."""
        if act.tag == "raise-query" and self._known.version(act.octets("record"), act.said["version"]) is None:
            yield Flaw.ORDER, "asks about a form that was not captured"

    def take(self, line: FormLine) -> _Found:
        """What the file gives of the next one."""
        if line.entry != self._entry or not self._due:
            yield Flaw.CONTENT, f"form {line.record.hex()} where none belongs"
            return
        due = self._due.pop(0)
        if (line.record, line.version) != (due.record, due.version):
            yield Flaw.CONTENT, f"form {line.record.hex()} in the place of {due.record.hex()}"
        elif line.content is None:
            self.withheld += 1
        elif hashlib.sha256(b"\x01" + line.salt + line.content).digest() != due.content:
            yield Flaw.CONTENT, f"version {line.version} of form {line.record.hex()} is not what was captured"
        else:
            self.shown += 1
            self.values += line.content.count(ANSWER)

    def end(self) -> _Found:
        """The next entry begins, or the file ends."""
        if self._due:
            yield Flaw.CONTENT, f"{len(self._due)} of its forms are missing"
        self._due = []


class _Known:
    """Of each form its place and its versions from the first on, `SHORT` octets each, as one string: a study has tens
    of thousands. Versions behind one that is missing lie apart."""

    def __init__(self) -> None:
        self._forms: dict[bytes, bytes] = {}
        self._apart: dict[bytes, dict[int, bytes]] = {}

    def __len__(self) -> int:
        return len(self._forms)

    def place(self, record: bytes, place: bytes) -> bytes:
        """The first that it was told to have, this one included."""
        return self._forms.setdefault(record, place)[:SHORT]

    def newest(self, record: bytes) -> int:
        """0: none."""
        told = len(self._forms.get(record, b"")) // SHORT - 1
        return max(0, told, *self._apart.get(record, ()))

    def version(self, record: bytes, version: int) -> bytes | None:
        apart = self._apart.get(record, {}).get(version)
        found = self._forms.get(record, b"")[version * SHORT : (version + 1) * SHORT] if version > 0 else b""
        return apart or found or None

    def add(self, record: bytes, version: int, short: bytes) -> None:
        """Its place is known."""
        found = self._forms[record]
        if version == len(found) // SHORT:
            self._forms[record] = found + short
        else:
            self._apart.setdefault(record, {})[version] = short


def _short(*parts: bytes | str | None) -> bytes:
    told = hashlib.sha256()
    for part in parts:
        octets = b"-" if part is None else b"+" + (part.encode() if isinstance(part, str) else part)
        told.update(len(octets).to_bytes(4, "big") + octets)
    return told.digest()[:SHORT]
