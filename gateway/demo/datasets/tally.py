"""What a run counts: steps with their seconds, what went in, what came out, what was wrong."""

from dataclasses import dataclass, field

from gateway.demo.tally import MOST_PROBLEMS
from gateway.jsontext import JsonValue, Num


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`seconds`: also of a step that failed."""

    name: str
    ok: bool
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMade:
    """A file of a table, opened. `path`: where it lies, below the folder of the run."""

    path: str
    table: str
    rows: int
    octets: int

    def to_json(self) -> dict[str, JsonValue]:
        return {"path": self.path, "table": self.table, "rows": self.rows, "octets": self.octets}


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionMade:
    """`anonymity`: as its manifest has it."""

    edition: int
    people: int
    anonymity: dict[str, JsonValue]
    files: tuple[TableMade, ...]

    def to_json(self) -> dict[str, JsonValue]:
        return {
            "edition": self.edition,
            "people": self.people,
            "anonymity": self.anonymity,
            "files": [one.to_json() for one in self.files],
        }


@dataclass(slots=True, kw_only=True)
class Tally:
    """`resources` went in of `patients`, of whom `consented` gave a research consent. `files`: those that lie in the
    folder at the end. `tombstone`: of the patient who withdrew."""

    title: str
    patients: int
    resources: int
    imported: int = 0
    consented: int = 0
    id: str | None = None
    profile: str = ""
    departures: list[str] = field(default_factory=list)
    warning: str = ""
    state: str = ""
    edition: int = 0
    failed: list[str] = field(default_factory=list)
    editions: list[EditionMade] = field(default_factory=list)
    files: tuple[TableMade, ...] = ()
    tombstone: str | None = None
    durations: dict[str, float] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    problem_count: int = 0
    finished: bool = False

    def fail(self, problem: str) -> None:
        """Notes that something was not as it must be."""
        self.problem_count += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)

    @property
    def ok(self) -> bool:
        return self.finished and not self.problem_count and all(step.ok for step in self.steps)

    @property
    def import_rate(self) -> float | None:
        """Resources a second."""
        seconds = self.durations.get("import", 0.0)
        return self.imported / seconds if seconds else None

    def to_json(self) -> dict[str, JsonValue]:
        return {
            "patients": self.patients,
            "resources": self.resources,
            "imported": self.imported,
            "consented": self.consented,
            "dataset": {
                "id": self.id,
                "title": self.title,
                "profile": self.profile,
                "departures": [*self.departures],
                "state": self.state,
                "edition": self.edition,
                "failed": [*self.failed],
            },
            "warning": self.warning or None,
            "steps": [{"name": one.name, "ok": one.ok, "seconds": _number(one.seconds)} for one in self.steps],
            "editions": [one.to_json() for one in self.editions],
            "files": [one.to_json() for one in self.files],
            "anonymity": self.editions[-1].anonymity if self.editions else None,
            "tombstone": self.tombstone,
            "rates": {
                "resourcesPerSecond": _number(self.import_rate),
                "buildSeconds": _number(self.durations.get("build")),
            },
            "ok": self.ok,
            "problems": [*self.problems],
            "problemCount": self.problem_count,
        }


def _number(value: float | None) -> Num | None:
    return None if value is None else Num(f"{value:.3f}")
