"""SQL on FHIR v2 ViewDefinitions: parsed once, then rows of one resource at a time.

Source: https://sql-on-fhir.org/ig/latest/StructureDefinition-ViewDefinition.html.
True here: what a view does not say in the members known here is refused, and names the member. Every column tells which
elements it may read, as paths from the resource; so does the view of what decides about rows. A resource that does not
fit is a typed result without any of its values.
Not done here: who may see what (the caller judges `reads`); pseudonyms (the resource's ids are the caller's already);
columns that are no primitives; profiles; contained resources.
"""

from collections.abc import Set
from dataclasses import dataclass

from gateway.deid.fhirpath import Expression, compile_path
from gateway.deid.fhirpath.parts import Flaw, Part, Tree, UnfitError
from gateway.deid.views import reading
from gateway.deid.views.columns import Column, Selected, compile_selects
from gateway.deid.views.reading import Field
from gateway.deid.views.selects import Row, RowsOf, Work
from gateway.errors import CallerError

MAX_CONDITIONS = 50
_DESCRIPTIVE = frozenset({
    "id", "meta", "url", "identifier", "name", "title", "status", "experimental", "date", "publisher", "contact",
    "description", "useContext", "jurisdiction", "purpose", "copyright", "profile",
})  # fmt: skip
_MEMBERS = _DESCRIPTIVE | {"resourceType", "resource", "fhirVersion", "constant", "select", "where"}
_R4 = "4.0."


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """One resource does not fit the view: why, and at which column; None when it is not about one column."""

    flaw: Flaw
    column: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """`resource`: the R4 type. `conditions`: the places that decide about rows (where, forEach, repeat), from the type
    on. It keeps nothing of a resource: threads may share it."""

    name: str | None
    resource: str
    columns: tuple[Column, ...]
    conditions: frozenset[str]
    _where: tuple[Expression, ...]
    _rows: RowsOf

    def rows(self, resource: Tree) -> list[Row] | Unfit:
        """Rows in the order of `columns`; none for a resource of another type, or that `where` leaves out."""
        if type(resource) is not dict or resource.get("resourceType") != self.resource:
            return []
        try:
            if not all(_holds(condition, resource) for condition in self._where):
                return []
            return self._rows(resource, 0, Work())
        except UnfitError as error:
            return Unfit(flaw=error.flaw, column=error.column)


def _holds(condition: Expression, resource: Tree) -> bool:
    found = condition.run(resource, 0)
    if len(found) > 1 or (found and type(found[0]) is not bool):
        raise UnfitError(Flaw.NOT_BOOLEAN)
    return found == [True]


def parse_view(value: object, *, field: Field, types: Set[str]) -> View:
    """`value`: the JSON of a ViewDefinition. `types`: the resource types that may be asked for.

    Raises CallerError with the path of the member that is wrong, below `field`.
    """
    view = reading.members(value, _MEMBERS, field=field)
    if view.get("resourceType", "ViewDefinition") != "ViewDefinition":
        raise CallerError("must be ViewDefinition", field=(*field, "resourceType"))
    name = reading.sql_name(view, field=field) if "name" in view else None
    resource = reading.text(view, "resource", field=field)
    if resource not in types:
        raise CallerError("must be a resource type of this server", field=(*field, "resource"))
    _check_version(view, field)
    constants = reading.constants(view, field=field)
    where, read = _conditions(view, resource, constants, field)
    selected: Selected = compile_selects(view, resource=resource, constants=constants, field=field)
    return View(
        name=name,
        resource=resource,
        columns=selected.columns,
        conditions=selected.conditions | read,
        _where=where,
        _rows=selected.rows,
    )


def _check_version(view: dict[str, object], field: Field) -> None:
    versions = [version for version, _ in reading.items(view, "fhirVersion", field=field, most=20)]
    if versions and not any(isinstance(version, str) and version.startswith(_R4) for version in versions):
        raise CallerError("must name FHIR R4 among its versions", field=(*field, "fhirVersion"))


def _conditions(
    view: dict[str, object], resource: str, constants: dict[str, Part], field: Field
) -> tuple[tuple[Expression, ...], frozenset[str]]:
    found: list[Expression] = []
    for value, place in reading.items(view, "where", field=field, most=MAX_CONDITIONS):
        condition = reading.members(value, {"path", "description"}, field=place)
        path = (*place, "path")
        text = reading.text(condition, "path", field=place)
        expression = compile_path(text, field=path, constants=constants, resource=resource)
        if expression.kind not in (None, "boolean"):
            raise CallerError("must be true or false", field=path)
        found.append(expression)
    reads = frozenset(f"{resource}.{read}" if read else resource for one in found for read in one.reads)
    return tuple(found), reads
