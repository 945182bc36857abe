"""Lists of what is one's own give nobody another's: not by a row that somebody edits, swaps or deletes, not by a
cursor, a filter or a membership that has ended; and what the patient ends is gone from them at once."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.audit.model import AccessFilter
from gateway.consent.listing import CONSENTS, Listings
from gateway.consent.mine import SHOW
from gateway.consent.model import ANYONE, ConsentStatus, Effect, Grant, Purpose
from gateway.consent.ties import GrantedFilter, Relation, TiePage
from gateway.errors import CallerError, ConflictError, IntegrityError, LimitError
from gateway.identity.model import Caller, Role
from gateway.ids import ConsentId, SubjectId
from gateway.ports.listings import ConsentListed
from gateway.slices import Slice
from tests.attacks.door.world import delegate, enlist, guard, link
from tests.attacks.inside import Inside, Somebody, inside

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATIENTS = 4
WHOLE = Slice(size=50)


@dataclass(slots=True)
class Ward:
    """Patients who each let the clinician in, oldest first; nobody lets the stranger in."""

    world: Inside
    path: Path
    clinician: Somebody
    stranger: Somebody
    people: list[Somebody] = field(default_factory=list)
    subjects: list[SubjectId] = field(default_factory=list)
    consents: list[ConsentId] = field(default_factory=list)

    async def caller(self, who: Somebody) -> Caller:
        found = await self.world.caller(who)
        assert found is not None
        return found

    async def granted(self, who: Somebody, part: Slice = WHOLE, wanted: GrantedFilter | None = None) -> list[ConsentId]:
        page = await self.world.gateway.mine.consents(
            await self.caller(who), wanted=wanted or GrantedFilter(), part=part
        )
        return [one.view.consent for one in page.granted]

    async def patients(self, who: Somebody, part: Slice = WHOLE) -> TiePage:
        return await self.world.gateway.mine.patients(await self.caller(who), part=part)

    async def relations(self, who: Somebody) -> Mapping[bytes, tuple[Relation, ...]]:
        return {tie.subject: tie.relations for tie in (await self.patients(who)).ties}

    async def another(self, grantee: bytes, **terms: object) -> tuple[Somebody, SubjectId, ConsentId]:
        """One patient more, who says this of the grantee."""
        person = await self.world.person(Role.PATIENT)
        subject = await self.world.patient(person)
        return person, subject, await self.world.consent(person, subject, grantee, **terms)

    def edit(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.path, timeout=20)
        try:
            found = connection.execute(sql, values).fetchall()
            connection.commit()
        finally:
            connection.close()
        return found

    def listing_of(self, consent: ConsentId) -> tuple[object, ...]:
        (row,) = self.edit("select token, subject, name from listings where name = ?", consent)
        return row


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ward(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    folder = tmp_path_factory.mktemp("ward") / "data"
    async with inside(folder) as world:
        people = [await world.person(Role.CLINICIAN) for _ in range(2)]
        made = Ward(world, folder / "index.db", *people)
        for _ in range(PATIENTS):
            person, subject, consent = await made.another(made.clinician.actor)
            made.people.append(person)
            made.subjects.append(subject)
            made.consents.append(consent)
        yield made


async def test_who_is_let_in_finds_every_consent_without_an_id_the_newest_first(ward: Ward) -> None:
    assert await ward.granted(ward.clinician) == ward.consents[::-1]
    assert await ward.granted(ward.stranger) == []
    assert await ward.granted(ward.people[0]) == []


async def test_pages_join_in_both_directions(ward: Ward) -> None:
    caller, mine = await ward.caller(ward.clinician), ward.world.gateway.mine
    forth: list[ConsentId] = []
    back: list[ConsentId] = []
    part = Slice(size=1)
    while True:
        page = await mine.consents(caller, wanted=GrantedFilter(), part=part)
        forth += [one.view.consent for one in page.granted]
        assert page.has_previous is (part.after is not None)
        if not page.has_next:
            break
        part = Slice(size=1, after=page.end)
    part = Slice(size=3, backwards=True)
    while True:
        page = await mine.consents(caller, wanted=GrantedFilter(), part=part)
        back = [*(one.view.consent for one in page.granted), *back]
        if not page.has_previous:
            break
        part = Slice(size=3, before=page.start, backwards=True)
    assert forth == back == ward.consents[::-1]


async def test_a_cursor_keeps_its_place_while_others_come(ward: Ward) -> None:
    caller, mine = await ward.caller(ward.clinician), ward.world.gateway.mine
    page = await mine.consents(caller, wanted=GrantedFilter(), part=Slice(size=2))
    person, subject, more = await ward.another(ward.clinician.actor)
    assert await ward.granted(ward.clinician, Slice(size=9, after=page.end)) == ward.consents[-3::-1]
    assert await ward.granted(ward.clinician, Slice(size=9, before=page.granted[0].cursor)) == [more]
    await ward.world.revoke(person, subject, more)


async def test_what_is_revoked_is_gone_at_once_and_what_comes_after_it_stays(ward: Ward) -> None:
    person, subject, consent = await ward.another(ward.clinician.actor)
    assert (await ward.granted(ward.clinician))[0] == consent
    await ward.world.revoke(person, subject, consent)
    assert await ward.granted(ward.clinician) == ward.consents[::-1]


async def test_denies_and_what_names_nobody_or_another_are_never_there(ward: Ward) -> None:
    for grantee, terms in (
        (ward.clinician.actor, {"effect": Effect.DENY}),
        (ANYONE, {"effect": Effect.DENY}),
        (ward.stranger.actor, {}),
    ):
        person, subject, consent = await ward.another(grantee, **terms)
        assert consent not in await ward.granted(ward.clinician)
        await ward.world.revoke(person, subject, consent)
    assert await ward.granted(ward.stranger) == []


async def test_a_filter_only_takes_away(ward: Ward) -> None:
    async def wanted(**given: Any) -> list[ConsentId]:
        return await ward.granted(ward.clinician, wanted=GrantedFilter(**given))

    assert await wanted(purpose=Purpose.TREAT) == ward.consents[::-1]
    assert await wanted(purpose=Purpose.HRESCH) == []
    assert await wanted(subject=ward.subjects[2]) == [ward.consents[2]]
    assert await wanted(grantee=ward.stranger.actor) == []
    assert await wanted(status=ConsentStatus.NOT_YET) == []
    for status in (ConsentStatus.REVOKED, ConsentStatus.EXPIRED):
        with pytest.raises(CallerError):
            await wanted(status=status)


async def test_what_begins_later_is_shown_where_it_is_asked_for(ward: Ward) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=30)
    person, subject, consent = await ward.another(ward.clinician.actor, not_before=soon)
    assert consent not in await ward.granted(ward.clinician)
    assert await ward.granted(ward.clinician, wanted=GrantedFilter(status=ConsentStatus.NOT_YET)) == [consent]
    await ward.world.revoke(person, subject, consent)
    assert await ward.granted(ward.clinician, wanted=GrantedFilter(status=ConsentStatus.NOT_YET)) == []


async def test_each_patient_is_told_once_who_was_shown_what(ward: Ward) -> None:
    owner = await ward.caller(ward.people[1])
    asked = {
        "subject": ward.subjects[1],
        "part": WHOLE,
        "wanted": AccessFilter(actions=frozenset({SHOW})),
    }
    before = await ward.world.gateway.audit.access_log(owner, **asked)
    await ward.granted(ward.clinician)
    after = await ward.world.gateway.audit.access_log(owner, **asked)
    assert len(after.events) == len(before.events) + 1
    assert after.events[0].actor == ward.clinician.actor
    await ward.granted(ward.stranger)
    assert len((await ward.world.gateway.audit.access_log(owner, **asked)).events) == len(after.events)


async def test_members_see_what_their_organization_was_given_and_former_members_nothing(ward: Ward) -> None:
    house, member = await ward.world.person(Role.ORGANIZATION), await ward.world.person(Role.CLINICIAN)
    person, subject, consent = await ward.another(house.actor)
    named = await ward.world.consent(person, subject, member.actor)
    assert await ward.granted(member) == [named]
    await enlist(ward.world, house, member)
    assert await ward.granted(member) == [named, consent]
    assert await ward.granted(member, wanted=GrantedFilter(grantee=house.actor)) == [consent]
    caller = await ward.caller(member)
    page = await ward.world.gateway.mine.consents(caller, wanted=GrantedFilter(grantee=house.actor), part=Slice(size=1))
    await enlist(ward.world, house, member, until=datetime(2001, 1, 1, tzinfo=UTC))
    assert await ward.granted(member) == [named]
    assert await ward.granted(member, wanted=GrantedFilter(grantee=house.actor)) == []
    with pytest.raises(CallerError):
        await ward.granted(member, Slice(size=1, after=page.end))


async def test_nobody_goes_on_from_anothers_cursor(ward: Ward) -> None:
    caller = await ward.caller(ward.clinician)
    page = await ward.world.gateway.mine.consents(caller, wanted=GrantedFilter(), part=Slice(size=1))
    for part in (Slice(size=1, after=page.end), Slice(size=1, before=page.end, backwards=True)):
        with pytest.raises(CallerError):
            await ward.granted(ward.stranger, part)
    for text in ("00" * 16, "no cursor", ward.subjects[0].hex()):
        with pytest.raises(CallerError):
            await ward.granted(ward.clinician, Slice(size=1, after=text))
    with pytest.raises(CallerError):
        await ward.patients(ward.clinician, Slice(size=1, after="no cursor"))
    for most in (0, 101):
        with pytest.raises(LimitError):
            await ward.granted(ward.clinician, Slice(size=most))


async def test_a_place_that_is_made_to_name_anothers_consent_gives_nobody_that(ward: Ward) -> None:
    person, subject, theirs = await ward.another(ward.stranger.actor)
    token, *was = ward.listing_of(ward.consents[1])
    ward.edit("update listings set subject = ?, name = ? where token = ?", subject, theirs, token)
    with pytest.raises(IntegrityError):
        await ward.granted(ward.clinician)
    ward.edit("update listings set subject = ?, name = ? where token = ?", was[0], theirs, token)
    assert await ward.granted(ward.clinician) == [one for one in ward.consents[::-1] if one != ward.consents[1]]
    ward.edit("update listings set subject = ?, name = ? where token = ?", *was, token)
    assert await ward.granted(ward.clinician) == ward.consents[::-1]
    await ward.world.revoke(person, subject, theirs)


async def test_a_place_of_a_consent_that_was_revoked_brings_nothing_back(ward: Ward) -> None:
    person, subject, consent = await ward.another(ward.stranger.actor)
    assert ward.listing_of(consent)
    await ward.world.revoke(person, subject, consent)
    ward.edit("update consents set listed = 0 where consent = ?", consent)
    await ward.world.gateway.listings.catch_up()
    assert await ward.granted(ward.stranger) == []
    assert len(ward.edit("select token from listings where name = ?", consent)) == 2


async def test_a_place_that_is_deleted_is_missing_and_hinders_no_later_one(ward: Ward) -> None:
    row = ward.listing_of(ward.consents[0])
    ward.edit("delete from listings where token = ?", row[0])
    assert ward.consents[0] not in await ward.granted(ward.clinician)
    person, subject, consent = await ward.another(ward.clinician.actor)
    assert consent in await ward.granted(ward.clinician)
    await ward.world.revoke(person, subject, consent)
    ward.edit("insert or replace into listings (token, subject, name) values (?, ?, ?)", *row)
    assert ward.consents[0] in await ward.granted(ward.clinician)


async def test_replicas_that_list_at_once_give_each_consent_a_place_of_its_own(ward: Ward) -> None:
    own = ward.world.gateway.listings
    rows = [
        row for one in ward.consents for row in (await own._index.consent(one),) if row is not None
    ]  # as if nobody had listed them
    terms = {grant.consent: grant.terms for one in ward.subjects for grant in await _grants(ward, one)}
    grantee = ward.clinician.actor
    before = await own.count(grantee, CONSENTS)
    ward.edit("update consents set listed = 0 where subject in (?, ?, ?, ?)", *ward.subjects)
    others = [
        Listings(index=own._index, documents=own._documents, sealing=own._sealing, keys=own._keys, domain=own._domain)
        for _ in range(3)
    ]
    await asyncio.gather(*(one.add_consent(row, terms[ConsentId(row.consent)]) for one in others for row in rows))
    assert await own.count(grantee, CONSENTS) == before + len(rows)
    places = await own.places(grantee, CONSENTS, range(before, before + len(rows)))
    assert {row.name for row in places.values()} == set(ward.consents)
    ward.edit("delete from listings where token in (select token from listings order by rowid desc limit 4)")


async def _grants(ward: Ward, subject: SubjectId) -> list[Grant]:
    standing = await ward.world.gateway._standings.current(subject)
    assert standing is not None
    return [grant for grant in standing.grants if isinstance(grant, Grant)]


async def test_whose_patient_one_is_and_how(ward: Ward) -> None:
    world = ward.world
    other = await world.person(Role.CLINICIAN)
    owner = ward.people[0]
    subject = ward.subjects[0]
    assert await ward.relations(owner) == {subject: (Relation.CONTROLLER,)}
    assert await ward.relations(other) == {}
    await link(world, owner, subject, other)
    assert await ward.relations(other) == {subject: (Relation.CREDENTIAL,)}
    second = await world.person(Role.CLINICIAN)
    await guard(world, ward.people[1], ward.subjects[1], (other, second))
    await delegate(world, ward.people[2], ward.subjects[2], other, lists=False)
    await world.gateway.listings.catch_up()
    expected = {
        subject: (Relation.CREDENTIAL,),
        ward.subjects[1]: (Relation.GUARDIAN,),
        ward.subjects[2]: (Relation.DELEGATE,),
    }
    assert await ward.relations(other) == expected
    assert await ward.relations(second) == {ward.subjects[1]: (Relation.GUARDIAN,)}
    names = sorted(expected)
    first = await ward.patients(other, Slice(size=2))
    assert ([tie.subject for tie in first.ties], first.has_next) == (names[:2], True)
    rest = await ward.patients(other, Slice(size=2, after=first.end))
    assert ([tie.subject for tie in rest.ties], rest.has_next, rest.has_previous) == (names[2:], False, True)
    last = await ward.patients(other, Slice(size=2, backwards=True))
    assert ([tie.subject for tie in last.ties], last.has_previous) == (names[1:], True)
    before = await ward.patients(other, Slice(size=2, before=last.start, backwards=True))
    assert ([tie.subject for tie in before.ties], before.has_previous, before.has_next) == (names[:1], False, True)
    assert await ward.relations(ward.stranger) == {}


async def test_few_guardians_take_as_many_places_as_many(ward: Ward) -> None:
    found = ward.edit(
        "select count(*) from listings l join papers p on p.subject = l.subject and p.name = l.name group by p.name"
    )
    assert found == [(16,)]


async def test_an_erased_patient_is_in_nobodys_list_and_leaves_no_name_there(ward: Ward) -> None:
    person, subject, consent = await ward.another(ward.clinician.actor)
    assert consent in await ward.granted(ward.clinician)
    caller, service = await ward.caller(person), ward.world.gateway.erasures
    draft = await service.draft_erasure(caller, subject=subject)
    signature = bytes.fromhex(person.wallet.sign_typed_data(draft.typed_data)[2:])
    await service.erase_patient(caller, typed_data=draft.typed_data, signature=signature)
    assert await ward.granted(ward.clinician) == ward.consents[::-1]
    for _ in range(200):
        if not ward.edit("select 1 from listings where subject = ? or name = ?", subject, consent):
            break
        await asyncio.sleep(0.1)
    else:
        raise AssertionError("an erased patient is still named in a list")
    _, _, later = await ward.another(ward.clinician.actor)
    assert await ward.granted(ward.clinician) == [later, *ward.consents[::-1]]


async def test_a_place_is_taken_once(ward: Ward) -> None:
    token, subject, name = ward.listing_of(ward.consents[0])
    with pytest.raises(sqlite3.IntegrityError):
        ward.edit("insert into listings (token, subject, name) values (?, ?, ?)", token, subject, name)
    row = await ward.world.gateway.listings._index.consent(ward.consents[0])
    assert row is not None
    with pytest.raises(ConflictError):
        await ward.world.gateway.listings._index.apply((ConsentListed(consent=row.consent),))
