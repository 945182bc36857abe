"""What a delegate may consent to in a patient's name, as the text that the patient's signature commits to. Pure.

The text is RFC 8785 JSON with a salt of 32 bytes in it, and sha-256(0x05 ‖ text) stands on chain: who is shown the text
can check it, and nobody else can guess it. What lies outside is refused where it is drafted and submitted, and a permit
outside permits nothing, however it came to the chain; a deny that the chain has stands, as every deny does.
"""

import hashlib
import re
from collections.abc import Iterable

import msgspec

from gateway import jsontext
from gateway.consent.model import Action, Effect, Limits, Mandate, Purpose, Requester, Terms
from gateway.consent.rules import bounded
from gateway.errors import CallerError, IntegrityError
from gateway.ids import ActorId, SubjectId

FIELD = ("limits",)
LATEST = 2**53 - 1
"""The last second that JSON carries whole."""
_NAME = re.compile(r"0x[0-9a-f]{64}")


class _Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", tag="limits", tag_field="kind"):
    actions: tuple[Action, ...]
    actor: str
    denies: bool
    labels: tuple[str, ...]
    lists: bool
    permits_until: int
    purposes: tuple[Purpose, ...]
    resource_types: tuple[str, ...]
    salt: str
    subject: str


def written(limits: Limits) -> bytes:
    """The text that is committed to."""
    return jsontext.canonical(
        {
            "actions": [action.value for action in limits.actions],
            "actor": _hex(limits.actor),
            "denies": limits.denies,
            "kind": "limits",
            "labels": list(limits.labels),
            "lists": limits.lists,
            "permitsUntil": limits.permits_until,
            "purposes": [purpose.value for purpose in limits.purposes],
            "resourceTypes": list(limits.resource_types),
            "salt": _hex(limits.salt),
            "subject": _hex(limits.subject),
        }
    )


def commitment(octets: bytes) -> bytes:
    """sha-256(0x05 ‖ text): the `limits` of `Delegation`."""
    return hashlib.sha256(b"\x05" + octets).digest()


def read(octets: bytes) -> Limits:
    """Raises IntegrityError for a text that no limits have, to the octet."""
    try:
        found = msgspec.json.decode(octets, type=_Text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IntegrityError("a delegate's limits are not of their form") from error
    limits = Limits(
        subject=SubjectId(_bytes(found.subject)),
        actor=ActorId(_bytes(found.actor)),
        actions=found.actions,
        purposes=found.purposes,
        resource_types=found.resource_types,
        labels=found.labels,
        denies=found.denies,
        permits_until=found.permits_until,
        lists=found.lists,
        salt=_bytes(found.salt),
    )
    if written(limits) != octets:
        raise IntegrityError("a delegate's limits are not in their one form")
    return limits


def given(value: jsontext.JsonValue, *, hashed: bytes) -> Limits:
    """The limits that a client gives back with their signed hash. Raises CallerError for others."""
    try:
        octets = jsontext.canonical(value)
        limits = read(octets)
    except IntegrityError as error:
        raise CallerError("not limits as they were drafted", field=FIELD) from error
    if commitment(octets) != hashed:
        raise CallerError("not the limits that are signed", field=FIELD)
    return limits


def check(limits: Limits, *, not_after: int) -> None:
    """What no limits may be. `not_after`: the end of the delegation, seconds since 1970."""
    if not limits.actions or len(set(limits.actions)) < len(limits.actions):
        raise CallerError("name at least one action, each once", field=("actions",))
    if not limits.purposes or len(set(limits.purposes)) < len(limits.purposes):
        raise CallerError("name at least one purpose, each once", field=("purposes",))
    bounded(limits.resource_types, "resourceTypes")
    bounded(limits.labels, "labels")
    if not 0 <= limits.permits_until <= min(not_after, LATEST):
        raise CallerError("no later than the end of the delegation", field=("permitsUntil",))


def exceeded(limits: Limits, terms: Terms) -> str | None:
    """The field of the terms that lies outside; None where they lie within. A deny is not bounded in time, nor by
    labels: it only takes away."""
    scope = terms.scope
    types = frozenset(limits.resource_types)
    if terms.subject != limits.subject:
        return "subject"
    if not frozenset(scope.actions) <= frozenset(limits.actions):
        return "actions"
    if not frozenset(scope.purposes) <= frozenset(limits.purposes):
        return "purposes"
    if types and not (scope.resource_types and types.issuperset(scope.resource_types)):
        return "resourceTypes"
    if terms.effect is Effect.DENY:
        return None if limits.denies else "effect"
    if not frozenset(scope.labels) <= frozenset(limits.labels):
        return "labels"
    if terms.not_after > limits.permits_until:
        return "notAfter"
    return "grantee" if scope.grantee == limits.actor else None


def held_by(requester: Requester, mandates: Iterable[Mandate], *, block_time: int, now: float) -> tuple[Mandate, ...]:
    """Those under which the requester acts now: as the actor and by the key that the patient named, before their end by
    every clock that we have."""
    return tuple(
        mandate
        for mandate in mandates
        if mandate.signer == requester.key
        and mandate.limits.actor == requester.actor
        and max(now, block_time) < mandate.not_after
    )


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()


def _bytes(text: str) -> bytes:
    """32 bytes."""
    if not _NAME.fullmatch(text):
        raise IntegrityError("a delegate's limits name nobody")
    return bytes.fromhex(text[2:])
