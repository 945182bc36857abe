"""Readers with logs of their own, and the look that compares those with the audit log as it lies in the database.

An answer that was heard before a look must have its entry in what the look finds: so what was released is never more
than what is durable, at any instant at which anybody looks. Receipts are compared by their digests.
"""

import hashlib
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx
import psycopg

from tests.campaigns.clients import INTERNAL, PAUSE_SECONDS, UNDECIDED
from tests.campaigns.verification import record_id
from tests.journeys.people import Person
from tests.ports.databases import query

READ = """query ($id: ID!) { record(id: $id, purpose: TREAT) { __typename
  ... on Record { id content receipt { decisionId payload } } ... on Refusal { code message field decisionId } } }"""
REFUSED = frozenset({"NOT_PERMITTED"})
"""What a refusal on the merits says; it has an entry too."""
LOOK_SECONDS = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One answer. `receipt`: SHA-256 of the receipt's text, of no octets where nothing was released."""

    decision: bytes
    released: bool
    receipt: bytes


@dataclass(slots=True, kw_only=True)
class Heard:
    """All readers' logs together, in the order of hearing. `unavailable`: refusals for want of a part."""

    told: list[Told] = field(default_factory=list)
    released: int = 0
    unavailable: int = 0
    unheard: int = 0
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def ask(self, reader: Person, record: str) -> str:
        """One attempt, noted. Returns its code: "" for a release, "NONE" for no answer."""
        began = time.monotonic()
        try:
            answer = reader.once(READ, {"id": record})
        except (httpx.TransportError, ValueError):
            with self._changed:
                self.unheard += 1
            return "NONE"
        with self._changed:
            self.slowest = max(self.slowest, time.monotonic() - began)
            if not answer.code:
                said = answer.found["receipt"]
                self._note(said["decisionId"], said["payload"].encode(), released=True)
            elif answer.code in REFUSED:
                self._note(answer.found["decisionId"], b"", released=False)
            elif answer.code in UNDECIDED and answer.message != INTERNAL:
                self.unavailable += 1
            else:
                self.wrong.append(str(answer))
            self._changed.notify_all()
        return answer.code

    def _note(self, decision: str, receipt: bytes, *, released: bool) -> None:
        digest = hashlib.sha256(receipt).digest()
        self.told.append(Told(decision=record_id(decision), released=released, receipt=digest))
        self.released += released

    def reached(self, released: int, *, within: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.released >= released, within)

    def snapshot(self) -> Sequence[Told]:
        with self._changed:
            return tuple(self.told)


@dataclass(slots=True, kw_only=True)
class Looker:
    """Looks at the log in the database of `url`. `missing`: answers that were heard before their entries were there."""

    url: str
    heard: Heard
    looks: int = 0
    missing: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    _receipts: dict[bytes, bytes] = field(default_factory=dict)
    _newest: int = 0
    _compared: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self, when: str) -> None:
        """Raises what the database's driver raises where it is away."""
        with self._lock:
            told = self.heard.snapshot()  # before the log is read: what is heard meanwhile is for the next look
            sql = f"select id, decision, receipt_digest from entries where id > {self._newest} order by id"
            for row, decision, digest in query(self.url, sql):
                self._newest = row
                self._receipts[bytes(decision)] = bytes(digest)
            for one in told[self._compared :]:
                found = self._receipts.get(one.decision)
                if found is None:
                    self.missing.append(f"{when}: {one.decision.hex()}")
                elif found != one.receipt:
                    self.other.append(f"{when}: {one.decision.hex()}")
            self._compared = len(told)
            self.looks += 1

    def run(self, ended: threading.Event) -> None:
        """Looks all the time; a database that is away just now is looked at later."""
        while not ended.wait(LOOK_SECONDS):
            try:
                self.look("while reading")
            except (sqlite3.OperationalError, psycopg.OperationalError):
                continue


def read_on(heard: Heard, reader: Person, records: Sequence[str], enough: Callable[[], bool]) -> None:
    """One reader, record after record, until there is enough. What was refused for want of a part is asked again."""
    at = 0
    while not enough():
        code = heard.ask(reader, records[at % len(records)])
        if code in ("", *REFUSED):
            at += 1
        else:
            time.sleep(PAUSE_SECONDS)
