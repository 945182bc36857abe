"""What a writer of a database may do to one column of one row: another value of the same form, drawn by chance.

True here: a change is one column of one row, and is put back as it was. Values come from the neighbouring row, from
other columns of the same size, or are the value with a bit or a number changed, so that they look right.
"""

import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

Value = bytes | str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """`row`: SQLite's own number of it, or the whole of its key where the table has none."""

    table: str
    column: str
    row: int
    before: Value
    after: Value

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column} of row {self.row}"


def edits(connection: sqlite3.Connection, chance: random.Random, *, each: int) -> Iterator[Edit]:
    """Every column of up to `each` rows of every table that has some; 0: of every row."""
    pool = _pool(connection)
    for table in tables(connection):
        columns = [str(column[1]) for column in connection.execute(f'pragma table_info("{table}")')]
        rows = [row[0] for row in connection.execute(f'select rowid from "{table}" order by rowid')]
        chosen = rows if not each or len(rows) <= each else sorted(chance.sample(rows, each))
        for row in chosen:
            for column in columns:
                (before,) = connection.execute(f'select "{column}" from "{table}" where rowid = ?', (row,)).fetchone()
                beside = connection.execute(f'select "{column}" from "{table}" where rowid <> ? limit 50', (row,))
                after = other(before, [one for (one,) in beside], pool, chance)
                if after != before:
                    yield Edit(table=table, column=column, row=row, before=before, after=after)


def tables(connection: sqlite3.Connection) -> list[str]:
    """All that are the program's own."""
    sql = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by name"
    return [str(row[0]) for row in connection.execute(sql) if row[0] != "alembic_version"]


@contextmanager
def applied(connection: sqlite3.Connection, edit: Edit) -> Iterator[bool]:
    """For the length of a block. False: the database did not take it, so nothing was changed."""
    try:
        connection.execute(f'update "{edit.table}" set "{edit.column}" = ? where rowid = ?', (edit.after, edit.row))
    except sqlite3.IntegrityError:
        yield False
        return
    row = edit.row
    if isinstance(edit.before, int) and isinstance(edit.after, int):
        # An integer primary key is the row's own number.
        found = connection.execute(f'select rowid from "{edit.table}" where rowid = ?', (row,)).fetchone()
        row = edit.row if found else edit.after
    try:
        yield True
    finally:
        connection.execute(
            f'update or replace "{edit.table}" set "{edit.column}" = ? where rowid = ?', (edit.before, row)
        )


def other(before: Value, beside: Sequence[Value], pool: dict[int, list[bytes]], chance: random.Random) -> Value:
    """Another value of the same form."""
    same = [one for one in beside if one != before and type(one) is type(before)]
    if isinstance(before, bytes):
        ways = [_flipped(before, chance), *([chance.choice(same)] if same else [])]
        alike = [one for one in pool.get(len(before), []) if one != before]
        return chance.choice([*ways, *([chance.choice(alike)] if alike else [])])
    if isinstance(before, int | float):
        return chance.choice([before + 1, max(0, before - 1), before + 1000, *([chance.choice(same)] if same else [])])
    if isinstance(before, str):
        digits = [at for at, letter in enumerate(before) if letter.isdigit()]
        ways_of_text = [chance.choice(same)] if same else []
        if digits:
            at = chance.choice(digits)
            ways_of_text.append(before[:at] + str((int(before[at]) + 1) % 10) + before[at + 1 :])
        return chance.choice(ways_of_text) if ways_of_text else before + "x"
    return chance.choice([one for one in beside if one is not None] or [1])


def _flipped(value: bytes, chance: random.Random) -> bytes:
    if not value:
        return b"\x00"
    changed = bytearray(value)
    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _pool(connection: sqlite3.Connection) -> dict[int, list[bytes]]:
    """Octets of every column of every table by their length: names that stand for something elsewhere."""
    found: dict[int, list[bytes]] = {}
    for table in tables(connection):
        for row in connection.execute(f'select * from "{table}" limit 200'):
            for value in row:
                if isinstance(value, bytes) and len(value) <= 64:
                    found.setdefault(len(value), []).append(value)
    return found
