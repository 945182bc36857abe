"""Guardians and recoveries, as a client sees them: each field asks its service with the caller and maps its answer."""

from typing import Any

import pytest

from gateway.ids import to_global
from tests.unit.schema.conftest import Ask
from tests.unit.schema.controls import KEY
from tests.unit.schema.services import CLINICIAN, PATIENT, World

PATIENT_ID, GUARDIAN_ID = to_global("Patient", PATIENT), to_global("Actor", CLINICIAN)
SIGNED = {"typedData": {}, "signature": "0x00"}
NAMED = {"guardianIds": [GUARDIAN_ID], "threshold": 1}
CONTROLLER = {"patientId": PATIENT_ID, "controller": "0x" + KEY.hex()}
DONE: list[tuple[str, str, str, dict[str, Any]]] = [
    ("draftGuardians", "GuardiansInput", "GuardiansDraft", {"patientId": PATIENT_ID, **NAMED}),
    ("setGuardians", "SignedGuardiansInput", "Guardians", {**SIGNED, **NAMED, "salt": "0x" + "00" * 32}),
    ("draftRecovery", "RecoveryInput", "Draft", CONTROLLER),
    ("signRecovery", "SignedRecoveryInput", "RecoveryProposal", {"typedData": {}, "signatures": ["0x00"]}),
    ("draftAttestation", "ControllerInput", "Draft", CONTROLLER),
    ("attestRecovery", "SignedInput", "RecoveryProposal", SIGNED),
    ("objectToRecovery", "SignedInput", "Recovery", SIGNED),
    ("draftControllerChange", "ControllerInput", "Draft", CONTROLLER),
    ("changeController", "SignedControllerInput", "ControlChange", {**SIGNED, "controllerSignature": "0x00"}),
    ("draftCustodyEnd", "ControllerInput", "Draft", CONTROLLER),
    ("endCustody", "SignedInput", "ControlChange", SIGNED),
]


@pytest.mark.parametrize(("name", "kind", "done", "given"), DONE, ids=[row[0] for row in DONE])
async def test_a_field_answers_with_its_type_and_to_nobody_unknown(
    ask: Ask, world: World, name: str, kind: str, done: str, given: dict[str, Any]
) -> None:
    query = f"mutation($input: {kind}!) {{ {name}(input: $input) {{ __typename ... on Refusal {{ code }} }} }}"
    refused = await ask(query, input=given)
    assert refused["data"][name] == {"__typename": "Refusal", "code": "UNAUTHENTICATED"}
    assert world.calls == []
    answer = await ask(query, token="clinician", input=given)
    assert answer == {"data": {name: {"__typename": done}}}
    assert [caller.actor.id for _, caller in world.calls if caller is not None] == [CLINICIAN]


@pytest.mark.parametrize(("name", "done"), [("draftObjection", "Draft"), ("finishRecovery", "ControlChange")])
async def test_a_field_of_a_patient_answers_with_its_type(ask: Ask, name: str, done: str) -> None:
    query = f"mutation($id: ID!) {{ {name}(patientId: $id) {{ __typename ... on Refusal {{ code }} }} }}"
    assert (await ask(query, id=PATIENT_ID))["data"][name]["code"] == "UNAUTHENTICATED"
    assert await ask(query, token="clinician", id=PATIENT_ID) == {"data": {name: {"__typename": done}}}


async def test_a_patient_sees_their_guardians_and_others_see_none(ask: Ask) -> None:
    query = (
        "query($id: ID!) { patient(id: $id) { guardians { nextFrom next { hash opened { threshold } }"
        " current { hash opened { threshold salt signers guardians { id name } } } } } }"
    )
    shown = (await ask(query, token="patient", id=PATIENT_ID))["data"]["patient"]["guardians"]
    assert shown["nextFrom"] == "2027-01-15T08:00:00.000Z"
    assert shown["next"] == {"hash": "0x" + "75" * 32, "opened": None}
    opened = shown["current"]["opened"]
    assert (opened["threshold"], opened["salt"], opened["signers"]) == (1, "0x" + "73" * 32, ["0x" + "72" * 20])
    assert opened["guardians"] == [{"id": GUARDIAN_ID, "name": "Dr. Ada"}]
    assert (await ask(query, token="clinician", id=PATIENT_ID))["data"]["patient"]["guardians"] is None


async def test_a_recovery_says_what_is_lacking_and_until_when(ask: Ask) -> None:
    query = (
        "query($id: ID!) { recovery(patientId: $id) { ... on Recovery { nextAttempt guardians threshold objected"
        " pending { controller readyAt stoppable } proposals { controller attempt notAfter signed guardiansNeeded"
        " controllerNeeded attestationNeeded } } ... on Refusal { code } } }"
    )
    shown = (await ask(query, token="clinician", id=PATIENT_ID))["data"]["recovery"]
    key = "0x" + KEY.hex()
    assert shown == {
        "nextAttempt": 1,
        "guardians": 3,
        "threshold": 2,
        "objected": True,
        "pending": {"controller": key, "readyAt": "2027-01-15T08:00:00.000Z", "stoppable": False},
        "proposals": [
            {
                "controller": key,
                "attempt": 1,
                "notAfter": "2027-01-15T08:00:00.000Z",
                "signed": 1,
                "guardiansNeeded": 1,
                "controllerNeeded": True,
                "attestationNeeded": True,
            }
        ],
    }
    unknown = await ask(query, token="clinician", id=to_global("Patient", b"\x0f" * 32))
    assert unknown["data"]["recovery"] == {"code": "NOT_PERMITTED"}


async def test_no_guardians_need_no_salt(ask: Ask, world: World) -> None:
    query = "mutation($input: SignedGuardiansInput!) { setGuardians(input: $input) { __typename } }"
    await ask(query, token="patient", input={**SIGNED, "guardianIds": [], "threshold": 0})
    assert world.received == [
        {"typed_data": {}, "signature": b"\x00", "actors": [], "threshold": 0, "salt": b""},
    ]
