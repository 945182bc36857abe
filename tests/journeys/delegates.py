"""Those who consent for a patient: whom the patient names, by their own signature, and what they then sign."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.journeys import documents
from tests.journeys.people import Answer, Patient, Person, instant
from tests.journeys.sites import Site

LIMITS: Mapping[str, object] = {"purposes": ["TREAT"], "resourceTypes": ["Observation"]}


def draft_delegate(patient: Patient, actor: str, *, minutes: float = 120, **limits: object) -> Answer:
    """`limits`: members of DelegateInput over a READ of Observations for TREAT."""
    asked = {"patientId": patient.id, "actorId": actor, "notAfter": instant(time.time() + minutes * 60), **LIMITS}
    return patient.person.ask(documents.DRAFT_DELEGATE, {"input": {**asked, **limits}})


def submit_delegate(who: Person, draft: Mapping[str, Any], **changed: object) -> Answer:
    """Signed by `who`."""
    typed = draft["typedData"]
    given = {"typedData": typed, "signature": who.wallet.sign_typed_data(typed), "limits": draft["limits"]}
    return who.ask(documents.ADD_DELEGATE, {"input": {**given, **changed}})


def delegate_to(patient: Patient, person: Person, *, minutes: float = 120, **limits: object) -> int:
    """The delegate's number, once it stands."""
    made = submit_delegate(patient.person, draft_delegate(patient, person.id, minutes=minutes, **limits).value).value
    assert made["holds"] is True
    return int(made["number"])


def hand_of(patient: Patient, person: Person) -> Patient:
    """The patient as the delegate has them: what is drafted, signed and submitted is so by the delegate."""
    return replace(patient, person=person)


def removal(asker: Person, patient: Patient, number: int) -> Answer:
    return asker.ask(documents.DRAFT_DELEGATE_REMOVAL, {"patientId": patient.id, "number": number})


def end_delegate(asker: Person, patient: Patient, number: int) -> Answer:
    """Signed by whoever asks."""
    return asker.submit(documents.REMOVE_DELEGATE, removal(asker, patient, number).value["typedData"])


def shown(asker: Person, patient: Patient) -> list[dict[str, Any]]:
    """The delegates that somebody is shown."""
    found = asker.ask(documents.DELEGATES, {"id": patient.id}).value
    return [] if found is None else list(found["delegates"])


def carer(site: Site) -> Person:
    """Somebody with a wallet, who signs in."""
    return site.crowd.register("PATIENT", "A Parent")
