"""A FHIR Consent becomes a draft only where our scope can say all of it: what we write is read back as the same terms,
and every other element of R4, wherever it may stand, refuses by its path."""

import copy
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import jsontext
from gateway.consent.languages import Language
from gateway.consent.model import ANYONE, Action, ConsentStatus, Effect, Purpose
from gateway.consent.rules import draft_terms
from gateway.errors import CallerError
from gateway.ids import ActorId, RecordId, SubjectId, to_global
from schema.fhir.types import read_outline
from schema.readings import ReadConsent, consent_from_fhir
from schema.renderings import consent_as_fhir
from tests.unit.schema.conftest import Ask
from tests.unit.schema.services import PATIENT, World
from tests.unit.schema.test_renderings import STUDY, SUBJECT, VIEWS, view

TYPES: Final = read_outline().types
UNDERSTOOD: Final = {
    "Consent": "resourceType id meta text identifier status scope category patient performer policy policyRule"
    " provision",
    "Meta": "versionId lastUpdated",
    "Narrative": "status div",
    "Consent_Policy": "uri",
    "Consent_Provision": "type period actor action securityLabel purpose class code dataPeriod data",
    "Consent_Actor": "role reference",
    "Consent_Data": "meaning reference",
    "CodeableConcept": "coding",
    "Coding": "system code display",
    "Reference": "identifier display",
    "Identifier": "system value",
    "Period": "start end",
}
"""All that is read or rightly passed over, by FHIR's types; the rest of R4 refuses."""
STANDING: Final = ("plain", "everything", "deny to anyone", "later", "french", "study")


def read(resource: object, subject: SubjectId = SUBJECT, language: Language = Language.EN) -> ReadConsent:
    return consent_from_fhir(resource, subject=subject, language=language)


def written(name: str = "everything", grantee: str | None = "Dr Ada") -> dict[str, Any]:
    """As a client has it: through JSON text."""
    found = jsontext.loads(json.dumps(consent_as_fhir(VIEWS[name], grantee)).encode())
    assert isinstance(found, dict)
    return found


def objects(value: object, type_: str, at: tuple[str, ...]) -> Iterator[tuple[dict[str, Any], str, tuple[str, ...]]]:
    """Every object of a resource, its FHIR type and its path."""
    assert isinstance(value, dict)
    yield value, type_, at
    elements = TYPES[type_][1]
    for name, member in value.items():
        below = elements[name].strip("[]")
        for place, item in enumerate(member) if isinstance(member, list) else [(None, member)]:
            if isinstance(item, Mapping):
                yield from objects(item, below, (*at, name) if place is None else (*at, name, str(place)))


def refused(resource: object) -> tuple[str, ...]:
    with pytest.raises(CallerError) as refusal:
        read(resource)
    return refusal.value.field


@pytest.mark.parametrize("name", STANDING)
@pytest.mark.parametrize("grantee", ["Dr Ada", None])
def test_what_is_written_is_read_back_as_the_same_terms(name: str, grantee: str | None) -> None:
    language = Language.FR if name == "french" else Language.EN
    found = read(written(name, grantee), language=language)
    terms = VIEWS[name].terms
    again = draft_terms(found.asked, epoch=0, now=0, salt=terms.scope.salt, grantee_name="Dr <Ada> & Co")
    assert again == terms
    assert found.signer == VIEWS[name].signer


