"""Rows of the index: ciphertext, random names, digests and keyed tokens. Nothing here tells a thief of the database
whose record it is or what it says; all of it can be rebuilt from chain, IPFS and keys, but sessions and challenges.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from gateway.ports.listings import ConsentListed, ListingRow, PaperListed
from gateway.ports.releases import (
    AnswerRow,
    BudgetRaised,
    BudgetRow,
    BudgetSpent,
    ReleaseMoved,
    ReleasePaperRow,
    ReleasePeopleRow,
    ReleaseRow,
    ReleaseSegmentRow,
    ReleaseSegmentsGone,
)
from gateway.ports.requests import FormRow, RequestDeclined, RequestRow, RequestsOver, RequestWithdrawn
from gateway.ports.sign_ins import (
    IdentitiesForgotten,
    IdentityRow,
    IdentityUnlinked,
    OtherSessionsEnded,
    SessionEnded,
    SessionRotated,
    SessionRow,
    SessionsEnded,
)
from gateway.ports.trials import StudyEntryRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A name (subject, actor or organization; 32 bytes) and the version of its state that a decision stood on."""

    name: bytes
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bump:
    """Moves a name's version on by one: what was decided on the old state can no longer be acknowledged."""

    name: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """One version of a record. `seq` orders a patient's records; the ledger assigns it (0 when not yet stored).
    `tree`: the digest is of a dag-pb root, not of a raw block. `newest`: the highest version that the index has of the
    record, where the row was asked for as its present one (0: it was not)."""

    record: bytes
    version: int
    subject: bytes
    digest: bytes
    tokens: tuple[bytes, ...] = ()
    seq: int = 0
    tree: bool = False
    newest: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyRow:
    """`key` is a token scoped to the actor; `request` a keyed digest of what was asked; `result` record ids, joined."""

    key: bytes
    request: bytes
    result: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRow:
    """A consent whose signature this gateway verified. `digest`: the sealed block with typed data and signature."""

    consent: bytes
    subject: bytes
    digest: bytes
    call: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentTakenOver:
    """The patient's own word in place of a delegate's on the same terms: another sealed block, another call. A conflict
    where there is no such consent of the subject."""

    consent: bytes
    subject: bytes
    digest: bytes
    call: bytes


class NarrowingKind(IntEnum):
    """What a patient ended here, before the chain has it."""

    REVOKE = 1
    REVOKE_ALL = 2
    DELEGATE = 3
    ERASE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class NarrowingRow:
    """In force from the moment that it is durable. `target`: the consent id, or the ended epoch or the delegate's
    number as 32 bytes, or 32 zero bytes of an erasure."""

    kind: NarrowingKind
    subject: bytes
    target: bytes
    digest: bytes
    call: bytes


class ErasureState(IntEnum):
    """How far the erasure of a subject has come; each step is durable before the next begins. `REFUSED`: the registry
    did not take it, and nothing was destroyed."""

    REFUSED = 0
    BEGUN = 1
    SHREDDED = 2
    EMPTIED = 3
    CERTIFYING = 4
    CERTIFIED = 5
    FINALIZING = 6
    FINAL = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureRow:
    """The erasure of a subject. Times are seconds since 1970, 0 where it has not come so far.

    `request` RFC 8785 text of the signed typed data and `signature`, both empty where the patient went straight to the
    chain; `call` relays it. `key_epoch` the id of the epoch key that was destroyed; `domains` and `blocks` how many
    were. `final_at`: when the last backup of that key is past. `certificate`: SHA-256 of the newest one, `certify_call`
    anchors it.
    """

    subject: bytes
    state: ErasureState = ErasureState.BEGUN
    begun_at: int
    request: bytes = b""
    signature: bytes = b""
    call: bytes = b""
    shredded_at: int = 0
    key_epoch: bytes = b""
    domains: int = 0
    blocks: int = 0
    final_at: int = 0
    certificate: bytes = b""
    certify_call: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureStep:
    """Moves an erasure from a state to `row`; a conflict where it is no longer in that state."""

    before: ErasureState
    row: ErasureRow


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectForgotten:
    """Takes a subject's records, versions, search tokens, contents, uploads, consents, papers and narrowings (but the
    erasure) out of the index, out of everybody's lists, and, by their keyed token `asked`, requests for consent. What
    is anchored stays."""

    subject: bytes
    asked: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class NarrowingLifted:
    """An erasure that the registry refused is in force no longer."""

    subject: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyRow:
    """An emergency access by its name on chain. `digest`: its sealed statement; `decision`: the entry that told the
    patient, written with it; `tokens`: keyed, by which its subject, clinician, both together and reviewers find it.
    Times are seconds since 1970, and hints: what counts is sealed. `seq`: the ledger assigns it (0: not yet stored).
    """

    emergency: bytes
    digest: bytes
    decision: bytes
    call: bytes
    opened_at: int
    expires_at: int
    tokens: tuple[bytes, ...] = ()
    seq: int = 0


