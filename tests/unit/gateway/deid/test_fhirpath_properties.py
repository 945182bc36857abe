"""Whatever the text and whatever the resource: typed errors alone, and nothing read that was not said."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.deid.fhirpath import Expression, compile_path
from gateway.deid.fhirpath.parts import Flaw, UnfitError
from gateway.deid.views import Unfit, parse_view
from gateway.errors import CallerError

NAMES = ["a", "b", "value", "valueString", "extension", "url", "id", "reference", "birthDate", "item"]
WORDS = [
    *NAMES, "$this", "%rowIndex", "%c", ".", "(", ")", "[", "]", "0", "1", "-", "+", "*", "/", "=", "!=", "<", ">=",
    "'x'", "'Patient/1'", "and", "or", "where(", "exists(", "empty()", "first()", "not()", "ofType(string)",
    "ofType(Quantity)", "extension('x')", "join(',')", "lowBoundary()", "highBoundary()", "getResourceKey()",
    "getReferenceKey()",
    "@2020-01", "@T10:00", "1.50", "true", "|", "`a`", ",", "{", "}", "\\", "\u0661", "\ud800",
]  # fmt: skip
PRIMITIVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["x", "2020", "2020-02-30", "2020-01-01T10:00:00+14:00", "10:00", "Patient/1", "Patient/", "0001-01-01"]
    )
)
TREES: st.SearchStrategy[Any] = st.recursive(
    PRIMITIVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
SIGNS = st.sampled_from(["+", "-", "*", "/", "=", "!=", "<", ">=", "and", "or"])
RESOURCES = st.dictionaries(st.sampled_from(NAMES), TREES, max_size=6)


def _paths(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    name = st.sampled_from(["a", "b", "item", "id", "birthDate", "extension", "value.ofType(string)"])
    return st.one_of(
        st.builds("{}.{}".format, name, name),
        st.builds("{}.where({})".format, name, inner),
        st.builds("{}.where({}).{}".format, name, inner, name),
        st.builds("{}.exists({})".format, name, inner),
        st.builds("{}[0].{}.first()".format, name, name),
        st.builds(
            "({}).{}".format, inner, st.sampled_from(["not()", "empty()", "join('-')", "lowBoundary()", "exists()"])
        ),
        st.builds("{}.extension('x').value.ofType(string)".format, name),
        st.builds("{}.getReferenceKey()".format, name),
        st.builds("({} {} {})".format, inner, SIGNS, inner),
    )


LEAVES = st.sampled_from(
    ["a", "b", "$this", "'x'", "1", "0.5", "true", "@2020-01", "%rowIndex", "id", "getResourceKey()"]
)
EXPRESSIONS = st.recursive(LEAVES, _paths, max_leaves=8)


def _compiled(text: str) -> Expression | None:
    field: tuple[str, ...] = ("path",)
    try:
        return compile_path(text, field=field, resource="Patient")
    except CallerError as refusal:
        field = refusal.field
    assert field == ("path",)
    return None


def _found(expression: Expression, tree: Any) -> list[Any] | Flaw:
    try:
        return expression.run(tree, 0)
    except UnfitError as error:
        return error.flaw


@given(text=st.text(max_size=60) | st.lists(st.sampled_from(WORDS), max_size=20).map("".join))
@settings(max_examples=600, deadline=None)
def test_no_text_makes_anything_but_an_expression_or_a_refusal(text: str) -> None:
    _compiled(text)


@given(text=EXPRESSIONS, tree=TREES | RESOURCES)
@settings(max_examples=600, deadline=None)
def test_no_resource_makes_anything_but_a_collection_or_a_flaw(text: str, tree: Any) -> None:
    expression = _compiled(text)
    if expression is not None:
        _found(expression, tree)


def _pruned(tree: Any, kept: list[tuple[str, ...]]) -> Any:
    """The tree without what lies outside the paths. What a path ends at is kept whole."""
    if any(not path for path in kept):
        return tree
    if isinstance(tree, list):
        return [_pruned(one, kept) for one in tree]
    if isinstance(tree, dict):
        below = {name: [path[1:] for path in kept if path[0] == name] for name in tree}
        return {name: _pruned(value, below[name]) for name, value in tree.items() if below[name]}
    return tree


FEW = ["a", "b", "item"]
CRITERIA = st.builds(
    "{0}.where({1}{2}).{3}".format,
    st.sampled_from(FEW),
    st.sampled_from(FEW),
    st.sampled_from(["", " = 'x'", ".exists()", ".empty()", "[0].a", ".where(b).item"]),
    st.sampled_from(FEW),
)
DENSE: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(["x", True, False, 1]),
    lambda inner: st.lists(inner, min_size=1, max_size=2) | st.dictionaries(st.sampled_from(FEW), inner, min_size=2),
    max_leaves=12,
)


@given(text=EXPRESSIONS | CRITERIA, tree=RESOURCES | st.dictionaries(st.sampled_from(FEW), DENSE, min_size=1))
@settings(max_examples=1_000, deadline=None)
def test_an_expression_reads_nothing_that_it_does_not_say(text: str, tree: Any) -> None:
    expression = _compiled(text)
    if expression is None:
        return
    kept = [tuple(read.split(".")) if read else () for read in expression.reads]
    found = _found(expression, tree)
    if found is not Flaw.CHOICE_WITHOUT_TYPE:
        assert repr(_found(expression, _pruned(tree, kept))) == repr(found)


@given(value=TREES | RESOURCES, path=EXPRESSIONS, tree=RESOURCES)
@settings(max_examples=300, deadline=None)
def test_no_view_makes_anything_but_rows_or_a_typed_result(value: Any, path: str, tree: Any) -> None:
    columns = [{"name": "a", "path": path}, {"name": "b", "path": "item", "collection": True}]
    shapes = [
        value,
        {"resource": "Patient", "select": value, "where": value, "constant": value},
        {"resource": "Patient", "select": [{"forEachOrNull": "item", "column": columns}]},
    ]
    shapes.append(
        {"resource": "Patient", "select": [{"repeat": ["item", "a"], "column": columns}], "where": [{"path": path}]}
    )
    for shape in shapes:
        try:
            view = parse_view(shape, field=("view",), types={"Patient"})
        except CallerError:
            continue
        rows = view.rows({**tree, "resourceType": "Patient"})
        assert isinstance(rows, Unfit) or all(len(row) == 2 for row in rows)
