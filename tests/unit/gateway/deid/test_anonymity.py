"""Classes, ladders, and how far must be generalized: on UCI Adult, on toy tables, and for any people."""

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.deid import generalizing
from gateway.deid.classes import Classes, Quasi, Sensitive
from gateway.deid.generalizing import Plan, generalize
from gateway.deid.ladders import LADDERS, Kind, Ladder, parse_ladder, year_ladder, zip_ladder
from gateway.deid.profile import Anonymity
from gateway.errors import CallerError

WANTED = Anonymity(k=11, diversity=2, t=0.5, suppressed_most=0.1)
QUASI = ("sex", "age", "race", "marital-status", "education", "native-country", "workclass", "occupation")


def adult(shared_data: Path) -> tuple[list[tuple[Quasi, Sensitive]], list[Ladder]]:
    folder = shared_data / "deid" / "adult"
    with gzip.open(folder / "adult.csv.gz", "rt") as stream:
        rows = list(csv.DictReader(stream, delimiter=";"))
    ladders = [parse_ladder((folder / f"adult_hierarchy_{one}.csv").read_text(), field=(one,)) for one in QUASI]
    people: list[tuple[Quasi, Sensitive]] = [
        (tuple(str(row[one]).strip() for one in QUASI), {"salary-class": [str(row["salary-class"]).strip()]})
        for row in rows
    ]
    return people, ladders


def test_adult_reaches_its_bar(shared_data: Path) -> None:
    people, ladders = adult(shared_data)
    plan = generalize(Classes.of(people), ladders, WANTED)
    assert plan.measures.k >= 11
    assert plan.measures.diversity >= 2
    assert plan.measures.t <= 0.5
    assert plan.suppressed_share <= 0.1
    # What the plan says is what placing each person gives.
    placed = [(place, sensitive) for quasi, sensitive in people if (place := plan.place(quasi)) is not None]
    assert Classes.of(placed).measure() == plan.measures
    assert len(people) - len(placed) == plan.suppressed


def test_measures_are_as_another_tool_has_them() -> None:
    """Figures of pyCANON 1.3.6 for the release of Adult above and for this table."""
    toy = [("x", "1"), ("x", "2"), ("x", "9"), ("y", "1"), ("y", "1"), ("y", "5")]
    classes = Classes.of(((quasi,), {"value": [value]}) for quasi, value in toy)
    ordered = classes.measure(ordered=True)
    assert (ordered.k, ordered.diversity, ordered.t) == (3, 2, pytest.approx(0.11111111111111112))
    assert classes.measure().t == pytest.approx(1 / 3)


def test_each_sensitive_column_is_measured_alone() -> None:
    """What is of many kinds in one column does not make up for another in which all are the same."""
    codes = {"x": ["a", "a"], "y": ["a", "b"]}
    told = [((quasi,), {"code": [code], "other": [f"{quasi}{number}"]}) for quasi, some in codes.items()
            for number, code in enumerate(some)]  # fmt: skip
    measured = Classes.of(told).measure()
    assert (measured.k, measured.diversity, measured.t) == (2, 1, 0.5)
    alone = Classes.of((quasi, {"code": sensitive["code"]}) for quasi, sensitive in told).measure()
    assert (alone.diversity, alone.t) == (1, 0.25)


def test_who_has_no_value_in_a_column_tells_nothing_there() -> None:
    told = [(("x",), {"code": []}), (("x",), {}), (("y",), {"code": ["a"]}), (("y",), {"code": ["b"]})]
    measured = Classes.of(told).measure()
    assert (measured.k, measured.diversity, measured.t) == (2, 2, 0.0)


def test_a_value_that_few_have_counts_for_nothing() -> None:
    told = [
        ((quasi,), {"code": [code]}) for quasi, code in [("x", "a"), ("x", "rare"), ("y", "a"), ("y", "b"), ("x", "b")]
    ]
    measured = Classes.of(told).measure(shared_by=2)
    assert (measured.k, measured.diversity, measured.t) == (2, 2, 0.0)
    assert Classes.of(told).measure().t > 0


def test_a_release_must_reach_l_and_t_in_every_column() -> None:
    """All twelve of x have one diagnosis, and medications of twelve kinds: together they were diverse and near to
    all."""
    told = [((quasi,), {"diagnosis": ["a" if quasi == "x" else "ab"[number % 2]], "medication": [f"{number}"]})
            for quasi in "xyz" for number in range(12)]  # fmt: skip
    wanted = Anonymity(k=3, diversity=2, t=0.5, suppressed_most=0)
    plan = generalize(Classes.of(told), (LADDERS[Kind.WORD],), wanted)
    assert (plan.levels, plan.measures.diversity) == ((1,), 2)


