"""Trees are those that `ipfs add` makes, and a reader follows no tree further than it declares."""

import hashlib
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import CallerError, IntegrityError
from gateway.storage.dag import LEAF_SIZE, LINKS_MAX, DagLimits, DagReader, DagWriter, build
from gateway.storage.dagpb import Link, decode_node, encode_node
from gateway.storage.model import Block, Cid, Codec, VerifiedBlock, verify

# `ipfs add --cid-version 1 --raw-leaves --chunker size-1048576 --max-file-links 174` of Kubo 0.43.0.
KUBO_ROOTS = {
    0: "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
    1: "bafkreic2nz5eovfprz7up7eusmca3bj6pma6hhktpsy52nj4so324whlhu",
    LEAF_SIZE: "bafkreideeyd2kwgjzezoiwhuyouepeupk4xficfzqshba3txc2ee4o27bi",
    LEAF_SIZE + 1: "bafybeiaexsalcsoug7gc4g3igi4ly6f4hiyrvlxgraph7oxye3zqduuuli",
    3 * LEAF_SIZE: "bafybeigehkkunzevbiytfaxfci2xfqjumevuwon5ozqfwapzlntd4dprre",
}
LIMITS = DagLimits(content=8 * LEAF_SIZE)


def numbered(size: int) -> bytes:
    """SHA-256 of 0, 1, 2 … as eight octets, cut to size."""
    count = -(-size // 32)
    return b"".join(hashlib.sha256(n.to_bytes(8, "big")).digest() for n in range(count))[:size]


class Fetched:
    """Serves blocks from memory and counts what is asked for."""

    def __init__(self, blocks: list[Block]) -> None:
        self._blocks = {block.cid: block.data for block in blocks}
        self.asked: list[Cid] = []

    async def __call__(self, cid: Cid, limit: int) -> VerifiedBlock:
        self.asked.append(cid)
        if len(self._blocks[cid]) > limit:
            raise IntegrityError("too long")
        return verify(Block(cid, self._blocks[cid]))


def node(*links: Link) -> Block:
    data = encode_node(list(links))
    return Block(Cid.of(data, codec=Codec.DAG_PB), data)


def leaf(data: bytes) -> tuple[Block, Link]:
    cid = Cid.of(data)
    return Block(cid, data), Link(cid=cid, content_size=len(data), total_size=len(data))


async def read(root: Cid, fetch: Fetched, limits: DagLimits = LIMITS) -> bytes:
    return b"".join([part async for part in DagReader(root, fetch, limits=limits).read()])


@pytest.mark.parametrize("size", KUBO_ROOTS)
def test_root_is_that_of_ipfs_add(size: int) -> None:
    root, _ = build([numbered(size)])
    assert str(root) == KUBO_ROOTS[size]


def test_root_of_two_levels_is_that_of_ipfs_add() -> None:
    root, blocks = build([numbered(LEAF_SIZE)] * 175)
    # `ipfs add` with the flags above, of the same mebibyte 175 times.
    assert str(root) == "bafybeidgxybntk7h3r5ldnprifugu2sindfagym6xds35p54x2remhh7tq"
    assert blocks[-1].cid == root


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, LEAF_SIZE), max_size=6))
def test_the_pieces_that_content_comes_in_do_not_change_the_root(sizes: list[int]) -> None:
    content = bytes(sum(sizes))
    pieces = [bytes(size) for size in sizes]
    assert build(pieces)[0] == build([content])[0]


@pytest.mark.parametrize("size", [0, 1, LEAF_SIZE, LEAF_SIZE + 1, 3 * LEAF_SIZE + 17])
async def test_content_comes_back_as_it_went_in(size: int) -> None:
    root, blocks = build([numbered(size)])
    assert await read(root, Fetched(blocks)) == numbered(size)


async def test_content_of_equal_leaves_comes_back() -> None:
    root, blocks = build([bytes(3 * LEAF_SIZE)])
    assert await read(root, Fetched(blocks)) == bytes(3 * LEAF_SIZE)


async def test_a_range_fetches_only_the_leaves_that_hold_it() -> None:
    content = numbered(4 * LEAF_SIZE)
    root, blocks = build([content])
    fetch = Fetched(blocks)
    start, stop = LEAF_SIZE + 5, LEAF_SIZE + 9
    parts = [part async for part in DagReader(root, fetch, limits=LIMITS).read(start=start, stop=stop)]
    assert b"".join(parts) == content[start:stop]
    assert len(fetch.asked) == 2


async def test_a_range_that_ends_before_it_starts_is_refused() -> None:
    root, blocks = build([b"abc"])
    with pytest.raises(CallerError):
        await anext(DagReader(root, Fetched(blocks), limits=LIMITS).read(start=2, stop=1))


