"""Registrations in a form of our own, and the digest that stands for them."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from gateway.errors import CallerError
from gateway.jsontext import JsonValue
from gateway.trials.registration.canonical import content_digest, written
from gateway.trials.registration.declared import read
from gateway.trials.registration.model import AnalysisPlan
from gateway.trials.registration.registry import read_record
from tests.unit.gateway.trials.registration.records import paths, record

SALT = bytes(range(32))


def test_what_was_written_is_read_as_it_was(shared_data: Path) -> None:
    for path in paths(shared_data):
        one = read_record(path.read_bytes()).registration
        assert read(written(one)) == one


def test_an_analysis_plan_is_written_too(shared_data: Path) -> None:
    plan = AnalysisPlan(text="Cox regression, two-sided.", sha256=hashlib.sha256(b"plan").digest())
    one = replace(record(shared_data, "NCT00763412.json").registration, analysis_plan=plan)
    assert read(written(one)) == one


def test_the_digest_is_anothers_reckoning_too(shared_data: Path) -> None:
    """By another library's RFC 8785."""
    for path in paths(shared_data):
        one = read_record(path.read_bytes()).registration
        told: Any = written(one)
        assert content_digest(one, SALT) == hashlib.sha256(b"\x08" + SALT + rfc8785.dumps(told)).digest()


def test_each_member_counts_for_the_digest(shared_data: Path) -> None:
    one = record(shared_data, "NCT00763412.json").registration
    changed = [
        replace(one, title="Another"),
        replace(one, outcomes=one.outcomes[:-1]),
        replace(one, outcomes=(replace(one.outcomes[0], time_frame="3 years"), *one.outcomes[1:])),
        replace(one, enrolment=replace(one.enrolment, actual=32)),
        replace(one, eligibility=replace(one.eligibility, healthy_volunteers=None)),
        replace(one, dates=replace(one.dates, start=None)),
    ]
    digests = {content_digest(each, SALT) for each in (one, *changed)}
    assert len(digests) == 1 + len(changed)


def test_another_salt_is_another_digest(shared_data: Path) -> None:
    one = record(shared_data, "NCT00763412.json").registration
    assert content_digest(one, SALT) != content_digest(one, SALT[::-1])


def test_a_short_salt_is_refused(shared_data: Path) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        content_digest(record(shared_data, "NCT00763412.json").registration, b"x")


SMALL: dict[str, JsonValue] = {"title": "A study"}


@pytest.mark.parametrize(
    ("told", "place"),
    [
        ([], ()),
        ({}, ("title",)),
        ({"title": " A study"}, ("title",)),
        ({"title": ""}, ("title",)),
        (SMALL | {"tilte": "x"}, ("tilte",)),
        (SMALL | {"sponsor": 7}, ("sponsor",)),
        (SMALL | {"studyType": "SURPRISE"}, ("studyType",)),
        (SMALL | {"phases": []}, ("phases",)),
        (SMALL | {"phases": ["PHASE1", 2]}, ("phases", "1")),
        (SMALL | {"outcomes": [{"kind": "PRIMARY"}]}, ("outcomes", "0", "measure")),
        (SMALL | {"outcomes": [{"kind": "FIRST", "measure": "x"}]}, ("outcomes", "0", "kind")),
        (SMALL | {"outcomes": [{"kind": "OTHER", "measure": "x"}] * 501}, ("outcomes",)),
        (SMALL | {"enrolment": {"planned": True}}, ("enrolment", "planned")),
        (SMALL | {"enrolment": {"planned": 10**9 + 1}}, ("enrolment", "planned")),
        (SMALL | {"dates": {"start": {"day": "2019-13"}}}, ("dates", "start", "day")),
        (SMALL | {"dates": {"start": {"day": "2019-02-29"}}}, ("dates", "start", "day")),
        (SMALL | {"dates": {"end": {"day": "2019"}}}, ("dates", "end")),
        (SMALL | {"analysisPlan": {}}, ("analysisPlan",)),
        (SMALL | {"analysisPlan": {"sha256": "AB" * 32}}, ("analysisPlan", "sha256")),
        (SMALL | {"eligibility": {"healthyVolunteers": "Yes"}}, ("eligibility", "healthyVolunteers")),
        (SMALL | {"arms": [{"label": "x", "description": "y" * 200_001}]}, ("arms", "0", "description")),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_what_is_wrong_is_refused_by_name(told: JsonValue, place: tuple[str, ...]) -> None:
    with pytest.raises(CallerError) as refusal:
        read(told)
    assert refusal.value.field == ("registration", *place)
