"""Signatures for a recovery, collected one by one, and what becomes of them: a whole proposal, or what it lacks. Pure.

True here: as the registry has it, m guardians propose; once the patient has objected, all of them, or m and a registrar
who is none of those that sign. A signature counts for the one text that it is under, of one attempt of one subject.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from gateway import eip712, jsontext
from gateway.consent.control import (
    Attested,
    Proposed,
    attestation_typed_data,
    read_attestation,
    read_recovery,
    recovery_typed_data,
)
from gateway.consent.guardianship import Guardianship
from gateway.errors import CallerError, IntegrityError
from gateway.ids import ActorId, SubjectId
from gateway.ports.documents import Paper, PaperKind

BLOCK_SECONDS = 10
"""Where blocks come on demand: how long the clock of whoever makes them may be behind before one more is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """A signature that was verified when it came. `said`: the text that it is under; `registrar`: who attests."""

    said: Proposed | Attested
    signer: bytes
    signature: bytes
    registrar: ActorId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """What is needed before it goes to the chain: so many guardians more, the next controller's own signature, and, the
    patient having objected, all guardians or an attestation."""

    guardians: int
    controller: bool
    attestation: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """All that the registry asks for. `who`: places of the guardians that signed, ascending."""

    who: tuple[int, ...]
    signatures: tuple[bytes, ...]
    controller_signature: bytes
    registrar: ActorId
    attestation: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalView:
    """A proposal that is being signed. `signed`: by how many guardians."""

    id: bytes
    proposed: Proposed
    signed: int
    lacking: Lacking | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingView:
    """A recovery that is pending on chain: `controller` takes over from `ready_at` on."""

    controller: bytes
    ready_at: datetime
    stoppable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryView:
    """`attempt`: the number that the next proposal has; `guardians` and `threshold` 0 where none are known here;
    `proposals` those that are being signed, for guardians alone."""

    subject: SubjectId
    attempt: int
    guardians: int
    threshold: int
    objected: bool
    pending: PendingView | None
    proposals: tuple[ProposalView, ...]


class Due(Enum):
    """What to do about a pending recovery."""

    WAIT = "wait"
    BLOCK = "a block is wanted"
    FINISH = "finish"


def due(*, ready_at: int, block_time: int, now: float, period: float, confirmations: int) -> Due:
    """What reverted is not sent again by itself, so a finish is sent only where no block that could take it is too
    early: another block of the same height, after a reorg, neither. On demand (`period` 0) no block comes by itself."""
    if block_time >= ready_at + period * confirmations:
        return Due.FINISH
    return Due.BLOCK if not period and now >= ready_at else Due.WAIT


def assemble(
    proposed: Proposed, guardianship: Guardianship, collected: Iterable[Collected], *, objected: bool
) -> Whole | Lacking:
    signed: dict[bytes, bytes] = {}
    attestations: list[Collected] = []
    attested = Attested(subject=proposed.subject, controller=proposed.controller, attempt=proposed.attempt)
    for one in collected:
        if one.said == proposed:
            signed.setdefault(one.signer, one.signature)
        elif one.said == attested:
            attestations.append(one)
    signers = guardianship.signers
    who = tuple(place for place, signer in enumerate(signers) if signer in signed)
    # Who proposes does not attest that they saw the patient.
    witness = next((one for one in attestations if one.signer not in {signers[place] for place in who}), None)
    unattested = objected and len(who) < len(signers) and witness is None
    missing = max(0, guardianship.threshold - len(who))
    if missing or unattested or proposed.controller not in signed:
        return Lacking(guardians=missing, controller=proposed.controller not in signed, attestation=unattested)
    needed = witness if objected and len(who) < len(signers) else None
    return Whole(
        who=who,
        signatures=tuple(signed[signers[place]] for place in who),
        controller_signature=signed[proposed.controller],
        registrar=ActorId(bytes(32)) if needed is None or needed.registrar is None else needed.registrar,
        attestation=b"" if needed is None else needed.signature,
    )


def digest_of(said: Proposed | Attested, domain: Mapping[str, Any]) -> bytes:
    """What is signed, 32 bytes."""
    return eip712.digest(_typed_data(said, domain))


def name_of(digest: bytes, signer: bytes, salt: bytes) -> bytes:
    """Of a signature's paper. Salted by the guardianship: whoever has the database cannot try out who signed what."""
    return hashlib.sha256(b"signature" + digest + salt + signer).digest()


def paper_of(one: Collected, *, salt: bytes, domain: Mapping[str, Any]) -> Paper:
    full = _typed_data(one.said, domain)
    text: jsontext.JsonValue = {
        "typedData": full,
        "signer": one.signer.hex(),
        "signature": one.signature.hex(),
        "registrar": "" if one.registrar is None else one.registrar.hex(),
    }
    name = name_of(eip712.digest(full), one.signer, salt)
    return Paper(kind=PaperKind.SIGNATURE, name=name, octets=jsontext.canonical(text))


def read_paper(paper: Paper, *, domain: Mapping[str, Any]) -> Collected:
    """Raises IntegrityError for a paper of another kind, or one that does not read."""
    if paper.kind is not PaperKind.SIGNATURE:
        raise IntegrityError("a paper is no signature")
    said: Any = jsontext.loads(paper.octets)
    try:
        full, registrar = said["typedData"], bytes.fromhex(said["registrar"])
        read = read_attestation if full["primaryType"] == "Attestation" else read_recovery
        return Collected(
            said=read(full, domain),
            signer=bytes.fromhex(said["signer"]),
            signature=bytes.fromhex(said["signature"]),
            registrar=ActorId(registrar) if registrar else None,
        )
    except (KeyError, TypeError, ValueError, CallerError) as error:
        raise IntegrityError("a signature's paper does not read") from error


def _typed_data(said: Proposed | Attested, domain: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(said, Proposed):
        return recovery_typed_data(said, domain)
    return attestation_typed_data(said, domain)