class EmergencyStep(IntEnum):
    """What comes after an opening, once each."""

    END = 1
    REVIEW = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyStepRow:
    """`digest`: the sealed statement; `call`: empty where nothing goes to the chain."""

    emergency: bytes
    step: EmergencyStep
    digest: bytes
    call: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRow:
    """What a hash on chain stands for (a delegate's limits, the guardians): `name` is that hash, `digest` the sealed
    block that holds it."""

    name: bytes
    subject: bytes
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpinnedRow:
    """A sealed block that IPFS does not have for certain yet, in the same transaction as what it is of. `digest`: its
    SHA-256. It is deleted once the block is pinned."""

    digest: bytes
    block: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentRow:
    """The tree of a record's large content, by its root's digest (a dag-pb node)."""

    digest: bytes
    record: bytes
    subject: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRow:
    """Large content on its way in. `owner`: a keyed token of the actor; `slot`: one of those that the actor may hold,
    None once it is finished; `size`: octets as declared; `record`: 20 octets, its id and version, once it is finished;
    `sealed`: the key's id, then what is told to nobody. `expires_at`: seconds since 1970."""

    upload: bytes
    subject: bytes
    owner: bytes
    slot: int | None
    size: int
    sealed: bytes = field(repr=False)
    expires_at: int
    record: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPart:
    """The next part of an upload that goes on: its key is taken where another connection was quicker. `digests`: of
    sealed chunks, joined."""

    upload: bytes
    number: int
    digests: bytes
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPartDropped:
    """A part that the next one takes the place of, in the same transaction."""

    upload: bytes
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadGoesOn:
    """A conflict where the upload is finished, gone or past its time at `now`."""

    upload: bytes
    now: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadOver:
    """Nothing is added to an unfinished upload that rested until `now`, and nobody finishes it."""

    upload: bytes
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadFinished:
    """Its record is in the same transaction. A conflict as of `UploadGoesOn`."""

    upload: bytes
    now: int
    expires_at: int
    record: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadGone:
    """Whatever is left of an upload that nothing can be added to any more."""

    upload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRow:
    """A leaf on its way to the chain, in the same transaction as what it stands for.

    `values`: the ABI values of the leaf, in the log's fixed order, each as bytes; `cid_digest`: the block it anchors
    (32 bytes of a raw block, or 36 of a binary CID).
    """

    log: bytes
    leaf: bytes
    values: tuple[bytes, ...]
    cid_digest: bytes
    locator: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """An intended transaction, durable before it is sent. Lower `priority` goes first (revocations: 0)."""

    call: bytes
    lane: str
    priority: int
    contract: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeRow:
    """A sign-in challenge (EIP-4361), good once."""

    nonce: str
    message_digest: bytes
    expires_at: int


Row = (
    Bump
    | RecordRow
    | IdempotencyRow
    | ConsentRow
    | ConsentTakenOver
    | NarrowingRow
    | EmergencyRow
    | EmergencyStepRow
    | PaperRow
    | FormRow
    | RequestRow
    | RequestWithdrawn
    | RequestDeclined
    | RequestsOver
    | UnpinnedRow
    | ContentRow
    | UploadRow
    | UploadPart
    | UploadPartDropped
    | UploadGoesOn
    | UploadOver
    | UploadFinished
    | UploadGone
    | TicketRow
    | CallRow
    | ChallengeRow
    | SessionRow
    | SessionRotated
    | SessionEnded
    | OtherSessionsEnded
    | IdentityRow
    | IdentityUnlinked
    | IdentitiesForgotten
    | ErasureRow
    | ErasureStep
    | SubjectForgotten
    | NarrowingLifted
    | SessionsEnded
    | ListingRow
    | ConsentListed
    | PaperListed
    | ReleaseRow
    | ReleaseMoved
    | ReleasePaperRow
    | ReleaseSegmentRow
    | ReleaseSegmentsGone
    | BudgetRow
    | BudgetRaised
    | BudgetSpent
    | AnswerRow
    | ReleasePeopleRow
    | StudyEntryRow
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """What the notary is asked to write about one decision. It adds writer, sequence, previous hash and signature.

    `decision` 16 random bytes; `public` sealed under the log key: (time, outcome, actor);
    `private` sealed under the subject's audit key: (subject, record, action, purpose, consent, CID), may be empty;
    `subject_token` keyed per subject, so that patients find their own; empty when no subject is concerned;
    `receipt` RFC 8785 text of the receipt without `writer` and `writerSeq` (empty: nothing was released).
    """

    decision: bytes
    public: bytes
    private: bytes
    subject_token: bytes
    receipt: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """An audit entry as it lies in the index. `receipt_digest`: SHA-256 of the signed receipt text (or of no octets);
    the hash covers it, so without it no reader could compute the chain again."""

    writer: bytes
    seq: int
    decision: bytes
    previous: bytes
    hash: bytes
    public: bytes
    private: bytes
    subject_token: bytes
    receipt_digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """A contract event as indexed. `keys`: its indexed 32-byte topics after the first; `args` the decoded rest.

    `final` False while a reorg may still undo it. `orphaned` True: its block left the canonical chain; a narrowing
    event stays in force until that absence is final.
    """

    contract: str
    name: str
    keys: tuple[bytes, ...]
    args: dict[str, bytes | int]
    block_number: int
    block_hash: bytes
    log_index: int
    transaction: bytes
    orphaned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeRow:
    """A life of a notary. `previous`: hash of the instance's newest entry when it began; `started_at`: seconds since
    1970."""

    writer: bytes
    instance: bytes
    previous: bytes
    started_at: int
