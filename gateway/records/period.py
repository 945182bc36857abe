"""When a resource was clinically so: every date that FHIR lets it give about itself, as one span.

True here: a partial date is its whole span (`1980-02`: all of February), a period without an end goes on, and the span
of a resource covers all of its dates, so that nothing of it lies outside. Dates without a zone are read as UTC.
Not done here: dates of parts (a claim's items), birth dates, expiry dates.
"""

import calendar
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from gateway.errors import CallerError
from gateway.jsontext import JsonValue
from gateway.records.facts import EARLIEST, LATEST, Span

_CHOICES = (
    "effective", "onset", "abatement", "performed", "occurrence", "occurred", "serviced", "timing", "identified",
    "created", "collected", "start",
)  # fmt: skip
_TYPES = ("DateTime", "Period", "Instant", "Timing", "Date")
DATED = (
    "period", "authoredOn", "authored", "issued", "recordedDate", "recorded", "recordedOn", "date", "dateTime",
    "created", "billablePeriod", "started", "sent", "received", "receivedTime", "assertedDate",
    "dateAsserted", "lastOccurrence", "detected", "enteredDate", "dateWritten", "whenPrepared", "whenHandedOver",
    "startDate", "statusDate", "executionPeriod", "effectivePeriod", "timestamp", "plannedPeriod",
    *(choice + kind for choice in _CHOICES for kind in _TYPES),
)  # fmt: skip
"""Top-level elements of R4 resources that say when."""
_DATED = frozenset(DATED)
# Elsewhere a resource's `start` may be something else: of a GraphDefinition, a type's name.
_BOOKED = frozenset({"Appointment", "Slot"})
_MOMENT = timedelta(microseconds=1)


def clinical_span(resource: dict[str, JsonValue]) -> Span | None:
    """The span of all dates at the top of a resource; of a Specimen its collection, of a DocumentReference its context
    too. None without any. Raises CallerError for a date that the calendar does not have."""
    return Span.around(span for name, value in _dated(resource) for span in _spans(value, name))


def _dated(resource: dict[str, JsonValue]) -> Iterator[tuple[str, JsonValue]]:
    for name, value in resource.items():
        if name in _DATED or (name in ("start", "end") and resource.get("resourceType") in _BOOKED):
            yield name, value
        elif name in ("collection", "context") and isinstance(value, dict):
            yield from ((inner, value[inner]) for inner in value.keys() & _DATED)


def _spans(value: JsonValue, name: str) -> Iterator[Span]:
    if isinstance(value, str):
        yield parse_date(value, field=(name,))
    elif isinstance(value, list):
        for item in value:
            yield from _spans(item, name)
    elif isinstance(value, dict):
        if "start" in value or "end" in value:
            yield _period(value, name)
        # Timing: the events, or the bounds of the repetition.
        yield from _spans(value.get("event"), name)
        repeat = value.get("repeat")
        if isinstance(repeat, dict):
            yield from _spans(repeat.get("boundsPeriod"), name)


def _period(value: dict[str, JsonValue], name: str) -> Span:
    start, end = value.get("start"), value.get("end")
    return Span(
        start=parse_date(start, field=(name, "start")).start if isinstance(start, str) else EARLIEST,
        end=parse_date(end, field=(name, "end")).end if isinstance(end, str) else LATEST,
    )


def parse_date(text: str, *, field: tuple[str, ...] = ()) -> Span:
    """A FHIR date, dateTime or instant as the span that it leaves open (https://hl7.org/fhir/R4/datatypes.html)."""
    try:
        if len(text) > 10:
            # FHIR allows a leap second, which Python's clock has not.
            moment = datetime.fromisoformat(f"{text[:17]}59{text[19:]}" if text[17:19] == "60" else text)
            instant = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
            return Span(start=instant, end=instant)
        year, month, day = int(text[:4]), int(text[5:7] or 0), int(text[8:10] or 0)
        last_month = month or 12
        start = datetime(year, month or 1, day or 1, tzinfo=UTC)
        end = datetime(year, last_month, day or calendar.monthrange(year, last_month)[1], tzinfo=UTC)
    except OverflowError:
        return Span(start=EARLIEST, end=LATEST)
    except ValueError as error:
        raise CallerError("is no date of the calendar", field=field) from error
    return Span(start=start, end=end + timedelta(days=1) - _MOMENT if end.date() < LATEST.date() else LATEST)
