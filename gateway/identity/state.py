"""What the chain says of actors, subjects and memberships: pure folds over indexed events.

What narrows counts at first sight and stays until its absence is final; what widens counts once confirmed. While a
key or controller change is unconfirmed neither the old nor the new one acts; nor does the old one while a change that
a reorg took away may still come back.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gateway.errors import IntegrityError
from gateway.identity.model import Membership, Role, Subject, from_bits
from gateway.ids import ActorId, SubjectId
from gateway.ports.rows import EventRow

NOBODY = b"\x00"
"""A signer that matches no key: stands in while a change is unconfirmed."""
Confirmed = Callable[[EventRow], bool]
_CONTROL = ("ControllerChanged", "CustodyEnded")


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
    key, roles, epoch = _octets(born, "key"), number_in(born, "roles"), 0
    profile, encryption_key = _octets(born, "profileDigest"), _octets(born, "encryptionKey")
    for event in live:
        if event.name == "KeyRotated":
            key = _octets(event, "key") if confirmed(event) else NOBODY
        elif event.name == "RolesChanged":
            fresh = number_in(event, "roles")
            roles = fresh if confirmed(event) else roles & fresh
        elif event.name == "ProfileChanged":
            profile, encryption_key = _octets(event, "profileDigest"), _octets(event, "encryptionKey")
        elif event.name != "MembershipSet":
            continue
        epoch = number_in(event, "epoch")
    if _lost(mine, ("KeyRotated",), "epoch"):
        key = NOBODY
    for event in _lost(mine, ("RolesChanged",), "epoch"):
        roles &= number_in(event, "roles")
    return ActorState(
        key=key,
        roles=from_bits(roles),
        profile=profile,
        encryption_key=encryption_key,
        epoch=epoch,
        settled=all(confirmed(event) for event in live),
    )


def fold_memberships(member: ActorId, events: Iterable[EventRow], confirmed: Confirmed) -> tuple[Membership, ...]:
    """The organizations of an actor: of each the last confirmed word, cut short by any later narrower one.

    Later is what has the greater `seq`, not the higher block: a reorg may put a membership behind its own end.
    """
    standing: dict[bytes, Membership] = {}
    mine = [event for event in events if event.name == "MembershipSet" and event.keys[1] == member]
    for event in sorted(mine, key=lambda event: number_in(event, "seq")):
        found = Membership(
            organization=ActorId(event.keys[0]),
            member=member,
            not_after=number_in(event, "notAfter"),
            seq=number_in(event, "seq"),
        )
        before = standing.get(found.organization)
        if (confirmed(event) and not event.orphaned) or (before is not None and found.not_after < before.not_after):
            standing[found.organization] = found
    return tuple(standing.values())


def membership_seq(org: ActorId, member: ActorId, events: Iterable[EventRow]) -> int:
    """The last sequence number of a pair; 0 where there is none."""
    return max(
        (
            number_in(event, "seq")
            for event in events
            if event.name == "MembershipSet" and event.keys[:2] == (org, member) and not event.orphaned
        ),
        default=0,
    )


def fold_subject(subject: SubjectId, events: Sequence[EventRow], confirmed: Confirmed) -> Subject | None:
    """None: not enrolled, or the enrolment is not yet confirmed."""
    mine = [event for event in events if event.keys and event.keys[0] == subject]
    live = [event for event in mine if not event.orphaned]
    born = next((event for event in live if event.name == "SubjectEnrolled"), None)
    if born is None or not confirmed(born):
        return None
    controller, custodian = _octets(born, "controller"), born.keys[1]
    for event in live:
        if event.name in _CONTROL:
            controller = _octets(event, "controller") if confirmed(event) else NOBODY
    if lost_changes(subject, mine):
        controller = NOBODY
    return Subject(
        id=subject,
        controller=controller,
        custodian=None if controller or not any(custodian) else ActorId(custodian),
        block_number=born.block_number,
    )


def controllers(subject: SubjectId, events: Iterable[EventRow]) -> frozenset[bytes]:
    """Every signer that is or was the subject's controller: what each of them signed in its time stays signed."""
    names = ("SubjectEnrolled", "CustodyEnded", "ControllerChanged")
    return frozenset(
        signer
        for event in events
        if event.name in names and event.keys[0] == subject and not event.orphaned
        if (signer := _octets(event, "controller"))
    )


def lost_changes(subject: SubjectId, events: Iterable[EventRow]) -> int:
    """Changes of control that a reorg took away and nothing has replaced. What they ended stays ended until their
    absence is final."""
    return len(_lost([event for event in events if event.keys[0] == subject], _CONTROL, "control"))


def _lost(events: Sequence[EventRow], names: Sequence[str], count: str) -> list[EventRow]:
    """Orphaned events of these names whose place in the count no event on the chain has reached."""
    named = [event for event in events if event.name in names]
    reached = max((number_in(event, count) for event in named if not event.orphaned), default=0)
    return [event for event in named if event.orphaned and number_in(event, count) > reached]


def _octets(event: EventRow, name: str) -> bytes:
    value = event.args.get(name)
    if not isinstance(value, bytes):
        raise IntegrityError(f"an indexed {event.name} has no {name}")
    return value


def number_in(event: EventRow, name: str) -> int:
    """An argument of an event. Raises IntegrityError for a row that the contract cannot have emitted."""
    value = event.args.get(name)
    if type(value) is not int:
        raise IntegrityError(f"an indexed {event.name} has no {name}")
    return value
