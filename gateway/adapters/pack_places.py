"""Where each block of the packs lies, in small sorted tables: some 90 octets a block, where a dict takes 200."""

import zlib
from collections.abc import Iterator
from typing import Final

from gateway.storage.model import CID_TEXT_SIZE

TABLES: Final = 4096
PLACE_SIZE: Final = 12
ENTRY_SIZE: Final = CID_TEXT_SIZE + PLACE_SIZE


class Places:
    """CID -> place, an int of 96 bits at most. A table is replaced whole: one thread may look while another writes."""

    def __init__(self) -> None:
        self._tables = [b""] * TABLES

    def get(self, cid: str) -> int | None:
        key = cid.encode()
        table = self._tables[zlib.crc32(key) % TABLES]
        at = _position(table, key)
        if table[at : at + CID_TEXT_SIZE] != key:
            return None
        return int.from_bytes(table[at + CID_TEXT_SIZE : at + ENTRY_SIZE], "big")

    def put(self, cid: str, place: int) -> None:
        """Adds or replaces. `cid` is the text of a lawful CID."""
        key = cid.encode()
        table = self._tables[zlib.crc32(key) % TABLES]
        at = _position(table, key)
        following = at + ENTRY_SIZE if table[at : at + CID_TEXT_SIZE] == key else at
        entry = key + place.to_bytes(PLACE_SIZE, "big")
        self._tables[zlib.crc32(key) % TABLES] = table[:at] + entry + table[following:]

    def drop(self, cid: str) -> None:
        """What is not here is dropped already."""
        key = cid.encode()
        table = self._tables[zlib.crc32(key) % TABLES]
        at = _position(table, key)
        if table[at : at + CID_TEXT_SIZE] == key:
            self._tables[zlib.crc32(key) % TABLES] = table[:at] + table[at + ENTRY_SIZE :]

    def clear(self) -> None:
        self._tables[:] = [b""] * TABLES

    def __iter__(self) -> Iterator[str]:
        for table in self._tables:
            for at in range(0, len(table), ENTRY_SIZE):
                yield table[at : at + CID_TEXT_SIZE].decode()


def _position(table: bytes, key: bytes) -> int:
    """The offset of the first entry that is not below `key`."""
    low, high = 0, len(table) // ENTRY_SIZE
    while low < high:
        middle = (low + high) // 2
        if table[middle * ENTRY_SIZE : middle * ENTRY_SIZE + CID_TEXT_SIZE] < key:
            low = middle + 1
        else:
            high = middle
    return low * ENTRY_SIZE
