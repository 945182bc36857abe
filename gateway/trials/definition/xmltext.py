"""XML: octets to elements and back.

True here: a document with a document type is refused at its first mark, so that there are no entities to expand and
nothing outside to fetch; size, depth and number of elements are bounded while it is read. What `write` returns reads
back as the same elements: whitespace in attributes and carriage returns are written as references.
Not done here: what the elements mean (`grammar`); white space between elements, which is layout, is not kept.
Source: https://www.w3.org/TR/xml/, https://www.w3.org/TR/xml-names/.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NoReturn
from xml.parsers import expat

from gateway.errors import CallerError, LimitError
from gateway.trials.definition.bounds import BOUNDS, Bounds
from gateway.trials.definition.elements import PREFIXES, SCHEMA_INSTANCE, Element, clark, split

MOST_DEPTH: Final = 40
"""Elements within each other, the outermost counted."""
MOST_ATTRIBUTES: Final = 64
"""Of one element."""
HOLE: Final = "\0"
"""Where `write_around` puts what comes later: no XML holds it."""
_ENCODINGS: Final = re.compile(rb"(?i)(utf-8|utf-16|us-ascii|ascii|iso-8859-1)")
_DECLARED: Final = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_ILLEGAL: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_IN_TEXT: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_ATTRIBUTE: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)


def read(octets: bytes, *, field: tuple[str, ...], bounds: Bounds = BOUNDS) -> Element:
    """The outermost element. Raises CallerError, with the line in its message, and LimitError."""
    bounds.check(octets, field=field)
    declared = _DECLARED.match(octets.removeprefix(b"\xef\xbb\xbf"))
    if declared is not None and not _ENCODINGS.fullmatch(declared[1]):
        raise CallerError("is in an encoding that is not read here: give it in UTF-8", field=field)
    building = _Building(field, bounds)
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.ordered_attributes = True
    parser.StartElementHandler = building.start
    parser.EndElementHandler = building.end
    parser.CharacterDataHandler = building.say
    parser.StartDoctypeDeclHandler = building.refuse_doctype
    try:
        parser.Parse(octets, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code) or "not well-formed"
        raise CallerError(f"is not XML: {reason}, at line {error.lineno}", field=field) from error
    except (LookupError, ValueError) as error:  # what it finds to be the encoding, Python does not know
        raise CallerError("is in an encoding that is not read here: give it in UTF-8", field=field) from error
    return building.outermost()


class _Building:
    """The elements that are open, each as its name, attributes and content so far."""

    def __init__(self, field: tuple[str, ...], bounds: Bounds) -> None:
        self._field = field
        self._most = bounds.elements
        self._open: list[tuple[str, tuple[tuple[str, str], ...], list[Element | str]]] = []
        self._elements = 0
        self._done: Element | None = None

    def start(self, name: str, attributes: list[str]) -> None:
        self._elements += 1
        if len(self._open) == MOST_DEPTH:
            raise LimitError(f"is nested more than {MOST_DEPTH} deep", field=self._field)
        if self._elements > self._most:
            raise LimitError(f"has more than {self._most} elements", field=self._field)
        if len(attributes) > 2 * MOST_ATTRIBUTES:
            raise LimitError(f"has an element of more than {MOST_ATTRIBUTES} attributes", field=self._field)
        pairs = zip(attributes[::2], attributes[1::2], strict=True)
        self._open.append((_clarked(name), tuple((_clarked(one), value) for one, value in pairs), []))

    def say(self, text: str) -> None:
        self._open[-1][2].append(text)

    def end(self, _name: str) -> None:
        name, attributes, content = self._open.pop()
        made = Element(name=name, attributes=attributes, content=_settled(content))
        if self._open:
            self._open[-1][2].append(made)
        else:
            self._done = made

    def refuse_doctype(self, _name: str, _system: str | None, _public: str | None, _subset: bool) -> NoReturn:
        raise CallerError("has a document type (DOCTYPE), which is not read here: take it out", field=self._field)

    def outermost(self) -> Element:
        if self._done is None:
            raise CallerError("is not XML: it has no element", field=self._field)
        return self._done


def _clarked(name: str) -> str:
    return f"{{{name}" if "}" in name else name


def _settled(content: list[Element | str]) -> tuple[Element | str, ...]:
    """Texts that meet are one; between elements white space is layout."""
    joined: list[Element | str] = []
    texts: list[str] = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
            continue
        if texts:
            joined.append("".join(texts))
            texts = []
        joined.append(part)
    if texts:
        joined.append("".join(texts))
    if len(joined) == 1:
        return tuple(joined)
    mixed = any(isinstance(part, str) and part.strip() for part in joined)
    return tuple(part for part in joined if mixed or not isinstance(part, str))


def write(element: Element, *, namespace: str) -> bytes:
    """UTF-8, with `namespace` as the one without a prefix. Raises CallerError for a character that XML cannot hold."""
    prefixes = {namespace: ""} | _prefixes(element, namespace)
    declared = {space: prefix for space, prefix in prefixes.items() if prefix != "xml"}
    pieces: list[str] = []
    _write(element, prefixes, declared, pieces)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + _encoded("".join(pieces), element) + b"\n"


def write_around(
    shell: Element, parts: Sequence[Iterable[Element]], *, namespace: str, spaces: Iterable[str]
) -> Iterator[bytes]:
    """As `write`, with parts wherever the shell has `HOLE` as content, the first of them at the first, each written as
    it comes. `spaces`: namespaces that parts may be in, beside those of the shell. Raises CallerError for a part in
    another."""
    known = {space: PREFIXES.get(space, f"m{number}") for number, space in enumerate(spaces)}
    prefixes = {namespace: ""} | known | _prefixes(shell, namespace)
    declared = {space: prefix for space, prefix in prefixes.items() if prefix != "xml"}
    pieces: list[str] = []
    _write(shell, prefixes, declared, pieces)
    head, *between = "".join(pieces).split(HOLE)
    yield b'<?xml version="1.0" encoding="UTF-8"?>\n' + _encoded(head, shell)
    for some, text in zip(parts, between, strict=True):
        yield from (_part(one, prefixes) for one in some)
        yield _encoded(text, shell)
    yield b"\n"


def _part(element: Element, prefixes: dict[str, str]) -> bytes:
    named: set[str] = set()
    _add_namespaces(element, named, named)
    if not named <= {"", *prefixes}:
        raise CallerError("is in a namespace that the document does not have", field=(split(element.name)[1],))
    pieces: list[str] = []
    _write(element, prefixes, {}, pieces)
    return _encoded("".join(pieces), element)


def _encoded(text: str, element: Element) -> bytes:
    if _ILLEGAL.search(text):
        raise CallerError("holds a character that XML cannot hold", field=(split(element.name)[1],))
    return text.encode()


def _prefixes(element: Element, default: str) -> dict[str, str]:
    elements: set[str] = set()
    attributes: set[str] = set()
    _add_namespaces(element, elements, attributes)
    if "" in elements:
        raise CallerError("an element without a namespace has no place in ODM", field=(split(element.name)[1],))
    spaces = sorted((elements | attributes) - {"", default})
    return {space: PREFIXES.get(space, f"n{number}") for number, space in enumerate(spaces)}


def _add_namespaces(element: Element, elements: set[str], attributes: set[str]) -> None:
    elements.add(split(element.name)[0])
    attributes.update(split(name)[0] for name, _ in element.attributes)
    for part in element.content:
        if isinstance(part, Element):
            _add_namespaces(part, elements, attributes)


def _write(element: Element, prefixes: dict[str, str], declared: dict[str, str], pieces: list[str]) -> None:
    tag = _prefixed(element.name, prefixes)
    pieces.append(f"<{tag}")
    for space, prefix in declared.items():
        name = f"xmlns:{prefix}" if prefix else "xmlns"
        pieces.append(f' {name}="{space.translate(_IN_ATTRIBUTE)}"')
    for name, value in element.attributes:
        pieces.append(f' {_prefixed(name, prefixes)}="{value.translate(_IN_ATTRIBUTE)}"')
    if not element.content:
        pieces.append("/>")
        return
    pieces.append(">")
    for part in element.content:
        if isinstance(part, str):
            pieces.append(part.translate(_IN_TEXT))
        else:
            _write(part, prefixes, {}, pieces)
    pieces.append(f"</{tag}>")


def _prefixed(name: str, prefixes: dict[str, str]) -> str:
    space, local = split(name)
    prefix = prefixes.get(space, "")
    return f"{prefix}:{local}" if prefix else local


def carries_prefixes(element: Element) -> bool:
    """Whether a value of it may name a prefix (`xsi:type`), which `write` would not carry along."""
    typed = clark(SCHEMA_INSTANCE, "type")
    return any(name == typed for name, _ in element.attributes) or any(map(carries_prefixes, element.children))
