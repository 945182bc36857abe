"""Rows of studies' journals: what was entered, in order, by hashes. They tell a thief of the index that a study goes on
and how much, for nobody who is named, of nobody."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final


class StudyEntryKind(IntEnum):
    """What an entry of a study's journal is. The value is stored."""

    REGISTRATION = 0
    DELEGATION = 1
    SITE = 2
    ENROLMENT = 3
    CAPTURE = 4
    QUERY = 5
    SIGNATURE = 6
    STATE = 7
    ALLOCATION = 8
    ASSIGNMENT = 9
    UNBLINDING = 10
    RESULTS = 11
    RECRUITMENT = 12


STANDING: Final = (
    StudyEntryKind.REGISTRATION,
    StudyEntryKind.DELEGATION,
    StudyEntryKind.SITE,
    StudyEntryKind.ENROLMENT,
    StudyEntryKind.STATE,
    StudyEntryKind.ALLOCATION,
    StudyEntryKind.ASSIGNMENT,
    StudyEntryKind.UNBLINDING,
    StudyEntryKind.RESULTS,
    StudyEntryKind.RECRUITMENT,
)
"""Kinds of entries that change how a study stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyEntryRow:
    """An entry of a study's journal, in a sealed block. `study` 32 bytes; `number`: from 0, without a gap, once each;
    `about`: 16-byte keyed token of the subject in this study, empty: nobody; `entry`: SHA-256 of its octets, which
    outlives the subject's key; `digest`: the SHA-256 in the block's CID. `previous`, where it was asked for: `entry` of
    the row before, zeros before the first, empty where that row is missing."""

    study: bytes
    number: int
    kind: StudyEntryKind
    about: bytes
    entry: bytes
    digest: bytes
    previous: bytes = field(default=b"", compare=False)
