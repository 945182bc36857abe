"""A study and its subjects as FHIR R4 resources, for systems that speak that. Pure.

True here: what FHIR has no element for is left out, never bent; what is not known is not said. An arm is in a rendering
only where whoever asks was told it, and never by itself. Nothing of these is trusted back: there is no reading of them.
Source: https://hl7.org/fhir/R4/researchstudy.html, researchsubject.html.
"""

from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from gateway.consent.model import StudyState
from gateway.ids import StudyId, to_global
from gateway.trials.registration.model import Arm, Day, Outcome, OutcomeKind, Registration
from gateway.trials.standing import Enrolled, Study

_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/"
_REGISTRY: Final = "https://clinicaltrials.gov"
_STATUS: Final = {
    StudyState.PLANNED: "in-review",
    StudyState.OPEN: "active",
    StudyState.FROZEN: "temporarily-closed-to-accrual",
    StudyState.LOCKED: "completed",
}
"""PLANNED is not `approved`: whether anybody approved it is nowhere said."""
_PHASES: Final = {
    ("NA",): "n-a",
    ("EARLY_PHASE1",): "early-phase-1",
    ("PHASE1",): "phase-1",
    ("PHASE1", "PHASE2"): "phase-1-phase-2",
    ("PHASE2",): "phase-2",
    ("PHASE2", "PHASE3"): "phase-2-phase-3",
    ("PHASE3",): "phase-3",
    ("PHASE4",): "phase-4",
}
_OBJECTIVES: Final = {OutcomeKind.PRIMARY: "primary", OutcomeKind.SECONDARY: "secondary"}

Resource = dict[str, Any]


def research_study(study: Study, promised: Registration | None, *, sponsor: str | None) -> Resource:
    """A ResearchStudy. `promised`: the registration in force, None before there is one; `sponsor`: as registered here,
    None where no name may be told. Planned numbers of subjects have no element: `enrollment` is a Group."""
    named: Resource = {"identifier": _identifier("actor", "0x" + study.sponsor.hex())}
    found: Resource = {
        "resourceType": "ResearchStudy",
        "identifier": [_identifier("study", to_global("Study", study.study))],
        "title": study.title,
        "status": _STATUS[study.state],
        "sponsor": named | ({"display": sponsor} if sponsor else {}),
        "site": [
            {"identifier": _identifier("site", site), "display": name} for site, name in sorted(study.sites.items())
        ],
    }
    return _said(found | ({} if promised is None else _promised(promised, found["identifier"])))


def _promised(one: Registration, own: list[Resource]) -> Resource:
    phase = _PHASES.get(one.phases)
    return {
        "identifier": [*own, *({"system": _system(each.kind), "value": each.value} for each in one.identifiers)],
        "title": one.title,
        "description": one.official_title,
        "phase": None if phase is None else _coded("research-study-phase", phase),
        "condition": [{"text": each} for each in one.conditions],
        "period": _period(one.dates.start, one.dates.completion),
        "arm": [_arm(each) for each in one.arms],
        "objective": [_objective(each) for each in one.outcomes],
    }


def _system(kind: str) -> str:
    return _REGISTRY if kind in ("NCT", "NCT_ALIAS") else "urn:consentry:registration:" + quote(kind.lower(), safe="")


def _arm(one: Arm) -> Resource:
    return _said({
        "name": one.label,
        "type": None if one.kind is None else {"text": one.kind},
        "description": one.description,
    })  # fmt: skip


def _objective(one: Outcome) -> Resource:
    """An outcome's measure and its time frame: R4 has no element of its own for outcomes."""
    kind = _OBJECTIVES.get(one.kind)
    return {
        "name": one.measure if one.time_frame is None else f"{one.measure} [{one.time_frame}]",
        "type": {"text": one.kind.value} if kind is None else _coded("research-study-objective-type", kind),
    }


def research_subject(study: StudyId, state: StudyState, one: Enrolled, *, arm: str | None) -> Resource:
    """A ResearchSubject of a study in this state. `arm`: only where it was told to whoever asks."""
    ended = {"end": _instant(one.withdrawn_at)} if one.withdrawn_at else {}
    over = "off-study" if state is StudyState.LOCKED else "on-study"
    return _said({
        "resourceType": "ResearchSubject",
        "identifier": [{"system": f"urn:consentry:study:{to_global('Study', study)}", "value": one.key}],
        "status": "withdrawn" if one.withdrawn_at else over,
        "period": {"start": _instant(one.at), **ended},
        "study": {"identifier": _identifier("study", to_global("Study", study))},
        "individual": {"identifier": _identifier("subject", "0x" + one.subject.hex())},
        "assignedArm": arm,
        "consent": {"identifier": _identifier("consent", "0x" + one.consent.hex())},
    })  # fmt: skip


def _identifier(kind: str, value: str) -> Resource:
    return {"system": f"urn:consentry:{kind}", "value": value}


def _coded(system: str, code: str) -> Resource:
    return {"coding": [{"system": _SYSTEM + system, "code": code}]}


def _period(start: Day | None, end: Day | None) -> Resource:
    return {name: day.text for name, day in (("start", start), ("end", end)) if day is not None}


def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _said(members: Resource) -> Resource:
    """Without what is not said: FHIR has no empty element."""
    return {name: value for name, value in members.items() if value not in (None, "", [], {})}
