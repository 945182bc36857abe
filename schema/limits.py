"""What a document may ask for, found in one pass over its syntax tree before it is validated.

True here: each fragment is measured once, whatever spreads it, so the pass is linear in the document; lists multiply
along the path, so a small document cannot ask for a large answer; nothing is looked up. Not done here: parsing (its
own ceilings are `Limits.parse_options`), validation, and the ceiling of `first` in a resolver (schema.gates).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    InlineFragmentNode,
    IntValueNode,
    ListTypeNode,
    ListValueNode,
    NonNullTypeNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    TypeNode,
    ValueNode,
    VariableNode,
)

from schema.errors import LimitFault
from schema.extents import Extent, Extents
from schema.gates import PAGE_CEILING

PAGED = frozenset({"first", "last"})
INTROSPECTION = frozenset({"__schema", "__type"})


class ParseOptions(TypedDict):
    max_lexical_tokens: int
    max_comments: int
    max_source_length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Ceilings. `depth` counts fields inside each other; `nesting` the syntax around them, spreads and all, and bounds
    this pass's own recursion. `cost` counts fields of the answer, each list at its ceiling, and `openings` the records
    that are decrypted for it; `alike` counts fields with a selection or arguments and the same response name, because
    validation compares those pair by pair."""

    characters: int = 65_536
    tokens: int = 5_000
    comments: int = 200
    operations: int = 10
    fragments: int = 50
    spreads: int = 100
    depth: int = 12
    nesting: int = 40
    introspection_depth: int = 16
    introspections: int = 2
    introspection_cost: int = 120_000
    fields: int = 500
    alike: int = 20
    aliases: int = 50
    directives: int = 50
    arguments: int = 500
    variables: int = 50
    literals: int = 2_000
    literal_depth: int = 32
    list_items: int = 1_000
    cost: int = 10_000
    openings: int = 1_000

    @property
    def parse_options(self) -> ParseOptions:
        return {
            "max_lexical_tokens": self.tokens,
            "max_comments": self.comments,
            "max_source_length": self.characters,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What the pass found in a document that is within its limits."""

    cost: int
    openings: int
    fields: int
    """Written in one operation, counted through fragments."""
    cost_is_certain: bool
    """False where `first` is a variable and its ceiling makes cost or openings too much: ask `survey` again with
    values."""
    introspects: bool
    holds_literals: bool
    """Strings or objects written into the document: such a document is never kept, it may hold a resource."""


@dataclass(slots=True)
class _Size:
    """Of a selection set with everything it spreads."""

    depth: int = 0
    fields: int = 0
    cost: int = 0
    openings: int = 0
    introspections: int = 0


def _bare(type_: Any) -> Any:
    return type_.of_type if isinstance(type_, GraphQLNonNull) else type_


def survey(
    document: DocumentNode,
    *,
    limits: Limits,
    lists: Extents,
    introspection: bool,
    variables: Mapping[str, Any] | None = None,
) -> Survey:
    """Measures a parsed document. Raises LimitFault for the first ceiling that it passes.

    Without `variables`, `first: $n` counts at its ceiling; a document that is too much only so is not refused yet.
    """
    walk = _Pass(document, limits=limits, lists=lists, introspection=introspection, variables=variables)
    return walk.run()


class _Pass:
    def __init__(
        self,
        document: DocumentNode,
        *,
        limits: Limits,
        lists: Extents,
        introspection: bool,
        variables: Mapping[str, Any] | None,
    ) -> None:
        self.limits = limits
        self.lists = lists
        self.introspection = introspection
        self.variables = variables
        self.operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        self.fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self.definitions = len(document.definitions)
        self.measured: dict[str, _Size | None] = {}
        self.counts: Counter[str] = Counter()
        self.alike: Counter[str] = Counter()
        self.holds_literals = False
        self.depends_on_variables = False
        self.introspects = False

    def run(self) -> Survey:
        limits = self.limits
        self._ceiling("operations", len(self.operations), limits.operations)
        self._ceiling("fragments", self.definitions - len(self.operations), limits.fragments)
        whole = _Size()
        for operation in self.operations:
            definitions = operation.variable_definitions or ()
            self._count("variables", len(definitions), limits.variables)
            for definition in definitions:
                self._directives(definition.directives or ())
                self._type_depth(definition.type)
                if definition.default_value is not None:
                    self._value(definition.default_value, 0)
            self._directives(operation.directives or ())
            size = self._selections(operation.selection_set, 0, self.lists.roots.get(operation.operation))
            self._ceiling("levels", size.depth, limits.depth)
            whole.cost = max(whole.cost, size.cost)
            whole.openings = max(whole.openings, size.openings)
            whole.fields = max(whole.fields, size.fields)
        for name in self.fragments:
            self._fragment(name, 0)
        return self._surveyed(whole)

    def _surveyed(self, whole: _Size) -> Survey:
        limits, excess = self.limits, ""
        if whole.cost > limits.cost:
            excess = f"the document asks for {whole.cost} fields at most, the limit is {limits.cost}"
        elif whole.openings > limits.openings:
            excess = f"the document opens {whole.openings} records at most, the limit is {limits.openings}"
        if excess and not (self.depends_on_variables and self.variables is None):
            raise LimitFault(excess)
        return Survey(
            cost=whole.cost,
            openings=whole.openings,
            fields=whole.fields,
            cost_is_certain=not excess,
            introspects=self.introspects,
            holds_literals=self.holds_literals,
        )

    def _ceiling(self, what: str, found: int, limit: int) -> None:
        if found > limit:
            raise LimitFault(f"more than {limit} {what}")

    def _count(self, what: str, found: int, limit: int) -> None:
        self.counts[what] += found
        self._ceiling(what, self.counts[what], limit)

    def _selections(self, node: SelectionSetNode, level: int, type_: str | None) -> _Size:
        """`level` counts syntax around, so that recursion stops although spreads may hide the depth of the answer.
        `type_`: whose fields these are, as far as the document says."""
        self._ceiling("levels of syntax", level, self.limits.nesting)
        total = _Size()
        for selection in node.selections:
            if isinstance(selection, FieldNode):
                part = self._field(selection, level, type_)
            elif isinstance(selection, InlineFragmentNode):
                self._count("fragment spreads", 1, self.limits.spreads)
                self._directives(selection.directives or ())
                on = selection.type_condition
                part = self._selections(selection.selection_set, level + 1, on.name.value if on else type_)
            elif isinstance(selection, FragmentSpreadNode):
                self._count("fragment spreads", 1, self.limits.spreads)
                self._directives(selection.directives or ())
                part = self._fragment(selection.name.value, level + 1)
            else:
                continue
            total.depth = max(total.depth, part.depth)
            total.fields += part.fields
            total.cost += part.cost
            total.openings += part.openings
            total.introspections += part.introspections
        self._ceiling("fields, counted through fragments", total.fields, 2 * self.limits.fields)
        self._ceiling("introspections", total.introspections, self.limits.introspections)
        return total

    def _field(self, node: FieldNode, level: int, type_: str | None) -> _Size:
        name = node.name.value
        extent = self.lists.of(type_, name)
        self._count("fields", 1, self.limits.fields)
        if node.alias is not None:
            self._count("aliases", 1, self.limits.aliases)
        self._directives(node.directives or ())
        many = self._arguments(node, extent)
        if node.selection_set is not None or node.arguments:
            shown = node.alias.value if node.alias is not None else name
            self.alike[shown] += 1
            self._ceiling("fields of one response name", self.alike[shown], self.limits.alike)
        if node.selection_set is None:
            return _Size(depth=1, fields=1, cost=1, openings=extent.opens)
        below = self._selections(node.selection_set, level + 1, extent.type)
        if name in INTROSPECTION:
            return self._introspection(below)
        return _Size(
            depth=below.depth + 1,
            fields=below.fields + 1,
            cost=1 + extent.extra + many * below.cost,
            openings=extent.opens + many * (extent.opens_each + below.openings),
            introspections=below.introspections,
        )

    def _introspection(self, below: _Size) -> _Size:
        if not self.introspection:
            raise LimitFault("introspection is off; the schema is published with the source")
        self.introspects = True
        self._ceiling("levels of introspection", below.depth + 1, self.limits.introspection_depth)
        self._ceiling("introspected fields", below.cost, self.limits.introspection_cost)
        return _Size(depth=1, fields=below.fields + 1, cost=1, introspections=1)

    def _arguments(self, node: FieldNode, extent: Extent) -> int:
        """Counts arguments and their literals; gives how many objects the field's list holds at most."""
        many = extent.many
        pages: list[int] = []
        arguments = node.arguments or ()
        self._count("arguments", len(arguments), self.limits.arguments)
        for argument in arguments:
            self._value(argument.value, 0)
            if argument.name.value in PAGED:
                pages.append(self._page(argument.name.value, argument.value))
        return max(pages, default=many)

    def _page(self, name: str, value: ValueNode) -> int:
        if isinstance(value, IntValueNode):
            if len(value.value) > 10 or not 0 < int(value.value) <= PAGE_CEILING:
                raise LimitFault(f"{name} is 1 to {PAGE_CEILING}")
            return int(value.value)
        if isinstance(value, VariableNode):
            self.depends_on_variables = True
            given = (self.variables or {}).get(value.name.value)
            if isinstance(given, int) and 0 < given <= PAGE_CEILING:
                return given
        return PAGE_CEILING

    def _fragment(self, name: str, level: int) -> _Size:
        """Measured once; a fragment on its own way is spread by itself."""
        if name in self.measured:
            known = self.measured[name]
            if known is None:
                raise LimitFault("a fragment spreads itself")
            return known
        node = self.fragments.get(name)
        if node is None:
            return _Size()
        self.measured[name] = None
        self._directives(node.directives or ())
        size = self._selections(node.selection_set, level, node.type_condition.name.value)
        self.measured[name] = size
        return size

    def _directives(self, directives: Iterable[DirectiveNode]) -> None:
        for directive in directives:
            self._count("directives", 1, self.limits.directives)
            self._count("arguments", len(directive.arguments or ()), self.limits.arguments)
            for argument in directive.arguments or ():
                self._value(argument.value, 0)

    def _value(self, node: ValueNode, level: int) -> None:
        self._count("literals", 1, self.limits.literals)
        self._ceiling("levels of a literal", level, self.limits.literal_depth)
        if isinstance(node, ObjectValueNode):
            self.holds_literals = True
            for member in node.fields:
                self._value(member.value, level + 1)
        elif isinstance(node, ListValueNode):
            for item in node.values:
                self._value(item, level + 1)
        elif isinstance(node, StringValueNode):
            self.holds_literals = True

    def _type_depth(self, node: TypeNode) -> None:
        levels = 0
        while isinstance(node, ListTypeNode | NonNullTypeNode):
            node = node.type
            levels += 1
            self._ceiling("levels of a type", levels, 8)


def check_variables(values: Mapping[str, Any], *, types: Mapping[str, GraphQLInputType], limits: Limits) -> None:
    """Raises LimitFault for a list of more than `list_items`; what is inside JSON is its service's to bound."""
    for name, type_ in types.items():
        _check_value(values.get(name), type_, limits=limits)


def _check_value(value: object, type_: GraphQLInputType, *, limits: Limits) -> None:
    bare = _bare(type_)
    if isinstance(bare, GraphQLList) and isinstance(value, list):
        if len(value) > limits.list_items:
            raise LimitFault(f"a list of more than {limits.list_items} items")
        for item in value:
            _check_value(item, bare.of_type, limits=limits)
    elif isinstance(bare, GraphQLInputObjectType) and isinstance(value, dict):
        if len(value) > len(bare.fields) + 50:
            raise LimitFault("an input with too many fields")
        for name, field in bare.fields.items():
            if name in value:
                _check_value(value[name], field.type, limits=limits)
