"""The patient's own view of it all: who asked for what, when, and what they were told."""

from collections.abc import Sequence
from itertools import groupby

from gateway.demo import documents
from gateway.demo.answers import AccessEvent, StoredAnswer
from gateway.demo.journey import Journey
from gateway.demo.paging import pages
from gateway.demo.patients import Enrolled
from gateway.demo.tally import LogRow

LAST_ROWS = 8


def look_up(journey: Journey, patient: Enrolled, stored: Sequence[StoredAnswer]) -> None:
    """Reads the whole access log and checks that no read and no refusal of this run is missing from it."""
    events: list[AccessEvent] = []
    with journey.stage("accessLog", "reading the access log") as advance:
        for nodes in pages(
            journey.gateway,
            documents.ACCESS_LOG,
            AccessEvent,
            patient=patient.id,
            connection="accessLog",
            token=patient.person.token,
        ):
            events += nodes
            advance(len(nodes))
    journey.tally.access_log = len(events)
    # Neighbours that differ in their time and record alone are one row.
    alike = [list(group) for _, group in groupby(events, key=_words)]
    journey.tally.last_rows = [_row(group) for group in alike[:LAST_ROWS]]
    ids = {one.id for one in stored}
    clinician, stranger = journey.cast.clinician.id, journey.cast.stranger.id
    for who, outcome, words in (
        (clinician, "PERMITTED", "reads by the clinician"),
        (clinician, "DENIED", "refusals to the clinician"),
        (stranger, "DENIED", "refusals to the stranger"),
    ):
        logged = {event.record_id for event in events if _is(event, who, outcome)}
        if missing := len(ids - logged):
            journey.tally.fail(f"{missing} {words} are missing from the access log")
    if any(_is(event, stranger, "PERMITTED") for event in events):
        journey.tally.fail("the access log shows a read by the stranger")


def _is(event: AccessEvent, who: str, outcome: str) -> bool:
    return event.actor is not None and event.actor.id == who and event.outcome == outcome and event.action == "READ"


def _words(event: AccessEvent) -> tuple[str, str, str]:
    """Who, what, outcome."""
    who = event.actor.name or "(no name)" if event.actor is not None else "(nobody)"
    what = event.action if event.purpose is None else f"{event.action} for {event.purpose}"
    return who, what, event.outcome


def _row(group: Sequence[AccessEvent]) -> LogRow:
    who, what, outcome = _words(group[0])
    return LogRow(at=group[0].at, who=who, what=what, outcome=outcome, times=len(group))
