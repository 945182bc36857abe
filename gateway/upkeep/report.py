"""What a rebuild says of itself: what is back, what is in doubt, what is lost. Counts and names of blocks only."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway import jsontext

Progress = Callable[[str, int], None]
"""A step's name, and how much further it is."""


@dataclass(slots=True, kw_only=True)
class RebuildReport:
    """`restored`: rows by what they are; `in_doubt`: recovered without proof that they were acknowledged; `dropped`:
    blocks of writes that never were; `lost`: what is named on chain and is not there; `not_recovered`: what no rebuild
    brings back."""

    restored: Counter[str] = field(default_factory=Counter)
    blocks: Counter[str] = field(default_factory=Counter)
    in_doubt: list[str] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    erased: int = 0
    notes: list[str] = field(default_factory=list)
    audit_until: dict[str, str] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether everything that the chain names is there."""
        return not self.lost

    def as_json(self) -> dict[str, jsontext.JsonValue]:
        return {
            "whole": self.whole,
            "restored": _counts(self.restored),
            "blocks": _counts(self.blocks),
            "inDoubt": list(self.in_doubt),
            "dropped": _counts(self.dropped),
            "lost": list(self.lost),
            "damaged": list(self.damaged),
            "erased": self.erased,
            "auditUntil": dict(self.audit_until),
            "notes": list(self.notes),
            "notRecovered": list(NOT_RECOVERED),
        }

    def lines(self) -> list[str]:
        """For an operator's eyes."""
        said = [
            "Restored: " + (_words(self.restored) or "nothing"),
            "Blocks walked: " + (_words(self.blocks) or "none"),
        ]
        if self.erased:
            said.append(f"Erased: {self.erased} blocks or leaves whose key is gone; they stay unreadable")
        if self.in_doubt:
            said.append(f"In doubt: {len(self.in_doubt)} versions were stored and nothing proves whether they were")
            said.append("acknowledged; they are back and will be anchored:")
            said += [f"  {one}" for one in self.in_doubt]
        if self.dropped:
            said.append("Never acknowledged, left out: " + _words(self.dropped))
        said += [f"Audit of writer {writer} reaches to {until}" for writer, until in sorted(self.audit_until.items())]
        said += self.notes
        if self.damaged:
            said.append(f"Left alone: {len(self.damaged)} pinned blocks are damaged or forged:")
            said += [f"  {one}" for one in self.damaged]
        if self.lost:
            said.append(f"LOST: {len(self.lost)} things that the chain names are not there:")
            said += [f"  {one}" for one in self.lost]
        return [*said, "Not recovered by any rebuild: " + "; ".join(NOT_RECOVERED)]


NOT_RECOVERED = (
    "sessions, sign-in challenges and linked identities (sign in, and link, again)",
    "audit entries younger than one batch (the log's next entry declares the gap)",
    "what was ended while IPFS and chain were both away, unless one of them came back before the fire",
    "intended calls that were not on chain yet, but for what a patient ended or denied, which is relayed again",
)


def _counts(counter: Mapping[str, int]) -> dict[str, jsontext.JsonValue]:
    return dict(sorted(counter.items()))


def _words(counter: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counter.items()))
