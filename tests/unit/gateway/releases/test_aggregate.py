"""What can be asked without a data set, what is refused by its member, and which value of a person counts."""

import json
import math
from typing import Any

import pytest

from gateway import jsontext
from gateway.consent.model import Purpose
from gateway.deid.profile import shipped
from gateway.deid.resources import Deidentifier
from gateway.deid.views.selects import Row
from gateway.errors import CallerError
from gateway.releases.aggregate import (
    ByRange,
    ByValue,
    Count,
    Mean,
    Per,
    Sum,
    bin_of,
    parse_aggregate,
    told,
    value_of,
)
from tests.unit.gateway.deid.people import person

VIEW = {
    "resource": "Observation",
    "select": [
        {
            "column": [
                {"name": "person", "path": "subject.getReferenceKey()"},
                {"name": "value", "path": "value.ofType(Quantity).value", "type": "decimal"},
                {"name": "status", "path": "status"},
                {"name": "codes", "path": "category.coding.code", "collection": True},
                {"name": "untyped", "path": "value.ofType(Quantity).value"},
            ]
        }
    ],
}
SUM: dict[str, Any] = {"kind": "sum", "view": VIEW, "column": "value", "low": 0, "high": 250.5, "per": "last"}
BARS: dict[str, Any] = {"kind": "histogram", "view": VIEW, "column": "status", "bins": ["final", "amended"]}
RANGES: dict[str, Any] = {"kind": "histogram", "view": VIEW, "column": "value", "bins": [0, 18.5, 25]}
PLAIN: dict[str, Any] = {
    "purpose": "HRESCH",
    "dataUse": ["DUO:0000007=MONDO:0005148", "DUO:0000021"],
    "cohort": {"conditions": ["http://snomed.info/sct|44054006"]},
    "measure": {"kind": "count"},
    "epsilon": 0.1,
}


def ask(**changes: Any) -> Any:
    return jsontext.loads(json.dumps({**PLAIN, **changes}).encode())


def measure(given: dict[str, Any]) -> Any:
    return parse_aggregate(ask(measure=given)).measure


def refused_at(**changes: Any) -> tuple[str, ...]:
    with pytest.raises(CallerError) as refused:
        parse_aggregate(ask(**changes))
    return refused.value.field


def test_a_question_is_named_by_what_it_says() -> None:
    made = parse_aggregate(ask())
    assert (made.purpose, made.measure, made.epsilon) == (Purpose.HRESCH, Count(), 100_000)
    assert made.data_use == set(PLAIN["dataUse"])
    assert made.cohort.conditions == set(PLAIN["cohort"]["conditions"])
    assert parse_aggregate(jsontext.loads(made.text)).digest == made.digest
    assert parse_aggregate(ask(epsilon=0.2)).digest != made.digest


def test_each_measure_is_read() -> None:
    total, mean = measure(SUM), measure({**SUM, "kind": "mean", "per": "mean"})
    assert (type(total), total.at, total.low, total.high, total.per) == (Sum, 1, 0, 250.5, Per.LAST)
    assert (type(mean), mean.per) == (Mean, Per.MEAN)
    bars, ranges = measure(BARS), measure(RANGES)
    assert (type(bars), bars.at, bars.bins, bars.size) == (ByValue, 2, ("final", "amended"), 3)
    assert (type(ranges), ranges.at, ranges.edges, ranges.size) == (ByRange, 1, (0, 18.5, 25), 3)


@pytest.mark.parametrize(
    ("written", "epsilon"),
    [
        ("1", 1_000_000),
        ("1.0", 1_000_000),
        ("0.1", 100_000),
        ("0.000001", 1),
        ("0.0000001", 1),
        ("0.1000001", 100_001),
        ("0.30000000000000004", 300_001),
        ("1e-300", 1),
    ],
)
def test_epsilon_is_counted_in_millionths_and_rounded_up(written: str, epsilon: int) -> None:
    text = json.dumps(PLAIN).replace('"epsilon": 0.1', f'"epsilon": {written}')
    assert parse_aggregate(jsontext.loads(text.encode())).epsilon == epsilon


