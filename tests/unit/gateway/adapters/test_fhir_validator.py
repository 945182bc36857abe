"""Valid R4 passes; what is not is refused with its path and without its value; a dead worker is replaced."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.adapters.fhir_validator import FhirValidator
from gateway.errors import UpstreamError

OBSERVATION = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
PATIENT = {"resourceType": "Patient"}
PRODUCT = {"resourceType": "MedicinalProduct", "name": [{"productName": "x"}]}
EXTENSION = {"extension": [{"url": "http://example.org/x", "valueDateTime": "1980-01-01T10:00:00+01:00"}]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def validator() -> AsyncIterator[FhirValidator]:
    """One worker for the module: it takes a third of a second to start."""
    validator = FhirValidator()
    await validator.start()
    yield validator
    await validator.close()


def octets(resource: object) -> bytes:
    return resource if isinstance(resource, bytes) else json.dumps(resource).encode()


INVALID: dict[str, tuple[object, str]] = {
    "a gender that is no code": ({**PATIENT, "gender": "X"}, "Patient.gender"),
    "a status that is no code": ({**OBSERVATION, "status": "done"}, "Observation.status"),
    "a status that the published schema leaves open": (
        {"resourceType": "Immunization", "status": "done", "vaccineCode": {"text": "x"}, "patient": {"display": "x"},
         "occurrenceString": "x"}, "Immunization.status"),
    "a clinical status from another code system": (
        {"resourceType": "Condition", "subject": {"display": "x"},
         "clinicalStatus": {"coding": [{"system": "http://example.org", "code": "active"}]}},
        "Condition.clinicalStatus.coding"),
    "a repeated key": (b'{"resourceType":"Patient","gender":"male","gender":"female"}', "/gender"),
    "a null": ({**OBSERVATION, "valueString": None}, "Observation.valueString"),
    "a null in an array of objects": ({**OBSERVATION, "component": [None]}, "Observation.component[0]"),
    "a null in an array of primitives": ({**PATIENT, "name": [{"given": [None]}]}, "Patient.name[0].given[0]"),
    "an empty array": ({**OBSERVATION, "note": []}, "Observation.note"),
    "an empty object": ({**OBSERVATION, "code": {}}, "Observation.code"),
    "an empty string": ({**OBSERVATION, "valueString": ""}, "Observation.valueString"),
    "an empty uri": ({**OBSERVATION, "implicitRules": ""}, "Observation.implicitRules"),
    "a day that no calendar has": ({**OBSERVATION, "effectiveDateTime": "1980-02-31"}, "Observation.effectiveDateTime"),
    "a birthday that no calendar has": ({**PATIENT, "birthDate": "1981-02-29"}, "Patient.birthDate"),
    "such a day in an extension of a primitive": (
        {**PATIENT, "_birthDate": {"extension": [{"url": "http://x", "valueDate": "1980-02-31"}]}},
        "Patient._birthDate.extension[0].valueDate"),
    "an id with a space": ({**PATIENT, "id": "a b"}, "Patient.id"),
    "an id of 65 characters": ({**PATIENT, "id": "x" * 65}, "Patient.id"),
    "an element that R4 does not have": ({**OBSERVATION, "colour": "red"}, "Observation.colour"),
    "a string for a number": ({**OBSERVATION, "valueQuantity": {"value": "1.1"}}, "Observation.valueQuantity.value"),
    "a fraction for an integer": ({**OBSERVATION, "valueInteger": 1.5}, "Observation.valueInteger"),
    "a string for an object": ({**OBSERVATION, "subject": "Patient/1"}, "Observation.subject"),
    "JSON in a string for an object": ({**OBSERVATION, "subject": '{"display":"x"}'}, "Observation.subject"),
    "two types of a choice": ({**OBSERVATION, "valueString": "x", "valueInteger": 1}, "Observation.value[x]"),
    "no type of a required choice": (
        {"resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": {"display": "x"}},
        "MedicationRequest.medication[x]"),
    "a missing required element": ({"resourceType": "Observation", "status": "final"}, "Observation.code"),
    "a missing required primitive": ({"resourceType": "Observation", "code": {"text": "x"}}, "Observation.status"),
    "no such resource type": ({"resourceType": "Symptom"}, "Resource.resourceType"),
    "no resource type": ({}, "Resource.resourceType"),
    "no object": ([], "Resource.resourceType"),
    "no JSON": (b"{", ""),
    "too deep": (b'{"resourceType":"Patient","contained":' + b"[" * 70 + b"]" * 70 + b"}", ""),
    "a wrong contained resource": (
        {**OBSERVATION, "contained": [PATIENT, {**PATIENT, "gender": "X"}]}, "Observation.contained[1].gender"),
    "a wrong resource in a bundle": (
        {"resourceType": "Bundle", "type": "batch", "entry": [
            {"resource": {**OBSERVATION, "code": {"coding": [{"system": "a b"}]}}}]},
        "Bundle.entry[0].resource.code.coding[0].system"),
    "a wrong resource of a type that R4B dropped": ({**PRODUCT, "colour": "red"}, "MedicinalProduct.colour"),
    "a wrong day in a type that R4B dropped": (
        {**PRODUCT, "specialDesignation": [{"date": "1980-02-31"}]}, "MedicinalProduct.specialDesignation[0].date"),
}  # fmt: skip


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("case", INVALID)
async def test_an_invalid_resource_is_refused_with_the_path(validator: FhirValidator, case: str) -> None:
    resource, path = INVALID[case]
    assert [(issue.index, issue.path) for issue in await validator.check([octets(resource)])] == [(0, path)]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "resource",
    [
        OBSERVATION,
        PRODUCT,
        {**PATIENT, "_birthDate": EXTENSION},
        {**PATIENT, "birthDate": "1980-02"},
        {**PATIENT, "birthDate": "1980-02-29"},
        {**PATIENT, "name": [{"given": [None, "A"], "_given": [EXTENSION, None]}]},
        {"resourceType": "Observation", "_status": EXTENSION, "code": {"text": "x"}},
        {**OBSERVATION, "valueString": "no-break\u00a0space and null"},
        b'{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.10}}',
        {**OBSERVATION, "contained": [PRODUCT, PATIENT]},
    ],
)
async def test_a_valid_resource_passes(validator: FhirValidator, resource: object) -> None:
    assert await validator.check([octets(resource)]) == ()


@pytest.mark.asyncio(loop_scope="module")
async def test_each_invalid_resource_of_a_large_batch_is_named_by_its_index(validator: FhirValidator) -> None:
    batch = [octets({**PATIENT, "gender": "X"} if index in (3, 64, 199) else OBSERVATION) for index in range(200)]
    assert [issue.index for issue in await validator.check(batch)] == [3, 64, 199]


@pytest.mark.asyncio(loop_scope="module")
async def test_issues_carry_no_value(validator: FhirValidator) -> None:
    secret = {**OBSERVATION, "status": "canary", "canary value": 1, "note": [{"canary-7": 1}], "valueInteger": "canary"}
    cases = [octets({**OBSERVATION, name: value}) for name, value in secret.items()]
    issues = await validator.check(cases)
    assert issues
    assert not [issue for issue in issues if "canary" in issue.path + issue.message]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_killed_worker_fails_the_call_and_is_replaced(validator: FhirValidator) -> None:
    waiting = asyncio.create_task(validator.check([octets(OBSERVATION)] * 100_000))
    await asyncio.sleep(0.1)
    os.kill(validator.process_ids[0], signal.SIGKILL)
    with pytest.raises(UpstreamError):
        await waiting
    assert await validator.check([octets(OBSERVATION)]) == ()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_caller_that_gives_up_does_not_shift_the_next_answer(validator: FhirValidator) -> None:
    abandoned = asyncio.create_task(validator.check([octets({**PATIENT, "gender": "X"})] * 60))
    await asyncio.sleep(0.002)
    abandoned.cancel()
    assert await validator.check([octets(OBSERVATION)]) == ()


@pytest.mark.asyncio(loop_scope="module")
async def test_an_empty_batch_has_no_issues(validator: FhirValidator) -> None:
    assert await validator.check([]) == ()


async def test_a_closed_validator_refuses_and_leaves_no_process() -> None:
    validator = FhirValidator()
    await validator.start()
    (process_id,) = validator.process_ids
    await validator.close()
    with pytest.raises(UpstreamError):
        await validator.check([octets(OBSERVATION)])
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)


async def test_two_workers_answer_as_one() -> None:
    validator = FhirValidator(workers=2)
    batch = [octets({**PATIENT, "gender": "X"} if index in (0, 99) else OBSERVATION) for index in range(100)]
    first = await validator.check(batch)
    while len(validator.process_ids) < 2:  # the second starts meanwhile
        await asyncio.sleep(0.05)
    second = await validator.check(batch)
    await validator.close()
    assert [[issue.index for issue in issues] for issues in (first, second)] == [[0, 99], [0, 99]]


async def test_a_second_worker_is_not_started_for_little() -> None:
    validator = FhirValidator(workers=2)
    assert await validator.check([octets(OBSERVATION)] * 64) == ()
    assert len(validator.process_ids) == 1
    await validator.close()


async def test_one_that_is_closed_while_a_worker_starts_leaves_no_process() -> None:
    validator = FhirValidator(workers=2)
    await validator.check([octets(OBSERVATION)] * 65)
    await asyncio.sleep(0.01)
    await validator.close()
    assert validator.process_ids == ()


_STARTED = """
import os, sys
from gateway.adapters.fhir_schema import models, worker
worker.QUIET_SECONDS = float(sys.argv[1])
reading, writing = os.pipe()
os.write(writing, sys.argv[2].encode())
with open(reading, "rb") as source:
    worker._load_while_quiet(source)
    left = os.read(reading, 100) if sys.argv[2] else b""
loaded = [kind for kind in models.COMMON_TYPES if f"fhir.resources.R4B.{kind.lower()}" in sys.modules]
print(len(loaded), len(models.COMMON_TYPES), left.decode())
"""


@pytest.mark.parametrize(("quiet", "asked", "said"), [("0.01", "", "20 20 "), ("60", "now", "0 20 now")])
def test_models_are_loaded_while_nothing_is_asked_and_nobody_waits_for_them(quiet: str, asked: str, said: str) -> None:
    command = [sys.executable, "-c", _STARTED, quiet, asked]
    assert subprocess.run(command, capture_output=True, text=True, check=True, timeout=50).stdout.strip("\n") == said
