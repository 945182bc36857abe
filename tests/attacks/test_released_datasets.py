"""A release of data against whoever should not have it, not have asked for it, or not be in it any more."""

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from gateway.consent.model import Purpose
from gateway.deid.profile import shipped
from gateway.errors import CallerError, ConflictError, ConsentryError, DeniedError, IntegrityError
from gateway.identity.model import Role
from gateway.ids import ReleaseId
from gateway.jsontext import loads
from gateway.ports.releases import ReleaseStage
from gateway.releases.model import OpenedRelease, Verdict
from gateway.slices import Slice
from tests.attacks.datasets import DIABETES, SNOMED, Laboratory, Participant, laboratory, researcher
from tests.attacks.inside import inside

pytestmark = pytest.mark.asyncio(loop_scope="module")
PEOPLE = 36


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("releases")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(folder: Path) -> AsyncIterator[Laboratory]:
    async with inside(folder) as running:
        yield await laboratory(running)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(lab: Laboratory) -> list[Participant]:
    return await lab.patients(PEOPLE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(lab: Laboratory, people: list[Participant]) -> OpenedRelease:
    view = await lab.released()
    assert view.stage is ReleaseStage.RELEASED
    return await lab.open(view.release)


async def refusal(work: Any) -> ConsentryError:
    try:
        await work
    except ConsentryError as error:
        return error
    raise AssertionError("nothing was refused")


# ---- who may ask, decide, open


async def test_nobody_else_sees_or_opens_it(lab: Laboratory, opened: OpenedRelease, people: list[Participant]) -> None:
    releases, release = lab.inside.gateway.releases, opened.view.release
    other = await researcher(lab.inside, b"\7" * 32)
    for who in (other, people[0].who, lab.steward):
        assert isinstance(await refusal(lab.open(release, who)), DeniedError)
        assert isinstance(
            await refusal(releases.file(await lab.caller(who), release, "people/part-00000.ndjson")), DeniedError
        )
    for who in (other, people[0].who):
        assert await releases.get(await lab.caller(who), release) is None
        assert isinstance(await refusal(releases.cancel(await lab.caller(who), release)), DeniedError)
        assert isinstance(await refusal(releases.report(await lab.caller(who), release)), DeniedError)
        assert (await releases.asked_of_stewards(await lab.caller(who), Slice(size=5), waiting=False)).views == ()
        assert (await releases.mine(await lab.caller(who), Slice(size=5))).views == ()
    nobody = await refusal(lab.open(ReleaseId(bytes(16)), other))
    assert isinstance(nobody, DeniedError)
    assert nobody.message == (await refusal(lab.open(release, other))).message


async def test_a_file_opens_for_its_recipient_alone(lab: Laboratory, opened: OpenedRelease) -> None:
    assert len(await lab.content(opened)) == 3
    thief = Laboratory(inside=lab.inside, researcher=lab.researcher, steward=lab.steward, secret=b"\7" * 32)
    with pytest.raises(IntegrityError):
        await thief.content(opened)
    for changed in (
        {"half": bytes(32)},
        {"manifest": opened.manifest + b" "},
        {"wrapped": opened.wrapped[:-1] + b"\0"},
    ):
        with pytest.raises(IntegrityError):
            await lab.content(
                OpenedRelease(**{**{name: getattr(opened, name) for name in OpenedRelease.__slots__}, **changed})
            )


async def test_who_asks_cannot_approve(lab: Laboratory) -> None:
    release = (await lab.request()).release
    releases = lab.inside.gateway.releases
    both = await lab.inside.person(Role.DATA_STEWARD)
    draft = await releases.draft_decision(
        await lab.caller(both), release, verdict=Verdict.APPROVED, reason="Agreed.", departures=()
    )
    for who in (lab.researcher, lab.steward):
        signature = bytes.fromhex(who.wallet.sign_typed_data(draft.typed_data)[2:])
        for caller in (lab.researcher, lab.steward, both):
            error = await refusal(
                releases.decide(await lab.caller(caller), typed_data=draft.typed_data, signature=signature)
            )
            assert isinstance(error, DeniedError | CallerError)
    view = await releases.get(await lab.caller(lab.researcher), release)
    assert view is not None
    assert view.stage is ReleaseStage.REQUESTED
    await releases.cancel(await lab.caller(lab.researcher), release)


async def test_a_decision_is_of_its_request_and_taken_once(lab: Laboratory) -> None:
    releases = lab.inside.gateway.releases
    one, other = (await lab.request()).release, (await lab.request(title="Another")).release
    steward = await lab.caller(lab.steward)
    draft = await releases.draft_decision(steward, one, verdict=Verdict.REFUSED, reason="Not this.", departures=())
    full = {**draft.typed_data, "message": {**draft.typed_data["message"], "release": "0x" + other.hex()}}
    signature = bytes.fromhex(lab.steward.wallet.sign_typed_data(full)[2:])
    moved = await refusal(releases.decide(steward, typed_data=full, signature=signature))
    assert isinstance(moved, CallerError)
    assert moved.field == ("typedData", "message", "request")
    old = {**draft.typed_data, "message": {**draft.typed_data["message"], "at": 1}}
    signature = bytes.fromhex(lab.steward.wallet.sign_typed_data(old)[2:])
    assert isinstance(await refusal(releases.decide(steward, typed_data=old, signature=signature)), CallerError)
    signature = bytes.fromhex(lab.steward.wallet.sign_typed_data(draft.typed_data)[2:])
    first = await releases.decide(steward, typed_data=draft.typed_data, signature=signature)
    assert first.stage is ReleaseStage.REFUSED
    again = await releases.decide(steward, typed_data=draft.typed_data, signature=signature)
    assert [one.sha256 for one in again.papers] == [one.sha256 for one in first.papers]
    assert isinstance(await refusal(lab.decide(one)), ConflictError)
    await releases.cancel(await lab.caller(lab.researcher), other)


# ---- what is asked for

KEY = {"name": "person", "path": "getResourceKey()"}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"dataUse": ["DUO:0000004"]}, ("dataset", "dataUse")),
        ({"dataUse": []}, ("dataset", "dataUse")),
        ({"purpose": []}, ("dataset", "purpose")),
        ({"purpose": "TREAT"}, ("dataset", "purpose")),
        ({"cohort": {"age": {"from": 90, "to": 1}}}, ("dataset", "cohort", "age")),
        ({"profile": "none"}, ("dataset", "profile")),
        ({"days": 0}, ("dataset", "days")),
        (
            {
                "tables": {
                    "people": {"resource": "Patient", "select": [{"column": [{"name": "x", "path": "noSuch.path("}]}]}
                }
            },
            ("dataset", "tables", "people", "select", "0", "column", "0", "path"),
        ),
        (
            {
                "tables": {
                    "people": {"resource": "Patient", "select": [{"column": [KEY, {"name": "x", "path": "noSuch"}]}]}
                }
            },
            ("dataset", "tables", "people", "select", "0", "column", "1", "path"),
        ),
    ],
)
async def test_a_bad_request_is_refused_by_name(
    lab: Laboratory, changed: dict[str, Any], field: tuple[str, ...]
) -> None:
    error = await refusal(lab.request(**changed))
    assert isinstance(error, CallerError)
    assert error.field[: len(field)] == field, error.field


