"""What a run counts: for each bundle, how many of its resources passed each step, how long it took, what was wrong."""

import re
from dataclasses import dataclass, field

from gateway.jsontext import JsonValue, Num

MOST_PROBLEMS = 50
"""Problems kept of one bundle; the rest are counted."""
TITLE_CHARACTERS = 18
_ENDING = re.compile(r"(\.json|\.ndjson)?(\.gz)?$")


@dataclass(slots=True, kw_only=True)
class LogRow:
    """Neighbouring entries of the patient's access log that say the same; `at`: when the newest was."""

    at: str
    who: str
    what: str
    outcome: str
    times: int


@dataclass(slots=True, kw_only=True)
class Tally:
    """One bundle. In a good run every count of resources equals `resources`. `refusal_ms`: from the return of
    revokeConsent to the first refusal. `durations`: step -> seconds."""

    bundle: str
    resources: int
    note: str = ""
    stored: int = 0
    read_back: int = 0
    refused_to_stranger: int = 0
    proofs_checked: int = 0
    refused_after_revocation: int = 0
    access_log: int = 0
    refusal_ms: float | None = None
    statement: str = ""
    last_rows: list[LogRow] = field(default_factory=list)
    durations: dict[str, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    problem_count: int = 0
    finished: bool = False

    def fail(self, problem: str) -> None:
        """Notes that something was not as it must be."""
        self.problem_count += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)

    @property
    def title(self) -> str:
        """The bundle's name, short enough for a line."""
        bare = _ENDING.sub("", self.bundle)
        return bare if len(bare) <= TITLE_CHARACTERS else bare[: TITLE_CHARACTERS - 1] + "…"

    @property
    def counts(self) -> tuple[int, ...]:
        return (
            self.stored,
            self.read_back,
            self.refused_to_stranger,
            self.proofs_checked,
            self.refused_after_revocation,
        )

    @property
    def ok(self) -> bool:
        return self.finished and not self.problem_count and all(count == self.resources for count in self.counts)

    def to_json(self) -> dict[str, JsonValue]:
        return {
            "bundle": self.bundle,
            "note": self.note or None,
            "resources": self.resources,
            "stored": self.stored,
            "readBack": self.read_back,
            "refusedToStranger": self.refused_to_stranger,
            "proofsChecked": self.proofs_checked,
            "refusedAfterRevocation": self.refused_after_revocation,
            "accessLog": self.access_log,
            "refusalMilliseconds": None if self.refusal_ms is None else _number(self.refusal_ms),
            "durations": {name: _number(seconds) for name, seconds in self.durations.items()},
            "ok": self.ok,
            "problems": [*self.problems],
            "problemCount": self.problem_count,
        }


def _number(value: float) -> Num:
    return Num(f"{value:.3f}")
