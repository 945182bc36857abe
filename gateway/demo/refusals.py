"""Being refused: as the stranger, who never had a consent, and as the clinician, whose consent has ended."""

import time
from collections.abc import Sequence
from typing import Any

from gateway.demo import documents
from gateway.demo.answers import StoredAnswer
from gateway.demo.journey import Journey
from gateway.demo.paging import ask_each, pages
from gateway.demo.patients import Enrolled
from gateway.demo.progress import Advance
from gateway.demo.roles import Person

SAMPLE = 50
"""Records asked for through `node` too."""


def refuse_stranger(journey: Journey, patient: Enrolled, stored: Sequence[StoredAnswer]) -> None:
    """Every record is NOT_PERMITTED, the patient and a sample of nodes are null."""
    stranger = journey.cast.stranger
    with journey.stage("stranger", "asking as the stranger", total=len(stored)) as advance:
        ids = [one.id for one in stored]
        journey.tally.refused_to_stranger = _refused(journey, stranger, ids, "the stranger", advance)
        _sees_nothing(journey, patient, stranger, "the stranger")
        _no_nodes(journey, stranger, [patient.id, *ids[:SAMPLE]], "the stranger")


def refuse_after(journey: Journey, patient: Enrolled, stored: Sequence[StoredAnswer], *, returned: float) -> None:
    """The clinician is refused at once: `returned` is when revokeConsent did, by the performance counter."""
    clinician = journey.cast.clinician
    with journey.stage("refused", "asking after the revocation", total=len(stored)) as advance:
        ids = [one.id for one in stored]
        first = _ask(journey, clinician, ids[:1], lambda step: None)
        if _is_refusal(first[0]):
            journey.tally.refusal_ms = (time.perf_counter() - returned) * 1000
        else:
            journey.tally.fail("the first read after revokeConsent returned was not refused")
        journey.tally.refused_after_revocation = _refused(journey, clinician, ids, "after the revocation", advance)
        _sees_nothing(journey, patient, clinician, "after the revocation")
        _no_nodes(journey, clinician, [patient.id, *ids[:SAMPLE]], "after the revocation")


def _refused(journey: Journey, who: Person, ids: Sequence[str], words: str, advance: Advance) -> int:
    """How many of the records are refused, of all."""
    refused = [_is_refusal(answer) for answer in _ask(journey, who, ids, advance)]
    for id, was in zip(ids, refused, strict=True):
        if not was:
            journey.tally.fail(f"record {id}: not refused ({words})")
    return sum(refused)


def _ask(journey: Journey, who: Person, ids: Sequence[str], advance: Advance) -> list[Any]:
    return ask_each(journey.gateway, documents.record_by_record, ids, token=who.token, advance=advance)


def _is_refusal(answer: object) -> bool:
    return answer == {"__typename": "Refusal", "code": "NOT_PERMITTED"}


def _sees_nothing(journey: Journey, patient: Enrolled, who: Person, words: str) -> None:
    """The patient is null, as one that does not exist; and there is not one record on any page."""
    if journey.gateway.data(documents.PATIENT, {"patient": patient.id}, token=who.token).get("patient") is not None:
        journey.tally.fail(f"the patient is visible ({words})")
    shown = sum(
        len(nodes)
        for nodes in pages(
            journey.gateway,
            documents.GLANCE,
            dict[str, str],
            patient=patient.id,
            connection="records",
            token=who.token,
        )
    )
    if shown:
        journey.tally.fail(f"the patient's pages show {shown} records ({words})")


def _no_nodes(journey: Journey, who: Person, ids: Sequence[str], words: str) -> None:
    answers = ask_each(journey.gateway, documents.node_by_node, ids, token=who.token, advance=lambda step: None)
    for id, answer in zip(ids, answers, strict=True):
        if answer is not None:
            journey.tally.fail(f"node {id}: not null ({words})")