@pytest.mark.parametrize("written", ["0.10", "1e-1", "1E-01", "0.1000000000000000000001"])
def test_a_question_that_is_spelt_otherwise_is_the_same_question(written: str) -> None:
    text = json.dumps(PLAIN, indent=1).replace('"epsilon": 0.1', f'"epsilon": {written}')
    made, plain = parse_aggregate(jsontext.loads(text.encode())), parse_aggregate(ask())
    assert (made.digest, made.epsilon) == (plain.digest, plain.epsilon)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"purpose": "TREAT"}, ("purpose",)),
        ({"purpose": []}, ("purpose",)),
        ({"dataUse": []}, ("dataUse",)),
        ({"dataUse": [1]}, ("dataUse",)),
        ({"dataUse": ["DUO:0000021"]}, ("dataUse",)),
        ({"cohort": []}, ("cohort",)),
        ({"cohort": {"zip": "x"}}, ("cohort", "zip")),
        ({"epsilon": 0}, ("epsilon",)),
        ({"epsilon": -0.1}, ("epsilon",)),
        ({"epsilon": 1.000001}, ("epsilon",)),
        ({"epsilon": 1e-400}, ("epsilon",)),
        ({"epsilon": True}, ("epsilon",)),
        ({"epsilon": "0.1"}, ("epsilon",)),
        ({"epsilon": None}, ("epsilon",)),
        ({"epsilon": 1e-6, "measure": {**SUM, "kind": "mean"}}, ("epsilon",)),
        ({"measure": []}, ("measure", "kind")),
        ({"measure": {}}, ("measure", "kind")),
        ({"measure": {"kind": "median"}}, ("measure", "kind")),
        ({"measure": {"kind": []}}, ("measure", "kind")),
        ({"more": 1}, ("more",)),
    ],
)
def test_a_bad_question_is_refused_by_its_member(changes: dict[str, Any], field: tuple[str, ...]) -> None:
    assert refused_at(**changes) == ("aggregate", *field)


@pytest.mark.parametrize(
    ("given", "changes", "field"),
    [
        ({"kind": "count"}, {"view": VIEW}, ("view",)),
        (SUM, {"bins": []}, ("bins",)),
        (SUM, {"view": {**VIEW, "resource": "Practitioner"}}, ("view", "resource")),
        (SUM, {"view": None}, ("view",)),
        (SUM, {"column": "weight"}, ("column",)),
        (SUM, {"column": 1}, ("column",)),
        (SUM, {"column": "status"}, ("column",)),
        (SUM, {"column": "untyped"}, ("column",)),
        (SUM, {"column": "codes"}, ("column",)),
        (SUM, {"low": "0"}, ("low",)),
        (SUM, {"low": True}, ("low",)),
        (SUM, {"low": 250.5}, ("low",)),
        (SUM, {"low": 251}, ("low",)),
        (SUM, {"high": 1e16}, ("high",)),
        (SUM, {"high": None}, ("high",)),
        (SUM, {"per": "median"}, ("per",)),
        (SUM, {"per": []}, ("per",)),
        (BARS, {"bins": []}, ("bins",)),
        (BARS, {"bins": "final"}, ("bins",)),
        (BARS, {"bins": [str(one) for one in range(101)]}, ("bins",)),
        (BARS, {"bins": ["final", "final"]}, ("bins",)),
        (BARS, {"bins": ["final", 1]}, ("bins",)),
        (BARS, {"bins": ["final", "x" * 257]}, ("bins",)),
        (BARS, {"bins": [""]}, ("bins", "0")),
        (BARS, {"bins": [None]}, ("bins", "0")),
        (BARS, {"column": "codes"}, ("column",)),
        (BARS, {"low": 0}, ("low",)),
        (RANGES, {"bins": [1]}, ("bins",)),
        (RANGES, {"bins": [1, 1]}, ("bins",)),
        (RANGES, {"bins": [2, 1]}, ("bins",)),
        (RANGES, {"bins": [1, 1e16]}, ("bins", "1")),
        (RANGES, {"bins": [True, 2]}, ("bins", "0")),
        (RANGES, {"column": "status"}, ("column",)),
    ],
)
def test_a_bad_measure_is_refused_by_its_member(
    given: dict[str, Any], changes: dict[str, Any], field: tuple[str, ...]
) -> None:
    assert refused_at(measure={**given, **changes}) == ("aggregate", "measure", *field)


