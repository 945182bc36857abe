"""Where each block of the packs lies, on disk: a table of pages in a file without a name, made anew by each process.

Extendible hashing (Fagin et al., ACM TODS 4(3), 1979): the directory, some half an octet a block, is all that memory
holds beside a few recent places, and a look reads one page. Nothing of it outlives the process, so nothing here need be
durable.
"""

import os
import tempfile
import threading
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.adapters.pack_disk import QuickRead, write_all
from gateway.storage.model import CID_TEXT_SIZE

PAGE_SIZE: Final = 4096
PLACE_SIZE: Final = 12
ENTRY_SIZE: Final = CID_TEXT_SIZE + PLACE_SIZE
RECENT: Final = 4096
"""Places of blocks that were looked for lately, of which memory holds so many at most: then it begins anew."""
_COUNT_SIZE: Final = 2


class Places:
    """CID -> place, an int of 96 bits at most. `folder` is on the disk that is to hold the table; by default the
    system's temporary one. Safe to call from several threads. Each call raises OSError, and has then changed nothing.
    """

    def __init__(self, folder: Path | None = None) -> None:
        with tempfile.TemporaryFile(dir=folder) as file:
            self._fd = os.dup(file.fileno())
        self._quick_read = QuickRead()
        self._mutex = threading.Lock()
        self._recent: dict[str, int] = {}
        self._directory = array("I")  # the page of each value of a name's last bits; pages share values until they fill
        self._depths = bytearray()  # of each page: how many of those bits its names have in common
        self.clear()

    def get(self, cid: str) -> int | None:
        with self._mutex:
            place = self._recent.get(cid)
            if place is None:
                place = self._look(cid)
                if place is not None:
                    self._keep(cid, place)
        return place

    def _look(self, cid: str) -> int | None:
        page = self._read(self._number_of(cid))
        at = _find(page, cid.encode())
        return None if at < 0 else int.from_bytes(page[at + CID_TEXT_SIZE : at + ENTRY_SIZE], "big")

    def _keep(self, cid: str, place: int) -> None:
        if len(self._recent) >= RECENT:
            self._recent.clear()
        self._recent[cid] = place

    def put(self, cid: str, place: int) -> None:
        """Adds or replaces. `cid` is the text of a lawful CID."""
        key = cid.encode()
        entry = key + place.to_bytes(PLACE_SIZE, "big")
        with self._mutex:
            self._recent.pop(cid, None)
            while True:
                number = self._number_of(cid)
                page = self._read(number)
                at = _find(page, key)
                if at < 0 and len(page) + ENTRY_SIZE + _COUNT_SIZE > PAGE_SIZE:
                    self._split(number, page)
                    continue
                return self._write(number, page + entry if at < 0 else page[:at] + entry + page[at + ENTRY_SIZE :])

    def drop(self, cid: str) -> None:
        """What is not here is dropped already."""
        with self._mutex:
            self._recent.pop(cid, None)
            number = self._number_of(cid)
            page = self._read(number)
            at = _find(page, cid.encode())
            if at >= 0:
                self._write(number, page[:at] + page[at + ENTRY_SIZE :])

    def clear(self) -> None:
        with self._mutex:
            os.ftruncate(self._fd, 0)
            self._recent.clear()
            self._directory, self._depths = array("I", [0]), bytearray(1)

    def close(self) -> None:
        with self._mutex:
            os.close(self._fd)
            self._fd = -1

    def __iter__(self) -> Iterator[str]:
        number = 0
        while number < len(self._depths):
            with self._mutex:
                page = self._read(number)
            yield from (page[at : at + CID_TEXT_SIZE].decode() for at in range(0, len(page), ENTRY_SIZE))
            number += 1

    def _number_of(self, cid: str) -> int:
        # `hash` is seeded anew in each process, so nobody can make names that share a page.
        return self._directory[hash(cid) & len(self._directory) - 1]

    def _split(self, number: int, entries: bytes) -> None:
        """Moves the names with one more bit set to a page of their own; the directory doubles where it must."""
        bit = 1 << self._depths[number]
        parts: tuple[list[bytes], list[bytes]] = ([], [])
        for at in range(0, len(entries), ENTRY_SIZE):
            entry = entries[at : at + ENTRY_SIZE]
            parts[bool(_hash(entry) & bit)].append(entry)
        new = len(self._depths)
        self._write(new, b"".join(parts[1]))
        self._write(number, b"".join(parts[0]))
        if bit == len(self._directory):
            self._directory += self._directory
        for value in range(_hash(entries) & bit - 1 | bit, len(self._directory), bit << 1):
            self._directory[value] = new
        self._depths[number] += 1
        self._depths.append(self._depths[number])

    def _read(self, number: int) -> bytes:
        """The entries of a page."""
        page = self._quick_read(self._fd, PAGE_SIZE, number * PAGE_SIZE)
        return page[: ENTRY_SIZE * int.from_bytes(page[-_COUNT_SIZE:], "big")]

    def _write(self, number: int, entries: bytes) -> None:
        count = (len(entries) // ENTRY_SIZE).to_bytes(_COUNT_SIZE, "big")
        write_all(self._fd, [entries.ljust(PAGE_SIZE - _COUNT_SIZE, b"\0"), count], number * PAGE_SIZE)


def _hash(entry: bytes) -> int:
    return hash(entry[:CID_TEXT_SIZE].decode())


def _find(entries: bytes, key: bytes) -> int:
    """The offset of a name's entry; -1 where there is none."""
    at = entries.find(key)
    while at > 0 and at % ENTRY_SIZE:
        at = entries.find(key, at + 1)
    return at
