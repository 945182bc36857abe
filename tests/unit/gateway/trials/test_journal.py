"""A study's journal is one chain: what was appended comes back, erasure leaves the chain, and whatever is moved,
swapped or taken out is seen."""

from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchoring.merkle import hash_leaf
from anchoring.model import LEAF_ENCODING, LogKind
from gateway.crypto import envelope
from gateway.crypto.model import DomainKind, StudyFacts, study_domain
from gateway.errors import CallerError, ConflictError, IntegrityError, LimitError
from gateway.ids import RecordId
from gateway.ports.clock import SystemEntropy
from gateway.ports.rows import TicketRow
from gateway.ports.trials import StudyEntryKind, StudyEntryRow
from gateway.storage.lines import StudyLine, extended, line_behind, plain
from gateway.storage.model import Cid
from gateway.trials.journal import LARGEST, MOST, Head, NewEntry
from gateway.trials.links import FIRST, digest_of
from gateway.upkeep.walk import Found, inspect
from tests.unit.gateway.crypto.blocks import LOG
from tests.unit.gateway.trials.study_world import (
    ANN,
    BEN,
    CAPTURE,
    ENROLMENT,
    OTHER_STUDY,
    SPONSOR,
    STATE,
    STUDY,
    StudyWorld,
    about,
    study_world,
    text,
)

SWAP = "update study_entries set digest = (select digest from study_entries where number = 1 and study = ?)"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[StudyWorld]:
    async with study_world(tmp_path) as made:
        yield made


async def test_what_was_appended_comes_back_in_order(world: StudyWorld) -> None:
    await world.append(about(None, ANN))
    _, head = await world.append(about(BEN, kind=ENROLMENT))
    found = await world.journal.read(STUDY, limit=9)
    assert [(one.number, one.kind, one.subject) for one in found] == [
        (0, CAPTURE, None),
        (1, CAPTURE, ANN),
        (2, ENROLMENT, BEN),
    ]
    assert [one.octets for one in found] == [text(0), text(1), text(0)]
    assert {one.sponsor for one in found} == {SPONSOR}
    assert head == await world.journal.head(STUDY) == Head(number=2, entry=digest_of(text(0)))


async def test_each_entry_names_the_one_before_it(world: StudyWorld) -> None:
    await world.append(about(None, ANN, BEN))
    found = await world.journal.read(STUDY, limit=9)
    assert [one.previous for one in found] == [FIRST, found[0].entry, found[1].entry]


async def test_a_study_that_nobody_entered_anything_in_has_no_head(world: StudyWorld) -> None:
    assert await world.journal.head(STUDY) is None
    assert await world.journal.read(STUDY, limit=9) == ()


async def test_entries_are_read_from_a_place_on_by_kind_and_by_subject(world: StudyWorld) -> None:
    await world.append(about(None, ANN, BEN, ANN))
    await world.append(about(None, kind=STATE))
    read = world.journal.read
    assert [one.number for one in await read(STUDY, after=1, limit=2)] == [2, 3]
    assert [one.number for one in await read(STUDY, limit=9, subject=ANN)] == [1, 3]
    assert [one.number for one in await read(STUDY, limit=9, kinds=(STATE,))] == [4]
    assert await read(STUDY, limit=9, kinds=(STATE,), subject=ANN) == ()
    assert await read(OTHER_STUDY, limit=9) == ()


async def test_a_subject_has_another_token_in_another_study(world: StudyWorld) -> None:
    assert world.journal.token(STUDY, ANN) != world.journal.token(OTHER_STUDY, ANN)


async def test_an_entry_about_a_subject_is_under_their_key_in_the_study(world: StudyWorld) -> None:
    sealed, _ = await world.append(about(ANN, None))
    kinds = []
    for one in sealed:
        found = await inspect(Cid.from_digest(one.unpinned.digest), blocks=world.blocks, keys=world.keys)
        assert isinstance(found, Found)
        assert found.key is not None
        kinds.append((found.key.domain.kind, found.key.domain.name))
    assert kinds == [(DomainKind.STUDY.value, ANN + STUDY), (DomainKind.ACTOR.value, SPONSOR)]


