"""B8: blocks flipped and swapped, columns edited, what redis says replaced. No wrong octet is released, ever.

Flips go through the very functions that every read goes through: the bytes against their CID, and, as if the CID had
been forged too, the seal. A share of them is asked for by the whole read corridor, whose refusals must be in the audit
log. Swaps, columns, keys and redis go through the whole corridor, each of them.
"""

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import redis

from gateway.adapters.redis_bus import PREFIX
from gateway.consent.names import topic
from gateway.crypto import envelope
from gateway.errors import IntegrityError
from gateway.ids import RecordId
from gateway.ports.blocks import BlockStore
from gateway.storage.model import Cid
from tests.campaigns.edits import applied, edits
from tests.campaigns.model import Asked, Figure, Report, digest_of, none_of, told
from tests.campaigns.tampered import Bench, Found, Made
from tests.servers.redis import running_redis

WHOLE_EACH = 50
"""Of so many flips one is asked for by the whole read corridor."""
SHORT, RELEASE = 5_000, 50_000
"""From so many flips on one row of each column is edited, and every row."""
HONEST = 4
"""Probes that give what was stored, while all is well: two reads and two pages."""


class Lying:
    """A block store that gives other octets for a CID where it is told to. Everything else is the store's own."""

    def __init__(self, store: BlockStore) -> None:
        self.store = store
        self.lies: dict[str, bytes] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def get(self, cid: str, *, limit: int) -> bytes:
        return self.lies[cid] if cid in self.lies else await self.store.get(cid, limit=limit)

    def get_now(self, cid: str) -> bytes | None:
        return self.lies.get(cid, self.store.get_now(cid))


def tamper(asked: Asked) -> Report:
    """B8: `rounds` flips, and all the rest in proportion."""
    return asyncio.run(_tamper(asked))


async def _tamper(asked: Asked) -> Report:
    began = time.monotonic()
    chance = random.Random(asked.seed)
    release, share = asked.rounds >= RELEASE, min(1.0, asked.rounds / SHORT)
    found, figures = Found(), list[Figure]()
    async with Bench.running(asked.folder) as bench:
        figures += await _flips(bench, asked.rounds, found, chance)
        asked.say(f"B8: flips done, {time.monotonic() - began:.0f} s")
        figures += await _swaps(bench, found)
        asked.say(f"B8: swaps done, {time.monotonic() - began:.0f} s")
        for file in ("index.db", "keys.db"):
            figures += await _columns(bench, file, found, chance, each=0 if release else 1, share=share)
            asked.say(f"B8: columns of {file} done, {time.monotonic() - began:.0f} s")
        figures.append(told("starts on the folder as it was made", bench.restarts))
    figures += await _redis(asked, found, chance)
    return Report(
        bar="B8",
        asked=asked,
        figures=(
            *figures,
            told("probes that gave the right content", found.right),
            told("probes refused", " ".join(f"{code} {count};" for code, count in sorted(found.codes.items()))),
            none_of("wrong octets released, or another patient's", found.wrong),
            none_of("errors without a name", found.untyped),
            none_of("refusals for tampering that are not in the audit log", found.unaudited),
        ),
        plan=digest_of([asked.seed, asked.rounds]),
        history=digest_of([len(found.wrong), len(found.untyped), len(found.unaudited)]),
        seconds=time.monotonic() - began,
    )


# ---- blocks


async def _flips(bench: Bench, count: int, found: Found, chance: random.Random) -> list[Figure]:
    """Octets of the present and former blocks, each changed to another by a random mask."""
    stored = await _stored(bench)
    opened = whole = 0
    places = [(at, place) for at, (_, _, _, block) in enumerate(stored) for place in range(len(block))]
    chance.shuffle(places)
    with _lying(bench) as lying:
        for turn in range(count):
            at, place = places[turn % len(places)]
            record, version, cid, block = stored[at]
            flipped = bytearray(block)
            flipped[place] ^= chance.randrange(1, 256)
            said = f"octet {place} of {record.hex()} v{version}"
            if cid.names(bytes(flipped)):
                found.wrong.append(f"{said}: the CID names it")
            opened += await _opens(bench, bytes(flipped))
            if turn % WHOLE_EACH == 0:
                whole += 1
                lying.lies = {str(cid): bytes(flipped)}
                await _refused(bench, record, said, found)
                lying.lies = {}
    return [
        told("octets flipped", count),
        none_of("flipped blocks whose seal opened", [None] * opened),
        told("of these, asked for by the whole read corridor", whole),
    ]


async def _stored(bench: Bench) -> list[tuple[RecordId, int, Cid, bytes]]:
    """(record, version, CID, block) of both versions of each record of the first patient."""
    connection = bench.sql("index.db")
    rows = connection.execute("select record, version, digest from versions order by record, version").fetchall()
    connection.close()
    stored = []
    for record, version, digest in rows:
        if record in bench.made.records:
            cid = Cid.from_digest(digest)
            stored.append((RecordId(record), int(version), cid, await bench.at.gateway.blocks.get(cid)))
    return stored


async def _opens(bench: Bench, block: bytes) -> bool:
    """Whether locator, facts and content open, as if the CID had been forged."""
    keys = bench.at.gateway._keys
    try:
        located = envelope.locate(block, keys.log)
        key = await keys.by_id(located.key_id)
        envelope.open_facts(located, key)
    except IntegrityError:
        return False
    return envelope.is_whole(located, key)


async def _refused(bench: Bench, record: RecordId, said: str, found: Found) -> None:
    """The whole corridor: refused, and the refusal is durable. A former version's block is nobody's any more."""
    before = bench.entries()
    released = await bench.read(bench.made.people.reader, record, said, found)
    if not released and bench.entries() == before:
        found.unaudited.append(said)


