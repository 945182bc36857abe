"""A dataset of a study's records: of those alone who consented to it in the study, to those alone who have a part in
it, and of their rows what may leave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from gateway.consent.model import Action, Effect, Purpose
from gateway.crypto.model import release_domain
from gateway.crypto.releases import ReleaseKeys
from gateway.errors import DeniedError
from gateway.identity.model import Caller
from gateway.ids import ReleaseId
from gateway.ports.releases import ReleaseStage
from gateway.ports.workers import Workers
from gateway.releases.gathering import Gathered, Gathering, Undertaking
from gateway.releases.model import OpenedRelease
from gateway.releases.request import parse_request
from gateway.slices import Slice
from tests.attacks.datasets import Laboratory, asked, laboratory, researcher, resources_of
from tests.attacks.inside import inside
from tests.attacks.study import Site, site
from tests.attacks.study_tables import EACH, HEALTH, SUBJECTS, TESTS, Captured, enrolled, people, prepared, research
from tests.attacks.test_trial_datasets import views

pytestmark = pytest.mark.asyncio(loop_scope="module")
WITHOUT = 2
"""Subjects whose records are collected, and who consented to no dataset."""
TABLE = "{}/part-00000.ndjson"


@dataclass(slots=True, kw_only=True)
class Pilot:
    """A study with its subjects, and who asks for a dataset of it."""

    lab: Laboratory
    site: Site
    subjects: list[Captured] = field(default_factory=list)

    @property
    def consenting(self) -> list[Captured]:
        return [one for one in self.subjects if one.research is not None]

    def asked(self, **members: Any) -> dict[str, Any]:
        plain = {
            "title": "The pilot's vital signs",
            "purpose": "CLINTRCH",
            "dataUse": list(HEALTH),
            "tables": views(),
            "profile": "expert-determination",
            "study": self.site.study.hex(),
        }
        return asked(**{name: value for name, value in (plain | members).items() if value is not None})

    async def until(self, seconds: float) -> int:
        return int(datetime.now(UTC).timestamp() + seconds)

    async def lets_in(self, who: Any, role: str = "MONITOR", *, seconds: float = 86_400) -> None:
        await self.site.act(
            self.site.sponsor,
            "delegate",
            actor=who.actor.hex(),
            role=role,
            sites=[],
            until=await self.until(seconds),
        )

    async def table(self, opened: OpenedRelease, name: str) -> list[dict[str, Any]]:
        files = await self.lab.content(opened)
        return [orjson.loads(line) for line in files[TABLE.format(name)].splitlines()]

    async def used(self, one: Captured) -> set[ReleaseId]:
        """Releases that the subject's own log names."""
        releases, who = self.lab.inside.gateway.releases, one.subject.who
        page = await releases.of_patient(await self.lab.caller(who), one.subject.subject, part=Slice(size=50))
        return {each.release for each in page.releases}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pilot(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pilot]:
    async with inside(Path(tmp_path_factory.mktemp("study-datasets"))) as running:
        made = Pilot(lab=await laboratory(running), site=await site(running))
        found = await prepared(made.site)
        for number, told in enumerate(people(shared_data)):
            consents = number < SUBJECTS - WITHOUT
            made.subjects.append(await enrolled(made.site, found, told, consents=consents))
        await made.lets_in(made.lab.researcher)
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(pilot: Pilot) -> OpenedRelease:
    view = await pilot.lab.released(**pilot.asked())
    assert view.stage is ReleaseStage.RELEASED, view.failed
    return await pilot.lab.open(view.release)


# ---- who is in


async def test_whoever_consented_to_it_in_the_study_is_in_and_nobody_else(pilot: Pilot, opened: OpenedRelease) -> None:
    demographics, vitals = await pilot.table(opened, "dm"), await pilot.table(opened, "vs")
    names = {row["USUBJID"] for row in demographics}
    assert len(demographics) == len(names) == len(pilot.consenting) == SUBJECTS - WITHOUT
    assert {row["USUBJID"] for row in vitals} == names
    assert {row["SEX"] for row in demographics} == {"female", "male"}
    assert orjson.loads(opened.manifest)["anonymity"]["k"] >= 11
    for one in pilot.subjects:
        assert (opened.view.release in await pilot.used(one)) == (one.research is not None)


async def test_the_tables_are_shaped_as_sdtm_has_them(pilot: Pilot, opened: OpenedRelease) -> None:
    vitals = await pilot.table(opened, "vs")
    assert {row["VSTESTCD"] for row in vitals if row["VSSTRESN"] is not None} >= set(TESTS)
    measured = [row for row in vitals if row["VSTESTCD"] in TESTS]
    assert len(measured) == len(pilot.consenting) * len(TESTS) * EACH
    assert {row["VSSTRESU"] for row in measured} == {"mm[Hg]", "/min"}
    assert all(40 <= row["VSSTRESN"] <= 220 and len(row["VSDTC"]) == len("2014-01-02") for row in measured)


