"""A table's description as JSON, and back: all that is needed to write it again, but its rows. Pure.

True here: what is read back is equal, octets of a transport file's head too; members that say what is meant without
them are left out, and a description that would not be written as it stands is refused. Which kind of file a table came
in, under what name and in which encoding, stands beside it: no table says that of itself.
"""

from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import StrEnum
from typing import Any, Final, cast

import msgspec

from gateway import jsontext
from gateway.errors import CallerError
from gateway.jsontext import JsonValue
from gateway.trials.tabulation.csv.records import PLAIN, CsvForm
from gateway.trials.tabulation.model import Table
from gateway.trials.tabulation.xpt import Encoding

VERSION: Final = 1


class FileKind(StrEnum):
    """What a table came in."""

    XPT = "xpt"
    JSON = "json"
    NDJSON = "ndjson"
    DSJC = "dsjc"
    CSV = "csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """`name`: without folder. `encoding`: of a transport file; `form`: of comma-separated text."""

    name: str
    kind: FileKind
    encoding: Encoding = Encoding.UTF_8
    form: CsvForm = PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A table without its rows, and the file that it came in."""

    table: Table
    file: SourceFile
    version: int = VERSION


def tree_of(described: Described) -> dict[str, JsonValue]:
    """As JSON; octets in base64."""
    return cast("dict[str, JsonValue]", _tree(described))


def described_of(tree: JsonValue) -> Described:
    """Raises CallerError for what is no description, with the member's name."""
    try:
        made: Described = msgspec.convert(tree, Described)
    except (msgspec.ValidationError, ValueError) as error:
        raise CallerError("is no description of a table", field=("description",)) from error
    if made.version != VERSION:
        raise CallerError(f"is of version {made.version}, and not of {VERSION}", field=("description", "version"))
    if jsontext.canonical(tree_of(made)) != jsontext.canonical(tree):
        raise CallerError("says more than a description of a table can", field=("description",))
    return made


def _tree(value: Any) -> Any:
    if is_dataclass(value):
        return {
            one.name: _tree(said)
            for one in fields(value)
            if (said := getattr(value, one.name)) != _default(one) or one.name == "version"
        }
    if isinstance(value, tuple):
        return [_tree(one) for one in value]
    return msgspec.to_builtins(value)


def _default(one: "Field[Any]") -> object:
    return one.default if one.default is not MISSING else _Nothing


class _Nothing:
    """Equal to no value."""
