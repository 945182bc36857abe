"""Which resources tell of conditions, medications, observations, procedures and allergies, and when they count.

True here: what was entered in error, refuted, not done or not taken does not count. Within so many days counts:

    Condition            what is active, or begins, or ends, in that time; its past is what has ended before
    MedicationRequest    what is active, or was prescribed in that time
    the others           what was done, given or observed in that time

Source: https://hl7.org/fhir/R4/condition.html and the pages of the other types (elements, status codes).
"""

from dataclasses import dataclass
from typing import Final

from gateway.trials.recruitment.model import About


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """`concept`: the path to the CodeableConcept. `counts`: a criterion about each resource. `now`: a criterion for
    what counts whenever it began; None: nothing. `moments`: paths of dateTimes, any of which brings it into the time.
    `ends`: paths of dateTimes by which it is over."""

    type: str
    concept: str
    counts: str
    now: str | None
    moments: tuple[str, ...]
    ends: tuple[str, ...]


def _timed(name: str) -> tuple[str, ...]:
    return (f"{name}.ofType(dateTime)", f"{name}.ofType(Period).start", f"{name}.ofType(Period).end")


def _over(name: str) -> tuple[str, ...]:
    return (f"{name}.ofType(dateTime)", f"{name}.ofType(Period).end")


def _status(*names: str) -> str:
    """None of these."""
    these = " or ".join(f"$this = '{name}'" for name in names)
    return f"status.where({these}).empty()"


_VERIFIED: Final = "verificationStatus.coding.where(code = 'refuted' or code = 'entered-in-error').empty()"
_ACTIVE: Final = (
    "clinicalStatus.coding.where(code = 'active' or code = 'recurrence' or code = 'relapse').exists()"
    " and abatement.ofType(dateTime).empty() and abatement.ofType(Period).empty()"
)
KINDS: Final[dict[About, tuple[Kind, ...]]] = {
    About.CONDITIONS: (
        Kind(
            type="Condition",
            concept="code",
            counts=_VERIFIED,
            now=_ACTIVE,
            moments=(*_timed("onset")[:2], *_timed("abatement")),
            ends=_over("abatement"),
        ),
    ),
    About.MEDICATIONS: (
        Kind(
            type="MedicationRequest",
            concept="medication.ofType(CodeableConcept)",
            counts=_status("entered-in-error", "cancelled", "draft"),
            now="status = 'active'",
            moments=("authoredOn",),
            ends=("authoredOn",),
        ),
        Kind(
            type="MedicationStatement",
            concept="medication.ofType(CodeableConcept)",
            counts=_status("entered-in-error", "not-taken", "intended"),
            now="status = 'active'",
            moments=_timed("effective"),
            ends=_over("effective"),
        ),
        Kind(
            type="MedicationAdministration",
            concept="medication.ofType(CodeableConcept)",
            counts=_status("entered-in-error", "not-done"),
            now=None,
            moments=_timed("effective"),
            ends=_over("effective"),
        ),
    ),
    About.OBSERVATIONS: (
        Kind(
            type="Observation",
            concept="code",
            counts=_status("entered-in-error", "cancelled", "registered"),
            now=None,
            moments=(*_timed("effective"), "effective.ofType(instant)"),
            ends=(*_over("effective"), "effective.ofType(instant)"),
        ),
    ),
    About.PROCEDURES: (
        Kind(
            type="Procedure",
            concept="code",
            counts=_status("entered-in-error", "not-done", "preparation"),
            now=None,
            moments=_timed("performed"),
            ends=_over("performed"),
        ),
    ),
    About.ALLERGIES: (
        Kind(
            type="AllergyIntolerance",
            concept="code",
            counts=_VERIFIED,
            now="clinicalStatus.coding.where(code = 'active').exists()",
            moments=("onset.ofType(dateTime)", "lastOccurrence"),
            ends=("lastOccurrence",),
        ),
    ),
}
