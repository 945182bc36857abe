"""The functions of FHIRPath that views may call, each with the arguments that it takes.

True here: an argument that decides what is read (a type, an URL, a separator) is written in the expression, or is a
constant of the view: what a function may read is known before it runs.
Not done here: what the functions do (`gateway.deid.fhirpath.steps`).
"""

from collections.abc import Callable
from typing import Protocol

from gateway.deid.fhirpath import steps
from gateway.deid.fhirpath.parts import Part, StepError
from gateway.deid.fhirpath.tokens import Token, Tokens

MAX_SEPARATOR = 100
"""Characters of join()'s separator."""


class Grammar(Protocol):
    """What a function asks of the parser while its arguments are read."""

    tokens: Tokens
    resource: str | None

    def expression(self) -> Part: ...

    def criterion(self, part: Part) -> Part:
        """An expression about each item of the part."""
        ...


def call(grammar: Grammar, part: Part, name: Token) -> Part:
    """A function's name and `(` have been read: its arguments, and what it makes of the part. Raises CallerError."""
    function = _FUNCTIONS.get(name.text)
    if function is None:
        grammar.tokens.refuse(f"{name.text[:40]}() is not supported", name)
    try:
        made = function(grammar, part, name)
    except StepError as error:
        grammar.tokens.refuse(error.message, name)
    grammar.tokens.expect(")")
    return made


def _where(grammar: Grammar, part: Part, name: Token) -> Part:
    if part.place is None:
        grammar.tokens.refuse("a criterion is for elements", name)
    return steps.where(part, grammar.criterion(part))


def _exists(grammar: Grammar, part: Part, name: Token) -> Part:
    found = part if grammar.tokens.is_next(")") else _where(grammar, part, name)
    return steps.exists(found, negated=False)


def _of_type(grammar: Grammar, part: Part, _name: Token) -> Part:
    return steps.of_type(part, _type(grammar))


def _extension(grammar: Grammar, part: Part, name: Token) -> Part:
    return steps.extension(part, _text(grammar, name))


def _join(grammar: Grammar, part: Part, name: Token) -> Part:
    separator = "" if grammar.tokens.is_next(")") else _text(grammar, name)
    if len(separator) > MAX_SEPARATOR:
        grammar.tokens.refuse(f"a separator has at most {MAX_SEPARATOR} characters", name)
    return steps.joined(part, separator)


def _resource_key(grammar: Grammar, part: Part, name: Token) -> Part:
    if grammar.resource is None or part.place != "":
        grammar.tokens.refuse("getResourceKey() is asked of the resource itself alone", name)
    return steps.resource_key(part)


def _reference_key(grammar: Grammar, part: Part, _name: Token) -> Part:
    return steps.reference_key(part, None if grammar.tokens.is_next(")") else _type(grammar))


def _type(grammar: Grammar) -> str:
    """A type specifier: `Quantity`, `FHIR.Quantity`, or, as some views write it, a text."""
    token = grammar.tokens.take()
    if token.kind == "name" and token.text == "FHIR" and grammar.tokens.is_next("."):
        grammar.tokens.take()
        token = grammar.tokens.take()
    if token.kind not in ("name", "quoted", "text"):
        grammar.tokens.refuse("a type is given by its name", token)
    return token.text


def _text(grammar: Grammar, name: Token) -> str:
    argument = grammar.expression().literal
    if type(argument) is not str:
        grammar.tokens.refuse(f"{name.text}() takes a text, or a constant that is one", name)
    return argument


_FUNCTIONS: dict[str, Callable[[Grammar, Part, Token], Part]] = {
    "where": _where,
    "exists": _exists,
    "empty": lambda _grammar, part, _name: steps.exists(part, negated=True),
    "first": lambda _grammar, part, _name: steps.index(part, 0),
    "not": lambda _grammar, part, _name: steps.negation(part),
    "ofType": _of_type,
    "extension": _extension,
    "join": _join,
    "lowBoundary": lambda _grammar, part, _name: steps.boundary(part, high=False),
    "highBoundary": lambda _grammar, part, _name: steps.boundary(part, high=True),
    "getResourceKey": _resource_key,
    "getReferenceKey": _reference_key,
}
