"""Nobody becomes a patient without the patient's signature, nor against their own will; a passkey of another page signs
nothing for anybody."""

from typing import Any, cast

import pytest

from tests.journeys import documents
from tests.journeys.controllers import KINDS, Hand, draft_link, enrolled, link, passkey, submit_link
from tests.journeys.people import Patient, Person, unknown_id
from tests.journeys.resources import observation
from tests.journeys.sites import Site


def hand(patient: Patient) -> Hand:
    return cast("Hand", patient.person.wallet)


def typed_for(asker: Person, patient: Patient, actor: str, *, linked: bool = True) -> dict[str, Any]:
    typed: dict[str, Any] = draft_link(asker, patient.id, actor, linked=linked).value["typedData"]
    return typed


@pytest.fixture
def keyed(site: Site) -> Patient:
    """A patient under a P-256 key, not linked."""
    return enrolled(site, KINDS["p256"](site))


def test_an_actor_is_not_linked_without_the_patients_key(keyed: Patient, stranger: Person) -> None:
    typed = typed_for(stranger, keyed, stranger.id)
    theirs = stranger.wallet.sign_typed_data(typed)
    for signature in ("0x", theirs):
        refused = submit_link(stranger, typed, signature=signature, actor_signature=theirs)
        assert (refused.code, refused.field) == ("INVALID", ("signature",))
    assert stranger.ask(documents.PATIENT, {"id": keyed.id}).value is None


def test_nobody_is_linked_against_their_will(site: Site, keyed: Patient, stranger: Person) -> None:
    assert link(keyed).code == ""
    typed = typed_for(keyed.person, keyed, stranger.id)
    for actor_signature in ("0x", hand(keyed).key.sign_typed_data(typed)):
        refused = submit_link(
            keyed.person, typed, signature=hand(keyed).key.sign_typed_data(typed), actor_signature=actor_signature
        )
        assert (refused.code, refused.field) == ("INVALID", ("actorSignature",))
    shown = keyed.person.ask(documents.CREDENTIALS, {"id": keyed.id}).value["credentials"]
    assert shown == [{"id": keyed.person.id}]


def test_a_link_is_not_replayed_after_its_end(keyed: Patient) -> None:
    typed = typed_for(keyed.person, keyed, keyed.person.id)
    signed = {
        "signature": hand(keyed).key.sign_typed_data(typed),
        "actor_signature": hand(keyed).wallet.sign_typed_data(typed),
    }
    assert submit_link(keyed.person, typed, **signed).value["linked"] is True
    assert link(keyed, linked=False).value["linked"] is False
    assert submit_link(keyed.person, typed, **signed).code == "CONFLICT"
    assert keyed.draft(keyed.person.id).code == "NOT_PERMITTED"


def test_who_would_link_others_stands_in_the_patients_log(site: Site, patient: Patient, stranger: Person) -> None:
    for linked in (True, False):
        assert draft_link(stranger, patient.id, patient.person.id, linked=linked).code == "NOT_PERMITTED"
    told = {(event["action"], event["outcome"], event["actor"]["id"]) for event in patient.access_log()}
    assert {("LINK", "DENIED", stranger.id), ("UNLINK", "DENIED", stranger.id)} <= told


def test_others_draft_no_link_and_a_patient_who_is_none_looks_like_any(keyed: Patient, stranger: Person) -> None:
    assert draft_link(stranger, keyed.id, keyed.person.id).code == "NOT_PERMITTED"
    nobody = unknown_id("Patient", 32)
    there = draft_link(stranger, keyed.id, stranger.id).value["typedData"]
    absent = draft_link(stranger, nobody, stranger.id).value["typedData"]
    assert there["message"]["nonce"] == absent["message"]["nonce"]
    signed = [stranger.wallet.sign_typed_data(one) for one in (there, absent)]
    answers = [
        submit_link(stranger, one, signature=mine, actor_signature=mine)
        for one, mine in zip((there, absent), signed, strict=True)
    ]
    assert len({(one.code, one.message, one.field) for one in answers}) == 1


@pytest.mark.parametrize("rp_id", ["127.0.0.1", "localhost", "gateway.localhost"])
def test_a_passkey_asked_on_another_page_signs_no_consent(site: Site, clinician: Person, rp_id: str) -> None:
    """Not even the right key: what its holder was shown there may have been a sign-in."""
    key = passkey(site)
    patient = enrolled(site, key)
    assert link(patient).code == ""
    record = patient.store(observation())
    typed = patient.draft(clinician.id).value["typedData"]
    key.rp_id = rp_id
    refused = patient.person.submit(documents.GRANT, typed)
    assert (refused.code, refused.field) == ("INVALID", ("signature",))
    assert clinician.read(record).code == "NOT_PERMITTED"
    key.rp_id = "signing.localhost"
    assert patient.person.submit(documents.GRANT, typed).code == ""
