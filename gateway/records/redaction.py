"""Parts of a resource taken out, as a decision's obligations ask.

True here: pure; what was given is not changed; a part that is to be hidden and not found is an error, never a shrug.
Not done here: which parts (the decision's obligations, from `ResourceFacts.parts`).
"""

from collections.abc import Iterable
from typing import TypeAlias

from gateway.errors import IntegrityError
from gateway.jsontext import JsonValue

_Cuts: TypeAlias = "dict[str, _Cuts | None]"
"""What to cut below an element, by member name or index; None: the member as a whole."""


def redact(resource: JsonValue, pointers: Iterable[str]) -> JsonValue:
    """A copy without the parts that `pointers` (RFC 6901) name; what is left empty goes too. The given resource is not
    changed, and shares what was not touched. Raises IntegrityError when a pointer names nothing: what was to be hidden
    must not stay because it was not found."""
    cuts: _Cuts = {}
    for pointer in pointers:
        _mark(cuts, pointer)
    result = _without(resource, cuts) if cuts else resource
    if not isinstance(result, dict):
        raise IntegrityError("nothing is left of the resource after redaction")
    return result


def _mark(cuts: _Cuts, pointer: str) -> None:
    if not pointer.startswith("/"):
        raise IntegrityError("a redaction names the whole resource, or nothing")
    *parents, last = (part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/"))
    for part in parents:
        below = cuts.setdefault(part, {})
        if below is None:
            # The element goes as a whole already.
            return
        cuts = below
    cuts[last] = None


def _without(value: JsonValue, cuts: _Cuts) -> JsonValue:
    """What is left of a value; None when nothing is."""
    if isinstance(value, dict) and cuts.keys() <= value.keys():
        members = {key: _left(item, cuts[key]) if key in cuts else item for key, item in value.items()}
        return {key: item for key, item in members.items() if item is not None or key not in cuts} or None
    if isinstance(value, list) and cuts.keys() <= {str(index) for index in range(len(value))}:
        items = [_left(item, cuts[str(at)]) if str(at) in cuts else item for at, item in enumerate(value)]
        return [item for at, item in enumerate(items) if item is not None or str(at) not in cuts] or None
    raise IntegrityError("a redaction names a part that is not there")


def _left(value: JsonValue, cuts: "_Cuts | None") -> JsonValue:
    return None if cuts is None else _without(value, cuts)
