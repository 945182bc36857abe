"""THREATS rows 4, 25 and 26, B8 for blocks: a node, disk or file that lies is refused, in bounded time and memory."""

import asyncio
import gzip
import io
import os
import secrets
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.adapters.kubo import AWAY, KuboStore
from gateway.adapters.pack_format import MARK_SIZE, PACK_MAGIC, Kind, encode_head
from gateway.adapters.packs import PackStore
from gateway.errors import BlockMissingError, ConsentryError, IntegrityError, UpstreamError
from gateway.storage.model import Cid
from gateway.storage.service import Blocks
from tests.attacks.hostile_node import HostileNode, hostile_node, reply

DATA = b"sealed " * 300
CID = Cid.of(DATA)


@pytest.fixture
async def node() -> AsyncIterator[HostileNode]:
    async with hostile_node(lambda writer: writer.write(reply(DATA))) as running:
        yield running


@pytest.fixture
async def blocks(node: HostileNode) -> AsyncIterator[Blocks]:
    store = KuboStore(node.url, read_seconds=0.6, write_seconds=0.6)
    yield Blocks(store)
    await store.close()


def answers(octets: bytes) -> Callable[[asyncio.StreamWriter], object]:
    return lambda writer: writer.write(octets)


async def test_the_right_block_passes(blocks: Blocks) -> None:
    assert await blocks.get(CID) == DATA


@pytest.mark.parametrize(
    "body",
    [b"another block", b"", DATA[:-1], DATA + b"x", bytes([DATA[0] ^ 1]) + DATA[1:], DATA[::-1]],
    ids=["other", "empty", "short", "long", "flipped", "reversed"],
)
async def test_other_bytes_are_an_integrity_error(node: HostileNode, blocks: Blocks, body: bytes) -> None:
    node.answer = answers(reply(body))
    with pytest.raises(IntegrityError):
        await blocks.get(CID)


async def test_every_flipped_bit_of_a_block_is_an_integrity_error(node: HostileNode, blocks: Blocks) -> None:
    for at in range(0, len(DATA), 37):
        flipped = bytearray(DATA)
        flipped[at] ^= 1 << at % 8
        node.answer = answers(reply(bytes(flipped)))
        with pytest.raises(IntegrityError):
            await blocks.get(CID)


async def test_a_connection_cut_in_the_body_is_an_upstream_error(node: HostileNode, blocks: Blocks) -> None:
    node.answer = answers(reply(DATA)[:-100])
    with pytest.raises(UpstreamError):
        await blocks.get(CID)


async def test_an_endless_body_is_cut_at_the_limit(node: HostileNode, blocks: Blocks) -> None:
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(1 << 16))
            await writer.drain()
            sent += 1 << 16

    node.answer = endless
    with pytest.raises(IntegrityError):
        await blocks.get(CID, limit=1 << 20)
    assert sent < 32 << 20


async def test_one_chunk_declared_as_ten_gigabytes_is_cut_at_the_limit(node: HostileNode, blocks: Blocks) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n280000000\r\n")
        while True:
            writer.write(bytes(1 << 16))
            await writer.drain()

    node.answer = endless
    with pytest.raises(IntegrityError):
        await blocks.get(CID, limit=1 << 20)


async def test_a_packed_answer_is_not_unpacked(node: HostileNode, blocks: Blocks) -> None:
    packed = gzip.compress(bytes(64 << 20))
    node.answer = answers(reply(packed, head=b"Content-Encoding: gzip\r\n"))
    with pytest.raises(IntegrityError):
        await blocks.get(CID)


async def drip(writer: asyncio.StreamWriter, start: bytes) -> None:
    writer.write(start)
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n",
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 100000\r\n\r\n",
    ],
    ids=["status", "headers", "body", "chunk", "error"],
)
async def test_a_slow_drip_ends_at_the_deadline(node: HostileNode, blocks: Blocks, start: bytes) -> None:
    node.answer = lambda writer: drip(writer, start)
    began = time.monotonic()
    with pytest.raises(UpstreamError):
        await blocks.get(CID)
    assert time.monotonic() - began < 1.5


