"""Keys, facts and permits to seal blocks with. Permits come from the decision, as everywhere."""

import hashlib
from typing import Any

from gateway.consent.model import Action, Permit
from gateway.crypto import envelope
from gateway.crypto.keys import DomainKey
from gateway.crypto.model import LOG_DOMAIN, Domain, RecordFacts, subject_domain
from gateway.ids import RecordId
from gateway.ports.keys import WrappedKey
from tests.unit.gateway.consent.cases import NOW, PATIENT, PATIENT_KEY, RECORD, doctor, epochs, facts, outcome, request


class FixedEntropy:
    """The same octets each time: SHA-256 in counter mode. For golden vectors and comparisons alone."""

    def __init__(self, seed: bytes = b"golden") -> None:
        self._seed = seed
        self._count = 0

    def bytes(self, size: int) -> bytes:
        self._count += 1
        stream = b"".join(
            hashlib.sha256(self._seed + self._count.to_bytes(4, "big") + bytes([part])).digest() for part in range(2)
        )
        return stream[:size]


def domain_key(domain: Domain, material: bytes, key_id: bytes = b"i" * 16) -> DomainKey:
    stored = WrappedKey(key_id=key_id, kind=domain.kind, name=domain.name, version=1, epoch=b"e" * 16, wrapped=b"")
    return DomainKey.of(stored, material)


LOG = domain_key(LOG_DOMAIN, b"L" * 32, b"l" * 16)
KEY = domain_key(subject_domain(PATIENT), b"K" * 32, b"k" * 16)


def allowed(action: Action, *, record: bytes | None = RECORD, subject: bytes = PATIENT, now: float = NOW) -> Permit:
    """A permit of the patient for a record of their own."""
    asked = request(doctor(key=PATIENT_KEY), action=action, record=record, subject=subject)
    permit = outcome(
        asked=asked, about=facts(record=record, subject=subject), standing=epochs(subject=subject), now=now
    )
    assert isinstance(permit, Permit)
    return permit


def record_facts(**changes: Any) -> RecordFacts:
    plain: dict[str, Any] = {
        "salt": b"\x01" * 32,
        "subject": PATIENT,
        "author": b"\x12" * 32,
        "recorded_at": 1_800_000_000_000,
        "resource_type": "Observation",
        "contained_types": (),
        "labels": ("HIV",),
        "given_labels": (),
        "codes": ("http://loinc.org|75622-1",),
        "mentioned": ("http://loinc.org|75622-1",),
        "period": (1_773_500_000.0, 1_773_586_400.0),
        "inline": {"/note/0": ("PSY",)},
        "subject_references": ("Patient/1",),
        "previous": b"",
        "idempotency": b"",
        "content_salt": b"\x02" * 32,
        "content_commitment": b"\x03" * 32,
        "octets_salt": b"\x04" * 32,
        "octets_commitment": b"\x05" * 32,
        "content_size": 0,
    }
    return RecordFacts(**{**plain, **changes})


def sealed(
    content: bytes = b'{"value":1.10}',
    *,
    record: bytes = RECORD,
    version: int = 1,
    subject: bytes = PATIENT,
    key: DomainKey = KEY,
    seed: bytes = b"golden",
    **changes: Any,
) -> envelope.Sealed:
    return envelope.seal_record(
        allowed(Action.WRITE, record=record, subject=subject),
        facts=record_facts(subject=subject, content_size=len(content), **changes),
        content=content,
        record=RecordId(record),
        version=version,
        key=key,
        log=LOG,
        entropy=FixedEntropy(seed),
    )


def opened(block: bytes, *, permit: Permit | None = None, key: DomainKey = KEY, now: float = NOW) -> bytes:
    """All the way to the content."""
    found: Any = envelope.open_facts(envelope.locate(block, LOG), key)
    return envelope.open_content(permit or allowed(Action.READ), found, key, now=now)
