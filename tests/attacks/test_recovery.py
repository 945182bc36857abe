"""A thief of the patient's key cannot keep it, guardians fewer than their threshold have nothing, a registrar alone has
less, and no signature says anything but what it is under."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from gateway.consent import messages
from gateway.demo.wallet import Wallet
from tests.journeys import documents, recovering
from tests.journeys.people import Answer, Patient, Person, unknown_id
from tests.journeys.recovering import (
    attest,
    change,
    draft,
    draft_guardians,
    objection,
    propose,
    set_guardians,
    shown,
    sign,
    signed_guardians,
    successor,
)
from tests.journeys.resources import observation
from tests.journeys.sites import Site
from tests.journeys.wallets import account_of, send
from tests.ports.databases import query


def test_a_thief_objects_once_and_not_twice(guardians: tuple[Person, ...], stolen: Patient) -> None:
    propose(guardians[:2], stolen, Wallet.new()).must()
    typed = stolen.person.ask(recovering.DRAFT_OBJECTION, {"patientId": stolen.id}).value["typedData"]
    stolen.person.submit(recovering.OBJECT, typed).must()
    propose(guardians, stolen, Wallet.new()).must()
    assert objection(stolen).code == "CONFLICT"
    assert stolen.person.submit(recovering.OBJECT, typed).code == "CONFLICT"
    pending = shown(guardians[0], stolen).value["pending"]
    assert (pending is not None, pending["stoppable"]) == (True, False)


def test_a_change_of_controller_gives_a_thief_no_second_objection(
    slow: Site, guardians: tuple[Person, ...], stolen: Patient
) -> None:
    propose(guardians[:2], stolen, Wallet.new()).must()
    objection(stolen).must()
    key = Wallet.new()
    change(stolen, key).must()
    thief = successor(slow.crowd, stolen, key)
    propose(guardians, thief, Wallet.new()).must()
    assert objection(thief).code == "CONFLICT"


def test_a_thief_hands_nothing_over_while_a_recovery_is_pending(guardians: tuple[Person, ...], stolen: Patient) -> None:
    asked = {"patientId": stolen.id, "controller": (key := Wallet.new()).signer}
    typed = stolen.person.ask(recovering.DRAFT_CHANGE, {"input": asked}).value["typedData"]
    propose(guardians[:2], stolen, Wallet.new()).must()
    assert change(stolen, key).code == "CONFLICT"
    given = {
        "typedData": typed,
        "signature": stolen.person.wallet.sign_typed_data(typed),
        "controllerSignature": key.sign_typed_data(typed),
    }
    refusal = stolen.person.ask(recovering.CHANGE, {"input": given})
    assert (refusal.code, refusal.message.partition(":")[0]) == ("CONFLICT", "a recovery is pending")
    assert owns_still(stolen)


def owns_still(patient: Patient) -> bool:
    """Whether the key that was the patient's is it still: it may see what is pending as the patient."""
    return shown(patient.person, patient).code == ""


def test_a_thief_replaces_no_guardians_while_a_recovery_is_pending(
    slow: Site, guardians: tuple[Person, ...], stolen: Patient
) -> None:
    theirs = slow.crowd.clinician("The Thief's Friend")
    drafted = draft_guardians(stolen, (theirs,), 1).value
    propose(guardians[:2], stolen, Wallet.new()).must()
    late = stolen.person.ask(recovering.SET_GUARDIANS, {"input": signed_guardians(stolen, drafted)})
    assert (late.code, late.message.partition(":")[0]) == ("CONFLICT", "a recovery is pending")
    assert draft_guardians(stolen, (theirs,), 1).code == "CONFLICT"
    assert shown(theirs, stolen).code == "NOT_PERMITTED"


