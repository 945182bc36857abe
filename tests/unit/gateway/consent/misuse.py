"""What must not type-check. Each line that is marked is refused by mypy, for the reason beside it; nothing here runs.

Whoever has something else than a Permit (a Deny, a decision that nobody looked at, a truth, the facts) has no way to
content, to read or to write.
"""

from gateway.consent.model import AccessRequest, Decision, Deny, Permit
from gateway.crypto import envelope
from gateway.crypto.keys import DomainKey
from gateway.crypto.model import RecordFacts
from gateway.ids import RecordId
from gateway.ports.clock import Entropy
from gateway.records.opening import Found, Opening


def read_with_a_permit(permit: Permit, opened: envelope.Opened[RecordFacts], key: DomainKey) -> bytes:
    return envelope.open_content(permit, opened, key, now=0.0)


def read_without(opened: envelope.Opened[RecordFacts], key: DomainKey) -> bytes:
    return envelope.open_content(opened, key, now=0.0)  # refused: call-arg, arg-type


def read_with_a_denial(deny: Deny, opened: envelope.Opened[RecordFacts], key: DomainKey) -> bytes:
    return envelope.open_content(deny, opened, key, now=0.0)  # refused: arg-type


def read_with_a_decision(decided: Decision, opened: envelope.Opened[RecordFacts], key: DomainKey) -> bytes:
    return envelope.open_content(decided, opened, key, now=0.0)  # refused: arg-type


def read_with_what_was_asked(asked: AccessRequest, found: Found, opening: Opening) -> bytes:
    return opening.content(asked, found, now=0.0)  # refused: arg-type


def read_where_there_may_be_none(permit: Permit | None, found: Found, opening: Opening) -> bytes:
    return opening.content(permit, found, now=0.0)  # refused: arg-type


def read_a_truth(found: Found, opening: Opening) -> bytes:
    return opening.content(True, found, now=0.0)  # refused: arg-type


def write_without(facts: RecordFacts, record: RecordId, key: DomainKey, log: DomainKey, entropy: Entropy) -> None:
    envelope.seal_record(  # refused: call-arg
        facts=facts, content=b"", record=record, version=1, key=key, log=log, entropy=entropy
    )


def make_one(decided: Permit) -> Permit:
    return Permit(action=decided.action)  # refused: call-arg


def change_one(decided: Permit, record: RecordId) -> None:
    decided.record = record  # refused: misc


def hold_of_a_decision(decided: Decision) -> tuple[str, ...]:
    return decided.obligations  # refused: union-attr
