"""Verify finds each fault that is planted, and names it; it finds none where none is, and changes nothing."""

import asyncio
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from anchoring.chain.embedded.process import EmbeddedChainProcess
from gateway.adapters.packs import PackStore
from gateway.crypto.chunks import is_chunk
from gateway.crypto.model import DomainKind
from gateway.crypto.releases import MAGIC as FILE_MAGIC
from gateway.ids import SubjectId, parse_global
from gateway.ports.rows import ErasureState
from gateway.settings import load
from gateway.storage.model import Cid, Codec
from gateway.storage.service import Blocks
from gateway.upkeep.faults import Fault, Verdict
from gateway.upkeep.verify import verify
from tests.attacks.inside import inside
from tests.attacks.studies import append, captured
from tests.journeys import datasets, documents
from tests.journeys.emergencies import joined, opened, review
from tests.journeys.gateway_process import run_command
from tests.journeys.people import Patient
from tests.journeys.resources import observation
from tests.journeys.sites import Site, running_site
from tests.journeys.test_rebuild import guarded, live, settled
from tests.journeys.uploading import upload
from tests.ports.databases import query

CERTIFIED = (ErasureState.CERTIFIED, ErasureState.FINAL)
ERASURES = "select state from erasures"
Plant = Callable[["House"], None]


class House:
    """A copy of a data folder whose gateway is gone, to be damaged."""

    def __init__(self, folder: Path, rpc: str) -> None:
        self.folder = folder
        self.rpc = rpc

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.folder / "index.db")
        try:
            rows = connection.execute(statement, values).fetchall()
            connection.commit()
        finally:
            connection.close()
        return rows

    def digest(self, statement: str) -> bytes:
        value = self.sql(statement)[0][0]
        assert isinstance(value, bytes)
        return value[-32:]

    def remove(self, digest: bytes) -> None:
        """A block that the store no longer has."""

        async def gone() -> None:
            store = PackStore.open(self.folder / "blocks")
            await store.remove([str(Cid.from_digest(digest))])
            await store.close()

        asyncio.run(gone())

    def spoil(self, digest: bytes, at: int) -> None:
        """One octet of a block changed in its pack."""
        cid = Cid.from_digest(digest)

        async def found() -> bytes:
            store = PackStore.look(self.folder / "blocks")
            data = await Blocks(store).get(cid)
            await store.close()
            return data

        data = asyncio.run(found())
        for pack in (self.folder / "blocks").glob("*.pack"):
            octets = bytearray(pack.read_bytes())
            place = octets.find(data)
            if place >= 0:
                octets[place + at] ^= 1
                pack.write_bytes(octets)

    def foreign(self) -> bytes:
        """A block that nobody sealed."""

        async def put() -> bytes:
            store = PackStore.open(self.folder / "blocks")
            cid = await Blocks(store).put(b"no block of ours")
            await store.close()
            return cid.digest

        return asyncio.run(put())

    def chunk(self) -> bytes:
        """A sealed chunk of large content."""

        async def found() -> bytes:
            store = PackStore.look(self.folder / "blocks")
            blocks = Blocks(store)
            named = [cid async for cid in blocks.pins() if cid.codec is Codec.RAW]
            chunks = [cid.digest for cid in named if is_chunk(await blocks.get(cid))]
            await store.close()
            return chunks[0]

        return asyncio.run(found())

    def file(self) -> bytes:
        """A sealed file of a release."""

        async def found() -> bytes:
            store = PackStore.look(self.folder / "blocks")
            blocks = Blocks(store)
            named = [cid async for cid in blocks.pins() if cid.codec is Codec.RAW]
            files = [cid.digest for cid in named if (await blocks.get(cid))[: len(FILE_MAGIC)] == FILE_MAGIC]
            await store.close()
            return files[0]

        return asyncio.run(found())

    async def verdict(self) -> Verdict:
        settings = load(data_dir=self.folder)
        return await verify(settings, rpc=self.rpc, progress=lambda step, count: None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, str]]:
    with running_site(tmp_path_factory.mktemp("whole"), settings={"BATCH_SECONDS": "0.5"}) as site:
        live(site, 12)
        guarded(site)
        pictured = site.crowd.patient()
        upload(pictured.person, pictured.id, os.urandom(2_000_000))
        break_and_erase(site)
        asking = datasets.researcher(site.crowd)
        datasets.consented(site.crowd, asking)
        made = datasets.released(asking, site.crowd.register("DATA_STEWARD", "Steward"))
        assert made["state"] == "RELEASED", made
        settled(site.gateway.index_url)
        stays, leaves = site.crowd.patient(), site.crowd.patient()
        site.gateway.stop()
        asyncio.run(keep_journal(site.gateway.data, stays, leaves))
        site.gateway.start()
        assert leaves.erase().value
        certified(site)
        site.crowd.patient()
        settled(site.gateway.index_url)
        code, said = run_command("verify", settings=site.gateway.settings)
        assert (code, said.strip().splitlines()[-1]) == (0, "SOUND"), said  # while the gateway runs
        site.gateway.stop()
        chain = EmbeddedChainProcess.start(data=site.gateway.data / "chain.db", chain_id=2026112, funded=())
        try:
            yield site, chain.url
        finally:
            chain.stop()


