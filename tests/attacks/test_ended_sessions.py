"""What has ended lets nobody in, anywhere, whatever is kept or lost; and nobody ends, sees or carries on another's."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.errors import UnauthenticatedError
from gateway.identity.model import Role
from gateway.identity.sessions import GRACE_SECONDS
from gateway.identity.versions import ENDINGS, moved
from gateway.identity.vigil import LOOK_SECONDS
from gateway.ports.sign_ins import SessionEnded
from gateway.records.model import Released
from tests.attacks.inside import Inside, Somebody, inside, settled
from tests.attacks.inside import sign_in as sign_in_inside
from tests.journeys import documents
from tests.journeys.people import Person, sign_in, unknown_id
from tests.journeys.resources import observation
from tests.journeys.sites import Site
from tests.journeys.sockets import subscribed
from tests.ports.databases import query

DEVICE = "Zebrafish tablet of Ward Nine"


@pytest.fixture
def person(quick: Site) -> Person:
    return quick.crowd.clinician("Dr. Many Devices")


def again(person: Person, device: str | None = None) -> Person:
    """Another session of the same person."""
    return sign_in(person.door, person.wallet, device=device)


def is_nobody(person: Person) -> bool:
    read = person.once(documents.READ, {"id": unknown_id("Record", 16)})
    return person.once(documents.VIEWER).found is None and read.code == "UNAUTHENTICATED"


def rotated(person: Person) -> Person:
    return person.bearing(person.once(documents.REFRESH).value["accessToken"])


def test_the_owner_sees_each_session_once_and_knows_the_present_one(person: Person) -> None:
    other = again(person, DEVICE)
    shown = other.sessions()
    assert [(one["device"], one["current"]) for one in shown] == [(DEVICE, True), (None, False)]
    assert {one["id"] for one in shown} == {one["id"] for one in person.sessions()}
    assert [one["current"] for one in person.sessions()] == [False, True]


def test_pages_of_sessions_go_on_where_they_ended(person: Person) -> None:
    for _ in range(3):
        again(person)
    seen: list[str] = []
    after: str | None = None
    while True:
        page = person.once(documents.SESSIONS, {"first": 2, "after": after}).value
        seen += [edge["node"]["id"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert len(seen) == len(set(seen)) == 4
    stranger = again(person.at(person.door))  # the same actor: the cursor fits
    assert stranger.once(documents.SESSIONS, {"first": 2, "after": after}).code == ""


def test_a_cursor_of_another_is_none(quick: Site, person: Person) -> None:
    again(person)
    after = person.once(documents.SESSIONS, {"first": 1}).value["pageInfo"]["endCursor"]
    assert quick.crowd.clinician().once(documents.SESSIONS, {"first": 1, "after": after}).code == "INVALID"


def test_an_ended_session_is_nobodys_from_that_moment(person: Person) -> None:
    lost = again(person, "Lost telephone")
    assert not is_nobody(lost)
    (gone,) = [one for one in person.sessions() if one["device"] == "Lost telephone"]
    person.once(documents.END_SESSION, {"id": gone["id"]}).must()
    assert is_nobody(lost)
    assert lost.once(documents.REFRESH).code == "UNAUTHENTICATED"
    assert gone["id"] not in {one["id"] for one in person.sessions()}
    assert not is_nobody(person)


def test_all_others_end_and_the_present_one_stays(person: Person) -> None:
    others = [again(person) for _ in range(3)]
    person.once(documents.END_OTHER_SESSIONS).must()
    assert all(map(is_nobody, others))
    assert [one["current"] for one in person.sessions()] == [True]


def test_who_signs_out_is_out(person: Person) -> None:
    other = again(person)
    person.once(documents.SIGN_OUT).must()
    assert is_nobody(person)
    assert not is_nobody(other)


def test_a_socket_ends_with_its_session(quick: Site, person: Person) -> None:
    patient = quick.crowd.patient()
    patient.consent(person.id)
    other = again(person)
    with subscribed(other, documents.RECORD_ADDED, {"id": patient.id}) as subscription:
        (gone,) = [one for one in other.sessions() if one["current"]]
        person.once(documents.END_SESSION, {"id": gone["id"]}).must()
        patient.store(observation())
        assert subscription.closed_with(seconds=5) == 4403


def test_another_persons_session_is_as_one_that_is_not_there(quick: Site, person: Person) -> None:
    stranger = quick.crowd.clinician()
    (mine,) = person.sessions()
    theirs = stranger.once(documents.END_SESSION, {"id": mine["id"]})
    nothing = stranger.once(documents.END_SESSION, {"id": unknown_id("Session", 16)})
    assert theirs.code == nothing.code == "NOT_PERMITTED"
    assert theirs.message == nothing.message
    assert mine["id"] not in str(stranger.sessions())
    assert not is_nobody(person)


def test_no_kind_of_id_but_a_sessions_is_taken(person: Person) -> None:
    for id in ("", "x", person.id, person.token, unknown_id("Session", 32)):
        assert person.once(documents.END_SESSION, {"id": id}).code == "INVALID"


def test_who_is_not_signed_in_has_no_sessions(quick: Site) -> None:
    door = quick.door
    assert door.ask(documents.SESSIONS).value["edges"] == []
    for document in (documents.REFRESH, documents.END_OTHER_SESSIONS, documents.SIGN_OUT):
        assert door.ask(document).code == "UNAUTHENTICATED"
    assert door.ask(documents.END_SESSION, {"id": unknown_id("Session", 16)}).code == "UNAUTHENTICATED"


def test_the_name_of_a_session_opens_nothing(person: Person) -> None:
    (mine,) = person.sessions()
    raw = base64.urlsafe_b64decode(mine["id"] + "=" * (-len(mine["id"]) % 4)).removeprefix(b"Session:")
    for token in (mine["id"], raw.hex(), raw.hex() * 3, raw.hex() * 6):
        assert person.door.ask(documents.VIEWER, token=token).found is None
    assert raw.hex() not in person.token


@pytest.mark.parametrize("device", ["", "  ", "x" * 65, "a\nb", "a\x00b", "\u202eright to left"])
def test_what_is_no_name_of_a_device_signs_nobody_in(person: Person, device: str) -> None:
    message = person.door.ask(documents.CHALLENGE, {"address": person.wallet.address}).value["message"]
    given = {"message": message, "signature": person.wallet.sign_text(message), "device": device}
    refused = person.door.ask(documents.SIGN_IN, {"input": given})
    assert (refused.code, refused.field) == ("INVALID", ("device",))
    assert person.door.ask(documents.SIGN_IN, {"input": {**given, "device": "A good name"}}).code == ""


def test_the_name_of_a_device_lies_nowhere_in_clear(quick: Site, person: Person) -> None:
    """And all of them, sealed, are as long as each other."""
    again(person, DEVICE)
    again(person, "x")
    sizes = query(quick.gateway.index_url, "select distinct length(label) from sessions where length(label) > 0")
    assert len(sizes) == 1
    told = quick.gateway.text.encode()
    for file in (one for one in quick.gateway.data.rglob("*") if one.is_file()):
        told += file.read_bytes()
    assert DEVICE.encode() not in told
    assert b"Zebrafish" not in told


# ---- another token


def test_the_old_token_ends_where_another_takes_its_place(person: Person) -> None:
    fresh = rotated(person)
    assert fresh.token != person.token
    assert is_nobody(person)
    assert not is_nobody(fresh)
    assert [one["current"] for one in fresh.sessions()] == [True]


def test_a_session_is_not_carried_past_its_end(person: Person) -> None:
    (before,) = person.sessions()
    for _ in range(3):
        person = rotated(person)
    (after,) = person.sessions()
    assert after["endsAt"] == before["endsAt"] >= after["expiresAt"]
    assert after["id"] == before["id"]


def test_a_token_that_gave_way_ends_the_session_when_it_is_refreshed_again(person: Person) -> None:
    """Whoever came first, the thief or the owner: the other one's attempt puts both out."""
    fresh, other = rotated(person), again(person)
    assert person.once(documents.REFRESH).code == "UNAUTHENTICATED"
    assert is_nobody(fresh)
    assert not is_nobody(other)


