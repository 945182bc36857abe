"""The schema against the one that clients have: what breaks them is found, and there is none.

`schema/released.graphql` is the schema of the last release; a release replaces it by its own.
"""

from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema
from graphql.utilities import DangerousChangeType, find_breaking_changes, find_dangerous_changes

from schema.root import print_sdl

RELEASED = build_schema((Path(__file__).parents[3] / "schema" / "released.graphql").read_text())
GROWTH = {
    DangerousChangeType.OPTIONAL_ARG_ADDED,
    DangerousChangeType.OPTIONAL_INPUT_FIELD_ADDED,
    DangerousChangeType.TYPE_ADDED_TO_UNION,
    DangerousChangeType.VALUE_ADDED_TO_ENUM,
    DangerousChangeType.IMPLEMENTED_INTERFACE_ADDED,
}
"""What a client that reads as GraphQL says it must takes as it comes; a changed default is none of these."""


def harmful(before: GraphQLSchema, after: GraphQLSchema) -> list[str]:
    dangerous = [change for change in find_dangerous_changes(before, after) if change.type not in GROWTH]
    return [change.description for change in (*find_breaking_changes(before, after), *dangerous)]


def test_nothing_that_clients_have_is_broken() -> None:
    assert harmful(RELEASED, build_schema(print_sdl())) == []


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("code: RefusalCode!", "code: RefusalCode", "Refusal.code changed type"),
        ("  LIMIT\n", "  LIMITS\n", "LIMIT was removed"),
        ("union RecordResult = Record | Refusal", "union RecordResult = Record", "Refusal was removed"),
        ("purpose: PurposeOfUse! = TREAT", "purpose: PurposeOfUse! = PATRQT", "changed defaultValue"),
        ("first: Int! = 50", "first: Int!", "defaultValue was removed"),
        ("  amendRecord(", "  amend(", "amendRecord was removed"),
    ],
)
def test_a_break_is_seen(was: str, becomes: str, said: str) -> None:
    text = print_sdl()
    assert was in text
    found = harmful(build_schema(text), build_schema(text.replace(was, becomes)))
    assert any(said in change for change in found), found
