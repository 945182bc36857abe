"""The database burns under a study: its records are back under their keys, with their versions, reasons and tokens, and
are decided in the study as before."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

from gateway.consent.model import Purpose
from gateway.errors import DeniedError
from gateway.ids import RecordId
from gateway.records.model import RecordFilter, RecordOrder, Released, StoredRecord
from gateway.slices import Slice
from tests.attacks.inside import Somebody, sign_in
from tests.attacks.studies import PATIENCE
from tests.attacks.trial_site import STUDY, Entered, Trial, trial_site
from tests.journeys.gateway_process import run_command
from tests.journeys.resources import LOINC, SYSTOLIC, bundle, observation

TABLES = ("records", "versions", "tokens", "idempotency")


async def test_records_of_a_study_come_back(tmp_path: Path) -> None:
    async with trial_site(tmp_path) as trial:
        owner, subject = await trial.enrolled()
        ordinary = await trial.world.store(owner, subject, observation())
        entered = Entered(trial=trial, subject=subject)
        both: Any = await trial.bundle(
            "investigator", subject, bundle(observation(), observation()), idempotency_key="one", appendix=entered
        )
        record = both[0].record
        amended = await trial.amend("coordinator", record, observation(value="131"), reason="read off wrongly")
        assert isinstance(amended, StoredRecord), amended
        await until_anchored(trial, [record, both[1].record])
    before = {table: rows(tmp_path, table) for table in TABLES}
    for path in tmp_path.glob("index.db*"):
        path.unlink()
    settings = {"DATA_DIR": str(tmp_path)}
    for command in ("rebuild", "verify"):
        code, said = run_command(command, settings=settings, seconds=120)
        assert code == 0, said
    assert {table: rows(tmp_path, table) for table in TABLES} == before
    async with trial_site(tmp_path, trial) as again:
        found = await again.read("monitor", record)
        assert isinstance(found, Released), found
        assert (found.version, b'"value":131' in found.content) == (2, True)
        assert isinstance(await again.read("monitor", record, study=None), DeniedError)
        assert isinstance(await again.read("monitor", ordinary), DeniedError)
        assert isinstance(await again.read("elsewhere", record), DeniedError)
        reading = again.world.gateway.records._reading
        row = await reading._index.head(record)
        assert row is not None
        facts = (await reading._opening.find(row)).known.facts
        assert (facts.study, facts.reason) == (STUDY, "read off wrongly")
        patient = await sign_in(again.world.gateway, owner.wallet)
        assert await shown(again, patient, subject) == [ordinary, record, both[1].record]
        repeated: Any = await again.bundle(
            "investigator", subject, bundle(observation(), observation()), idempotency_key="one"
        )
        assert [one.record for one in repeated] == [one.record for one in both]
        assert isinstance(await again.amend("investigator", both[1].record, observation(value="9")), StoredRecord)


async def until_anchored(trial: Trial, records: list[RecordId]) -> None:
    async with asyncio.timeout(PATIENCE):
        for record in records:
            while True:
                found = await trial.read("monitor", record)
                assert isinstance(found, Released)
                if found.anchor.proof is not None:
                    break
                await asyncio.sleep(0.1)


async def shown(trial: Trial, who: Somebody, subject: Any) -> list[RecordId]:
    """By the tokens of the patient's own key, and of the study's."""
    page = await trial.world.gateway.records.page(
        await trial.caller(who),
        subject,
        purpose=Purpose.PATRQT,
        filter=RecordFilter(code=f"{LOINC}|{SYSTOLIC}"),
        order=RecordOrder.ARRIVAL,
        part=Slice(size=9),
    )
    return [one.record for one in page.items]


def rows(folder: Path, table: str) -> list[Any]:
    with sqlite3.connect(folder / "index.db") as index:
        return sorted(index.execute(f"select * from {table}").fetchall())
