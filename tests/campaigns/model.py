"""What is asked of a campaign and what it reports. A report is met only if each of its figures is."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`rounds`: how often the campaign's step is done; `servers`: "embedded" or "real"; `folder`: all is kept below.
    `say` tells of progress."""

    rounds: int
    seed: int
    servers: str
    folder: Path
    say: Say = lambda text: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured thing. `demand`: in words, empty where nothing is demanded of it."""

    name: str
    value: str
    demand: str = ""
    met: bool = True
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`plan` and `history`: hex digests of what was to be done and of every verdict; equal when a seed is replayed."""

    bar: str
    asked: Asked
    figures: tuple[Figure, ...]
    plan: str = ""
    history: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = field(default=())

    @property
    def met(self) -> bool:
        return all(figure.met for figure in self.figures)


def none_of(name: str, found: Sequence[object]) -> Figure:
    """A figure that must be 0; some of what was found stands beside it."""
    return Figure(
        name=name, value=str(len(found)), demand="0", met=not found, examples=tuple(str(one) for one in found[:3])
    )


def at_least(name: str, value: float, least: float) -> Figure:
    return Figure(name=name, value=f"{value:,.10g}", demand=f">= {least:,.10g}", met=value >= least)


def at_most(name: str, value: float, most: float) -> Figure:
    return Figure(name=name, value=f"{value:,.10g}", demand=f"<= {most:,.10g}", met=value <= most)


def told(name: str, value: object) -> Figure:
    """A figure of which nothing is demanded."""
    return Figure(name=name, value=str(value))


def digest_of(lines: Iterable[object]) -> str:
    """SHA-256 (hex) over one JSON line for each value."""
    whole = hashlib.sha256()
    for line in lines:
        whole.update(json.dumps(line, sort_keys=True).encode() + b"\n")
    return whole.hexdigest()
