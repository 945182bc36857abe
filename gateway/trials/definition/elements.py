"""Elements of an ODM document: a name, attributes, and content in its order.

True here: a name or attribute is a pair of namespace and local name in Clark's notation (`{namespace}local`; an
attribute without a prefix has the local name alone). What a model has no place for stays such an element, whole.
Not done here: comments and processing instructions, which say nothing of a study, and are not kept.
"""

from dataclasses import dataclass
from typing import Final

ODM_1_3: Final = "http://www.cdisc.org/ns/odm/v1.3"
ODM_2_0: Final = "http://www.cdisc.org/ns/odm/v2.0"
DATASET_XML: Final = "http://www.cdisc.org/ns/Dataset-XML/v1.0"
XML_SIGNATURE: Final = "http://www.w3.org/2000/09/xmldsig#"
SCHEMA_INSTANCE: Final = "http://www.w3.org/2001/XMLSchema-instance"
PREFIXES: Final = {
    "http://www.w3.org/XML/1998/namespace": "xml",
    "http://www.w3.org/1999/xlink": "xlink",
    "http://www.w3.org/1999/xhtml": "xhtml",
    "http://www.cdisc.org/ns/def/v2.0": "def",
    "http://www.cdisc.org/ns/def/v2.1": "def21",
    DATASET_XML: "data",
    ODM_2_0: "odm2",
}
"""The prefixes of namespaces that are well known; others are numbered."""
LANGUAGE: Final = "{http://www.w3.org/XML/1998/namespace}lang"


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """`content`: elements and the texts between them; of two texts none follows the other."""

    name: str
    attributes: tuple[tuple[str, str], ...] = ()
    content: "tuple[Element | str, ...]" = ()

    @property
    def text(self) -> str:
        """What it says, elements within it left out."""
        return "".join(part for part in self.content if isinstance(part, str))

    @property
    def children(self) -> "tuple[Element, ...]":
        return tuple(part for part in self.content if isinstance(part, Element))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a part of a study says beyond its model, for whoever writes it out again. Every name has its namespace."""

    attributes: tuple[tuple[str, str], ...] = ()
    parts: tuple[Element, ...] = ()


NOTHING_KEPT: Final = Kept()


def split(name: str) -> tuple[str, str]:
    """`{namespace}local` -> both; no namespace: an empty text."""
    namespace, _, local = name.rpartition("}")
    return namespace[1:], local


def clark(namespace: str, local: str) -> str:
    """Both -> `{namespace}local`."""
    return f"{{{namespace}}}{local}" if namespace else local
