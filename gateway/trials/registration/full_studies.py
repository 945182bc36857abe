"""ClinicalTrials.gov's FullStudies, the JSON that API v2 took the place of: one study as a registration.

True here: as in `registry_v2`; terms and days are told as API v2 tells them. A response with no study, or more than
one, is refused.
Source: https://clinicaltrials.gov/data-api/about-api/api-migration.
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

SOURCE = "clinicaltrials.gov FullStudies"
_PROMISED = {"Primary": OutcomeKind.PRIMARY, "Secondary": OutcomeKind.SECONDARY, "Other": OutcomeKind.OTHER}


def read(response: Told) -> RegistryRecord:
    """`response`: what lies under `FullStudiesResponse`. Raises CallerError that names the member."""
    studies = response.each("FullStudies")
    if len(studies) != 1:
        raise CallerError("must hold one study", field=(*response.field, "FullStudies"))
    study = studies[0].under("Study")
    results = study.under("ResultsSection")
    return RegistryRecord(
        registration=_registration(study.under("ProtocolSection")),
        reported=tuple(_reported(results)) if results.tree else None,
        source=SOURCE,
    )


def _registration(protocol: Told) -> Registration:
    named = protocol.under("IdentificationModule")
    sponsors = protocol.under("SponsorCollaboratorsModule")
    design = protocol.under("DesignModule")
    groups = protocol.under("ArmsInterventionsModule")
    enrolled = design.under("EnrollmentInfo")
    return Registration(
        identifiers=tuple(_identifiers(named)),
        title=named.needed("BriefTitle"),
        official_title=named.line("OfficialTitle"),
        acronym=named.line("Acronym"),
        sponsor=terms.said(sponsors.under("LeadSponsor").line("LeadSponsorName")),
        collaborators=tuple(
            each.needed("CollaboratorName") for each in sponsors.each("CollaboratorList", "Collaborator")
        ),
        study_type=terms.study_type(design.line("StudyType"), field=(*design.field, "StudyType")),
        phases=tuple(one for text in design.lines("PhaseList", "Phase") for one in terms.phases(text)),
        conditions=protocol.under("ConditionsModule").lines("ConditionList", "Condition"),
        arms=tuple(_arm(each) for each in groups.each("ArmGroupList", "ArmGroup")),
        interventions=tuple(_intervention(each) for each in groups.each("InterventionList", "Intervention")),
        eligibility=_eligibility(protocol.under("EligibilityModule")),
        enrolment=terms.enrolment(enrolled.number("EnrollmentCount"), enrolled.line("EnrollmentType")),
        dates=_dates(protocol.under("StatusModule")),
        outcomes=tuple(_promised(protocol.under("OutcomesModule"))),
        analysis_plan=None,
    )


def _identifiers(named: Told) -> Iterator[Identifier]:
    yield Identifier(kind="NCT", value=named.needed("NCTId"))
    yield from (Identifier(kind="NCT_ALIAS", value=one) for one in named.lines("NCTIdAliasList", "NCTIdAlias"))
    own = named.under("OrgStudyIdInfo").line("OrgStudyId")
    if own is not None:
        yield Identifier(kind="ORG", value=own)
    for one in named.each("SecondaryIdInfoList", "SecondaryIdInfo"):
        yield Identifier(kind="SECONDARY", value=one.needed("SecondaryId"))


def _arm(told: Told) -> Arm:
    kind = terms.term(told.line("ArmGroupType"))
    return Arm(label=told.needed("ArmGroupLabel"), kind=kind, description=told.prose("ArmGroupDescription"))


def _intervention(told: Told) -> Intervention:
    return Intervention(
        name=told.needed("InterventionName"),
        kind=terms.term(told.line("InterventionType")),
        description=told.prose("InterventionDescription"),
        arms=told.lines("InterventionArmGroupLabelList", "InterventionArmGroupLabel"),
    )


def _eligibility(told: Told) -> Eligibility:
    return Eligibility(
        text=told.prose("EligibilityCriteria"),
        sex=terms.term(told.line("Gender")),
        minimum_age=terms.said(told.line("MinimumAge")),
        maximum_age=terms.said(told.line("MaximumAge")),
        healthy_volunteers=told.flag("HealthyVolunteers"),
    )


def _dates(status: Told) -> Dates:
    return Dates(
        start=_day(status.under("StartDateStruct"), "StartDate"),
        primary_completion=_day(status.under("PrimaryCompletionDateStruct"), "PrimaryCompletionDate"),
        completion=_day(status.under("CompletionDateStruct"), "CompletionDate"),
        submitted=_day(status, "StudyFirstSubmitDate", kind="Actual"),
        results_submitted=_day(status, "ResultsFirstSubmitDate", kind="Actual"),
    )


def _day(told: Told, name: str, *, kind: str | None = None) -> Day | None:
    text = told.line(name)
    if text is None:
        return None
    return Day(
        text=terms.day(text, field=(*told.field, name)), actual=terms.is_actual(kind or told.line(f"{name}Type"))
    )


def _promised(module: Told) -> Iterator[Outcome]:
    for name, kind in _PROMISED.items():
        for told in module.each(f"{name}OutcomeList", f"{name}Outcome", most=MOST_OUTCOMES):
            yield Outcome(
                kind=kind,
                measure=told.needed(f"{name}OutcomeMeasure"),
                description=told.prose(f"{name}OutcomeDescription"),
                time_frame=told.line(f"{name}OutcomeTimeFrame"),
            )


def _reported(results: Told) -> Iterator[Outcome]:
    module = results.under("OutcomeMeasuresModule")
    for told in module.each("OutcomeMeasureList", "OutcomeMeasure", most=MOST_OUTCOMES):
        yield Outcome(
            kind=terms.outcome_kind(told.line("OutcomeMeasureType"), field=(*told.field, "OutcomeMeasureType")),
            measure=told.needed("OutcomeMeasureTitle"),
            description=told.prose("OutcomeMeasureDescription"),
            time_frame=told.line("OutcomeMeasureTimeFrame"),
        )
