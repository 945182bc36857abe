"""Second stage: fhir.resources' R4B models (cardinality, choice types, required primitives, references).

True here: R4B is R4 but for the types named below. R4B dropped or rebuilt those, so for a resource that is or holds one
the first stage alone decides.
Not done here: anything the schema says already.
"""

import contextlib
import re
from collections.abc import Iterable
from itertools import takewhile

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from gateway.adapters.fhir_schema.r4 import Issue, nested_resources

WITHOUT_MODEL = frozenset(
    {
        "EffectEvidenceSynthesis",
        "Evidence",
        "EvidenceVariable",
        "MedicinalProduct",
        "MedicinalProductAuthorization",
        "MedicinalProductContraindication",
        "MedicinalProductIndication",
        "MedicinalProductIngredient",
        "MedicinalProductInteraction",
        "MedicinalProductManufactured",
        "MedicinalProductPackaged",
        "MedicinalProductPharmaceutical",
        "MedicinalProductUndesirableEffect",
        "RiskEvidenceSynthesis",
        "SubstanceNucleicAcid",
        "SubstancePolymer",
        "SubstanceProtein",
        "SubstanceReferenceInformation",
        "SubstanceSourceMaterial",
        "SubstanceSpecification",
    }
)
"""R4 types that R4B (4.3.0) has not, or has under the same name with other elements (the two Evidence types)."""

_CHOICE = re.compile(r"from this list \[([^\]]*)\]")

COMMON_TYPES = (
    "AllergyIntolerance", "Bundle", "CarePlan", "CareTeam", "Claim", "Condition", "DiagnosticReport",
    "DocumentReference", "Encounter", "ExplanationOfBenefit", "Goal", "ImagingStudy", "Immunization",
    "MedicationAdministration", "MedicationRequest", "Observation", "Organization", "Patient", "Practitioner",
    "Procedure",
)  # fmt: skip
"""Loaded before the first call: what Synthea and most hospitals send."""


def load_models(types: Iterable[str]) -> None:
    """Imports the models and has pydantic build them, which costs the first use of each some tens of milliseconds."""
    for kind in types:
        with contextlib.suppress(ValidationError):
            get_fhir_model_class(kind).model_validate({"resourceType": kind})


def check_model(resource: dict[str, object]) -> Issue | None:
    """The first issue of a resource that has passed the first stage."""
    if any(
        isinstance(inner, dict) and inner["resourceType"] in WITHOUT_MODEL for _, inner in nested_resources(resource)
    ):
        return None
    kind = str(resource["resourceType"])
    try:
        get_fhir_model_class(kind).model_validate(resource)
    except ValidationError as error:
        return _issue(error, kind)
    except (ValueError, TypeError, LookupError, AttributeError, AssertionError, ArithmeticError):
        # Some of the models' own checks raise outside pydantic's errors, without a place.
        return Issue(path=kind, message="is no valid FHIR R4")
    return None


def _issue(error: ValidationError, kind: str) -> Issue:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = kind + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    # The models report a choice (`value[x]`) on the element that holds it; the message lists names of elements only.
    if (choice := _CHOICE.search(first["msg"])) is not None:
        letters = zip(*re.findall(r"\w+", choice[1]), strict=False)
        name = "".join(column[0] for column in takewhile(lambda column: len(set(column)) == 1, letters))
        several = "multiple" in first["msg"]
        return Issue(path=f"{path}.{name}[x]", message="has more than one type" if several else "is missing")
    if "missing" in first["type"]:
        return Issue(path=path, message="is missing")
    return Issue(path=path, message="is no valid FHIR R4")
