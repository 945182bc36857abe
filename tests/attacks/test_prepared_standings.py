"""Standings that are loaded many at once stand on the chain as those that are loaded alone."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.consent.standing import Standings
from gateway.errors import IntegrityError, UpstreamError
from gateway.identity.model import Role
from gateway.ids import SubjectId
from tests.attacks.inside import Inside, inside, settled

COUNT = 5


async def _patients(at: Inside) -> tuple[Standings, list[SubjectId]]:
    found = []
    for _ in range(COUNT):
        who = await at.person(Role.PATIENT)
        found.append(await settled(lambda who=who: at.patient(who)))
    at.forget()
    return at.gateway._standings, found


async def test_the_chain_is_asked_once_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with inside(tmp_path) as at:
        standings, subjects = await _patients(at)
        asked: list[int] = []
        states = standings._chain.subject_states

        async def counted(some: Sequence[bytes]) -> tuple[tuple[int, int], ...]:
            asked.append(len(some))
            return await states(some)

        monkeypatch.setattr(standings._chain, "subject_states", counted)
        await standings.prepare([*subjects, SubjectId(b"n" * 32)])
        assert asked == [COUNT]
        for subject in subjects:
            standing = await standings.of(subject)
            assert standing is not None
            assert not standing.epochs.stale
        assert asked == [COUNT]


@pytest.mark.parametrize("change", ["log_index = log_index + 7", "args = args || ' ]'"])
async def test_one_whose_events_were_changed_hinders_nobody(tmp_path: Path, change: str) -> None:
    async with inside(tmp_path) as at:
        standings, subjects = await _patients(at)
        with sqlite3.connect(tmp_path / "index.db") as index:
            sql = f"update chain_events set {change} where key1 = ?"
            assert index.execute(sql, (subjects[2],)).rowcount
        await standings.prepare(subjects)
        found = []
        for subject in subjects:
            with contextlib.suppress(IntegrityError):
                standing = await standings.of(subject)
                if standing is not None and not standing.epochs.stale:
                    found.append(subject)
        assert found == [*subjects[:2], *subjects[3:]]


async def test_a_chain_that_does_not_answer_leaves_all_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with inside(tmp_path) as at:
        standings, subjects = await _patients(at)

        async def away(_: Sequence[bytes]) -> tuple[tuple[int, int], ...]:
            raise UpstreamError("away")

        monkeypatch.setattr(standings._chain, "subject_states", away)
        await standings.prepare(subjects)
        assert [standings.held(subject) for subject in subjects] == [None] * COUNT
        found = [await standings.of(subject) for subject in subjects]
        assert all(one is not None and one.epochs.stale for one in found)


async def test_what_moved_while_it_was_loaded_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with inside(tmp_path) as at:
        standings, subjects = await _patients(at)
        states = standings._chain.subject_states

        async def slowly(some: Sequence[bytes]) -> tuple[tuple[int, int], ...]:
            await asyncio.sleep(0.05)
            return await states(some)

        monkeypatch.setattr(standings._chain, "subject_states", slowly)
        loading = asyncio.create_task(standings.prepare(subjects))
        await asyncio.sleep(0.03)
        standings.forget(subjects[1])
        await loading
        assert [standings.held(subject) is None for subject in subjects] == [False, True, False, False, False]
