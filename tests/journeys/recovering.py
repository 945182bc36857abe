"""Guardians, a lost key and its successor, over HTTP: the GraphQL documents, and the steps as people take them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from gateway.demo.wallet import Wallet
from tests.journeys import documents
from tests.journeys.controllers import KINDS, Hand, Key, link
from tests.journeys.documents import REFUSED
from tests.journeys.people import Answer, Crowd, Patient, Person, sign_in
from tests.journeys.resources import observation
from tests.journeys.sites import Site

OPENED = "opened { guardians { id } signers threshold salt }"
NAMED = f"current {{ hash {OPENED} }} next {{ hash {OPENED} }} nextFrom"
PROPOSAL = "id controller attempt notAfter signed guardiansNeeded controllerNeeded attestationNeeded"
RECOVERY = f"""nextAttempt guardians threshold objected pending {{ controller readyAt stoppable }}
  proposals {{ {PROPOSAL} }}"""


def _mutation(name: str, kind: str, result: str, fields: str) -> str:
    return f"""mutation ($input: {kind}!) {{ {name}(input: $input) {{
      __typename ... on {result} {{ {fields} }} {REFUSED} }} }}"""


def _of_patient(operation: str, name: str, result: str, fields: str) -> str:
    return f"""{operation} ($patientId: ID!) {{ {name}(patientId: $patientId) {{
      __typename ... on {result} {{ {fields} }} {REFUSED} }} }}"""


DRAFT_GUARDIANS = _mutation("draftGuardians", "GuardiansInput", "GuardiansDraft", f"id typedData {OPENED}")
SET_GUARDIANS = _mutation("setGuardians", "SignedGuardiansInput", "Guardians", NAMED)
GUARDIANS = f"query ($id: ID!) {{ patient(id: $id) {{ guardians {{ {NAMED} }} }} }}"
SHOW = _of_patient("query", "recovery", "Recovery", RECOVERY)
DRAFT = _mutation("draftRecovery", "RecoveryInput", "Draft", "id typedData")
SIGN = _mutation("signRecovery", "SignedRecoveryInput", "RecoveryProposal", PROPOSAL)
DRAFT_ATTESTATION = _mutation("draftAttestation", "ControllerInput", "Draft", "id typedData")
ATTEST = _mutation("attestRecovery", "SignedInput", "RecoveryProposal", PROPOSAL)
DRAFT_OBJECTION = _of_patient("mutation", "draftObjection", "Draft", "id typedData")
OBJECT = _mutation("objectToRecovery", "SignedInput", "Recovery", RECOVERY)
CHANGED = "controller patient { id }"
FINISH = _of_patient("mutation", "finishRecovery", "ControlChange", CHANGED)
DRAFT_CHANGE = _mutation("draftControllerChange", "ControllerInput", "Draft", "id typedData")
CHANGE = _mutation("changeController", "SignedControllerInput", "ControlChange", CHANGED)
DRAFT_CUSTODY_END = _mutation("draftCustodyEnd", "ControllerInput", "Draft", "id typedData")
END_CUSTODY = _mutation("endCustody", "SignedInput", "ControlChange", CHANGED)

PATIENCE_SECONDS = 60.0


def draft_guardians(patient: Patient, guardians: Sequence[Person], threshold: int) -> Answer:
    asked = {"patientId": patient.id, "guardianIds": [one.id for one in guardians], "threshold": threshold}
    return patient.person.ask(DRAFT_GUARDIANS, {"input": asked})


def signed_guardians(patient: Patient, draft: Mapping[str, Any]) -> dict[str, Any]:
    """What a client submits of a draft: signed by the patient's key."""
    opened = draft["opened"] or {"guardians": [], "threshold": 0, "salt": None}
    return {
        "typedData": draft["typedData"],
        "signature": patient.person.wallet.sign_typed_data(draft["typedData"]),
        "guardianIds": [one["id"] for one in opened["guardians"]],
        "threshold": opened["threshold"],
        "salt": opened["salt"],
    }


def set_guardians(patient: Patient, guardians: Sequence[Person], threshold: int = 2) -> Answer:
    draft = draft_guardians(patient, guardians, threshold).value
    return patient.person.ask(SET_GUARDIANS, {"input": signed_guardians(patient, draft)})


def shown(asker: Person, patient: Patient) -> Answer:
    return asker.ask(SHOW, {"patientId": patient.id})


def draft(asker: Person, patient: Patient, key: Key) -> dict[str, Any]:
    """Typed data that guardians and the new key sign."""
    made = asker.ask(DRAFT, {"input": {"patientId": patient.id, "controller": key.signer}}).value
    typed: dict[str, Any] = made["typedData"]
    return typed


