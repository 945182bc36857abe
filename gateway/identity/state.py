"""What the chain says of actors, subjects and memberships: pure folds over indexed events.

What narrows counts at first sight and stays until its absence is final; what widens counts once confirmed. While a
key or controller change is unconfirmed neither the old nor the new one acts.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gateway.identity.model import Membership, Role, Subject, from_bits
from gateway.ids import ActorId, SubjectId
from gateway.ports.rows import EventRow

NOBODY = b"\x00"
"""A signer that matches no key: stands in while a change is unconfirmed."""
Confirmed = Callable[[EventRow], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorState:
    """An actor as on chain. `profile`: SHA-256 of its sealed profile block."""

    key: bytes
    roles: frozenset[Role]
    profile: bytes
    encryption_key: bytes
    epoch: int
    settled: bool


def fold_actor(actor: ActorId, events: Sequence[EventRow], confirmed: Confirmed) -> ActorState | None:
    """None: never registered, not yet confirmed, or removed."""
    mine = [event for event in events if event.keys and event.keys[0] == actor]
    if any(event.name == "ActorRemoved" for event in mine):
        return None
    live = [event for event in mine if not event.orphaned]
    born = next((event for event in live if event.name == "ActorRegistered"), None)
    if born is None or not confirmed(born):
        return None
    key, roles, epoch = _octets(born, "key"), _number(born, "roles"), 0
    profile, encryption_key = _octets(born, "profileDigest"), _octets(born, "encryptionKey")
    for event in live:
        if event.name == "KeyRotated":
            key = _octets(event, "key") if confirmed(event) else NOBODY
        elif event.name == "RolesChanged":
            fresh = _number(event, "roles")
            roles = fresh if confirmed(event) else roles & fresh
        elif event.name == "ProfileChanged":
            profile, encryption_key = _octets(event, "profileDigest"), _octets(event, "encryptionKey")
        else:
            continue
        epoch = _number(event, "epoch")
    return ActorState(
        key=key,
        roles=from_bits(roles),
        profile=profile,
        encryption_key=encryption_key,
        epoch=epoch,
        settled=all(confirmed(event) for event in live),
    )


def fold_memberships(member: ActorId, events: Iterable[EventRow], confirmed: Confirmed) -> tuple[Membership, ...]:
    """The organizations of an actor: of each the last confirmed word, cut short by any later narrower one."""
    standing: dict[bytes, Membership] = {}
    for event in events:
        if event.name != "MembershipSet" or event.keys[1] != member:
            continue
        found = Membership(
            organization=ActorId(event.keys[0]),
            member=member,
            not_after=_number(event, "notAfter"),
            seq=_number(event, "seq"),
        )
        before = standing.get(found.organization)
        if (confirmed(event) and not event.orphaned) or (before is not None and found.not_after < before.not_after):
            standing[found.organization] = found
    return tuple(standing.values())


def membership_seq(org: ActorId, member: ActorId, events: Iterable[EventRow]) -> int:
    """The last sequence number of a pair; 0 where there is none."""
    return max(
        (
            _number(event, "seq")
            for event in events
            if event.name == "MembershipSet" and event.keys[:2] == (org, member) and not event.orphaned
        ),
        default=0,
    )


def fold_subject(subject: SubjectId, events: Sequence[EventRow], confirmed: Confirmed) -> Subject | None:
    """None: not enrolled, or the enrolment is not yet confirmed."""
    live = [event for event in events if event.keys and event.keys[0] == subject and not event.orphaned]
    born = next((event for event in live if event.name == "SubjectEnrolled"), None)
    if born is None or not confirmed(born):
        return None
    controller, custodian = _octets(born, "controller"), born.keys[1]
    for event in live:
        if event.name in ("ControllerChanged", "CustodyEnded"):
            controller = _octets(event, "controller") if confirmed(event) else NOBODY
    return Subject(
        id=subject,
        controller=controller,
        custodian=None if controller or not any(custodian) else ActorId(custodian),
        block_number=born.block_number,
    )


def controller_changes(subject: SubjectId, events: Iterable[EventRow]) -> int:
    """How many of a subject's (epoch, seq) steps come from its controller."""
    return sum(
        event.name in ("ControllerChanged", "CustodyEnded") and event.keys[0] == subject and not event.orphaned
        for event in events
    )


def _octets(event: EventRow, name: str) -> bytes:
    value = event.args[name]
    return value if isinstance(value, bytes) else b""


def _number(event: EventRow, name: str) -> int:
    value = event.args[name]
    return value if isinstance(value, int) else 0
