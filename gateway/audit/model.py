"""What the audit says of a decision, and the receipt that proves an answer."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.ids import ActorId, DecisionId, RecordId
from gateway.ports.anchors import AnchorState
from gateway.ports.rows import StoredEntry

NO_RECEIPT = hashlib.sha256(b"").digest()


class Outcome(StrEnum):
    PERMITTED = "PERMITTED"
    DENIED = "DENIED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """`payload`: the exact RFC 8785 text that the notary signed (Ed25519, `signature` 64 bytes) with `signer`, the
    gateway's receipt key as registered on chain. `consent` None: access without one, on another `basis`. `emergency`:
    what it stands on where that is the basis. `stale`: decided on what was known here, past the bound behind the chain.
    """

    decision: DecisionId
    consent: bytes | None
    purpose: str
    as_of_block: int
    decided_at: datetime
    obligations: tuple[str, ...]
    payload: str
    signer: bytes
    signature: bytes
    anchor: AnchorState
    basis: str
    emergency: bytes | None
    stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessEvent:
    """One line of a patient's access log."""

    decision: DecisionId
    at: datetime
    actor: ActorId | None
    action: str
    purpose: str | None
    outcome: Outcome
    record: RecordId | None
    anchor: AnchorState
    cursor: str
    basis: str | None = None
    emergency: bytes | None = None
    subject: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessFilter:
    """Which entries of an access log are wanted; None and empty: all. `start` and `end` bound the time, both included;
    `purpose` is a code of HL7 PurposeOfUse."""

    outcome: Outcome | None = None
    actor: ActorId | None = None
    record: RecordId | None = None
    actions: frozenset[str] = frozenset()
    purpose: str | None = None
    start: datetime | None = None
    end: datetime | None = None


EVERYTHING = AccessFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessLogPage:
    """`end`: where to go on, behind the last entry that was looked at, and `start` the same backwards; a filtered page
    may have another one and no event."""

    events: tuple[AccessEvent, ...] = ()
    has_next: bool = False
    has_previous: bool = False
    start: str | None = None
    end: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedEntry:
    """An audit entry as it was hashed, for whoever checks a receipt. Its parts stay sealed; `actor` decided it."""

    entry: StoredEntry
    actor: ActorId
    anchor: AnchorState

    @property
    def receipted(self) -> bool:
        """Whether the decision was answered with a receipt; a refusal has none."""
        return self.entry.receipt_digest != NO_RECEIPT
