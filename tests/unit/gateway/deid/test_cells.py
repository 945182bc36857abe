"""Small cells and ends of numbers."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from gateway.deid.cells import Cells, ColumnKind
from gateway.deid.views.selects import Row

KINDS = (ColumnKind.KEY, ColumnKind.VALUE, ColumnKind.NUMBER, ColumnKind.MOVED, ColumnKind.QUASI)
K = 3


def cells(people: list[list[Row]], kinds: tuple[ColumnKind, ...] = KINDS) -> Cells:
    made = Cells(kinds, grouped_by=(1,), k=K)
    for rows in people:
        made.add(rows)
    return made


def leaves(made: Cells, row: Row) -> Row:
    """One row of somebody's, as it leaves."""
    (left,) = made.apply([row])
    return left


def row(code: str | None, number: float | None) -> Row:
    return ("key", code, number, "1987-06-05", "*")


def test_what_fewer_than_k_people_have_is_taken_out() -> None:
    both = [row("a", 1.0), row("b", 1.0)]
    made = cells([[*both, row("rare", 1.0)], both, [*both, row("rare", 1.0)]])
    assert leaves(made, row("a", 1.0)) == ("key", "a", 1.0, "1987-06-05", "*")
    assert leaves(made, row("rare", 1.0)) == ("key", None, None, "1987-06-05", "*")
    assert made.taken_out == 2


def test_one_person_who_says_it_often_counts_once() -> None:
    made = cells([[row("a", 1.0)] * 10, [row("b", 1.0)]])
    assert leaves(made, row("a", 1.0))[1:3] == (None, None)


def test_a_number_past_the_kth_person_is_that_persons() -> None:
    made = cells([[row("a", float(value))] for value in (1, 50, 51, 52, 53, 54, 999)])
    assert [leaves(made, row("a", float(value)))[2] for value in (1, 50, 51, 52, 53, 54, 999)] == [
        51,
        51,
        51,
        52,
        53,
        53,
        53,
    ]
    assert made.clamped == 4


def test_numbers_of_other_codes_are_other_numbers() -> None:
    people = [[row("a", float(value)), row("b", 1000.0 * value)] for value in (5, 5, 5, 5, 6)]
    made = cells(people)
    assert leaves(made, row("a", 6.0))[2] == 5
    assert leaves(made, row("b", 5000.0))[2] == 5000
    assert leaves(made, row("never seen", 5.0))[1:3] == (None, None)


def test_each_of_a_list_is_a_value() -> None:
    made = Cells((ColumnKind.VALUE,), grouped_by=(), k=2)
    made.add([(["a", "b", "d"],)])
    made.add([(["a", "c", "d"],)])
    assert leaves(made, (["a", "b"],)) == (["a"],)
    # A list of which nothing is left is as one in which nothing was.
    assert leaves(made, (["b", "c"],)) == ([],)
    assert leaves(made, ([],)) == ([],)


def test_that_a_value_was_taken_out_tells_nothing() -> None:
    """Of two values whoever has none had the other."""
    made = Cells((ColumnKind.VALUE,), grouped_by=(), k=3)
    for value in [True, True, *[False] * 9]:
        made.add([(value,)])
    assert leaves(made, (True,)) == leaves(made, (False,)) == (None,)


def test_columns_that_are_made_of_the_same_count_as_one() -> None:
    """The code alone is taken out; whoever sees beside it that it is one of two knows which."""
    kinds = (ColumnKind.VALUE, ColumnKind.VALUE, ColumnKind.NUMBER)
    people = [("a", True), ("a", True), ("a", True), ("b", False), ("b", False), ("b", False), ("rare", True)]
    apart, as_one = (Cells(kinds, grouped_by=(), k=3, together=one) for one in ((), [(0, 1)]))
    for made in (apart, as_one):
        for code, is_one in people:
            made.add([(code, is_one, 1.0)])
    assert leaves(apart, ("rare", True, 1.0)) == (None, True, 1.0)
    assert leaves(as_one, ("rare", True, 1.0)) == (None, None, 1.0)
    # One person without would be that person: others are without, too.
    assert {leaves(as_one, (code, is_one, 1.0))[:2] for code, is_one in people} == {(None, None), ("b", False)}


def test_whether_there_is_a_number_is_a_value_where_a_view_asks() -> None:
    made = Cells((ColumnKind.NUMBER, ColumnKind.NUMBER), grouped_by=(), k=3, together=[(0, 1)])
    for asked in (None, *[5.0] * 9):
        made.add([(asked, 5.0)])
    assert leaves(made, (None, 5.0)) == leaves(made, (5.0, 5.0)) == (None, None)


def test_each_row_of_a_person_leaves_as_it_would_alone() -> None:
    people = [[row("a", float(value)), row("b", 1.0)] for value in range(5)]
    made = cells(people)
    rows = [row("a", 4.0), row("rare", 4.0), row(None, None), row("b", 1.0), row("b", True)]
    assert made.apply(rows) == [leaves(made, one) for one in rows]
    assert made.apply([]) == []


def test_true_is_no_number() -> None:
    made = cells([[row("a", True)] for _ in range(5)])
    assert leaves(made, row("a", True))[2] is None


PEOPLE = st.lists(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.one_of(st.none(), st.floats(-1e6, 1e6))), max_size=5),
    max_size=12,
)


@given(PEOPLE)
def test_of_what_leaves_every_value_is_of_k_people_and_no_end_is_of_fewer(
    people: list[list[tuple[str | None, float | None]]],
) -> None:
    rows = [[row(code, number) for code, number in person] for person in people]
    made = cells(rows)
    codes: dict[object, set[int]] = defaultdict(set)
    ends: dict[object, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number, person in enumerate(rows):
        for before in person:
            after = leaves(made, before)
            codes[after[1]].add(number)
            if isinstance(after[2], float):
                ends[before[1]][number].append(after[2])
    assert all(len(found) >= K for code, found in codes.items() if code is not None)
    for told in ends.values():
        highest, lowest = max(map(max, told.values())), min(map(min, told.values()))
        assert sum(max(one) == highest for one in told.values()) >= K
        assert sum(min(one) == lowest for one in told.values()) >= K
