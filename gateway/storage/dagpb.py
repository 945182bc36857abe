"""The two protobuf messages of a UnixFS file node, written one way and read no other.

Only what `dag.py` builds is lawful: links without names first, then a File with sizes and no data of its own.
Directories, symlinks, sharded folders and nodes with inline data are refused, so no name ever becomes a path.
Source: ipld.io/specs/codecs/dag-pb/spec, specs.ipfs.tech/unixfs (field numbers below are theirs).
"""

from dataclasses import dataclass
from typing import Final

from gateway.errors import CallerError, IntegrityError
from gateway.storage.model import CID_SIZE, Cid

_FILE: Final = b"\x08\x02"  # Data.Type = File
_SIZE_MAX: Final = 1 << 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A child: its name, the octets of content below it, and the octets of all blocks below it (Tsize)."""

    cid: Cid
    content_size: int
    total_size: int


def encode_varint(number: int) -> bytes:
    """Unsigned LEB128."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def encode_node(links: list[Link]) -> bytes:
    """A dag-pb block for a file whose parts are `links`, in order."""
    node = bytearray()
    for link in links:
        size = encode_varint(link.total_size)
        body = b"\x0a\x24" + bytes(link.cid) + b"\x12\x00\x18" + size
        node += b"\x12" + encode_varint(len(body)) + body
    content = sum(link.content_size for link in links)
    data = _FILE + b"\x18" + encode_varint(content)
    data += b"".join(b"\x20" + encode_varint(link.content_size) for link in links)
    return bytes(node + b"\x0a" + encode_varint(len(data)) + data)


class _Cursor:
    """Reads forward through one message; every read is bounded by what is there."""

    __slots__ = ("_at", "_octets")

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def at_end(self) -> bool:
        return self._at == len(self._octets)

    def take(self, count: int) -> bytes:
        if count > len(self._octets) - self._at:
            raise IntegrityError("a DAG node ends within a field")
        self._at += count
        return self._octets[self._at - count : self._at]

    def varint(self) -> int:
        number = 0
        for shift in range(0, 56, 7):
            octet = self.take(1)[0]
            number |= (octet & 0x7F) << shift
            if octet < 0x80:
                if number > _SIZE_MAX or (octet == 0 and shift):
                    break
                return number
        raise IntegrityError("a DAG node holds a number that is not lawful")

    def expect(self, octets: bytes) -> None:
        if self.take(len(octets)) != octets:
            raise IntegrityError("a DAG node is not a plain file node")


def decode_node(block: bytes, *, links_max: int) -> list[Link]:
    """The links of a verified dag-pb block. Raises IntegrityError for more than `links_max` or any other node."""
    cursor = _Cursor(block)
    named: list[tuple[Cid, int]] = []
    while (tag := cursor.take(1)) == b"\x12":
        if len(named) == links_max:
            raise IntegrityError(f"a DAG node has more than {links_max} links")
        named.append(_decode_link(_Cursor(cursor.take(cursor.varint()))))
    if tag != b"\x0a":
        raise IntegrityError("a DAG node is not a plain file node")
    data = _Cursor(cursor.take(cursor.varint()))
    if not cursor.at_end() or not named:
        raise IntegrityError("a DAG node is not a plain file node")
    return _join_sizes(named, data)


def _decode_link(cursor: _Cursor) -> tuple[Cid, int]:
    cursor.expect(b"\x0a\x24")
    try:
        cid = Cid.from_bytes(cursor.take(CID_SIZE))
    except CallerError as error:
        raise IntegrityError("a DAG node links to a block that is not ours") from error
    cursor.expect(b"\x12\x00\x18")
    total_size = cursor.varint()
    if not cursor.at_end():
        raise IntegrityError("a DAG node is not a plain file node")
    return cid, total_size


def _join_sizes(named: list[tuple[Cid, int]], data: _Cursor) -> list[Link]:
    data.expect(_FILE + b"\x18")
    content = data.varint()
    links = []
    for cid, total_size in named:
        data.expect(b"\x20")
        size = data.varint()
        if not 0 < size <= total_size:
            raise IntegrityError("a DAG node declares a size that is not lawful")
        links.append(Link(cid=cid, content_size=size, total_size=total_size))
    if not data.at_end() or content != sum(link.content_size for link in links):
        raise IntegrityError("the sizes in a DAG node do not add up")
    return links
