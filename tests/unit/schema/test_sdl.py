"""The printed schema is the checked-in one, and says at least what the public core says."""

import subprocess
import sys
from pathlib import Path

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    is_required_argument,
    print_ast,
)

from schema.root import print_sdl

ROOT = Path(__file__).parents[3]
CORE = build_schema((ROOT / "tests" / "contracts" / "core.graphql").read_text())
NAMES = sorted(name for name in CORE.type_map if not name.startswith("__"))


@pytest.fixture(scope="module")
def ours() -> GraphQLSchema:
    return build_schema((ROOT / "schema" / "schema.graphql").read_text())


def test_checked_in_schema_is_the_printed_one() -> None:
    assert (ROOT / "schema" / "schema.graphql").read_text() == print_sdl()


def test_module_prints_the_schema() -> None:
    printed = subprocess.run([sys.executable, "-m", "schema"], capture_output=True, check=True, cwd=ROOT)
    assert printed.stdout.decode() == print_sdl()


@pytest.mark.parametrize("name", NAMES)
def test_type_of_the_core_is_here_with_the_same_kind(ours: GraphQLSchema, name: str) -> None:
    assert type(ours.type_map.get(name)) is type(CORE.type_map[name])


@pytest.mark.parametrize("name", NAMES)
def test_members_of_a_core_type_are_unchanged(ours: GraphQLSchema, name: str) -> None:
    missing = shape(CORE.type_map[name]) - shape(ours.type_map[name])
    assert not missing


@pytest.mark.parametrize("name", NAMES)
def test_descriptions_of_the_core_are_kept(ours: GraphQLSchema, name: str) -> None:
    missing = descriptions(CORE.type_map[name]) - descriptions(ours.type_map[name])
    assert not missing


def shape(type_: GraphQLNamedType) -> set[str]:
    """One line for each thing that a client may rely on."""
    if isinstance(type_, GraphQLEnumType):
        return set(type_.values)
    if isinstance(type_, GraphQLUnionType):
        return {member.name for member in type_.types}
    if isinstance(type_, GraphQLInputObjectType):
        return {f"{name}: {one.type}{default(one)}" for name, one in type_.fields.items()}
    if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
        lines = {f"implements {one.name}" for one in type_.interfaces}
        for name, field in type_.fields.items():
            lines.add(f"{name}: {field.type}")
            lines |= {f"{name}({arg}: {one.type}{default(one)})" for arg, one in field.args.items()}
        return lines
    return set()


def default(one: GraphQLArgument | GraphQLInputField) -> str:
    return f" = {print_ast(one.default.literal)}" if one.default is not None and one.default.literal is not None else ""


def test_defaults_are_seen_by_the_comparison() -> None:
    assert "records(first: Int! = 50)" in shape(CORE.type_map["Patient"])


def descriptions(type_: GraphQLNamedType) -> set[tuple[str, str]]:
    found = {("", type_.description)} if type_.description else set()
    for name, member in getattr(type_, "fields", {}).items():
        if member.description:
            found.add((name, member.description))
    return {(name, " ".join(text.split())) for name, text in found}


def test_no_argument_was_made_required(ours: GraphQLSchema) -> None:
    for name in NAMES:
        for field_name, field in getattr(CORE.type_map[name], "fields", {}).items():
            there = getattr(ours.type_map[name].fields[field_name], "args", {})
            extra = set(there) - set(getattr(field, "args", {}))
            assert not [one for one in extra if is_required_argument(there[one])]
