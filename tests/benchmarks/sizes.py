"""Latency while the index grows: a read, a page and a filtered page, among ever more records of other patients.

The bar: from 10,000 records to 1,000,000 each grows by at most 1.3 times. Other patients' rows are written straight
into the index, shaped as those that are there (a version, its search tokens and its leaf's ticket each): only their
blocks are missing, which nobody asks for.
"""

import os
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.benchmarks.reads import Load, Shape, job_of
from tests.benchmarks.servers import Served

PATIENT_HAS = 1_000
CONNECTIONS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """Milliseconds of each shape among so many records: median and 99th percentile, medians of the rounds."""

    records: int
    p50: Mapping[str, float]
    p99: Mapping[str, float]


def grow_and_read(
    load: Load,
    shapes: Sequence[Shape],
    *,
    served: Served,
    token: str,
    index: Path,
    sizes: Sequence[int],
    rounds: int,
    seconds: float,
) -> dict[str, object]:
    """Figures at each size, and how many times the first size's the last one's median is."""
    found: list[Sized] = []
    for size in sizes:
        _grow(index, upto=size)
        found.append(_read(load, shapes, served=served, token=token, records=size, rounds=rounds, seconds=seconds))
    grown = {name: round(found[-1].p50[name] / found[0].p50[name], 2) for name in found[0].p50}
    return {
        "sizes": [
            {"records": one.records, "p50Milliseconds": dict(one.p50), "p99Milliseconds": dict(one.p99)}
            for one in found
        ],
        "medianGrown": grown,
    }


def _read(
    load: Load, shapes: Sequence[Shape], *, served: Served, token: str, records: int, rounds: int, seconds: float
) -> Sized:
    """The shapes in turns."""
    jobs = {shape.name: job_of(shape, served, token, CONNECTIONS) for shape in shapes}
    for job in jobs.values():
        load.run(job(seconds / 2))
    taken = {name: [load.run(job(seconds)) for _ in range(rounds)] for name, job in jobs.items()}
    return Sized(
        records=records,
        p50={name: round(median(one.p50 for one in some), 2) for name, some in taken.items()},
        p99={name: round(median(one.p99 for one in some), 2) for name, some in taken.items()},
    )


def _grow(index: Path, *, upto: int) -> None:
    """A patient a transaction; the gateway goes on meanwhile."""
    connection = sqlite3.connect(index, isolation_level=None, timeout=30.0)
    try:
        connection.execute("pragma synchronous = off")
        (has,) = connection.execute("select count(*) from records").fetchone()
        like = _Alike(connection)
        while has < upto:
            count = min(PATIENT_HAS, upto - has)
            like.add(connection, count)
            has += count
        connection.execute("pragma optimize")
    finally:
        connection.close()


class _Alike:
    """What rows look like here."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.tokens, records = connection.execute("select count(*), count(distinct record) from tokens").fetchone()
        self.tokens = round(self.tokens / records)
        (self.token_octets,) = connection.execute("select length(token) from tokens limit 1").fetchone()
        self.ticket = connection.execute(
            "select log, length(values_), length(cid_digest), length(locator), batch from tickets"
            " where batch is not null order by seq limit 1"
        ).fetchone()

    def add(self, connection: sqlite3.Connection, count: int) -> None:
        subject = os.urandom(32)
        rows = [(os.urandom(16), os.urandom(32)) for _ in range(count)]
        log, values, cid, locator, batch = self.ticket
        connection.execute("begin immediate")
        connection.executemany(
            "insert into records (record, subject, version, digest, tree) values (?, ?, 1, ?, 0)",
            [(record, subject, digest) for record, digest in rows],
        )
        connection.executemany("insert into versions (record, version, digest, tree) values (?, 1, ?, 0)", rows)
        connection.executemany(
            "insert into tokens (token, record) values (?, ?)",
            [(os.urandom(self.token_octets), record) for record, _ in rows for _ in range(self.tokens)],
        )
        connection.executemany(
            "insert into tickets (log, leaf, values_, cid_digest, locator, batch) values (?, ?, ?, ?, ?, ?)",
            [
                (log, os.urandom(32), os.urandom(values), os.urandom(cid), os.urandom(locator), batch)
                for _ in range(count)
            ],
        )
        connection.execute("commit")
