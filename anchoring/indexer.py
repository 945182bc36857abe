"""What a follower does next, given what it indexed and what the chain says now. Pure: headers in, a plan out.

Narrowing events of a block that left the chain stay, marked, until their absence is final; widening ones go at once
(ARCHITECTURE section 3, Narrowing and widening).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anchoring.model import BlockRef, Event

DENY = 1
"""ConsentGranted's effect."""

_NARROWING = frozenset(
    {
        ("ConsentRegistry", "ConsentRevoked"),
        ("ConsentRegistry", "AllConsentsRevoked"),
        ("ConsentRegistry", "ControllerChanged"),
        ("ConsentRegistry", "CustodyEnded"),
        ("ConsentRegistry", "DelegateRemoved"),
        ("ConsentRegistry", "RecoveryProposed"),
        ("ConsentRegistry", "SubjectErased"),
        ("IdentityRegistry", "ActorRemoved"),
        ("IdentityRegistry", "KeyRotated"),
        ("IdentityRegistry", "RolesChanged"),
        # Whether it shortens one that stood is known to its fold alone, which takes of a lost one nothing but that.
        ("IdentityRegistry", "MembershipSet"),
    }
)
"""Events that may end something whatever their arguments. Some widen as well (a new controller, a new key, a longer
membership): whoever folds an orphaned one takes only what it ends."""

_OF_ACTORS = frozenset({"SubjectEnrolled", "CredentialSet"})
"""Events of a subject whose second key is an actor."""

_OF_STUDIES = frozenset({"EnrolmentOpened", "FreezeSet", "DataLocked"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Extends:
    """The new headers follow the indexed block without a break."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forked:
    """The indexed block is no longer canonical, or the headers do not join: look for the common ancestor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewind:
    """Everything above `ancestor` left the chain."""

    ancestor: BlockRef


@dataclass(frozen=True, slots=True, kw_only=True)
class TooDeep:
    """No common ancestor within finality: nothing may be undone by a program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """`forget` is deleted; `orphan` stays in force, marked. `names`: every 32-byte name that either touches."""

    forget: tuple[Event, ...]
    orphan: tuple[Event, ...]
    names: frozenset[bytes]


def link(cursor: BlockRef | None, headers: Sequence[BlockRef]) -> Extends | Forked:
    """Whether `headers` (ascending, without gaps) follow `cursor` and each other."""
    previous = cursor
    for header in headers:
        if previous is not None and (header.parent != previous.hash or header.number != previous.number + 1):
            return Forked()
        previous = header
    return Extends()


def common_ancestor(known: Sequence[BlockRef], canonical: Mapping[int, bytes], *, finality: int) -> Rewind | TooDeep:
    """The highest of `known` (what was indexed, any order) that `canonical` (number → hash now) still has, if it lies
    at most `finality` blocks below the highest known."""
    if not known:
        return TooDeep()
    ordered = sorted(known, key=lambda block: block.number, reverse=True)
    for block in ordered:
        if ordered[0].number - block.number > finality:
            return TooDeep()
        if canonical.get(block.number) == block.hash:
            return Rewind(ancestor=block)
    return TooDeep()


def narrows(event: Event) -> bool:
    """Whether the event may take a right away."""
    if (event.contract, event.name) == ("ConsentRegistry", "ConsentGranted"):
        return event.args.get("effect") == DENY
    if (event.contract, event.name) == ("ConsentRegistry", "CredentialSet"):
        return not event.args.get("linked")
    return (event.contract, event.name) in _NARROWING


def undo(events: Sequence[Event]) -> Undo:
    """What becomes of canonical `events` whose blocks left the chain."""
    orphan = tuple(event for event in events if narrows(event))
    return Undo(
        forget=tuple(event for event in events if not narrows(event)),
        orphan=orphan,
        names=names_touched(events),
    )


def names_touched(events: Sequence[Event]) -> frozenset[bytes]:
    """Subjects, actors and organizations: the 32-byte keys of identity and consent events; and studies, of events that
    change what may be done in them. Logs of roots, gateways and ids of consents are no names, and zero names nobody."""
    touched: set[bytes] = set()
    for event in events:
        if event.contract == "IdentityRegistry":
            touched.update(event.keys)
        elif event.contract == "ConsentRegistry":
            touched.update(event.keys if event.name in _OF_ACTORS else event.keys[:1])
        elif event.contract == "TrialRegistry" and event.name in _OF_STUDIES:
            touched.update(event.keys[:1])
    return frozenset(touched - {bytes(32)})


def absence_is_final(orphaned_at: int, *, head: int, finality: int) -> bool:
    """Whether a block that was missed at `orphaned_at` can no longer come back."""
    return head >= orphaned_at + finality


def depth(block_number: int, *, head: int) -> int:
    """Blocks on top of a block: 0 for the head itself, negative when it is not there yet."""
    return head - block_number
