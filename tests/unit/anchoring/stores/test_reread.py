"""What is asked again and again is read again whenever anything was committed, by whomever, and only then."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from anchoring.stores.commits import Commits
from anchoring.stores.database import Database

_WRITE = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('insert into seen values (1)'); c.commit()"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """In a folder whose name a URI would read otherwise."""
    (tmp_path / "a # b").mkdir()
    path = tmp_path / "a # b" / "index.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode=wal")
    connection.execute("create table seen(n integer)")
    connection.close()
    return path


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{path}")
    yield opened
    opened.close()


class Counted:
    """How many rows there are, and how often that was read."""

    def __init__(self) -> None:
        self.reads = 0

    def __call__(self, connection: Connection) -> int:
        self.reads += 1
        return int(connection.execute(text("select count(*) from seen")).scalar_one())


def add(connection: Connection) -> None:
    connection.execute(text("insert into seen values (1)"))


async def test_what_nobody_changed_is_not_read_again(database: Database) -> None:
    rows = Counted()
    assert [await database.reread("rows", rows) for _ in range(20)] == [0] * 20
    assert rows.reads == 1


async def test_what_one_wrote_oneself_is_read_again(database: Database) -> None:
    rows = Counted()
    for expected in range(4):
        assert await database.reread("rows", rows) == expected
        await database.write(add)


async def test_what_another_process_committed_is_read_again(database: Database, path: Path) -> None:
    rows = Counted()
    for expected in range(3):
        assert await database.reread("rows", rows) == expected
        await asyncio.to_thread(subprocess.run, [sys.executable, "-c", _WRITE, str(path)], check=True)


async def test_what_is_not_committed_yet_is_not_there_and_then_is(database: Database, path: Path) -> None:
    rows, writer = Counted(), sqlite3.connect(path, isolation_level=None)
    assert await database.reread("rows", rows) == 0
    writer.execute("begin immediate")
    writer.execute("insert into seen values (1)")
    assert await database.reread("rows", rows) == 0
    writer.execute("commit")
    assert await database.reread("rows", rows) == 1
    writer.close()


async def test_what_is_committed_while_it_is_read_is_read_the_next_time(database: Database, path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slowly(connection: Connection) -> int:
        found = Counted()(connection)
        begun.set()
        go_on.wait(10)
        return found

    reading = asyncio.create_task(database.reread("rows", slowly))
    await asyncio.to_thread(begun.wait, 10)
    writer = sqlite3.connect(path)
    writer.execute("insert into seen values (1)")
    writer.commit()
    writer.close()
    go_on.set()
    assert await reading == 0
    assert await database.reread("rows", Counted()) == 1


async def test_no_commit_is_missed_however_they_come(database: Database, path: Path) -> None:
    """Each answer has at least what was committed before it was asked for."""
    committed, stop = [0], threading.Event()

    def write() -> None:
        writer = sqlite3.connect(path, isolation_level=None, timeout=10)
        while not stop.is_set() and committed[0] < 2_000:
            writer.execute("insert into seen values (1)")
            committed[0] += 1
        writer.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(300):
            before = committed[0]
            assert await database.reread("rows", Counted()) >= before
    finally:
        stop.set()
        thread.join()
    assert await database.reread("rows", Counted()) == committed[0]


async def test_each_question_has_its_own_answer(database: Database) -> None:
    await database.write(add)
    assert await database.reread("rows", Counted()) == 1
    assert await database.reread("none", lambda connection: 0) == 0
    assert await database.reread("rows", Counted()) == 1


async def test_what_could_not_be_read_is_no_answer(database: Database) -> None:
    def fails(connection: Connection) -> int:
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        await database.reread("rows", fails)
    assert await database.reread("rows", Counted()) == 0


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.write_bytes(b"no database" * 400)])
def test_where_nothing_can_be_told_it_says_so(tmp_path: Path, make: Callable[[Path], object]) -> None:
    path = tmp_path / "chain.db"
    make(path)
    assert Commits(str(path)).count() is None
    assert (not path.exists()) or path.read_bytes().startswith(b"no database")


def test_a_database_that_comes_later_is_told_of_then(path: Path) -> None:
    later = path.with_name("later %41?.db")
    commits = Commits(str(later))
    assert commits.count() is None
    path.rename(later)
    assert commits.count() == commits.count() is not None
    commits.close()


def test_looking_keeps_nobody_from_writing(path: Path) -> None:
    commits, writer = Commits(str(path)), sqlite3.connect(path, isolation_level=None, timeout=0)
    before = commits.count()
    writer.execute("insert into seen values (1)")
    assert writer.execute("pragma wal_checkpoint(truncate)").fetchone()[0] == 0
    assert commits.count() != before
    commits.close()
    writer.close()
    assert not path.with_name("index.db-wal").exists()
