"""What a patient agreed to is shown as it was, or not at all: no later version, no edited row, no other block and no
other publisher takes a form's place."""

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway import jsontext
from gateway.consent import forms
from gateway.consent.forms import FormInput, FormVersion
from gateway.consent.languages import Language
from gateway.errors import CallerError, ConflictError, ConsentryError, DeniedError, IntegrityError
from gateway.identity.model import Caller, Role
from gateway.ids import ActorId, FormId
from tests.attacks.inside import Inside, Somebody, inside

pytestmark = pytest.mark.asyncio(loop_scope="module")
TEXTS = {Language.EN: "# Follow-up\n\nWe look at your wound.", Language.DE: "# Nachsorge\n\nWir sehen die Wunde an."}


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    at: Inside
    path: Path
    clinic: Somebody
    rival: Somebody

    async def caller(self, who: Somebody) -> Caller:
        found = await self.at.caller(who)
        assert found is not None
        return found

    async def publish(self, who: Somebody, **changes: Any) -> FormVersion:
        asked = FormInput(**{"form": None, "publisher": None, "title": "Follow-up", "texts": TEXTS, **changes})
        return await self.at.gateway.forms.publish(await self.caller(who), asked)

    async def get(self, who: Somebody, form: FormId, version: int | None = None) -> FormVersion | None:
        return await self.at.gateway.forms.get(await self.caller(who), form, version=version)

    def edit(self, sql: str, **values: object) -> None:
        with sqlite3.connect(self.path, timeout=30) as database:
            database.execute(sql, values)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    folder = tmp_path_factory.mktemp("forms")
    async with inside(folder, batch_seconds=3600.0, batch_size=16_384) as at:
        clinic, rival = await at.person(Role.ORGANIZATION), await at.person(Role.ORGANIZATION)
        yield Desk(at=at, path=folder / "index.db", clinic=clinic, rival=rival)


async def test_a_later_version_changes_nothing_of_what_was_signed(desk: Desk) -> None:
    first = await desk.publish(desk.clinic)
    assert hashlib.sha256(first.octets).digest() == first.hash
    patient, grantee = await desk.at.person(Role.PATIENT), await desk.at.person(Role.CLINICIAN)
    subject = await desk.at.patient(patient)
    consent = await desk.at.consent(patient, subject, grantee.actor, terms_hash=first.hash)
    second = await desk.publish(desk.clinic, form=first.form, texts={Language.EN: "We look at everything."})
    assert (second.version, second.previous) == (2, first.hash)
    assert second.hash != first.hash
    view = await desk.at.gateway.shown_consents.get(await desk.caller(patient), consent)
    assert view is not None
    signed = await desk.at.gateway.forms.signed(view.terms.scope.terms_hash)
    assert signed == first
    assert await desk.get(patient, first.form) == second
    assert await desk.get(patient, first.form, 1) == first
    assert await desk.get(patient, first.form, 3) is None
    assert await desk.at.gateway.forms.signed(b"\x01" * 32) is None


async def test_nobody_else_publishes_nor_goes_on_with_anothers_form(desk: Desk) -> None:
    mine = await desk.publish(desk.clinic)
    others = [desk.rival, desk.at.registrar]
    others += [await desk.at.person(role) for role in (Role.CLINICIAN, Role.DATA_STEWARD, Role.PATIENT)]
    for who in others:
        for changes in ({"form": mine.form}, {"publisher": desk.clinic.actor}, {"form": FormId(b"\x01" * 16)}):
            with pytest.raises(ConsentryError) as refusal:
                await desk.publish(who, **changes)
            assert isinstance(refusal.value, DeniedError)
    assert await desk.get(desk.rival, mine.form) == mine
    with pytest.raises(DeniedError):
        await desk.publish(desk.clinic, form=mine.form, publisher=desk.rival.actor)


async def test_of_versions_at_once_each_number_is_one(desk: Desk) -> None:
    first = await desk.publish(desk.clinic)
    answers = await asyncio.gather(
        *(desk.publish(desk.clinic, form=first.form, title=f"Number {at}") for at in range(6)), return_exceptions=True
    )
    done = [one for one in answers if isinstance(one, FormVersion)]
    assert all(isinstance(one, FormVersion | ConflictError) for one in answers)
    assert sorted(one.version for one in done) == list(range(2, 2 + len(done)))
    chain = [await desk.get(desk.clinic, first.form, version) for version in range(1, 2 + len(done))]
    for before, after in pairwise(chain):
        assert before is not None
        assert after is not None
        assert after.previous == before.hash


EDITS = {
    "another block": "update forms set digest = (select digest from forms where hash = :other) where hash = :mine",
    "another version": "update forms set version = 9 where hash = :mine",
    "another hash": "update forms set hash = :wrong where hash = :mine",
    "another publisher": "update forms set publisher = :rival where hash = :mine",
    "another form": "update forms set form = substr(:wrong, 1, 16) where hash = :mine",
}


@pytest.mark.parametrize("name", EDITS)
async def test_an_edited_row_shows_no_other_form(desk: Desk, name: str) -> None:
    mine, other = await desk.publish(desk.clinic), await desk.publish(desk.clinic, title="Another")
    wrong = hashlib.sha256(mine.hash).digest()
    desk.edit(EDITS[name], **_given(EDITS[name], mine=mine.hash, other=other.hash, wrong=wrong, rival=desk.rival.actor))
    hash = wrong if name == "another hash" else mine.hash
    with pytest.raises(IntegrityError):
        await desk.at.gateway.forms.signed(hash)
    with pytest.raises(IntegrityError):
        await desk.at.gateway.forms.page(
            await desk.caller(desk.clinic), publisher=None, form=None, first=50, after=None
        )
    desk.edit("delete from forms where hash = :hash", hash=hash)


def _given(sql: str, **values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if f":{name}" in sql}


async def test_changed_octets_are_another_text() -> None:
    made = forms.made(
        FormInput(form=None, publisher=None, title="Follow-up", texts=TEXTS),
        form=FormId(b"\x01" * 16),
        version=1,
        publisher=ActorId(b"\x02" * 32),
        previous=b"",
        now=1_800_000_000,
    )
    assert jsontext.canonical(jsontext.loads(made.octets)) == made.octets
    changed = forms.read(made.octets.replace(b"We look at", b"We sell"))
    assert changed.hash != made.hash
    assert replace(changed, octets=made.octets, texts=made.texts) == made
    for octets in (
        b"",
        b"{}",
        made.octets[:-1],
        made.octets.replace(b"consent-form", b"consent"),
        b'{"a":1,' + made.octets[1:],
    ):
        with pytest.raises(IntegrityError):
            forms.read(octets)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no title": ({"title": " "}, "title"),
    "a title that hides": ({"title": "Follow\u202eup"}, "title"),
    "a long title": ({"title": "x" * 201}, "title"),
    "no text": ({"texts": {}}, "texts"),
    "an empty text": ({"texts": {Language.EN: " \n"}}, "texts"),
    "a text that hides": ({"texts": {Language.EN: "Your \u202e data"}}, "texts"),
    "a book": ({"texts": {Language.EN: "x" * 50_001}}, "texts"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_no_form_may_be_is_refused_by_name(desk: Desk, name: str) -> None:
    changes, field = WRONG[name]
    with pytest.raises(CallerError) as refusal:
        await desk.publish(desk.clinic, **changes)
    assert refusal.value.field == (field,)
