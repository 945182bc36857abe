"""No command is a way round the decision: an operator who runs each of them on a gateway's data reads nothing of it.

Commands have the root and no caller, so none of them could be given a permit; what they print and write is searched for
what patients told, in every encoding that a file might have.
"""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import pytest
import typer.main
from typer.testing import CliRunner

from gateway.cli import app
from gateway.emergency.model import EmergencyCode, NewEmergency
from gateway.identity.model import Role
from gateway.slices import Slice
from tests.attacks.inside import Inside, inside
from tests.campaigns.canaries import hits, written
from tests.journeys.resources import observation

CANARIES: Final = ("Canary-of-a-unit", "Canary-of-a-note", "Canary-of-a-reason")
RUN: Final = (
    "verify --json {out}/verify.json",
    "backup {out}/backup",
    "blocks export {out}/blocks.car",
    "blocks import {out}/blocks.car",
    "proof questions",
    "proof period {out}/period.json",
    "settings",
    "keys rotate-epoch",
    "keys rotate-all",
    "keys rotate-log",
    "keys rotate-patient {subject}",
    "keys backup {out}/keys.backup",
    "keys rotate-root",
    "rebuild --replace --json {out}/rebuild.json",
)
ELSEWHERE: Final = {
    "serve": "the door itself: test_door.py",
    "demo": "a client with keys of its own, through the door",
    "demo-dataset": "as demo",
    "worker": "anchors digests: it has no reading corridor (test_no_command_reaches_what_opens_content)",
    "deploy": "before there is anything",
    "restore": "the opposite of backup; what it fills answers through the door",
    "verify-study": "takes a file that a client was given: test_study_files.py",
    "study import": "signs and sends as a client, through the door: test_study_exchange.py",
    "study export": "writes what a client is shown, through the door: test_study_exchange.py",
    "proof save": "takes an answer that a client was given",
    "keys split": "makes shares of the root: test_vaults.py",
    "keys unseal": "hands shares to a gateway that waits",
    "keys restore": "the opposite of keys backup",
}
"""Commands that give nothing of what is here, and why they are not run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    data: Path
    out: Path
    subject: str


async def _tell(world: Inside) -> str:
    owner, clinician = await world.person(Role.PATIENT), await world.person(Role.CLINICIAN)
    subject = await world.patient(owner)
    told = observation(valueQuantity={"value": 120, "unit": CANARIES[0]}, note=[{"text": CANARIES[1]}])
    await world.store(owner, subject, told)
    await world.consent(owner, subject, clinician.actor)
    caller = await world.caller(clinician)
    assert caller is not None
    asked = NewEmergency(subject=subject, code=EmergencyCode.OTHER, reason=CANARIES[2], minutes=5)
    await world.gateway.emergencies.open(caller, asked)
    mine = await world.caller(owner)
    assert mine is not None
    while True:  # until its audit is anchored, so that there is a period
        log = await world.gateway.audit.access_log(mine, subject, part=Slice(size=50))
        if all(event.anchor.proof for event in log.events):
            return "0x" + subject.hex()
        await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    """What a gateway leaves that was told the canaries and has ended."""
    folder = tmp_path_factory.mktemp("commands")

    async def serve() -> str:
        async with inside(folder / "data", key_backup_days=1, batch_seconds=0.5) as world:
            return await _tell(world)

    (folder / "out").mkdir()
    return Left(data=folder / "data", out=folder / "out", subject=asyncio.run(serve()))


def names(group: click.Command, before: str = "") -> Iterator[str]:
    """Every command of the program, as it is typed."""
    for name, command in getattr(group, "commands", {}).items():
        if getattr(command, "commands", None):
            yield from names(command, f"{before}{name} ")
        else:
            yield before + name


def told_in(octets: bytes) -> list[str]:
    """The canaries that lie there, in any encoding, packed or not."""
    return [one for one in CANARIES if hits(octets, {form: one for _, form in written(one)})]


def test_every_command_is_run_here_or_said_why_not() -> None:
    every = set(names(typer.main.get_command(app)))
    run = {name for name in every if any(re.match(rf"{name}( [^a-z]|$)", line) for line in RUN)}
    assert run | set(ELSEWHERE) == every
    assert not run & set(ELSEWHERE)


def test_no_command_prints_or_writes_what_patients_told(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSENTRY_DATA_DIR", str(left.data))
    monkeypatch.setenv("CONSENTRY_KEY_BACKUP_DAYS", "1")
    for line in RUN:
        words = line.format(out=left.out, subject=left.subject).split()
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, (line, result.output, result.exception)
        assert told_in(result.output.encode()) == [], line
    files = [path for folder in (left.out, left.data) for path in folder.rglob("*") if path.is_file()]
    assert {"verify.json", "blocks.car", "period.json", "keys.backup", "rebuild.json"} <= {one.name for one in files}
    assert {path.name: told_in(path.read_bytes()) for path in files} == {one.name: [] for one in files}


def test_the_canaries_were_told(left: Left) -> None:
    assert told_in(f"a reason: {CANARIES[2]}.".encode()) == [CANARIES[2]]
    assert len(list(left.data.rglob("*"))) > 8


def test_no_command_reaches_what_opens_content() -> None:
    """The corridors alone decide, and open what was decided on: of the product's files these and no other."""
    root = Path(__file__).parents[2] / "gateway"
    calls = {
        "policy.decide(": {
            *("records/admission.py", "records/outlook.py", "records/reading.py", "records/writing.py"),
            "releases/gathering.py",
        },
        "_opening.content(": {"records/reading.py"},
        "_opening.unlocked(": {"releases/gathering.py"},
        "envelope.open_content(": {"records/opening.py"},
        "envelope.unlock(": {"records/opening.py"},
        "open_unlocked(": {"crypto/envelope.py", "crypto/unlocked.py", "releases/working.py"},
        "envelope.seal_record(": {"records/sealing.py"},
    }
    for call, allowed in calls.items():
        found = {str(path.relative_to(root)) for path in root.rglob("*.py") if call in path.read_text()}
        assert found == allowed, call
