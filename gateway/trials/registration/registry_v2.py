"""ClinicalTrials.gov's API v2: one study's JSON as a registration and what it reported.

True here: a record that its source has shortened is read as far as it goes; `Registration.lacking` says what is not
there. A record without an NCT number or a title is refused.
Not done here: places, contacts, and everything of the results but which outcomes they report.
Source: https://clinicaltrials.gov/data-api/about-api/study-data-structure.
"""

from collections.abc import Iterator

from gateway.errors import CallerError
from gateway.trials.registration import terms
from gateway.trials.registration.model import (
    MOST_OUTCOMES,
    Arm,
    Dates,
    Day,
    Eligibility,
    Identifier,
    Intervention,
    Outcome,
    OutcomeKind,
    Registration,
    RegistryRecord,
)
from gateway.trials.registration.told import Told

SOURCE = "clinicaltrials.gov API v2"
_PROMISED = {
    "primaryOutcomes": OutcomeKind.PRIMARY,
    "secondaryOutcomes": OutcomeKind.SECONDARY,
    "otherOutcomes": OutcomeKind.OTHER,
}


def read(study: Told) -> RegistryRecord:
    """Raises CallerError that names the member."""
    protocol = study.under("protocolSection")
    if not protocol.tree:
        raise CallerError("is missing", field=protocol.field)
    results = study.under("resultsSection")
    reported = tuple(_reported(results)) if results.tree else None
    return RegistryRecord(registration=_registration(protocol), reported=reported, source=SOURCE)


def _registration(protocol: Told) -> Registration:
    named = protocol.under("identificationModule")
    sponsors = protocol.under("sponsorCollaboratorsModule")
    design = protocol.under("designModule")
    groups = protocol.under("armsInterventionsModule")
    enrolled = design.under("enrollmentInfo")
    return Registration(
        identifiers=tuple(_identifiers(named)),
        title=named.needed("briefTitle"),
        official_title=named.line("officialTitle"),
        acronym=named.line("acronym"),
        sponsor=terms.said(sponsors.under("leadSponsor").line("name")),
        collaborators=tuple(each.needed("name") for each in sponsors.each("collaborators")),
        study_type=terms.study_type(design.line("studyType"), field=(*design.field, "studyType")),
        phases=design.lines("phases"),
        conditions=protocol.under("conditionsModule").lines("conditions"),
        arms=tuple(_arm(each) for each in groups.each("armGroups")),
        interventions=tuple(_intervention(each) for each in groups.each("interventions")),
        eligibility=_eligibility(protocol.under("eligibilityModule")),
        enrolment=terms.enrolment(enrolled.number("count"), enrolled.line("type")),
        dates=_dates(protocol.under("statusModule")),
        outcomes=tuple(_promised(protocol.under("outcomesModule"))),
        analysis_plan=None,
    )


def _identifiers(named: Told) -> Iterator[Identifier]:
    yield Identifier(kind="NCT", value=named.needed("nctId"))
    yield from (Identifier(kind="NCT_ALIAS", value=one) for one in named.lines("nctIdAliases"))
    own = named.under("orgStudyIdInfo").line("id")
    if own is not None:
        yield Identifier(kind="ORG", value=own)
    yield from (Identifier(kind="SECONDARY", value=one.needed("id")) for one in named.each("secondaryIdInfos"))


def _arm(told: Told) -> Arm:
    return Arm(label=told.needed("label"), kind=told.line("type"), description=told.prose("description"))


def _intervention(told: Told) -> Intervention:
    return Intervention(
        name=told.needed("name"),
        kind=told.line("type"),
        description=told.prose("description"),
        arms=told.lines("armGroupLabels"),
    )


def _eligibility(told: Told) -> Eligibility:
    return Eligibility(
        text=told.prose("eligibilityCriteria"),
        sex=told.line("sex"),
        minimum_age=told.line("minimumAge"),
        maximum_age=told.line("maximumAge"),
        healthy_volunteers=told.flag("healthyVolunteers"),
    )


def _dates(status: Told) -> Dates:
    return Dates(
        start=_day(status.under("startDateStruct"), "date"),
        primary_completion=_day(status.under("primaryCompletionDateStruct"), "date"),
        completion=_day(status.under("completionDateStruct"), "date"),
        submitted=_day(status, "studyFirstSubmitDate"),
        results_submitted=_day(status, "resultsFirstSubmitDate"),
    )


def _day(told: Told, name: str) -> Day | None:
    text = told.line(name)
    if text is None:
        return None
    kind = told.line("type") if name == "date" else "ACTUAL"
    return Day(text=terms.day(text, field=(*told.field, name)), actual=terms.is_actual(kind))


def _promised(module: Told) -> Iterator[Outcome]:
    for name, kind in _PROMISED.items():
        for told in module.each(name, most=MOST_OUTCOMES):
            yield Outcome(
                kind=kind,
                measure=told.needed("measure"),
                description=told.prose("description"),
                time_frame=told.line("timeFrame"),
            )


def _reported(results: Told) -> Iterator[Outcome]:
    for told in results.under("outcomeMeasuresModule").each("outcomeMeasures", most=MOST_OUTCOMES):
        yield Outcome(
            kind=terms.outcome_kind(told.line("type"), field=(*told.field, "type")),
            measure=told.needed("title"),
            description=told.prose("description"),
            time_frame=told.line("timeFrame"),
        )
