"""Every mutation that can give something away or change what a patient said, with texts that the patient did sign: a
relayer, a worker's owner or a thief of such a text has no more. Each is refused to all but those whom the table names.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from gateway.consent import control, messages
from gateway.consent.model import (
    Action,
    ConsentInput,
    ConsentStatus,
    ConsentView,
    DelegateInput,
    Effect,
    Purpose,
)
from gateway.demo.wallet import Wallet
from gateway.ids import ConsentId, to_global
from schema.renderings import consent_as_fhir
from tests.attacks import datasets
from tests.attacks.door.asking import SCHEMA
from tests.attacks.door.fields import WAYS
from tests.attacks.door.world import Case, House
from tests.journeys.resources import bundle, observation

_REFUSAL: Final = "... on Refusal { code message field }"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """`mutation`: with its arguments, each a variable of its own; `given`: their values."""

    letter: str
    mutation: str
    given: Mapping[str, Any]


def deed_document(chosen: Sequence[str]) -> str:
    """One document of these mutations."""
    assert SCHEMA.mutation_type is not None
    declared, calls = [], []
    for name in chosen:
        field = SCHEMA.mutation_type.fields[name]
        handed = []
        for argument, one in field.args.items():
            declared.append(f"${name}_{argument}: {one.type}")
            handed.append(f"{argument}: ${name}_{argument}")
        calls.append(f"{name}({', '.join(handed)}) {{ __typename {_REFUSAL} }}")
    return f"mutation Deeds({', '.join(declared)}) {{\n  " + "\n  ".join(calls) + "\n}"


ORDER: Final = (
    *("registerActor", "enrolPatient", "draftMembership", "addMember"),
    *("createRecord", "amendRecord", "importBundle"),
    *("draftConsent", "draftConsentFromFhir", "grantConsent", "draftRevocation", "revokeConsent"),
    *("requestConsent", "draftRequestedConsent", "declineConsentRequest", "withdrawConsentRequest"),
    *("draftCredential", "setCredential", "draftDelegate", "addDelegate", "draftDelegateRemoval", "removeDelegate"),
    *("draftGuardians", "setGuardians", "draftObjection", "objectToRecovery"),
    *("draftAttestation", "attestRecovery", "draftCustodyEnd", "endCustody"),
    *("draftRecovery", "signRecovery", "finishRecovery", "draftIdentityLink"),
    *("draftRevocationOfAll", "revokeAllConsents"),
    *("openEmergency", "endEmergency", "reviewEmergency"),
    *("requestDataset", "draftDatasetDecision", "decideDataset", "openDataset", "cancelDataset", "askAggregate"),
    *("draftStudyAct", "submitStudyAct", "captureForms", "changeForm", "raiseStudyQuery", "answerStudyQuery"),
    *("closeStudyQuery", "assignSubject", "tellArm", "recordStudyData", "answerStudy", "countForStudy"),
    *("draftErasure", "erasePatient", "draftControllerChange", "changeController"),
)
assert {f"Mutation.{name}" for name in ORDER} == {way for way in WAYS if way.startswith("Mutation.")}


PARTS: Final = tuple(ORDER[at : at + 25] for at in range(0, len(ORDER), 25))
"""As many as one document may have, in an order in which the last may end what others need."""


def variables_of(part: Sequence[str], given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name.partition("_")[0] in part}


async def deeds_of(house: House, case: Case) -> dict[str, Any]:
    """Variables for all documents, all of them good in the patient's own hands."""
    owner, organization = house.people["patient"], house.people["organization"]
    world = house.inside
    caller, houses = await world.caller(owner), await world.caller(organization)
    assert caller is not None
    assert houses is not None
    gateway, domain = world.gateway, world.gateway.consents._standings.domain
    patient, record = to_global("Patient", case.subject), to_global("Record", case.record)
    grantee = to_global("Actor", house.people["payer"].actor)
    tomorrow = datetime.fromtimestamp(int(time.time()) + 86_400, UTC)
    consent = await gateway.consents.draft(caller, _asked(case, house.people["payer"].actor, tomorrow))
    unlink = await gateway.credentials.draft_credential(
        caller, subject=case.subject, actor=house.people["linked"].actor, linked=False
    )
    wanted = DelegateInput(
        subject=case.subject,
        actor=house.people["device"].actor,
        actions=(Action.READ,),
        purposes=(Purpose.TREAT,),
        resource_types=(),
        labels=(),
        denies=False,
        permits_until=None,
        not_after=tomorrow,
        lists=False,
    )
    delegate = await gateway.delegates.draft_delegate(caller, wanted)
    removal = messages.delegation_end_typed_data(case.subject, 1, domain)
    guardians = [house.people[name].actor for name in ("payer", "auditor")]
    guarded = await gateway.guardianships.draft_guardians(caller, subject=case.subject, actors=guardians, threshold=1)
    assert guarded.opened is not None
    fresh = Wallet.new()
    key, mine = bytes.fromhex(fresh.signer[2:]), bytes.fromhex(owner.wallet.signer[2:])
    change = control.change_typed_data(case.subject, key, control=0, domain=domain)
    recovery = control.recovery_typed_data(
        control.Proposed(subject=case.subject, controller=key, attempt=0, not_after=int(time.time()) + 3600), domain
    )
    attested = control.attestation_typed_data(control.Attested(subject=case.subject, controller=key, attempt=0), domain)
    wards = [to_global("Actor", one) for one in guardians]
    member = await gateway.identity.draft_membership(
        houses, organization=organization.actor, member=house.people["payer"].actor, not_after=tomorrow
    )
    erasure = await gateway.erasures.draft_erasure(caller, subject=case.subject)
    revocation = messages.revocation_typed_data(case.subject, case.consent, domain)
    everything = await gateway.consents.draft_revocation_of_all(caller, subject=case.subject)

    def signed(typed: Any, wallet: Wallet = owner.wallet) -> dict[str, Any]:
        return {"typedData": typed, "signature": wallet.sign_typed_data(typed)}

    emergency, linked = to_global("Emergency", case.emergency), to_global("Actor", house.people["linked"].actor)
    request = to_global("ConsentRequest", case.request)
    words = "As good a reason as any other"
    given: dict[str, dict[str, Any]] = {
        "registerActor": {"input": {"key": Wallet.new().signer, "roles": ["DEVICE"], "name": "Made in passing"}},
        "enrolPatient": {"input": {"controller": Wallet.new().signer}},
        "draftMembership": {
            "input": {
                "organizationId": to_global("Actor", organization.actor),
                "memberId": grantee,
                "notAfter": _text(tomorrow),
            }
        },
        "addMember": {"input": signed(member.typed_data, organization.wallet)},
        "createRecord": {"input": {"patientId": patient, "resource": observation(value="1")}},
        "amendRecord": {"input": {"recordId": record, "expectedVersion": 1, "resource": observation(value="2")}},
        "importBundle": {"input": {"patientId": patient, "bundle": bundle(observation(value="3"))}},
        "draftConsent": {
            "input": {
                "patientId": patient,
                "granteeId": grantee,
                "purposes": ["TREAT"],
                "notAfter": _text(tomorrow),
            }
        },
        "draftConsentFromFhir": {
            "patientId": patient,
            "resource": _as_fhir(consent.typed_data, domain),
            "language": "EN",
        },
        "grantConsent": {"input": signed(consent.typed_data)},
        "draftRevocation": {"patientId": patient, "consentId": "0x" + case.consent.hex()},
        "revokeConsent": {"input": signed(revocation)},
        "requestConsent": {
            "input": {
                "patientId": patient,
                "organizationId": to_global("Actor", organization.actor),
                "purposes": ["TREAT"],
                "reason": words,
                "notAfter": _text(tomorrow),
            }
        },
        "draftRequestedConsent": {"requestId": request, "language": "EN"},
        "declineConsentRequest": {"requestId": request},
        "withdrawConsentRequest": {"requestId": request},
        "draftCredential": {"input": {"patientId": patient, "actorId": linked}},
        "setCredential": {"input": {**signed(unlink.typed_data), "actorSignature": "0x"}},
        "draftDelegate": {
            "input": {
                "patientId": patient,
                "actorId": linked,
                "purposes": ["TREAT"],
                "notAfter": _text(tomorrow),
            }
        },
        "addDelegate": {"input": {**signed(delegate.typed_data), "limits": delegate.limits}},
        "draftDelegateRemoval": {"patientId": patient, "number": 1},
        "removeDelegate": {"input": signed(removal)},
        "draftGuardians": {"input": {"patientId": patient, "guardianIds": wards, "threshold": 1}},
        "setGuardians": {
            "input": {
                **signed(guarded.draft.typed_data),
                "guardianIds": wards,
                "threshold": 1,
                "salt": "0x" + guarded.opened.salt.hex(),
            }
        },
        "draftObjection": {"patientId": patient},
        "objectToRecovery": {"input": signed(control.objection_typed_data(case.subject, 0, domain))},
        "draftAttestation": {"input": {"patientId": patient, "controller": fresh.signer}},
        "attestRecovery": {"input": signed(attested)},
        "draftCustodyEnd": {"input": {"patientId": patient, "controller": owner.wallet.signer}},
        "endCustody": {"input": signed(control.custody_typed_data(case.subject, mine, domain))},
        "draftRecovery": {"input": {"patientId": patient, "controller": fresh.signer}},
        "signRecovery": {"input": {"typedData": recovery, "signatures": [fresh.sign_typed_data(recovery)]}},
        "finishRecovery": {"patientId": patient},
        "draftIdentityLink": {"token": "a.b.c"},
        "draftControllerChange": {"input": {"patientId": patient, "controller": fresh.signer}},
        "changeController": {"input": {**signed(change), "controllerSignature": fresh.sign_typed_data(change)}},
        "draftRevocationOfAll": {"patientId": patient},
        "revokeAllConsents": {"input": signed(everything.typed_data)},
        "openEmergency": {"input": {"patientId": patient, "kind": "OTHER", "reason": words}},
        "endEmergency": {"emergencyId": emergency},
        "reviewEmergency": {"input": {"emergencyId": emergency, "verdict": "JUSTIFIED", "note": words}},
        "draftErasure": {"patientId": patient},
        "erasePatient": {"input": signed(erasure.typed_data)},
        **await _of_datasets(house, words),
        **await _of_a_study(house, words),
    }
    return {f"{name}_{argument}": value for name, one in given.items() for argument, value in one.items()}


