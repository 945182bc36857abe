"""A study's records are written and read in the study, by its people, within what was agreed to; by no other consent,
role, path or moment."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
import pytest_asyncio

from gateway.consent.model import Action, Effect, Purpose, StudyState
from gateway.crypto import envelope
from gateway.crypto.model import RecordFacts, record_domain
from gateway.emergency.model import EmergencyCode, NewEmergency
from gateway.errors import CallerError, ConflictError, ConsentryError, DeniedError, IntegrityError, StaleError
from gateway.ids import RecordId, StudyId, SubjectId
from gateway.ports.clock import SystemEntropy
from gateway.ports.ledger import Stale
from gateway.ports.rows import RecordRow
from gateway.records.model import Released, StoredRecord
from gateway.upkeep.walk import Damaged, inspect
from tests.attacks.inside import Somebody
from tests.attacks.studies import journal_of
from tests.attacks.trial_site import (
    LEAVING_TERMS,
    NOW_TERMS,
    OLD_TERMS,
    OTHER_STUDY,
    PEOPLE,
    STUDY,
    THERE,
    Entered,
    Told,
    Trial,
    trial_site,
)
from tests.journeys.resources import bundle, observation
from tests.journeys.test_studies_rebuilt import erased

pytestmark = pytest.mark.asyncio(loop_scope="module")
EVERYTHING: dict[str, Any] = {"actions": tuple(Action), "purposes": tuple(Purpose), "labels": ("HIV", "unclassified")}
CLOSED = "the study takes no data in this state"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trial(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Trial]:
    async with trial_site(tmp_path_factory.mktemp("trial") / "data") as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def site(trial: Trial) -> AsyncIterator[Trial]:
    """Whatever a test made of the study, the next finds it open under the version that stands."""
    yield trial
    for study in (STUDY, OTHER_STUDY):
        await trial.moved(study, lambda told: setattr(told, "terms", NOW_TERMS))
        await trial.in_state(StudyState.OPEN, study)


async def captured(trial: Trial, subject: SubjectId, **more: Any) -> RecordId:
    stored = await trial.capture("investigator", subject, observation(), **more)
    assert isinstance(stored, StoredRecord), stored
    return stored.record


def refused(found: object, reason: str = "") -> bool:
    """Not permitted, and inside for this reason."""
    return isinstance(found, DeniedError) and reason in found.reason


def versions(trial: Trial, subject: SubjectId) -> Awaitable[Any]:
    index = trial.registry.index
    assert index is not None
    return index.page(subject, after=0, limit=100)


# ---- whose


async def test_the_study_s_people_read_what_two_of_them_write(site: Trial) -> None:
    _, subject = await site.enrolled()
    for name in ("investigator", "coordinator"):
        assert isinstance(await site.capture(name, subject, observation()), StoredRecord)
    record = await captured(site, subject)
    for name, (_, sites) in PEOPLE.items():
        found = await site.read(name, record)
        assert isinstance(found, Released) == ("here" in sites), name
        if name not in ("investigator", "coordinator"):
            assert refused(await site.capture(name, subject, observation())), name
    assert refused(await site.read("doctor", record))


async def test_an_ordinary_consent_opens_no_record_of_a_study(site: Trial) -> None:
    owner, subject = await site.enrolled()
    record = await captured(site, subject)
    for name in ("sponsor", "investigator", "doctor"):
        await site.world.consent(owner, subject, site.people[name].actor, **EVERYTHING)
    for purpose in (Purpose.TREAT, Purpose.CLINTRCH):
        assert refused(await site.read("doctor", record, study=None, purpose=purpose))
        assert refused(await site.read("investigator", record, study=None, purpose=purpose))
        assert refused(await site.read("doctor", record, purpose=purpose))
    assert refused(await site.amend("investigator", record, observation(value="130"), study=None, reason=""))


async def test_a_consent_without_a_study_is_none_for_one(site: Trial) -> None:
    owner, subject = await site.enrolled(effect=Effect.PERMIT, study=OTHER_STUDY)
    await site.moved(STUDY, lambda told: told.sites.__setitem__(subject, "here"))
    await site.world.consent(owner, subject, site.people["sponsor"].actor, **{**EVERYTHING, "terms_hash": NOW_TERMS})
    assert refused(await site.capture("investigator", subject, observation()))
    assert isinstance(await site.capture("investigator", subject, observation(), study=OTHER_STUDY), StoredRecord)


async def test_a_study_s_consent_opens_no_other_record_nor_another_study_s(site: Trial) -> None:
    owner, subject = await site.enrolled()
    await site.moved(OTHER_STUDY, lambda told: told.sites.__setitem__(subject, "here"))
    ordinary = await site.world.store(owner, subject, observation())
    record = await captured(site, subject)
    for study in (STUDY, OTHER_STUDY, None):
        assert refused(await site.read("investigator", ordinary, study=study))
    assert refused(await site.read("investigator", record, study=OTHER_STUDY))
    await site.agreed(owner, subject, study=OTHER_STUDY)
    other = await captured(site, subject, study=OTHER_STUDY)
    assert refused(await site.read("investigator", other))
    assert refused(await site.read("investigator", record, study=OTHER_STUDY))
    assert isinstance(await site.read("investigator", other, study=OTHER_STUDY), Released)
    assert refused(await site.amend("investigator", record, observation(value="130"), study=OTHER_STUDY))
    assert refused(await site.amend("investigator", ordinary, observation(value="130")))


async def test_roles_at_another_site_reach_nothing_here(site: Trial) -> None:
    _, here = await site.enrolled()
    _, there = await site.enrolled(site=THERE)
    record = await captured(site, here)
    assert refused(await site.read("elsewhere", record))
    assert refused(await site.capture("elsewhere", here, observation()))
    assert refused(await site.amend("elsewhere", record, observation(value="130")))
    assert refused(await site.capture("investigator", there, observation()))
    assert isinstance(await site.capture("elsewhere", there, observation()), StoredRecord)


async def test_a_study_that_is_not_there_is_refused_as_a_record_that_is_not(site: Trial) -> None:
    _, subject = await site.enrolled()
    record = await captured(site, subject)
    nothing = await site.read("investigator", RecordId(bytes(16)))
    for found in (
        await site.read("investigator", record, study=StudyId(b"\x01" * 32)),
        await site.read("elsewhere", record),
        await site.read("doctor", record, study=None, purpose=Purpose.TREAT),
        await site.amend("doctor", record, observation(), study=None, reason=""),
        await site.amend("doctor", RecordId(bytes(16)), observation(), study=None, reason=""),
    ):
        assert isinstance(found, DeniedError)
        assert isinstance(nothing, DeniedError)
        assert (found.code, found.message) == (nothing.code, nothing.message)


# ---- the patient


async def test_patients_read_what_a_study_has_of_them_and_write_none_of_it(site: Trial) -> None:
    owner, subject = await site.enrolled()
    record = await captured(site, subject)
    own = await site.read(owner, record, study=None, purpose=Purpose.PATRQT)
    assert isinstance(own, Released)
    assert own.receipt.basis == "own"
    changed = observation(value="90")
    assert refused(await site.amend(owner, record, changed, study=None, reason=""))
    assert refused(await site.amend(owner, record, changed))
    assert refused(await site.capture(owner, subject, changed))
    assert refused(await site.bundle(owner, subject, bundle(changed)))
    assert refused(await site.read(owner, record))


async def test_no_emergency_reaches_a_study(site: Trial) -> None:
    owner, subject = await site.enrolled()
    record, ordinary = await captured(site, subject), await site.world.store(owner, subject, observation())
    asked = NewEmergency(subject=subject, code=EmergencyCode.OTHER, reason="found without a pulse", minutes=5)
    await site.world.gateway.emergencies.open(await site.caller("investigator"), asked)
    assert isinstance(await site.read("investigator", ordinary, study=None, purpose=Purpose.ETREAT), Released)
    assert refused(await site.read("investigator", record, study=None, purpose=Purpose.ETREAT))
    assert refused(await site.read("investigator", record, purpose=Purpose.ETREAT))
    urgent = {"study": None, "reason": "", "purpose": Purpose.ETREAT}
    assert refused(await site.amend("investigator", record, observation(value="0"), **urgent))
    both = await site.capture("investigator", subject, observation(), purpose=Purpose.ETREAT)
    assert isinstance(both, CallerError)
    assert both.field == ("purpose",)


async def test_custody_reaches_no_study(site: Trial) -> None:
    registrar = await site.caller(site.world.registrar)
    newborn = (await site.world.gateway.identity.enrol_patient(registrar, controller=None)).id
    await site.moved(STUDY, lambda told: told.sites.__setitem__(newborn, "here"))
    assert isinstance(await site.capture(site.world.registrar, newborn, observation(), study=None), StoredRecord)
    assert refused(await site.capture(site.world.registrar, newborn, observation()))
    assert refused(await site.capture("investigator", newborn, observation()))


# ---- states, and moments between


async def repeat(site: Trial, subject: SubjectId) -> StoredRecord | ConsentryError:
    return await site.capture("investigator", subject, observation(), idempotency_key="of " + subject.hex())


@pytest.mark.parametrize("state", [StudyState.PLANNED, StudyState.FROZEN, StudyState.LOCKED])
async def test_a_study_that_is_not_open_takes_no_write_by_any_path(site: Trial, state: StudyState) -> None:
    _, subject = await site.enrolled()
    record = await captured(site, subject)
    first = await repeat(site, subject)
    assert isinstance(first, StoredRecord)
    assert await repeat(site, subject) == first
    before = await versions(site, subject)
    await site.in_state(state)
    for found in (
        await site.capture("investigator", subject, observation()),
        await site.bundle("investigator", subject, bundle(observation(), observation())),
        await site.amend("investigator", record, observation(value="130")),
        await repeat(site, subject),
    ):
        assert refused(found)
    assert await versions(site, subject) == before
    assert isinstance(await site.read("investigator", record), Released)


async def test_who_is_withdrawn_from_collection_is_collected_from_no_more(site: Trial) -> None:
    _, subject = await site.enrolled()
    record = await captured(site, subject)
    await site.moved(STUDY, lambda told: told.withdrawn.add(subject))
    assert refused(await site.capture("investigator", subject, observation()))
    assert refused(await site.amend("investigator", record, observation(value="130")))
    assert isinstance(await site.read("monitor", record), Released)


def _nothing(told: Told) -> None:
    """Something of the study moved that this is not about."""


async def locked(site: Trial) -> None:
    await site.in_state(StudyState.LOCKED, hint=False)


@pytest.mark.parametrize("path", ["create", "import", "amend"])
async def test_a_lock_between_decision_and_acknowledgement_is_seen(site: Trial, path: str) -> None:
    _, subject = await site.enrolled()
    record = await captured(site, subject)
    before = await versions(site, subject)
    entered = Entered(trial=site, subject=subject, first=lambda: locked(site))
    if path == "create":
        found: object = await site.capture("investigator", subject, observation(), appendix=entered)
    elif path == "import":
        found = await site.bundle("investigator", subject, bundle(observation()), appendix=entered)
    else:
        found = await site.amend("investigator", record, observation(value="130"), appendix=entered)
    assert refused(found, CLOSED)
    assert (entered.asked, entered.done_with) == (1, 0)
    assert await versions(site, subject) == before


async def test_whatever_else_moved_in_a_study_is_decided_again(site: Trial) -> None:
    """Nothing is refused for it, and what was kept of the study is asked for anew."""
    _, subject = await site.enrolled()
    moved = Entered(trial=site, subject=subject, first=lambda: site.moved(STUDY, _nothing, hint=False))
    assert isinstance(await site.capture("investigator", subject, observation(), appendix=moved), StoredRecord)
    assert (moved.asked, moved.done_with) == (2, 1)


async def test_a_read_stands_on_the_study_s_guard(site: Trial) -> None:
    _, subject = await site.enrolled()
    record = await captured(site, subject)
    reading, audit = site.world.gateway.records._reading, site.world.gateway.releases._audit
    answer = await reading.consider(await site.caller("monitor"), record, purpose=Purpose.CLINTRCH, study=STUDY)
    await site.moved(STUDY, _nothing, hint=False)
    entry = await audit.append(answer.event, guards=answer.guards, receipt=answer.receipt)
    assert entry == Stale(name=STUDY)


async def test_roles_that_end_end_at_once(site: Trial) -> None:
    _, subject = await site.enrolled()
    record = await captured(site, subject)
    assert isinstance(await site.read("monitor", record), Released)
    monitor = site.people["monitor"].actor
    said = site.registry.people.pop(monitor)
    try:
        # What is kept of it says otherwise still, and the guard is what tells.
        await site.moved(STUDY, _nothing, hint=False)
        assert refused(await site.read("monitor", record))
    finally:
        site.registry.people[monitor] = said
        await site.moved(STUDY, _nothing)


# ---- what was agreed to


async def test_data_are_collected_under_the_version_that_stands(site: Trial) -> None:
    owner, subject = await site.enrolled(terms_hash=OLD_TERMS)
    assert refused(await site.capture("investigator", subject, observation()))
    await site.moved(STUDY, lambda told: setattr(told, "terms", OLD_TERMS))
    record = await captured(site, subject)
    await site.moved(STUDY, lambda told: setattr(told, "terms", NOW_TERMS))
    assert refused(await site.amend("investigator", record, observation(value="130")))
    assert isinstance(await site.read("investigator", record), Released)
    await site.agreed(owner, subject)
    assert isinstance(await site.amend("investigator", record, observation(value="130")), StoredRecord)


async def revoked(site: Trial, owner: Somebody, subject: SubjectId, **terms: Any) -> RecordId:
    """A record that was written under these terms, which were withdrawn."""
    terms_hash = terms.get("terms_hash", NOW_TERMS)
    await site.moved(STUDY, lambda told: setattr(told, "terms", terms_hash))
    consent = await site.agreed(owner, subject, **terms)
    record = await captured(site, subject)
    await site.world.revoke(owner, subject, consent)
    return record


async def unconsented(site: Trial) -> tuple[Somebody, SubjectId]:
    owner, subject = await site.enrolled(effect=Effect.DENY, study=OTHER_STUDY, terms_hash=None)
    await site.moved(STUDY, lambda told: told.sites.__setitem__(subject, "here"))
    return owner, subject


async def test_what_was_collected_stays_where_its_terms_say_so_and_nothing_more_is_collected(site: Trial) -> None:
    owner, subject = await unconsented(site)
    record = await revoked(site, owner, subject)
    for name in ("investigator", "statistician", "inspector"):
        assert isinstance(await site.read(name, record), Released)
    assert refused(await site.read("elsewhere", record))
    assert refused(await site.capture("investigator", subject, observation()))
    assert refused(await site.amend("investigator", record, observation(value="130")))
    await site.world.consent(
        owner,
        subject,
        site.people["sponsor"].actor,
        effect=Effect.DENY,
        purposes=(Purpose.CLINTRCH,),
        actions=tuple(Action),
        study=STUDY,
    )
    assert refused(await site.read("investigator", record), "a deny covers this")


async def test_what_was_collected_goes_where_its_terms_let_nothing_stay(site: Trial) -> None:
    owner, subject = await unconsented(site)
    record = await revoked(site, owner, subject, terms_hash=LEAVING_TERMS)
    for name in ("investigator", "statistician", "inspector"):
        assert refused(await site.read(name, record))
    assert isinstance(await site.read(owner, record, study=None, purpose=Purpose.PATRQT), Released)


async def test_a_revocation_of_all_leaves_what_its_terms_keep(site: Trial) -> None:
    owner, subject = await site.enrolled()
    record = await captured(site, subject)
    consents, caller = site.world.gateway.consents, await site.caller(owner)
    draft = await consents.draft_revocation_of_all(caller, subject=subject)
    signature = bytes.fromhex(owner.wallet.sign_typed_data(draft.typed_data)[2:])
    await consents.revoke_all(caller, typed_data=draft.typed_data, signature=signature)
    assert isinstance(await site.read("monitor", record), Released)
    assert refused(await site.capture("investigator", subject, observation()))


async def test_a_label_is_named_or_refused_as_everywhere(site: Trial) -> None:
    owner, subject = await site.enrolled()
    assert refused(await site.capture("investigator", subject, observation(), labels=("HIV",)))
    await site.agreed(owner, subject, labels=("HIV",))
    record = await captured(site, subject, labels=("HIV",))
    kept = await site.amend("investigator", record, observation(value="130"), labels=())
    assert isinstance(kept, StoredRecord)
    found = await site.read("investigator", record)
    assert isinstance(found, Released)
    assert found.labels == ("HIV",)


async def test_who_captures_of_themselves_takes_no_label_away(site: Trial) -> None:
    """As a patient they may; in a study nobody does."""
    investigator = site.people["investigator"]
    subject = await site.world.patient(investigator)
    await site.moved(STUDY, lambda told: told.sites.__setitem__(subject, "here"))
    await site.agreed(investigator, subject, labels=("HIV",))
    record = await captured(site, subject, labels=("HIV",))
    assert isinstance(await site.amend("investigator", record, observation(value="130"), labels=()), StoredRecord)
    assert (await facts_of(site, record, 2)).labels == ("HIV",)
    ordinary = await site.world.store(investigator, subject, observation(), labels=("HIV",))
    plain: dict[str, Any] = {"labels": (), "study": None, "reason": ""}
    assert isinstance(await site.amend("investigator", ordinary, observation(value="130"), **plain), StoredRecord)
    assert (await facts_of(site, ordinary, 2)).labels == ()


# ---- versions, their reasons, and what is written with them


async def test_an_amendment_in_a_study_says_why_and_elsewhere_nothing_does(site: Trial) -> None:
    owner, subject = await site.enrolled()
    record = await captured(site, subject, reason="transcribed from paper")
    changed = observation(value="130")
    for reason in ("", "  ", "x" * 1001, "two\nlines", "a\u202eb"):
        found = await site.amend("investigator", record, changed, reason=reason)
        assert isinstance(found, CallerError), reason
        assert found.field == ("reason",)
    assert isinstance(await site.amend("investigator", record, changed, reason="x" * 1000), StoredRecord)
    ordinary = await site.world.store(owner, subject, observation())
    found = await site.amend(owner, ordinary, changed, study=None, reason="because")
    assert isinstance(found, CallerError)
    assert found.field == ("reason",)
    none = await site.capture(owner, subject, observation(), study=None, reason="because")
    assert isinstance(none, CallerError)
    facts = [await facts_of(site, record, version) for version in (1, 2)]
    assert [(one.study, one.reason) for one in facts] == [(STUDY, "transcribed from paper"), (STUDY, "x" * 1000)]


async def facts_of(site: Trial, record: RecordId, version: int) -> RecordFacts:
    assert site.registry.index is not None
    row = await site.registry.index.version(record, version)
    assert row is not None
    return (await site.world.gateway.records._reading._opening.find(row)).known.facts


async def test_a_bundle_in_a_study_is_all_or_nothing(site: Trial) -> None:
    _, subject = await site.enrolled(resource_types=("Observation",))
    mixed = bundle(observation(), {"resourceType": "Patient"})
    assert refused(await site.bundle("investigator", subject, mixed))
    assert await versions(site, subject) == ()
    entered = Entered(trial=site, subject=subject)
    stored = await site.bundle("investigator", subject, bundle(observation(), observation()), appendix=entered)
    assert isinstance(stored, tuple)
    assert [row.record for row in await versions(site, subject)] == [one.record for one in stored]
    assert (entered.asked, entered.done_with) == (1, 1)


async def test_what_is_written_together_stands_together_in_the_journal(site: Trial) -> None:
    """Many at once take the same place in it, and each takes another in the end."""
    _, subject = await site.enrolled()
    each = [Entered(trial=site, subject=subject) for _ in range(6)]
    found = await asyncio.gather(*(site.capture("investigator", subject, observation(), appendix=one) for one in each))
    stored = [one for one in found if isinstance(one, StoredRecord)]
    assert len(stored) == len(each), found
    assert {one.done_with for one in each} == {1}
    assert sum(one.asked for one in each) > len(each)
    entries = await journal_of(site.world).read(STUDY, limit=1000, subject=subject)
    told = b"".join(entry.octets or b"" for entry in entries)
    assert all(one.record.hex().encode() in told for one in stored)
    assert len(await versions(site, subject)) == len(entries) == len(each)


async def test_nothing_is_entered_for_what_was_refused_or_answered_before(site: Trial) -> None:
    _, subject = await site.enrolled()
    keyed = [Entered(trial=site, subject=subject) for _ in range(2)]
    first, again = [
        await site.capture("investigator", subject, observation(), idempotency_key="one", appendix=entered)
        for entered in keyed
    ]
    assert first == again
    assert [(one.asked, one.done_with) for one in keyed] == [(1, 1), (0, 0)]
    entered = Entered(trial=site, subject=subject)
    assert refused(await site.capture("monitor", subject, observation(), appendix=entered))
    assert isinstance(first, StoredRecord)
    behind = await site.amend("investigator", first.record, observation(), expected_version=7, appendix=entered)
    assert isinstance(behind, ConflictError)
    assert (entered.asked, entered.done_with) == (0, 0)


async def test_one_key_is_one_request_in_one_study(site: Trial) -> None:
    owner, subject = await site.enrolled()
    await site.moved(OTHER_STUDY, lambda told: told.sites.__setitem__(subject, "here"))
    await site.agreed(owner, subject, study=OTHER_STUDY)
    assert isinstance(await repeat(site, subject), StoredRecord)
    for other in ({"study": OTHER_STUDY}, {"reason": "again"}):
        keyed = {"idempotency_key": "of " + subject.hex(), **other}
        assert isinstance(await site.capture("investigator", subject, observation(), **keyed), ConflictError)


async def test_a_journal_that_keeps_moving_is_told_as_such(site: Trial) -> None:
    """Whoever loses every time is told to come again, and has written nothing."""
    _, subject = await site.enrolled()

    class Losing(Entered):
        async def rows(self, stored: Any) -> Any:
            rows = await Entered.rows(self, stored)
            quicker = await Entered(trial=site, subject=subject, asked=1_000 + self.asked).rows(stored)
            assert site.registry.index is not None
            await site.registry.index.apply(quicker)
            return rows

    losing = Losing(trial=site, subject=subject)
    assert isinstance(await site.capture("investigator", subject, observation(), appendix=losing), StaleError)
    assert losing.done_with == 0
    assert await versions(site, subject) == ()


# ---- keys


async def test_a_study_s_record_is_sealed_under_the_subject_s_key_in_the_study(site: Trial) -> None:
    owner, subject = await site.enrolled()
    records = {STUDY: await captured(site, subject), b"": await site.world.store(owner, subject, observation())}
    opening = site.world.gateway.records._reading._opening
    assert site.registry.index is not None
    for study, record in records.items():
        row = await site.registry.index.head(record)
        assert row is not None
        found = await opening.find(row)
        assert found.key.domain == record_domain(subject, study)
        assert found.known.decision_facts.study == study
    key = await opening.study_key(subject, STUDY)
    assert key is not None
    assert key.domain == record_domain(subject, STUDY)
    assert await opening.study_key(subject, OTHER_STUDY) is None


@pytest.mark.parametrize(
    ("sealed_under", "said"), [(b"", STUDY), (STUDY, b""), (OTHER_STUDY, STUDY)], ids=["subject", "study", "other"]
)
async def test_a_block_under_another_key_than_its_facts_name_is_refused(
    site: Trial, sealed_under: bytes, said: bytes
) -> None:
    """Of a gateway that sealed wrongly: no outsider has these keys. Both orders of asking, for facts are kept."""
    _, subject = await site.enrolled()
    reading, keys, entropy = site.world.gateway.records._reading, site.world.gateway._keys, SystemEntropy()
    assert site.registry.index is not None
    like = await captured(site, subject)
    row = await site.registry.index.head(like)
    assert row is not None
    opened = (await reading._opening.find(row)).known.facts
    facts = type(opened)(
        **{name: getattr(opened, name) for name in opened.__struct_fields__ if name != "study"}, study=said
    )
    record = RecordId(entropy.bytes(16))
    sealed = envelope._seal(
        facts,
        b"{}",
        record=record,
        version=1,
        key=await keys.of(record_domain(subject, sealed_under)),
        log=keys.log,
        entropy=entropy,
    )
    (cid,) = await site.world.gateway.blocks.put_many([sealed.block])
    moved = RecordRow(record=record, version=1, subject=subject, digest=cid.digest)
    for _ in range(2):
        with pytest.raises(IntegrityError):
            await reading._opening.find(moved)
    assert isinstance(await inspect(cid, blocks=site.world.gateway.blocks, keys=keys), Damaged)


async def test_a_row_that_names_another_subject_opens_nothing(site: Trial) -> None:
    _, subject = await site.enrolled()
    _, other = await site.enrolled()
    record = await captured(site, subject)
    assert site.registry.index is not None
    row = await site.registry.index.head(record)
    assert row is not None
    opening = site.world.gateway.records._reading._opening
    await opening.find(row)
    for kept in (True, False):
        if not kept:
            opening.forget(subject)
        with pytest.raises(IntegrityError):
            await opening.find(RecordRow(record=record, version=1, subject=other, digest=row.digest))


async def test_an_erasure_takes_what_the_study_has(site: Trial) -> None:
    owner, subject = await site.enrolled()
    record = await captured(site, subject)
    await erased(site.world, owner, subject)
    assert refused(await site.read("investigator", record))
    domains = await site.world.gateway._keys.domains()
    assert not [one for one in domains if one.name[:32] == subject and one.name[32:] == STUDY]
    assert refused(await site.capture("investigator", subject, observation()))
