"""What is refused, hidden, ended or asked twice tells nothing on the side, and is in the patient's log."""

import time
from concurrent.futures import ThreadPoolExecutor

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from gateway import eip712
from gateway.consent.names import subject_of_topic
from gateway.demo.wallet import Wallet
from gateway.jsontext import JsonValue
from tests.journeys import documents
from tests.journeys.people import Patient, Person, instant, unknown_id
from tests.journeys.resources import HIV_POSITIVE, SNOMED, condition, observation
from tests.journeys.sites import Site
from tests.journeys.wallets import send

INLINE = "73211009"
"""Diabetes: no rule flags it; its author marked it."""
_MARK: JsonValue = {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "SDV"}]}


def _with_a_marked_part() -> dict[str, JsonValue]:
    part = {**condition(code=INLINE, date="1999-01-01"), "id": "part", "meta": _MARK}
    return {**condition(), "contained": [part], "evidence": [{"detail": [{"reference": "#part"}]}]}


def test_an_amendment_does_not_tell_the_type_of_what_is_hidden(patient: Patient, clinician: Person) -> None:
    hidden = patient.store(condition(code=HIV_POSITIVE))
    patient.consent(clinician.id, actions=["READ", "WRITE"])
    for guess in (condition(code=HIV_POSITIVE), observation()):
        answer = clinician.amend(hidden, guess, version=1)
        assert (answer.code, answer.field) == ("NOT_PERMITTED", ())


def test_a_filter_does_not_find_what_is_redacted(patient: Patient, clinician: Person) -> None:
    record = patient.store(_with_a_marked_part(), labels=[])
    patient.consent(clinician.id)
    shown = clinician.read(record).value
    assert "contained" not in shown["content"], "the part is redacted"
    assert clinician.seen(patient.id, wanted={"code": f"{SNOMED}|{INLINE}"}) == []
    assert clinician.seen(patient.id, wanted={"code": f"{SNOMED}|38341003"}) == [record]
    old = {"from": "1990-01-01T00:00:00Z", "to": "2000-01-01T00:00:00Z"}
    assert clinician.seen(patient.id, wanted=old) == []
    assert patient.person.seen(patient.id, purpose="PATRQT", wanted={"code": f"{SNOMED}|{INLINE}"}) == [record]


def test_an_answer_given_again_is_in_the_log_again(patient: Patient) -> None:
    first = patient.store(observation(), key="again")
    assert patient.store(observation(), key="again") == first
    assert [event["action"] for event in patient.access_log()].count("WRITE") == 2


def test_one_amendment_sent_many_times_at_once_answers_alike(patient: Patient) -> None:
    record = patient.store(observation())
    with ThreadPoolExecutor(6) as senders:
        sent = [
            senders.submit(patient.person.amend, record, observation(value="131"), version=1, key="one")
            for _ in range(6)
        ]
    assert {one.result().value["version"] for one in sent} == {2}


def test_whoever_drafts_a_consent_for_another_is_in_that_patients_log(patient: Patient, stranger: Person) -> None:
    asked = {
        "patientId": patient.id,
        "granteeId": stranger.id,
        "purposes": ["TREAT"],
        "notAfter": "2099-01-01T00:00:00Z",
    }
    assert stranger.ask(documents.DRAFT_CONSENT, {"input": asked}).code == "NOT_PERMITTED"
    assert ("GRANT", "DENIED") in {(event["action"], event["outcome"]) for event in patient.access_log()}


def test_a_draft_for_nobody_is_refused_in_the_same_words(patient: Patient, stranger: Person) -> None:
    answers = []
    for id in (patient.id, unknown_id("Patient", 32)):
        asked = {"patientId": id, "granteeId": stranger.id, "purposes": ["TREAT"], "notAfter": "2099-01-01T00:00:00Z"}
        answer = stranger.ask(documents.DRAFT_CONSENT, {"input": asked})
        answers.append((answer.code, answer.message, answer.field))
    assert answers[0] == answers[1]


def test_a_session_ends_with_the_key_that_opened_it(site: Site) -> None:
    person, fresh = site.crowd.clinician(), Wallet.new()
    facts = site.gateway.facts()
    full = eip712.typed_data(
        "KeyRotation",
        {"KeyRotation": (("actor", "bytes32"), ("key", "bytes"), ("epoch", "uint64"))},
        {"actor": person.actor, "key": fresh.signer, "epoch": 0},
        eip712.domain(chain_id=facts["chainId"], contract=facts["contracts"]["identity"]),
    )
    signatures = [bytes.fromhex(wallet.sign_typed_data(full)[2:]) for wallet in (person.wallet, fresh)]
    data = keccak(b"rotateKey(bytes32,bytes,bytes,bytes)")[:4] + encode(
        ["bytes32", "bytes", "bytes", "bytes"],
        [bytes.fromhex(person.actor[2:]), bytes.fromhex(fresh.signer[2:]), *signatures],
    )
    if site.servers is not None:
        site.servers.chain.fund(person.wallet.address, 10**18)
    receipt = send(site.gateway.rpc, person.wallet._account, to=facts["contracts"]["identity"], data=data)
    assert int(receipt["status"], 16) == 1
    deadline = time.monotonic() + 10
    while person.ask(documents.VIEWER).found is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_patients_name_is_not_looked_up_by_an_id_from_the_chain(patient: Patient, stranger: Person) -> None:
    asked = "query ($id: ID!) { node(id: $id) { ... on Actor { name } } }"
    assert stranger.ask(asked, {"id": patient.person.id}).value["name"] is None
    assert patient.person.ask(asked, {"id": patient.person.id}).value["name"] == patient.person.name
    assert patient.person.ask(asked, {"id": stranger.id}).value["name"] == stranger.name


def test_a_patients_name_is_not_looked_up_by_naming_them(site: Site, patient: Patient, clinician: Person) -> None:
    """Whoever is a patient may draft consents for any id that stands on chain, sign them, and look at them."""
    prying, name = site.crowd.patient("Prying Paul"), patient.person.name
    assert clinician.name in prying.draft(clinician.id).value["typedData"]["message"]["scope"]["statement"]
    assert name not in prying.draft(patient.person.id).text
    consent = prying.consent(patient.person.id)
    asked = """query ($id: ID!) { patient(id: $id) { consents { edges { node {
      consentId statement statementIn(language: DE) asFhir grantee { id name } } } } } }"""
    shown = prying.person.ask(asked, {"id": prying.id})
    assert consent in shown.text
    assert name not in shown.text


def test_a_patients_name_is_not_told_to_who_makes_them_a_member(site: Site, patient: Patient) -> None:
    """Nobody asks the member."""
    prying = site.crowd.register("ORGANIZATION", "Prying House")
    end = instant(time.time() + 3600)
    asked = {"organizationId": prying.id, "memberId": patient.person.id, "notAfter": end}
    draft = prying.ask(documents.DRAFT_MEMBERSHIP, {"input": asked})
    made = prying.submit(documents.ADD_MEMBER.replace("Actor { id", "Actor { id name"), draft.value["typedData"])
    assert (made.value["id"], made.value["name"]) == (patient.person.id, None)
    assert patient.person.name not in draft.text + made.text


def test_a_topic_of_junk_is_nobodys() -> None:
    assert [subject_of_topic(text) for text in ("subject:" + "zz" * 32, "subject:" + " " * 64, "x", "")] == [None] * 4