async def keep_journal(folder: Path, stays: Patient, leaves: Patient) -> None:
    """Entries of a study about nobody and about two patients, made in the gateway's own folder while nobody serves."""
    one, other = (SubjectId(parse_global(patient.id)[1]) for patient in (stays, leaves))
    async with inside(folder) as running:
        added = [captured(at, subject) for at, subject in enumerate((None, one, other, one))]
        await append(running, running.registrar.actor, added)


def certified(site: Site) -> None:
    """Every erasure that was begun."""
    deadline = time.monotonic() + 60
    while any(ErasureState(row[0]) not in CERTIFIED for row in query(site.gateway.index_url, ERASURES)):
        assert time.monotonic() < deadline, "the erasure is not certified in time"
        time.sleep(0.2)


def break_and_erase(site: Site) -> None:
    """An emergency that is reviewed, and a patient who is no more."""
    crowd = site.crowd
    hospital, doctor, auditor = (
        crowd.register("ORGANIZATION", "Ward"),
        crowd.clinician(),
        crowd.register("AUDITOR", "A"),
    )
    joined(crowd, hospital, doctor, auditor)
    patient, gone = crowd.patient(), crowd.patient()
    made = opened(doctor, patient)
    doctor.once(documents.END_EMERGENCY, {"id": made["id"]}).must()
    review(auditor, made["id"]).must()
    gone.store(observation())
    assert gone.erase().value
    certified(site)


@pytest.fixture
def house(whole: tuple[Site, str], tmp_path: Path) -> House:
    site, rpc = whole
    folder = tmp_path / "data"
    shutil.copytree(site.gateway.data, folder, ignore=shutil.ignore_patterns("chain.db*"))
    return House(folder, rpc)


def edit(statement: str, *values: object) -> Plant:
    return lambda house: void(house.sql(statement, *values))


def void(_: object) -> None:
    return None


