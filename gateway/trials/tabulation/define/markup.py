"""XML as a tree of bounded size, with short names for the namespaces of Define-XML.

True here: no document type, so no entity but the five of XML and nothing fetched from outside; size, depth, elements
and attributes are bounded while they are read.
Sources: XML 1.0; Namespaces in XML 1.0; https://docs.python.org/3/library/xml.html#xml-vulnerabilities.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NoReturn
from xml.parsers import expat

from gateway.trials.tabulation.octets import grouped
from gateway.trials.tabulation.places import fault, limit

MOST_OCTETS: Final = 64 * 2**20
MOST_DEPTH: Final = 32
MOST_ELEMENTS: Final = 300_000
MOST_ATTRIBUTES: Final = 64
_PREFIXES: Final = {
    "http://www.cdisc.org/ns/odm/v1.3": "",
    "http://www.cdisc.org/ns/def/v2.0": "def:",
    "http://www.cdisc.org/ns/def/v2.1": "def:",
    "http://www.cdisc.org/ns/arm/v1.0": "arm:",
    "http://www.w3.org/1999/xlink": "xlink:",
    "http://www.w3.org/XML/1998/namespace": "xml:",
}


@dataclass(slots=True)
class Element:
    """`name` and the names of attributes: `ItemDef`, `def:leaf`, `xlink:href`; `{uri}name` of other namespaces."""

    name: str
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)
    text: str = ""


def parse(octets: Iterable[bytes], *, file: str) -> Element:
    """The root. Raises CallerError for what is no XML, or has a document type; LimitError beyond the bounds."""
    builder = _Builder(file)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartDoctypeDeclHandler = builder.doctype
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    size = 0
    try:
        for part in grouped(octets):
            size += len(part)
            if size > MOST_OCTETS:
                raise limit(f"is larger than {MOST_OCTETS} octets", file=file)
            parser.Parse(part, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise fault(f"is no well-formed XML: line {error.lineno}, column {error.offset}", file=file) from error
    except (LookupError, ValueError) as error:
        raise fault("is in an encoding that is not read; save it as UTF-8", file=file) from error
    return builder.root()


class _Builder:
    def __init__(self, file: str) -> None:
        self._file = file
        self._open: list[Element] = []
        self._texts: list[list[str]] = []
        self._root: Element | None = None
        self._count = 0

    def doctype(self, _name: str, _system: str | None, _public: str | None, _internal: bool) -> NoReturn:
        raise fault("has a document type; take it out, for nothing here needs entities", file=self._file)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MOST_ELEMENTS or len(self._open) >= MOST_DEPTH or len(attributes) > MOST_ATTRIBUTES:
            raise limit("has more elements, depth or attributes than may be", file=self._file)
        made = Element(_short(name), {_short(one): value for one, value in attributes.items()})
        if self._open:
            self._open[-1].children.append(made)
        else:
            self._root = made
        self._open.append(made)
        self._texts.append([])

    def end(self, _name: str) -> None:
        self._open.pop().text = "".join(self._texts.pop()).strip()

    def characters(self, text: str) -> None:
        self._texts[-1].append(text)

    def root(self) -> Element:
        if self._root is None:
            raise fault("has no element", file=self._file)
        return self._root


def _short(name: str) -> str:
    space, _, local = name.rpartition(" ")
    if not space:
        return local
    prefix = _PREFIXES.get(space)
    return f"{{{space}}}{local}" if prefix is None else prefix + local
