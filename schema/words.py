"""What names mean, where their classes do not say it: a table by coordinates, laid over the built schema.

True here: a description that a class gives stays, and the table's words follow it. Every name has one, and every
nullable field says when it is null (`tests/unit/schema/test_words.py`). Not done here: FHIR's types; HL7 has words.
"""

import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema
from graphql.type import is_introspection_type, is_specified_scalar_type


class Described(Protocol):
    """A type, field, argument or value."""

    description: str | None


@lru_cache(maxsize=1)
def table() -> dict[str, str]:
    """Coordinate, or pattern of coordinates -> words."""
    with (Path(__file__).parent / "words.toml").open("rb") as file:
        return tomllib.load(file)


def named(schema: GraphQLSchema) -> Iterator[tuple[str, Described]]:
    """Everything of ours that has a name, by its coordinate."""
    for name, kind in schema.type_map.items():
        if is_introspection_type(kind) or is_specified_scalar_type(kind) or name.startswith("Fhir"):
            continue
        yield name, kind
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for field, found in kind.fields.items():
                yield f"{name}.{field}", found
                yield from ((f"{name}.{field}({argument})", one) for argument, one in found.args.items())
        elif isinstance(kind, GraphQLInputObjectType):
            yield from ((f"{name}.{field}", one) for field, one in kind.fields.items())
        elif isinstance(kind, GraphQLEnumType):
            yield from ((f"{name}.{value}", one) for value, one in kind.values.items())


def patterns_of(coordinate: str) -> tuple[str, ...]:
    """The coordinate and the patterns that it may be under, nearest first."""
    kind, dot, member = coordinate.partition(".")
    suffixes = [suffix for suffix in ("Result", "Connection", "Edge") if kind.endswith(suffix) and kind != suffix]
    argument = f"*({member.partition('(')[2]}" if "(" in member else f"*{dot}{member}"
    return (coordinate, *(f"*{suffix}{dot}{member}" for suffix in suffixes), *([argument] if dot else []))


def with_words(schema: GraphQLSchema) -> GraphQLSchema:
    """The same schema, its names described. A pattern speaks where nothing else does."""
    words = table()
    for coordinate, found in named(schema):
        exact, patterns = words.get(coordinate), patterns_of(coordinate)[1:]
        if exact is not None:
            found.description = f"{found.description} {exact}" if found.description else exact
        elif not found.description:
            found.description = next((words[one] for one in patterns if one in words), None)
    return schema