async def test_a_leaf_is_of_study_number_entry_and_the_one_before(world: StudyWorld) -> None:
    rows, _, head = await world.journal.rows(STUDY, SPONSOR, Head(number=6, entry=b"e" * 32), about(ANN))
    (ticket,) = (row for row in rows if isinstance(row, TicketRow))
    values = (STUDY, (7).to_bytes(4, "big"), digest_of(text(0)), b"e" * 32)
    assert ticket.values == values
    assert ticket.leaf == hash_leaf(LEAF_ENCODING[LogKind.STUDIES], values)
    assert ticket.log == world.anchors.studies_log != world.anchors.releases_log
    assert head == Head(number=7, entry=values[2])


async def test_nothing_that_a_row_holds_tells_whom_an_entry_is_about(world: StudyWorld) -> None:
    rows, _, _ = await world.journal.rows(STUDY, SPONSOR, None, about(ANN))
    held = [value for row in rows for value in asdict(row).values() if isinstance(value, bytes)]
    assert [value for value in held if ANN in value or SPONSOR in value] == []


async def test_a_leaf_waits_until_its_batch_is_anchored(world: StudyWorld) -> None:
    await world.append(about(ANN, None))
    states = await world.journal.anchored(STUDY, await world.journal.read(STUDY, limit=9))
    assert [(one.status, one.proof) for one in states] == [("PENDING", None)] * 2


async def test_entries_of_another_study_are_not_asked_for_as_of_this_one(world: StudyWorld) -> None:
    await world.append(about(ANN), study=OTHER_STUDY)
    with pytest.raises(IntegrityError):
        await world.journal.anchored(STUDY, await world.journal.read(OTHER_STUDY, limit=9))


async def test_who_comes_second_finds_the_place_taken_and_appends_behind_the_new_head(world: StudyWorld) -> None:
    await world.append(about(None))
    behind = await world.journal.head(STUDY)
    await world.append(about(ANN), after=behind)
    with pytest.raises(ConflictError):
        await world.append(about(BEN), after=behind)
    await world.append(about(BEN))
    assert [one.subject for one in await world.journal.read(STUDY, limit=9)] == [None, ANN, BEN]


async def test_an_entry_that_waits_for_ipfs_is_read_all_the_same(world: StudyWorld) -> None:
    await world.append(about(ANN), pins=False)
    (found,) = await world.journal.read(STUDY, limit=9)
    assert found.octets == text(0)


# ---- erasure


async def test_an_erased_subjects_entries_say_nothing_and_keep_their_place(world: StudyWorld) -> None:
    await world.append(about(None, ANN, ANN, BEN))
    before = await world.journal.read(STUDY, limit=9)
    await world.erase(ANN)
    after = await world.journal.read(STUDY, limit=9)
    assert [one.is_erased for one in after] == [False, True, True, False]
    assert [(one.octets, one.subject, one.sponsor) for one in after[1:3]] == [(None, None, None)] * 2
    assert [(one.number, one.kind, one.entry, one.previous) for one in after] == [
        (one.number, one.kind, one.entry, one.previous) for one in before
    ]
    assert [one.number for one in await world.journal.read(STUDY, limit=9, subject=ANN)] == [1, 2]


async def test_leaves_of_erased_entries_are_asked_for_as_before(world: StudyWorld) -> None:
    await world.append(about(ANN, None))
    await world.erase(ANN)
    entries = await world.journal.read(STUDY, limit=9)
    leaves = [row[0] for row in world.sql("select leaf from tickets order by seq")]
    values = [(STUDY, one.number.to_bytes(4, "big"), one.entry, one.previous) for one in entries]
    assert [world.anchors.leaf(one, kind="studies") for one in values] == leaves
    assert len(await world.journal.anchored(STUDY, entries)) == 2


async def test_a_journal_goes_on_behind_an_erased_entry(world: StudyWorld) -> None:
    await world.append(about(None, ANN))
    await world.erase(ANN)
    await world.append(about(BEN))
    assert [one.is_erased for one in await world.journal.read(STUDY, limit=9)] == [False, True, False]


async def test_nothing_is_entered_about_whom_an_erasure_took_out_of_the_study(world: StudyWorld) -> None:
    await world.append(about(ANN))
    await world.erase(ANN)
    with pytest.raises(IntegrityError):
        await world.journal.rows(STUDY, SPONSOR, await world.journal.head(STUDY), about(ANN))