async def test_nothing_that_names_a_subject_leaves(pilot: Pilot, opened: OpenedRelease) -> None:
    files = b"".join((await pilot.lab.content(opened)).values()) + opened.manifest
    for one in pilot.subjects:
        for planted in (*one.planted, one.planted[0][:8], one.subject.subject.hex(), one.subject.who.actor.hex()):
            assert planted.encode() not in files, planted
    # A date of a reading is moved by days that are the subject's own.
    assert {row["VSTESTCD"] for row in await pilot.table(opened, "vs")} <= {*TESTS, None}


async def test_who_names_no_study_is_given_nothing_of_one(pilot: Pilot) -> None:
    view = await pilot.lab.released(**pilot.asked(study=None))
    assert view.stage is ReleaseStage.FAILED
    for one in pilot.subjects:
        assert view.release not in await pilot.used(one)


async def test_who_has_no_part_in_the_study_is_given_nothing(pilot: Pilot) -> None:
    secret = b"\7" * 32
    other = Laboratory(
        inside=pilot.lab.inside,
        researcher=await researcher(pilot.lab.inside, secret),
        steward=pilot.lab.steward,
        secret=secret,
    )
    for study in (pilot.site.study, bytes(32)):
        view = await other.released(**pilot.asked(study=study.hex()))
        assert (view.stage, view.failed) == (ReleaseStage.FAILED, ("bar",))
    # A consent to them by name is no part in the study.
    one = pilot.subjects[-1].subject
    await pilot.lab.inside.consent(
        one.who,
        one.subject,
        other.researcher.actor,
        purposes=(Purpose.CLINTRCH,),
        data_use=HEALTH,
        labels=("unclassified",),
        terms_hash=pilot.site.terms,
        study=pilot.site.study,
    )
    assert (await other.released(**pilot.asked())).stage is ReleaseStage.FAILED
    assert not await pilot.used(pilot.subjects[-1])


async def test_a_use_that_was_not_consented_to_gives_nothing(pilot: Pilot) -> None:
    assert (await pilot.lab.released(**pilot.asked(dataUse=["DUO:0000042"]))).stage is ReleaseStage.FAILED


# ---- one by one, without a crowd


async def gathering(
    pilot: Pilot, caller: Caller, *subjects: Any, over: Workers | None = None, **members: Any
) -> tuple[Gathering, Undertaking, Gathered]:
    """As a build does it."""
    gateway, release = pilot.lab.inside.gateway, ReleaseId(b"\x5e" * 16)
    found = gateway.releases._course._gathering
    keys = ReleaseKeys.of(await gateway.releases._ring.of(release_domain(release)))
    request = parse_request(pilot.asked(**members))
    undertaking = Undertaking(release=release, request=request, keys=keys, today=datetime.now(UTC).date())
    before = found._workers
    try:
        found._workers = before if over is None else over
        return found, undertaking, await found.gather(caller, undertaking, [one.subject for one in subjects])
    finally:
        found._workers = before


class Meanwhile:
    """Workers while whose first task something else is done."""

    def __init__(self, inner: Workers, act: Callable[[], Awaitable[Any]]) -> None:
        self._inner = inner
        self._act: Callable[[], Awaitable[Any]] | None = act
        self.size = inner.size

    async def run(self, task: bytes) -> bytes:
        act, self._act = self._act, None
        if act is not None:
            await act()
        return await self._inner.run(task)

    async def close(self) -> None:
        """The inner one is not ours."""


@pytest.mark.parametrize("keeps", [True, False])
async def test_who_leaves_the_study_is_in_no_dataset_of_it_whether_their_data_stay_or_go(
    pilot: Pilot, shared_data: Path, *, keeps: bool
) -> None:
    own = Pilot(lab=pilot.lab, site=pilot.site.another())
    found = await prepared(own.site, keeps=keeps)
    (told, *_) = people(shared_data)
    leaving = (await enrolled(own.site, found, told, consents=True)).subject
    await own.lets_in(own.lab.researcher)
    # Of the same patient there is something that is of no study.
    await own.lab.imported(leaving.who, leaving.subject, resources_of(1))
    await own.lab.consent(leaving.who, leaving.subject)
    caller = await own.lab.caller(own.lab.researcher)
    in_study, asked_in, before = await gathering(own, caller, leaving)
    plain, asked_plainly, ordinary = await gathering(own, caller, leaving, study=None, purpose="HRESCH")
    assert len(before.members) == len(ordinary.members) == 1
    assert await in_study.now(caller, asked_in, before.members[0]) is not None
    await own.site.withdraw(leaving)
    assert await in_study.now(caller, asked_in, before.members[0]) is None
    assert (await gathering(own, caller, leaving))[2].members == []
    # Of what is of no study they are in as before, and what was destroyed is in nobody's way.
    again = (await gathering(own, caller, leaving, study=None, purpose="HRESCH"))[2]
    assert (len(again.members), again.broken) == (1, 0)
    still = await plain.now(caller, asked_plainly, ordinary.members[0])
    assert still is not None
    assert still[0].permitted == ordinary.members[0].permitted