async def test_slow_drips_do_not_use_up_the_threads(node: HostileNode, blocks: Blocks) -> None:
    node.answer = lambda writer: drip(writer, b"")
    await asyncio.gather(*[blocks.get(CID) for _ in range(16)], return_exceptions=True)
    node.answer = answers(reply(DATA))
    await asyncio.sleep(0.6 + 2 * 0.6 * AWAY)  # calls that were waiting run out, and a node that was mute is let alone
    assert await blocks.get(CID) == DATA


async def test_a_node_that_never_answers_is_an_upstream_error(node: HostileNode, blocks: Blocks) -> None:
    node.answer = lambda _: asyncio.sleep(30)
    with pytest.raises(UpstreamError):
        await blocks.get(CID)


async def test_a_node_that_never_reads_is_an_upstream_error() -> None:
    async def ignore(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)
        writer.close()

    server = await asyncio.start_server(ignore, "127.0.0.1", 0, limit=1024)
    store = KuboStore(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", read_seconds=0.6, write_seconds=0.6)
    with pytest.raises(UpstreamError):
        await Blocks(store).put_many([secrets.token_bytes(1 << 20) for _ in range(7)])
    await store.close()
    server.close()


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"303 See", b"307 Temporary", b"308 Permanent"])
async def test_a_redirect_is_not_followed(node: HostileNode, blocks: Blocks, status: bytes) -> None:
    async with hostile_node(answers(reply(DATA))) as elsewhere:
        location = f"Location: {elsewhere.url}/api/v0/block/get\r\n".encode()
        node.answer = answers(reply(b"", status=status, head=location))
        with pytest.raises(UpstreamError):
            await blocks.get(CID)
        assert elsewhere.requests == []


async def test_a_proxy_of_the_environment_is_not_used(
    node: HostileNode, blocks: Blocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hostile_node(answers(reply(b"not this"))) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert await blocks.get(CID) == DATA
        assert proxy.requests == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"Key":"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku","Size":0}',
        b'{"Key":null}',
        b"{}",
        b"",
        b"null",
        b"[]",
        b"{" * 100_000,
        b"[" * 100_000,
        b'{"Key":"x"}{"Key":"y"}',
        b"\xff\xfe",
        b'{"Type":"error","Message":"no"}',
        b" " * (8 << 20),
        b'"' + b"x" * (8 << 20),
    ],
)
async def test_a_put_that_is_not_confirmed_by_name_fails(node: HostileNode, blocks: Blocks, body: bytes) -> None:
    node.answer = answers(reply(body))
    with pytest.raises((UpstreamError, IntegrityError)):
        await blocks.put(DATA)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"Root":1}', b'{"Root":{"Cid":[]}}', b'{"Stats":{"BlockCount":2}}'])
async def test_a_bundle_that_is_not_confirmed_by_name_fails(node: HostileNode, blocks: Blocks, body: bytes) -> None:
    node.answer = answers(reply(body))
    with pytest.raises(UpstreamError):
        await blocks.put_many([DATA, b"second"])


async def test_what_the_node_says_is_not_in_our_error(node: HostileNode, blocks: Blocks) -> None:
    node.answer = answers(reply(b'{"Message":"canary /etc/passwd","Code":0}', status=b"500 Internal Server Error"))
    with pytest.raises(ConsentryError) as refusal:
        await blocks.get(CID)
    assert "canary" not in str(refusal.value)


async def _stored(folder: Path, contents: list[bytes]) -> list[Cid]:
    store = PackStore.open(folder)
    cids = await Blocks(store).put_many(contents)
    await store.close()
    return cids


def _pack(folder: Path) -> Path:
    return next(folder.glob("*.pack"))


async def test_every_flipped_byte_of_a_pack_is_refused_or_harmless(tmp_path: Path) -> None:
    contents = [secrets.token_bytes(64) for _ in range(4)]
    cids = await _stored(tmp_path, contents)
    pack = _pack(tmp_path)
    whole = pack.read_bytes()
    wrong = 0
    for at in range(len(whole)):
        flipped = bytearray(whole)
        flipped[at] ^= 0x40
        pack.write_bytes(flipped)
        wrong += await _count_wrong(tmp_path, dict(zip(cids, contents, strict=True)))
    assert wrong == 0


