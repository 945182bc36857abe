"""The database burns under a study: its journal is back with every proof, and goes on; whoever was erased stays so."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

from anchoring.model import LEAF_ENCODING, LogKind
from gateway.identity.model import Role
from gateway.ids import SubjectId
from gateway.ports.rows import ErasureState
from gateway.trials.journal import Entry
from tests.attacks.inside import Inside, Somebody, inside
from tests.attacks.studies import PATIENCE, STUDY, anchored, append, captured, journal_of
from tests.journeys.gateway_process import run_command

ROWS = "select study, number, kind, about, entry, digest from study_entries order by study, number"


async def test_a_journal_comes_back(tmp_path: Path) -> None:
    async with inside(tmp_path) as running:
        sponsor = running.registrar.actor
        leaving = await running.person(Role.PATIENT)
        gone, stays = await running.patient(leaving), await running.patient(await running.person(Role.PATIENT))
        await append(running, sponsor, [captured(at, one) for at, one in enumerate((None, stays, gone, gone))])
        await asyncio.gather(*(append(running, sponsor, [captured(10 + at, stays)]) for at in range(4)))
        before = await anchored(running)
        await erased(running, leaving, gone)
        await append(running, sponsor, [captured(20, stays)])
    rows = all_rows(tmp_path)
    for path in tmp_path.glob("index.db*"):
        path.unlink()
    settings = {"DATA_DIR": str(tmp_path)}
    code, said = run_command("rebuild", settings=settings, seconds=120)
    assert code == 0, said
    assert "2 entries of studies are of a key that is gone" in said
    code, said = run_command("verify", settings=settings, seconds=120)
    assert code == 0, said
    assert all_rows(tmp_path) == rows
    async with inside(tmp_path) as running:
        head = await append(running, running.registrar.actor, [captured(30, stays)])
        assert head.number == len(rows)
        after = await anchored(running)
        assert [chain(one) for one in after[: len(before)]] == [chain(one) for one in before]
        assert [one.number for one in after if one.is_erased] == [2, 3]
        journal = journal_of(running)
        assert [one.number for one in await journal.read(STUDY, limit=9, subject=gone)] == [2, 3]
        states = await journal.anchored(STUDY, after)
        for one, state in zip(after, states, strict=True):
            assert state.proof is not None
            assert state.proof.leaf_encoding == LEAF_ENCODING[LogKind.STUDIES]
            assert state.proof.leaf_values == (STUDY, one.number.to_bytes(4, "big"), one.entry, one.previous)


def chain(one: Entry) -> tuple[object, ...]:
    """What an erasure leaves of an entry."""
    return one.number, one.kind, one.entry, one.previous


def all_rows(folder: Path) -> list[Any]:
    with sqlite3.connect(folder / "index.db") as index:
        return index.execute(ROWS).fetchall()


async def erased(running: Inside, who: Somebody, subject: SubjectId) -> None:
    """Signed, and carried out to its certificate."""
    caller = await running.caller(who)
    assert caller is not None
    erasures = running.gateway.erasures
    draft = await erasures.draft_erasure(caller, subject=subject)
    signature = bytes.fromhex(who.wallet.sign_typed_data(draft.typed_data)[2:])
    await erasures.erase_patient(caller, typed_data=draft.typed_data, signature=signature)
    index = running.gateway.releases._papers._index
    async with asyncio.timeout(PATIENCE):
        while True:
            row = await index.erasure(subject)
            if row is not None and row.state in (ErasureState.CERTIFIED, ErasureState.FINAL):
                return
            await asyncio.sleep(0.1)