def test_a_value_that_is_taken_out_makes_no_class_diverse() -> None:
    """Else a plan were good, and what left by it not."""
    codes = {"x": ["a"] * 11 + ["rare"], "y": ["a", "b"] * 6, "z": ["a", "b"] * 6}
    told = [((quasi,), {"code": [code]}) for quasi, some in codes.items() for code in some]
    wanted = Anonymity(k=3, diversity=2, t=1, suppressed_most=0)
    plan = generalize(Classes.of(told), (LADDERS[Kind.WORD],), wanted)
    assert (plan.levels, plan.measures.diversity) == ((1,), 2)


@given(st.permutations(range(40)))
def test_measures_are_the_same_in_whatever_order_people_come(order: list[int]) -> None:
    told = [((f"{number % 3}",), {"code": [f"{number}", f"{number * 7 % 11}"]}) for number in range(40)]
    assert Classes.of(told[number] for number in order).measure() == Classes.of(told).measure()


@pytest.mark.parametrize("kind", list(Kind))
@given(st.text(max_size=12), st.text(max_size=12))
def test_what_is_alike_on_one_step_stays_alike(kind: Kind, one: str, other: str) -> None:
    ladder = LADDERS[kind]
    steps = [ladder(one), ladder(other)]
    assert len(steps[0]) == len(steps[1])
    assert steps[0][-1] == steps[1][-1] == "*"
    alike = [first == second for first, second in zip(*steps, strict=True)]
    assert alike == sorted(alike)


def test_ladders_of_years_and_digits() -> None:
    assert year_ladder("1987-06-05") == ("1987", "1985-1989", "1980-1989", "1980-1999", "1960-1999", "*")
    assert zip_ladder("021") == ("021", "02*", "0**", "*")


@pytest.mark.parametrize("text", ["", "a\nb", "a;*\nb;c;*", "a;x;*\na;y;*", "a;x;1;*\nb;x;2;*"])
def test_a_bad_table_of_steps_is_refused(text: str) -> None:
    with pytest.raises(CallerError) as refused:
        parse_ladder(text, field=("ladders", "age"))
    assert refused.value.field == ("ladders", "age")


def test_a_value_that_no_line_names_is_told_on_no_step() -> None:
    ladder = parse_ladder("a;x;*\nb;x;*", field=())
    assert (ladder("a"), ladder("z")) == (("a", "x", "*"), ("*", "*", "*"))


PEOPLE = st.lists(
    st.tuples(
        st.tuples(st.sampled_from(["1980", "1981", "1990", "2001", ""]), st.sampled_from(["021", "022", "100", ""])),
        st.fixed_dictionaries(
            {
                "code": st.lists(st.sampled_from("abc"), max_size=2, unique=True),
                "other": st.lists(st.sampled_from("xy"), max_size=1),
            }
        ),
    ),
    max_size=60,
)
BARS = st.builds(
    Anonymity, k=st.integers(1, 8), diversity=st.integers(1, 3), t=st.floats(0.1, 1), suppressed_most=st.floats(0, 0.5)
)


def check(plan: Plan, people: Sequence[tuple[Quasi, Sensitive]], wanted: Anonymity) -> None:
    placed = [(place, values) for quasi, values in people if (place := plan.place(quasi)) is not None]
    measured = Classes.of(placed).measure(shared_by=wanted.k)
    assert measured == plan.measures
    assert len(people) - len(placed) == plan.suppressed
    if placed:
        assert measured.k >= wanted.k
        assert measured.t <= wanted.t
        shared = Classes.of(placed).distribution(shared_by=wanted.k)
        assert measured.diversity >= wanted.diversity or not any(shared.values())


@pytest.mark.parametrize("tried", [generalizing.MOST_TRIED, 0])
@settings(deadline=None)
@given(people=PEOPLE, wanted=BARS)
def test_nobody_who_is_too_rare_is_ever_placed(
    tried: int, people: list[tuple[Quasi, Sensitive]], wanted: Anonymity
) -> None:
    ladders = (LADDERS[Kind.YEAR], LADDERS[Kind.ZIP3])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generalizing, "MOST_TRIED", tried)
        check(generalize(Classes.of(people), ladders, wanted), people, wanted)


def test_nobody_at_all_is_a_plan() -> None:
    plan = generalize(Classes(), (LADDERS[Kind.YEAR],), WANTED)
    assert (plan.people, plan.suppressed_share, plan.measures.k) == (0, 0.0, 0)
