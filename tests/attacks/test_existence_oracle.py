"""What is refused and what is absent cannot be told apart: the same words, and times that many probes do not part.

The figure is the area under the ROC curve of a prober who looks at the time alone: 0.5 knows nothing. Requests of both
kinds are interleaved at random, so what else the machine does falls on both alike.
"""

import base64
import random
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.journeys import documents
from tests.journeys.people import Door, Person
from tests.journeys.resources import observation
from tests.journeys.sites import running_site

SEED = 20_261_123
PROBES = 500
"""Of each kind; the release form takes 3,000."""
LEAST, MOST = 0.45, 0.55


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Records and patients whom `prober` may not see, and names in their form that nobody has. `narrow`: may read one
    other record of the same patients."""

    prober: Person
    narrow: Person
    records: tuple[str, ...]
    patients: tuple[str, ...]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder: Path = tmp_path_factory.mktemp("oracle")
    with running_site(folder) as site:
        prober, narrow = site.crowd.clinician(), site.crowd.clinician()
        patients = [site.crowd.patient() for _ in range(4)]
        records = []
        for patient in patients:
            one = patient.store(observation())
            patient.consent(narrow.id, recordIds=[one])
            records += [patient.store(observation(value=str(at)), labels=["HIV"]) for at in range(8)]
        yield Ground(prober=prober, narrow=narrow, records=tuple(records), patients=tuple(one.id for one in patients))


def absent(kind: str, size: int, count: int) -> list[str]:
    """Global ids in their right form that nobody was ever given."""
    made = [f"{kind}:".encode() + secrets.token_bytes(size) for _ in range(count)]
    return [base64.urlsafe_b64encode(one).decode().rstrip("=") for one in made]


def auc(low: list[float], high: list[float]) -> float:
    """The chance that one of `high` is greater than one of `low` (Mann and Whitney's U over its most); ties half."""
    ranked = sorted([(value, 0) for value in low] + [(value, 1) for value in high])
    ranks, at = 0.0, 0
    while at < len(ranked):
        end = at
        while end < len(ranked) and ranked[end][0] == ranked[at][0]:
            end += 1
        ranks += sum(kind for _, kind in ranked[at:end]) * (at + 1 + end) / 2
        at = end
    return (ranks - len(high) * (len(high) + 1) / 2) / (len(high) * len(low))


def probed(door: Door, token: str, document: str, there: list[str], gone: list[str]) -> tuple[float, set[str]]:
    """(AUC, the distinct answers less the names that are random in each)."""
    chance = random.Random(SEED)
    asked = [(0, chance.choice(there)) for _ in range(PROBES)] + [(1, chance.choice(gone)) for _ in range(PROBES)]
    chance.shuffle(asked)
    for _, id in asked[:100]:
        door.ask(document, {"id": id}, token=token)
    times: tuple[list[float], list[float]] = ([], [])
    answers: set[str] = set()
    for kind, id in asked:
        began = time.perf_counter()
        answer = door.ask(document, {"id": id}, token=token)
        times[kind].append(time.perf_counter() - began)
        assert answer.code in {"", "NOT_PERMITTED"}, str(answer)
        answers.add(_plain(answer.text))
    return auc(times[0], times[1]), answers


def _plain(text: str) -> str:
    """An answer without its decision's name, which is random in each."""
    head, _, rest = text.partition('"decisionId":"')
    return head + rest.partition('"')[2] if rest else text


def test_the_measure_finds_half_a_millisecond() -> None:
    chance = random.Random(SEED)
    low = [chance.gauss(3.0, 0.2) for _ in range(PROBES)]
    assert auc(low, [chance.gauss(3.5, 0.2) for _ in range(PROBES)]) > 0.9
    assert LEAST <= auc(low, [chance.gauss(3.0, 0.2) for _ in range(PROBES)]) <= MOST


PATHS: list[tuple[str, str, Callable[[Ground], tuple[Person, list[str], list[str]]]]] = [
    ("record", documents.READ, lambda g: (g.prober, list(g.records), absent("Record", 16, 32))),
    ("node", documents.NODE, lambda g: (g.prober, list(g.records), absent("Record", 16, 32))),
    ("narrow", documents.READ, lambda g: (g.narrow, list(g.records), absent("Record", 16, 32))),
    ("patient", documents.RECORDS, lambda g: (g.prober, list(g.patients), absent("Patient", 32, 4))),
]


@pytest.mark.parametrize("path", PATHS, ids=[name for name, _, _ in PATHS])
def test_what_is_forbidden_and_what_is_absent_are_one(ground: Ground, path: tuple[str, str, object]) -> None:
    _, document, choose = path
    who, there, gone = choose(ground)  # type: ignore[operator]
    found, answers = probed(ground.prober.door, who.token, document, there, gone)
    assert len(answers) == 1, answers
    if not LEAST <= found <= MOST:  # once more: one burst of other work is no oracle, the same burst twice is
        found, _ = probed(ground.prober.door, who.token, document, there, gone)
    print(f"AUC {found:.3f}")
    assert LEAST <= found <= MOST, f"AUC {found:.3f}"
