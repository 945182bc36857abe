"""Strict reading of a ViewDefinition's JSON: objects of known members, lists of bounded length, names, flags.

True here: a refusal names the member that is wrong; nothing unknown is passed over.
"""

import re
from collections.abc import Mapping, Set
from decimal import Decimal

from gateway.deid.fhirpath import moments
from gateway.deid.fhirpath.names import MOMENTS, PRIMITIVES, kind_class
from gateway.deid.fhirpath.parts import Part, Value, literal
from gateway.deid.fhirpath.tokens import MAX_LENGTH
from gateway.errors import CallerError

Field = tuple[str, ...]

MAX_CONSTANTS = 100
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}", re.ASCII)
_TYPE_PREFIX = "http://hl7.org/fhir/StructureDefinition/"
_LARGEST = 2**63 - 1


def members(value: object, known: Set[str], *, field: Field) -> dict[str, object]:
    """An object of known members. Raises CallerError."""
    if not isinstance(value, dict):
        raise CallerError("must be an object", field=field)
    for key in value:
        if key not in known:
            raise CallerError("is no member that is supported", field=(*field, str(key)[:64]))
    return value


def items(holder: Mapping[str, object], name: str, *, field: Field, most: int) -> list[tuple[object, Field]]:
    """The items of a list with the field of each; none when it is absent. Raises CallerError, for an empty list too."""
    if name not in holder:
        return []
    value = holder[name]
    if not isinstance(value, list) or not value:
        raise CallerError("must be a list of one or more", field=(*field, name))
    if len(value) > most:
        raise CallerError(f"has more than {most} items", field=(*field, name))
    return [(item, (*field, name, str(number))) for number, item in enumerate(value)]


def text(holder: Mapping[str, object], name: str, *, field: Field) -> str:
    """A text that must be there. Raises CallerError."""
    value = holder.get(name)
    if not isinstance(value, str):
        raise CallerError("must be a text" if name in holder else "is missing", field=(*field, name))
    return value


def sql_name(holder: Mapping[str, object], *, field: Field) -> str:
    """`name`: letters, digits and underscores, the first a letter, 63 at most. Raises CallerError."""
    name = text(holder, "name", field=field)
    if _NAME.fullmatch(name) is None:
        raise CallerError("must be letters, digits and underscores, first a letter, 63 at most", field=(*field, "name"))
    return name


def flag(holder: Mapping[str, object], name: str, *, field: Field) -> bool:
    """A Boolean, false when absent. Raises CallerError."""
    value = holder.get(name, False)
    if not isinstance(value, bool):
        raise CallerError("must be true or false", field=(*field, name))
    return value


def primitive(holder: Mapping[str, object], *, field: Field) -> str | None:
    """`type`: a FHIR primitive type by its name or URI. Raises CallerError."""
    if "type" not in holder:
        return None
    kind = text(holder, "type", field=field).removeprefix(_TYPE_PREFIX)
    if kind not in PRIMITIVES:
        raise CallerError("must be a primitive type of FHIR", field=(*field, "type"))
    return kind


def constants(view: Mapping[str, object], *, field: Field) -> dict[str, Part]:
    """`constant`: each a name and one `value[x]`. Raises CallerError."""
    found: dict[str, Part] = {}
    keys = {f"value{kind[0].upper()}{kind[1:]}": kind for kind in PRIMITIVES}
    for value, place in items(view, "constant", field=field, most=MAX_CONSTANTS):
        constant = members(value, {"name", *keys}, field=place)
        name = sql_name(constant, field=place)
        if name in found or name == "rowIndex":
            raise CallerError("is the name of another constant", field=(*place, "name"))
        given = [key for key in constant if key != "name"]
        if len(given) != 1:
            raise CallerError("must have one value", field=place)
        kind = keys[given[0]]
        found[name] = literal(_value(constant[given[0]], kind, (*place, given[0])), kind=kind)
    return found


def _value(value: object, kind: str, field: Field) -> Value:
    match kind_class(kind):
        case "text" if isinstance(value, str) and len(value) <= MAX_LENGTH:
            if kind not in MOMENTS or moments.parse(value) or moments.parse_time(value):
                return value
        case "boolean" if isinstance(value, bool):
            return value
        case "integer" if type(value) is int and abs(value) <= _LARGEST:
            return value
        case "decimal" if type(value) is int and abs(value) <= _LARGEST:
            return value
        case "decimal" if type(value) is float:
            number = Decimal(repr(value))
            if number.is_finite():
                return number
    raise CallerError(f"must be a {kind}", field=field)
