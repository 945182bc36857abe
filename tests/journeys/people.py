"""People at a gateway's door, each with a key of their own: they sign in, store, consent, read and revoke over HTTP.

True here: nothing is assumed of an answer. Every request gives an `Answer`; a test says what it must be.
"""

import base64
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx

from gateway import jsontext
from gateway.demo.wallet import Wallet, typed_data_digest
from tests.journeys import documents

PATIENCE_SECONDS = 30.0
ANSWER_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One field's answer, or why there is none. `code`: of a Refusal or an error, "" when neither. `text`: the body
    as it came."""

    status: int
    code: str
    message: str
    field: tuple[str, ...]
    seconds: float
    text: str
    found: Any

    @property
    def value(self) -> Any:
        """What was found; fails the test where the gateway refused."""
        assert not self.code, f"refused with {self.code}: {self.message} {self.field}"
        return self.found

    def must(self) -> None:
        """Fails the test where the gateway refused."""
        _ = self.value

    def __str__(self) -> str:
        return f"HTTP {self.status} {self.code} {self.message} {'.'.join(self.field)}"


class Door:
    """One gateway's public HTTP door. `base`: http://host:port."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.http = httpx.Client(timeout=ANSWER_SECONDS, trust_env=False)

    def post(
        self, body: bytes, *, token: str | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        named = {"content-type": "application/json", **(headers or {})}
        if token is not None:
            named["authorization"] = f"Bearer {token}"
        return self.http.post(f"{self.base}/graphql", content=body, headers=named)

    def ask(self, document: str, given: Mapping[str, Any] | None = None, *, token: str | None = None) -> Answer:
        """Asks once."""
        body = jsontext.dumps({"query": document, "variables": dict(given or {})})
        started = time.perf_counter()
        reply = self.post(body, token=token)
        return _answer(reply, time.perf_counter() - started)


def _answer(reply: httpx.Response, seconds: float) -> Answer:
    parsed: Any = jsontext.loads(reply.content)
    data, errors = parsed.get("data"), parsed.get("errors")
    found = next(iter(data.values())) if isinstance(data, dict) and data else None
    code, message, path = "", "", ()
    if errors:
        extensions = errors[0].get("extensions") or {}
        code, message = extensions.get("code", "ERROR"), errors[0].get("message", "")
        path = tuple(extensions.get("field") or errors[0].get("path") or ())
    elif isinstance(found, dict) and found.get("__typename") == "Refusal":
        code, message, path = found["code"], found["message"], tuple(found["field"] or ())
    return Answer(
        status=reply.status_code,
        code=code,
        message=message,
        field=tuple(map(str, path)),
        seconds=seconds,
        text=reply.text,
        found=found,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with a key and a session. `actor`: 32 bytes as 0x hex; `id`: their global id."""

    door: Door = field(repr=False)
    wallet: Wallet = field(repr=False)
    token: str = field(repr=False)
    id: str
    actor: str
    name: str

    def sessions(self) -> list[dict[str, Any]]:
        """Their own, newest first, at most a hundred."""
        page = self.ask(documents.SESSIONS, {"first": 100}).value
        return [edge["node"] for edge in page["edges"]]

    def lets_in(self) -> list[str]:
        """Ids of the consents that let them in, as they find them, at most fifty."""
        return [edge["node"]["consentId"] for edge in self.ask(documents.MY_CONSENTS).value["consents"]["edges"]]

    def patients(self) -> dict[str, list[str]]:
        """Whose patient they are or act for, and how; at most fifty."""
        edges = self.ask(documents.MY_PATIENTS).value["patients"]["edges"]
        return {edge["node"]["patient"]["id"]: edge["node"]["relations"] for edge in edges}

    def bearing(self, token: str) -> "Person":
        """The same person with another token."""
        return replace(self, token=token)

    def at(self, door: Door) -> "Person":
        """The same person with the same session at another door."""
        return replace(self, door=door)

    def once(self, document: str, given: Mapping[str, Any] | None = None) -> Answer:
        return self.door.ask(document, given, token=self.token)

    def ask(self, document: str, given: Mapping[str, Any] | None = None) -> Answer:
        """Waits out STALE: on a busy machine the index may lag for a moment."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (answer := self.once(document, given)).code == "STALE" and time.monotonic() < deadline:
            time.sleep(0.2)
        return answer

    # ---- records

    def store(
        self, patient: str, resource: object, *, labels: Sequence[str] | None = None, key: str | None = None
    ) -> Answer:
        asked = {"patientId": patient, "resource": resource, "labels": labels, "idempotencyKey": key}
        return self.ask(documents.CREATE, {"input": asked})

    def amend(
        self,
        record: str,
        resource: object,
        *,
        version: int,
        labels: Sequence[str] | None = None,
        key: str | None = None,
    ) -> Answer:
        asked = {"recordId": record, "expectedVersion": version, "resource": resource, "labels": labels}
        return self.ask(documents.AMEND, {"input": {**asked, "idempotencyKey": key}})

    def import_bundle(self, patient: str, bundle: object, *, key: str | None = None) -> Answer:
        return self.ask(documents.IMPORT, {"input": {"patientId": patient, "bundle": bundle, "idempotencyKey": key}})

    def read(self, record: str, *, purpose: str = "TREAT") -> Answer:
        return self.ask(documents.READ, {"id": record, "purpose": purpose})

    def node(self, id: str) -> Answer:
        return self.ask(documents.NODE, {"id": id})

    def records(
        self,
        patient: str,
        *,
        purpose: str = "TREAT",
        wanted: Mapping[str, object] | None = None,
        first: int = 50,
        after: str | None = None,
    ) -> Answer:
        """One page."""
        asked = {"id": patient, "purpose": purpose, "filter": wanted, "first": first, "after": after}
        return self.ask(documents.RECORDS, asked)

    def seen(self, patient: str, *, purpose: str = "TREAT", wanted: Mapping[str, object] | None = None) -> list[str]:
        """The ids of all records that this person is shown; none where the patient is null."""
        found: list[str] = []
        after: str | None = None
        while True:
            value = self.records(patient, purpose=purpose, wanted=wanted, first=100, after=after).value
            if value is None:
                return found
            page = value["records"]
            found += [edge["node"]["id"] for edge in page["edges"]]
            if not page["pageInfo"]["hasNextPage"]:
                return found
            after = page["pageInfo"]["endCursor"]

    # ---- signatures

    def submit(self, document: str, typed_data: Mapping[str, Any]) -> Answer:
        """Signs typed data with this person's key and submits it."""
        signature = self.wallet.sign_typed_data(typed_data)
        return self.ask(document, {"input": {"typedData": typed_data, "signature": signature}})


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Somebody under their own key. `id`: the patient's global id; `subject`: the name on chain, 0x hex."""

    person: Person
    id: str
    subject: str

    def at(self, door: Door) -> "Patient":
        return replace(self, person=self.person.at(door))

    def store(self, resource: object, *, labels: Sequence[str] | None = None, key: str | None = None) -> str:
        """The id of a new record."""
        id: str = self.person.store(self.id, resource, labels=labels, key=key).value["id"]
        return id

    def own(self) -> list[str]:
        """All of the patient's records, as they see them."""
        return self.person.seen(self.id, purpose="PATRQT")

    def draft(self, grantee: str, **terms: object) -> Answer:
        """`terms`: members of ConsentInput over a READ for TREAT of one hour. `minutes` in place of `notAfter`."""
        minutes = terms.pop("minutes", 60)
        asked = {"patientId": self.id, "granteeId": grantee, "purposes": ["TREAT"], "actions": ["READ"]}
        if isinstance(minutes, int | float):
            asked["notAfter"] = instant(time.time() + minutes * 60)
        return self.person.ask(documents.DRAFT_CONSENT, {"input": {**asked, **terms}})

    def consent(self, grantee: str, **terms: object) -> str:
        """Drafts, signs and grants. Returns the consent's id once it is in force."""
        draft = self.draft(grantee, **terms).value
        assert typed_data_digest(draft["typedData"]) == draft["id"], "the draft's id is not its EIP-712 digest"
        granted = self.person.submit(documents.GRANT, draft["typedData"]).value
        assert (granted["consentId"], granted["status"]) == (draft["id"], "ACTIVE")
        return str(granted["consentId"])

    def revocation(self, consent: str) -> dict[str, Any]:
        """Typed data, drafted by the gateway."""
        draft = self.person.ask(documents.DRAFT_REVOCATION, {"patientId": self.id, "consentId": consent})
        typed: dict[str, Any] = draft.value["typedData"]
        return typed

    def revoke(self, consent: str) -> Answer:
        return self.person.submit(documents.REVOKE, self.revocation(consent))

    def revoke_all(self) -> Answer:
        draft = self.person.ask(documents.DRAFT_REVOCATION_OF_ALL, {"patientId": self.id}).value
        return self.person.submit(documents.REVOKE_ALL, draft["typedData"])

    def erasure(self) -> dict[str, Any]:
        """Typed data, drafted by the gateway."""
        typed: dict[str, Any] = self.person.ask(documents.DRAFT_ERASURE, {"patientId": self.id}).value["typedData"]
        return typed

    def erase(self) -> Answer:
        return self.person.submit(documents.ERASE, self.erasure())

    def access_log(self) -> list[dict[str, Any]]:
        """Newest first, at most a hundred."""
        page = self.person.ask(documents.ACCESS_LOG, {"id": self.id}).value["accessLog"]
        return [edge["node"] for edge in page["edges"]]


class Crowd:
    """Makes people at one gateway, through its registrar."""

    def __init__(self, door: Door, registrar_key: str) -> None:
        self.door = door
        self.registrar = sign_in(door, Wallet.of_hex(registrar_key))

    def register(self, role: str, name: str) -> Person:
        """A new actor with a new key, signed in."""
        wallet = Wallet.new()
        asked = {"key": wallet.signer, "roles": [role], "name": name}
        self.registrar.ask(documents.REGISTER, {"input": asked}).must()
        return sign_in(self.door, wallet)

    def clinician(self, name: str = "Dr. Journey") -> Person:
        return self.register("CLINICIAN", name)

    def patient(self, name: str = "Journey Patient") -> Patient:
        """Registered, and enrolled under their own key."""
        person = self.register("PATIENT", name)
        made = self.registrar.ask(documents.ENROL, {"input": {"controller": person.wallet.signer}}).value
        return Patient(person=person, id=made["id"], subject=made["subject"])


def sign_in(door: Door, wallet: Wallet, *, device: str | None = None) -> Person:
    """EIP-4361."""
    message = door.ask(documents.CHALLENGE, {"address": wallet.address}).value["message"]
    return signed_in(door, wallet, message=message, signature=wallet.sign_text(message), device=device)


def signed_in(door: Door, wallet: Wallet, *, message: str, signature: str, device: str | None = None) -> Person:
    given = {"message": message, "signature": signature, "device": device}
    session = door.ask(documents.SIGN_IN, {"input": given}).value
    actor = session["actor"]
    return Person(
        door=door,
        wallet=wallet,
        token=session["accessToken"],
        id=actor["id"],
        actor=actor["actor"],
        name=actor["name"] or "",
    )


def instant(seconds: float) -> str:
    """RFC 3339, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def unknown_id(kind: str, size: int) -> str:
    """A global id in its right form that nobody was ever given: `kind` Record (16 bytes), Patient, Actor (32)."""
    return base64.urlsafe_b64encode(kind.encode() + b":" + secrets.token_bytes(size)).decode().rstrip("=")
