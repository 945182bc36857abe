"""FHIRPath, the subset that SQL on FHIR v2 requires: text in, a closure over one resource out, compiled once.

Source: https://sql-on-fhir.org/ig/latest/StructureDefinition-ShareableViewDefinition.html; the language itself:
https://hl7.org/fhirpath/N1/.
Supported: elements, indexers, `$this`, `%constants`, `%rowIndex`; where, exists, empty, first, not, ofType, extension,
join, lowBoundary, highBoundary, getResourceKey, getReferenceKey; and, or, = != < <= > >= + - * /; literals of text,
integers, decimals, Booleans, dates and times.
True here: everything else is refused when it is compiled, by name and place. A compiled expression knows the elements
it can read, and reads no others.
Not done here: views (`gateway.deid.views`); a check that an element exists in FHIR.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.deid.fhirpath.parser import Parser
from gateway.deid.fhirpath.parts import Origin, Part, Run
from gateway.deid.fhirpath.tokens import Tokens

ANYTHING = "*"
"""As a step of a place: any steps, or none. On its own: anything at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """`run(item, row)`: the collection that it yields; raises UnfitError. It keeps nothing: threads may share it.

    `reads`: the places it may look at, from the item in context (`code.coding.code`; choices as in JSON:
    `valueQuantity.value`; the item itself: the empty text). `place`: where what it yields lies; None if it is computed.
    `kind`: its FHIR type, if known. `origin`: what that is. `is_row_index`: it is `%rowIndex` alone. `nodes`: its size.
    """

    run: Run
    reads: frozenset[str]
    place: str | None
    kind: str | None
    origin: Origin
    is_row_index: bool
    nodes: int


def compile_path(
    text: str, *, field: tuple[str, ...], constants: Mapping[str, Part] | None = None, resource: str | None = None
) -> Expression:
    """`resource`: the type of the resource that is the item in context; None when the item is none.

    Raises CallerError with `field` that names what is not supported, and where.
    """
    parser = Parser(Tokens(text, field=field), constants=constants or {}, resource=resource)
    part = parser.parse()
    return Expression(
        run=part.run,
        reads=part.consumed,
        place=part.place,
        kind=part.kind,
        origin=part.origin,
        is_row_index=text.strip() == "%rowIndex",
        nodes=parser.nodes,
    )
