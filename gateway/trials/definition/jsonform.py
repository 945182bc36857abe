"""ODM 2.0's JSON: the same elements, attributes as members, elements as objects or lists of them.

True here: member names are those of the grammar with the first letter small, as CDISC's own examples write them, or
as in XML; texts are `content`, languages `language`. A member that ODM does not have is refused by name.
Not done here: Dataset-JSON, which is another format under the same name. How items and groups of a group follow each
other is not said by two lists of JSON: they come one list after the other, unless order numbers say otherwise.
Source: https://github.com/cdisc-org/DataExchange-ODM-LinkML (examples, jsonschema).
"""

from functools import cache
from typing import Final

from gateway import jsontext
from gateway.errors import CallerError, LimitError
from gateway.jsontext import JsonValue, Num
from gateway.trials.definition.bounds import BOUNDS, Bounds
from gateway.trials.definition.elements import LANGUAGE, ODM_2_0, Element, clark, split
from gateway.trials.definition.grammar import Edition, Rule, rules

_TEXT_MEMBERS: Final = ("content", "_content")
_LANGUAGE_MEMBERS: Final = ("language", "lang")


@cache
def _spellings(name: str) -> dict[str, str]:
    """Of an element: how a member may be written -> the attribute or child that it is."""
    rule = rules(Edition.V2_0)[name]
    found: dict[str, str] = {}
    for one in (*rule.attributes, *rule.children):
        local = split(one)[1]
        for spelling in _LANGUAGE_MEMBERS if one == LANGUAGE else (local, local[:1].lower() + local[1:]):
            found[spelling] = one
    return found


def read(octets: bytes, *, field: tuple[str, ...], bounds: Bounds = BOUNDS) -> Element:
    """The ODM element. Raises CallerError and LimitError."""
    bounds.check(octets, field=field)
    value = jsontext.loads(octets.removeprefix(b"\xef\xbb\xbf"))
    if isinstance(value, dict) and set(value) == {"ODM"}:
        value = value["ODM"]
    return _Reading(bounds).element("ODM", value, field=field)


class _Reading:
    def __init__(self, bounds: Bounds) -> None:
        self._most = bounds.elements
        self._elements = 0

    def element(self, name: str, value: JsonValue, *, field: tuple[str, ...]) -> Element:
        self._elements += 1
        if self._elements > self._most:
            raise LimitError(f"has more than {self._most} elements", field=field)
        rule = rules(Edition.V2_0)[name]
        if isinstance(value, str) and rule.has_text:
            return Element(name=clark(ODM_2_0, name), content=(value,) if value else ())
        if not isinstance(value, dict):
            raise CallerError("must be an object", field=field)
        attributes: dict[str, str] = {}
        content: list[Element | str] = []
        for member, one in value.items():
            self._member(rule, name, member, one, attributes, content, field=(*field, member[:64]))
        return Element(name=clark(ODM_2_0, name), attributes=tuple(attributes.items()), content=tuple(content))

    def _member(
        self,
        rule: Rule,
        name: str,
        member: str,
        value: JsonValue,
        attributes: dict[str, str],
        content: list[Element | str],
        *,
        field: tuple[str, ...],
    ) -> None:
        if rule.has_text and member in _TEXT_MEMBERS:
            text = _text(value, field=field)
            content.extend([text] if text else [])
            return
        known = _spellings(name).get(member)
        if known is None:
            raise CallerError(f"is no member of {name} in ODM 2.0", field=field)
        if known in rule.attributes:
            if known in attributes:
                raise CallerError("is given twice", field=field)
            attributes[known] = _text(value, field=field)
            return
        for number, one in enumerate(value if isinstance(value, list) else [value]):
            place = (*field, str(number)) if isinstance(value, list) else field
            content.append(self.element(known, one, field=place))


def _text(value: JsonValue, *, field: tuple[str, ...]) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Num):
        return value.text
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise CallerError("must be a text or a number", field=field)
