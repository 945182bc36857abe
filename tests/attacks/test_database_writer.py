"""Who writes into the database, with everything but the patient's key and the root, gets nobody a read that the patient
did not permit: rows edited, deleted and copied at random, and the sequences that a clever writer would choose."""

import random
import sqlite3
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.consent.model import Effect
from gateway.errors import StaleError
from gateway.identity.model import Role
from gateway.ids import ActorId, ConsentId, RecordId, SubjectId
from gateway.records.model import Released
from tests.attacks.inside import Inside, Somebody, inside, settled
from tests.journeys.resources import condition, observation

SEED = 20_261_123
ROUNDS = 60
NARROWED = ("chain_events", "consents", "narrowings", "epochs", "sessions")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One patient with two records; a reader who may read the first alone, and people who may read nothing: revoked,
    denied though permitted, never named, and a member of nothing though an organization is permitted."""

    at: Inside
    path: Path
    patient: Somebody
    subject: SubjectId
    plain: RecordId
    private: RecordId
    reader: Somebody
    revoked: Somebody
    denied: Somebody
    stranger: Somebody
    consents: dict[str, ConsentId]
    organization: ActorId

    def edit(self, sql: str, *values: object, ended: bool = True) -> int:
        connection = sqlite3.connect(self.path, timeout=20)
        try:
            changed = connection.execute(sql, values).rowcount
            connection.commit()
        finally:
            connection.close()
        self.at.forget(ended=ended)
        return changed

    async def wrongly_permitted(self) -> list[tuple[str, str]]:
        """Reads and pages that gave what the patient did not permit."""
        wrong: list[tuple[str, str]] = []
        for name in ("reader", "revoked", "denied", "stranger"):
            for which in ("plain", "private"):
                if (name, which) == ("reader", "plain"):
                    continue
                self.at.forget()
                if isinstance(await self.at.read(getattr(self, name), getattr(self, which)), Released):
                    wrong.append((name, which))
            page = await self.at.page(getattr(self, name), self.subject)
            if isinstance(page, tuple):
                allowed = {self.plain} if name == "reader" else set()
                wrong += [(name, "page") for item in page if item.record not in allowed]
        return wrong


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("writer")
    # No batch closes meanwhile: the chain stands still, and tables can be put back as they were.
    async with inside(folder, batch_seconds=3600.0, batch_size=16_384) as at:
        patient = await at.person(Role.PATIENT)
        reader, revoked, denied, stranger = [await at.person(Role.CLINICIAN) for _ in range(4)]
        organization = await at.person(Role.ORGANIZATION)
        subject = await at.patient(patient)
        plain = await at.store(patient, subject, observation())
        private = await at.store(patient, subject, condition(), labels=("HIV",))
        given = {
            "reader": await at.consent(patient, subject, reader.actor),
            "revoked": await at.consent(patient, subject, revoked.actor, labels=("HIV",)),
            "denied": await at.consent(patient, subject, denied.actor, labels=("HIV",)),
            "organization": await at.consent(patient, subject, organization.actor, labels=("HIV",)),
        }
        given["deny"] = await at.consent(patient, subject, denied.actor, effect=Effect.DENY, not_after=None)
        await at.revoke(patient, subject, given["revoked"])
        found = World(
            at=at,
            path=folder / "index.db",
            patient=patient,
            subject=subject,
            plain=plain,
            private=private,
            reader=reader,
            revoked=revoked,
            denied=denied,
            stranger=stranger,
            consents=given,
            organization=organization.actor,
        )
        assert isinstance(await settled(lambda: at.read(reader, plain)), Released)
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def world(made: World, tmp_path: Path) -> AsyncIterator[World]:
    """Afterwards the tables are as they were."""
    kept = {table: _rows(made.path, table) for table in NARROWED}
    yield made
    connection = sqlite3.connect(made.path, timeout=20)
    for table, rows in kept.items():
        connection.execute(f'delete from "{table}"')
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(f'insert into "{table}" values ({marks})', rows)
    connection.commit()
    connection.close()
    made.at.forget()
    assert isinstance(await settled(lambda: made.at.read(made.reader, made.plain)), Released)


def _rows(path: Path, table: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path, timeout=20)
    try:
        rows: list[tuple[Any, ...]] = connection.execute(f'select * from "{table}"').fetchall()
    finally:
        connection.close()
    return rows


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_as_it_was_made_nobody_reads_what_is_not_permitted(world: World) -> None:
    assert await world.wrongly_permitted() == []


async def test_a_revocation_edited_into_another_event_of_the_same_count_is_seen(world: World) -> None:
    """The count stays: the revocation becomes one of a consent that nobody granted, and its narrowing is deleted."""
    world.edit("delete from narrowings")
    edited = world.edit("update chain_events set key2 = ? where name = 'ConsentRevoked'", b"\x07" * 32)
    assert edited == 1
    assert isinstance(await world.at.read(world.revoked, world.plain), StaleError)
    assert await world.wrongly_permitted() == []


async def test_a_deny_replaced_by_a_copy_of_a_permits_event_is_seen(world: World) -> None:
    deny = world.consents["deny"]
    world.edit("delete from consents where consent = ?", deny)
    row = next(one for one in _rows(world.path, "chain_events") if world.consents["reader"] in one)
    world.edit("delete from chain_events where key2 = ?", deny)
    copy = list(row)
    copy[1] = 77  # log_index
    world.edit(f"insert into chain_events values ({', '.join('?' * len(copy))})", *copy)
    assert await world.wrongly_permitted() == []
    assert isinstance(await world.at.read(world.denied, world.plain), StaleError)


async def test_a_controller_written_into_the_enrolment_owns_nothing(world: World) -> None:
    key = bytes.fromhex(world.stranger.wallet.signer[2:]).hex()
    owner = bytes.fromhex(world.patient.wallet.signer[2:]).hex()
    changed = world.edit(
        "update chain_events set args = replace(args, ?, ?) where name = 'SubjectEnrolled'", owner, key
    )
    assert changed >= 1
    assert await world.wrongly_permitted() == []
    assert isinstance(await world.at.read(world.stranger, world.private), StaleError)


async def test_a_membership_that_was_written_in_gives_nothing(world: World) -> None:
    args = f'{{"role":"0","notAfter":"{int(time.time()) + 3600}","seq":"1","epoch":"1"}}'
    copy = [b"\x09" * 32, 0, 1, "IdentityRegistry", "MembershipSet"]
    copy += [world.organization, world.stranger.actor, None, args, b"\x0a" * 32, None, None]
    world.edit(f"insert into chain_events values ({', '.join('?' * len(copy))})", *copy)
    assert isinstance(await world.at.read(world.stranger, world.plain), StaleError)
    assert await world.wrongly_permitted() == []


async def test_roles_that_were_written_in_are_not_proven(world: World) -> None:
    world.edit(
        """update chain_events set args = replace(args, '"roles":"', '"roles":"1') where key1 = ?""",
        world.stranger.actor,
    )
    assert not isinstance(await world.at.read(world.stranger, world.plain), Released)


@pytest.mark.parametrize("whose", ["patient", "reader"])
async def test_a_session_that_was_written_in_lets_nobody_in(world: World, whose: str) -> None:
    """The stranger's own session, its actor edited; and a new row for a token of the writer's making."""
    world.edit("update sessions set actor = ? where actor = ?", getattr(world, whose).actor, world.stranger.actor)
    assert await world.at.caller(world.stranger) is None
    assert await world.wrongly_permitted() == []


async def test_a_session_does_not_last_longer_than_it_was_given(world: World) -> None:
    world.edit("update sessions set expires_at = expires_at + 1000000 where actor = ?", world.reader.actor)
    assert await world.at.caller(world.reader) is None


def _random_edit(chance: random.Random, connection: sqlite3.Connection) -> str:
    """One edit, deletion or copy of a random row of a random table; what was done, to be said on failure."""
    table = chance.choice(NARROWED)
    rows = connection.execute(f'select rowid, * from "{table}"').fetchall()
    if not rows:
        return f"{table}: empty"
    names = [column[1] for column in connection.execute(f'pragma table_info("{table}")')]
    row = chance.choice(rows)
    kind = chance.choice(("delete", "copy", "edit", "edit", "edit", "mix"))
    if kind == "delete":
        connection.execute(f'delete from "{table}" where rowid = ?', (row[0],))
        return f"{table}: deleted"
    if kind == "copy":
        values = list(row[1:])
        at = chance.randrange(len(values))
        values[at] = _other(chance, values[at], names[at])
        marks = ", ".join("?" * len(values))
        connection.execute(f'insert or replace into "{table}" values ({marks})', values)
        return f"{table}: copied with another {names[at]}"
    at = chance.randrange(len(names))
    other = chance.choice(rows)[1 + at] if kind == "mix" else _other(chance, row[1 + at], names[at])
    connection.execute(f'update or ignore "{table}" set "{names[at]}" = ? where rowid = ?', (other, row[0]))
    return f"{table}: {names[at]} {kind}"


def _other(chance: random.Random, value: Any, name: str) -> Any:
    if name == "name" and isinstance(value, str):
        return chance.choice(["ConsentGranted", "ConsentRevoked", "AllConsentsRevoked", "ControllerChanged"])
    if isinstance(value, bytes):
        return chance.randbytes(len(value))
    if isinstance(value, int):
        return max(0, value + chance.choice([-2, -1, 1, 2, 1000]))
    if isinstance(value, str):
        digits = [at for at, letter in enumerate(value) if letter.isdigit()]
        if digits:
            at = chance.choice(digits)
            return value[:at] + str(chance.randrange(10)) + value[at + 1 :]
    return value


@pytest.mark.timeout(180)
async def test_no_sequence_of_random_edits_permits_what_the_patient_did_not(world: World) -> None:
    chance, edited = random.Random(SEED), 0
    original = {table: _rows(world.path, table) for table in NARROWED}
    for number in range(ROUNDS):
        said: list[str] = []
        connection = sqlite3.connect(world.path, timeout=20)
        for _ in range(chance.randint(1, 4)):
            said.append(_random_edit(chance, connection))
        connection.execute("update epochs set version = version + ?", (chance.choice((0, 1)),))
        connection.commit()
        edited += len(said)
        world.at.forget()
        assert await world.wrongly_permitted() == [], (SEED, number, said)
        for table, rows in original.items():
            connection.execute(f'delete from "{table}"')
            marks = ", ".join("?" * len(rows[0])) if rows else ""
            connection.executemany(f'insert into "{table}" values ({marks})', rows)
        connection.commit()
        connection.close()
        world.at.forget()
    assert edited >= ROUNDS


async def test_what_was_ended_here_stays_ended_though_its_row_is_gone_before_the_chain_has_it(made: World) -> None:
    """The last test: its consent stays. The chain is kept from the call: its row goes too."""
    consent = await made.at.consent(made.patient, made.subject, made.stranger.actor)
    assert isinstance(await settled(lambda: made.at.read(made.stranger, made.plain)), Released)
    for lane in made.at.gateway.chain.lanes:
        lane.stop()
    await made.at.revoke(made.patient, made.subject, consent)
    made.edit("delete from narrowings where target = ?", consent, ended=False)
    made.edit("delete from calls where state = 'INTENDED'", ended=False)
    assert not isinstance(await made.at.read(made.stranger, made.plain), Released)