@contextmanager
def _lying(bench: Bench) -> Iterator[Lying]:
    blocks = bench.at.gateway.blocks
    honest = blocks._store
    lying = Lying(honest)
    blocks._store = lying
    try:
        yield lying
    finally:
        blocks._store = honest


async def _swaps(bench: Bench, found: Found) -> list[Figure]:
    """Every ordered pair of twenty blocks: one given for the other, by the store and by the index."""
    stored = await _stored(bench)
    pairs = [(one, other) for one in stored for other in stored if one is not other]
    by_store = by_index = 0
    with _lying(bench) as lying:
        for (record, version, cid, _), (_, _, _, block) in pairs:
            lying.lies = {str(cid): block}
            by_store += await _is_refused(bench, record, version, cid)
            lying.lies = {}
    for (record, version, _, _), (_, _, cid, _) in pairs:
        by_index += await _is_refused(bench, record, version, cid)
    rolled = await _rolled_back(bench, stored, found)
    return [
        Figure(
            name="pairs refused where the store swaps",
            value=f"{by_store}/{len(pairs)}",
            demand="all",
            met=by_store == len(pairs),
        ),
        Figure(
            name="pairs refused where the index swaps",
            value=f"{by_index}/{len(pairs)}",
            demand="all",
            met=by_index == len(pairs),
        ),
        none_of("records put back to their first version by their row", rolled),
    ]


def _all_of(name: str, count: int, of: int) -> Figure:
    return Figure(name=name, value=f"{count}/{of}", demand="all", met=count == of)


async def _is_refused(bench: Bench, record: RecordId, version: int, cid: Cid) -> bool:
    row = await bench.at.gateway.records._reading._index.version(record, version)
    assert row is not None
    bench.forget()
    try:
        await bench.at.gateway.records._reading._opening.find(replace(row, digest=cid.digest))
    except IntegrityError:
        return True
    return False


async def _rolled_back(bench: Bench, stored: Sequence[Any], found: Found) -> list[str]:
    """A row that names the first version and its digest, both right and both old."""
    rolled = []
    connection = bench.sql("index.db")
    for record, version, cid, _ in stored:
        if version != 1:
            continue
        sql = "select version, digest from records where record = ?"
        kept = connection.execute(sql, (record,)).fetchone()
        connection.execute("update records set version = 1, digest = ? where record = ?", (cid.digest, record))
        bench.forget()
        if await bench.read(bench.made.people.reader, record, f"{record.hex()} rolled back", found):
            rolled.append(record.hex())
        connection.execute("update records set version = ?, digest = ? where record = ?", (*kept, record))
    connection.close()
    return rolled


# ---- rows


async def _columns(
    bench: Bench, file: str, found: Found, chance: random.Random, *, each: int, share: float
) -> list[Figure]:
    """Each column in turn; what the change did to the gateway itself is undone by starting it again."""
    connection = bench.sql(file)
    planned = list(edits(connection, chance, each=each))
    planned = planned if share == 1.0 else chance.sample(planned, int(share * len(planned)))
    made = refused = 0
    for edit in planned:
        before, given = len(found.wrong), found.right
        with applied(connection, edit) as done:
            if not done:
                refused += 1
                continue
            made += 1
            await _reread(bench, file)
            await bench.probe(edit.name, found)
        await _reread(bench, file)
        # What the honest reader was not given may be a gateway that the change stopped.
        if len(found.wrong) > before or (found.right < given + HONEST and not await bench.is_well()):
            connection.close()
            await bench.restart()
            connection = bench.sql(file)
    connection.close()
    columns = len({(edit.table, edit.column) for edit in planned})
    return [told(f"{file}: columns, edits made, edits that the database refused", f"{columns}, {made}, {refused}")]


async def _reread(bench: Bench, file: str) -> None:
    bench.forget()
    if file == "keys.db":
        gateway = bench.at.gateway
        gateway._keys.drop()
        await asyncio.gather(gateway._keys.refresh(), return_exceptions=True)


# ---- redis


async def _redis(asked: Asked, found: Found, chance: random.Random) -> list[Figure]:
    """Every value replaced, forged messages on every topic, then all flushed; after each, everybody asks again."""
    replaced = forged = 0
    with running_redis() as server:
        async with Bench.running(asked.folder / "redis", redis_url=server.url) as bench:
            client = redis.Redis.from_url(server.url)
            made, bus = bench.made, bench.at.gateway.bus
            assert bus is not None
            for name in (made.people.reader.actor, made.people.stranger.actor):
                await bus.allow(name.hex(), rate=1.0, burst=3)
            for turn in range(max(5, asked.rounds // 1000)):
                for key in client.scan_iter():
                    replaced += 1
                    client.delete(key)
                    client.hset(key, mapping={"t": chance.choice([0, 1e9, -1]), "a": time.time() + 1e6})
                for subject in (made.subject, made.other):
                    for message in _messages(made, chance):
                        forged += 1
                        client.publish(PREFIX + topic(subject), b"0" * 32 + b"\x00" + message)
                await asyncio.sleep(0.02)
                await bench.probe(f"redis, turn {turn}", found)
            client.flushall()
            await bench.probe("redis flushed", found)
            client.close()
    return [told("redis values replaced, messages forged", f"{replaced}, {forged}")]


def _messages(made: Made, chance: random.Random) -> Sequence[bytes]:
    """Of every kind that the gateways send each other, about somebody else."""
    record = chance.choice([*made.records, *made.others])
    return (b"consent:" + chance.randbytes(32), b"record:" + record, b"erased:" + made.people.reader.actor, b"consent:")
