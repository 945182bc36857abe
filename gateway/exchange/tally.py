"""What a run counts: how much was there, how much was done and how long it took. Counts, names of files and of
variables; no value, and no subject."""

from dataclasses import dataclass, field

from gateway.exchange.model import Found
from gateway.jsontext import JsonValue, Num

VERSION = 1


@dataclass(slots=True, kw_only=True)
class Tally:
    """`study`: its global id. `forms`, `items`: captured in this run; `kept`: forms that were there before it."""

    study: str = ""
    title: str = ""
    state: str = ""
    subjects: int = 0
    enrolled: int = 0
    forms: int = 0
    items: int = 0
    kept: int = 0
    queries: int = 0
    tables: dict[str, int] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    findings: tuple[Found, ...] = ()
    durations: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    finished: bool = False

    @property
    def ok(self) -> bool:
        return self.finished and not self.problems

    def to_json(self) -> dict[str, JsonValue]:
        return {
            "version": VERSION,
            "ok": self.ok,
            "study": self.study or None,
            "title": self.title or None,
            "state": self.state or None,
            "subjects": self.subjects,
            "enrolled": self.enrolled,
            "forms": self.forms,
            "items": self.items,
            "kept": self.kept,
            "queries": self.queries,
            "tables": [{"name": name, "rows": rows} for name, rows in self.tables.items()],
            "files": [*self.files],
            "findings": [{"finding": one.text, "times": one.times} for one in self.findings],
            "notes": [*self.notes],
            "durations": {name: Num(f"{seconds:.3f}") for name, seconds in self.durations.items()},
            "problems": [*self.problems],
        }
