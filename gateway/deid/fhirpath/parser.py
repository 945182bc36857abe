"""The grammar: operators by their power, terms, and the steps that follow a term, compiled as they are read.

Source: https://hl7.org/fhirpath/N1/#operator-precedence.
True here: depth and number of parts are bounded before anything is built, so that no text takes long. What is not
supported is refused by name and place.
"""

from collections.abc import Mapping
from decimal import Decimal

from gateway.deid.fhirpath import functions, moments, operators, steps
from gateway.deid.fhirpath.parts import Part, StepError, context, literal, row_index
from gateway.deid.fhirpath.tokens import Token, Tokens

MAX_DEPTH = 24
"""Parentheses, brackets, criteria and right operands within each other."""
MAX_NODES = 120
"""Literals, steps and operators of an expression."""

_POWERS = {"or": 1, "and": 2, "=": 3, "!=": 3, "<": 4, "<=": 4, ">": 4, ">=": 4, "+": 5, "-": 5, "*": 6, "/": 6}
_REFUSED = frozenset({"xor", "implies", "div", "mod", "in", "contains", "is", "as", "|", "&", "~", "!~"})


class Parser:
    """One text's descent. `resource`: the type of the item in context, when that is a resource."""

    def __init__(self, tokens: Tokens, *, constants: Mapping[str, Part], resource: str | None) -> None:
        self.tokens = tokens
        self.resource = resource
        self.nodes = 0
        self._constants = constants
        self._context: Part = context("")
        self._depth = 0

    def parse(self) -> Part:
        """The whole text. Raises CallerError."""
        part = self.expression()
        token = self.tokens.peek()
        if token.kind != "end":
            self.tokens.refuse("has more than one expression", token)
        return self._settled(part, token)

    def expression(self, power: int = 0) -> Part:
        """As far as operators of more than this power reach."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.tokens.refuse(f"is nested more than {MAX_DEPTH} deep", self.tokens.peek())
        left = self._steps(self._term())
        while True:
            token = self.tokens.peek()
            sign = token.text if token.kind in ("sign", "name") else ""
            if sign in _REFUSED:
                self.tokens.refuse(f"{sign} is not supported", token)
            if _POWERS.get(sign, 0) <= power:
                break
            self._count(self.tokens.take())
            right = self._settled(self.expression(_POWERS[sign]), token)
            left = _operated(self._settled(left, token), right, sign)
        self._depth -= 1
        return left

    def criterion(self, part: Part) -> Part:
        outer, self._context = self._context, context(part.place)
        criterion = self.expression()
        self._context = outer
        return criterion

    def _term(self) -> Part:
        token = self.tokens.take()
        self._count(token)
        match token.kind:
            case "number":
                return self._number(token, 1)
            case "text":
                return literal(token.text, kind="string")
            case "moment":
                return self._moment(token)
            case "constant":
                return self._constant(token)
            case "variable" if token.text == "$this":
                return self._context
            case "name" if token.text in ("true", "false"):
                return literal(token.text == "true", kind="boolean")
            case "name" | "quoted":
                return self._named(self._context, token)
            case "sign" if token.text == "(":
                inner = self.expression()
                self.tokens.expect(")")
                return inner
            case "sign" if token.text in "+-" and self.tokens.peek().kind == "number":
                return self._number(self.tokens.take(), -1 if token.text == "-" else 1)
        shown = "the end" if token.kind == "end" else token.text[:40]
        return self.tokens.refuse(f"{shown} is not supported here", token)

    def _steps(self, part: Part) -> Part:
        while self.tokens.is_next(".") or self.tokens.is_next("["):
            token = self.tokens.take()
            self._count(token)
            part = self._index(part, token) if token.text == "[" else self._named(part, self.tokens.take())
        return part

    def _index(self, part: Part, token: Token) -> Part:
        number = self.expression().literal
        self.tokens.expect("]")
        if type(number) is not int or number < 0:
            self.tokens.refuse("an index is a whole number, or a constant that is one", token)
        return steps.index(self._settled(part, token), number)

    def _named(self, part: Part, token: Token) -> Part:
        if token.kind not in ("name", "quoted"):
            self.tokens.refuse("a dot is followed by a name", token)
        if token.kind == "name" and self.tokens.is_next("("):
            self.tokens.take()
            return functions.call(self, part, token)
        if token.text == self.resource and part is self._context and part.place == "":
            return part
        try:
            return steps.element(part, token.text)
        except StepError as error:
            self.tokens.refuse(error.message, token)

    def _number(self, token: Token, sign: int) -> Part:
        value = self.tokens.number(token)
        return literal(sign * value, kind="decimal" if isinstance(value, Decimal) else "integer")

    def _moment(self, token: Token) -> Part:
        """`@2020-01`, `@2020-01-01T10:00:00Z`, `@T10:00`."""
        text = token.text
        if text.startswith("T"):
            text, kind, known = text[1:], "time", moments.parse_time(text[1:])
        else:
            kind = "dateTime" if "T" in text else "date"
            text = text.removesuffix("T")
            known = moments.parse(text)
        if known is None:
            self.tokens.refuse("is no date or time of the calendar", token)
        return literal(text, kind=kind)

    def _constant(self, token: Token) -> Part:
        if token.text == "rowIndex":
            return row_index()
        constant = self._constants.get(token.text)
        return constant or self.tokens.refuse(f"%{token.text[:40]} is no constant of the view", token)

    def _settled(self, part: Part, at: Token) -> Part:
        try:
            return steps.settled(part)
        except StepError as error:
            self.tokens.refuse(error.message, at)

    def _count(self, token: Token) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.tokens.refuse(f"has more than {MAX_NODES} parts", token)


def _operated(left: Part, right: Part, sign: str) -> Part:
    match sign:
        case "and":
            return operators.conjunction(left, right)
        case "or":
            return operators.disjunction(left, right)
        case "=" | "!=":
            return operators.equality(left, right, negated=sign == "!=")
        case "<" | "<=" | ">" | ">=":
            return operators.order(left, right, sign)
        case _:
            return operators.arithmetic(left, right, sign)
