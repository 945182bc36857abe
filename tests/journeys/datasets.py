"""A de-identified dataset over the public door: a researcher who can open it, a steward who approves, one who is in."""

import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gateway import eip712, jsontext
from gateway.deid.profile import shipped
from gateway.demo.wallet import Wallet
from gateway.identity.rules import encryption_key_typed_data
from tests.journeys import documents
from tests.journeys.people import PATIENCE_SECONDS, Crowd, Patient, Person, sign_in

USE = ["DUO:0000042"]
ENDS = ("RELEASED", "REFUSED", "CHANGES_WANTED", "CANCELLED", "FAILED", "EXPIRED")
PEOPLE = {
    "resource": "Patient",
    "select": [{"column": [{"name": "person", "path": "getResourceKey()"}, {"name": "sex", "path": "gender"}]}],
}
DEPARTURES = ["anonymity.k", "anonymity.l", "anonymity.t"]


def of_few() -> dict[str, Any]:
    """A profile that lets few leave: a steward must name in what it departs."""
    profile: Any = jsontext.loads(shipped("safe-harbor").text)
    return {**profile, "profile": "of-few", "anonymity": {"k": 1, "l": 1, "t": 1, "suppressedMost": 1}}


def researcher(crowd: Crowd) -> Person:
    """With an encryption key, whose private half nobody here needs."""
    wallet = Wallet.new()
    key = X25519PrivateKey.generate().public_key().public_bytes_raw()
    known: Any = crowd.door.http.get(f"{crowd.door.base}/.well-known/consentry").json()
    domain = eip712.domain(chain_id=known["chainId"], contract=known["contracts"]["identity"])
    full = encryption_key_typed_data(key=bytes.fromhex(wallet.signer[2:]), encryption_key=key, domain=domain)
    asked = {
        "key": wallet.signer,
        "roles": ["RESEARCHER"],
        "name": "Researcher",
        "encryptionKey": "0x" + key.hex(),
        "encryptionKeySignature": wallet.sign_typed_data(full),
    }
    crowd.registrar.ask(documents.REGISTER, {"input": asked}).must()
    return sign_in(crowd.door, wallet)


def consented(crowd: Crowd, asking: Person) -> Patient:
    """A patient with a record, whose consent to research names who asks."""
    patient = crowd.patient()
    patient.store({"resourceType": "Patient", "gender": "female", "birthDate": "1970-01-01"})
    patient.consent(asking.id, purposes=["HRESCH"], dataUse=USE)
    return patient


def released(asking: Person, steward: Person) -> dict[str, Any]:
    """Asked for, approved and built."""
    asked = {
        "title": "Of few",
        "purpose": "HRESCH",
        "dataUse": USE,
        "tables": {"people": PEOPLE},
        "profile": of_few(),
        "format": "NDJSON",
    }
    made = asking.ask(documents.REQUEST_DATASET, {"input": asked}).value
    decision = {"datasetId": made["id"], "verdict": "APPROVED", "reason": "For a test.", "departures": DEPARTURES}
    draft = steward.ask(documents.DRAFT_DATASET_DECISION, {"input": decision}).value
    steward.submit(documents.DECIDE_DATASET, draft["typedData"]).must()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found: dict[str, Any] = asking.ask(documents.DATASET, {"id": made["id"]}).value
        if found["state"] in ENDS:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