def sign(asker: Person, typed: Mapping[str, Any], *keys: Key) -> Answer:
    signatures = [key.sign_typed_data(typed) for key in keys]
    return asker.ask(SIGN, {"input": {"typedData": typed, "signatures": signatures}})


def attest(registrar: Person, patient: Patient, key: Key) -> Answer:
    asked = {"patientId": patient.id, "controller": key.signer}
    typed = registrar.ask(DRAFT_ATTESTATION, {"input": asked}).value["typedData"]
    return registrar.submit(ATTEST, typed)


def propose(guardians: Sequence[Person], patient: Patient, key: Key) -> Answer:
    """Each guardian signs at their own time, the new key last; the last answer."""
    typed = draft(guardians[0], patient, key)
    for guardian in guardians:
        sign(guardian, typed, guardian.wallet).must()
    return sign(guardians[0], typed, key)


def objection(patient: Patient) -> Answer:
    drafted = patient.person.ask(DRAFT_OBJECTION, {"patientId": patient.id})
    if drafted.code:
        return drafted
    return patient.person.submit(OBJECT, drafted.value["typedData"])


def change(patient: Patient, key: Key) -> Answer:
    asked = {"patientId": patient.id, "controller": key.signer}
    drafted = patient.person.ask(DRAFT_CHANGE, {"input": asked})
    if drafted.code:
        return drafted
    typed = drafted.value["typedData"]
    given = {
        "typedData": typed,
        "signature": patient.person.wallet.sign_typed_data(typed),
        "controllerSignature": key.sign_typed_data(typed),
    }
    return patient.person.ask(CHANGE, {"input": given})


def end_custody(registrar: Person, patient: str, key: Key) -> Answer:
    asked = {"patientId": patient, "controller": key.signer}
    drafted = registrar.ask(DRAFT_CUSTODY_END, {"input": asked})
    if drafted.code:
        return drafted
    typed = drafted.value["typedData"]
    return registrar.ask(END_CUSTODY, {"input": {"typedData": typed, "signature": key.sign_typed_data(typed)}})


def under(patient: Patient, person: Person) -> Patient:
    """The same patient, by somebody else's hand."""
    return replace(patient, person=person)


def successor(crowd: Crowd, patient: Patient, key: Key) -> Patient:
    """The same patient under the new key: who signs in by it where it is a wallet, else by another that it links."""
    if isinstance(key, Wallet):
        asked = {"key": key.signer, "roles": ["PATIENT"], "name": "The Same Patient"}
        crowd.registrar.ask(documents.REGISTER, {"input": asked}).must()
        return under(patient, sign_in(crowd.door, key))
    person = crowd.register("PATIENT", "The Same Patient")
    found = under(patient, replace(person, wallet=cast("Wallet", Hand(person.wallet, key))))
    link(found).must()
    return found


def owns(person: Person, patient: Patient) -> bool:
    """Whether this person is the patient now."""
    return not person.ask(DRAFT_CHANGE, {"input": {"patientId": patient.id, "controller": "0x" + "11" * 20}}).code


def wait_until_over(asker: Person, patient: Patient) -> None:
    """Until the gateway itself has finished what is pending; nobody asks it to."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (answer := shown(asker, patient)).value["pending"] is not None:
        assert time.monotonic() < deadline, "the recovery is still pending"
        time.sleep(0.2)
    answer.must()


def recovers(site: Site, patient: Patient, kind: str) -> None:
    """The whole way: the key is lost, two of three guardians give another of `kind`, and nothing is lost."""
    guardians = [site.crowd.clinician(f"Guardian {number}") for number in range(3)]
    clinician = site.crowd.clinician()
    record = patient.store(observation())
    patient.consent(clinician.id)
    assert clinician.read(record).value["id"] == record
    named = set_guardians(patient, guardians).value["current"]
    assert [one["id"] for one in named["opened"]["guardians"]] == [one.id for one in guardians]
    # The key is lost; the patient has a new one, and meets two guardians.
    key = KINDS[kind](site)
    pending = propose(guardians[:2], patient, key).value
    assert (pending["signed"], pending["guardiansNeeded"], pending["controllerNeeded"]) == (2, 0, False)
    wait_until_over(guardians[0], patient)
    # The old key has no say, its permits are over, and the record is there.
    assert patient.draft(clinician.id).code in ("NOT_PERMITTED", "UNAUTHENTICATED")
    assert clinician.read(record).code == "NOT_PERMITTED"
    again = successor(site.crowd, patient, key)
    assert again.own() == [record]
    again.consent(clinician.id)
    assert clinician.read(record).value["content"] == observation()
