"""Formal expressions of a study, run over a form: those in FHIRPath.

True here: the context is the form as a QuestionnaireResponse. Other languages, and FHIRPath beyond the house's subset,
are not run, and whoever asks is told so: `NotRun` is no `Answered`. An expression without an answer, because what it
reads was not captured, is not run either.
Source: https://hl7.org/fhirpath/N1/; `gateway.deid.fhirpath` says which part of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from gateway.deid.fhirpath import Expression as Path
from gateway.deid.fhirpath import compile_path
from gateway.deid.fhirpath.parts import UnfitError
from gateway.errors import CallerError
from gateway.jsontext import JsonValue, Num
from gateway.trials.definition.texts import Expression

CONTEXTS: Final = frozenset({"fhirpath", "text/fhirpath", "http://hl7.org/fhirpath"})
"""What an expression's Context may be for it to be run, capitals aside."""
_FIELD: Final = ("expression",)

# A response is a tree of unknown shape here: the expression is what gives it one.
Tree = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The expression is true, or is false."""

    is_true: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRun:
    """Nobody knows. `reason`: in words, without a value."""

    reason: str


def tree(value: JsonValue) -> Tree:
    """A resource as FHIRPath takes it: numbers as exact decimals."""
    if isinstance(value, Num):
        return Decimal(value.text)
    if isinstance(value, dict):
        return {key: tree(member) for key, member in value.items()}
    if isinstance(value, list):
        return [tree(item) for item in value]
    return value


def is_path(expression: Expression) -> bool:
    """Whether it says that it is FHIRPath."""
    return (expression.context or "").strip().lower() in CONTEXTS


def run(expressions: Iterable[Expression], response: Tree) -> Answered | NotRun:
    """The same expression in one or more languages, over a response made by `tree`."""
    given = list(expressions)
    path = next((one for one in given if is_path(one)), None)
    if path is None:
        contexts = ", ".join(sorted({(one.context or "no language that is named")[:40] for one in given}))
        return NotRun(reason=f"it is in {contexts or 'words'}, which is not run here")
    compiled = _compiled(path.code)
    if isinstance(compiled, NotRun):
        return compiled
    try:
        items = compiled.run(response, 0)
    except UnfitError as error:
        return NotRun(reason=f"it does not fit the form: {error.flaw.value.replace('_', ' ')}")
    if len(items) != 1 or not isinstance(items[0], bool):
        return NotRun(reason="it has no answer" if not items else "its answer is neither true nor false")
    return Answered(is_true=items[0])


@lru_cache(maxsize=1024)
def _compiled(code: str) -> Path | NotRun:
    try:
        return compile_path(code, field=_FIELD, resource="QuestionnaireResponse")
    except CallerError as error:
        return NotRun(reason=f"it {error.message}")