async def test_listing_names_every_block_once_and_fetches_no_leaf() -> None:
    root, blocks = build([numbered(3 * LEAF_SIZE)])
    fetch = Fetched(blocks)
    named = [cid async for cid in DagReader(root, fetch, limits=LIMITS).cids()]
    assert named[0] == root
    assert set(named) == {block.cid for block in blocks}
    assert fetch.asked == [root]


async def test_content_over_the_limit_is_refused_before_its_leaves_are_fetched() -> None:
    root, blocks = build([numbered(2 * LEAF_SIZE)])
    fetch = Fetched(blocks)
    with pytest.raises(IntegrityError):
        await read(root, fetch, DagLimits(content=2 * LEAF_SIZE - 1))
    assert fetch.asked == [root]


async def test_a_leaf_longer_than_declared_is_refused() -> None:
    long, link = leaf(b"longer")
    root = node(Link(cid=link.cid, content_size=3, total_size=6))
    with pytest.raises(IntegrityError):
        await read(root.cid, Fetched([long, root]))


async def test_a_node_of_another_size_than_declared_is_refused() -> None:
    block, link = leaf(b"content")
    inner = node(link, link)
    root = node(Link(cid=inner.cid, content_size=7, total_size=100))
    with pytest.raises(IntegrityError):
        await read(root.cid, Fetched([block, inner, root]))


async def test_a_chain_of_a_hundred_nodes_is_refused() -> None:
    block, link = leaf(b"deep")
    blocks = [block]
    for _ in range(100):
        blocks.append(node(link))
        link = Link(cid=blocks[-1].cid, content_size=4, total_size=link.total_size + 100)
    fetch = Fetched(blocks)
    with pytest.raises(IntegrityError, match="deeper"):
        await read(link.cid, fetch)
    assert len(fetch.asked) <= LIMITS.depth


async def test_one_block_linked_a_million_times_is_refused_before_it_is_fetched_often() -> None:
    block, link = leaf(b"x")
    blocks = [block]
    for _ in range(3):
        blocks.append(node(*[link] * 100))
        link = Link(cid=blocks[-1].cid, content_size=100 * link.content_size, total_size=1 << 40)
    fetch = Fetched(blocks)
    with pytest.raises(IntegrityError, match="more than 10000 blocks"):
        await read(link.cid, fetch, DagLimits(content=1 << 30, blocks=10_000))
    assert len(fetch.asked) <= 10_000


def test_a_node_of_too_many_links_is_refused() -> None:
    _, link = leaf(b"x")
    with pytest.raises(IntegrityError, match="links"):
        decode_node(node(*[link] * (LINKS_MAX + 1)).data, links_max=LINKS_MAX)


@given(st.binary(max_size=200))
def test_other_octets_are_no_node(octets: bytes) -> None:
    with pytest.raises(IntegrityError):
        decode_node(octets, links_max=LINKS_MAX)


@settings(max_examples=300)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_node_reads_as_lawful_links_or_not_at_all(at: int, flip: int) -> None:
    _, one = leaf(b"one")
    _, two = leaf(b"second")
    data = bytearray(node(one, two).data)
    data[at % len(data)] ^= flip
    try:
        links = decode_node(bytes(data), links_max=LINKS_MAX)
    except IntegrityError:
        return
    assert encode_node(links) == bytes(data)


def test_public_nodes_of_other_shapes_are_refused(shared_data: Path) -> None:
    with tarfile.open(shared_data / "vectors" / "ipld-codec-fixtures.tar.gz") as archive:
        for member in archive.getmembers():
            if member.name.endswith(".dag-pb"):
                block = archive.extractfile(member)
                assert block is not None
                with pytest.raises(IntegrityError):
                    decode_node(block.read(), links_max=LINKS_MAX)


async def test_leaves_that_are_stored_already_make_the_same_tree() -> None:
    content = bytes(3 * LEAF_SIZE + 5)
    root, blocks = build([content])
    writer = DagWriter()
    nodes = []
    for at in range(0, len(content), LEAF_SIZE):
        leaf = content[at : at + LEAF_SIZE]
        nodes += writer.add_leaf(Cid.of(leaf), len(leaf))
    again, last = writer.finish_nodes()
    assert again == root
    assert [block for block in blocks if block.cid.codec is Codec.DAG_PB] == [*nodes, *last]


def test_leaves_and_octets_do_not_mix() -> None:
    writer = DagWriter()
    writer.write(b"x")
    with pytest.raises(ValueError):
        writer.add_leaf(Cid.of(b""), 0)
