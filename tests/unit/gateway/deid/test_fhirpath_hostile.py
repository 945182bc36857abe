"""Expressions, views and resources that were made to take long, to fill memory or to overflow the stack."""

import time
from typing import Any

import pytest

from gateway.deid.fhirpath import compile_path
from gateway.deid.fhirpath.parts import Flaw
from gateway.deid.views import Unfit, View, parse_view
from gateway.errors import CallerError

TYPES = frozenset({"Patient"})
SECONDS = 2.0


def refused(text: str) -> str:
    started = time.monotonic()
    with pytest.raises(CallerError) as refusal:
        compile_path(text, field=("path",))
    assert time.monotonic() - started < SECONDS
    assert len(refusal.value.message) < 200
    return refusal.value.message


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000 + "1" + ")" * 10_000,
        "(" * 900 + "1" + ")" * 900,
        "a" * 1_000_000,
        "'" + "x" * 1_000_000 + "'",
        ".a" * 900,
        "a" + ".a" * 900,
        "1" + "+1" * 900,
        "a" + "[0]" * 600,
        "a" + ".where(a" * 200 + ")" * 200,
        "-" * 1_999,
        "'" + "\\" * 1_998,
        "`" * 1_999,
        "@" + "1" * 1_998,
        "1" * 1_999,
        " " * 1_999 + "(",
        "a[" * 600,
        "not(" * 400,
        "a = " * 400,
    ],
    ids=lambda text: f"{text[:6]}…{len(text)}",
)
def test_a_hostile_expression_is_refused_at_once(text: str) -> None:
    refused(text)


def test_the_longest_allowed_expression_runs() -> None:
    chained = compile_path("a" + ".a" * 59, field=())
    tree: dict[str, Any] = {"a": "end"}
    for _ in range(59):
        tree = {"a": tree}
    assert chained.run(tree, 0) == ["end"]
    criteria = compile_path("$this" + ".where(true)" * 30, field=())
    assert criteria.run("x", 0) == ["x"]
    nested = compile_path("(" * 23 + "1" + ")" * 23, field=())
    assert nested.run({}, 0) == [1]


def view(*selects: dict[str, Any]) -> View:
    return parse_view({"resource": "Patient", "select": list(selects)}, field=("view",), types=TYPES)


def timed(subject: View, resource: dict[str, Any]) -> Any:
    started = time.monotonic()
    rows = subject.rows({"resourceType": "Patient", **resource})
    assert time.monotonic() - started < 5 * SECONDS
    return rows


def looped(name: str, path: str, over: str = "forEach") -> dict[str, Any]:
    return {over: [path] if over == "repeat" else path, "column": [{"name": name, "path": "'x'"}]}


def test_a_huge_list_makes_no_more_rows_than_the_bound() -> None:
    assert timed(view(looped("a", "name")), {"name": [{}] * 1_000_000}) == Unfit(flaw=Flaw.TOO_MANY_ROWS, column=None)
    assert len(timed(view(looped("a", "name")), {"name": [{}] * 10_000})) == 10_000


def test_a_huge_list_without_rows_is_given_up() -> None:
    empty = {"forEach": "name", "select": [looped("a", "given")]}
    assert timed(view(empty), {"name": [{}] * 2_000_000}) == Unfit(flaw=Flaw.TOO_LARGE, column=None)


def test_selects_joined_crosswise_are_counted_before_they_are_made() -> None:
    crossed = view(*(looped(f"c{number}", "name") for number in range(20)))
    assert timed(crossed, {"name": [{}] * 100}) == Unfit(flaw=Flaw.TOO_MANY_ROWS, column=None)


def test_unions_of_unions_are_counted() -> None:
    one: dict[str, Any] = looped("a", "name")
    united = {"unionAll": [{"unionAll": [one] * 9}] * 9}
    assert timed(view(united), {"name": [{}] * 1_000}) == Unfit(flaw=Flaw.TOO_MANY_ROWS, column=None)


def test_a_deep_resource_is_walked_without_the_stack() -> None:
    deep: dict[str, Any] = {}
    for _ in range(50_000):
        deep = {"item": [deep]}
    assert timed(view(looped("a", "item", "repeat")), deep) == Unfit(flaw=Flaw.TOO_MANY_ROWS, column=None)


def test_repeats_within_repeats_that_make_no_rows_are_given_up() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"item": [deep]}
    select = looped("a", "absent")
    for _ in range(6):
        select = {"repeat": ["item"], "select": [select]}
    assert timed(view(select), deep) == Unfit(flaw=Flaw.TOO_LARGE, column=None)


def test_texts_do_not_grow_beyond_the_bound() -> None:
    joined = {"column": [{"name": "a", "path": f"name.given.join('{'-' * 100}')"}]}
    assert timed(view(joined), {"name": {"given": ["x"] * 100_000}}) == Unfit(flaw=Flaw.TOO_LARGE, column="a")
    added = {"column": [{"name": "a", "path": " + ".join(["id"] * 40)}]}
    assert timed(view(added), {"id": "x" * 100_000}) == Unfit(flaw=Flaw.TOO_LARGE, column="a")


def test_numbers_do_not_grow_beyond_what_json_holds() -> None:
    powered = {"column": [{"name": "a", "path": " * ".join(["size"] * 40)}]}
    assert timed(view(powered), {"size": 10**18}) == [(None,)]
    assert timed(view(powered), {"size": 1e300}) == [(None,)]


def test_many_selects_are_refused() -> None:
    wide = {"select": [{"column": [{"name": f"c{number}", "path": "id"}]} for number in range(100)]}
    with pytest.raises(CallerError, match="more than 100 selects"):
        view(wide)
    with pytest.raises(CallerError, match="more than 100 items"):
        view({"unionAll": [looped("a", "name")] * 100_000})


def test_many_places_of_repeat_are_refused() -> None:
    select = looped("a", "x")
    for _ in range(6):
        select = {"repeat": [f"r{number}" for number in range(10)], "select": [select]}
    with pytest.raises(CallerError, match="more than 64 places"):
        view(select)


def test_views_nested_ten_thousand_deep_are_refused() -> None:
    select: dict[str, Any] = looped("a", "name")
    for _ in range(10_000):
        select = {"select": [select]}
    with pytest.raises(CallerError, match="nested more than 8 deep"):
        view(select)