async def test_a_release_ends_with_its_consent_though_the_studys_terms_let_data_stay(
    pilot: Pilot, shared_data: Path
) -> None:
    own = Pilot(lab=pilot.lab, site=pilot.site.another())
    found = await prepared(own.site, keeps=True)
    (told, *_) = people(shared_data)
    one = await enrolled(own.site, found, told, consents=True)
    await own.lets_in(own.lab.researcher)
    caller = await own.lab.caller(own.lab.researcher)
    assert len((await gathering(own, caller, one.subject))[2].members) == 1
    assert one.research is not None
    await own.lab.inside.revoke(one.subject.who, one.subject.subject, one.research)
    assert (await gathering(own, caller, one.subject))[2].members == []
    # What they consent to anew counts anew; a deny for the study overrides it.
    await research(own.site, one.subject)
    assert len((await gathering(own, caller, one.subject))[2].members) == 1
    await research(own.site, one.subject, effect=Effect.DENY, actions=(Action.READ,), labels=(), terms_hash=None)
    assert (await gathering(own, caller, one.subject))[2].members == []


async def test_who_leaves_while_rows_are_made_is_not_in(pilot: Pilot, shared_data: Path) -> None:
    own = Pilot(lab=pilot.lab, site=pilot.site.another())
    found = await prepared(own.site)
    both = [(await enrolled(own.site, found, told, consents=True)).subject for told in people(shared_data)[:2]]
    await own.lets_in(own.lab.researcher)
    caller = await own.lab.caller(own.lab.researcher)
    workers = own.lab.inside.gateway.releases._course._gathering._workers
    over = Meanwhile(workers, lambda: own.site.withdraw(both[0]))
    _, _, gathered = await gathering(own, caller, *both, over=over)
    assert [one.subject for one in gathered.members] == [both[1].subject]


async def test_a_part_that_ends_is_looked_at_when_it_ends(pilot: Pilot, shared_data: Path) -> None:
    own = Pilot(lab=pilot.lab, site=pilot.site.another())
    found = await prepared(own.site)
    (told, *_) = people(shared_data)
    subject = (await enrolled(own.site, found, told, consents=True)).subject
    ends = await own.until(30)
    await own.lets_in(own.lab.researcher, seconds=30)
    caller = await own.lab.caller(own.lab.researcher)
    _, _, gathered = await gathering(own, caller, subject)
    assert ends <= gathered.members[0].until <= ends + 2


# ---- who is in no longer


async def test_whoever_revokes_or_leaves_is_in_no_further_edition(pilot: Pilot, opened: OpenedRelease) -> None:
    lab, release = pilot.lab, opened.view.release
    before = {row["USUBJID"] for row in await pilot.table(opened, "dm")}
    revoking, leaving = pilot.consenting[0], pilot.consenting[1]
    assert revoking.research is not None
    await lab.inside.revoke(revoking.subject.who, revoking.subject.subject, revoking.research)
    second = await lab.settled(release, edition=2)
    assert (second.stage, len(second.tombstones)) == (ReleaseStage.RELEASED, 1)
    # Their data stay in the study, as its terms say; in a dataset they are no more.
    await pilot.site.withdraw(leaving.subject)
    third = await lab.settled(release, edition=3)
    assert (third.stage, len(third.tombstones)) == (ReleaseStage.RELEASED, 2)
    rows = await pilot.table(await lab.open(release), "dm")
    assert {row["USUBJID"] for row in rows} == before - set(third.tombstones)
    assert len(rows) == len(before) - 2


async def test_whose_part_in_the_study_ends_opens_no_more(pilot: Pilot, opened: OpenedRelease) -> None:
    lab, release = pilot.lab, opened.view.release
    await lab.open(release)
    await pilot.lets_in(lab.researcher, seconds=2)
    await asyncio.sleep(3)
    error = await lab.refused(lab.open(release))
    assert error.code in ("CONFLICT", "DENIED")
    view = await lab.settled(release, edition=4)
    assert view.stage is ReleaseStage.FAILED
    assert isinstance(await lab.refused(lab.open(release)), DeniedError)