FIRST = "(select record from records order by seq limit 1)"
AMENDED = "(select record from records where version = 2 order by seq limit 1)"
AUDIT = "(select min(batch) from tickets where length(values_) = 75)"
SEGMENT = "select cid_digest from tickets where length(values_) = 75 and cid_digest <> x''"
LEAF = "(select min(seq) from tickets where length(values_) > 100)"
LAST_SUBJECT = "(select subject from records order by seq desc limit 1)"
ENTRY = "(select max(id) - 5 from entries)"
PLANTS: list[tuple[Fault, str, Plant]] = [
    (Fault.BLOCK_MISSING, "removed", lambda h: h.remove(h.digest("select digest from versions"))),
    (Fault.BLOCK_DAMAGED, "flipped in content", lambda h: h.spoil(h.digest("select digest from versions"), 4000)),
    (Fault.BLOCK_DAMAGED, "flipped in locator", lambda h: h.spoil(h.digest("select digest from versions"), 20)),
    (
        Fault.BLOCK_FOREIGN,
        "another's",
        lambda h: void(h.sql(f"update versions set digest = ? where record = {FIRST}", h.foreign())),
    ),
    (
        Fault.BLOCK_OTHER,
        "exchanged",
        edit(
            "update versions set digest = (select digest from versions order by digest desc limit 1)"
            " where digest = (select min(digest) from versions)"
        ),
    ),
    (
        Fault.SUBJECT_OTHER,
        "moved",
        edit(f"update records set subject = {LAST_SUBJECT} where record = {FIRST}"),
    ),
    (Fault.CONTENT_MISSING, "removed", lambda h: h.remove(h.chunk())),
    (Fault.CONTENT_DAMAGED, "flipped", lambda h: h.spoil(h.chunk(), 3000)),
    (Fault.CONTENT_OTHER, "row deleted", edit("delete from contents")),
    (Fault.CONTENT_OTHER, "record edited", edit("update contents set record = zeroblob(16)")),
    (
        Fault.CONTENT_STRAY,
        "row added",
        edit(f"insert into contents select zeroblob(32), record, subject from records where record = {FIRST}"),
    ),
    (Fault.KEY_MISSING, "key deleted", lambda h: destroy_key(h)),
    (Fault.VERSION_GAP, "version deleted", edit(f"delete from versions where version = 1 and record = {AMENDED}")),
    (Fault.HEAD_OTHER, "head rolled back", edit("update records set version = 1 where version = 2")),
    (Fault.HEAD_OTHER, "head digest", edit(f"update records set digest = zeroblob(32) where record = {FIRST}")),
    (Fault.HEAD_MISSING, "record deleted", edit(f"delete from records where record = {FIRST}")),
    (Fault.TOKENS_OTHER, "token deleted", edit("delete from tokens where rowid = (select min(rowid) from tokens)")),
    (Fault.TOKENS_OTHER, "token added", edit(f"insert into tokens values (zeroblob(16), {FIRST})")),
    (Fault.REQUEST_OTHER, "key deleted", edit("delete from idempotency where rowid = 1")),
    (Fault.REQUEST_OTHER, "request edited", edit("update idempotency set request = zeroblob(16) where rowid = 1")),
    (
        Fault.TICKET_MISSING,
        "leaf deleted",
        edit("delete from tickets where seq = (select min(seq) from tickets where length(values_) > 100)"),
    ),
    (
        Fault.TICKET_OTHER,
        "locator edited",
        edit(f"update tickets set locator = zeroblob(76) where seq = {LEAF}"),
    ),
    (
        Fault.TICKET_STRAY,
        "version gone",
        edit("delete from versions where digest = (select min(digest) from versions)"),
    ),
    (
        Fault.LEAF_OTHER,
        "values edited",
        edit("update tickets set values_ = cast(substr(values_, 1, 74) || x'00' as blob) where seq = 1"),
    ),
    (Fault.BATCH_ROOT, "leaf moved", edit("update tickets set batch = 1 where seq = (select max(seq) from tickets)")),
    (Fault.BATCH_COUNT, "count edited", edit("update batches set count = count + 1 where id = 1")),
    (
        Fault.BATCH_CALL,
        "call edited",
        edit(
            "update calls set data = cast(data || x'00' as blob) where call = (select call from batches where id = 1)"
        ),
    ),
    (Fault.BATCH_PLACE, "block edited", edit("update batches set block_number = block_number + 1 where id = 1")),
    (Fault.BATCH_PLACE, "never anchored", edit("update batches set root = zeroblob(32) where id = 1")),
    (Fault.BATCH_UNKNOWN, "batch deleted", edit("delete from batches where id = 1")),
    (Fault.MANIFEST_MISSING, "removed", lambda h: h.remove(h.digest("select manifest_digest from batches"))),
    (
        Fault.MANIFEST_OTHER,
        "of another batch",
        edit("update batches set manifest_cid = (select manifest_cid from batches where id = 2) where id = 1"),
    ),
    (
        Fault.SEGMENT_MISSING,
        "removed",
        lambda h: h.remove(h.digest(SEGMENT)),
    ),
    (
        Fault.SEGMENT_MISSING,
        "flipped",
        lambda h: h.spoil(h.digest(SEGMENT), 300),
    ),
    (
        Fault.SEGMENT_OTHER,
        "of another batch",
        edit(
            f"update tickets set cid_digest = (select cid_digest from tickets where length(values_) = 75"
            f" and cid_digest <> x'' and batch <> {AUDIT} limit 1) where batch = {AUDIT} and cid_digest <> x''"
        ),
    ),
    (
        Fault.ENTRY_EDITED,
        "edited",
        edit(f"update entries set public = cast(public || x'00' as blob) where id = {ENTRY}"),
    ),
    (Fault.ENTRY_BROKEN, "previous edited", edit(f"update entries set previous = zeroblob(32) where id = {ENTRY}")),
    (Fault.ENTRY_GAP, "deleted", edit(f"delete from entries where id = {ENTRY}")),
    (Fault.ENTRY_MISSING, "newest deleted", edit("delete from entries where id = (select max(id) from entries)")),
    (
        Fault.ENTRY_UNTICKETED,
        "leaf deleted",
        edit("delete from tickets where seq = (select max(seq) from tickets where length(values_) = 75)"),
    ),
    (Fault.LIFE_MISSING, "life deleted", edit("delete from writers where id = (select max(id) from writers)")),
    (Fault.CONSENT_BLOCK, "removed", lambda h: h.remove(h.digest("select digest from consents"))),
    (
        Fault.CONSENT_OTHER,
        "exchanged",
        edit("update consents set digest = (select digest from consents where seq = 2) where seq = 1"),
    ),
    (
        Fault.CONSENT_SIGNATURE,
        "controller edited",
        edit(
            'update chain_events set args = replace(args, \'"controller":"0x\', \'"controller":"0x00\')'
            " where name = 'SubjectEnrolled'"
        ),
    ),
    (Fault.CONSENT_MISSING, "row deleted", edit("delete from consents where seq = 1")),
    (Fault.NARROWING_OTHER, "target edited", edit("update narrowings set target = zeroblob(32) where seq = 1")),
    (Fault.NARROWING_MISSING, "row deleted", edit("delete from narrowings where seq = 1")),
    (Fault.EMERGENCY_BLOCK, "removed", lambda h: h.remove(h.digest("select digest from emergencies"))),
    (Fault.EMERGENCY_OTHER, "prolonged", edit("update emergencies set expires_at = expires_at + 60")),
    (Fault.EMERGENCY_OTHER, "token deleted", edit("delete from emergency_tokens where rowid = 1")),
    (Fault.EMERGENCY_OTHER, "call edited", edit("update emergencies set call = zeroblob(16)")),
    (
        Fault.EMERGENCY_OTHER,
        "end exchanged",
        edit("update emergency_steps set digest = (select digest from emergencies) where step = 1"),
    ),
    (Fault.EMERGENCY_UNTOLD, "decision edited", edit("update emergencies set decision = zeroblob(16)")),
    (
        Fault.EMERGENCY_CHAIN,
        "event edited",
        edit(
            'update chain_events set args = replace(args, \'"expiresAt":"1\', \'"expiresAt":"2\')'
            " where name = 'EmergencyOpened'"
        ),
    ),
    (Fault.EMERGENCY_MISSING, "row deleted", edit("delete from emergencies")),
    (Fault.EMERGENCY_MISSING, "review deleted", edit("delete from emergency_steps where step = 2")),
    (Fault.ERASURE_UNDONE, "key written", lambda h: write_key(h)),
    (Fault.ERASURE_UNCERTIFIED, "removed", lambda h: h.remove(h.digest("select certificate from erasures"))),
    (Fault.ERASURE_UNCERTIFIED, "edited", edit("update erasures set certificate = zeroblob(32)")),
    (Fault.PAPER_BLOCK, "removed", lambda h: h.remove(h.digest("select digest from papers"))),
    (
        Fault.PAPER_BLOCK,
        "name edited",
        edit("update papers set name = zeroblob(32) where name = (select min(name) from papers)"),
    ),
    (Fault.PAPER_MISSING, "rows deleted", edit("delete from papers")),
    (Fault.RELEASE_PAPER, "removed", lambda h: h.remove(h.digest("select digest from release_papers"))),
    (
        Fault.RELEASE_PAPER,
        "swapped",
        edit(
            "update release_papers set digest = (select digest from release_papers where number = 1) where number = 2"
        ),
    ),
    (Fault.RELEASE_GAP, "row deleted", edit("delete from release_papers where number = 0")),
    (
        Fault.RELEASE_TICKET,
        "row deleted",
        edit("delete from tickets where cid_digest = (select digest from release_papers where number = 1)"),
    ),
    (Fault.RELEASE_PEOPLE, "row deleted", edit("delete from release_people")),
    (Fault.RELEASE_PEOPLE, "edited", edit("update release_people set sealed = zeroblob(64)")),
    (Fault.RELEASE_FILE, "removed", lambda h: h.remove(h.file())),
    (Fault.STUDY_ENTRY, "removed", lambda h: h.remove(h.digest("select digest from study_entries where number = 0"))),
    (
        Fault.STUDY_ENTRY,
        "swapped",
        edit("update study_entries set digest = (select digest from study_entries where number = 1) where number = 0"),
    ),
    (Fault.STUDY_ENTRY, "kind edited", edit("update study_entries set kind = 0 where number = 1")),
    (Fault.STUDY_ENTRY, "subject edited", edit("update study_entries set about = zeroblob(16) where number = 1")),
    (Fault.STUDY_KEY, "key deleted", lambda h: destroy_key(h, DomainKind.STUDY)),
    (Fault.STUDY_CHAIN, "row deleted", edit("delete from study_entries where number = 0")),
    (Fault.STUDY_CHAIN, "hash edited", edit("update study_entries set entry = zeroblob(32) where number = 2")),
    (
        Fault.STUDY_TICKET,
        "row deleted",
        edit("delete from tickets where cid_digest = (select digest from study_entries where number = 2)"),
    ),
    (
        Fault.STUDY_TICKET,
        "line cut off",
        edit(
            "update tickets set locator = substr(locator, 1, 76)"
            " where cid_digest = (select digest from study_entries where number = 2)"
        ),
    ),
    (Fault.STUDY_MISSING, "newest deleted", edit("delete from study_entries where number = 3")),
    (Fault.PROFILE_MISSING, "removed", lambda h: h.remove(profile(h))),
    (Fault.EVENT_MISSING, "row deleted", edit("delete from chain_events where name = 'ConsentRevoked'")),
    (
        Fault.EVENT_FORGED,
        "effect edited",
        edit(
            'update chain_events set args = replace(args, \'"effect":"0"\', \'"effect":"1"\')'
            " where name = 'ConsentGranted'"
        ),
    ),
    (
        Fault.EVENT_FORGED,
        "row added",
        edit(
            "insert into chain_events select zeroblob(32), log_index, block_number, contract, name, key1, key2, key3,"
            " args, \"transaction\", orphaned_at, signer from chain_events where name = 'ConsentGranted' limit 1"
        ),
    ),
    (Fault.UNFINISHED, "mark", edit("insert into meta (key, value) values ('rebuilding', x'01')")),
]


