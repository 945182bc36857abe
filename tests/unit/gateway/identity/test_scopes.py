"""A SMART scope leaves what it says and nothing else; what is not understood leaves nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.consent.model import Purpose
from gateway.identity.scopes import PURPOSES, reach_of

READ_ALL = {("READ", "TREAT", "*")}


def left(*scopes: str, purposes: tuple[str, ...] = ()) -> set[tuple[str, str, str]]:
    return set(reach_of(scopes, purposes).parts)


def test_purposes_are_those_of_consents() -> None:
    assert {purpose.value for purpose in Purpose} == PURPOSES


@pytest.mark.parametrize(
    ("scope", "parts"),
    [
        ("user/*.rs", READ_ALL),
        ("user/*.read", READ_ALL),
        ("user/*.cruds", READ_ALL | {("WRITE", "TREAT", "*")}),
        ("user/*.*", READ_ALL | {("WRITE", "TREAT", "*")}),
        ("user/Observation.rs", {("READ", "TREAT", "Observation")}),
        ("user/Observation.cu", {("WRITE", "TREAT", "Observation")}),
        ("user/Observation.write", {("WRITE", "TREAT", "Observation")}),
        ("patient/Observation.rs", {("READ", "PATRQT", "Observation")}),
        ("patient/*.cuds", {("WRITE", "PATRQT", "*")}),
        ("user/*.r", set()),
        ("user/*.s", set()),
        ("user/*.c", set()),
        ("user/*.d", set()),
        ("system/*.cruds", set()),
    ],
)
def test_a_scope_leaves_what_it_says(scope: str, parts: set[tuple[str, str, str]]) -> None:
    assert left(scope) == parts


@pytest.mark.parametrize(
    "scope",
    [
        *("", "openid", "fhirUser", "launch/patient", "offline_access", "user/*", "user/*.", "user/.rs", "*/*.rs"),
        *("user/Observation.sr", "user/*.rsx", "User/*.rs", "user/observation.rs", "user/*.rs ", "user/*.rs\n"),
        *("user/Observation.rs?category=laboratory", "admin/*.rs", "user/Obs/ervation.rs", "user/**.rs"),
    ],
)
def test_what_is_not_understood_leaves_nothing(scope: str) -> None:
    assert left(scope) == set()
    assert left(scope, "user/*.rs") == READ_ALL


def test_a_token_that_says_what_it_is_for_is_for_nothing_else() -> None:
    assert left("user/*.rs", purposes=("HOPERAT", "ETREAT")) == {("READ", "HOPERAT", "*"), ("READ", "ETREAT", "*")}
    assert left("system/*.rs", purposes=("HRESCH",)) == {("READ", "HRESCH", "*")}
    assert left("patient/*.rs", purposes=("TREAT",)) == set()
    assert left("user/*.rs", purposes=("BTG",)) == set()


def test_two_scopes_are_not_mixed() -> None:
    """A type of the one with the purpose or the action of the other."""
    parts = left("patient/Observation.rs", "user/Condition.cu")
    assert parts == {("READ", "PATRQT", "Observation"), ("WRITE", "TREAT", "Condition")}


@given(st.lists(st.text(max_size=40), max_size=5), st.lists(st.sampled_from(sorted(PURPOSES)), max_size=3))
def test_nothing_is_left_beyond_the_purposes_that_were_named(scopes: list[str], purposes: list[str]) -> None:
    parts = reach_of([*scopes, "user/*.cruds", "patient/*.cruds"], purposes).parts
    assert {why for _, why, _ in parts} <= (set(purposes) or {"TREAT", "PATRQT"})
