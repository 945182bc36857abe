"""What is asked for comes from files: views by their names, a profile; what they are not is said by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway import jsontext
from gateway.deid.profile import parse_profile, shipped
from gateway.demo.datasets.wish import (
    DATA_USE,
    ENOUGH,
    PURPOSE,
    SAFE_HARBOR,
    TITLE,
    load_tables,
    make_wish,
    small_profile,
)
from gateway.demo.model import WrongCallError
from gateway.releases.request import parse_request

VIEW = {"resource": "Patient", "select": [{"column": [{"name": "person", "path": "getResourceKey()"}]}]}


def written(folder: Path, name: str, value: Any) -> Path:
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_what_ships_is_a_request_that_the_gateway_takes() -> None:
    wish = make_wish([], None, consenting=ENOUGH)
    asked: dict[str, jsontext.JsonValue] = {
        "title": TITLE,
        "purpose": PURPOSE,
        "dataUse": [*DATA_USE],
        "cohort": {},
        "tables": wish.tables,
        "profile": wish.profile,
        "format": "parquet",
        "days": 30,
    }
    found = parse_request(asked)
    assert {one.name for one in found.tables} == {"people", "conditions", "observations"}
    assert found.profile == shipped(SAFE_HARBOR)


def test_enough_patients_are_asked_for_by_the_shipped_profile() -> None:
    wish = make_wish([], None, consenting=ENOUGH)
    assert (wish.profile, wish.warning) == (SAFE_HARBOR, "")


def test_too_few_patients_are_asked_for_by_a_small_one_and_it_is_said() -> None:
    wish = make_wish([], None, consenting=ENOUGH - 1)
    assert wish.profile == small_profile()
    assert "no steward should approve" in wish.warning


def test_the_small_profile_departs_in_its_measures_and_in_nothing_else() -> None:
    small, rule = parse_profile(small_profile()), shipped(SAFE_HARBOR)
    assert small.name == "demo-small"
    assert small.departures == ("anonymity.k", "anonymity.l", "anonymity.t")
    assert (small.dates, small.resources, small.few_people, small.keep) == (
        rule.dates,
        rule.resources,
        rule.few_people,
        rule.keep,
    )


def test_a_profile_of_ones_own_is_asked_for_as_it_stands(tmp_path: Path) -> None:
    path = written(tmp_path, "own.json", '{"profile": "own", "zip": 1.50}')
    wish = make_wish([], path, consenting=1)
    assert jsontext.dumps(wish.profile) == b'{"profile":"own","zip":1.50}'
    assert not wish.warning


def test_a_table_is_called_as_its_view(tmp_path: Path) -> None:
    path = written(tmp_path, "one.json", {"name": "patients", **VIEW})
    assert list(load_tables([path])) == ["patients"]


def test_a_table_of_a_view_without_a_name_is_called_as_its_file(tmp_path: Path) -> None:
    assert list(load_tables([written(tmp_path, "one.json", VIEW)])) == ["one"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("v.json", "{"),
        ("v.json", "[]"),
        ("v.json", {}),
        ("v.json", {"resource": 7}),
        ("v.json", {"resourceType": "Patient", "resource": "Patient"}),
        ("V-1.json", VIEW),
        ("v.json", {"name": "No Name", **VIEW}),
        ("v.json", {"name": 1, **VIEW}),
    ],
)
def test_a_view_that_is_none_is_refused_by_name(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(WrongCallError, match=name):
        load_tables([written(tmp_path, name, value)])


def test_two_tables_of_one_name_are_refused(tmp_path: Path) -> None:
    paths = [written(tmp_path, name, {"name": "one", **VIEW}) for name in ("a.json", "b.json")]
    with pytest.raises(WrongCallError, match=r"b\.json: there is a table one already"):
        load_tables(paths)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(WrongCallError, match=r"none\.json: cannot be read"):
        make_wish([], tmp_path / "none.json", consenting=1)