def test_a_token_that_gave_way_ends_the_session_when_it_is_shown_again(quick: Site, person: Person) -> None:
    fresh = rotated(person)
    assert is_nobody(person)
    assert not is_nobody(fresh), "a request that was under way is no theft"
    query(quick.gateway.index_url, f"update spent_tokens set spent_at = spent_at - {GRACE_SECONDS}")
    assert is_nobody(person)
    assert is_nobody(fresh)


def test_of_many_refreshes_by_one_token_none_gives_two_tokens_that_hold(person: Person) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: person.once(documents.REFRESH), range(6)))
    given = [answer.found["accessToken"] for answer in answers if not answer.code]
    assert len(given) == 1
    assert {answer.code for answer in answers} == {"", "UNAUTHENTICATED"}
    assert is_nobody(person.bearing(given[0])), "it was shown by two"


def test_what_is_written_into_a_sessions_row_prolongs_nothing(quick: Site, person: Person) -> None:
    raw = person.sessions()[0]["id"]
    name = base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)).removeprefix(b"Session:").hex().upper()
    query(quick.gateway.index_url, f"update sessions set ends_at = ends_at + 1000000 where hex(session) = '{name}'")
    assert person.once(documents.REFRESH).code == "INTEGRITY"


def test_a_token_is_good_for_its_own_session_alone(quick: Site, person: Person) -> None:
    """Who writes into the database cannot hide a session under another's name."""
    kept = person.sessions()[0]["id"]
    other = again(person)
    raw = base64.urlsafe_b64decode(kept + "=" * (-len(kept) % 4)).removeprefix(b"Session:").hex().upper()
    query(
        quick.gateway.index_url,
        f"update sessions set session = x'{'00' * 16}' where hex(session) <> '{raw}' and actor ="
        f" (select actor from sessions where hex(session) = '{raw}')",
    )
    person.once(documents.END_OTHER_SESSIONS).must()
    assert is_nobody(other)


