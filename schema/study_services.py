"""What the schema calls of clinical studies: protocols of four services, and the shapes that they answer with.

Not done here: decisions. A method that takes a caller decides on them, and writes the log before it answers; one that
takes a study is for whoever was given that study, and tells nothing of a subject.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from gateway.consent.model import StudyRole
from gateway.identity.model import Caller
from gateway.ids import RecordId, StudyId, SubjectId
from gateway.jsontext import JsonValue
from gateway.records.model import Released
from gateway.slices import Page, Slice
from gateway.trials.acts import Act
from gateway.trials.allocation import ToldArm
from gateway.trials.capturing import Captured, Query
from gateway.trials.definition.references import Directory
from gateway.trials.kept import KeptForm
from gateway.trials.recruiting import Sought, Told, Willing
from gateway.trials.recruitment.matching import Match
from gateway.trials.registration.outcomes import Comparison
from gateway.trials.showing import ShownSubject, TrailEntry
from gateway.trials.standing import Study


class ActDraft(Protocol):
    """`id`: the digest of `typed_data`, by which a wallet signs."""

    @property
    def id(self) -> bytes: ...
    @property
    def act(self) -> Mapping[str, Any]: ...
    @property
    def typed_data(self) -> Mapping[str, Any]: ...
    @property
    def statement(self) -> str: ...


class TrialService(Protocol):
    @property
    def contract(self) -> str: ...
    async def draft(self, caller: Caller, asked: Mapping[str, JsonValue], /) -> ActDraft: ...
    async def submit(self, caller: Caller, tree: Any, signature: bytes, /) -> Study: ...
    async def record_data(self, caller: Caller, study: StudyId, /) -> Study: ...
    async def get(self, caller: Caller, study: StudyId, /) -> Study | None: ...
    async def mine(self, caller: Caller, *, after: bytes, limit: int) -> tuple[tuple[Study, ...], bytes | None]: ...
    def roles(self, caller: Caller, study: Study, /) -> frozenset[StudyRole]: ...


class AllocationService(Protocol):
    async def assign(
        self, caller: Caller, study: StudyId, subject: SubjectId, levels: Mapping[str, str], /
    ) -> Study: ...
    async def arm(self, caller: Caller, study: StudyId, subject: SubjectId, /) -> ToldArm: ...


class CapturingService(Protocol):
    async def capture(
        self,
        caller: Caller,
        study: StudyId,
        subject: SubjectId,
        responses: Sequence[Any],
        /,
        *,
        as_found: bool,
        idempotency_key: str | None,
    ) -> Captured: ...
    async def change(
        self,
        caller: Caller,
        study: StudyId,
        subject: SubjectId,
        record: RecordId,
        response: Any,
        /,
        *,
        expected_version: int,
        reason: str,
        as_found: bool,
    ) -> Captured: ...
    async def kept(self, caller: Caller, study: StudyId, subject: SubjectId, /) -> tuple[KeptForm, ...]: ...
    async def read(
        self, caller: Caller, study: StudyId, subject: SubjectId, record: RecordId, /, *, version: int | None
    ) -> Released: ...
    async def queries(self, caller: Caller, study: StudyId, subject: SubjectId, /) -> tuple[Query, ...]: ...
    async def raise_query(
        self, caller: Caller, study: StudyId, subject: SubjectId, record: RecordId, /, *, item: str, text: str
    ) -> Query: ...
    async def answer_query(
        self, caller: Caller, study: StudyId, subject: SubjectId, query: bytes, /, *, text: str
    ) -> Query: ...
    async def close_query(
        self, caller: Caller, study: StudyId, subject: SubjectId, query: bytes, /, *, text: str
    ) -> Query: ...
    async def directory(self, study: Study, /) -> Directory: ...


class RecruitingService(Protocol):
    async def sought(self, *, after: bytes, limit: int) -> tuple[tuple[Sought, ...], bytes | None]: ...
    async def match(self, caller: Caller, study: StudyId, subject: SubjectId, /) -> Match: ...
    async def say(self, caller: Caller, study: StudyId, subject: SubjectId, /, *, yes: bool) -> bool: ...
    async def willing(self, caller: Caller, study: StudyId, /) -> tuple[Willing, ...]: ...
    async def count(
        self, caller: Caller, study: StudyId, /, *, data_use: Sequence[str], epsilon: float
    ) -> tuple[Told, tuple[str, ...]]: ...


class AnchorStanding(Protocol):
    """What the anchors port calls a state, by shape: the schema imports no port."""

    @property
    def status(self) -> str: ...
    @property
    def proof(self) -> Any: ...


class StudyShowingService(Protocol):
    async def act(self, study: Study, number: int, /) -> Act: ...
    async def anchor(self, study: Study, number: int, /) -> AnchorStanding: ...
    async def comparison(self, study: Study, /) -> Comparison | None: ...
    async def subjects(self, caller: Caller, study: StudyId, part: Slice, /) -> Page[ShownSubject]: ...
    async def subject(self, caller: Caller, study: StudyId, subject: SubjectId, /) -> ShownSubject: ...
    async def trail(self, caller: Caller, study: StudyId, /, *, after: int, limit: int) -> tuple[TrailEntry, ...]: ...
    def enrolments(self, caller: Caller, study: StudyId, /) -> AsyncIterator[SubjectId]: ...
    def query_changes(self, caller: Caller, study: StudyId, /) -> AsyncIterator[tuple[SubjectId, bytes]]: ...
