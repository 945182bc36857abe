"""XML of others as a small tree, read without trusting it.

True here: UTF-8 alone; a document type, and with it every entity but XML's own five, is refused before anything of it
is read; octets, depth, elements and characters are bounded while it is read. Comments and processing instructions are
no content. Whole parts can be passed over: they are counted, and not kept.
Not done here: namespaces, validation, mixed content (an element's text is all that stands in it, its children's not).
Source: https://www.w3.org/TR/xml/; CWE-611 and CWE-776.
"""

from dataclasses import dataclass, field
from typing import Final, NoReturn
from xml.parsers import expat

from gateway.errors import CallerError, LimitError

MOST_OCTETS: Final = 1 << 25
MOST_DEPTH: Final = 32
MOST_ELEMENTS: Final = 1_000_000
MOST_KEPT: Final = 50_000
_ONLY_UTF8: Final = "must be UTF-8"


@dataclass(slots=True, kw_only=True)
class Element:
    """`text`: characters that stand directly in it, stripped; empty if there are none."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def first(self, *tags: str) -> "Element | None":
        """The first element down a path."""
        here: Element | None = self
        for tag in tags:
            here = None if here is None else next((one for one in here.children if one.tag == tag), None)
        return here

    def each(self, tag: str) -> list["Element"]:
        """The children of that name, in order."""
        return [one for one in self.children if one.tag == tag]


def parse(octets: bytes, *, passed_over: frozenset[str] = frozenset(), name: str = "xml") -> Element:
    """The root. Raises CallerError for what is no XML or is refused here, LimitError past a bound; `name` is their
    field, and messages tell a line at most."""
    if len(octets) > MOST_OCTETS:
        raise LimitError(f"has more than {MOST_OCTETS} octets", field=(name,))
    reader = _Reader(passed_over, name)
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.XmlDeclHandler = reader.declared
    parser.StartDoctypeDeclHandler = reader.typed
    parser.StartElementHandler = reader.started
    parser.EndElementHandler = reader.ended
    parser.CharacterDataHandler = reader.said
    try:
        parser.Parse(octets, True)
    except expat.ExpatError as error:
        raise CallerError(f"is no XML, at line {error.lineno}", field=(name,)) from error
    return reader.root


class _Reader:
    """What the parser calls."""

    def __init__(self, passed_over: frozenset[str], name: str) -> None:
        self.root = Element(tag="", attributes={})
        self._open: list[Element] = []
        self._texts: list[list[str]] = []
        self._passed_over = passed_over
        self._skipping = 0
        self._elements = self._kept = 0
        self._name = name

    def declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() != "utf-8":
            raise CallerError(_ONLY_UTF8, field=(self._name,))

    def typed(self, *_: object) -> NoReturn:
        raise CallerError("must have no document type", field=(self._name,))

    def started(self, tag: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > MOST_ELEMENTS:
            raise LimitError(f"has more than {MOST_ELEMENTS} elements", field=(self._name,))
        if len(self._open) + self._skipping >= MOST_DEPTH:
            raise LimitError(f"is nested more than {MOST_DEPTH} deep", field=(self._name,))
        if self._skipping or tag in self._passed_over:
            self._skipping += 1
            return
        self._kept += 1
        if self._kept > MOST_KEPT:
            raise LimitError(f"has more than {MOST_KEPT} elements that count", field=(self._name,))
        element = Element(tag=tag, attributes=attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._texts.append([])

    def ended(self, _tag: str) -> None:
        if self._skipping:
            self._skipping -= 1
            return
        self._open.pop().text = "".join(self._texts.pop()).strip()

    def said(self, text: str) -> None:
        if not self._skipping:
            self._texts[-1].append(text)
