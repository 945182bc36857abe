"""Signed documents and profiles, sealed as blocks and pinned before anything relies on them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from gateway.ports.rows import UnpinnedRow


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDocument:
    """`typed_data` RFC 8785 text of EIP-712 JSON; `signature` as given."""

    typed_data: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What somebody stated about an emergency: RFC 8785 text, and the salt of its commitment."""

    octets: bytes
    salt: bytes


class PaperKind(StrEnum):
    """The first two are named by a hash on chain; a signature that is being collected is named by what it signs."""

    GUARDIANS = "guardians"
    LIMITS = "limits"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """What a hash stands for. `name`: that hash, 32 bytes, salted; `octets` RFC 8785 text, from which whoever relies on
    it computes the name again."""

    kind: PaperKind
    name: bytes
    octets: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedPaper:
    """A paper of a release or an entry of a study, sealed and not put. `locator`: as a batch's manifest names the
    block."""

    unpinned: UnpinnedRow
    locator: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPaper:
    """An entry of a study's journal. `study` and `sponsor` 32 bytes; `subject`: whom it is about, 32 bytes, empty for
    nobody; `previous`: SHA-256 of the entry before it, zeros: none; `octets` RFC 8785 text; `standing`: number of the
    newest entry before that changed how the study stands, -1: none."""

    study: bytes
    sponsor: bytes
    subject: bytes
    number: int
    kind: int
    previous: bytes
    octets: bytes = field(repr=False)
    standing: int = -1


class Documents(Protocol):
    """Durable and pinned on return; named by the SHA-256 in their CID. IntegrityError, UpstreamError."""

    async def seal_signed(self, subject: bytes, document: SignedDocument) -> UnpinnedRow:
        """Sealed and not put: for what must count though IPFS is away. Durable with the row, pinned soon after."""
        ...

    async def put_signed(self, subject: bytes, document: SignedDocument) -> bytes: ...

    async def signed(self, subject: bytes, digest: bytes) -> SignedDocument: ...

    async def put_statement(self, subject: bytes, statement: Statement) -> bytes:
        """Under the subject's audit key, which outlives the records."""
        ...

    async def statement(self, subject: bytes | None, digest: bytes) -> tuple[bytes, Statement]:
        """The subject whose it is, and the statement. With `subject`, of that one alone (IntegrityError)."""
        ...

    async def put_paper(self, subject: bytes, paper: Paper) -> bytes:
        """Under the subject's own key, which an erasure destroys."""
        ...

    async def paper(self, subject: bytes, digest: bytes) -> Paper:
        """Of this subject alone (IntegrityError)."""
        ...

    async def seal_form(self, publisher: bytes, octets: bytes) -> UnpinnedRow:
        """Under the publisher's key. Sealed and not put, as `seal_signed`."""
        ...

    async def pin(self, sealed: UnpinnedRow) -> None:
        """What is durable with its row already."""
        ...

    async def pin_each(self, sealed: Sequence[UnpinnedRow]) -> None:
        """As `pin`, all by one commit of the store."""
        ...

    async def form(self, publisher: bytes, digest: bytes) -> bytes: ...

    async def seal_release(
        self, requester: bytes, release: bytes, *, number: int, kind: int, octets: bytes
    ) -> SealedPaper:
        """A paper of a release, under the key of who asked for it."""
        ...

    async def release(self, release: bytes, digest: bytes, *, number: int, kind: int) -> tuple[bytes, bytes]:
        """Who asked for the release, and the paper's octets."""
        ...

    async def seal_study_entry(self, paper: StudyPaper, *, about: bytes) -> SealedPaper:
        """Under the key of the subject in this study, else of the sponsor. Its locator holds `about` and all that a
        leaf is made of once more, sealed for the gateway: so that outlives the subject's key."""
        ...

    async def study_entry(self, study: bytes, digest: bytes, *, number: int, kind: int) -> StudyPaper | None:
        """None where its key is gone."""
        ...

    async def put_profile(
        self, actor: bytes, *, name: str, encryption_key: bytes, encryption_key_signature: bytes
    ) -> bytes: ...

    async def profile_key(self, actor: bytes, digest: bytes) -> tuple[bytes, bytes]:
        """The encryption key of an actor's profile, and the signature that came with it."""
        ...

    async def profile_name(self, actor: bytes, digest: bytes) -> str: ...
