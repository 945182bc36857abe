"""The seeded bugs still fit this tree, and those whose finders take seconds are found; `make seeded-bugs` runs all."""

import pytest

from tests.campaigns.seeded import Bug, applies, bugs, is_found

SECONDS_ONLY = ("02", "08", "10")
ALL = [pytest.param(bug, id=bug.name) for bug in bugs()]


def test_there_are_ten_at_least() -> None:
    assert len(ALL) >= 10


@pytest.mark.parametrize("bug", ALL)
def test_a_seeded_bug_still_applies(bug: Bug) -> None:
    assert applies(bug)


@pytest.mark.parametrize("bug", [one for one in ALL if str(one.id).startswith(SECONDS_ONLY)])
def test_a_seeded_bug_is_found(bug: Bug) -> None:
    assert is_found(bug)