# ---- what is not one chain


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_an_entry_that_is_missing_is_seen(world: StudyWorld, number: int) -> None:
    await world.append(about(None, ANN, BEN, None))
    world.sql("delete from study_entries where number = ?", number)
    with pytest.raises(IntegrityError, match="missing"):
        await world.journal.read(STUDY, limit=9)


async def test_an_entry_that_is_missing_is_seen_in_one_subjects_too(world: StudyWorld) -> None:
    await world.append(about(None, ANN))
    world.sql("delete from study_entries where number = 0")
    with pytest.raises(IntegrityError, match="missing"):
        await world.journal.read(STUDY, limit=9, subject=ANN)


async def test_an_entry_that_is_missing_right_behind_the_place_is_seen(world: StudyWorld) -> None:
    await world.append(about(None, ANN, BEN))
    world.sql("delete from study_entries where number = 1")
    with pytest.raises(IntegrityError, match="missing"):
        await world.journal.read(STUDY, after=0, limit=1)


async def test_another_entry_of_the_study_in_its_place_is_refused(world: StudyWorld) -> None:
    await world.append(about(None, ANN, ANN))
    world.sql(SWAP + " where number = 2", STUDY)
    with pytest.raises(IntegrityError, match="another entry than its row says"):
        await world.journal.read(STUDY, limit=9)


async def test_an_entry_of_another_study_in_its_place_is_refused(world: StudyWorld) -> None:
    await world.append(about(None, ANN))
    await world.append(about(None, ANN), study=OTHER_STUDY)
    world.sql(SWAP + " where number = 1 and study = ?", OTHER_STUDY, STUDY)
    with pytest.raises(IntegrityError, match="another entry than its row says"):
        await world.journal.read(STUDY, limit=9)


async def test_an_entry_of_another_kind_than_its_row_says_is_refused(world: StudyWorld) -> None:
    await world.append(about(None, ANN))
    world.sql("update study_entries set kind = ? where number = 1", int(STATE))
    with pytest.raises(IntegrityError, match="another entry than its row says"):
        await world.journal.read(STUDY, limit=9, kinds=(STATE,))


async def test_an_entry_about_somebody_else_than_its_row_says_is_refused(world: StudyWorld) -> None:
    await world.append(about(ANN, BEN))
    world.sql("update study_entries set about = ? where number = 1", world.journal.token(STUDY, ANN))
    with pytest.raises(IntegrityError, match="about somebody else"):
        await world.journal.read(STUDY, limit=9, subject=ANN)


async def test_a_hash_that_is_not_the_entrys_is_refused(world: StudyWorld) -> None:
    await world.append(about(None, ANN))
    world.sql("update study_entries set entry = zeroblob(32) where number = 1")
    with pytest.raises(IntegrityError, match="another than its row says"):
        await world.journal.read(STUDY, limit=9)


async def test_an_entry_behind_another_than_it_names_is_refused(world: StudyWorld) -> None:
    await world.append(about(None, ANN))
    forked, _, _ = await world.journal.rows(STUDY, SPONSOR, Head(number=0, entry=b"f" * 32), about(BEN))
    row = next(one for one in forked if isinstance(one, StudyEntryRow))
    await world.index.apply([one for one in forked if not isinstance(one, StudyEntryRow)])
    world.sql(
        "update study_entries set about = ?, entry = ?, digest = ? where number = 1", row.about, row.entry, row.digest
    )
    with pytest.raises(IntegrityError, match="does not follow"):
        await world.journal.read(STUDY, limit=9)


async def test_nothing_is_appended_behind_a_head_that_somebody_changed(world: StudyWorld) -> None:
    await world.append(about(None, ANN))
    world.sql("update study_entries set entry = zeroblob(32) where number = 1")
    with pytest.raises(IntegrityError):
        await world.append(about(BEN))


async def test_a_paper_of_a_release_is_no_entry_of_a_study(world: StudyWorld) -> None:
    await world.append(about(None))
    documents = world.journal._documents
    paper = await documents.seal_release(SPONSOR, b"r" * 16, number=0, kind=int(CAPTURE), octets=text(0))
    await documents.pin(paper.unpinned)
    with pytest.raises(IntegrityError, match="no entry of a study"):
        await documents.study_entry(STUDY, paper.unpinned.digest, number=0, kind=int(CAPTURE))