def test_guardians_of_a_thief_hold_after_the_delay_and_never_if_the_old_ones_propose(
    slow: Site, guardians: tuple[Person, ...], stolen: Patient
) -> None:
    theirs = slow.crowd.clinician("The Thief's Friend")
    assert set_guardians(stolen, (theirs,), 1).value["next"]["opened"]["threshold"] == 1
    early = propose((theirs,), stolen, Wallet.new()) if not refused(theirs, stolen) else None
    assert early is None
    propose(guardians[:2], stolen, Wallet.new()).must()
    found = stolen.person.ask(recovering.GUARDIANS, {"id": stolen.id}).value["guardians"]
    assert (found["next"], found["current"]["opened"]["threshold"]) == (None, 2)


def refused(guardian: Person, patient: Patient) -> bool:
    """Whether this person's signature counts for nothing."""
    answer = sign(guardian, draft(guardian, patient, Wallet.new()), guardian.wallet)
    assert answer.code == "INVALID", answer
    return True


def test_a_thief_grants_nothing_while_a_recovery_is_pending(
    slow: Site, guardians: tuple[Person, ...], stolen: Patient
) -> None:
    accomplice = slow.crowd.clinician()
    record = stolen.store(observation())
    typed = stolen.draft(accomplice.id).value["typedData"]
    propose(guardians[:2], stolen, Wallet.new()).must()
    refusal = stolen.person.submit(documents.GRANT, typed)
    assert (refusal.code, refusal.message.partition(":")[0]) == ("CONFLICT", "a recovery is pending")
    assert accomplice.read(record).code == "NOT_PERMITTED"
    # Nor past the gateway.
    receipt = send(slow.gateway.rpc, account_of(stolen), to=registry(slow), data=grant_call(typed))
    assert int(receipt["status"], 16) == 0
    assert accomplice.read(record).code == "NOT_PERMITTED"


def registry(site: Site) -> str:
    return str(site.gateway.facts()["contracts"]["consent"])


def grant_call(typed: Mapping[str, Any]) -> bytes:
    """ConsentRegistry.grant of a drafted consent, with no signature: the sender is the controller."""
    domain, message = typed["domain"], typed["message"]
    terms = messages.read_consent(typed, domain)
    fields = (
        messages.CONSENT_TYPE_HASH,
        bytes.fromhex(message["subject"][2:]),
        int(terms.effect),
        messages.scope_hash(terms.scope, domain),
        terms.not_before,
        terms.not_after,
        terms.epoch,
    )
    kinds = "(bytes32,bytes32,uint8,bytes32,uint64,uint64,uint64)"
    return keccak(text=f"grant({kinds},uint32,bytes)")[:4] + encode([kinds, "uint32", "bytes"], [fields, 0, b""])


def test_a_thief_erases_nothing_while_a_recovery_is_pending(
    slow: Site, guardians: tuple[Person, ...], stolen: Patient
) -> None:
    reader = slow.crowd.clinician()
    record = stolen.store(observation())
    stolen.consent(reader.id)
    typed = stolen.erasure()
    propose(guardians[:2], stolen, Wallet.new()).must()
    assert stolen.person.ask(documents.DRAFT_ERASURE, {"patientId": stolen.id}).code == "CONFLICT"
    assert stolen.person.submit(documents.ERASE, typed).code == "CONFLICT"
    assert reader.read(record).value["content"] == observation()
    assert query(slow.gateway.index_url, "select count(*) from erasures")[0][0] == 0


def test_fewer_guardians_than_their_threshold_have_nothing(guardians: tuple[Person, ...], stolen: Patient) -> None:
    key = Wallet.new()
    typed = draft(guardians[0], stolen, key)
    assert sign(guardians[0], typed, guardians[0].wallet, key).value["guardiansNeeded"] == 1
    assert shown(guardians[0], stolen).value["pending"] is None


def test_a_guardian_who_signs_twice_counts_once(guardians: tuple[Person, ...], stolen: Patient) -> None:
    key = Wallet.new()
    typed = draft(guardians[0], stolen, key)
    twice = sign(guardians[0], typed, guardians[0].wallet, guardians[0].wallet, key).value
    assert (twice["signed"], twice["guardiansNeeded"]) == (1, 1)
    assert sign(guardians[1], typed, guardians[0].wallet).value["guardiansNeeded"] == 1
    assert shown(guardians[0], stolen).value["pending"] is None


