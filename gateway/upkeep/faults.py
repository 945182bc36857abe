"""What a walk may find wrong, each by its own name, and what it only notes."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from gateway import jsontext

MOST = 1000
"""Faults told by name; all are counted."""


class Fault(StrEnum):
    """A fault's name; the words say what is wrong with what is named beside it."""

    BLOCK_MISSING = "a version's block is not in the store"
    BLOCK_DAMAGED = "a version's block is not its CID, or does not open"
    BLOCK_FOREIGN = "a version's block is not sealed by this gateway"
    BLOCK_OTHER = "a version's row names the block of another record, version or kind"
    SUBJECT_OTHER = "a record's row names another patient than its block"
    KEY_MISSING = "the key of a version's block is gone, and nobody erased it"
    PREVIOUS_OTHER = "a version's block does not follow the version before"
    VERSION_GAP = "a record's versions do not count up from 1"
    HEAD_OTHER = "a record's row is not its latest version"
    HEAD_MISSING = "a version has no record"
    TOKENS_OTHER = "a record's search tokens are not those of its facts"
    REQUEST_OTHER = "an idempotency key does not stand for the write that its records name"
    CONTENT_MISSING = "a part of a record's large content is not in the store"
    CONTENT_DAMAGED = "a part of a record's large content is not its CID"
    CONTENT_OTHER = "a record's large content is in no row, or in another's"
    CONTENT_STRAY = "large content is in a row that no record names"
    TICKET_MISSING = "a version has no leaf"
    TICKET_OTHER = "a leaf names another block or locator than its version"
    TICKET_STRAY = "a leaf is of a version that is not there"
    LEAF_OTHER = "a leaf is not the hash of its values"
    BATCH_ROOT = "a batch's leaves do not make its root"
    BATCH_COUNT = "a batch has not as many leaves as it says"
    BATCH_CALL = "a batch's call would not anchor it"
    BATCH_PLACE = "a batch is not anchored where its row says"
    BATCH_UNKNOWN = "the chain has a batch of ours that the index has not"
    HEAD_BROKEN = "a log's batches do not fold to its head on chain"
    MANIFEST_MISSING = "a batch's manifest is not in the store"
    MANIFEST_OTHER = "a batch's manifest lists other leaves"
    SEGMENT_MISSING = "an audit batch's segment is not in the store, or does not open"
    SEGMENT_OTHER = "an audit batch's segment has other entries than the index"
    ENTRY_EDITED = "an audit entry's hash is not that of its columns"
    ENTRY_BROKEN = "an audit entry does not name the one before it"
    ENTRY_GAP = "an audit writer's numbers do not go up by one"
    ENTRY_MISSING = "an audit leaf has no entry, or another"
    ENTRY_UNTICKETED = "an audit entry has no leaf"
    LIFE_MISSING = "audit entries are of a writer that is not listed"
    CONSENT_BLOCK = "a consent's block is missing, damaged or another's"
    CONSENT_OTHER = "a consent's row is not what its signed text says"
    CONSENT_SIGNATURE = "a signed text is signed by neither the patient's controller nor a delegate"
    CONSENT_MISSING = "a signed consent that the chain has is in no row"
    NARROWING_OTHER = "a revocation's row is not what its signed text says"
    NARROWING_MISSING = "a signed revocation is in no row"
    PAPER_BLOCK = "what a patient's hash stands for is missing, damaged or another's"
    PAPER_OTHER = "what a patient's hash stands for does not have that hash"
    PAPER_MISSING = "what a patient's hash on chain stands for is in no row"
    EMERGENCY_BLOCK = "a statement about an emergency is missing, damaged or of another kind"
    EMERGENCY_OTHER = "an emergency's row is not what was stated"
    EMERGENCY_UNTOLD = "an emergency of which its patient's log does not tell"
    EMERGENCY_CHAIN = "the chain has another end or review of an emergency"
    EMERGENCY_MISSING = "a statement that its patient was told of is in no row"
    ERASURE_UNDONE = "an erased patient has a key"
    ERASURE_UNCERTIFIED = "an erasure's certificate is not the one on chain, or not in the store"
    PROFILE_MISSING = "an actor's profile is missing, or does not open"
    RELEASE_PAPER = "a paper of a release is missing, damaged or another's"
    RELEASE_GAP = "papers of a release are not one chain"
    RELEASE_TICKET = "a paper of a release has no leaf, or another"
    RELEASE_PEOPLE = "whose rows left with a release is missing, or not as its delivery has it"
    RELEASE_FILE = "a file of a release is missing, or is not what its manifest says"
    STUDY_ENTRY = "an entry of a study is missing, damaged or another's"
    STUDY_KEY = "the key of an entry of a study is gone, and nobody erased whom it is about"
    STUDY_CHAIN = "entries of a study are not one chain"
    STUDY_TICKET = "an entry of a study has no leaf, or another"
    STUDY_MISSING = "a sealed entry of a study is in no row"
    EVENT_MISSING = "the chain has an event that the index has not"
    EVENT_FORGED = "the index has an event that the chain has not"
    UNFINISHED = "a rebuild was begun and not finished"


@dataclass(slots=True, kw_only=True)
class Verdict:
    """`found`: (fault, what it is of), at most `MOST`; `counts` of all; `checked` what was looked at; `notes` what is
    lawful and still worth knowing."""

    found: list[tuple[Fault, str]] = field(default_factory=list)
    counts: Counter[Fault] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def sound(self) -> bool:
        return not self.counts

    def add(self, fault: Fault, what: str) -> None:
        self.counts[fault] += 1
        if len(self.found) < MOST:
            self.found.append((fault, what))

    def as_json(self) -> dict[str, jsontext.JsonValue]:
        return {
            "sound": self.sound,
            "faults": [{"fault": fault.name, "of": what} for fault, what in self.found],
            "counts": {fault.name: count for fault, count in sorted(self.counts.items())},
            "checked": dict(sorted(self.checked.items())),
            "notes": dict(sorted(self.notes.items())),
        }

    def lines(self) -> list[str]:
        """For an operator's eyes."""
        said = ["Checked: " + ", ".join(f"{count} {name}" for name, count in sorted(self.checked.items()))]
        said += [f"Note: {count} {what}" for what, count in sorted(self.notes.items())]
        said += [f"{fault.name}: {fault.value}: {what}" for fault, what in self.found]
        return [*said, "SOUND" if self.sound else f"{sum(self.counts.values())} FAULTS"]
