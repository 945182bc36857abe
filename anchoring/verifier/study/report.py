"""What a check of a study's file found: how much of what was compared, with what, and every fault."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

MOST_TOLD: Final = 1_000
"""Faults that are told one by one; the others are counted."""


class Flaw(StrEnum):
    """FORM: a line or an act is not of its form. NUMBER, LINK, HASH: an entry is missing or moved, does not follow the
    one before it, is not what its SHA-256 says. CONTENT, VERSION: a captured form is not what was committed to, or does
    not follow its version before. ORDER: an act stands where it may not. AUTHORITY: its actor may not do it. TIME: it
    names a time that its place denies. SIGNATURE. DATA: roots of data, their head, the lock. ALLOCATION: the list of
    arms was not followed. ANCHOR: not under the root that was anchored. CHAIN: the chain says otherwise. END: the file
    is cut short, or not the octets that its last line says."""

    FORM = "FORM"
    NUMBER = "NUMBER"
    LINK = "LINK"
    HASH = "HASH"
    CONTENT = "CONTENT"
    VERSION = "VERSION"
    ORDER = "ORDER"
    AUTHORITY = "AUTHORITY"
    TIME = "TIME"
    SIGNATURE = "SIGNATURE"
    DATA = "DATA"
    ALLOCATION = "ALLOCATION"
    ANCHOR = "ANCHOR"
    CHAIN = "CHAIN"
    END = "END"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`entry` None: of the file as a whole."""

    flaw: Flaw
    entry: int | None
    message: str

    def line(self) -> str:
        where = "the file" if self.entry is None else f"entry {self.entry}"
        return f"{self.flaw} {where}: {self.message}"


@dataclass(slots=True, kw_only=True)
class Report:
    """`on_chain`: the chain was asked. `counts`: how many of what were checked; `unknown`: what was not compared with
    anything, and why."""

    study: str = ""
    made: str = ""
    on_chain: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    unknown: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    found: int = 0

    @property
    def holds(self) -> bool:
        return not self.found

    def add(self, flaw: Flaw, entry: int | None, message: str) -> None:
        self.found += 1
        if len(self.faults) < MOST_TOLD:
            self.faults.append(Fault(flaw=flaw, entry=entry, message=message))

    def lines(self) -> Iterator[str]:
        yield f"study {self.study}, {self.made}"
        for name, count in self.counts.items():
            yield f"{name}: {count}"
        for one in self.unknown:
            yield f"NOT COMPARED: {one}"
        for fault in self.faults:
            yield fault.line()
        if self.found > len(self.faults):
            yield f"… and {self.found - len(self.faults)} faults more"
        yield self.verdict

    @property
    def verdict(self) -> str:
        if not self.holds:
            return f"REFUSED: {self.found} faults"
        if not self.on_chain:
            return "NO FAULT WITHIN THE FILE: compare it with the chain before you rely on it"
        return "COMPLETE AND UNCHANGED" + (", but for what was not compared" if self.unknown else "")

    def as_json(self) -> dict[str, Any]:
        return {
            "study": self.study,
            "made": self.made,
            "holds": self.holds,
            "onChain": self.on_chain,
            "counts": dict(self.counts),
            "notCompared": self.unknown,
            "faults": [{"flaw": one.flaw.value, "entry": one.entry, "message": one.message} for one in self.faults],
            "found": self.found,
        }
