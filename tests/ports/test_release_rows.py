"""Rows of releases and of privacy budgets, in every index: moved by whoever still sees what they saw, spent once."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.adapters.sql.index import SqlIndex
from gateway.errors import ConflictError
from gateway.ports.releases import (
    AnswerRow,
    BudgetRaised,
    BudgetRow,
    BudgetSpent,
    ReleaseMoved,
    ReleasePaper,
    ReleasePaperRow,
    ReleasePeopleRow,
    ReleaseRow,
    ReleaseSegmentRow,
    ReleaseSegmentsGone,
    ReleaseStage,
)
from gateway.ports.rows import UnpinnedRow
from tests.ports.databases import query


def some(size: int = 32) -> bytes:
    return secrets.token_bytes(size)


def asked(requester: bytes = b"r" * 16) -> ReleaseRow:
    return ReleaseRow(release=some(16), requester=requester)


async def test_a_release_is_found_and_listed_newest_first(index: SqlIndex) -> None:
    rows = [asked() for _ in range(3)]
    other = asked(some(16))
    for row in (*rows, other):
        await index.apply((row,))
    found = await index.release(rows[0].release)
    assert found is not None
    assert replace(found, seq=0) == rows[0]
    mine = await index.releases(requester=b"r" * 16, limit=2)
    assert [one.release for one in mine] == [rows[2].release, rows[1].release]
    rest = await index.releases(requester=b"r" * 16, before=mine[-1].seq, limit=2)
    assert [one.release for one in rest] == [rows[0].release]
    back = await index.releases(requester=None, after=rest[0].seq, limit=2, backwards=True)
    assert [one.release for one in back] == [rows[1].release, rows[2].release]
    assert await index.releases(requester=None, stages=(ReleaseStage.BUILDING,), limit=9) == ()
    assert await index.release(some(16)) is None


@pytest.mark.parametrize(
    "changed",
    [{"stage": ReleaseStage.BUILDING}, {"edition": 1}, {"cursor": b"c" * 32}, {"builder": b"b" * 32}],
)
async def test_what_moved_meanwhile_is_moved_by_nobody_else(
    replica: Callable[[], SqlIndex], changed: dict[str, object]
) -> None:
    one, other = replica(), replica()
    row = asked()
    await one.apply((row,))
    await one.apply((ReleaseMoved(before=row, row=replace(row, **changed)),))
    with pytest.raises(ConflictError):
        await other.apply((ReleaseMoved(before=row, row=replace(row, stage=ReleaseStage.CANCELLED)),))
    # All or nothing: what came with it is not there either.
    segment = ReleaseSegmentRow(release=row.release, number=0, root=b"root")
    with pytest.raises(ConflictError):
        await other.apply((segment, ReleaseMoved(before=row, row=row)))
    assert await other.release_segments(row.release) == ()


async def test_papers_and_segments_keep_their_order_and_place(index: SqlIndex) -> None:
    release = some(16)
    papers = [
        ReleasePaperRow(release=release, number=number, kind=kind, digest=some())
        for number, kind in enumerate((ReleasePaper.REQUEST, ReleasePaper.DECISION))
    ]
    await index.apply((papers[1], papers[0], ReleaseSegmentRow(release=release, number=1, root=b"b")))
    await index.apply((ReleaseSegmentRow(release=release, number=0, root=b"a"),))
    assert await index.release_papers(release) == tuple(papers)
    assert await index.release_segments(release) == ((0, b"a"), (1, b"b"))
    with pytest.raises(ConflictError):
        await index.apply((papers[0],))
    await index.apply((ReleaseSegmentsGone(release=release),))
    assert await index.release_segments(release) == ()
    people = ReleasePeopleRow(release=release, edition=1, sealed=b"sealed")
    await index.apply((people,))
    assert await index.release_people(but=some(16)) == (b"sealed",)
    assert await index.release_people(but=release) == ()


async def test_a_block_that_waits_is_found_by_its_name(index: SqlIndex) -> None:
    waiting = UnpinnedRow(digest=some(), block=b"sealed")
    await index.apply((waiting,))
    assert await index.unpinned_block(waiting.digest) == waiting
    assert await index.unpinned_block(some()) is None


async def test_everybody_who_was_enrolled_is_found_in_order(index: SqlIndex, url: str) -> None:
    names = sorted(some() for _ in range(3))
    for number, name in enumerate((*names, names[0])):
        literal, place = (
            f"x'{value.hex()}'" if url.startswith("sqlite") else f"'\\x{value.hex()}'" for value in (name, some())
        )
        query(
            url,
            "insert into chain_events (block_hash, log_index, block_number, contract, name, key1, args,"
            f" \"transaction\", orphaned_at) values ({place}, {number}, 1, 'IdentityRegistry', 'SubjectEnrolled',"
            f" {literal}, '{{}}', {place}, {7 if number == 2 else 'null'}) returning block_number",
        )
    assert await index.subjects(after=b"", limit=9) == tuple(names[:2])
    assert await index.subjects(after=names[0], limit=9) == (names[1],)
    assert await index.subjects(after=b"", limit=1) == (names[0],)


async def test_a_budget_is_never_overspent(replica: Callable[[], SqlIndex]) -> None:
    account, indexes = some(), [replica() for _ in range(3)]
    await indexes[0].apply((BudgetRow(account=account, limit=10, spent=0),))

    async def spent(index: SqlIndex) -> bool:
        try:
            await index.apply((BudgetSpent(account=account, amount=3),))
        except ConflictError:
            return False
        return True

    found = await asyncio.gather(*(spent(index) for index in indexes for _ in range(3)))
    assert sum(found) == 3
    assert (await indexes[0].budgets((account,)))[account].spent == 9


async def test_a_budget_is_raised_and_never_lowered(index: SqlIndex) -> None:
    account = some()
    await index.apply((BudgetRow(account=account, limit=10, spent=4),))
    await index.apply((BudgetRow(account=account, limit=99, spent=0), BudgetRaised(account=account, spent=2)))
    assert (await index.budgets((account,)))[account] == BudgetRow(account=account, limit=10, spent=4)
    await index.apply((BudgetRaised(account=account, spent=6), BudgetSpent(account=account, amount=4)))
    assert (await index.budgets((account,)))[account].spent == 10
    assert await index.budgets((some(),)) == {}


async def test_an_answer_is_kept_with_what_it_cost_or_not_at_all(index: SqlIndex) -> None:
    account, answer = some(), AnswerRow(key=some(), call=some(16), sealed=b"sealed")
    await index.apply((BudgetRow(account=account, limit=5, spent=0), BudgetSpent(account=account, amount=3), answer))
    assert await index.answer(answer.key) == answer
    with pytest.raises(ConflictError):
        await index.apply((BudgetSpent(account=account, amount=1), answer))
    assert (await index.budgets((account,)))[account].spent == 3
    other = replace(answer, key=some())
    with pytest.raises(ConflictError):
        await index.apply((BudgetSpent(account=account, amount=3), other))
    assert await index.answer(other.key) is None
