"""Who may take a whole study away, and what they get of it: at the services, and at the real door."""

import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from anchoring.verifier.study.report import Flaw
from gateway.asgi import create_app
from gateway.consent.model import Purpose
from gateway.errors import ConsentryError, DeniedError, UnauthenticatedError
from gateway.identity.model import Caller, Role
from gateway.ids import RecordId, StudyId, to_global
from gateway.records.model import Amendment, Released
from tests.attacks.door.world import enlist
from tests.attacks.inside import Somebody, inside
from tests.attacks.study import Site, Subject, site
from tests.attacks.trail_files import Told, check, inspector, rewritten, tell

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A study under way, of which one subject has a changed form; its inspector; a client of the real door."""

    study: Site
    seen: Somebody
    record: RecordId
    client: httpx.AsyncClient

    @property
    def subject(self) -> Subject:
        return self.study.subjects[0]

    async def get(self, who: Somebody | None, path: str | None = None, **headers: str) -> httpx.Response:
        signed = {} if who is None else {"authorization": f"Bearer {who.token}"}
        return await self.client.get(path or self.path, headers={"accept-encoding": "identity", **signed, **headers})

    @property
    def path(self) -> str:
        return f"/studies/{to_global('Study', self.study.study)}/trail"

    async def log(self) -> list[str]:
        """Actions in the subject's own log, the newest first."""
        query = "query ($id: ID!) { patient(id: $id) { accessLog(first: 50) { edges { node { action } } } } }"
        asked = {"query": query, "variables": {"id": to_global("Patient", self.subject.subject)}}
        headers = {"authorization": f"Bearer {self.subject.who.token}"}
        answer = (await self.client.post("/graphql", json=asked, headers=headers)).json()
        return [edge["node"]["action"] for edge in answer["data"]["patient"]["accessLog"]["edges"]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with inside(Path(tmp_path_factory.mktemp("takers")), request_rate=0.0) as running:
        study = await site(running)
        await study.prepare(keeps=False, allocate=True)
        one = await study.enrol("701-1001")
        made = await study.capture(one, "120")
        record = made.records[0].record
        await running.gateway.capturing.change(
            await study.caller(study.coordinator),
            study.study,
            one.subject,
            record,
            await study.response("140"),
            expected_version=1,
            reason="A slip of the pen.",
        )
        transport = httpx.ASGITransport(create_app(running.gateway))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield World(study=study, seen=await inspector(study), record=record, client=client)


def contents(told: Told) -> list[str | None]:
    return [one["content"] for one in told.lines if one["line"] == "form"]


# ---- who


async def test_the_sponsor_and_an_inspector_of_all_sites_have_it(world: World) -> None:
    for who in (world.study.sponsor, world.seen):
        told = await tell(world.study, who)
        assert check(told, told.octets).faults == []
        old, new = contents(told)
        assert old is not None
        assert new is not None
        assert ("120" in old, "140" in old, "140" in new) == (True, False, True)


async def test_nobody_else_has_it_and_none_can_tell_that_it_is_there(world: World) -> None:
    study, running = world.study, world.study.inside
    here = await running.person(Role.AUDITOR)
    await study.delegate(here, "INSPECTOR", ["701"])
    board = await running.person(Role.RESEARCHER)
    await study.delegate(board, "SAFETY_BOARD", [])
    gone = plain(await world.get(board, f"/studies/{to_global('Study', bytes(32))}/trail"))
    assert gone[0] == 403
    others = (study.monitor, study.investigator, study.coordinator, here, board, world.subject.who, running.registrar)
    for who in others:
        assert plain(await world.get(who)) == gone
        with pytest.raises(DeniedError):
            await running.gateway.trail_files.open(await study.caller(who), study.study)
    assert (await world.get(None)).status_code == 401


def plain(reply: httpx.Response) -> tuple[int, object]:
    """A refusal less the name of its decision, which is random in each."""
    payload = json.loads(reply.content)
    payload["errors"][0]["extensions"].pop("decisionId")
    return reply.status_code, payload


async def test_an_inspection_that_ends_meanwhile_ends_the_file(world: World) -> None:
    seen = await inspector(world.study)
    files, octets = world.study.inside.gateway.trail_files, bytearray()

    async def again() -> Caller | None:
        return await world.study.inside.caller(seen)

    lines = files.lines(await files.open(await world.study.caller(seen), world.study.study), again)
    octets += await anext(lines)
    await world.study.act(world.study.sponsor, "delegate", actor=seen.actor.hex(), role="INSPECTOR", sites=[], until=0)
    with pytest.raises(DeniedError):
        await into(octets, lines)
    assert b'"line":"end"' not in octets


async def test_a_session_that_is_over_ends_the_file(world: World) -> None:
    files = world.study.inside.gateway.trail_files
    lines = files.lines(await files.open(await world.study.caller(world.seen), world.study.study), nobody)
    with pytest.raises(UnauthenticatedError):
        [line async for line in lines]


async def into(octets: bytearray, lines: AsyncIterator[bytes]) -> None:
    async for line in lines:
        octets += line


async def nobody() -> Caller | None:
    return None


# ---- what


async def test_each_look_is_in_the_subjects_log(world: World) -> None:
    before = await world.log()
    await tell(world.study, world.seen)
    added = (await world.log())[: -len(before)]
    assert sorted(added) == ["READ", "READ", "STUDY_TRAIL"]


async def test_no_arm_is_told_before_the_lock(world: World) -> None:
    told = await tell(world.study, world.seen)
    assert not [one for one in told.lines if one["line"] == "allocation"]
    with pytest.raises(DeniedError):
        await world.study.inside.gateway.allocations.opened(
            await world.study.caller(world.study.monitor), world.study.study
        )


async def test_a_form_that_may_not_be_read_any_more_is_withheld(world: World) -> None:
    """Its consent form does not say that data stay."""
    gone = await world.study.enrol("701-1002")
    await world.study.capture(gone, "133")
    assert len([one for one in contents(await tell(world.study, world.seen)) if one is not None]) == 3
    await world.study.inside.revoke(gone.who, gone.subject, gone.consent)
    told = await tell(world.study, world.seen)
    assert [one is None for one in contents(told)] == [False, False, True]
    assert b"133" not in b"".join(one.encode() for one in contents(told) if one is not None)
    report = check(told, told.octets)
    assert report.faults == []
    assert any("1 versions of forms are withheld" in one for one in report.unknown)


async def test_an_old_version_is_read_by_itself(world: World) -> None:
    capturing, caller = world.study.inside.gateway.capturing, await world.study.caller(world.study.monitor)
    named = (caller, world.study.study, world.subject.subject, world.record)
    assert (await capturing.read(*named)).version == 2
    old = await capturing.read(*named, version=1)
    assert old.version == 1
    assert b"120" in old.content
    for version in (0, 3, 2**31):
        with pytest.raises(DeniedError):
            await capturing.read(*named, version=version)


async def test_an_old_version_is_decided_with_the_labels_that_it_got_since(world: World) -> None:
    running = world.study.inside
    who, clinician = await running.person(Role.PATIENT), await running.person(Role.CLINICIAN)
    subject = await running.patient(who)
    record = await running.store(who, subject, {"resourceType": "Basic", "code": {"text": "one"}}, labels=())
    await running.consent(who, subject, clinician.actor, labels=("unclassified",))
    records, own = running.gateway.records, await running.caller(who)
    assert own is not None

    async def read(version: int) -> Released | ConsentryError:
        caller = await running.caller(clinician)
        assert caller is not None
        try:
            return await records.read(caller, record, purpose=Purpose.TREAT, version=version)
        except ConsentryError as error:
            return error

    assert isinstance(await read(1), Released)
    amendment = Amendment(
        record=record,
        expected_version=1,
        resource={"resourceType": "Basic", "code": {"text": "two"}},
        labels=("PSY",),
        idempotency_key=None,
    )
    await records.amend(own, amendment)
    assert isinstance(await read(2), DeniedError)
    assert isinstance(await read(1), DeniedError)
    assert (await records.read(own, record, purpose=Purpose.PATRQT, version=1)).version == 1


async def test_who_acts_for_the_sponsor_is_a_member_by_the_chains_word(world: World) -> None:
    """The journal names no memberships: without a chain the file says that it did not compare them."""
    study = world.study
    member = await study.inside.person(Role.RESEARCHER)
    await enlist(study.inside, study.sponsor, member)
    await study.act(member, "site", site="703", name="A third hospital")
    told = await tell(study, world.seen)
    assert check(told, told.octets).faults == []
    report = check(told, told.octets, rpc=False)
    assert any("1 acts on behalf of an organization" in one for one in report.unknown)
    stranger = "0x" + (await study.inside.person(Role.RESEARCHER)).actor.hex()
    at = next(at for at in told.entries("site") if "A third" in told.lines[at]["text"])
    forged = rewritten(told, at, lambda tree: tree["act"].update(by=stranger[2:]))
    assert Flaw.AUTHORITY in {one.flaw for one in check(told, forged).faults}


# ---- the door


async def test_the_file_comes_through_the_door_plain_or_packed(world: World) -> None:
    told = await tell(world.study, world.seen)
    reply = await world.get(world.seen)
    assert reply.status_code == 200
    expected = {
        "content-type": "application/x-ndjson",
        "content-disposition": "attachment",
        "cache-control": "no-store",
        "accept-ranges": "none",
        "vary": "accept-encoding",
    }
    assert {name: reply.headers.get(name) for name in expected} == expected
    assert reply.content.splitlines()[1:-1] == told.octets.splitlines()[1:-1]
    assert check(told, reply.content).faults == []
    async with world.client.stream(
        "GET", world.path, headers={"authorization": f"Bearer {world.seen.token}", "accept-encoding": "gzip"}
    ) as packed:
        assert packed.headers["content-encoding"] == "gzip"
        octets = gzip.decompress(b"".join([one async for one in packed.aiter_raw()]))
    assert check(told, octets).faults == []


async def test_head_and_other_methods(world: World) -> None:
    headers = {"authorization": f"Bearer {world.seen.token}"}
    reply = await world.client.head(world.path, headers=headers)
    assert (reply.status_code, reply.content, "content-length" in reply.headers) == (200, b"", False)
    for method in ("POST", "PUT", "DELETE"):
        assert (await world.client.request(method, world.path, headers=headers)).status_code == 405


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/studies/", 404),
        ("/studies/x", 404),
        ("/studies/x/trail", 400),
        ("/studies//trail", 400),
        (f"/studies/{to_global('Record', bytes(16))}/trail", 400),
        (f"/studies/{to_global('Study', bytes(32))}/trail/", 404),
    ],
)
async def test_no_other_path_leads_anywhere(world: World, path: str, status: int) -> None:
    assert (await world.get(world.seen, path)).status_code == status


async def test_a_study_that_does_not_exist_has_no_file(world: World) -> None:
    with pytest.raises(DeniedError):
        await world.study.inside.gateway.trail_files.open(await world.study.caller(world.seen), StudyId(b"x" * 32))
