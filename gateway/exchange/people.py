"""Who takes part in an import: a sponsor, an investigator and a coordinator, and a patient for each subject, each with
a key of the key file. Who is there already is signed in, and not made anew."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from gateway.demo import documents as people_documents
from gateway.demo.answers import ConsentAnswer, DraftAnswer, PatientAnswer
from gateway.demo.client import Gateway, RefusedError, shaped
from gateway.demo.model import Deployment, StepFailedError
from gateway.demo.patients import Enrolled, instant
from gateway.demo.roles import Person, register, sign_in
from gateway.demo.signing import AskedConsent, check_consent
from gateway.demo.wallet import Wallet, typed_data_digest
from gateway.exchange import documents
from gateway.exchange.answers import Connection
from gateway.exchange.keys import KeyRing
from gateway.jsontext import JsonValue

SPONSOR: Final = "sponsor"
LABELS: Final = ("unclassified",)
"""Of what a study captures: its codes are its own, and no rule reads them."""
PURPOSE: Final = "CLINTRCH"
ACTIONS: Final = ("READ", "WRITE")
CONSENT_SECONDS: Final = 5 * 365 * 86_400
MOST_PAGES: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """Those who are the same for every subject."""

    registrar: Person
    sponsor: Person
    investigator: Person
    coordinator: Person


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedTerms:
    """Of a study's informed consent. `study`: its global id; `name`: 32 octets, hexadecimal; `hash`: 0x hex."""

    study: str
    name: str
    hash: str
    now: int


def somebody(
    gateway: Gateway, deployment: Deployment, *, registrar: Person, role: str, name: str, wallet: Wallet
) -> tuple[Person, bool]:
    """Whoever has the key, registered if nobody has; and whether they are new."""
    try:
        return register(gateway, deployment, registrar=registrar, role=role, name=name, wallet=wallet), True
    except RefusedError as error:
        if error.code != "CONFLICT":
            raise
    return sign_in(gateway, deployment, wallet=wallet), False


def assemble(gateway: Gateway, deployment: Deployment, *, registrar: Person, keys: KeyRing) -> Company:
    """Raises StepFailedError."""

    def person(role: str, key: str) -> Person:
        name = f"Study import: {key}"
        return somebody(gateway, deployment, registrar=registrar, role=role, name=name, wallet=keys.role(key))[0]

    return Company(
        registrar=registrar,
        sponsor=person("ORGANIZATION", SPONSOR),
        investigator=person("CLINICIAN", "investigator"),
        coordinator=person("CLINICIAN", "coordinator"),
    )


def patient(gateway: Gateway, deployment: Deployment, *, registrar: Person, wallet: Wallet) -> Enrolled:
    """The patient whose key it is, enrolled if there is none."""
    person, is_new = somebody(
        gateway, deployment, registrar=registrar, role="PATIENT", name="Study subject", wallet=wallet
    )
    found = None if is_new else _enrolled(gateway, person)
    if found is None:
        asked: dict[str, JsonValue] = {"input": {"controller": wallet.signer}}
        found = gateway.result(people_documents.ENROL, asked, PatientAnswer, token=registrar.token)
    return Enrolled(person=person, id=found.id, subject=found.subject)


def consent(
    gateway: Gateway, deployment: Deployment, one: Enrolled, *, sponsor: Person, terms: AskedTerms
) -> ConsentAnswer:
    """To the study and nothing else, in its form, looked at before it is signed."""
    asked = AskedConsent(
        subject=one.subject,
        grantee=sponsor.actor,
        grantee_name=sponsor.name,
        actions=ACTIONS,
        purposes=(PURPOSE,),
        labels=LABELS,
        now=terms.now,
        not_after=terms.now + CONSENT_SECONDS,
        context=f"study:{terms.name}",
        terms_hash=terms.hash,
    )
    said: dict[str, JsonValue] = {
        "patientId": one.id,
        "granteeId": sponsor.id,
        "study": terms.study,
        "actions": list(ACTIONS),
        "purposes": [PURPOSE],
        "labels": list(LABELS),
        "termsHash": terms.hash,
        "notAfter": instant(asked.not_after),
    }
    token = one.person.token
    draft = gateway.result(people_documents.DRAFT_CONSENT, {"input": said}, DraftAnswer, token=token)
    check_consent(draft.typed_data, asked, deployment=deployment)
    if typed_data_digest(draft.typed_data) != draft.id:
        raise StepFailedError("the draft's id is not its EIP-712 digest; not signed")
    signed: JsonValue = {
        "typedData": draft.typed_data,
        "signature": one.person.wallet.sign_typed_data(draft.typed_data),
    }
    return gateway.result(people_documents.GRANT, {"input": signed}, ConsentAnswer, token=token)


def nodes(
    gateway: Gateway, document: str, variables: dict[str, JsonValue], path: tuple[str, ...], *, token: str
) -> Iterator[dict[str, Any]]:
    """Of every page of the connection at `path` of the answer; none where something on the way is null."""
    after: str | None = None
    for _ in range(MOST_PAGES):
        found: object = gateway.data(document, {**variables, "after": after}, token=token)
        for name in path:
            found = None if found is None else shaped(found, dict[str, Any]).get(name)
        if found is None:
            return
        page = shaped(found, Connection)
        yield from (edge.node for edge in page.edges)
        cursor = page.page_info.end_cursor
        if not page.page_info.has_next_page:
            return
        if cursor in (None, after):
            raise StepFailedError("a page promises another and names no way to it")
        after = cursor
    raise StepFailedError("the pages of the connection do not end")


def _enrolled(gateway: Gateway, person: Person) -> PatientAnswer | None:
    path = ("me", "patients")
    found = next(nodes(gateway, documents.ME, {}, path, token=person.token), None)
    return None if found is None else shaped(found.get("patient"), PatientAnswer)
