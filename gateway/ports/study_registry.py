"""Studies on chain, as the domain of trials sees them: what is signed, calls to intend, and a state to compare with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Protocol

from gateway.ports.rows import CallRow


class SignedKind(StrEnum):
    """What is signed about a study as TrialRegistry checks it, by its EIP-712 primary type."""

    STUDY = "Study"
    PROTOCOL_VERSION = "ProtocolVersion"
    ALLOCATION = "Allocation"
    ENROLMENT = "Enrolment"
    FREEZE = "Freeze"
    LOCK = "Lock"
    RESULTS = "Results"
    SIGNATURE = "TrialSignature"
    UNBLINDING = "Unblinding"


class Meaning(IntEnum):
    """Why somebody signed (21 CFR 11.50(a)(3)); VERIFIED: compared with the source. As TrialRegistry has it."""

    AUTHORED = 0
    REVIEWED = 1
    APPROVED = 2
    RESPONSIBLE = 3
    VERIFIED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyOnChain:
    """A study by the registry's own word. `allocation`, `head`: 32 bytes, zeros for none; `records` and `head`: of the
    roots of data; `is_open`: for enrolment; `seq`: of the last freeze or thaw."""

    sponsor: bytes
    statistician: bytes
    allocation: bytes
    size: int
    assigned: int
    is_open: bool
    is_frozen: bool
    is_locked: bool
    head: bytes
    records: int
    versions: int
    results: int
    seq: int


class TrialRegistries(Protocol):
    """Studies on chain: their names, what is signed about them, calls to intend, and how one stands. UpstreamError also
    where this deployment keeps no studies."""

    @property
    def contract(self) -> str:
        """TrialRegistry's address."""
        ...

    def study_id(self, sponsor: bytes, salt: bytes) -> bytes: ...

    def typed_data(self, signed: SignedKind, values: Mapping[str, bytes | int]) -> dict[str, object]:
        """EIP-712 JSON. ValueError names a value that is missing, unknown or not of its type."""
        ...

    def act_data(self, values: Mapping[str, str | int]) -> dict[str, object]:
        """EIP-712 JSON of a `StudyAct`, which no contract checks."""
        ...

    def next_head(self, head: bytes, root: bytes, count: int) -> bytes: ...

    def open_study(self, *, sponsor: bytes, salt: bytes, statistician: bytes, signature: bytes) -> CallRow: ...

    def record_protocol(
        self, *, study: bytes, number: int, content: bytes, reason: bytes, signature: bytes
    ) -> CallRow: ...

    def commit_allocation(self, *, study: bytes, root: bytes, size: int, by: bytes, signature: bytes) -> CallRow: ...

    def open_enrolment(self, *, study: bytes, version: int, allocation: bytes, signature: bytes) -> CallRow: ...

    def set_frozen(self, *, study: bytes, frozen: bool, seq: int, signature: bytes) -> CallRow: ...

    def lock(
        self, *, study: bytes, head: bytes, records: int, assigned: int, seq: int, signature: bytes
    ) -> CallRow: ...

    def publish_results(self, *, study: bytes, number: int, content: bytes, signature: bytes) -> CallRow: ...

    def record_signature(
        self, *, study: bytes, content: bytes, meaning: Meaning, signer: bytes, signed_at: int, signature: bytes
    ) -> CallRow: ...

    def assign(
        self, *, study: bytes, subject: bytes, stratum: int, position: int, arm: bytes, path: Sequence[bytes]
    ) -> CallRow: ...

    def record_data(self, *, study: bytes, root: bytes, count: int) -> CallRow: ...

    def record_unblinding(
        self, *, study: bytes, subject: bytes, reason: bytes, by: bytes, signature: bytes
    ) -> CallRow: ...

    async def study(self, study: bytes) -> StudyOnChain | None:
        """At the chain's head; None where it was not opened."""
        ...

    async def next_position(self, study: bytes, stratum: int) -> int:
        """What the stratum's next subject gets, at the chain's head."""
        ...

    async def is_assigned(self, study: bytes, subject: bytes) -> bool:
        """Whether the subject of this name on chain has a place, at the chain's head."""
        ...
