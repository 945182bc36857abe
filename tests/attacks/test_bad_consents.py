"""A consent that its patient did not sign as it stands, for this chain and now, is refused and permits nothing."""

import copy
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.journeys import documents
from tests.journeys.people import Patient, Person
from tests.journeys.resources import observation
from tests.journeys.sites import Site

TypedData = dict[str, Any]


def drafted(patient: Patient, clinician: Person, **terms: object) -> TypedData:
    typed: TypedData = patient.draft(clinician.id, **terms).value["typedData"]
    return typed


def changed(typed: TypedData, change: Callable[[TypedData], object]) -> TypedData:
    copied = copy.deepcopy(typed)
    change(copied)
    return copied


def test_a_consent_signed_by_another_key_is_refused(site: Site, patient: Patient, clinician: Person) -> None:
    typed, before = drafted(patient, clinician), site.rows()
    signature = clinician.wallet.sign_typed_data(typed)
    answer = patient.person.ask(documents.GRANT, {"input": {"typedData": typed, "signature": signature}})
    assert (answer.code, answer.field[-1]) == ("INVALID", "signature")
    assert site.rows() == before


def test_a_consent_is_not_submitted_by_somebody_else(site: Site, patient: Patient, clinician: Person) -> None:
    typed, before = drafted(patient, clinician), site.rows()
    signature = patient.person.wallet.sign_typed_data(typed)
    given = {"input": {"typedData": typed, "signature": signature}}
    assert clinician.ask(documents.GRANT, given).code == "NOT_PERMITTED"
    assert site.rows() == before


