"""Losing a key loses nothing: guardians propose another, which stands after a delay; the old key objects once."""

import time
from typing import Any

from gateway.demo.wallet import Wallet
from tests.journeys import documents, recovering
from tests.journeys.controllers import KINDS, enrolled, link
from tests.journeys.people import Patient, Person, unknown_id
from tests.journeys.recovering import (
    attest,
    change,
    draft,
    draft_guardians,
    end_custody,
    objection,
    propose,
    recovers,
    set_guardians,
    shown,
    sign,
    signed_guardians,
    successor,
)
from tests.journeys.resources import observation
from tests.journeys.sites import Site
from tests.journeys.sockets import subscribed


def test_a_lost_key_is_replaced_by_two_of_three_guardians(site: Site) -> None:
    recovers(site, site.crowd.patient(), "passkey")


def test_a_lost_passkey_is_replaced_by_two_of_three_guardians(site: Site) -> None:
    lost = enrolled(site, KINDS["passkey"](site))
    link(lost).must()
    recovers(site, lost, "wallet")


def test_signatures_may_come_all_at_once_and_from_anybody(
    slow: Site, guardians: tuple[Person, ...], guarded: Patient
) -> None:
    """As files, say, which the patient brings who is nobody here yet."""
    key = Wallet.new()
    bearer = slow.crowd.clinician("Somebody Helpful")
    made = sign(bearer, draft(bearer, guarded, key), guardians[2].wallet, key, guardians[0].wallet).value
    assert (made["signed"], made["guardiansNeeded"], made["controllerNeeded"]) == (2, 0, False)
    assert shown(guardians[1], guarded).value["pending"]["controller"] == key.signer
    assert shown(bearer, guarded).code == "NOT_PERMITTED"


def test_what_is_collected_is_seen_by_guardians_and_told_to_nobody_else(
    slow: Site, guardians: tuple[Person, ...], guarded: Patient
) -> None:
    key = Wallet.new()
    typed = draft(guardians[0], guarded, key)
    first = sign(guardians[0], typed, guardians[0].wallet).value
    assert (first["signed"], first["guardiansNeeded"], first["controllerNeeded"]) == (1, 1, True)
    assert sign(guardians[0], typed, guardians[0].wallet).value == first
    seen = shown(guardians[1], guarded).value
    assert (seen["guardians"], seen["threshold"], seen["pending"]) == (3, 2, None)
    assert [one["controller"] for one in seen["proposals"]] == [key.signer]
    # The patient's own key may be a thief's by now: it is told of what is on chain.
    assert shown(guarded.person, guarded).value["proposals"] == []
    assert "RECOVERY" not in str([entry["action"] for entry in guarded.access_log()])
    stranger = slow.crowd.clinician("Nobody's Guardian")
    nobody = recovering.SHOW, {"patientId": unknown_id("Patient", 32)}
    answers = {(one.code, one.message) for one in (shown(stranger, guarded), stranger.ask(*nobody))}
    assert answers == {("NOT_PERMITTED", "not permitted")}


def test_the_patient_sees_their_guardians_and_who_comes_after_them(quick: Site) -> None:
    guardians = tuple(quick.crowd.clinician(f"Guardian {number}") for number in range(2))
    patient = quick.crowd.patient()
    assert set_guardians(patient, guardians).value["nextFrom"] is None
    set_guardians(patient, guardians[:1], 1).must()
    deadline = time.monotonic() + recovering.PATIENCE_SECONDS
    while (found := seen_guardians(patient))["next"] is not None:
        assert (found["current"]["opened"]["threshold"], found["next"]["opened"]["threshold"]) == (2, 1)
        assert found["nextFrom"] is not None
        assert time.monotonic() < deadline, "the next guardians do not come"
        time.sleep(0.5)
    assert [one["id"] for one in found["current"]["opened"]["guardians"]] == [guardians[0].id]


def seen_guardians(patient: Patient) -> dict[str, Any]:
    found: dict[str, Any] = patient.person.ask(recovering.GUARDIANS, {"id": patient.id}).value["guardians"]
    return found


def test_a_guardianship_that_stands_is_success_and_none_is_one_too(guardians: tuple[Person, ...], slow: Site) -> None:
    patient = slow.crowd.patient()
    drafted = draft_guardians(patient, guardians, 2).value
    given = signed_guardians(patient, drafted)
    first = patient.person.ask(recovering.SET_GUARDIANS, {"input": given}).value
    assert patient.person.ask(recovering.SET_GUARDIANS, {"input": given}).value == first
    assert set_guardians(patient, (), 0).value["nextFrom"] is not None


def test_while_one_is_pending_permits_wait_and_denies_and_revocations_do_not(
    slow: Site, guardians: tuple[Person, ...], guarded: Patient
) -> None:
    clinician = slow.crowd.clinician()
    record = guarded.store(observation())
    consent = guarded.consent(clinician.id)
    late = guarded.draft(clinician.id, labels=["HIV"]).value["typedData"]
    propose(guardians[:2], guarded, Wallet.new()).must()
    assert clinician.read(record).value["id"] == record
    refused = guarded.person.submit(documents.GRANT, late)
    assert (refused.code, refused.message.partition(":")[0]) == ("CONFLICT", "a recovery is pending")
    assert guarded.draft(clinician.id).code == "CONFLICT"
    guarded.consent(clinician.id, effect="DENY", labels=["PSY"])
    assert guarded.revoke(consent).value["status"] == "REVOKED"
    assert clinician.read(record).code == "NOT_PERMITTED"


