"""ClinicalTrials.gov's XML of old (`clinical_study`): one study as a registration and what it reported.

True here: as in `registry_v2`; terms and days are told as API v2 tells them. Numbers of the results, places and adverse
events are passed over.
Source: https://clinicaltrials.gov/ct2/html/images/info/public.xsd (withdrawn; the files follow it).
"""

from collections.abc import Iterator
from typing import Final

from gateway.errors import CallerError
from gateway.trials.registration import terms
from gateway.trials.registration.elements import Element, parse
from gateway.trials.registration.model import (
    MOST_OUTCOMES,
    Arm,
    Dates,
    Day,
    Eligibility,
    Enrolment,
    Identifier,
    Intervention,
    Outcome,
    OutcomeKind,
    Registration,
    RegistryRecord,
)
from gateway.trials.registration.told import Told

SOURCE = "clinicaltrials.gov XML"
ROOT: Final = "clinical_study"
_PASSED_OVER: Final = frozenset({
    "location", "reported_events", "baseline", "participant_flow", "group_list", "analysis_list", "analyzed_list",
    "class_list", "reference", "results_reference",
})  # fmt: skip
_PROMISED: Final = {
    "primary_outcome": OutcomeKind.PRIMARY,
    "secondary_outcome": OutcomeKind.SECONDARY,
    "other_outcome": OutcomeKind.OTHER,
}


def read(octets: bytes) -> RegistryRecord:
    """Raises CallerError that names the element; LimitError."""
    root = parse(octets, passed_over=_PASSED_OVER, name=ROOT)
    if root.tag != ROOT:
        raise CallerError(f"must be {ROOT}", field=(ROOT,))
    listed = root.first("clinical_results", "outcome_list")
    reported = None if root.first("clinical_results") is None else tuple(_reported(listed))
    return RegistryRecord(registration=_registration(root), reported=reported, source=SOURCE)


def _told(element: Element | None, *path: str) -> Told:
    """The children that hold text alone, by name: the first of each."""
    texts: dict[str, object] = {}
    for child in [] if element is None else element.children:
        texts.setdefault(child.tag, child.text)
    return Told(tree=texts, field=(ROOT, *path))


def _block(element: Element | None, *path: str) -> str | None:
    """What stands in `…/textblock`."""
    return _told(None if element is None else element.first(*path), *path).prose("textblock")


def _lines(element: Element, tag: str) -> tuple[str, ...]:
    return Told(tree={tag: [one.text for one in element.each(tag)]}, field=(ROOT,)).lines(tag)


def _registration(root: Element) -> Registration:
    top = _told(root)
    sponsors = root.first("sponsors")
    lead = _told(None if sponsors is None else sponsors.first("lead_sponsor"), "sponsors", "lead_sponsor")
    others = [] if sponsors is None else sponsors.each("collaborator")
    return Registration(
        identifiers=tuple(_identifiers(root.first("id_info"))),
        title=top.needed("brief_title"),
        official_title=top.line("official_title"),
        acronym=top.line("acronym"),
        sponsor=terms.said(lead.line("agency")),
        collaborators=tuple(_told(one, "sponsors", "collaborator").needed("agency") for one in others),
        study_type=terms.study_type(top.line("study_type"), field=(ROOT, "study_type")),
        phases=terms.phases(top.line("phase")),
        conditions=_lines(root, "condition"),
        arms=tuple(_arm(one) for one in root.each("arm_group")),
        interventions=tuple(_intervention(one) for one in root.each("intervention")),
        eligibility=_eligibility(root.first("eligibility")),
        enrolment=_enrolment(root),
        dates=_dates(root),
        outcomes=tuple(_promised(root)),
        analysis_plan=None,
    )


def _identifiers(info: Element | None) -> Iterator[Identifier]:
    yield Identifier(kind="NCT", value=_told(info, "id_info").needed("nct_id"))
    for tag, kind in (("nct_alias", "NCT_ALIAS"), ("org_study_id", "ORG"), ("secondary_id", "SECONDARY")):
        yield from (Identifier(kind=kind, value=text) for text in _lines(info or Element(tag="", attributes={}), tag))


def _arm(element: Element) -> Arm:
    told = _told(element, "arm_group")
    return Arm(
        label=told.needed("arm_group_label"),
        kind=terms.term(told.line("arm_group_type")),
        description=told.prose("description"),
    )


def _intervention(element: Element) -> Intervention:
    told = _told(element, "intervention")
    return Intervention(
        name=told.needed("intervention_name"),
        kind=terms.term(told.line("intervention_type")),
        description=told.prose("description"),
        arms=_lines(element, "arm_group_label"),
    )


def _eligibility(element: Element | None) -> Eligibility:
    told = _told(element, "eligibility")
    return Eligibility(
        text=_block(element, "criteria"),
        sex=terms.term(told.line("gender")),
        minimum_age=terms.said(told.line("minimum_age")),
        maximum_age=terms.said(told.line("maximum_age")),
        healthy_volunteers=told.flag("healthy_volunteers"),
    )


def _enrolment(root: Element) -> Enrolment:
    element = root.first("enrollment")
    kind = None if element is None else element.attributes.get("type")
    return terms.enrolment(_told(root).number("enrollment"), kind)


def _dates(root: Element) -> Dates:
    return Dates(
        start=_day(root, "start_date"),
        primary_completion=_day(root, "primary_completion_date"),
        completion=_day(root, "completion_date"),
        submitted=_day(root, "study_first_submitted", kind="Actual"),
        results_submitted=_day(root, "results_first_submitted", kind="Actual"),
    )


def _day(root: Element, tag: str, *, kind: str | None = None) -> Day | None:
    element = root.first(tag)
    if element is None or not element.text:
        return None
    actual = terms.is_actual(kind or element.attributes.get("type"))
    return Day(text=terms.day(element.text, field=(ROOT, tag)), actual=actual)


def _promised(root: Element) -> Iterator[Outcome]:
    for tag, kind in _PROMISED.items():
        for element in _few(root.each(tag), tag):
            told = _told(element, tag)
            yield Outcome(
                kind=kind,
                measure=told.needed("measure"),
                description=told.prose("description"),
                time_frame=told.line("time_frame"),
            )


def _reported(listed: Element | None) -> Iterator[Outcome]:
    for element in _few([] if listed is None else listed.each("outcome"), "outcome_list"):
        told = _told(element, "clinical_results", "outcome_list", "outcome")
        yield Outcome(
            kind=terms.outcome_kind(told.line("type"), field=(*told.field, "type")),
            measure=told.needed("title"),
            description=told.prose("description"),
            time_frame=told.line("time_frame"),
        )


def _few(elements: list[Element], tag: str) -> list[Element]:
    if len(elements) > MOST_OUTCOMES:
        raise CallerError(f"has more than {MOST_OUTCOMES} items", field=(ROOT, tag))
    return elements
