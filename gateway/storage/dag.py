"""Content larger than one block: a balanced UnixFS tree of raw 1 MiB leaves, which any IPFS client can `cat`.

Pure: building yields blocks and reading asks its caller for them; nothing is stored or fetched here.
Building equals `ipfs add --cid-version 1 --raw-leaves --chunker size-1048576 --max-file-links 174`.
Reading believes no size: each block is verified against the link that named it, and what a link declares against
what is found, before anything below it is fetched; so no tree costs more than its declared size, which is bounded.
Source: specs.ipfs.tech/unixfs, balanced layout.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from gateway.errors import CallerError, IntegrityError
from gateway.storage.dagpb import Link, decode_node, encode_node
from gateway.storage.model import Block, Cid, Codec, VerifiedBlock

LEAF_SIZE: Final = 1 << 20
LINKS_MAX: Final = 174
NODE_SIZE_MAX: Final = 1 << 16

Fetch = Callable[[Cid, int], Awaitable[VerifiedBlock]]
"""Gives the verified block of a CID, at most that many octets. IntegrityError, UpstreamError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DagLimits:
    """What a reader is willing to follow. Octets of content, nodes above a leaf, links a node, blocks in all."""

    content: int
    depth: int = 4
    links: int = LINKS_MAX
    blocks: int = 1 << 16


class DagWriter:
    """Turns octets into blocks as they come, holding at most one leaf and the open node of each level.

    Blocks come out children first, so a store that was cut off holds no node without its children.
    """

    __slots__ = ("_finished", "_leaf", "_levels")

    def __init__(self) -> None:
        self._leaf = bytearray()
        self._levels: list[list[Link]] = [[]]
        self._finished = False

    def write(self, data: bytes) -> list[Block]:
        """Takes content, gives the blocks that it completes."""
        if self._finished:
            raise ValueError("this tree is finished")
        self._leaf += data
        blocks: list[Block] = []
        # A full leaf waits for one octet more: only then is it known not to be the only one.
        while len(self._leaf) > LEAF_SIZE:
            blocks += self._close_leaf(bytes(self._leaf[:LEAF_SIZE]))
            del self._leaf[:LEAF_SIZE]
        return blocks

    def add_leaf(self, cid: Cid, size: int) -> list[Block]:
        """Takes a leaf that is stored already, gives the nodes that it completes. Not beside `write`."""
        if self._finished or self._leaf:
            raise ValueError("leaves are added to a tree that nothing is written to")
        return self._add(0, Link(cid=cid, content_size=size, total_size=size))

    def finish_nodes(self) -> tuple[Cid, list[Block]]:
        """The root over leaves that were added, and the last nodes. One leaf is its own root."""
        self._finished = True
        return self._close_levels([])

    def finish(self) -> tuple[Cid, list[Block]]:
        """The root, and the last blocks, the root's block at the end. Content of one leaf is its own root."""
        blocks = self._close_leaf(bytes(self._leaf))
        self._finished = True
        return self._close_levels(blocks)

    def _close_levels(self, blocks: list[Block]) -> tuple[Cid, list[Block]]:
        level = 0
        while level + 1 < len(self._levels) or len(self._levels[level]) > 1:
            blocks += self._close_node(level)
            level += 1
        return self._levels[level][0].cid, blocks

    def _close_leaf(self, leaf: bytes) -> list[Block]:
        cid = Cid.of(leaf)
        link = Link(cid=cid, content_size=len(leaf), total_size=len(leaf))
        return [Block(cid, leaf), *self._add(0, link)]

    def _close_node(self, level: int) -> list[Block]:
        links = self._levels[level]
        node = encode_node(links)
        cid = Cid.of(node, codec=Codec.DAG_PB)
        link = Link(
            cid=cid,
            content_size=sum(child.content_size for child in links),
            total_size=len(node) + sum(child.total_size for child in links),
        )
        self._levels[level] = []
        if level + 1 == len(self._levels):
            self._levels.append([])
        return [Block(cid, node), *self._add(level + 1, link)]

    def _add(self, level: int, link: Link) -> list[Block]:
        blocks = self._close_node(level) if len(self._levels[level]) == LINKS_MAX else []
        self._levels[level].append(link)
        return blocks


