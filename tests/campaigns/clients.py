"""Clients that write, and their own logs: what was acknowledged is what such a log says was.

An attempt that got no answer, or one that says UNAVAILABLE or STALE, is in doubt and is made again, under the same
idempotency key or with the same signed bytes, until it is decided. Each outcome is logged before the client goes on.
"""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from gateway.jsontext import JsonValue
from tests.campaigns.plan import BUNDLE, Kind, Operation
from tests.journeys import documents
from tests.journeys.people import Answer, Door, Patient, Person
from tests.journeys.resources import bundle, observation

MARK = "urn:consentry:campaign"
DECIDED_WITHIN_SECONDS = 120.0
ANSWER_SECONDS = 45.0
PAUSE_SECONDS = 0.05
UNDECIDED = frozenset({"UNAVAILABLE", "STALE"})
INTERNAL = "internal error"
"""The words for an exception that nobody foresaw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """What a client was told. `records`: (global id, version, CID) of each that was stored."""

    operation: Operation
    records: tuple[tuple[str, int, str], ...] = ()
    consent: str = ""
    attempts: int = 1


class Journal:
    """One client's log: a line of JSON for each attempt's end, written through before the client does anything else."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("a", buffering=1)

    def note(self, operation: Operation, outcome: str, **what: object) -> None:
        self._stream.write(json.dumps({"operation": operation.name, "outcome": outcome, **what}) + "\n")

    def close(self) -> None:
        self._stream.close()


class Progress:
    """How many operations of this round are acknowledged; the fault waits for it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    def reset(self) -> None:
        with self._changed:
            self._count = 0

    def add(self) -> None:
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def reached(self, count: int, *, within: float = DECIDED_WITHIN_SECONDS) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._count >= count, within)


@dataclass(slots=True, kw_only=True)
class Client:
    """A patient who writes their own records and consents. `acknowledged`, `wrong`: as the log has them."""

    patient: Patient
    grantee: str
    journal: Journal
    progress: Progress
    seed: int
    acknowledged: dict[int, Acknowledged] = field(default_factory=dict)
    drafts: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    doubts: int = 0

    def run(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            if operation.target in (-1, *self.acknowledged):
                self._decide(operation)
            else:
                self.wrong.append(f"{operation.name} {operation.kind}: its target was not acknowledged")
            self.progress.add()

    def _decide(self, operation: Operation) -> None:
        """One operation until it is acknowledged, or refused for good."""
        deadline = time.monotonic() + DECIDED_WITHIN_SECONDS
        attempt = 0
        while time.monotonic() < deadline:
            attempt += 1
            answer = self._attempt(operation)
            if answer is None or answer.code in UNDECIDED:
                self.doubts += 1
                said = "no answer" if answer is None else f"{answer.code} {answer.message}"
                self.journal.note(operation, "IN_DOUBT", said=said, attempt=attempt)
                if answer is not None and answer.message == INTERNAL:
                    self.wrong.append(f"{operation.name}: {INTERNAL}")
                time.sleep(PAUSE_SECONDS)
                continue
            if answer.code:
                self.wrong.append(f"{operation.name} {operation.kind}: {answer.code} {answer.message} {answer.field}")
                self.journal.note(operation, "REFUSED", code=answer.code, attempt=attempt)
                return
            self._note(operation, answer, attempt)
            return
        self.wrong.append(f"{operation.name} {operation.kind}: undecided after {DECIDED_WITHIN_SECONDS:g} s")
        self.journal.note(operation, "UNDECIDED", attempt=attempt)

    def _note(self, operation: Operation, answer: Answer, attempt: int) -> None:
        found = answer.value
        stored = found["records"] if operation.kind is Kind.IMPORT else [found]
        written = operation.kind in (Kind.CREATE, Kind.AMEND, Kind.IMPORT)
        heard = Acknowledged(
            operation=operation,
            records=tuple((one["id"], one["version"], one["cid"]) for one in stored) if written else (),
            consent="" if written else found["consentId"],
            attempts=attempt,
        )
        self.journal.note(operation, "ACKED", records=heard.records, consent=heard.consent, attempt=attempt)
        self.acknowledged[operation.number] = heard
        versions = {version for _, version, _ in heard.records}
        if versions not in (set(), {operation.version}):
            self.wrong.append(f"{operation.name}: acknowledged with versions {versions}")

    def _attempt(self, operation: Operation) -> Answer | None:
        """None: nothing that says yes or no came back."""
        try:
            return self._ask(operation)
        except (httpx.TransportError, httpx.HTTPStatusError, ConnectionError):
            return None

    def _ask(self, operation: Operation) -> Answer:
        person, key = self.patient.person, f"{self.seed}-{operation.name}"
        content = self.content(operation)
        match operation.kind:
            case Kind.CREATE:
                asked = {"patientId": self.patient.id, "resource": content[0], "idempotencyKey": key}
                return person.once(documents.CREATE, {"input": asked})
            case Kind.IMPORT:
                asked = {"patientId": self.patient.id, "bundle": bundle(*content), "idempotencyKey": key}
                return person.once(documents.IMPORT, {"input": asked})
            case Kind.AMEND:
                return person.once(documents.AMEND, {"input": self._amendment(operation, content[0], key)})
            case Kind.GRANT:
                return self._signed(operation, documents.GRANT)
            case Kind.REVOKE:
                return self._signed(operation, documents.REVOKE)

    def _amendment(self, operation: Operation, content: JsonValue, key: str) -> dict[str, object]:
        ((record, _, _),) = self.acknowledged[operation.target].records
        return {
            "recordId": record,
            "expectedVersion": operation.version - 1,
            "resource": content,
            "idempotencyKey": key,
        }

    def _signed(self, operation: Operation, document: str) -> Answer:
        """The same typed data at every attempt: the first draft that came is signed."""
        person = self.patient.person
        if operation.number not in self.drafts:
            drafted = self._draft(operation)
            if drafted.code:
                return drafted
            self.drafts[operation.number] = drafted.value["typedData"]
        typed = self.drafts[operation.number]
        return person.once(document, {"input": {"typedData": typed, "signature": person.wallet.sign_typed_data(typed)}})

    def _draft(self, operation: Operation) -> Answer:
        if operation.kind is Kind.GRANT:
            # Far enough that it is not over before the campaign is.
            terms: dict[str, object] = {"patientId": self.patient.id, "granteeId": self.grantee, "purposes": ["TREAT"]}
            terms |= {"actions": ["READ"], "notAfter": f"2090-01-01T00:00:{operation.number % 60:02d}Z"}
            return self.patient.person.once(documents.DRAFT_CONSENT, {"input": terms})
        consent = self.acknowledged[operation.target].consent
        return self.patient.person.once(
            documents.DRAFT_REVOCATION, {"patientId": self.patient.id, "consentId": consent}
        )

    def content(self, operation: Operation) -> list[dict[str, JsonValue]]:
        """The resources that a write stores, each marked with the operation's name."""
        count = BUNDLE if operation.kind is Kind.IMPORT else 1
        return [
            observation(value=f"{operation.value}.10", identifier=[{"system": MARK, "value": f"{operation.name}.{at}"}])
            for at in range(count)
        ]


def impatient(person: Person) -> Person:
    """The same person at a door of their own, which does not wait for ever."""
    door = Door(person.door.base)
    door.http = httpx.Client(timeout=httpx.Timeout(ANSWER_SECONDS, connect=2.0), trust_env=False)
    return person.at(door)