async def test_a_profile_that_keeps_an_identifier_wants_the_stewards_word(
    lab: Laboratory, people: list[Participant]
) -> None:
    loose: Any = loads(shipped("safe-harbor").text)
    loose |= {"profile": "loose", "keep": ["Patient.name"]}
    release = (await lab.request(profile=loose)).release
    error = await refusal(lab.decide(release))
    assert isinstance(error, CallerError)
    assert error.field == ("profile", "keep.Patient.name")
    assert isinstance(await refusal(lab.decide(release, departures=("anonymity.k",))), CallerError)
    assert (await lab.decide(release, departures=("keep.Patient.name",))).stage is ReleaseStage.BUILDING
    view = await lab.settled(release)
    assert view.request.profile.departures == ("keep.Patient.name",)
    await lab.inside.gateway.releases.cancel(await lab.caller(lab.researcher), release)


async def test_a_cohort_of_nobody_or_of_one_gives_nothing(lab: Laboratory, people: list[Participant]) -> None:
    nobody = await lab.released(cohort={"codes": ["http://loinc.org|0000-0"]})
    assert nobody.stage is ReleaseStage.FAILED
    assert nobody.files == ()
    assert nobody.failed == ("bar",)
    await lab.inside.store(
        people[0].who,
        people[0].subject,
        {
            "resourceType": "Condition",
            "subject": {"reference": "Patient/p0"},
            "code": {"coding": [{"system": SNOMED, "code": "22298006"}]},
        },
    )
    one = await lab.released(cohort={"conditions": [f"{SNOMED}|22298006"]})
    # Who asked is told the same of nobody, of one, and of too few.
    assert one.stage is ReleaseStage.FAILED
    assert one.failed == nobody.failed
    told = await lab.inside.gateway.releases.get(await lab.caller(lab.steward), one.release)
    assert told is not None
    assert {"k", "people"} & set(told.failed)
    assert isinstance(await refusal(lab.open(one.release)), DeniedError)
    report = await lab.inside.gateway.releases.report(await lab.caller(lab.steward), one.release)
    assert "people" in report


