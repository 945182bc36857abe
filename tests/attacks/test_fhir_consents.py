"""A FHIR Consent that is stored is a document: however permissive or restrictive, whoever wrote it, no decision changes
by it, in whole or in part. And none that our scope cannot say is drafted."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway import jsontext
from gateway.consent import messages
from gateway.consent.languages import Language
from gateway.consent.model import ANYONE, Action, Purpose
from gateway.errors import CallerError, ConsentryError, DeniedError
from gateway.identity.model import Role
from gateway.ids import RecordId, SubjectId
from gateway.records.model import Released
from gateway.slices import Slice
from schema.readings import consent_from_fhir
from schema.renderings import consent_as_fhir
from tests.attacks.inside import Inside, Somebody, inside
from tests.journeys.resources import condition, observation

pytestmark = pytest.mark.asyncio(loop_scope="module")
HL7 = "http://terminology.hl7.org/CodeSystem/"
PURPOSES = (Purpose.TREAT, Purpose.HPAYMT, Purpose.HOPERAT)


def consent(effect: str, subject: SubjectId, actor: bytes | None) -> dict[str, Any]:
    """The most that a FHIR Consent can permit or forbid, in this gateway's own names."""
    provision: dict[str, Any] = {
        "type": effect,
        "action": [{"coding": [{"system": HL7 + "consentaction", "code": code}]} for code in ("access", "use")],
        "purpose": [{"system": HL7 + "v3-ActReason", "code": purpose.value} for purpose in PURPOSES],
        "securityLabel": [{"system": HL7 + "v3-Confidentiality", "code": "V"}],
    }
    if actor is not None:
        reference = {"identifier": {"system": "urn:consentry:actor", "value": "0x" + actor.hex()}}
        role = {"coding": [{"system": HL7 + "v3-ParticipationType", "code": "IRCP"}]}
        provision["actor"] = [{"role": role, "reference": reference}]
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"system": HL7 + "consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"identifier": {"system": "urn:consentry:subject", "value": "0x" + subject.hex()}},
        "policyRule": {"coding": [{"system": HL7 + "v3-ActCode", "code": "OPTIN" if effect == "permit" else "OPTOUT"}]},
        "provision": {**provision, "provision": [{**provision, "type": "deny" if effect == "permit" else "permit"}]},
    }


class Ward:
    """A patient with two records, a clinician who may read the plain one, and a stranger who may read nothing."""

    at: Inside
    patient: Somebody
    clinician: Somebody
    stranger: Somebody
    subject: SubjectId
    records: tuple[RecordId, RecordId]

    async def decisions(self) -> list[str]:
        """What everybody is told, of each record and under each purpose, decided anew."""
        self.at.forget()
        found = []
        for who in (self.patient, self.clinician, self.stranger):
            for record in self.records:
                for purpose in (*PURPOSES, Purpose.PATRQT):
                    answer = await self.at.read(who, record, purpose=purpose)
                    found.append(type(answer).__name__)
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ward(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    folder = tmp_path_factory.mktemp("fhir-consents")
    async with inside(folder, batch_seconds=3600.0, batch_size=16_384) as at:
        made = Ward()
        made.at, made.patient, made.clinician = at, await at.person(Role.PATIENT), await at.person(Role.CLINICIAN)
        made.stranger = await at.person(Role.CLINICIAN)
        made.subject = await at.patient(made.patient)
        plain = await at.store(made.patient, made.subject, observation())
        made.records = (plain, await at.store(made.patient, made.subject, condition(), labels=("HIV",)))
        actions = (Action.READ, Action.WRITE)
        await at.consent(made.patient, made.subject, made.clinician.actor, actions=actions, labels=("unclassified",))
        yield made


async def test_a_stored_consent_decides_nothing(ward: Ward, shared_data: Path) -> None:
    before = await ward.decisions()
    assert {Released.__name__, DeniedError.__name__} == set(before)
    written = [
        consent(effect, ward.subject, actor)
        for effect in ("permit", "deny")
        for actor in (ward.stranger.actor, ward.clinician.actor, ANYONE, None)
    ]
    examples = sorted((shared_data / "fhir" / "hl7-r4-examples").glob("Consent-*.json"))
    assert len(examples) == 8
    hl7: list[Any] = [jsontext.loads(path.read_bytes()) for path in examples]
    for one in hl7:
        one.pop("patient")  # of another patient's name: the door would refuse it
    for resource in (*written, *hl7):
        for author in (ward.patient, ward.clinician):
            assert await ward.at.store(author, ward.subject, resource)
        assert await ward.decisions() == before


async def test_what_a_client_cannot_say_is_not_drafted_in_part(ward: Ward) -> None:
    """Neither the exception is left out, nor the label, nor the action."""
    for effect in ("permit", "deny"):
        resource = consent(effect, ward.subject, ward.stranger.actor)
        while True:
            with pytest.raises(CallerError) as refusal:
                consent_from_fhir(resource, subject=ward.subject, language=Language.EN)
            assert refusal.value.field[:2] == ("resource", "provision")
            if refusal.value.field[2] not in resource["provision"]:
                break
            resource["provision"].pop(refusal.value.field[2])
        assert refusal.value.field[2] == "action", "without an action nothing is left to be drafted"


async def test_another_keys_consent_is_no_draft(ward: Ward) -> None:
    at, caller = ward.at, await ward.at.caller(ward.patient)
    assert caller is not None
    page = await at.gateway.shown_consents.of_patient(caller, subject=ward.subject, part=Slice(size=1))
    read = consent_from_fhir(consent_as_fhir(page.items[0], None), subject=ward.subject, language=Language.EN)
    draft = await at.gateway.consents.draft(caller, read.asked, signer=read.signer)
    again = draft.typed_data["message"]
    signed = messages.consent_typed_data(page.items[0].terms, at.gateway._standings.domain)["message"]
    assert {**again, "scope": {**again["scope"], "salt": ""}} == {**signed, "scope": {**signed["scope"], "salt": ""}}
    stranger = bytes.fromhex(ward.stranger.wallet.signer[2:])
    with pytest.raises(CallerError) as refusal:
        await at.gateway.consents.draft(caller, read.asked, signer=stranger)
    assert refusal.value.field == ("resource", "performer")
    other = await at.caller(ward.stranger)
    assert other is not None
    for signer in (read.signer, stranger, None):
        with pytest.raises(ConsentryError) as denied:
            await at.gateway.consents.draft(other, read.asked, signer=signer)
        assert isinstance(denied.value, DeniedError)
