"""Rows of studies' journals, in every index: in order and once each, found by kind and by whom they are about."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.adapters.sql.index import SqlIndex
from gateway.errors import ConflictError, IntegrityError
from gateway.ports.ledger import Appended, Taken
from gateway.ports.rows import UnpinnedRow
from gateway.ports.trials import StudyEntryKind, StudyEntryRow
from tests.ports.databases import query
from tests.ports.notaries import entry, opened, some

REGISTRATION, ENROLMENT, CAPTURE, STATE = (
    StudyEntryKind.REGISTRATION,
    StudyEntryKind.ENROLMENT,
    StudyEntryKind.CAPTURE,
    StudyEntryKind.STATE,
)


def journal(study: bytes, *kinds: StudyEntryKind, about: tuple[bytes, ...] = (b"",)) -> list[StudyEntryRow]:
    """An entry of each kind, about each of `about` in turn."""
    return [
        StudyEntryRow(
            study=study, number=number, kind=kind, about=about[number % len(about)], entry=some(), digest=some()
        )
        for number, kind in enumerate(kinds)
    ]


async def test_entries_come_in_order_from_a_place_on(index: SqlIndex) -> None:
    rows = journal(some(), *[CAPTURE] * 5)
    await index.apply((*rows[3:], *rows[:3], *journal(some(), STATE)))
    study = rows[0].study
    assert await index.study_entries(study, after=-1, limit=2) == tuple(rows[:2])
    assert await index.study_entries(study, after=1, limit=9) == tuple(rows[2:])
    assert await index.study_entries(study, after=4, limit=9) == ()


async def test_entries_are_found_by_kind_and_by_whom_they_are_about(index: SqlIndex) -> None:
    one, other = some(16), some(16)
    rows = journal(some(), CAPTURE, STATE, CAPTURE, ENROLMENT, CAPTURE, about=(one, b"", other))
    await index.apply(rows)
    study = rows[0].study
    of_kinds = await index.study_entries(study, after=0, limit=9, kinds=(CAPTURE, ENROLMENT))
    assert of_kinds == (rows[2], rows[3], rows[4])
    assert await index.study_entries(study, after=-1, limit=9, about=one) == (rows[0], rows[3])
    assert await index.study_entries(study, after=-1, limit=9, kinds=(CAPTURE,), about=one) == (rows[0],)
    assert await index.study_entries(study, after=-1, limit=9, about=b"") == (rows[1], rows[4])
    assert await index.study_entries(some(), after=-1, limit=9) == ()


async def test_each_entry_is_told_with_the_one_before_it(index: SqlIndex) -> None:
    rows = journal(some(), CAPTURE, STATE, CAPTURE, STATE)
    await index.apply((rows[0], rows[1], rows[3]))
    found = await index.study_entries(rows[0].study, after=-1, limit=9)
    assert [one.previous for one in found] == [bytes(32), rows[0].entry, b""]
    (last,) = await index.study_entries(rows[0].study, after=2, limit=1, kinds=(STATE,))
    assert last.previous == b""


async def test_the_newest_entry_is_the_head(index: SqlIndex) -> None:
    rows = journal(some(), STATE, CAPTURE, STATE)
    assert await index.study_head(rows[0].study) is None
    await index.apply(rows)
    assert await index.study_head(rows[0].study) == (2, rows[2].entry)


async def test_studies_are_listed_by_name_once_each(index: SqlIndex) -> None:
    names = sorted(some() for _ in range(3))
    for name in names:
        await index.apply(journal(name, STATE, STATE))
    assert await index.studies(after=b"", limit=9) == tuple(names)
    assert await index.studies(after=names[0], limit=1) == (names[1],)
    assert await index.studies(after=names[2], limit=9) == ()


async def test_a_place_in_a_journal_is_taken_once(index: SqlIndex) -> None:
    row = journal(some(), STATE)[0]
    await index.apply((row,))
    waiting = UnpinnedRow(digest=some(), block=b"sealed")
    with pytest.raises(ConflictError):
        await index.apply((waiting, replace(row, entry=some(), digest=some())))
    assert await index.study_entries(row.study, after=-1, limit=9) == (row,)
    assert await index.unpinned_block(waiting.digest) is None


async def test_a_ledger_tells_who_comes_second_that_the_place_is_taken(url: str, tmp_path: Path) -> None:
    rows = journal(some(), REGISTRATION, STATE)
    ledger = await opened(url, tmp_path)
    try:
        assert isinstance(await ledger.append(entry(), guards=[], rows=rows), Appended)
        second = replace(rows[1], entry=some())
        assert await ledger.append(entry(), guards=[], rows=(second,)) == Taken(table="study_entries")
    finally:
        await ledger.close()
    assert query(url, "select entry from study_entries order by number") == [(row.entry,) for row in rows]


async def test_an_entry_of_no_kind_is_refused(index: SqlIndex, url: str) -> None:
    row = journal(some(), STATE)[0]
    await index.apply((row,))
    query(url, "update study_entries set kind = 99 returning kind")
    with pytest.raises(IntegrityError):
        await index.study_entries(row.study, after=-1, limit=1)