@pytest.mark.parametrize(
    ("change", "at"),
    [
        (lambda typed: typed["domain"].update(chainId=1), "chainId"),
        (lambda typed: typed["domain"].update(verifyingContract="0x" + "11" * 20), "verifyingContract"),
        (lambda typed: typed["domain"].update(name="Other"), "name"),
        (lambda typed: typed["message"].update(effect=2), "effect"),
        (lambda typed: typed["message"].update(epoch=7), "epoch"),
        (lambda typed: typed["message"].update(notBefore=typed["message"]["notAfter"]), "notAfter"),
        (lambda typed: typed["message"].update(notAfter=1), "notAfter"),
        (lambda typed: typed["message"]["scope"].update(labels=["HIV"]), "statement"),
        (lambda typed: typed["message"]["scope"].update(actions=["READ", "WRITE"]), "statement"),
        (lambda typed: typed["message"]["scope"].update(purposes=["TREAT", "HOPERAT"]), "statement"),
        (lambda typed: typed["message"]["scope"].update(resourceTypes=["Observation"]), "statement"),
        (lambda typed: typed["message"]["scope"].update(statement="You may read one leaflet."), "statement"),
        (lambda typed: typed["message"]["scope"].update(purposes=[]), "purposes"),
        (lambda typed: typed["message"]["scope"].update(actions=[]), "actions"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_changed_consent_is_refused_though_its_patient_signed_it(
    site: Site, patient: Patient, clinician: Person, change: Callable[[TypedData], object], at: str
) -> None:
    record = patient.store(observation())
    typed, before = changed(drafted(patient, clinician), change), site.rows()
    answer = patient.person.submit(documents.GRANT, typed)
    assert answer.code in {"INVALID", "CONFLICT"}
    assert at in answer.field, str(answer)
    assert site.rows() == before
    assert clinician.read(record).code == "NOT_PERMITTED"


@pytest.mark.parametrize(
    "change",
    [
        lambda typed: typed["message"]["scope"].update(labels=["HIV"]),
        lambda typed: typed["message"]["scope"].update(statement="other words"),
        lambda typed: typed["message"].update(notAfter=int(typed["message"]["notAfter"]) + 1),
        lambda typed: typed["message"]["scope"].update(salt="0x" + "00" * 32),
    ],
    ids=["labels", "statement", "notAfter", "salt"],
)
def test_a_consent_changed_after_it_was_signed_is_refused(
    site: Site, patient: Patient, clinician: Person, change: Callable[[TypedData], object]
) -> None:
    typed, before = drafted(patient, clinician), site.rows()
    signature = patient.person.wallet.sign_typed_data(typed)
    given = {"input": {"typedData": changed(typed, change), "signature": signature}}
    assert patient.person.ask(documents.GRANT, given).code == "INVALID"
    assert site.rows() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda typed: typed.pop("domain"),
        lambda typed: typed.pop("message"),
        lambda typed: typed["message"].pop("scope"),
        lambda typed: typed["message"].pop("epoch"),
        lambda typed: typed["message"].update(extra=1),
        lambda typed: typed["message"]["scope"].update(extra=1),
        lambda typed: typed["message"]["scope"].pop("salt"),
        lambda typed: typed.update(primaryType="Revocation"),
        lambda typed: typed["message"].update(subject="0x00"),
        lambda typed: typed["message"].update(notAfter="soon"),
        lambda typed: typed["message"].update(notAfter=-1),
        lambda typed: typed["message"].update(notAfter=str(2**64)),
        lambda typed: typed.update(message=[]),
        lambda typed: typed["types"].update(Scope=[]),
    ],
)
def test_typed_data_out_of_form_is_refused(
    site: Site, patient: Patient, clinician: Person, change: Callable[[TypedData], object]
) -> None:
    typed, before = drafted(patient, clinician), site.rows()
    signature = patient.person.wallet.sign_typed_data(typed)
    given = {"input": {"typedData": changed(typed, change), "signature": signature}}
    assert patient.person.ask(documents.GRANT, given).code == "INVALID"
    assert site.rows() == before


def test_a_consent_that_stands_is_granted_again_without_effect(site: Site, patient: Patient, clinician: Person) -> None:
    typed = drafted(patient, clinician)
    first = patient.person.submit(documents.GRANT, typed).value
    before = site.rows()
    assert patient.person.submit(documents.GRANT, typed).value["consentId"] == first["consentId"]
    assert site.rows() == before


def test_a_revoked_consent_is_not_replayed(site: Site, patient: Patient, clinician: Person) -> None:
    record, typed = patient.store(observation()), drafted(patient, clinician)
    consent = patient.person.submit(documents.GRANT, typed).value["consentId"]
    patient.revoke(consent).must()
    before = site.rows()
    assert patient.person.submit(documents.GRANT, typed).code == "CONFLICT"
    assert site.rows() == before
    assert clinician.read(record).code == "NOT_PERMITTED"


def test_a_consent_of_an_ended_epoch_is_not_replayed(site: Site, patient: Patient, clinician: Person) -> None:
    record, granted, waiting = patient.store(observation()), drafted(patient, clinician), drafted(patient, clinician)
    patient.person.submit(documents.GRANT, granted).must()
    patient.revoke_all().must()
    before = site.rows()
    assert patient.person.submit(documents.GRANT, granted).code == "CONFLICT"
    assert patient.person.submit(documents.GRANT, waiting).code == "CONFLICT"
    assert site.rows() == before
    assert clinician.read(record).code == "NOT_PERMITTED"


def test_a_reversed_window_is_not_drafted(site: Site, patient: Patient, clinician: Person) -> None:
    before = site.rows()
    answer = patient.draft(clinician.id, notBefore="2090-01-01T00:00:00Z")
    assert (answer.code, answer.field[-1]) == ("INVALID", "notAfter")
    data = patient.draft(clinician.id, dataFrom="2021-01-01T00:00:00Z", dataTo="2020-01-01T00:00:00Z")
    assert (data.code, data.field[-1]) == ("INVALID", "dataTo")
    assert site.rows() == before


@pytest.mark.parametrize(
    "terms",
    [
        {"minutes": -1},
        {"minutes": None},
        {"purposes": []},
        {"actions": []},
        {"labels": [""]},
        {"labels": ["x"] * 10_000},
        {"codes": ["a\nb"]},
        {"termsHash": "0x00"},
    ],
    ids=str,
)
def test_terms_that_cannot_be_are_not_drafted(patient: Patient, clinician: Person, terms: dict[str, object]) -> None:
    assert patient.draft(clinician.id, **terms).code in {"INVALID", "LIMIT"}


def test_a_revocation_by_a_stranger_is_refused(
    site: Site, patient: Patient, clinician: Person, stranger: Person
) -> None:
    record = patient.store(observation())
    typed = patient.revocation(patient.consent(clinician.id))
    before = site.rows()
    assert stranger.submit(documents.REVOKE, typed).code == "NOT_PERMITTED"
    assert clinician.submit(documents.REVOKE, typed).code == "NOT_PERMITTED"
    forged = {"typedData": typed, "signature": stranger.wallet.sign_typed_data(typed)}
    assert patient.person.ask(documents.REVOKE, {"input": forged}).code == "INVALID"
    assert site.rows() == before
    assert clinician.read(record).value["id"] == record


def test_a_revocation_of_all_by_a_stranger_is_refused(
    site: Site, patient: Patient, clinician: Person, stranger: Person
) -> None:
    record = patient.store(observation())
    patient.consent(clinician.id)
    typed = patient.person.ask(documents.DRAFT_REVOCATION_OF_ALL, {"patientId": patient.id}).value["typedData"]
    before = site.rows()
    assert stranger.submit(documents.REVOKE_ALL, typed).code == "NOT_PERMITTED"
    forged = {"typedData": typed, "signature": stranger.wallet.sign_typed_data(typed)}
    assert patient.person.ask(documents.REVOKE_ALL, {"input": forged}).code == "INVALID"
    assert site.rows() == before
    assert clinician.read(record).value["id"] == record


def test_a_strangers_draft_is_refused(patient: Patient, clinician: Person, stranger: Person) -> None:
    consent = patient.consent(clinician.id)
    asked = {
        "patientId": patient.id,
        "granteeId": stranger.id,
        "purposes": ["TREAT"],
        "notAfter": "2090-01-01T00:00:00Z",
    }
    assert stranger.ask(documents.DRAFT_CONSENT, {"input": asked}).code == "NOT_PERMITTED"
    given = {"patientId": patient.id, "consentId": consent}
    assert stranger.ask(documents.DRAFT_REVOCATION, given).code == "NOT_PERMITTED"
    assert stranger.ask(documents.DRAFT_REVOCATION_OF_ALL, {"patientId": patient.id}).code == "NOT_PERMITTED"


def test_a_consent_of_another_patient_is_not_revoked(site: Site, patient: Patient, clinician: Person) -> None:
    other = site.crowd.patient()
    consent = other.consent(clinician.id)
    asked = {"patientId": patient.id, "consentId": consent}
    assert patient.person.ask(documents.DRAFT_REVOCATION, asked).code == "NOT_PERMITTED"
    assert ("REVOKE", "DENIED") in {(event["action"], event["outcome"]) for event in patient.access_log()}


def test_a_revocation_is_in_force_once_however_often_it_is_sent(
    site: Site, patient: Patient, clinician: Person
) -> None:
    typed = patient.revocation(patient.consent(clinician.id))
    assert patient.person.submit(documents.REVOKE, typed).value["status"] == "REVOKED"
    before, started = site.rows(), time.monotonic()
    assert patient.person.submit(documents.REVOKE, typed).value["status"] == "REVOKED"
    assert site.rows() == before
    assert time.monotonic() - started < 10