PARTS: Final = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="|"), min_size=1).filter(
    str.isprintable
)
CODES: Final = st.lists(st.builds("{}|{}".format, PARTS, PARTS) | PARTS, max_size=3)
NAMES: Final = st.binary(min_size=32, max_size=32).filter(any)
MOMENTS: Final = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)).map(
    lambda found: found.replace(tzinfo=UTC, microsecond=found.microsecond // 1000 * 1000)
)


@given(
    st.builds(
        dict,
        effect=st.sampled_from(list(Effect)),
        grantee=NAMES.map(ActorId),
        actions=st.lists(st.sampled_from(list(Action)), min_size=1, unique=True).map(tuple),
        purposes=st.lists(st.sampled_from(list(Purpose)), min_size=1, unique=True).map(tuple),
        resource_types=st.lists(PARTS, max_size=3).map(tuple),
        codes=CODES.map(tuple),
        authors=st.lists(NAMES.map(ActorId), max_size=2).map(tuple),
        records=st.lists(st.binary(min_size=16, max_size=16).map(RecordId), max_size=2).map(tuple),
        labels=st.lists(PARTS, max_size=3).map(tuple),
        data_use=st.lists(PARTS, max_size=2).map(tuple),
        data_from=st.none() | MOMENTS,
        terms_hash=st.none() | NAMES,
        not_after=st.just(datetime(2300, 1, 1, tzinfo=UTC)),
    )
)
def test_any_terms_are_read_back_as_they_were(terms: dict[str, Any]) -> None:
    original = view(**terms)
    found = read(jsontext.loads(json.dumps(consent_as_fhir(original, None)).encode()))
    again = draft_terms(found.asked, epoch=0, now=0, salt=bytes(32), grantee_name="Dr <Ada> & Co")
    assert again == original.terms


def test_every_other_element_of_r4_refuses_wherever_it_stands() -> None:
    """Each object of the fullest Consent, with each element of its type that is not understood."""
    original, tried = written(), 0
    original["meta"] = {"versionId": "1", "lastUpdated": "2026-01-01T00:00:00Z"}
    read(original)
    for place, (_, type_, at) in enumerate(objects(original, "Consent", ("resource",))):
        for name in {*TYPES[type_][1], "unheardOf"} - set(UNDERSTOOD[type_].split()):
            changed = copy.deepcopy(original)
            spot, _, _ = list(objects(changed, "Consent", ("resource",)))[place]
            spot[name] = True
            assert refused(changed) == (*at, name)
            tried += 1
    assert tried > 300


def test_a_value_of_another_shape_refuses_wherever_it_stands() -> None:
    original = written()
    for place, (spot, _, at) in enumerate(objects(original, "Consent", ("resource",))):
        for name in spot:
            for wrong in (None, [], {}, "", 7, True, ["7"], [7], {"seven": 7}):
                changed = copy.deepcopy(original)
                there, _, _ = list(objects(changed, "Consent", ("resource",)))[place]
                there[name] = wrong
                assert refused(changed)[: len(at)] in (at, ("resource",), ("resource", "provision"))


HL7: Final = "http://terminology.hl7.org/CodeSystem/"
CHANGES: Final[dict[str, tuple[str, Any]]] = {
    "an exception": ("provision.provision", [{"type": "deny"}]),
    "a custodian": ("organization", [{"reference": "Organization/f001"}]),
    "a source": ("sourceAttachment", {"title": "In lawyer speak"}),
    "a verification": ("verification", [{"verified": True}]),
    "a time of signing": ("dateTime", "2026-01-01"),
    "rules of reading": ("implicitRules", "http://example.org/rules"),
    "a law": ("policy", [{"uri": "https://www.gesetze-im-internet.de/bdsg_2018"}]),
    "another base policy": ("policyRule", {"coding": [{"system": HL7 + "consentpolicycodes", "code": "hipaa-auth"}]}),
    "a base policy that opts out": ("policyRule", {"coding": [{"system": HL7 + "v3-ActCode", "code": "OPTOUT"}]}),
    "a profile": ("meta", {"profile": ["http://example.org/p"]}),
    "a label of its own": ("meta", {"security": [{"code": "R"}]}),
    "over": ("status", "inactive"),
    "a mistake": ("status", "entered-in-error"),
    "another scope": ("scope", {"coding": [{"system": HL7 + "consentscope", "code": "adr"}]}),
    "research that is none": ("scope", {"coding": [{"system": HL7 + "consentscope", "code": "patient-privacy"}]}),
    "another category": ("category", [{"coding": [{"system": HL7 + "v3-ActCode", "code": "INFAO"}]}]),
    "words of its own": ("text", {"status": "additional", "div": "<div>And more</div>"}),
    "an ordered confidentiality": (
        "provision.securityLabel",
        [{"system": HL7 + "v3-Confidentiality", "code": "R"}],
    ),
    "disclosing": ("provision.action", [{"coding": [{"system": HL7 + "consentaction", "code": "disclose"}]}]),
    "half of writing": ("provision.action", [{"coding": [{"system": HL7 + "consentaction", "code": "collect"}]}]),
    "every action": ("provision.action", None),
    "every purpose": ("provision.purpose", None),
    "another purpose": ("provision.purpose", [{"system": HL7 + "v3-ActReason", "code": "HMARKT"}]),
    "a document's kind": ("provision.class", [{"system": "urn:ietf:bcp:13", "code": "application/hl7-cda+xml"}]),
    "a code of two": ("provision.code", [{"coding": [{"code": "a"}, {"code": "b"}]}]),
    "a code in words": ("provision.code", [{"text": "My knee"}]),
    "a system with a bar": ("provision.code", [{"coding": [{"system": "a|b", "code": "c"}]}]),
    "a code that would be parted": ("provision.code", [{"coding": [{"code": "a|b"}]}]),
    "related data": ("provision.data", [{"meaning": "related", "reference": {"reference": "Task/example3"}}]),
    "a record elsewhere": ("provision.data", [{"meaning": "instance", "reference": {"reference": "Observation/1"}}]),
    "a day": ("provision.period", {"start": "2026-01-01", "end": "2027-01-01"}),
    "no such day": ("provision.period", {"end": "2026-02-30T00:00:00Z"}),
    "part of a second": ("provision.period", {"end": "2030-01-01T00:00:00.5Z"}),
    "a day of data": ("provision.dataPeriod", {"start": "2020"}),
    "two grantees": ("provision.actor", None),
    "a custodian as actor": (
        "provision.actor",
        [
            {
                "role": {"coding": [{"system": HL7 + "v3-ParticipationType", "code": "CST"}]},
                "reference": {"identifier": {"system": "urn:consentry:actor", "value": "0x" + "02" * 32}},
            }
        ],
    ),
    "another patient": (
        "patient",
        {"identifier": {"system": "urn:consentry:subject", "value": "0x" + "0f" * 32}},
    ),
    "a patient elsewhere": ("patient", {"reference": "Patient/f001"}),
    "two performers": ("performer", None),
    "a modifier that nobody knows": (
        "provision.modifierExtension",
        [{"url": "http://example.org/m", "valueBoolean": True}],
    ),
    "a context that is no study's": (
        "provision.modifierExtension",
        [{"url": "urn:consentry:context", "valueString": "visit 7"}],
    ),
    "another's study": (
        "provision.modifierExtension",
        [{"url": "urn:consentry:study", "valueIdentifier": {"system": "http://clinicaltrials.gov", "value": "NCT1"}}],
    ),
    "a study of no form": (
        "provision.modifierExtension",
        [{"url": "urn:consentry:study", "valueIdentifier": {"system": "urn:consentry:study", "value": "NCT1"}}],
    ),
    "two studies": (
        "provision.modifierExtension",
        [
            {
                "url": "urn:consentry:study",
                "valueIdentifier": {"system": "urn:consentry:study", "value": to_global("Study", STUDY)},
            }
        ]
        * 2,
    ),
    "a study and more": (
        "provision.modifierExtension",
        [
            {
                "url": "urn:consentry:study",
                "valueIdentifier": {"system": "urn:consentry:study", "value": to_global("Study", STUDY)},
                "extension": [{"url": "http://example.org/m", "valueBoolean": True}],
            }
        ],
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_our_scope_cannot_say_refuses_by_its_path(name: str) -> None:
    path, value = CHANGES[name]
    changed = written()
    *front, last = path.split(".")
    spot = changed
    for step in front:
        spot = spot[step]
    if name in ("two grantees", "two performers"):
        spot[last] = spot[last] * 2
    elif value is None:
        del spot[last]
    else:
        spot[last] = value
    field = refused(changed)
    assert field[: len(front) + 2] == ("resource", *front, last)


def test_a_deny_without_purposes_or_with_a_permits_base_refuses() -> None:
    for path in ("purpose", "action"):
        changed = written("deny to anyone")
        del changed["provision"][path]
        assert refused(changed) == ("resource", "provision", path)
    changed = written("deny to anyone")
    changed["policyRule"]["coding"][0]["code"] = "OPTIN"
    assert refused(changed) == ("resource", "policyRule")
    assert read(written("deny to anyone")).asked.grantee == ANYONE


def test_what_is_over_is_not_read() -> None:
    for status in (ConsentStatus.REVOKED, ConsentStatus.EXPIRED):
        assert refused(written(status.lower())) == ("resource", "status")


def test_none_of_hl7s_examples_is_taken_in_part(shared_data: Path) -> None:
    paths = sorted((shared_data / "fhir" / "hl7-r4-examples").glob("Consent-*.json"))
    assert len(paths) == 8
    for path in paths:
        assert refused(jsontext.loads(path.read_bytes()))[0] == "resource"


@pytest.mark.asyncio
async def test_a_client_drafts_from_fhir_and_is_told_what_stands_in_the_way(ask: Ask, world: World) -> None:
    document = """mutation ($resource: JSON!, $patient: ID!) {
      draftConsentFromFhir(patientId: $patient, resource: $resource) {
        __typename ... on Draft { id } ... on Refusal { code field } } }"""
    resource = written("plain")
    resource["patient"]["identifier"]["value"] = "0x" + PATIENT.hex()
    given_ = {"token": "patient", "patient": to_global("Patient", PATIENT), "resource": resource}
    assert (await ask(document, **given_))["data"]["draftConsentFromFhir"]["__typename"] == "Draft"
    assert world.received[-1].purposes == (Purpose.TREAT,)
    resource["provision"]["provision"] = [{"type": "deny"}]
    refusal = (await ask(document, **given_))["data"]["draftConsentFromFhir"]
    assert refusal == {"__typename": "Refusal", "code": "INVALID", "field": ["resource", "provision", "provision"]}


def test_a_list_that_is_too_long_is_refused_before_it_is_looked_through() -> None:
    resource = written(next(iter(STANDING)), None)
    named = {"system": "urn:oid:1.2.3", "value": "7"}
    read({**resource, "identifier": [named] * 256})
    assert refused({**resource, "identifier": [named] * 257})[-1] == "identifier"
