"""All patients of the shared data in one release, by each profile that ships."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gateway import jsontext
from gateway.deid.cells import ColumnKind
from gateway.deid.profile import SHIPPED, Profile, parse_profile, shipped
from gateway.deid.tables import make_table
from gateway.deid.views import parse_view
from gateway.errors import CallerError
from tests.unit.gateway.deid.releases import VIEWS, assemble, spool, tables


@pytest.fixture(scope="module", params=SHIPPED)
def profile(request: pytest.FixtureRequest) -> Profile:
    return shipped(request.param)


@pytest.fixture(scope="module")
def release(shared_data: Path, profile: Profile) -> Any:
    people = spool(shared_data, profile, most=439)
    return people, *assemble(people, profile)


def test_a_release_of_all_reaches_the_profiles_bar(release: Any, profile: Profile) -> None:
    people, left, verdict = release
    assert len(people) == 439
    assert verdict.failed == ()
    assert verdict.measures.k >= 11
    assert verdict.measures.diversity >= 2
    assert verdict.measures.t <= 0.5
    assert verdict.people - verdict.suppressed == verdict.measures.people == len(left)
    assert verdict.rows == tuple(sum(len(person[at]) for person in left) for at in range(len(VIEWS)))


def test_nothing_that_left_is_of_fewer_than_k(release: Any, profile: Profile) -> None:
    _, left, _ = release
    for at, table in enumerate(tables(profile)):
        for column, kind in enumerate(table.kinds):
            if kind in (ColumnKind.VALUE, ColumnKind.QUASI):
                counts: Counter[Any] = Counter()
                for person in left:
                    counts.update({row[column] for row in person[at]} - {None})
                assert min(counts.values()) >= 11, (table.name, table.view.columns[column].name)


def test_rows_of_one_person_share_their_name_and_no_two_people_do(release: Any) -> None:
    _, left, _ = release
    names = [{row[0] for table in person for row in table} for person in left]
    assert {len(one) for one in names} == {1}
    assert len(set().union(*names)) == len(left)


def test_a_profile_that_asks_for_too_much_is_not_met(shared_data: Path) -> None:
    told = (
        shipped("safe-harbor")
        .text.replace(b'"k":11', b'"k":400')
        .replace(b'"suppressedMost":0.2', b'"suppressedMost":0')
    )
    strict = parse_profile(jsontext.loads(told))
    people = spool(shared_data, strict, most=60)
    left, verdict = assemble(people, strict)
    assert (left, verdict.failed) == ([], ("people", "k", "suppressed"))


@pytest.mark.parametrize(
    ("view", "field"),
    [
        ({"resource": "Patient", "select": [{"column": [{"name": "sex", "path": "gender"}]}]}, ("views", "0")),
        (
            {
                "resource": "Patient",
                "where": [{"path": "gender = 'male'"}],
                "select": [{"column": [{"name": "person", "path": "getResourceKey()"}]}],
            },
            ("views", "0"),
        ),
        (
            {
                "resource": "Patient",
                "select": [
                    {"column": [{"name": "person", "path": "getResourceKey()"}]},
                    {"forEach": "address", "column": [{"name": "state", "path": "state"}]},
                ],
            },
            ("views", "0"),
        ),
    ],
)
def test_a_view_on_people_is_one_row_each_and_has_their_key(view: Any, field: tuple[str, ...]) -> None:
    parsed = parse_view(view, field=field, types={"Patient"})
    with pytest.raises(CallerError) as refused:
        make_table("people", parsed, shipped("safe-harbor"), field=field)
    assert refused.value.field == field
