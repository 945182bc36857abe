"""The index: what can be rebuilt, kept where it is quick to find. Its answers are hints until verified."""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from gateway.ports.listings import ListingRow
from gateway.ports.releases import AnswerRow, BudgetRow, ReleasePaperRow, ReleaseRow, ReleaseStage
from gateway.ports.requests import FormRow, RequestRow
from gateway.ports.rows import (
    ConsentRow,
    EmergencyRow,
    EmergencyStepRow,
    ErasureRow,
    EventRow,
    IdempotencyRow,
    LifeRow,
    NarrowingRow,
    PaperRow,
    RecordRow,
    Row,
    StoredEntry,
    UnpinnedRow,
    UploadPart,
    UploadRow,
)
from gateway.ports.sign_ins import IdentityRow, SessionRow, SpentToken
from gateway.ports.trials import StudyEntryKind, StudyEntryRow

LAST_SEQ: Final = 2**63 - 1
NAMED: Final = 16
"""Records of one name that are looked at."""


class Index(Protocol):
    """Reads see every acknowledged write of every replica. Foreign failures: UpstreamError."""

    async def head(self, record: bytes) -> RecordRow | None:
        """The latest version of a record (tokens empty)."""
        ...

    async def nearest(self, record: bytes) -> RecordRow | None:
        """The latest version of the record, or, where there is none, of another that its name falls next to: what is
        absent then costs what is there costs. None for an empty index."""
        ...

    async def nearest_subject(self, subject: bytes) -> bytes | None:
        """The subject if it was ever enrolled, else another that its name falls next to. None where there is none."""
        ...

    async def version(self, record: bytes, version: int) -> RecordRow | None: ...

    async def page(
        self,
        subject: bytes,
        *,
        after: int,
        limit: int,
        tokens: Sequence[Sequence[bytes]] = (),
        before: int = LAST_SEQ,
        backwards: bool = False,
    ) -> tuple[RecordRow, ...]:
        """Latest versions of a subject's records with `after` < seq < `before`, ascending, or descending where
        `backwards`; at most `limit`. `tokens`: each inner sequence is any-of, the outer is all-of. `seq` is that of
        the record's first version, so an amendment keeps its place."""
        ...

    async def named(self, subject: bytes, tokens: Sequence[bytes]) -> Mapping[bytes, tuple[RecordRow, ...]]:
        """Token -> the subject's records that have it, the latest first, of each token at most NAMED."""
        ...

    async def like_named(self, subject: bytes, places: Sequence[int]) -> tuple[RecordRow, ...]:
        """As many records of the subject as there are `places`, whichever: what is absent then costs what is there
        costs. The same places (0 to 2^32 - 1) get the same records; where there are fewer, some come again. Empty where
        there is none."""
        ...

    async def idempotency(self, key: bytes) -> IdempotencyRow | None: ...

    async def versions_of(self, names: Sequence[bytes]) -> Mapping[bytes, int]:
        """The guard versions of names; a name never bumped has version 0."""
        ...

    async def consents(self, subject: bytes) -> tuple[ConsentRow, ...]:
        """In order of arrival."""
        ...

    async def consent(self, consent: bytes) -> ConsentRow | None: ...

    async def narrowings(self, subject: bytes) -> tuple[NarrowingRow, ...]: ...

    async def emergency(self, emergency: bytes) -> EmergencyRow | None:
        """`tokens` empty, here and below."""
        ...

    async def emergencies(
        self,
        token: bytes,
        *,
        before: int,
        limit: int,
        unreviewed_until: int | None = None,
        after: int = -1,
        backwards: bool = False,
    ) -> tuple[EmergencyRow, ...]:
        """Those with a token, `after` < seq < `before`, newest first, or oldest first where `backwards`, at most
        `limit`; with `unreviewed_until`, those without a review that were opened then (seconds since 1970) or
        before."""
        ...

    async def emergency_steps(self, emergency: bytes) -> tuple[EmergencyStepRow, ...]: ...

    async def count_emergencies(self, token: bytes, *, since: int) -> int:
        """Those with a token that were opened at `since` (seconds since 1970) or later."""
        ...

    async def unreviewed_emergencies(self, *, until: int) -> int:
        """How many that were opened at `until` or before have no review."""
        ...

    async def papers(self, subject: bytes) -> tuple[PaperRow, ...]:
        """What opens hashes on chain of a subject."""
        ...

    async def unlisted_consents(self, *, after: int, limit: int) -> tuple[tuple[int, ConsentRow], ...]:
        """(number of its arrival, consent) of those after a number that are in nobody's list yet."""
        ...

    async def unlisted_papers(self, *, after: tuple[bytes, bytes], limit: int) -> tuple[PaperRow, ...]:
        """By subject and name, after the two of another."""
        ...

    async def listings(self, tokens: Sequence[bytes]) -> Mapping[bytes, ListingRow]:
        """Token -> what stands at that place, where one does."""
        ...

    async def held_by(
        self, *, signer: bytes, actor: bytes, past: bytes, limit: int, backwards: bool = False
    ) -> tuple[bytes, ...]:
        """Subjects that some indexed event gives to this key (as controller or delegate) or this actor (as credential),
        in order behind `past`, or, `backwards`, before it in reverse. Who has what now is not said."""

    async def request(self, request: bytes) -> RequestRow | None: ...

    async def requests(
        self,
        *,
        subject: bytes | None = None,
        asker: bytes | None = None,
        after: int,
        before: int,
        limit: int,
        backwards: bool = False,
    ) -> tuple[RequestRow, ...]:
        """Requests for consent with these tokens, `after` < seq < `before`, descending, or ascending where
        `backwards`; at most `limit`."""
        ...

    async def count_requests(self, *, asker: bytes, since: int) -> int:
        """Those of an asker's token that were made at `since` (seconds since 1970) or later."""
        ...

    async def open_requests(self, *, pair: bytes, now: int) -> int:
        """Those with a token of patient and asker that are not over, withdrawn or not."""
        ...

    async def form(self, form: bytes, *, version: int | None = None) -> FormRow | None:
        """The newest version of a consent form, or that of a number."""
        ...

    async def form_of_hash(self, hash: bytes) -> FormRow | None: ...

    async def forms(
        self, *, publisher: bytes | None, form: bytes | None, before: int, limit: int
    ) -> tuple[FormRow, ...]:
        """Versions, of a publisher or a form where one is given, newest first, seq < `before`, at most `limit`."""
        ...

    async def release(self, release: bytes) -> ReleaseRow | None: ...

    async def releases(
        self,
        *,
        requester: bytes | None,
        stages: Sequence[ReleaseStage] = (),
        after: int = 0,
        before: int = LAST_SEQ,
        limit: int,
        backwards: bool = False,
    ) -> tuple[ReleaseRow, ...]:
        """Those of a requester's token and of these stages (none: of all), `after` < seq < `before`, descending, or
        ascending where `backwards`; at most `limit`."""
        ...

    async def release_papers(self, release: bytes) -> tuple[ReleasePaperRow, ...]:
        """In their order."""
        ...

    async def release_segments(self, release: bytes) -> tuple[tuple[int, bytes], ...]:
        """(number, binary CID), in their order."""
        ...

    async def subjects(self, *, after: bytes, limit: int) -> tuple[bytes, ...]:
        """Everybody who was ever enrolled, erased or not, by name, after a name; at most `limit`."""
        ...

    async def release_people(self, *, but: bytes) -> tuple[bytes, ...]:
        """Sealed tokens of whose rows left, edition by edition, of all releases but one."""
        ...

    async def study_entries(
        self,
        study: bytes,
        *,
        after: int,
        limit: int,
        kinds: tuple[StudyEntryKind, ...] = (),
        about: bytes | None = None,
    ) -> tuple[StudyEntryRow, ...]:
        """Entries of a study's journal with number > `after` (-1: from the first), ascending, at most `limit`: of these
        kinds (none: of all), and of a subject's token where one is given. Each with `previous`."""
        ...

    async def study_head(self, study: bytes) -> tuple[int, bytes] | None:
        """(number, SHA-256) of a study's newest entry."""
        ...

    async def studies(self, *, after: bytes, limit: int) -> tuple[bytes, ...]:
        """Studies that have a journal, by name, after a name; at most `limit`."""
        ...

    async def budgets(self, accounts: Sequence[bytes]) -> Mapping[bytes, BudgetRow]:
        """Those that are known here, by account."""
        ...

    async def answer(self, key: bytes) -> AnswerRow | None: ...

    async def is_controller(self, signer: bytes) -> bool:
        """Whether an ERC-7913 signer is or was any subject's controller, confirmed or not. Looks through every change
        of control: for keys that are no wallets."""
        ...

    async def events(self, key: bytes, *, contract: str) -> tuple[EventRow, ...]:
        """Every indexed event of `contract` that has `key` among its indexed topics, in chain order."""
        ...

    async def entries(
        self, subject_token: bytes, *, before: int, limit: int, after: int = -1, backwards: bool = False
    ) -> tuple[tuple[int, StoredEntry], ...]:
        """(row id, entry), `after` < row id < `before`: newest first, or oldest first where `backwards`."""
        ...

    async def entry(self, decision: bytes) -> tuple[int, StoredEntry] | None:
        """(row id, entry) of one decision."""
        ...

    async def unpinned(self, *, limit: int) -> tuple[UnpinnedRow, ...]:
        """Sealed blocks that wait for IPFS, in no order."""
        ...

    async def unpinned_block(self, digest: bytes) -> UnpinnedRow | None:
        """The one of this name, if it waits."""
        ...

    async def forget_unpinned(self, digests: Sequence[bytes]) -> None:
        """Those that are pinned now."""
        ...

    async def spend_challenge(self, nonce: str, *, message_digest: bytes, now: int) -> bool:
        """True once, for a known, unexpired challenge with this digest; durable on return."""
        ...

    async def session(self, token_digest: bytes, *, now: int) -> SessionRow | None:
        """The session whose present token this is, while the token is good."""
        ...

    async def session_named(self, session: bytes, *, now: int) -> SessionRow | None:
        """As `session`, by the session's own name."""
        ...

    async def sessions(
        self, actor: bytes, *, before: int, limit: int, now: int, after: int = -1, backwards: bool = False
    ) -> tuple[SessionRow, ...]:
        """Those of an actor whose tokens are good, `after` < seq < `before`, newest first, or oldest first where
        `backwards`, at most `limit`."""
        ...

    async def standing_tokens(self, token_digests: Sequence[bytes]) -> frozenset[bytes]:
        """Those of these that are the present token of a session."""
        ...

    async def spent_token(self, token_digest: bytes) -> SpentToken | None:
        """None where it is not spent, or its session has ended."""
        ...

    async def identity(self, name: bytes) -> IdentityRow | None:
        """Who stands for whom, by the keyed token of issuer and subject."""
        ...

    async def identities(self, actor: bytes) -> tuple[IdentityRow, ...]:
        """Those of an actor, at most a hundred."""
        ...

    async def entries_of(self, writer: bytes, *, first: int, last: int) -> tuple[tuple[int, StoredEntry], ...]:
        """(row id, entry) of one writer, numbers `first` to `last`, ascending."""
        ...

    async def life(self, writer: bytes) -> LifeRow | None:
        """Which instance a writer of entries wrote for."""
        ...

    async def erasure(self, subject: bytes) -> ErasureRow | None: ...

    async def erasures(self) -> tuple[ErasureRow, ...]:
        """All that were ever begun."""
        ...

    async def controlled_by(self, controller: bytes) -> tuple[bytes, ...]:
        """Every subject that has, or had, this controller by an indexed event. Walks all such events: for rare use."""
        ...

    async def erased_on_chain(self) -> tuple[bytes, ...]:
        """Every subject of an indexed SubjectErased that is on the canonical chain."""
        ...

    async def recovering(self) -> tuple[bytes, ...]:
        """Every subject with an indexed RecoveryProposed on the canonical chain and no change of control, nor erasure,
        after it: pending, or objected to. Walks all such events: for a start."""
        ...

    async def blocks_of(self, subject: bytes) -> tuple[tuple[bytes, bool], ...]:
        """(digest, whether it is a tree's root) of every block that rows of this subject name, each once."""
        ...

    async def upload(self, upload: bytes) -> UploadRow | None: ...

    async def upload_parts(self, upload: bytes) -> tuple[UploadPart, ...]:
        """All of an upload, in order."""
        ...

    async def upload_slots(self, owner: bytes) -> frozenset[int]:
        """Those that the owner's unfinished uploads hold."""
        ...

    async def octets_under_way(self) -> int:
        """The declared sizes of all unfinished uploads."""
        ...

    async def uploads_over(self, *, now: int, limit: int) -> tuple[UploadRow, ...]:
        """Uploads past their time, finished ones too; the oldest first."""
        ...

    async def apply(self, rows: Sequence[Row]) -> None:
        """One durable transaction for rows that need no decision (challenges, sessions, calls).
        Raises ConflictError when a key is taken."""
        ...

    async def meta(self, key: str) -> bytes | None:
        """What was pinned under a name."""
        ...

    async def check(self) -> None: ...

    async def close(self) -> None: ...
