"""Reads of blocks that lie in a pack one behind the other, many of them by one call to the system.

A patient's records are stored in the order in which they are looked through later. The head before each block names it,
so one that lies behind the block before is found without the table of places. Callers verify, as with every read. What
was read ahead is there for one walk and no longer: a block that is removed meanwhile is as one that was read before.
"""

from typing import Final

from gateway.adapters.pack_disk import QUICK_SIZE_MAX
from gateway.adapters.pack_folder import PackFolder
from gateway.adapters.pack_format import HEAD_SIZE, block_in
from gateway.storage.model import DIGEST_SIZE, encode_base32

LEAST_AHEAD: Final = 16 << 10
"""Octets that are read ahead once a block lay behind the one before; at each further read four times as many."""


class PackWalk:
    """Implements `gateway.ports.blocks.StoreWalk` over one folder."""

    __slots__ = ("_ahead", "_folder", "_next", "_pack", "_start", "_window")

    def __init__(self, folder: PackFolder) -> None:
        self._folder = folder
        self._pack = self._next = -1  # the pack and the offset in it where the next block's head is, if it lies behind
        self._ahead = 0
        self._window = b""
        self._start = 0  # the window's offset in the pack

    def get_now(self, cid: bytes) -> bytes | None:
        data = self._following(cid[-DIGEST_SIZE:]) if self._ahead else None
        return self._looked_up(cid) if data is None else data

    def _following(self, digest: bytes) -> bytes | None:
        """The block behind the last one, if it is this one."""
        at = self._next - self._start
        found = block_in(self._window, at, digest)
        if found is None and at + HEAD_SIZE <= len(self._window):
            return None
        if found is None or found[1] > len(self._window):
            self._window, self._start = self._folder.read_at(self._pack, self._next, self._ahead), self._next
            self._ahead = min(4 * self._ahead, QUICK_SIZE_MAX)
            found = block_in(self._window, 0, digest)
            if found is None or found[1] > len(self._window):
                return None
        begins, ends = found
        self._next = self._start + ends
        return self._window[begins:ends]

    def _looked_up(self, cid: bytes) -> bytes | None:
        place = self._folder.place_of(encode_base32(cid))
        if place is None or place.size > QUICK_SIZE_MAX:
            return None
        lies_behind = (place.pack, place.offset - HEAD_SIZE) == (self._pack, self._next)
        self._ahead = max(self._ahead, LEAST_AHEAD) if lies_behind else 0
        self._pack, self._next = place.pack, place.offset + place.size
        self._window, self._start = b"", self._next
        return self._folder.read_at(place.pack, place.offset, place.size)
