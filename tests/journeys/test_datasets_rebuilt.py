"""The database burns under releases of data: what was asked, decided and given out is back, and goes on."""

import sqlite3
from pathlib import Path

from gateway.ports.releases import ReleaseStage
from gateway.releases.papers import digest_of
from tests.attacks.datasets import Laboratory, laboratory
from tests.attacks.inside import inside, sign_in
from tests.journeys.gateway_process import run_command

PEOPLE = 24


async def test_releases_come_back(tmp_path: Path) -> None:
    async with inside(tmp_path) as running:
        lab = await laboratory(running)
        people = await lab.patients(PEOPLE)
        released = await lab.released()
        assert released.stage is ReleaseStage.RELEASED
        before = await lab.content(await lab.open(released.release))
        asked = (await lab.request(title="Nobody decided on it")).release
        await lab.anchored(released.release)
    people_of = "select release, edition, sealed from release_people"
    with sqlite3.connect(tmp_path / "index.db") as index:
        rows = index.execute(people_of).fetchall()
    for path in tmp_path.glob("index.db*"):
        path.unlink()
    settings = {"DATA_DIR": str(tmp_path)}
    code, said = run_command("rebuild", settings=settings, seconds=120)
    assert code == 0, said
    code, said = run_command("verify", settings=settings, seconds=120)
    assert code == 0, said
    # By whose rows left, releases that are built now are compared with those of before the fire.
    with sqlite3.connect(tmp_path / "index.db") as index:
        assert index.execute(people_of).fetchall() == rows
    assert len(rows) == 1
    async with inside(tmp_path) as running:
        again = Laboratory(
            inside=running,
            researcher=await sign_in(running.gateway, lab.researcher.wallet),
            steward=await sign_in(running.gateway, lab.steward.wallet),
            secret=lab.secret,
        )
        opened = await again.open(released.release)
        assert await again.content(opened) == before
        assert [one.sha256 for one in opened.view.papers] == [one.sha256 for one in released.papers]
        assert {one.anchor.status for one in opened.view.papers} <= {"ANCHORED", "FINAL"}
        (manifest,) = (one for one in opened.view.papers if one.kind == "dataset-manifest")
        assert manifest.sha256 == digest_of(opened.manifest)
        assert manifest.anchor.proof is not None
        assert manifest.anchor.proof.leaf_values[2] == manifest.sha256
        # What waited still waits; whoever leaves now leaves what was released before the fire.
        waiting = await again.decide(asked)
        assert waiting.stage is ReleaseStage.BUILDING
        assert (await again.settled(asked)).stage is ReleaseStage.RELEASED
        leaving = people[3]
        assert leaving.consent is not None
        who = await sign_in(running.gateway, leaving.who.wallet)
        await running.revoke(who, leaving.subject, leaving.consent)
        await again.refused(again.open(released.release))
        made = await again.settled(released.release, edition=2)
        assert made.stage is ReleaseStage.RELEASED
        assert len(made.tombstones) == 1
    with sqlite3.connect(tmp_path / "index.db") as index:
        assert index.execute("select count(*) from releases").fetchone() == (2,)
