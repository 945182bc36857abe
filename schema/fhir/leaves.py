"""Primitives of FHIR as they leave: text and booleans as they are, numbers with the text that they were written with.

True here: what is not of its kind is None, in a list too; no message quotes a value. Not done here: lexical rules of
FHIR's own, which the validator held each resource to before it was stored.
"""

from typing import Any

from graphql import GraphQLBoolean, GraphQLInt, GraphQLScalarType, GraphQLString

from gateway.jsontext import Num
from schema.parts import Write

LARGEST = 2**31 - 1


def decimal(value: Any) -> Any:
    """A Num keeps its text until it is written; an integer is its text."""
    return value if type(value) is Num or type(value) is int else None


def integer(value: Any) -> int | None:
    """32 bits. JSON may write a whole number as `1.0` or `1E0`."""
    whole = int(value) if type(value) is Num and value.is_integer() else value
    return whole if type(whole) is int and -LARGEST <= whole + 1 <= LARGEST + 1 else None


def string(value: Any) -> str | None:
    return value if type(value) is str else None


def boolean(value: Any) -> bool | None:
    return value if type(value) is bool else None


def each(write: Write) -> Write:
    """For a list of leaves. A null in it holds the place of an extension."""

    def several(value: Any) -> Any:
        return [write(item) for item in value] if type(value) is list else None

    return several


DECIMAL = GraphQLScalarType(
    "FhirDecimal",
    coerce_output_value=decimal,
    description="A JSON number that keeps the text that it was written with: 1.10 stays 1.10.",
    specified_by_url="https://hl7.org/fhir/R4/datatypes.html#decimal",
)
LEAVES = {
    "string": (GraphQLString, string),
    "boolean": (GraphQLBoolean, boolean),
    "integer": (GraphQLInt, integer),
    "decimal": (DECIMAL, decimal),
}
"""Leaf of the outline -> its scalar, and how it is written."""