def profile(house: House) -> bytes:
    args = str(house.sql("select args from chain_events where name = 'ActorRegistered' limit 1")[0][0])
    return bytes.fromhex(args.partition('"profileDigest":"0x')[2][:64])


def destroy_key(house: House, kind: DomainKind = DomainKind.SUBJECT) -> None:
    connection = sqlite3.connect(house.folder / "keys.db")
    connection.execute(
        "delete from domain_keys where rowid = (select min(rowid) from domain_keys where kind = ?)", (kind.value,)
    )
    connection.commit()
    connection.close()


def write_key(house: House) -> None:
    """A key in the name of the patient who is erased, as who restores part of a backup would."""
    erased = house.digest("select subject from erasures")
    connection = sqlite3.connect(house.folder / "keys.db")
    connection.execute(
        "update domain_keys set name = ? where rowid = (select min(rowid) from domain_keys where kind = 1)", (erased,)
    )
    connection.commit()
    connection.close()


@pytest.mark.parametrize(("fault", "how", "plant"), PLANTS, ids=[f"{fault.name}-{how}" for fault, how, _ in PLANTS])
async def test_a_planted_fault_is_found_and_named(house: House, fault: Fault, how: str, plant: Plant) -> None:
    await asyncio.to_thread(plant, house)
    verdict = await house.verdict()
    assert fault in verdict.counts, verdict.lines()


def test_every_kind_of_fault_is_planted() -> None:
    # No chain folds its own events wrongly; no row's block can follow another version without being damaged; and nobody
    # without the patient's key seals a paper that is not its hash's.
    never = {Fault.HEAD_BROKEN, Fault.PREVIOUS_OTHER, Fault.PAPER_OTHER}
    assert set(Fault) - {fault for fault, _, _ in PLANTS} == never


async def test_what_is_whole_is_sound_and_stays_as_it_is(house: House) -> None:
    def state() -> dict[str, tuple[int, bytes]]:
        files = [
            path for path in house.folder.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal"))
        ]
        return {str(path): (os.stat(path).st_mtime_ns, path.read_bytes()) for path in files}

    before = state()
    verdict = await house.verdict()
    assert verdict.sound, verdict.lines()
    assert state() == before