async def _of_datasets(house: House, words: str) -> dict[str, dict[str, Any]]:
    """Of a dataset that waits for a decision; what is signed is the steward's own, of the one that is over. The number
    is of whom the dataset is of."""
    decided = house.dataset.decision
    assert decided is not None
    waiting = to_global("Dataset", (await house.laboratory.request(title="Waits")).release)
    asked = {name: one for name, one in datasets.asked().items() if name not in ("format", "days")}
    return {
        "requestDataset": {"input": asked},
        "draftDatasetDecision": {"input": {"datasetId": waiting, "verdict": "REFUSED", "reason": words}},
        "decideDataset": {"input": {"typedData": decided.typed_data, "signature": "0x" + decided.signature.hex()}},
        "openDataset": {"datasetId": waiting},
        "cancelDataset": {"datasetId": waiting},
        "askAggregate": {"input": datasets.question(epsilon=0.1)},
    }


async def _of_a_study(house: House, words: str) -> dict[str, dict[str, Any]]:
    """Of the one that there is, about its one subject, whichever case it is; and a new one, which the house signed."""
    site, organization = house.site, house.people["organization"]
    gateway, (subject, *_) = house.inside.gateway, site.subjects
    whole, monitor = await house.inside.caller(organization), await site.caller(site.monitor)
    assert whole is not None
    draft = await gateway.trials.draft(whole, {"act": "register", "title": words, "statistician": ""})
    (form, *_) = await gateway.capturing.forms(monitor, site.study, subject.subject)
    (query, *_) = await gateway.capturing.queries(monitor, site.study, subject.subject)
    named = {"studyId": to_global("Study", site.study), "patientId": to_global("Patient", subject.subject)}
    record = {"recordId": to_global("Record", form.record)}
    about = {**named, "query": "0x" + query.query.hex()}
    return {
        "draftStudyAct": {"input": {"register": {"title": words}}},
        "submitStudyAct": {
            "act": dict(draft.act),
            "signature": organization.wallet.sign_typed_data(dict(draft.typed_data)),
        },
        "captureForms": {"input": {**named, "forms": [await site.response("121", repeat="2")]}},
        "changeForm": {
            "input": {
                **named,
                **record,
                "form": await site.response("122"),
                "expectedVersion": 1,
                "reason": words,
            }
        },
        "raiseStudyQuery": {"input": {**named, **record, "text": words}},
        "answerStudyQuery": {**about, "text": words},
        "closeStudyQuery": {**about, "text": words},
        "assignSubject": {**named, "levels": {}},
        "tellArm": named,
        "recordStudyData": {"studyId": named["studyId"]},
        "answerStudy": {**named, "yes": True},
        "countForStudy": {"input": {"studyId": named["studyId"], "dataUse": list(datasets.USE), "epsilon": 0.1}},
    }


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _as_fhir(typed: Mapping[str, Any], domain: Mapping[str, Any]) -> dict[str, Any]:
    """The same consent as a system that speaks FHIR has it, whoever signs it."""
    terms = messages.read_consent(typed, domain)
    view = ConsentView(
        consent=ConsentId(bytes(32)), terms=terms, status=ConsentStatus.ACTIVE, signer=b"", transaction=None
    )
    return {name: value for name, value in consent_as_fhir(view, None).items() if name != "performer"}


def _asked(case: Case, grantee: Any, until: datetime) -> ConsentInput:
    return ConsentInput(
        subject=case.subject,
        effect=Effect.PERMIT,
        grantee=grantee,
        actions=(Action.READ,),
        purposes=(Purpose.HPAYMT,),
        not_after=until,
        **dict.fromkeys(("resource_types", "codes", "authors", "records", "labels", "data_use"), ()),
        **dict.fromkeys(("data_from", "data_to", "not_before", "terms_hash")),
    )


def refused(value: Mapping[str, Any]) -> str:
    """The refusal's code; empty where the deed was done, or stood already."""
    return value["code"] if value["__typename"] == "Refusal" and value["code"] != "CONFLICT" else ""