def test_of_guardians_who_sign_at_the_same_moment_one_finds_them_all(slow: Site, guardians: tuple[Person, ...]) -> None:
    for _ in range(3):
        patient, key = slow.crowd.patient(), Wallet.new()
        set_guardians(patient, guardians, 3).must()
        typed = draft(guardians[0], patient, key)
        sign(guardians[0], typed, guardians[0].wallet, key).must()
        with ThreadPoolExecutor(2) as pool:
            waiting = [pool.submit(sign, one, typed, one.wallet) for one in guardians[1:]]
            answers = [one.result() for one in waiting]
        assert any(not one.code and one.value["guardiansNeeded"] == 0 for one in answers), answers
        assert shown(guardians[0], patient).value["pending"]["controller"] == key.signer


def test_a_guardian_is_named_once_and_the_patients_own_key_is_none(
    guardians: tuple[Person, ...], stolen: Patient
) -> None:
    for named, threshold, field in (
        ((guardians[0], guardians[0]), 2, "guardianIds"),
        ((guardians[0], stolen.person), 2, "guardianIds"),
        (guardians, 0, "threshold"),
        (guardians, 4, "threshold"),
    ):
        answer = draft_guardians(stolen, named, threshold)
        assert (answer.code, answer.field) == ("INVALID", (field,))


def test_guardians_cannot_take_over_for_a_key_that_did_not_sign(guardians: tuple[Person, ...], stolen: Patient) -> None:
    typed = draft(guardians[0], stolen, Wallet.new())
    view = sign(guardians[0], typed, *(one.wallet for one in guardians)).value
    assert (view["signed"], view["controllerNeeded"]) == (3, True)
    assert shown(guardians[0], stolen).value["pending"] is None


def test_a_registrar_alone_has_nothing(slow: Site, guardians: tuple[Person, ...], stolen: Patient) -> None:
    key = Wallet.new()
    assert attest(slow.crowd.registrar, stolen, key).code == "INVALID"
    propose(guardians[:2], stolen, key).must()
    objection(stolen).must()
    assert attest(slow.crowd.registrar, stolen, Wallet.new()).code == "INVALID"
    one = draft(guardians[0], stolen, key)
    sign(guardians[0], one, guardians[0].wallet, key).must()
    assert attest(slow.crowd.registrar, stolen, key).value["guardiansNeeded"] == 1
    assert shown(guardians[0], stolen).value["pending"] is None
    assert slow.crowd.registrar.ask(recovering.DRAFT_CHANGE, changed(stolen, key)).code == "NOT_PERMITTED"
    assert slow.crowd.registrar.ask(recovering.END_CUSTODY, custody(slow, stolen, key)).code in ("CONFLICT", "INVALID")


def changed(patient: Patient, key: Wallet) -> dict[str, Any]:
    return {"input": {"patientId": patient.id, "controller": key.signer}}


def custody(site: Site, patient: Patient, key: Wallet) -> dict[str, Any]:
    """As if the patient were in custody still."""
    drafted = site.crowd.registrar.ask(recovering.DRAFT_CUSTODY_END, changed(patient, key))
    typed = drafted.value["typedData"]
    return {"input": {"typedData": typed, "signature": key.sign_typed_data(typed)}}


def test_nobody_but_a_registrar_attests(slow: Site, guardians: tuple[Person, ...], stolen: Patient) -> None:
    key = Wallet.new()
    propose(guardians[:2], stolen, key).must()
    objection(stolen).must()
    sign(guardians[0], draft(guardians[0], stolen, key), guardians[0].wallet, guardians[1].wallet, key).must()
    typed = slow.crowd.registrar.ask(recovering.DRAFT_ATTESTATION, changed(stolen, key)).value["typedData"]
    for witness in (guardians[0], stolen.person):
        assert witness.submit(recovering.ATTEST, typed).code == "NOT_PERMITTED"
    registrar, forged = slow.crowd.registrar, guardians[0].wallet.sign_typed_data(typed)
    answer = registrar.ask(recovering.ATTEST, {"input": {"typedData": typed, "signature": forged}})
    assert (answer.code, answer.field) == ("INVALID", ("signature",))
    assert shown(guardians[0], stolen).value["pending"] is None


