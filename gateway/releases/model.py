"""A release as it is shown: what was asked, what a steward decided, how far it has come, what may be downloaded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gateway.ids import ActorId, ReleaseId
from gateway.ports.anchors import AnchorState
from gateway.ports.releases import ReleaseStage
from gateway.releases.request import DatasetRequest


class Verdict(StrEnum):
    """What a data steward says of a request."""

    APPROVED = "APPROVED"
    REFUSED = "REFUSED"
    CHANGES_WANTED = "CHANGES_WANTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`departures`: in which the profile is looser than the rule, as the steward named them. `request`: the SHA-256 of
    the request's paper. `at`: seconds since 1970."""

    release: ReleaseId
    request: bytes
    verdict: Verdict
    reason: str
    departures: tuple[str, ...]
    steward: ActorId
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDecision:
    """As a paper holds it. `typed_data`: EIP-712 JSON."""

    decision: Decision
    typed_data: Mapping[str, Any] = field(repr=False)
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchoredPaper:
    """A paper of a release: its octets, None to whom they are not shown; their SHA-256, which is in its leaf, and where
    that leaf is."""

    number: int
    kind: str
    octets: bytes | None = field(repr=False)
    sha256: bytes
    anchor: AnchorState


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFile:
    """A sealed file on IPFS. `size` and `sha256` of the sealed octets."""

    name: str
    table: str
    rows: int
    size: int
    sha256: bytes
    cid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseView:
    """`progress`: of the patients, how many were looked at for it, 0 to 1. `tombstones`: pseudonyms that the recipient
    must remove, of every edition so far. `failed`: the measures below their bar, by name. Times are seconds since
    1970."""

    release: ReleaseId
    stage: ReleaseStage
    edition: int
    requester: ActorId
    request: DatasetRequest = field(repr=False)
    asked_at: int
    decision: SignedDecision | None
    progress: float
    expires_at: int | None
    papers: tuple[AnchoredPaper, ...]
    files: tuple[ReleaseFile, ...]
    tombstones: tuple[str, ...]
    failed: tuple[str, ...]
    cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePage:
    """Newest first."""

    views: tuple[ReleaseView, ...]
    has_next: bool = False
    has_previous: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedRelease:
    """What a recipient opens the files with. `manifest`: RFC 8785 text; `wrapped`: HPKE's encapsulated key and
    ciphertext; `half`: the gateway's part of each file's key."""

    view: ReleaseView
    manifest: bytes = field(repr=False)
    wrapped: bytes = field(repr=False)
    half: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRelease:
    """A release that used a patient's records, as the patient sees it. `withdrawn`: its recipient was told to remove
    what was theirs."""

    release: ReleaseId
    title: str
    requester: ActorId
    data_use: Sequence[str]
    stage: ReleaseStage
    at: int
    withdrawn: bool
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientReleasePage:
    """The newest use first; a release that used the records twice stands there once a page."""

    releases: tuple[PatientRelease, ...] = ()
    has_next: bool = False
    has_previous: bool = False
    start: str | None = None
    end: str | None = None
