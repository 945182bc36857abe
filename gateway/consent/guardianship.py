"""Who a patient's guardians are, how many of them propose, and the salt that hides it: opened from the hash on chain.
Pure.

True here: a guardianship is what its hash says (ISubjects.Guardianship), whatever a row or a block claims. Not done
here: asking whether an actor exists, or what key they have.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eth_utils.crypto import keccak

from gateway import jsontext
from gateway.errors import CallerError, IntegrityError
from gateway.identity.model import Draft
from gateway.ids import ActorId
from gateway.ports.documents import Paper, PaperKind

MOST_GUARDIANS = 16
"""ISubjects: more do not fit one proposal."""
_WORD = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardian:
    """`signer`: the actor's ERC-7913 key when they were named, by which they propose ever after."""

    actor: ActorId
    signer: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardianship:
    """`threshold` of the guardians propose; `salt`, 32 bytes, hides them on chain until they do."""

    guardians: tuple[Guardian, ...]
    threshold: int
    salt: bytes

    @property
    def signers(self) -> tuple[bytes, ...]:
        return tuple(guardian.signer for guardian in self.guardians)

    def names(self, actor: ActorId) -> bool:
        return any(guardian.actor == actor for guardian in self.guardians)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardiansDraft:
    """`opened` None: no guardians are to be."""

    draft: Draft
    opened: Guardianship | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Guardians as the chain names them. `opened` None: none, or only their hash is known here."""

    hash: bytes
    opened: Guardianship | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardiansView:
    """As the patient sees them: those that hold, and those that come after them from a time on."""

    current: Named | None
    next: Named | None
    next_from: datetime | None


def check(guardianship: Guardianship, *, controller: bytes) -> None:
    """What no guardianship may be. Raises CallerError naming the field."""
    signers = guardianship.signers
    if len(signers) > MOST_GUARDIANS:
        raise CallerError(f"at most {MOST_GUARDIANS} guardians", field=("guardianIds",))
    if len(set(signers)) != len(signers):
        raise CallerError("a guardian is named twice", field=("guardianIds",))
    if controller in signers:
        raise CallerError("the patient's own key guards nothing: it is what may be lost", field=("guardianIds",))
    if not 1 <= guardianship.threshold <= len(signers):
        raise CallerError("from 1 to the number of guardians", field=("threshold",))


def hash_of(guardianship: Guardianship) -> bytes:
    """keccak256(abi.encode(bytes[] signers, uint32 threshold, bytes32 salt)), as the registry computes it."""
    offsets, tails = [], b""
    for signer in guardianship.signers:
        offsets.append(_number(_WORD * len(guardianship.signers) + len(tails)))
        tails += _number(len(signer)) + signer + bytes(-len(signer) % _WORD)
    head = _number(3 * _WORD) + _number(guardianship.threshold) + guardianship.salt
    return keccak(head + _number(len(offsets)) + b"".join(offsets) + tails)


def paper_of(guardianship: Guardianship) -> Paper:
    text: jsontext.JsonValue = {
        "guardians": [
            {"actor": guardian.actor.hex(), "signer": guardian.signer.hex()} for guardian in guardianship.guardians
        ],
        "threshold": guardianship.threshold,
        "salt": guardianship.salt.hex(),
    }
    return Paper(kind=PaperKind.GUARDIANS, name=hash_of(guardianship), octets=jsontext.canonical(text))


def read_paper(paper: Paper, name: bytes) -> Guardianship:
    """The guardianship that a hash on chain stands for. Raises IntegrityError for any other."""
    if paper.kind is not PaperKind.GUARDIANS:
        raise IntegrityError("a paper of guardians is of another kind")
    try:
        found = _read(jsontext.loads(paper.octets))
    except (KeyError, TypeError, ValueError, CallerError) as error:
        raise IntegrityError("a paper of guardians does not read") from error
    if hash_of(found) != name:
        raise IntegrityError("a paper of guardians is not what its hash stands for")
    return found


def _read(said: Any) -> Guardianship:
    if not isinstance(said, Mapping):
        raise TypeError("not an object")
    return Guardianship(
        guardians=tuple(
            Guardian(actor=ActorId(bytes.fromhex(one["actor"])), signer=bytes.fromhex(one["signer"]))
            for one in said["guardians"]
        ),
        threshold=int(said["threshold"]),
        salt=bytes.fromhex(said["salt"]),
    )


def _number(value: int) -> bytes:
    return value.to_bytes(_WORD, "big")
