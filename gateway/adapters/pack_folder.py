"""A folder of pack files: where each block lies, appending under the lock, erasing, and repair after a crash.

Synchronous and safe to call from several threads. Every change is made under an exclusive lock on the folder, and
begins by reading what other processes appended; so no two writers interleave and no block is stored twice.
"""

import errno
import hashlib
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Self

from gateway.adapters.pack_disk import (
    LARGE_MIN,
    QUICK_SIZE_MAX,
    QuickRead,
    locked,
    pass_by,
    read_large,
    sync_folder,
    write_all,
    write_pack_head,
    write_zeros,
)
from gateway.adapters.pack_format import (
    MARK_SIZE,
    PACK_HEAD_SIZE,
    Damage,
    Kind,
    Record,
    Torn,
    decode_pack_head,
    encode_head,
    encode_pack_head,
    scan,
)
from gateway.adapters.pack_places import Places
from gateway.errors import IntegrityError, UpstreamError
from gateway.storage.model import Cid

FREE_SPACE_MIN: Final = 64 << 20
_ZEROS: Final = bytes(16)
_APPENDING: Final = os.O_RDWR | os.O_CLOEXEC


@dataclass(slots=True)
class _Pack:
    """One open file: its descriptor, the mark of its records, and the end of what has been read of it."""

    fd: int
    mark: bytes
    end: int = PACK_HEAD_SIZE


class Place(NamedTuple):
    """Where a block's bytes lie."""

    pack: int
    offset: int
    size: int