# ---- another replica, which nobody tells


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def replica(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inside]:
    async with inside(Path(tmp_path_factory.mktemp("replica"))) as at:
        yield at


async def ended_elsewhere(at: Inside, who: Somebody) -> None:
    """As another replica writes it; no hint comes."""
    caller = await at.caller(who)
    assert caller is not None
    ended = SessionEnded(session=caller.session, actor=who.actor)
    await at.gateway.identity._index.apply((ended, *moved(who.actor, ENDINGS)))


@pytest.mark.asyncio(loop_scope="module")
async def test_no_decision_of_a_session_that_ended_elsewhere_is_acknowledged(replica: Inside) -> None:
    patient, reader = await replica.person(Role.PATIENT), await replica.person(Role.CLINICIAN)
    subject = await replica.patient(patient)
    record = await replica.store(patient, subject, observation())
    await replica.consent(patient, subject, reader.actor)
    other = await sign_in_inside(replica.gateway, reader.wallet)
    assert isinstance(await settled(lambda: replica.read(reader, record)), Released)
    kept = await replica.caller(reader)
    assert kept is not None
    await ended_elsewhere(replica, reader)
    assert isinstance(await replica.read(reader, record), UnauthenticatedError | None)
    with pytest.raises(UnauthenticatedError):
        await replica.gateway.identity.current(kept)
    assert isinstance(await settled(lambda: replica.read(other, record)), Released)


@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_kept_of_a_session_that_ended_elsewhere_lasts_for_more_than_a_moment(replica: Inside) -> None:
    who = await replica.person(Role.CLINICIAN)
    assert await replica.caller(who) is not None
    await ended_elsewhere(replica, who)
    deadline = time.monotonic() + 8 * LOOK_SECONDS
    while await replica.caller(who) is not None:
        assert time.monotonic() < deadline
        await asyncio.sleep(LOOK_SECONDS / 4)
