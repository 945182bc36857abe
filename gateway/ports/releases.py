"""Rows of releases: how far each has come, its papers in order, and the rows that were gathered for it. They tell a
thief of the index that a release was made, for nobody who is named, of nobody."""

from dataclasses import dataclass
from enum import IntEnum


class ReleaseStage(IntEnum):
    """How far a release has come. BUILDING: approved, and made by whoever holds it; the stages after RELEASED are
    ends."""

    REQUESTED = 0
    BUILDING = 1
    RELEASED = 2
    CHANGES_WANTED = 3
    REFUSED = 4
    CANCELLED = 5
    FAILED = 6
    EXPIRED = 7


class ReleasePaper(IntEnum):
    """What a paper of a release is."""

    REQUEST = 0
    DECISION = 1
    MANIFEST = 2
    DELIVERY = 3
    WITHDRAWAL = 4
    END = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRow:
    """A release. `requester`: a keyed token of who asks. `edition`: counts what was built, or is being built, anew.
    `cursor`: the patient up to whom all were looked at, 32 bytes, empty before the first; `looked_at` and `kept`: how
    many were, and are in. `builder` holds it until `held_until`, seconds since 1970. `expires_at`: 0 before it is
    released. `seq`: the ledger assigns it (0: not yet stored)."""

    release: bytes
    requester: bytes
    stage: ReleaseStage = ReleaseStage.REQUESTED
    edition: int = 0
    cursor: bytes = b""
    looked_at: int = 0
    kept: int = 0
    builder: bytes = b""
    held_until: int = 0
    expires_at: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseMoved:
    """Moves a release on from `before` to `row`; a conflict where it is another by now."""

    before: ReleaseRow
    row: ReleaseRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePaperRow:
    """A paper of a release, in a sealed block. `number`: from 0, without a gap, once each; `digest`: the SHA-256 in the
    block's CID."""

    release: bytes
    number: int
    kind: ReleasePaper
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSegmentRow:
    """Rows of some patients, sealed under the release's key. `root`: binary CID; `number`: from 0, in each edition's
    order of making."""

    release: bytes
    number: int
    root: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSegmentsGone:
    """All of a release."""

    release: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePeopleRow:
    """Whose rows left with an edition: keyed tokens, sealed. It outlives the release: what left is not called back."""

    release: bytes
    edition: int
    sealed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRow:
    """A privacy budget: a population's, a group's or a data set's, by its name on chain (32 bytes). In millionths of
    epsilon. One that is there already stays as it is."""

    account: bytes
    limit: int
    spent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRaised:
    """What is spent is `spent` at least: the chain says so."""

    account: bytes
    spent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSpent:
    """Takes so much of a budget; a conflict where less is left."""

    account: bytes
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """An answer that was paid for, sealed under the gateway's log key. `key`: a keyed name of the question and of the
    consents that it stood on, 32 bytes; a conflict where it was answered already."""

    key: bytes
    call: bytes
    sealed: bytes