async def test_an_entry_under_somebody_elses_key_is_refused(world: StudyWorld) -> None:
    facts = StudyFacts(bytes(32), STUDY, SPONSOR, ANN, 0, int(CAPTURE), text(0), FIRST)
    key = await world.keys.of(study_domain(BEN, STUDY))
    name = RecordId(bytes(16))
    forged = envelope.seal_document(facts, name=name, key=key, log=world.keys.log, entropy=SystemEntropy())
    cid = await world.blocks.put(forged.block)
    with pytest.raises(IntegrityError, match="no entry of a study"):
        await world.journal._documents.study_entry(STUDY, cid.digest, number=0, kind=int(CAPTURE))


# ---- bounds


async def test_an_entry_of_the_largest_size_is_one_block(world: StudyWorld) -> None:
    largest = NewEntry(kind=CAPTURE, octets=b"1" * LARGEST, subject=ANN)
    await world.append([largest])
    (found,) = await world.journal.read(STUDY, limit=1)
    assert found.octets == largest.octets


async def test_a_larger_entry_is_refused_by_its_place(world: StudyWorld) -> None:
    larger = NewEntry(kind=CAPTURE, octets=b"1" * (LARGEST + 1))
    with pytest.raises(LimitError) as refused:
        await world.journal.rows(STUDY, SPONSOR, None, [*about(None), larger])
    assert refused.value.field == ("entries", "1")


@pytest.mark.parametrize("limit", [0, -1, MOST + 1])
async def test_more_than_a_page_is_refused(world: StudyWorld, limit: int) -> None:
    with pytest.raises(LimitError):
        await world.journal.read(STUDY, limit=limit)


async def test_an_append_of_nothing_is_refused(world: StudyWorld) -> None:
    with pytest.raises(CallerError):
        await world.journal.rows(STUDY, SPONSOR, None, [])


async def test_an_append_of_too_many_is_refused(world: StudyWorld) -> None:
    with pytest.raises(LimitError):
        await world.journal.rows(STUDY, SPONSOR, None, about(*[None] * (MOST + 1)))


# ---- lines

HASHES = st.binary(min_size=32, max_size=32)
LINES = st.builds(
    StudyLine,
    study=HASHES,
    number=st.integers(0, 2**32 - 1),
    kind=st.sampled_from([int(kind) for kind in StudyEntryKind]),
    about=st.just(b"") | st.binary(min_size=16, max_size=16).filter(any),
    entry=HASHES,
    previous=HASHES,
)


@settings(deadline=None)
@given(line=LINES, digest=HASHES, locator=st.binary(min_size=76, max_size=76))
def test_a_line_comes_back_behind_its_locator(line: StudyLine, digest: bytes, locator: bytes) -> None:
    made = extended(locator, line, digest=digest, log=LOG, entropy=SystemEntropy())
    assert (plain(made), line_behind(made, digest=digest, log=LOG)) == (locator, line)


def test_a_line_is_as_long_whether_it_is_about_somebody_or_not() -> None:
    facts = StudyFacts(bytes(32), STUDY, SPONSOR, b"", 0, 0, b"{}", FIRST)
    lines = (StudyLine.of(facts, about=token) for token in (b"", b"t" * 16))
    made = {len(extended(bytes(76), one, digest=FIRST, log=LOG, entropy=SystemEntropy())) for one in lines}
    assert len(made) == 1


@pytest.mark.parametrize("changed", ["digest", "locator", "line", "none"])
def test_a_line_opens_behind_no_other_locator_and_for_no_other_block(changed: str) -> None:
    facts = StudyFacts(bytes(32), STUDY, SPONSOR, b"", 0, 0, b"{}", FIRST)
    made = extended(bytes(76), StudyLine.of(facts, about=b""), digest=FIRST, log=LOG, entropy=SystemEntropy())
    digest = b"d" * 32 if changed == "digest" else FIRST
    locator = {"locator": b"\x01" + made[1:], "line": made[:-1] + bytes([made[-1] ^ 1]), "none": made[:76]}
    with pytest.raises(IntegrityError):
        line_behind(locator.get(changed, made), digest=digest, log=LOG)