class PackFolder:
    """The packs of one folder, by number, and the place of every block in them."""

    def __init__(self, folder: Path, *, pack_size_max: int, places: Places) -> None:
        self._folder = folder
        self._pack_size_max = pack_size_max
        self._mutex = threading.RLock()
        self._quick_read = QuickRead()
        self._packs: list[_Pack] = []
        self._places = places  # pack << 72 | offset << 32 | size
        self._older: dict[str, list[int]] = {}
        self._doomed: dict[str, list[int]] = {}
        self._damage: list[str] = []
        self._retired: list[int] = []
        self._unsynced = True
        self._name_unsynced = True
        self._unsure: tuple[int, int] | None = None  # a pack's number, and from where on it may not be on disk

    @classmethod
    def open(cls, folder: Path, *, pack_size_max: int) -> Self:
        """Reads all headers and repairs what a crash left. UpstreamError."""
        with _as_upstream("open the block store"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(folder.parent)
            opened = cls(folder, pack_size_max=pack_size_max, places=Places(folder))
            with opened._closed_on_error(), locked(folder):
                opened._repair()
        return opened

    @classmethod
    def look(cls, folder: Path, *, pack_size_max: int) -> Self:
        """Reads all headers and changes nothing. UpstreamError."""
        with _as_upstream("make a table of blocks on the temporary disk"):
            opened = cls(folder, pack_size_max=pack_size_max, places=Places())
        with opened._closed_on_error():
            opened.refresh()
        return opened

    def size_of(self, cid: str) -> int | None:
        """Octets of a block that this process has seen. UpstreamError."""
        place = self.place_of(cid)
        return None if place is None else place.size

    def place_of(self, cid: str) -> Place | None:
        """Where a block lies that this process has seen. UpstreamError."""
        with _as_upstream("look for a block"):
            place = self._places.get(cid)
        return None if place is None else Place(place >> 72, place >> 32 & 0xFFFFFFFFFF, place & 0xFFFFFFFF)

    def read_at(self, pack: int, offset: int, size: int) -> bytes:
        """Octets of a pack as they lie there now, at most QUICK_SIZE_MAX; fewer than asked for where it ends.
        UpstreamError."""
        try:
            return self._quick_read(self._packs[pack].fd, size, offset)
        except IndexError:
            return b""  # the packs are just being read anew
        except OSError as error:
            raise UpstreamError("cannot read a pack of blocks") from error

    def read(self, cid: str, *, most: int) -> bytes | None:
        """The bytes stored for a CID, unverified; None if it is not here, has more than `most` octets, or was removed
        by another process. UpstreamError.
        """
        try:
            place = self._places.get(cid)
            if place is None or (size := place & 0xFFFFFFFF) > most:
                return None
            read = self._quick_read if size <= QUICK_SIZE_MAX else read_large
            data = read(self._packs[place >> 72].fd, size, place >> 32 & 0xFFFFFFFFFF)
        except IndexError:
            return None  # the packs are just being read anew
        except OSError as error:
            raise UpstreamError(f"cannot read the pack that holds {cid}") from error
        # Removed bytes read as zeros; the caller refreshes and then finds the order to remove them.
        if data[:16] == _ZEROS and not any(data) and not Cid.parse(cid).names(data):
            return None
        return data

    def cids(self) -> list[str]:
        """Every block that this process has seen."""
        with self._mutex, _as_upstream("list the blocks"):
            return list(self._places)

    def refresh(self) -> None:
        """Reads what other processes appended, without the lock: an incomplete end is left for the next time."""
        with self._mutex, _as_upstream("read the block store"):
            self._read_on(repairing=False)

    def append(self, blocks: Sequence[tuple[str, bytes]]) -> None:
        """Durable on return. UpstreamError: nothing was promised, and nothing of it hinders another try."""
        with self._mutex, _as_upstream("write to the block store"), locked(self._folder):
            self._repair()
            fresh = {cid: data for cid, data in blocks if not self._holds(cid)}
            if fresh:
                self._write([(Kind.BLOCK, cid, data) for cid, data in fresh.items()])
            elif self._unsynced:
                # Their writer may have died between write and sync: what is found is made durable before it counts.
                self._sync()

    def remove(self, cids: Sequence[str]) -> None:
        """On return no pack holds the bytes of these blocks; absent ones are success."""
        with self._mutex, _as_upstream("remove from the block store"), locked(self._folder):
            self._repair()
            present = [cid for cid in dict.fromkeys(cids) if self._places.get(cid) is not None]
            if present:
                # Commit point of the removal. A crash before: the blocks are whole and the caller was told nothing.
                # A crash after: opening the folder, or the next writer, finds the order and completes it.
                self._write([(Kind.REMOVED, cid, b"") for cid in present])
                self._erase()

    def check(self) -> None:
        """UpstreamError if blocks cannot be stored here; IntegrityError naming the damaged places."""
        with _as_upstream("reach the block store"):
            space = os.statvfs(self._folder)
            if space.f_bavail * space.f_frsize < FREE_SPACE_MIN:
                raise UpstreamError("the disk of the block store is nearly full")
            if self._unsure is not None:
                with self._mutex, locked(self._folder):
                    self._repair()
        if self._damage:
            raise IntegrityError("damaged block store: " + ", ".join(self._damage[:8]))

    def close(self) -> None:
        with self._mutex:
            self._forget()
            self._places.close()
            for fd in self._retired:
                os.close(fd)
            self._retired.clear()

    @contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close()
            raise

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08d}.pack"

    def _repair(self) -> None:
        """Under the lock nobody is writing: what is incomplete now stays so, and is completed or cut off."""
        self._make_sure()
        self._read_on(repairing=True)
        if self._doomed:
            self._erase()

    def _read_on(self, *, repairing: bool) -> None:
        if self._packs and os.fstat(self._packs[-1].fd).st_size < self._packs[-1].end:
            self._forget()  # another process cut off a write that failed
        while True:
            # Asked before the last pack is read: if there is a next one, this one no longer grows.
            following = self._path(len(self._packs)).exists()
            if self._packs:
                self._read_pack(len(self._packs) - 1, last=not following, repairing=repairing)
            if not following or not self._open_pack(len(self._packs), repairing=repairing):
                return

    def _forget(self) -> None:
        # Kept open until `close`: another thread may be reading from them at this instant.
        self._retired += [pack.fd for pack in self._packs]
        self._places.clear()
        for known in (self._packs, self._older, self._doomed, self._damage):
            known.clear()

    def _open_pack(self, number: int, *, repairing: bool) -> bool:
        """Whether the pack is there whole; under the lock, a head that a crash cut short is written again."""
        with _closed_on_error(os.open(self._path(number), _APPENDING)) as fd:
            head = os.pread(fd, PACK_HEAD_SIZE, 0)
            if len(head) < PACK_HEAD_SIZE or not any(head):
                if not repairing:
                    os.close(fd)
                    return False
                head = write_pack_head(fd)
            mark = decode_pack_head(head)
            if mark is None:
                raise IntegrityError(f"{self._path(number).name} is not a pack file")
        if head != encode_pack_head(mark):
            self._damage.append(f"{self._path(number).name} at 0, {PACK_HEAD_SIZE} octets")
        self._packs.append(_Pack(fd, mark))
        self._name_unsynced = True
        return True

    def _read_pack(self, number: int, *, last: bool, repairing: bool) -> None:
        pack = self._packs[number]
        size = os.fstat(pack.fd).st_size
        if size > pack.end:
            self._unsynced = True
        for found in scan(pack.fd, pack.mark, start=pack.end, stop=size):
            if isinstance(found, Record):
                self._note(number, found)
                pack.end = found.offset + found.size
            elif last and not repairing:
                return
            elif last and isinstance(found, Torn):
                # Nobody was told that this record was stored. A crash before or after the cut: cut (again) at open.
                os.ftruncate(pack.fd, found.offset)
                os.fdatasync(pack.fd)
            else:
                length = found.size if isinstance(found, Damage) else size - found.offset
                self._damage.append(f"{self._path(number).name} at {found.offset}, {length} octets")
                pack.end = found.offset + length

    def _note(self, number: int, record: Record) -> None:
        """Takes one record into the index, in the order of writing."""
        known = self._places.get(record.cid)
        if record.kind is Kind.BLOCK:
            if known is not None:
                self._older.setdefault(record.cid, []).append(known)
            self._places.put(record.cid, number << 72 | record.offset << 32 | record.size)
        elif record.kind is Kind.REMOVED:
            self._places.drop(record.cid)
            places = self._older.pop(record.cid, []) + ([] if known is None else [known])
            self._doomed.setdefault(record.cid, []).extend(places)
        else:
            self._doomed.pop(record.cid, None)

    def _read_place(self, place: int) -> bytes:
        return os.pread(self._packs[place >> 72].fd, place & 0xFFFFFFFF, place >> 32 & 0xFFFFFFFFFF)

    def _holds(self, cid: str) -> bool:
        """Whether the block is here and whole: a damaged one is stored again, which heals it."""
        place = self._places.get(cid)
        return place is not None and hashlib.sha256(self._read_place(place)).digest() == Cid.parse(cid).digest

    def _write(self, records: Sequence[tuple[Kind, str, bytes]]) -> None:
        """Appends records and makes them durable, or leaves the pack as it was (OSError)."""
        if not self._packs or self._packs[-1].end >= self._pack_size_max:
            self._start_pack()
        number, pack = len(self._packs) - 1, self._packs[-1]
        pieces = [
            piece for kind, cid, data in records for piece in (encode_head(pack.mark, kind, cid, len(data)), data)
        ]
        start = pack.end
        stop = start + sum(map(len, pieces))
        try:
            write_all(pack.fd, pieces, start)
            # Commit point. A crash before: the records may be there in part; the end is cut off at open, and whole
            # ones are blocks that nobody asks for. A crash after: they are on disk, and the caller puts again or not.
            self._sync()
        except OSError:
            self._undo(number, start)
            raise
        for found in scan(pack.fd, pack.mark, start=start, stop=stop):
            if isinstance(found, Record):
                self._note(number, found)
        pack.end = stop
        if max(len(data) for _, _, data in records) >= LARGE_MIN:
            pass_by(pack.fd, start, stop - start)

    def _sync(self) -> None:
        """Makes the last pack durable, its name in the folder first where that is not known to be so."""
        if self._name_unsynced:
            sync_folder(self._folder)
            self._name_unsynced = False
        os.fdatasync(self._packs[-1].fd)
        self._unsynced = False

    def _undo(self, number: int, start: int) -> None:
        """After a failed sync the kernel may call lost pages clean, so the written octets must not stay as they are."""
        try:
            os.ftruncate(self._packs[number].fd, start)
        except OSError:
            self._unsure = (number, start)

    def _make_sure(self) -> None:
        """What a failed write left is written again as it lies there, and synced; cut off it must not be any more, for
        another process may have written behind it since. Whole records are then blocks that nobody asks for."""
        if self._unsure is not None:
            number, start = self._unsure
            with _closing(os.open(self._path(number), _APPENDING)) as fd:
                write_all(fd, [os.pread(fd, os.fstat(fd).st_size - start, start)], start)
                os.fdatasync(fd)
            self._unsure = None

    def _start_pack(self) -> None:
        if self._packs:
            os.fdatasync(self._packs[-1].fd)
        with _closed_on_error(os.open(self._path(len(self._packs)), _APPENDING | os.O_CREAT, 0o600)) as fd:
            # A crash from here on: no file, or one with a short head, which the next opening writes again, or an empty
            # pack. Its name becomes durable with its first record, in `_sync`.
            self._packs.append(_Pack(fd, write_pack_head(fd)[-MARK_SIZE:]))
        self._name_unsynced = True

    def _erase(self) -> None:
        """Zeroes the bytes of every block that is ordered to be removed, then notes that they are gone."""
        doomed = dict(self._doomed)
        touched = set()
        for place in (place for places in doomed.values() for place in places):
            pack = self._packs[place >> 72]
            write_zeros(pack.fd, place >> 32 & 0xFFFFFFFFFF, place & 0xFFFFFFFF)
            touched.add(pack.fd)
        for fd in touched:
            # Commit point of the erasure: before, a crash leaves the order, which is carried out again; after, zeros.
            os.fdatasync(fd)
        self._write([(Kind.ERASED, cid, b"") for cid in doomed])


@contextmanager
def _closing(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _closed_on_error(fd: int) -> Iterator[int]:
    """A descriptor that is kept, unless what is done first with it fails: a bad disk must not use all of them up."""
    try:
        yield fd
    except BaseException:
        os.close(fd)
        raise


@contextmanager
def _as_upstream(task: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UpstreamError(f"cannot {task}: {errno.errorcode.get(error.errno or 0, 'I/O error')}") from error