def test_a_stranger_fills_nothing_and_learns_nothing(
    slow: Site, guardians: tuple[Person, ...], stolen: Patient
) -> None:
    """Not even with a key of their own that signed to take over."""
    stranger, key = slow.crowd.clinician("Stranger"), Wallet.new()
    nobody = Patient(person=stranger, id=unknown_id("Patient", 32), subject="")
    bare = slow.crowd.patient()
    before = query(slow.gateway.index_url, "select count(*) from papers")[0][0]
    answers: list[Answer] = []
    for patient in (stolen, nobody, bare):
        typed = draft(stranger, patient, key)
        answers += [sign(stranger, typed, key), sign(stranger, typed, stranger.wallet, key)]
    assert {(one.code, one.message, one.field) for one in answers} == {
        (answers[0].code, answers[0].message, answers[0].field)
    }
    assert answers[0].code == "INVALID"
    assert query(slow.gateway.index_url, "select count(*) from papers")[0][0] == before


def test_a_signature_of_another_attempt_subject_or_chain_says_nothing(
    slow: Site, guardians: tuple[Person, ...], stolen: Patient
) -> None:
    key, other = Wallet.new(), slow.crowd.patient()
    set_guardians(other, guardians).must()
    typed = draft(guardians[0], stolen, key)
    signatures = [one.wallet.sign_typed_data(typed) for one in guardians[:2]] + [key.sign_typed_data(typed)]

    def given(part: str, name: str, value: object) -> Answer:
        bent = {**typed, part: {**typed[part], name: value}}
        return guardians[0].ask(recovering.SIGN, {"input": {"typedData": bent, "signatures": signatures}})

    assert given("message", "subject", other.subject).field == ("signatures",)
    assert given("message", "attempt", 1).field == ("signatures",)
    assert given("message", "notAfter", typed["message"]["notAfter"] + 1).field == ("signatures",)
    assert given("message", "controller", Wallet.new().signer).field == ("signatures",)
    assert given("domain", "chainId", 1).field == ("typedData", "domain", "chainId")
    assert given("domain", "verifyingContract", "0x" + "11" * 20).field[-1] == "verifyingContract"
    assert shown(guardians[0], other).value["proposals"] == []
    # The very same, once the attempt is over.
    guardians[0].ask(recovering.SIGN, {"input": {"typedData": typed, "signatures": signatures}}).must()
    objection(stolen).must()
    again = guardians[0].ask(recovering.SIGN, {"input": {"typedData": typed, "signatures": signatures}})
    assert (again.code, again.field[-1]) == ("CONFLICT", "attempt")
    assert shown(guardians[0], stolen).value["pending"] is None


def test_an_expired_proposal_is_refused(guardians: tuple[Person, ...], stolen: Patient) -> None:
    key, soon = Wallet.new(), time.time() + 3
    asked = {"patientId": stolen.id, "controller": key.signer}
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(soon))
    typed = guardians[0].ask(recovering.DRAFT, {"input": {**asked, "notAfter": ends}}).value["typedData"]
    time.sleep(max(0.0, int(soon) - time.time() + 1))
    answer = sign(guardians[0], typed, guardians[0].wallet, guardians[1].wallet, key)
    assert (answer.code, answer.field[-1]) == ("INVALID", "notAfter")
    for moment in ("2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"):
        refusal = guardians[0].ask(recovering.DRAFT, {"input": {**asked, "notAfter": moment}})
        assert (refusal.code, refusal.field) == ("INVALID", ("notAfter",))
