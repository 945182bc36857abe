"""A partial date is its whole span, a period without end goes on, and a resource's span holds all of its dates."""

import pytest

from gateway.errors import CallerError
from gateway.jsontext import JsonValue
from gateway.records.facts import EARLIEST, LATEST
from gateway.records.period import clinical_span, parse_date


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("1980", "1980-01-01T00:00:00+00:00", "1980-12-31T23:59:59.999999+00:00"),
        ("1980-02", "1980-02-01T00:00:00+00:00", "1980-02-29T23:59:59.999999+00:00"),
        ("1981-02", "1981-02-01T00:00:00+00:00", "1981-02-28T23:59:59.999999+00:00"),
        ("1980-02-03", "1980-02-03T00:00:00+00:00", "1980-02-03T23:59:59.999999+00:00"),
        ("2015-06-01T01:30:00+02:00", "2015-05-31T23:30:00+00:00", "2015-05-31T23:30:00+00:00"),
        ("2015-06-01T01:30:00.123Z", "2015-06-01T01:30:00.123000+00:00", "2015-06-01T01:30:00.123000+00:00"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59+00:00", "2016-12-31T23:59:59+00:00"),
        ("9999", "9999-01-01T00:00:00+00:00", LATEST.isoformat()),
    ],
)
def test_a_date_is_the_span_that_it_leaves_open(text: str, start: str, end: str) -> None:
    span = parse_date(text)
    assert (span.start.isoformat(), span.end.isoformat()) == (start, end)


@pytest.mark.parametrize("text", ["1980-02-31", "1981-02-29", "1980-13", "0000", "x", ""])
def test_a_date_that_no_calendar_has_is_refused(text: str) -> None:
    with pytest.raises(CallerError):
        parse_date(text)


@pytest.mark.parametrize(
    ("elements", "start", "end"),
    [
        ({"effectiveDateTime": "2015-06-01"}, "2015-06-01", "2015-06-01"),
        ({"effectivePeriod": {"start": "2015", "end": "2016-03"}}, "2015-01-01", "2016-03-31"),
        ({"onsetDateTime": "1990", "abatementDateTime": "2001-05-02"}, "1990-01-01", "2001-05-02"),
        ({"onsetDateTime": "1990-04-01", "recordedDate": "2015-01-01"}, "1990-04-01", "2015-01-01"),
        ({"performedPeriod": {"start": "2015-06-01", "end": "2015-06-02"}}, "2015-06-01", "2015-06-02"),
        ({"occurrenceDateTime": "2015-06-01"}, "2015-06-01", "2015-06-01"),
        ({"authoredOn": "2015-06-01"}, "2015-06-01", "2015-06-01"),
        (
            {"billablePeriod": {"start": "2015-06-01", "end": "2015-06-02"}, "created": "2015-07-01"},
            "2015-06-01",
            "2015-07-01",
        ),
        ({"started": "2015-06-01"}, "2015-06-01", "2015-06-01"),
        ({"occurrenceTiming": {"event": ["2015", "2017"]}}, "2015-01-01", "2017-12-31"),
        (
            {"occurrenceTiming": {"repeat": {"boundsPeriod": {"start": "2015", "end": "2016"}}}},
            "2015-01-01",
            "2016-12-31",
        ),
        ({"collection": {"collectedDateTime": "2015-06-01"}}, "2015-06-01", "2015-06-01"),
        ({"date": "2015-06-01", "context": {"period": {"start": "2014", "end": "2014"}}}, "2014-01-01", "2015-06-01"),
    ],
)
def test_the_span_holds_every_date(elements: dict[str, JsonValue], start: str, end: str) -> None:
    span = clinical_span({"resourceType": "Observation", **elements})
    assert span is not None
    assert (span.start.date().isoformat(), span.end.date().isoformat()) == (start, end)


def test_a_period_without_an_end_goes_on() -> None:
    span = clinical_span({"resourceType": "CarePlan", "period": {"start": "2015"}})
    assert span is not None
    assert span.end == LATEST


def test_a_period_without_a_start_was_always() -> None:
    span = clinical_span({"resourceType": "Encounter", "period": {"end": "2015"}})
    assert span is not None
    assert span.start == EARLIEST


def test_a_resource_without_a_date_has_no_span() -> None:
    assert clinical_span({"resourceType": "Patient", "birthDate": "1980-01-01"}) is None


def test_a_booking_lasts_from_start_to_end() -> None:
    span = clinical_span({"resourceType": "Slot", "start": "2015-06-01T10:00:00Z", "end": "2015-06-01T11:00:00Z"})
    assert span is not None
    assert (span.end - span.start).seconds == 3600


def test_a_start_that_is_no_date_is_none() -> None:
    assert clinical_span({"resourceType": "GraphDefinition", "start": "Composition"}) is None