async def _count_wrong(folder: Path, expected: dict[Cid, bytes]) -> int:
    wrong = refused = 0
    store = PackStore.open(folder)
    for cid, data in expected.items():
        try:
            wrong += await Blocks(store).get(cid) != data
        except (IntegrityError, BlockMissingError):
            refused += 1
    await store.close()
    return wrong + (refused > 1)  # one flipped byte costs one block, never its neighbours


async def test_a_flipped_byte_under_an_open_store_is_an_integrity_error(tmp_path: Path) -> None:
    store = PackStore.open(tmp_path)
    cid = await Blocks(store).put(DATA)
    pack = _pack(tmp_path)
    octets = bytearray(pack.read_bytes())
    octets[-1] ^= 1
    pack.write_bytes(octets)
    with pytest.raises(IntegrityError):
        await Blocks(store).get(cid)
    with pytest.raises(IntegrityError):
        Blocks(store).get_now(cid)
    await store.close()


async def _nine(folder: Path) -> tuple[PackStore, list[Cid], list[bytes]]:
    """Blocks that lie behind each other in an open store."""
    store = PackStore.open(folder)
    contents = [secrets.token_bytes(4096) for _ in range(9)]
    return store, await Blocks(store).put_many(contents), contents


async def test_a_flipped_byte_on_a_walk_is_an_integrity_error_of_that_block_alone(tmp_path: Path) -> None:
    store, cids, contents = await _nine(tmp_path)
    pack = _pack(tmp_path)
    pack.write_bytes(pack.read_bytes().replace(contents[5], contents[5][:-1] + bytes([contents[5][-1] ^ 1])))
    walk = Blocks(store).walk()
    assert [walk.get_now(cid) for cid in cids[:5]] == contents[:5]
    with pytest.raises(IntegrityError):
        walk.get_now(cids[5])
    assert [walk.get_now(cid) for cid in cids[6:]] == contents[6:]
    await store.close()


async def test_a_head_that_names_another_block_on_a_walk_gives_no_other_bytes(tmp_path: Path) -> None:
    store, cids, contents = await _nine(tmp_path)
    pack = _pack(tmp_path)
    pack.write_bytes(pack.read_bytes().replace(cids[5].digest, cids[6].digest))
    walk = Blocks(store).walk()
    assert [walk.get_now(cid) for cid in cids[:5]] == contents[:5]
    assert walk.get_now(cids[6]) == contents[6]
    await store.close()


async def test_a_pack_cut_short_under_an_open_store_gives_no_bytes(tmp_path: Path) -> None:
    store = PackStore.open(tmp_path)
    cid = await Blocks(store).put(DATA)
    os.truncate(_pack(tmp_path), 100)
    with pytest.raises((IntegrityError, BlockMissingError)):
        await Blocks(store).get(cid)
    await store.close()


async def test_a_block_zeroed_on_disk_gives_no_bytes(tmp_path: Path) -> None:
    store = PackStore.open(tmp_path)
    cid = await Blocks(store).put(DATA)
    pack = _pack(tmp_path)
    pack.write_bytes(pack.read_bytes().replace(DATA, bytes(len(DATA))))
    with pytest.raises(IntegrityError):
        await Blocks(store).get(cid)
    await store.close()


async def test_putting_a_damaged_block_again_heals_it(tmp_path: Path) -> None:
    store = PackStore.open(tmp_path)
    cid = await Blocks(store).put(DATA)
    pack = _pack(tmp_path)
    octets = bytearray(pack.read_bytes())
    octets[-1] ^= 1
    pack.write_bytes(octets)
    await Blocks(store).put(DATA)
    assert await Blocks(store).get(cid) == DATA
    await store.close()


