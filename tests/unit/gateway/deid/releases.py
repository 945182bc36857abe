"""A release of real patients, put together in memory as a build does it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from gateway.deid.assembly import Assembly, PersonRows, Verdict
from gateway.deid.catalogue import catalogue
from gateway.deid.profile import Profile
from gateway.deid.pseudonyms import pseudonym
from gateway.deid.resources import Deidentifier, make_person
from gateway.deid.tables import Table, make_table
from gateway.deid.views import Unfit, parse_view
from gateway.deid.views.selects import Row
from tests.unit.gateway.deid.people import KEY, SHIFT_KEY, TODAY, bundles

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
OMB = "extension('ombCategory').value.ofType(Coding).code.first()"
VIEWS: dict[str, tuple[str, dict[str, str]]] = {
    "people": ("Patient", {
        "person": "getResourceKey()", "sex": "gender", "born": "birthDate", "state": "address.state.first()",
        "zip": "address.postalCode.first()", "marital": "maritalStatus.coding.code.first()",
        "race": f"extension('{US_CORE}race').{OMB}", "ethnicity": f"extension('{US_CORE}ethnicity').{OMB}",
    }),
    "conditions": ("Condition", {
        "person": "subject.getReferenceKey()", "code": "code.coding.code.first()",
        "onset": "onset.ofType(dateTime)", "status": "clinicalStatus.coding.code.first()",
    }),
    "observations": ("Observation", {
        "person": "subject.getReferenceKey()", "at": "effective.ofType(dateTime)", "code": "code.coding.code.first()",
        "value": "value.ofType(Quantity).value", "unit": "value.ofType(Quantity).code",
    }),
    "medications": ("MedicationRequest", {
        "person": "subject.getReferenceKey()", "at": "authoredOn",
        "code": "medication.ofType(CodeableConcept).coding.code.first()",
    }),
}  # fmt: skip
TYPES = {"value": "decimal", "onset": "dateTime", "at": "dateTime", "born": "date"}


def definitions() -> dict[str, Any]:
    """The ViewDefinitions, by the names of their tables."""
    return {
        name: {
            "resource": resource,
            "select": [
                {
                    "column": [
                        {"name": column, "path": path, **({"type": TYPES[column]} if column in TYPES else {})}
                        for column, path in paths.items()
                    ]
                }
            ],
        }
        for name, (resource, paths) in VIEWS.items()
    }


def tables(profile: Profile) -> list[Table]:
    known = set(catalogue().resources)
    return [
        make_table(name, parse_view(value, field=(name,), types=known), profile, field=(name,))
        for name, value in definitions().items()
    ]


def rows_of(
    resources: Iterable[dict[str, Any]],
    profile: Profile,
    wanted: Sequence[Table],
    deidentifier: Deidentifier,
    subject: bytes,
) -> PersonRows:
    """The rows of one patient before anything is generalized."""
    resources = list(resources)
    patient = next(one for one in resources if one["resourceType"] == "Patient")
    own = f"Patient/{pseudonym(KEY, 'Patient', subject)}"
    targets = {f"Patient/{patient['id']}": own, f"urn:uuid:{patient['id']}": own}
    person = make_person(profile, patient, targets, subject=subject, key=KEY, shift_key=SHIFT_KEY, today=TODAY)
    left: list[list[Row]] = [[] for _ in wanted]
    for number, resource in enumerate(resources):
        id = person.subject if resource is patient else pseudonym(KEY, "record", subject + number.to_bytes(4, "big"))
        kept = deidentifier.apply(resource, person, id=id)
        for table, rows in zip(wanted, left, strict=True):
            found = table.view.rows(kept) if kept is not None else []
            assert not isinstance(found, Unfit), (found, resource["resourceType"])
            rows += found
    return left


def spool(shared_data: Path, profile: Profile, *, most: int) -> list[PersonRows]:
    """Of so many real patients."""
    wanted, deidentifier = tables(profile), Deidentifier(profile)
    return [
        rows_of(resources, profile, wanted, deidentifier, number.to_bytes(32, "big"))
        for number, resources in enumerate(bundles(shared_data, most=most))
    ]


def assemble(
    people: Sequence[PersonRows], profile: Profile, wanted: Sequence[Table] | None = None
) -> tuple[list[list[list[Row]]], Verdict]:
    """What leaves of each who is in, and the verdict."""
    assembly = Assembly(wanted or tables(profile), profile)
    for person in people:
        assembly.observe(person)
    assembly.plan()
    for person in people:
        assembly.count(person)
    left = [found for person in people if (found := assembly.release(person)) is not None]
    return left, assembly.verdict()
