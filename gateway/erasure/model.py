"""An erasure as its patient sees it, and what a certificate must name."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.ids import SubjectId


class ErasureStatus(StrEnum):
    """BEGUN: in force here, nobody reads; the registry or the vault is waited for. DESTROYED: the keys are gone.
    CERTIFIED: the certificate stands on chain; a backup of keys may be left. FINAL: none is."""

    BEGUN = "BEGUN"
    DESTROYED = "DESTROYED"
    CERTIFIED = "CERTIFIED"
    FINAL = "FINAL"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureView:
    """`certificate`: SHA-256 of the newest one, which is its CID on IPFS and stands on chain. `final_at`: when the last
    backup of keys is past."""

    subject: SubjectId
    status: ErasureStatus
    begun_at: datetime
    destroyed_at: datetime | None
    certificate: bytes | None
    final_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What this gateway keeps things in, as a certificate names it: kinds, never hosts or paths."""

    key_store: str
    vault: str
    blocks: str
    index: str
    cache: str
    backup_seconds: int