def build(chunks: Iterable[bytes]) -> tuple[Cid, list[Block]]:
    """Content in pieces of any size -> its root and all of its blocks, children before parents."""
    writer = DagWriter()
    blocks = [block for chunk in chunks for block in writer.write(chunk)]
    root, last = writer.finish()
    return root, blocks + last


@dataclass(frozen=True, slots=True)
class _Visit:
    """A block still to be visited: where its content starts, the nodes above it, and its declared size."""

    cid: Cid
    start: int
    size: int | None
    above: tuple[Cid, ...]


class DagReader:
    """One walk over one tree, in the order of its content, within limits."""

    __slots__ = ("_fetch", "_limits", "_seen", "_todo")

    def __init__(self, root: Cid, fetch: Fetch, *, limits: DagLimits) -> None:
        self._fetch = fetch
        self._limits = limits
        self._todo = [_Visit(root, 0, None, ())]
        self._seen = 0

    async def read(self, *, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The octets from `start` to before `stop`, leaf by leaf; parts outside are not fetched.

        Raises IntegrityError for a tree that is not ours, lies about its sizes or passes a limit; CallerError for a
        range that does not exist in it.
        """
        if start < 0 or (stop is not None and stop < start):
            raise CallerError("not a range", field=("range",))
        end = self._limits.content if stop is None else stop
        while self._todo:
            visit = self._todo.pop()
            if visit.size is not None and (visit.start >= end or visit.start + visit.size <= start):
                continue
            if visit.cid.codec is Codec.DAG_PB:
                self._todo += await self._open_node(visit)
                continue
            leaf = await self._open_leaf(visit)
            part = leaf[max(0, start - visit.start) : end - visit.start]
            if part:
                yield part

    async def leaves(self, *, start: int = 0, stop: int | None = None) -> AsyncIterator[tuple[Cid, int]]:
        """Name and declared size of each leaf that holds octets from `start` to before `stop`, without fetching it. A
        tree alone: what is one leaf declares no size (IntegrityError)."""
        end = self._limits.content if stop is None else stop
        while self._todo:
            visit = self._todo.pop()
            if visit.size is not None and (visit.start >= end or visit.start + visit.size <= start):
                continue
            if visit.cid.codec is Codec.DAG_PB:
                self._todo += await self._open_node(visit)
            elif visit.size is None:
                raise IntegrityError("a leaf is no tree")
            else:
                yield visit.cid, visit.size

    async def cids(self) -> AsyncIterator[Cid]:
        """Every block of the tree once, the root first; leaves are named without being fetched."""
        named: set[Cid] = set()
        while self._todo:
            visit = self._todo.pop()
            if visit.cid in named:
                continue
            named.add(visit.cid)
            yield visit.cid
            if visit.cid.codec is Codec.DAG_PB:
                self._todo += await self._open_node(visit)

    async def _open_node(self, visit: _Visit) -> list[_Visit]:
        if visit.cid in visit.above:
            raise IntegrityError("a DAG links back to itself")
        if len(visit.above) >= self._limits.depth:
            raise IntegrityError(f"a DAG is deeper than {self._limits.depth} nodes")
        self._count(1)
        node = await self._fetch(visit.cid, NODE_SIZE_MAX)
        links = decode_node(node.data, links_max=self._limits.links)
        size = sum(link.content_size for link in links)
        if size > self._limits.content:
            raise IntegrityError(f"a DAG holds more than {self._limits.content} octets")
        if visit.size is not None and visit.size != size:
            raise IntegrityError("a DAG node is not of the size that its parent declares")
        self._count(len(links))
        above = (*visit.above, visit.cid)
        below, at = [], visit.start
        for link in links:
            below.append(_Visit(link.cid, at, link.content_size, above))
            at += link.content_size
        return below[::-1]

    async def _open_leaf(self, visit: _Visit) -> bytes:
        limit = min(LEAF_SIZE, self._limits.content)
        leaf = await self._fetch(visit.cid, limit)
        if visit.size is not None and visit.size != len(leaf.data):
            raise IntegrityError("a DAG leaf is not of the size that its parent declares")
        return leaf.data

    def _count(self, blocks: int) -> None:
        self._seen += blocks
        if self._seen > self._limits.blocks:
            raise IntegrityError(f"a DAG names more than {self._limits.blocks} blocks")
