"""Readers who read on while a consent is revoked, and what each saw, by the clock of this one machine.

True here: a read's start is noted before its first octet leaves, and the moment of a revocation only once its whole
answer is here; a read that starts after that moment and is permitted is a fault, whoever served it and whichever way
it went. All of a machine's processes share one monotonic clock.
"""

import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from websockets.sync.client import ClientConnection, connect

from gateway import jsontext
from tests.campaigns.clients import DECIDED_WITHIN_SECONDS, UNDECIDED
from tests.journeys import documents
from tests.journeys.people import Answer, Person
from tests.journeys.sockets import PROTOCOL

READS_AFTER = 2
"""Reads that each reader starts after the revocation's return, before it stops."""
PAUSE_SECONDS = 0.02
WARM_WITHIN_SECONDS = 60.0
NODE = "query ($id: ID!) { node(id: $id) { __typename ... on Record { content } } }"
PAGE = """query ($id: ID!) { patient(id: $id) { records(purpose: TREAT, first: 5) { edges { node { content } } } } }"""
BOTH = """query ($id: ID!) { a: node(id: $id) { ... on Record { content } } b: record(id: $id) { __typename
  ... on Record { content } } }"""


class Way(StrEnum):
    """How a record is asked for: by its field, as a node, in a page, and by two fields of one document."""

    RECORD = "record"
    NODE = "node"
    PAGE = "page"
    BOTH = "both"


_DOCUMENTS = {Way.RECORD: documents.READ, Way.NODE: NODE, Way.PAGE: PAGE, Way.BOTH: BOTH}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Who reads what. `patient` and `record`: global ids; `mark`: a text of the content. `pages`: readers of pages read
    pages; else they read records, because a page looks at the subject's version and so tells its gateway."""

    reader: Person
    patient: str
    record: str
    mark: str
    pages: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One read: seconds of the monotonic clock. `permitted`: content came; else `said` is what came."""

    began: float
    ended: float
    permitted: bool
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady(Person):
    """Asks until it is decided: what says STALE or UNAVAILABLE is in doubt, where links are broken and mended."""

    def ask(self, document: str, given: Mapping[str, Any] | None = None) -> Answer:
        deadline = time.monotonic() + DECIDED_WITHIN_SECONDS
        while (answer := self.once(document, given)).code in UNDECIDED and time.monotonic() < deadline:
            time.sleep(0.1)
        return answer


def steady(person: Person) -> Steady:
    return Steady(**{part.name: getattr(person, part.name) for part in fields(person)})


class Moment:
    """Of one cycle: each reader reads until it was permitted, waits, and reads on while the consent is revoked.
    `returned`: when the revocation had; None before."""

    def __init__(self, *, readers: int) -> None:
        self.returned: float | None = None
        self.stopped = False
        self._warm = threading.Semaphore(0)
        self._readers = readers
        self._reading_on = threading.Event()

    def rest(self) -> None:
        """A reader was permitted for the first time: it waits until all are to read on."""
        self._warm.release()
        self._reading_on.wait()

    def await_warm(self) -> None:
        """Until each reader has been given the record. AssertionError where one is not in time."""
        deadline = time.monotonic() + WARM_WITHIN_SECONDS
        for number in range(self._readers):
            warm = self._warm.acquire(timeout=max(0.0, deadline - time.monotonic()))
            assert warm, f"only {number} of {self._readers} readers were ever permitted"

    def read_on(self) -> None:
        self._reading_on.set()

    def stop(self) -> None:
        self.stopped = True
        self._reading_on.set()


class Reader:
    """One connection to one gateway, kept over all cycles."""

    def __init__(self, number: int, base: str, way: Way) -> None:
        self.number = number
        self.base = base
        self.way = way
        split = urlsplit(base)
        self._http = http.client.HTTPConnection(str(split.hostname), split.port, timeout=60)

    def read_on(self, case: Case, moment: Moment) -> list[Read]:
        """Reads until the moment is past and `READS_AFTER` reads began after it."""
        seen: list[Read] = []
        after, warm = 0, False
        while after < READS_AFTER and not moment.stopped:
            read = self._read(case)
            seen.append(read)
            if read.permitted and not warm:
                warm = True
                moment.rest()
            if moment.returned is not None and read.began > moment.returned:
                after += 1
            time.sleep(PAUSE_SECONDS)
        return seen

    def _read(self, case: Case) -> Read:
        way = self.way if case.pages or self.way is not Way.PAGE else Way.RECORD
        of = case.patient if way is Way.PAGE else case.record
        body = jsontext.dumps({"query": _DOCUMENTS[way], "variables": {"id": of}})
        named = {"content-type": "application/json", "authorization": f"Bearer {case.reader.token}"}
        began = time.monotonic()
        try:
            self._http.request("POST", "/graphql", body, named)
            answer = self._http.getresponse().read()
        except (OSError, http.client.HTTPException) as error:
            self._http.close()
            return Read(began=began, ended=time.monotonic(), permitted=False, said=type(error).__name__)
        permitted = case.mark.encode() in answer
        said = "" if permitted else answer[:300].decode(errors="replace")
        return Read(began=began, ended=time.monotonic(), permitted=permitted, said=said)

    def close(self) -> None:
        self._http.close()


class Line:
    """One socket of one person at one gateway; subscriptions come and go on it."""

    def __init__(self, person: Person, socket: ClientConnection) -> None:
        self._socket = socket
        self._say({"type": "connection_init", "payload": {"authorization": f"Bearer {person.token}"}})
        assert self._hear(15)["type"] == "connection_ack"
        self._number = 0

    @classmethod
    @contextmanager
    def at(cls, base: str, person: Person) -> "Iterator[Line]":
        url = base.replace("http://", "ws://") + "/graphql"
        with connect(url, subprotocols=[PROTOCOL], proxy=None, max_size=2**24) as socket:
            yield cls(person, socket)

    def subscribe(self, patient: str) -> None:
        self._number += 1
        payload = {"query": documents.RECORD_ADDED, "variables": {"id": patient}}
        self._say({"type": "subscribe", "id": str(self._number), "payload": payload})

    def hears(self, mark: str, *, seconds: float) -> bool:
        """Whether an item that holds `mark` comes in time; False too where the subscription ends."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                message = self._hear(left)
            except TimeoutError:
                return False
            if message["type"] in ("complete", "error"):
                return False
            if message["type"] == "next" and mark in json.dumps(message):
                return True
        return False

    def ended_at(self, *, seconds: float) -> float:
        """When the subscription's end was heard; infinity where it is not in time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                message = self._hear(left)
            except TimeoutError:
                break
            if message["type"] in ("complete", "error") and message["id"] == str(self._number):
                return time.monotonic()
        self._say({"type": "complete", "id": str(self._number)})
        return float("inf")

    def _say(self, message: dict[str, Any]) -> None:
        self._socket.send(json.dumps(message))

    def _hear(self, seconds: float) -> dict[str, Any]:
        heard: dict[str, Any] = json.loads(self._socket.recv(timeout=seconds))
        return heard
