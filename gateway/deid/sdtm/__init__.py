"""Rows of SDTM out of a captured form of a study, as FHIR R4 resources whose elements the catalogue has rules for.

True here: pure; what is made is input to de-identification, never what leaves. Of a row there is one resource or none:
demographics (DM) a Patient, a finding of any domain an Observation, an event (AE, MH, CE) a Condition, an intervention
(CM, EX, EC) a medication taken or given. What a person wrote in their own words is in none of them: a code is one by
its system's grammar, or one that the study's definition lists. A row whose variables cannot be told apart says nothing.
Not done here: de-identification. Not kept: visits, arms, sites, countries, positions, supplemental qualifiers.
Source: CDISC SDTM 1.8 and SDTMIG 3.3 (names of variables), CDISC controlled terminology (their values).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from gateway.deid.sdtm.demographics import patient
from gateway.deid.sdtm.events import condition
from gateway.deid.sdtm.findings import observation
from gateway.deid.sdtm.interventions import administration, statement
from gateway.deid.sdtm.rows import SUBJECT as SUBJECT
from gateway.deid.sdtm.rows import Row, rows_of
from gateway.deid.trees import Resource

DOMAINS: Final[dict[str, Callable[[Row], Resource | None]]] = {
    "DM": patient,
    "AE": condition,
    "MH": condition,
    "CE": condition,
    "CM": statement,
    "EX": administration,
    "EC": administration,
}
"""Of all others a row is a finding, if it names a test."""


def resources_of(response: Mapping[str, Any]) -> Iterator[tuple[int, Resource]]:
    """Out of a QuestionnaireResponse: each resource with the number of its row in the form, from 0."""
    for number, row in rows_of(response):
        made = DOMAINS.get(row.domain, observation)(row)
        if made is not None:
            yield number, made