async def test_a_use_that_no_consent_covers_gives_nothing(lab: Laboratory, people: list[Participant]) -> None:
    view = await lab.released(dataUse=["DUO:0000011"], purpose="CLINTRCH")
    assert view.stage is ReleaseStage.FAILED
    assert view.files == ()


async def test_consents_to_care_never_count(lab: Laboratory, people: list[Participant]) -> None:
    other = await lab.patient(PEOPLE, consent=False)
    await lab.inside.consent(other.who, other.subject, lab.researcher.actor, purposes=(Purpose.TREAT, Purpose.HRESCH))
    view = await lab.released(cohort={"conditions": [f"{SNOMED}|{DIABETES}"]})
    assert view.stage is ReleaseStage.RELEASED
    rows = (await lab.content(await lab.open(view.release)))["people/part-00000.ndjson"].splitlines()
    assert len(rows) == PEOPLE // 2


# ---- what leaves


async def test_nothing_that_names_a_patient_leaves(
    lab: Laboratory, opened: OpenedRelease, people: list[Participant]
) -> None:
    files = b"".join((await lab.content(opened)).values()) + opened.manifest
    for number, one in enumerate(people):
        for planted in (f"Family{number}", f'"p{number}"', f"{number} Main Street"):
            assert planted.encode() not in files
        for name in (one.subject, one.who.actor):
            assert name.hex().encode() not in files


async def test_names_do_not_link_two_releases(lab: Laboratory, opened: OpenedRelease) -> None:
    view = await lab.released(title="Once more")
    other = await lab.open(view.release)
    names = []
    for one in (opened, other):
        rows = (await lab.content(one))["people/part-00000.ndjson"].splitlines()
        names.append({orjson.loads(line)["person"] for line in rows})
    assert len(names[0]) == len(names[1]) == PEOPLE
    assert not names[0] & names[1]


async def test_nothing_is_on_a_disk_in_plain_text(folder: Path, lab: Laboratory, opened: OpenedRelease) -> None:
    planted = [
        b"Family7",
        b"Main Street",
        DIABETES.encode(),
        b"8302-2",
        orjson.loads((await lab.content(opened))["people/part-00000.ndjson"].splitlines()[0])["person"].encode(),
    ]
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".key":
            found = path.read_bytes()
            assert not [one for one in planted if one in found], path


