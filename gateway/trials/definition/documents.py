"""A document of ODM, as XML or, in edition 2.0, as JSON: octets to elements that belong there.

True here: what `parse` returns passed the grammar of its edition, and is the same for both forms.
Not done here: what the elements mean (`reading`, `gateway.trials.odm`).
"""

from dataclasses import dataclass
from typing import Final

from gateway.errors import CallerError
from gateway.trials.definition import jsonform, xmltext
from gateway.trials.definition.bounds import BOUNDS, Bounds
from gateway.trials.definition.elements import Element
from gateway.trials.definition.grammar import Edition, check, edition_of

FIELD: Final = ("ODM",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """`root`: the ODM element, in the namespace of `edition`."""

    edition: Edition
    root: Element


def parse(octets: bytes, *, bounds: Bounds = BOUNDS) -> Parsed:
    """XML or JSON, told apart by the first character. Raises CallerError and LimitError, `field` beginning with ODM."""
    if octets.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{":
        root = jsonform.read(octets, field=FIELD, bounds=bounds)
    elif octets.strip():
        root = xmltext.read(octets, field=FIELD, bounds=bounds)
    else:
        raise CallerError("is empty", field=FIELD)
    edition = edition_of(root, field=FIELD)
    check(root, edition, field=())
    return Parsed(edition=edition, root=root)
