"""Every name of the schema is described, every nullable field says when it is null, and no word is about nothing."""

import re

from graphql import GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema, build_schema, is_non_null_type

from schema.root import print_sdl
from schema.words import named, patterns_of, table

SCHEMA: GraphQLSchema = build_schema(print_sdl())
NAMED = dict(named(SCHEMA))


def test_every_name_is_described() -> None:
    assert [coordinate for coordinate, found in NAMED.items() if not (found.description or "").strip()] == []


def test_every_nullable_field_says_when_it_is_null() -> None:
    silent = [
        f"{name}.{field}"
        for name, kind in SCHEMA.type_map.items()
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) and name in NAMED
        for field, found in kind.fields.items()
        if not is_non_null_type(found.type) and not re.search(r"\bnull\b", found.description or "", re.I)
    ]
    assert silent == []


def test_no_word_is_about_nothing() -> None:
    known = {pattern for coordinate in NAMED for pattern in patterns_of(coordinate)}
    assert sorted(set(table()) - known) == []


def test_a_name_that_is_new_is_missed() -> None:
    grown = build_schema(print_sdl() + "\ntype Unheard { of: String other(than: Int): Int! }\nenum Unsaid { WORD }")
    nameless = {coordinate for coordinate, found in named(grown) if not found.description}
    assert nameless == {
        "Unheard", "Unheard.of", "Unheard.other", "Unheard.other(than)", "Unsaid", "Unsaid.WORD",
    }  # fmt: skip