async def test_a_record_planted_inside_a_block_is_never_read_as_one(tmp_path: Path) -> None:
    victim = secrets.token_bytes(100)
    planted = encode_head(b"CNSTPK01", Kind.REMOVED, str(Cid.of(victim)), 0)
    await _stored(tmp_path, [victim, planted * 5, b"after"])
    pack = _pack(tmp_path)
    octets = pack.read_bytes()
    at = octets.index(planted)
    pack.write_bytes(octets[: at - 1] + bytes([octets[at - 1] ^ 1]) + octets[at:])  # its header no longer holds
    store = PackStore.open(tmp_path)
    assert await Blocks(store).get(Cid.of(victim)) == victim
    assert await Blocks(store).get(Cid.of(b"after")) == b"after"
    await store.close()


async def test_removed_bytes_are_in_no_file_of_the_folder(tmp_path: Path) -> None:
    store = PackStore.open(tmp_path)
    secret = secrets.token_bytes(10_000)
    cids = await Blocks(store).put_many([b"before", secret, b"behind"])
    await Blocks(store).remove([cids[1]])
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert not any(secret[at : at + 16] in kept for at in range(0, len(secret) - 16, 8))
    assert await Blocks(store).get(cids[2]) == b"behind"
    await store.close()


_WRITER = textwrap.dedent(
    """
    import asyncio, hashlib, sys
    from pathlib import Path
    from gateway.adapters.packs import PackStore
    from gateway.storage.service import Blocks

    async def main():
        blocks = Blocks(PackStore.open(Path(sys.argv[1]), pack_size_max=1 << 18))
        number = 0
        while True:
            bundle = [f"{sys.argv[2]} {number + k} ".encode() * 200 for k in range(5)]
            await blocks.put_many(bundle)
            for k in range(5):
                print(number + k, flush=True)
            number += 5

    asyncio.run(main())
    """
)


def _start_writer(folder: Path, name: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _WRITER, str(folder), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[2])


def _kill_after(writer: "subprocess.Popen[str]", count: int) -> list[int]:
    """Kills the writer in mid-work and gives the numbers that it was told are stored."""
    assert writer.stdout is not None
    told = [int(writer.stdout.readline()) for _ in range(count)]
    time.sleep(secrets.randbelow(4000) / 1e6)
    writer.kill()
    rest = writer.stdout.read().split("\n")[:-1]
    writer.wait()
    return told + [int(line) for line in rest]


async def test_kill_9_during_puts_of_two_processes_loses_nothing_that_was_told(tmp_path: Path) -> None:
    told: dict[str, int] = {}
    for turn in range(3):
        writers = {name: _start_writer(tmp_path, name) for name in (f"a{turn}", f"b{turn}")}
        for name, writer in writers.items():
            told[name] = max(_kill_after(writer, 40))
    store = PackStore.open(tmp_path)
    await store.check()
    for name, last in told.items():
        for number in range(last + 1):
            data = f"{name} {number} ".encode() * 200
            assert await Blocks(store).get(Cid.of(data)) == data
    assert await Blocks(store).put(b"writable") == Cid.of(b"writable")
    await store.close()


@pytest.mark.parametrize("cut", [1, 20, 51, 52, 53, 60, 100, 151])
async def test_a_torn_last_record_is_cut_off_and_the_rest_is_whole(tmp_path: Path, cut: int) -> None:
    first, last = secrets.token_bytes(100), secrets.token_bytes(100)
    await _stored(tmp_path, [first, last])
    pack = _pack(tmp_path)
    os.truncate(pack, pack.stat().st_size - cut)
    store = PackStore.open(tmp_path)
    await store.check()
    assert await Blocks(store).get(Cid.of(first)) == first
    assert not await store.has(str(Cid.of(last)))
    await Blocks(store).put(last)
    assert await Blocks(store).get(Cid.of(last)) == last
    await store.close()


async def test_zeros_at_the_end_of_a_pack_are_cut_off(tmp_path: Path) -> None:
    await _stored(tmp_path, [DATA])
    with _pack(tmp_path).open("ab") as pack:
        pack.write(bytes(5000))
    store = PackStore.open(tmp_path)
    await store.check()
    assert await Blocks(store).get(CID) == DATA
    await store.close()


