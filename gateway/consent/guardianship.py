"""Guardians, and what is signed when a key is lost: shapes (EIP-712), the salted hash on chain, who holds now. Pure.
The contract (Recoveries.sol) is the judge; nothing here decides.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from gateway import eip712
from gateway.errors import IntegrityError
from gateway.identity.state import number_in
from gateway.ids import ActorId
from gateway.ports.rows import EventRow

MOST_GUARDIANS = 16
GUARDIANS_TYPES = {"Guardians": (("subject", "bytes32"), ("guardians", "bytes32"), ("nonce", "uint64"))}
RECOVERY_TYPES = {
    "Recovery": (("subject", "bytes32"), ("controller", "bytes"), ("attempt", "uint64"), ("notAfter", "uint64"))
}
ATTESTATION_TYPES = {"Attestation": (("subject", "bytes32"), ("controller", "bytes"), ("attempt", "uint64"))}
OBJECTION_TYPES = {"Objection": (("subject", "bytes32"), ("attempt", "uint64"))}
TYPES: Mapping[str, Mapping[str, tuple[tuple[str, str], ...]]] = {
    "Guardians": GUARDIANS_TYPES,
    "Recovery": RECOVERY_TYPES,
    "Attestation": ATTESTATION_TYPES,
    "Objection": OBJECTION_TYPES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardian:
    """`signer`: ERC-7913; `actor`: by whom they are known here."""

    actor: ActorId
    signer: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardianship:
    """All guardians, how many of them propose, and the salt that hides them in the hash."""

    guardians: tuple[Guardian, ...]
    threshold: int
    salt: bytes

    @property
    def name(self) -> bytes:
        """keccak256(abi.encode(bytes[] signers, uint32 threshold, bytes32 salt)): what stands on chain."""
        parts = [_padded(guardian.signer) for guardian in self.guardians]
        offsets, at = [], 32 * len(parts)
        for part in parts:
            offsets.append(_word(at))
            at += len(part)
        head = _word(96) + _word(self.threshold) + self.salt
        return keccak(head + _word(len(parts)) + b"".join(offsets) + b"".join(parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Guardians by their hash (zeros: none), and from when they hold."""

    name: bytes
    effective_at: int


def fold_guardians(events: Iterable[EventRow], *, delay: int, now: int) -> tuple[Named | None, Named | None]:
    """Those that hold at `now`, and those that come after them. A replacement goes when others are named, or a recovery
    is proposed, before it holds: each of the two tells its own time as that plus the delay."""
    live = [event for event in events if not event.orphaned and event.name in ("GuardiansSet", "RecoveryProposed")]
    live.sort(key=lambda event: number_in(event, "seq"))
    held: Named | None = None
    following: Named | None = None
    for place, event in enumerate(live):
        if event.name != "GuardiansSet":
            continue
        named = Named(name=_octets(event, "guardians"), effective_at=number_in(event, "effectiveAt"))
        if any(named.effective_at > _time(later) - delay for later in live[place + 1 :]):
            continue
        if named.effective_at <= now:
            held, following = named, None
        else:
            following = named
    return held, following


def typed_data(primary: str, message: Mapping[str, Any], domain: Mapping[str, Any]) -> dict[str, Any]:
    return eip712.typed_data(primary, TYPES[primary], message, domain)


def to_json(guardianship: Guardianship) -> dict[str, Any]:
    """As it is sealed."""
    return {
        "guardians": [
            {"actor": "0x" + one.actor.hex(), "signer": "0x" + one.signer.hex()} for one in guardianship.guardians
        ],
        "threshold": guardianship.threshold,
        "salt": "0x" + guardianship.salt.hex(),
    }


def from_json(document: Any, *, name: bytes) -> Guardianship:
    """The inverse. Raises IntegrityError for what is not the guardianship of this hash."""
    try:
        found = document["guardianship"]
        made = Guardianship(
            guardians=tuple(
                Guardian(actor=ActorId(bytes.fromhex(one["actor"][2:])), signer=bytes.fromhex(one["signer"][2:]))
                for one in found["guardians"]
            ),
            threshold=int(found["threshold"]),
            salt=bytes.fromhex(found["salt"][2:]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError("a sealed guardianship does not read") from error
    if made.name != name:
        raise IntegrityError("a sealed guardianship is not the one that stands on chain")
    return made


def places(guardianship: Guardianship, signers: Sequence[bytes]) -> tuple[int, ...] | None:
    """Where these signers stand, or None where one is no guardian."""
    known = [guardian.signer for guardian in guardianship.guardians]
    return tuple(known.index(one) for one in signers) if all(one in known for one in signers) else None


def _time(event: EventRow) -> int:
    return number_in(event, "readyAt" if event.name == "RecoveryProposed" else "effectiveAt")


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _padded(data: bytes) -> bytes:
    return _word(len(data)) + data + bytes(-len(data) % 32)


def _octets(event: EventRow, name: str) -> bytes:
    value = event.args.get(name)
    if not isinstance(value, bytes):
        raise IntegrityError(f"an indexed {event.name} has no {name}")
    return value
