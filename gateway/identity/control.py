"""What stands of who controls a subject, besides the controller: credentials, delegates, guardians, a recovery. A pure
fold over the subject's events (ISubjects).

What narrows counts at first sight (a credential or delegate that ends, a recovery that is proposed), also while a reorg
may bring it back; what widens once confirmed. A change of control ends every credential and every delegate before it,
and one that a reorg took away all of them, until its absence is final.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from gateway.errors import IntegrityError
from gateway.identity.guardians import Guardians, fold_guardians
from gateway.identity.state import lost_changes, number_in
from gateway.ids import ActorId, SubjectId
from gateway.ports.rows import EventRow

Confirmed = Callable[[EventRow], bool]
CONTROL = ("CustodyEnded", "ControllerChanged")
_TAKES_NONCE = (*CONTROL, "CredentialSet", "DelegateAdded", "GuardiansSet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegate:
    """As added: `limits` is the salted hash of what they may. `holds` False: ended, or not yet confirmed."""

    number: int
    signer: bytes
    limits: bytes
    not_after: int
    holds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Pending: `controller` takes over from `ready_at` on (seconds since 1970)."""

    controller: bytes
    ready_at: int
    unstoppable: bool
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """`control`, `nonce` and `attempt`: what the next signatures must name."""

    control: int
    nonce: int
    attempt: int
    credentials: frozenset[ActorId]
    delegates: tuple[Delegate, ...]
    guardians: Guardians
    recovery: Recovery | None
    objected: bool


def fold_control(
    subject: SubjectId,
    events: Sequence[EventRow],
    confirmed: Confirmed,
    *,
    delay: int,
    removed: Collection[int] = (),
) -> Control:
    """Events of ConsentRegistry, as indexed. `delay`: seconds from a proposal to its end; `removed`: delegates that
    were removed here, whatever the chain has."""
    mine = sorted(
        (event for event in events if event.keys and event.keys[0] == subject and "seq" in event.args), key=_seq
    )
    live = [event for event in mine if not event.orphaned]
    since = max((_seq(event) for event in live if event.name in CONTROL), default=-1)
    if lost_changes(subject, mine):
        since = _seq(mine[-1])
    recovery, objected = _recovery(live)
    return Control(
        control=sum(event.name in CONTROL for event in live),
        nonce=sum(event.name in _TAKES_NONCE for event in live),
        attempt=sum(event.name == "RecoveryProposed" for event in live),
        credentials=_credentials(mine, since, confirmed),
        delegates=_delegates(mine, since, confirmed, removed),
        guardians=fold_guardians(live, delay=delay, confirmed=confirmed),
        recovery=recovery,
        objected=objected,
    )


def _credentials(mine: Sequence[EventRow], since: int, confirmed: Confirmed) -> frozenset[ActorId]:
    """Of each actor the last word; a word that a reorg took away ends at most."""
    linked: set[ActorId] = set()
    for event in mine:
        if event.name != "CredentialSet" or _seq(event) <= since:
            continue
        actor = ActorId(event.keys[1])
        if not number_in(event, "linked"):
            linked.discard(actor)
        elif not event.orphaned and confirmed(event):
            linked.add(actor)
    return frozenset(linked)


def _delegates(
    mine: Sequence[EventRow], since: int, confirmed: Confirmed, removed: Collection[int]
) -> tuple[Delegate, ...]:
    ended = {number_in(event, "number") for event in mine if event.name == "DelegateRemoved"} | set(removed)
    found = []
    for event in mine:
        if event.name != "DelegateAdded" or event.orphaned:
            continue
        number = number_in(event, "number")
        found.append(
            Delegate(
                number=number,
                signer=_octets(event, "delegate"),
                limits=_octets(event, "limits"),
                not_after=number_in(event, "notAfter"),
                holds=_seq(event) > since and number not in ended and confirmed(event),
            )
        )
    return tuple(found)


def _recovery(live: Sequence[EventRow]) -> tuple[Recovery | None, bool]:
    pending: Recovery | None = None
    objected = False
    for event in live:
        if event.name == "RecoveryProposed":
            pending = Recovery(
                controller=_octets(event, "controller"),
                ready_at=number_in(event, "readyAt"),
                unstoppable=bool(number_in(event, "unstoppable")),
                seq=_seq(event),
            )
        elif event.name == "RecoveryObjected":
            pending, objected = None, True
        elif event.name in CONTROL:
            pending, objected = None, False
    return pending, objected


def _seq(event: EventRow) -> int:
    return number_in(event, "seq")


def _octets(event: EventRow, name: str) -> bytes:
    value = event.args.get(name)
    if not isinstance(value, bytes):
        raise IntegrityError(f"an indexed {event.name} has no {name}")
    return value
