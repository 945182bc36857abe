"""Which elements FHIR R4 has: a view that asks for others would give columns of nothing, and nobody would know why.

`elements.json` is made from HL7's definitions (`gateway.adapters.fhir_schema.elements`) and never edited. Whether what
is there may leave is another matter (`catalogue`).
"""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Final

import orjson

from gateway.deid.fhirpath import ANYTHING
from gateway.deid.views import View
from gateway.errors import CallerError

_EVERYWHERE: Final = frozenset({"id", "extension"})
"""Of primitives, too."""
_ANY_RESOURCE: Final = "*"


def refuse_unknown(view: View, *, field: tuple[str, ...]) -> None:
    """CallerError for a view that looks at what R4 has not; `field`: the view's."""
    for column in view.columns:
        _refuse(column.reads, f"column {column.name}", field=column.field)
    _refuse(view.conditions, "where, forEach or repeat", field=field)


def _refuse(reads: Iterable[str], where: str, *, field: tuple[str, ...]) -> None:
    for read in sorted(reads):
        unknown = unknown_in(read)
        if unknown is not None:
            message = f"FHIR R4 has no {unknown}, which {where} looks at: mind its case, and ofType() of a choice"
            raise CallerError(message, field=field)


def unknown_in(read: str) -> str | None:
    """As far as the first step that R4 does not have; None: it has all. `read`: a path from the resource's type on."""
    kind, *steps = read.split(".")
    for at, step in enumerate(steps, start=2):
        if step == ANYTHING or kind == _ANY_RESOURCE:
            return None
        following = "Extension" if step == "extension" else _elements().get(kind, {}).get(step)
        if following is None and step not in _EVERYWHERE:
            return ".".join(read.split(".")[:at])
        kind = following or ""
    return None


@cache
def _elements() -> Mapping[str, Mapping[str, str]]:
    found: Mapping[str, Mapping[str, str]] = orjson.loads(files(__package__).joinpath("elements.json").read_bytes())
    return found
