"""What is rendered as FHIR is valid R4, says all that the original says, and nothing of a patient beyond it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import pytest_asyncio

from gateway.adapters.fhir_validator import FhirValidator
from gateway.audit.model import AccessEvent, Outcome
from gateway.consent import rules
from gateway.consent.languages import Language
from gateway.consent.model import ANYONE, Action, ConsentInput, ConsentStatus, ConsentView, Effect, Purpose
from gateway.ids import ActorId, ConsentId, DecisionId, RecordId, StudyId, SubjectId, to_global
from gateway.ports.anchors import AnchorState
from schema.renderings import consent_as_fhir, event_as_fhir
from tests.unit.schema.conftest import Ask
from tests.unit.schema.services import PATIENT, World

pytestmark = pytest.mark.asyncio(loop_scope="module")
SUBJECT, GRANTEE, RECORD = SubjectId(b"\x01" * 32), ActorId(b"\x02" * 32), RecordId(b"\x03" * 16)
STUDY = StudyId(b"\x0d" * 32)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def validator() -> AsyncIterator[FhirValidator]:
    made = FhirValidator()
    await made.start()
    yield made
    await made.close()


def view(status: ConsentStatus = ConsentStatus.ACTIVE, **changes: Any) -> ConsentView:
    empty = dict.fromkeys(("resource_types", "codes", "authors", "records", "labels", "data_use"), ())
    none = dict.fromkeys(("data_from", "data_to", "not_before", "terms_hash"))
    plain: dict[str, Any] = {
        "subject": SUBJECT,
        "effect": Effect.PERMIT,
        "grantee": GRANTEE,
        "actions": (Action.READ,),
        "purposes": (Purpose.TREAT,),
        "not_after": datetime(2030, 1, 1, tzinfo=UTC),
    }
    wanted = ConsentInput(**{**empty, **none, **plain, **changes})
    terms = rules.draft_terms(wanted, epoch=0, now=1_700_000_000, salt=bytes(32), grantee_name="Dr <Ada> & Co")
    return ConsentView(
        consent=ConsentId(b"\x07" * 32), terms=terms, status=status, signer=b"\x08" * 20, transaction=None
    )


EVERYTHING: dict[str, Any] = {
    "actions": (Action.READ, Action.WRITE),
    "purposes": (Purpose.HRESCH, Purpose.CLINTRCH),
    "resource_types": ("Observation", "Condition"),
    "codes": ("http://loinc.org|8480-6", "no system", "|bare"),
    "authors": (ActorId(b"\x0a" * 32),),
    "records": (RECORD,),
    "labels": ("HIV", "PSY"),
    "data_from": datetime(2020, 1, 1, tzinfo=UTC),
    "data_use": ("DUO:0000042",),
    "terms_hash": b"\x0b" * 32,
}
VIEWS = {
    "plain": view(),
    "everything": view(**EVERYTHING),
    "deny to anyone": view(effect=Effect.DENY, grantee=ActorId(ANYONE), not_after=None),
    "revoked": view(ConsentStatus.REVOKED),
    "expired": view(ConsentStatus.EXPIRED),
    "later": view(ConsentStatus.NOT_YET),
    "french": view(language=Language.FR),
    "study": view(purposes=(Purpose.CLINTRCH,), study=STUDY, terms_hash=b"\x0b" * 32),
}


@pytest.mark.parametrize("name", VIEWS)
async def test_a_consent_is_valid_fhir(validator: FhirValidator, name: str) -> None:
    for grantee in ("Dr <Ada> & Co", None):
        assert await validator.check([orjson.dumps(consent_as_fhir(VIEWS[name], grantee))]) == ()


async def test_a_consent_says_all_of_its_scope() -> None:
    found = consent_as_fhir(VIEWS["everything"], "Dr Ada")
    assert found["status"] == "active"
    assert found["scope"]["coding"][0]["code"] == "research"
    assert found["policyRule"]["coding"][0]["code"] == "OPTIN"
    assert found["policy"] == [{"uri": "urn:consentry:terms:0x" + "0b" * 32}]
    assert found["patient"]["identifier"]["value"] == "0x" + "01" * 32
    provision = found["provision"]
    assert provision["type"] == "permit"
    assert provision["period"] == {"start": "2023-11-14T22:13:20.000Z", "end": "2030-01-01T00:00:00.000Z"}
    assert provision["dataPeriod"] == {"start": "2020-01-01T00:00:00Z"}
    assert provision["actor"][0]["reference"]["identifier"]["value"] == "0x" + "02" * 32
    assert [one["coding"][0]["code"] for one in provision["action"]] == ["access", "collect", "correct"]
    assert [one["code"] for one in provision["purpose"]] == ["HRESCH", "CLINTRCH", "DUO:0000042"]
    assert [one["code"] for one in provision["class"]] == ["Observation", "Condition"]
    assert [one["coding"][0] for one in provision["code"]] == [
        {"system": "http://loinc.org", "code": "8480-6"},
        {"code": "no system"},
        {"code": "|bare"},
    ]
    assert [one["code"] for one in provision["securityLabel"]] == ["HIV", "PSY"]
    assert [(one["meaning"], one["reference"]["identifier"]["value"]) for one in provision["data"]] == [
        ("instance", to_global("Record", RECORD)),
        ("authoredby", "0x" + "0a" * 32),
    ]


async def test_a_study_is_said_by_what_nobody_may_pass_over() -> None:
    provision = consent_as_fhir(VIEWS["study"], None)["provision"]
    assert provision["modifierExtension"] == [
        {
            "url": "urn:consentry:study",
            "valueIdentifier": {"system": "urn:consentry:study", "value": to_global("Study", STUDY)},
        }
    ]
    assert "modifierExtension" not in consent_as_fhir(VIEWS["everything"], None)["provision"]


async def test_a_context_that_nobody_knows_is_said_as_it_stands() -> None:
    signed = VIEWS["plain"].terms
    other = replace(VIEWS["plain"], terms=replace(signed, scope=replace(signed.scope, context="visit 7")))
    provision = consent_as_fhir(other, None)["provision"]
    assert provision["modifierExtension"] == [{"url": "urn:consentry:context", "valueString": "visit 7"}]


async def test_what_is_over_is_inactive_and_a_deny_opts_out() -> None:
    assert [consent_as_fhir(VIEWS[name], None)["status"] for name in ("plain", "later", "revoked", "expired")] == [
        "active", "active", "inactive", "inactive",
    ]  # fmt: skip
    deny = consent_as_fhir(VIEWS["deny to anyone"], None)
    assert (deny["policyRule"]["coding"][0]["code"], deny["provision"]["type"]) == ("OPTOUT", "deny")
    assert "actor" not in deny["provision"]
    assert "end" not in deny["provision"]["period"]


async def test_a_name_is_no_markup() -> None:
    assert "&lt;Ada&gt; &amp; Co" in consent_as_fhir(VIEWS["plain"], None)["text"]["div"]


EVENT = AccessEvent(
    decision=DecisionId(b"\x41" * 16),
    at=datetime(2026, 1, 1, tzinfo=UTC),
    actor=GRANTEE,
    action="READ",
    purpose="TREAT",
    outcome=Outcome.PERMITTED,
    record=RECORD,
    anchor=AnchorState(status="PENDING", proof=None),
    cursor="",
    basis="consent",
    subject=SUBJECT,
)
EVENTS = {
    "read": EVENT,
    "denied": replace(EVENT, outcome=Outcome.DENIED, basis=None),
    "page of nothing": replace(EVENT, record=None),
    "write": replace(EVENT, action="WRITE"),
    "emergency": replace(EVENT, basis="emergency", emergency=b"\x0e" * 32, purpose="ETREAT"),
    "grant": replace(EVENT, action="GRANT", purpose=None, record=None),
    "nobody": replace(EVENT, actor=None, subject=None),
}


@pytest.mark.parametrize("name", EVENTS)
async def test_an_audit_entry_is_valid_fhir(validator: FhirValidator, name: str) -> None:
    assert await validator.check([orjson.dumps(event_as_fhir(EVENTS[name]))]) == ()


async def test_an_audit_entry_says_who_what_whose_when_and_how_it_ended() -> None:
    found = event_as_fhir(EVENTS["emergency"])
    assert (found["action"], found["outcome"], found["recorded"]) == ("R", "0", "2026-01-01T00:00:00.000Z")
    assert found["subtype"][0]["code"] == "read"
    user = found["agent"][0]
    assert user["who"]["identifier"]["value"] == "0x" + "02" * 32
    assert user["purposeOfUse"][0]["coding"][0]["code"] == "ETREAT"
    assert [one["what"]["identifier"]["value"] for one in found["entity"]] == [
        "0x" + "01" * 32,
        to_global("Record", RECORD),
        to_global("Emergency", b"\x0e" * 32),
        to_global("Decision", b"\x41" * 16),
    ]
    assert event_as_fhir(EVENTS["denied"])["outcome"] == "4"
    assert event_as_fhir(EVENTS["write"])["action"] == "U"
    assert event_as_fhir(EVENTS["grant"])["action"] == "E"


async def test_both_are_asked_for_by_their_patient(ask: Ask, world: World) -> None:
    query = """query($id: ID!) { patient(id: $id) { consents { edges { node { asFhir } } }
      accessLog { edges { node { asFhir } } } } }"""
    found = (await ask(query, token="patient", id=to_global("Patient", PATIENT)))["data"]["patient"]
    assert found["consents"]["edges"][0]["node"]["asFhir"]["resourceType"] == "Consent"
    assert found["accessLog"]["edges"][0]["node"]["asFhir"]["resourceType"] == "AuditEvent"
