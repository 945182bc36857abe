"""Journals of studies from their blocks and their batches' manifests. A block is there only if it was acknowledged, for
it goes to IPFS once its row is durable.

An entry whose key is gone comes back, too: number, kind, whose token and hashes stand in the line behind its locator
in the anchored manifest, and the leaf proves them. Its text does not: that is what an erasure is for, and a note says
how many there are. Not there again: an erased entry that no anchored or cut batch names. Its number is then a gap, and
the report says which.
"""

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Final

from gateway.crypto import envelope
from gateway.crypto.keys import KeyRing
from gateway.errors import IntegrityError
from gateway.ports.clock import Entropy
from gateway.storage.lines import StudyLine, extended, line_behind, plain
from gateway.storage.model import Cid
from gateway.storage.segments import cid_of
from gateway.storage.service import Blocks
from gateway.trials.links import ABOUT, FIRST, leaf_values
from gateway.upkeep.report import RebuildReport
from gateway.upkeep.scratch import FoundStudyEntry, Scratch
from gateway.upkeep.walk import is_whole
from gateway.wiring.anchors import AnchorsPort
from gateway.wiring.looking import join_values
from gateway.wiring.upkeep import Manifest

Rows = list[dict[str, object]]
_BATCHED: Final = "BATCHED"
_EACH: Final = 500
"""Entries in memory at a time."""


class Studies:
    """Every entry that a walk found or a manifest tells of. Memory is flat: they lie in the scratch file."""

    def __init__(
        self, scratch: Scratch, report: RebuildReport, anchors: AnchorsPort, *, keys: KeyRing, entropy: Entropy
    ) -> None:
        self._scratch = scratch
        self._report = report
        self._anchors = anchors
        self._keys = keys
        self._entropy = entropy
        self._erased = 0

    # ---- batches

    async def values_of(self, manifest: Manifest) -> dict[bytes, tuple[bytes, ...]]:
        """Of each leaf of a batch: from its block, else from its line."""
        values: dict[bytes, tuple[bytes, ...]] = {}
        for leaf, digest, locator in manifest.entries:
            found = self._found(leaf, digest) or await self._told(leaf, digest, locator)
            if found is None:
                self._report.lost.append(f"block {cid_of(digest)} is no entry of a study, or not what its leaf says")
                continue
            values[leaf] = _values(found)
            self._scratch.mark_study_entry(found.digest, _BATCHED)
        return values

    def is_ours(self, manifest: Manifest) -> bool:
        """Whether every leaf is of an entry of ours that no batch has yet: nobody else can make such a manifest."""
        for leaf, digest, locator in manifest.entries:
            if len(digest) != len(FIRST):
                return False
            known = self._scratch.study_entry(digest)
            if known is not None and known.state == _BATCHED:
                return False
            if self._found(leaf, digest) is None and self._line(leaf, digest, locator) is None:
                return False
        return True

    def _found(self, leaf: bytes, digest: bytes) -> FoundStudyEntry | None:
        """As a walk found it, where it is what the leaf says."""
        found = self._scratch.study_entry(digest)
        return found if found is not None and self._leaf(found) == leaf else None

    async def _told(self, leaf: bytes, digest: bytes, locator: bytes) -> FoundStudyEntry | None:
        """As the manifest's line tells of a block that is not there or does not open."""
        found = self._line(leaf, digest, locator)
        if found is None:
            return None
        self._scratch.add_study_entry(found)
        if await self._keys.is_gone(envelope.key_named_by(found.locator, self._keys.log)):
            self._erased += 1
        else:
            what = f"entry {found.number} of study {found.study.hex()}"
            self._report.lost.append(f"block {cid_of(digest)} of {what} is not there or does not open, and its key is")
        return found

    def _line(self, leaf: bytes, digest: bytes, locator: bytes) -> FoundStudyEntry | None:
        try:
            line = line_behind(locator, digest=digest, log=self._keys.log)
        except IntegrityError:
            return None
        found = FoundStudyEntry(
            digest=digest,
            study=line.study,
            number=line.number,
            kind=line.kind,
            subject=b"",
            entry=line.entry,
            previous=line.previous,
            locator=plain(locator),
            about=line.about,
        )
        return found if self._leaf(found) == leaf else None

    # ---- rows

    async def drop_forged(self, blocks: Blocks) -> None:
        """Blocks that no batch vouches for and that are not just what was sealed."""
        for one in self._scratch.unbatched_study_entries():
            if not await is_whole(Cid.from_digest(one.digest), blocks=blocks, keys=self._keys):
                self._scratch.mark_study_entry(one.digest, "DROPPED")
                self._report.dropped["forged"] += 1

    def rows(self, token: Callable[[bytes, bytes, bytes], bytes]) -> Iterator[tuple[str, Rows]]:
        """Of each table, some at a time; entries that no batch has wait for one again. `token`: the keyed token of a
        subject in a study, for a use."""
        entries: Rows = []
        tickets: Rows = []
        for one in self._standing():
            about = token(ABOUT, one.study, one.subject) if one.subject else one.about
            entries.append(_row(one, about))
            if one.state != _BATCHED:
                tickets.append(self._ticket(one, about))
            if len(entries) == _EACH:
                yield from (("study_entries", entries), ("tickets", tickets))
                entries, tickets = [], []
        yield from (("study_entries", entries), ("tickets", tickets))
        if self._erased:
            self._report.erased += self._erased
            self._report.notes.append(
                f"{self._erased} entries of studies are of a key that is gone: their numbers, kinds and hashes are"
                " back, their texts are not."
            )

    def _standing(self) -> Iterator[FoundStudyEntry]:
        """One entry for each place, study after study. What does not follow the one before it is told."""
        for study, found in groupby(self._scratch.study_entries(), key=lambda one: one.study):
            self._report.restored["studies"] += 1
            number, previous = -1, FIRST
            for one in found:
                if one.number == number:
                    self._report.dropped["second entries of one place in a study"] += 1
                    continue
                if one.number > number + 1:
                    self._report.lost.append(f"entries {number + 1} to {one.number - 1} of study {study.hex()}")
                elif one.previous != previous:
                    self._report.lost.append(f"what entry {one.number} of study {study.hex()} follows")
                number, previous = one.number, one.entry
                self._report.restored["entries of studies"] += 1
                yield one

    def _leaf(self, one: FoundStudyEntry) -> bytes:
        return self._anchors.leaf(_values(one), kind="studies")

    def _ticket(self, one: FoundStudyEntry, about: bytes) -> dict[str, object]:
        line = StudyLine(
            study=one.study,
            number=one.number,
            kind=one.kind,
            about=about,
            entry=one.entry,
            previous=one.previous,
        )
        return {
            "log": self._anchors.studies_log,
            "leaf": self._leaf(one),
            "values_": join_values(_values(one)),
            "cid_digest": one.digest,
            "locator": extended(one.locator, line, digest=one.digest, log=self._keys.log, entropy=self._entropy),
            "batch": None,
        }


def _values(one: FoundStudyEntry) -> tuple[bytes, ...]:
    return leaf_values(one.study, one.number, one.entry, one.previous)


def _row(one: FoundStudyEntry, about: bytes) -> dict[str, object]:
    return {
        "study": one.study,
        "number": one.number,
        "kind": one.kind,
        "about": about,
        "entry": one.entry,
        "digest": one.digest,
    }
