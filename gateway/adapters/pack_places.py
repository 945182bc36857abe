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
        _, table, at, there = self._find(cid)
        return int.from_bytes(table[at + CID_TEXT_SIZE : at + ENTRY_SIZE], "big") if there else None

    def put(self, cid: str, place: int) -> None:
        """Adds or replaces. `cid` is the text of a lawful CID."""
        number, table, at, there = self._find(cid)
        entry = cid.encode() + place.to_bytes(PLACE_SIZE, "big")
        self._tables[number] = table[:at] + entry + table[at + ENTRY_SIZE * there :]

    def drop(self, cid: str) -> None:
        """What is not here is dropped already."""
        number, table, at, there = self._find(cid)
        self._tables[number] = table[:at] + table[at + ENTRY_SIZE * there :]

    def clear(self) -> None:
        self._tables[:] = [b""] * TABLES

    def __iter__(self) -> Iterator[str]:
        for table in self._tables:
            for at in range(0, len(table), ENTRY_SIZE):
                yield table[at : at + CID_TEXT_SIZE].decode()

    def _find(self, cid: str) -> tuple[int, bytes, int, bool]:
        """(number of its table, the table, where in it the entry stands or would stand, whether it does)."""
        key = cid.encode()
        number = zlib.crc32(key) % TABLES
        table = self._tables[number]
        at = _position(table, key)
        return number, table, at, table[at : at + CID_TEXT_SIZE] == key


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
