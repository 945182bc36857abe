"""Names in a release: the same for the same person or record all through it, and of no use in any other.

True here: a pseudonym is HMAC-SHA-256 under the release's own key, cut to 128 bits; whoever lacks the key learns
nothing
from two releases that hold the same patient, and once it is destroyed nobody can go back.
"""

import base64
import hmac
from collections.abc import Callable, Mapping
from typing import Final

from gateway.deid.trees import Json

SIZE: Final = 26
"""Characters: base32 in lower case of 16 octets."""
TYPES: Final = frozenset({
    "CarePlan", "CareTeam", "Claim", "Condition", "Coverage", "Device", "DiagnosticReport", "DocumentReference",
    "Encounter", "EpisodeOfCare", "Goal", "Group", "HealthcareService", "ImagingStudy", "Immunization", "Location",
    "Media", "Medication", "MedicationAdministration", "MedicationDispense", "MedicationRequest", "MedicationStatement",
    "Observation", "Organization", "Patient", "Practitioner", "PractitionerRole", "Procedure", "RelatedPerson",
    "ResearchStudy", "ResearchSubject", "ServiceRequest", "Specimen",
})  # fmt: skip
"""What a reference from outside is told to be of."""


def pseudonym(key: bytes, kind: str, name: bytes) -> str:
    """`kind`: what is named, so that a record and a patient of the same octets differ."""
    drawn = hmac.digest(key, kind.encode() + b"\0" + name, "sha256")[:16]
    return base64.b32encode(drawn).decode().rstrip("=").lower()


def reference_rule(key: bytes, targets: Mapping[str, str]) -> Callable[[Json], Json]:
    """For the references of one patient. `targets`: what a reference says -> `Type/pseudonym` of the patient's own
    records. Anything else that is named is the same pseudonym wherever it is named so, with its type where the text
    gives one; fragments, identifiers and displays do not leave."""

    def apply(value: Json) -> Json:
        text = value.get("reference") if isinstance(value, dict) else None
        if not isinstance(text, str) or not text or text.startswith("#"):
            return None
        known = targets.get(text)
        return {"reference": known if known is not None else _outside(key, text)}

    return apply


def _outside(key: bytes, text: str) -> str:
    steps = text.rsplit("/", 2)
    kind = steps[-2] if len(steps) > 1 and steps[-2] in TYPES else "Resource"
    return f"{kind}/{pseudonym(key, 'reference', text.encode())}"