async def test_other_octets_at_the_end_are_kept_and_reported(tmp_path: Path) -> None:
    await _stored(tmp_path, [DATA])
    with _pack(tmp_path).open("ab") as pack:
        pack.write(b"?" * 5000)
    store = PackStore.open(tmp_path)
    with pytest.raises(IntegrityError, match="5000 octets"):
        await store.check()
    await Blocks(store).put(b"later")
    assert await Blocks(store).get(Cid.of(b"later")) == b"later"
    assert b"?" * 5000 in _pack(tmp_path).read_bytes()
    await store.close()


async def test_damage_in_the_middle_is_reported_and_costs_no_other_block(tmp_path: Path) -> None:
    contents = [secrets.token_bytes(100) for _ in range(5)]
    await _stored(tmp_path, contents)
    pack = _pack(tmp_path)
    octets = pack.read_bytes()
    at = octets.index(contents[2]) - 30
    pack.write_bytes(octets[:at] + bytes(10) + octets[at + 10 :])
    store = PackStore.open(tmp_path)
    with pytest.raises(IntegrityError):
        await store.check()
    for data in contents[:2] + contents[3:]:
        assert await Blocks(store).get(Cid.of(data)) == data
    await store.close()


async def test_an_erasure_that_a_crash_interrupted_is_completed_at_open(tmp_path: Path) -> None:
    secret = secrets.token_bytes(5000)
    (cid,) = await _stored(tmp_path, [secret])
    pack = _pack(tmp_path)
    mark = pack.read_bytes()[len(PACK_MAGIC) :][:MARK_SIZE]
    with pack.open("ab") as file:
        file.write(encode_head(mark, Kind.REMOVED, str(cid), 0))
    store = PackStore.open(tmp_path)
    assert not await store.has(str(cid))
    assert secret[100:200] not in pack.read_bytes()
    await store.close()


_BOMB = textwrap.dedent(
    """
    import asyncio, io, resource, sys
    from pathlib import Path
    from gateway.adapters.packs import PackStore
    from gateway.errors import ConsentryError
    from gateway.storage.car import CarLimits, encode_header, encode_section
    from gateway.storage.dagpb import encode_varint
    from gateway.storage.model import Block, Cid
    from gateway.storage.service import Blocks

    head = encode_header([Cid.of(b"")])
    small = encode_section(Block(Cid.of(b""), b""))

    class Endless(io.RawIOBase):
        def __init__(self, start, repeat):
            self.rest, self.repeat = io.BytesIO(start), repeat
        def read(self, size=-1, /):
            found = self.rest.read(size)
            if not found:
                self.rest = io.BytesIO(self.repeat)
                found = self.rest.read(size)
            return found

    bombs = {
        "sections": Endless(head, small * 1000),
        "octets": Endless(head, encode_section(Block(Cid.of(bytes(1 << 20)), bytes(1 << 20)))),
        "section": Endless(head + encode_varint(3 << 30), bytes(1 << 20)),
        "header": Endless(encode_varint(3 << 30), bytes(1 << 20)),
        "nested": Endless(encode_varint(1 << 20) + b"\\x81" * (1 << 20), b"\\x81"),
        "roots": Endless(encode_varint(1 << 20) + b"\\x9a\\xff\\xff\\xff\\xff", b"\\x80" * (1 << 20)),
    }
    limits = CarLimits(count=100_000, total=256 << 20)

    async def main():
        blocks = Blocks(PackStore.open(Path(sys.argv[1])))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for name, bomb in bombs.items():
            try:
                await blocks.import_car(bomb, limits=limits)
                print(name, "was taken")
            except ConsentryError:
                pass
        print("KiB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)

    asyncio.run(main())
    """
)


async def test_car_bombs_are_refused_under_64_mib(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _BOMB, str(tmp_path)]
    cwd = Path(__file__).resolve().parents[2]
    run = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, cwd=cwd, timeout=120)
    assert run.returncode == 0, run.stderr
    word, grown = run.stdout.split()
    assert word == "KiB"
    assert int(grown) < 64 * 1024


async def test_an_import_that_fails_stores_no_unverified_block(tmp_path: Path) -> None:
    store = PackStore.open(tmp_path)
    with pytest.raises(ConsentryError):
        await Blocks(store).import_car(io.BytesIO(b"\x00" * 100))
    assert [cid async for cid in store.pins()] == []
    await store.close()