def test_an_unknown_path_of_the_view_is_named() -> None:
    view = {**VIEW, "select": [{"column": [{"name": "value", "path": "value.madeUp()"}]}]}
    found = refused_at(measure={**SUM, "view": view})
    assert found[:3] == ("aggregate", "measure", "view")
    assert found[-1] == "path"


@pytest.mark.parametrize("member", sorted(PLAIN))
def test_a_missing_member_of_a_question_is_named(member: str) -> None:
    value = ask()
    del value[member]
    with pytest.raises(CallerError) as refused:
        parse_aggregate(value)
    assert refused.value.field == ("aggregate", member)


@pytest.mark.parametrize(
    ("given", "member"), [(SUM, one) for one in SUM if one != "kind"] + [(BARS, one) for one in BARS if one != "kind"]
)
def test_a_missing_member_of_a_measure_is_named(given: dict[str, Any], member: str) -> None:
    left = {name: value for name, value in given.items() if name != member}
    assert refused_at(measure=left) == ("aggregate", "measure", member)


# The value of one person


def rows(*values: Any, status: Any = "final") -> list[Row]:
    return [("a", value, status, None, None) for value in values]


@pytest.mark.parametrize(
    ("per", "values", "expected"),
    [
        ("first", (None, 3, 5.5), 3),
        ("last", (3, 5.5, None), 5.5),
        ("mean", (3, None, 5), 4),
        ("mean", (0, 1e308, 1e308), 167),
        ("mean", (math.inf, -math.inf), 125.25),
        ("first", (-1, 7), 0),
        ("last", (7, 10**400), 250.5),
        ("first", (math.nan, 2), 2),
        ("first", ("x", 2), 2),
        ("last", (), None),
        ("mean", (None, math.nan), None),
    ],
)
def test_a_person_has_one_number(per: str, values: tuple[Any, ...], expected: float | None) -> None:
    assert value_of(measure({**SUM, "per": per}), rows(*values)) == expected


def test_a_number_is_read_from_a_resource_as_de_identification_leaves_it() -> None:
    asked, profile = measure(SUM), shipped("safe-harbor")
    text = b'{"resourceType": "Observation", "status": "final", "valueQuantity": {"value": 72.50}}'
    left = Deidentifier(profile).apply(jsontext.loads(text), person(profile), id="x")
    assert value_of(asked, asked.view.rows(left)) == 72.5


def test_a_person_is_in_the_bin_of_their_first_value() -> None:
    bars = measure(BARS)
    assert value_of(bars, [*rows(1, status=None), *rows(1, status="amended"), *rows(1)]) == "amended"
    assert value_of(bars, rows(1, status=True)) == "true"
    assert value_of(bars, []) is None
    assert [bin_of(bars, one) for one in ("final", "amended", "draft", 1.0)] == [0, 1, 2, 2]


def test_a_range_has_its_lower_edge_and_not_its_upper_one() -> None:
    ranges = measure(RANGES)
    assert value_of(ranges, rows(None, 18.5, 3)) == 18.5
    assert value_of(ranges, rows(None)) is None
    found = [bin_of(ranges, one) for one in (0, 18.4, 18.5, 24.9, 25, -0.1, math.inf, -math.inf, 10**400, "0")]
    assert found == [0, 0, 1, 1, 2, 2, 2, 2, 2, 2]
    assert max(found) == ranges.size - 1


def test_no_cell_of_one_to_ten_is_told() -> None:
    assert {told(count) for count in range(-50, 11)} == {0}
    assert [told(count) for count in (11, 12, 1_000)] == [11, 12, 1_000]
    assert (told(11, k=20), told(20, k=20)) == (0, 20)