# ---- whose data it is


async def test_each_patients_log_says_which_release_used_them(
    lab: Laboratory, opened: OpenedRelease, people: list[Participant]
) -> None:
    releases = lab.inside.gateway.releases
    mine = await releases.of_patient(await lab.caller(people[1].who), people[1].subject, part=Slice(size=50))
    assert opened.view.release in {one.release for one in mine.releases}
    assert {one.title for one in mine.releases if one.release == opened.view.release} == {"Two conditions"}
    theirs = await releases.of_patient(await lab.caller(people[2].who), people[1].subject, part=Slice(size=50))
    assert theirs.releases == ()


async def test_whoever_revokes_is_out_and_sees_it(
    lab: Laboratory, people: list[Participant], opened: OpenedRelease
) -> None:
    releases, leaving = lab.inside.gateway.releases, people[-1]
    before = {
        orjson.loads(line)["person"] for line in (await lab.content(opened))["people/part-00000.ndjson"].splitlines()
    }
    assert leaving.consent is not None
    await lab.inside.revoke(leaving.who, leaving.subject, leaving.consent)
    assert isinstance(await refusal(lab.open(opened.view.release)), ConflictError)
    told = await lab.settled(opened.view.release, edition=2)
    assert told.stage is ReleaseStage.RELEASED
    assert len(told.tombstones) == 1
    # What lay on IPFS of the edition before is gone.
    with pytest.raises(ConsentryError):
        await lab.content(opened)
    again = await lab.open(opened.view.release)
    after = {
        orjson.loads(line)["person"] for line in (await lab.content(again))["people/part-00000.ndjson"].splitlines()
    }
    # Whoever left goes in company: who else is missing differs from the other releases by as many as need be.
    assert set(told.tombstones) <= before
    assert not set(told.tombstones) & after
    assert after < before
    assert orjson.loads(again.manifest)["tombstones"] == list(told.tombstones)
    mine = await releases.of_patient(await lab.caller(leaving.who), leaving.subject, part=Slice(size=50))
    assert {one.withdrawn for one in mine.releases if one.release == opened.view.release} == {True}
    others = await releases.of_patient(await lab.caller(people[1].who), people[1].subject, part=Slice(size=50))
    assert {one.withdrawn for one in others.releases if one.release == opened.view.release} == {False}


async def test_what_is_cancelled_opens_no_more(lab: Laboratory, people: list[Participant]) -> None:
    view = await lab.released(title="Short-lived")
    opened = await lab.open(view.release)
    await lab.inside.gateway.releases.cancel(await lab.caller(lab.steward), view.release)
    assert isinstance(await refusal(lab.open(view.release)), DeniedError)
    with pytest.raises(ConsentryError):
        await lab.content(opened)
    gone = await lab.inside.gateway.releases.get(await lab.caller(lab.researcher), view.release)
    assert gone is not None
    assert gone.stage is ReleaseStage.CANCELLED


async def test_after_its_days_it_is_destroyed(
    lab: Laboratory, people: list[Participant], monkeypatch: pytest.MonkeyPatch
) -> None:
    view = await lab.released(title="Of a day", days=1)
    opened = await lab.open(view.release)
    releases, caller = lab.inside.gateway.releases, await lab.caller(lab.researcher)
    now = releases._clock.now
    with monkeypatch.context() as patched:
        patched.setattr(type(releases._clock), "now", lambda self: now() + 86_500)
        assert isinstance(await refusal(releases.open(caller, view.release)), DeniedError)
        row = await releases._index.release(view.release)
        assert row is not None
        with suppress(ConflictError):  # the gateway's own look was first
            await releases._course.expire(row)
    with pytest.raises(ConsentryError):
        await lab.content(opened)
    over = await releases.get(await lab.caller(lab.researcher), view.release)
    assert over is not None
    assert over.stage is ReleaseStage.EXPIRED
