"""A subscription that was broken off goes on without a loss, and gives nobody more than they may read."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from gateway.consent.model import Purpose
from gateway.identity.model import Role
from gateway.ids import RecordId, SubjectId
from gateway.records import arrivals
from gateway.records.model import Amendment, Released
from tests.attacks.inside import Inside, Somebody, inside
from tests.journeys.resources import LOINC, WEIGHT, observation

pytestmark = pytest.mark.asyncio(loop_scope="module")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Ward:
    def __init__(self, world: Inside, people: list[Somebody]) -> None:
        self.world = world
        self.owner, self.clinician, self.narrow, self.stranger = people
        self.subject = SubjectId(bytes(32))

    async def fresh(self) -> list[RecordId]:
        """A patient of its own with three records, the second of them a weight; the narrow one may read weights."""
        self.subject = await self.world.patient(self.owner)
        await self.world.consent(self.owner, self.subject, self.clinician.actor)
        await self.world.consent(self.owner, self.subject, self.narrow.actor, codes=(f"{LOINC}|{WEIGHT}",))
        return [await self.store(), await self.store(WEIGHT), await self.store()]

    async def store(self, code: str = "8480-6") -> RecordId:
        return await self.world.store(self.owner, self.subject, observation(code=code))

    async def listen(self, who: Somebody, since: datetime | None) -> AsyncIterator[Released]:
        caller = await self.world.caller(who)
        assert caller is not None
        purpose = Purpose.PATRQT if who is self.owner else Purpose.TREAT
        found: AsyncIterator[Released] = self.world.gateway.records.added(
            caller, self.subject, purpose=purpose, since=since
        )
        return found

    async def heard(self, who: Somebody, since: datetime | None, *, seconds: float = 1.0) -> list[Released]:
        """What comes within a while."""
        found: list[Released] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for released in await self.listen(who, since):
                    found.append(released)
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ward(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    async with inside(tmp_path_factory.mktemp("ward") / "data") as world:
        roles = (Role.PATIENT, *[Role.CLINICIAN] * 3)
        yield Ward(world, [await world.person(role) for role in roles])


async def test_what_was_missed_comes_first_in_the_order_of_its_recording(ward: Ward) -> None:
    records = await ward.fresh()
    heard = await ward.heard(ward.clinician, LONG_AGO)
    assert [one.record for one in heard] == records
    assert [one.recorded_at for one in heard] == sorted(one.recorded_at for one in heard)


async def test_an_amendment_is_missed_by_nobody(ward: Ward) -> None:
    first, *others = await ward.fresh()
    caller = await ward.world.caller(ward.owner)
    assert caller is not None
    await asyncio.sleep(0.01)
    amendment = Amendment(
        record=first, expected_version=1, resource=observation(value="130"), labels=None, idempotency_key=None
    )
    await ward.world.gateway.records.amend(caller, amendment)
    heard = await ward.heard(ward.clinician, LONG_AGO)
    assert [(one.record, one.version) for one in heard] == [*((one, 1) for one in others), (first, 2)]


async def test_a_narrow_grantee_misses_nothing_and_is_told_nothing_else(ward: Ward) -> None:
    records = await ward.fresh()
    assert [one.record for one in await ward.heard(ward.narrow, LONG_AGO)] == [records[1]]
    assert await ward.heard(ward.stranger, LONG_AGO) == []


async def test_without_a_moment_nothing_old_comes(ward: Ward) -> None:
    await ward.fresh()
    assert await ward.heard(ward.clinician, None) == []
    assert await ward.heard(ward.clinician, datetime.now(UTC) + timedelta(seconds=2 * arrivals.OVERLAP_SECONDS)) == []


async def test_what_arrives_while_the_missed_are_told_comes_too(ward: Ward) -> None:
    """Again and again broken off after each item, and gone on with from there."""
    records = await ward.fresh()
    seen: set[RecordId] = set()
    since = LONG_AGO
    for turn in range(6):
        listening = await ward.listen(ward.clinician, since)
        if turn < 3:
            records.append(await ward.store())
        async with asyncio.timeout(5):
            released = await anext(listening)
            while released.record in seen:
                released = await anext(listening)
        seen.add(released.record)
        since = released.recorded_at
        await listening.aclose()  # type: ignore[attr-defined]  # an async generator
    assert seen == set(records)


async def test_a_revocation_ends_the_missed_ones_too(ward: Ward) -> None:
    records = await ward.fresh()
    consent = await ward.world.consent(ward.owner, ward.subject, ward.stranger.actor)
    listening = await ward.listen(ward.stranger, LONG_AGO)
    assert (await anext(listening)).record == records[0]
    await ward.world.revoke(ward.owner, ward.subject, consent)
    async with asyncio.timeout(5):
        assert [one.record async for one in listening] == []


async def test_a_patient_who_is_not_there_is_like_one_who_is_not_visible(ward: Ward) -> None:
    await ward.fresh()
    ward.subject = SubjectId(b"\x33" * 32)
    async with asyncio.timeout(5):
        assert [one async for one in await ward.listen(ward.clinician, LONG_AGO)] == []
