"""By what names a decision, the ledger and the bus know who asks and whose it is. Pure."""

from gateway.consent.model import Requester
from gateway.errors import StaleError
from gateway.identity.model import Caller
from gateway.ports.rows import Guard


def requester(caller: Caller) -> Requester:
    """The caller as a decision sees it."""
    return Requester(
        actor=caller.actor.id,
        key=caller.actor.key,
        roles=caller.actor.roles,
        organizations=caller.organizations,
        reach=None if caller.bearer is None else caller.bearer.reach,
    )


def require_proven(caller: Caller) -> None:
    """Raises StaleError for a caller whose roles and memberships the chain has not vouched for."""
    if not caller.proven:
        raise StaleError("the caller's standing is not proven by the chain; try again shortly")


def guards_of(caller: Caller) -> tuple[Guard, ...]:
    """What the ledger compares of the caller."""
    return tuple(Guard(name=name, version=version) for name, version in caller.guards)


def topic(subject: bytes) -> str:
    """The bus topic of a subject: a random name, nothing of a patient."""
    return "subject:" + subject.hex()


def subject_of_topic(text: str) -> bytes | None:
    """The subject of a bus topic; None for a topic of another kind."""
    kind, _, name = text.partition(":")
    try:
        subject = bytes.fromhex(name) if kind == "subject" and len(name) == 64 else b""
    except ValueError:  # whoever can write into redis chose this topic
        return None
    return subject if len(subject) == 32 else None
