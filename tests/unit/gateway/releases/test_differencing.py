"""Who is left out so that no two releases differ by few."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.releases.differencing import left_out

K = 5


def people(*numbers: int) -> frozenset[bytes]:
    return frozenset(number.to_bytes(16, "big") for number in numbers)


@pytest.mark.parametrize("new", [1, K - 1])
def test_few_who_are_new_wait(new: int) -> None:
    before = people(*range(30))
    assert left_out(before | people(*range(100, 100 + new)), [before], k=K) == people(*range(100, 100 + new))


def test_enough_who_are_new_come_in() -> None:
    before = people(*range(30))
    assert left_out(before | people(*range(100, 100 + K)), [before], k=K) == frozenset()


def test_one_who_leaves_does_not_leave_alone() -> None:
    before = people(*range(30))
    out = left_out(before - people(7), [before], k=K)
    assert len(out) == K - 1


def test_one_who_leaves_beside_many_who_are_new_does_not_leave_alone() -> None:
    before = people(*range(30))
    after = before - people(7) | people(*range(100, 140))
    assert len(before - (after - left_out(after, [before], k=K))) >= K


def test_few_who_are_new_beside_many_who_left_wait() -> None:
    before = people(*range(60))
    after = people(*range(30)) | people(100, 101)
    assert people(100, 101) <= left_out(after, [before], k=K)


def test_the_same_few_go_everywhere() -> None:
    before = people(*range(30))
    first = before - people(7) - left_out(before - people(7), [before], k=K)
    # Another release of the same people: it leaves out the same, not others.
    second = before - people(7) - left_out(before - people(7), [before, first], k=K)
    assert second == first


def test_releases_of_others_do_not_matter() -> None:
    assert left_out(people(*range(30)), [people(*range(100, 130)), frozenset()], k=K) == frozenset()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.frozensets(st.integers(0, 40), min_size=1), min_size=1, max_size=5), st.integers(2, 8))
def test_no_two_ever_differ_by_few(cohorts: list[frozenset[int]], k: int) -> None:
    made: list[frozenset[bytes]] = []
    for cohort in cohorts:
        asked = people(*cohort)
        out = left_out(asked, made, k=k)
        assert out <= asked
        made.append(asked - out)
    for one, other in combinations(made, 2):
        if one & other:
            assert not 0 < len(one - other) < k
            assert not 0 < len(other - one) < k