def test_the_old_key_objects_once_and_all_guardians_cannot_be_stopped(
    slow: Site, guardians: tuple[Person, ...], guarded: Patient
) -> None:
    key = Wallet.new()
    propose(guardians[:2], guarded, key).must()
    objected = objection(guarded).value
    assert (objected["objected"], objected["pending"]) == (True, None)
    again = propose(guardians, guarded, key).value
    assert (again["signed"], again["attestationNeeded"]) == (3, False)
    pending = shown(guarded.person, guarded).value["pending"]
    assert (pending["controller"], pending["stoppable"]) == (key.signer, False)
    assert objection(guarded).code == "CONFLICT"


def test_what_all_signed_ahead_goes_out_by_itself_once_the_patient_objects(
    guardians: tuple[Person, ...], guarded: Patient
) -> None:
    key = Wallet.new()
    propose(guardians[:2], guarded, key).must()
    ahead = propose(guardians, guarded, key).value
    assert (ahead["attempt"], ahead["signed"], ahead["attestationNeeded"]) == (1, 3, False)
    objection(guarded).must()
    deadline = time.monotonic() + recovering.PATIENCE_SECONDS
    while (found := shown(guarded.person, guarded).value["pending"]) is None:
        assert time.monotonic() < deadline, "what was signed ahead was not sent"
        time.sleep(0.2)
    assert (found["controller"], found["stoppable"]) == (key.signer, False)


def test_two_guardians_and_a_registrar_who_saw_the_patient_cannot_be_stopped(
    slow: Site, guardians: tuple[Person, ...], guarded: Patient
) -> None:
    key = Wallet.new()
    propose(guardians[:2], guarded, key).must()
    objection(guarded).must()
    waiting = propose(guardians[:2], guarded, key).value
    assert (waiting["guardiansNeeded"], waiting["attestationNeeded"]) == (0, True)
    assert shown(guardians[0], guarded).value["pending"] is None
    assert attest(slow.crowd.registrar, guarded, key).value["attestationNeeded"] is False
    assert shown(guardians[0], guarded).value["pending"]["stoppable"] is False
    assert objection(guarded).code == "CONFLICT"


def test_a_key_is_handed_over_by_both_signatures_and_what_was_before_has_ended(
    slow: Site, guardians: tuple[Person, ...], guarded: Patient
) -> None:
    clinician = slow.crowd.clinician()
    record = guarded.store(observation())
    guarded.consent(clinician.id)
    key = Wallet.new()
    with subscribed(guarded.person, documents.CONSENT_CHANGED, {"id": guarded.id}) as changes:
        assert change(guarded, key).value["controller"] == key.signer
        changes.await_end()
    again = successor(slow.crowd, guarded, key)
    assert again.own() == [record]
    assert clinician.read(record).code == "NOT_PERMITTED"
    kept = again.person.ask(recovering.GUARDIANS, {"id": again.id}).value["guardians"]["current"]["opened"]
    assert [one["id"] for one in kept["guardians"]] == [one.id for one in guardians]


def test_the_sessions_of_a_key_that_controls_no_longer_end(slow: Site, guarded: Patient) -> None:
    assert guarded.person.once(documents.VIEWER).value["id"] == guarded.person.id
    change(guarded, Wallet.new()).must()
    deadline = time.monotonic() + recovering.PATIENCE_SECONDS
    while guarded.person.once(documents.VIEWER).found is not None:
        assert time.monotonic() < deadline, "the session of the old key lives on"
        time.sleep(0.2)


def test_custody_ends_by_the_patients_own_key_which_a_registrar_brings(slow: Site) -> None:
    made = slow.crowd.registrar.ask(documents.ENROL, {"input": {"controller": None}}).value
    key = Wallet.new()
    assert end_custody(slow.crowd.registrar, made["id"], key).value["controller"] == key.signer
    nobody = Patient(person=slow.crowd.registrar, id=made["id"], subject=made["subject"])
    patient = successor(slow.crowd, nobody, key)
    record = patient.store(observation())
    assert patient.own() == [record]
    assert end_custody(slow.crowd.registrar, made["id"], Wallet.new()).code == "CONFLICT"


def test_anybody_may_ask_for_the_end(quick: Site) -> None:
    guardians = tuple(quick.crowd.clinician(f"Guardian {number}") for number in range(2))
    patient, key, asker = quick.crowd.patient(), Wallet.new(), quick.crowd.clinician("Anybody")
    set_guardians(patient, guardians).must()
    finish = recovering.FINISH, {"patientId": patient.id}
    assert asker.ask(*finish).message == "no recovery is pending"
    propose(guardians, patient, key).must()
    deadline = time.monotonic() + recovering.PATIENCE_SECONDS
    while (answer := asker.ask(*finish)).message.startswith("ready at"):
        assert time.monotonic() < deadline, "the recovery is never ready"
        time.sleep(0.3)
    assert not answer.code or answer.message == "no recovery is pending"
    assert successor(quick.crowd, patient, key).own() == []
