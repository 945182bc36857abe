"""An expression's text as tokens (https://hl7.org/fhirpath/N1/grammar.html), in one pass.

True here: a text longer than `MAX_LENGTH` is refused unread; every token knows where it stands. The patterns are fixed
ones that read each character once.
Not done here: comments, quantities (`5 'mg'`).
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NoReturn

from gateway.errors import CallerError

MAX_LENGTH = 2_000
_DIGITS = 18

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<number>[0-9]+(?:\.[0-9]+)?)
    |(?P<moment>@[0-9T][0-9T:-]*(?:\.[0-9]+)?(?:Z|[-+][0-9:]+)?)
    |(?P<text>'(?:[^'\\]|\\.)*')
    |`(?P<quoted>[A-Za-z][A-Za-z0-9_]*)`
    |(?P<name>[A-Za-z][A-Za-z0-9_]*)
    |(?P<constant>%[A-Za-z][A-Za-z0-9_]*)
    |(?P<variable>\$[a-z]+)
    |(?P<sign><=|>=|!=|!~|[-+*/=<>~|&.,()\[\]{}])
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL | re.ASCII)
_ESCAPED = {"'": "'", '"': '"', "`": "`", "\\": "\\", "/": "/", "r": "\r", "n": "\n", "t": "\t", "f": "\f"}

Kind = Literal["number", "moment", "text", "quoted", "name", "constant", "variable", "sign", "end"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """`text`: what it says, without quotation marks, `@`, or `%`. `at`: its first character, from 1."""

    kind: Kind
    text: str
    at: int


def refuse(what: str, *, at: int, field: tuple[str, ...]) -> NoReturn:
    """CallerError that says what is wrong, and where in the expression."""
    raise CallerError(f"{what}, at character {at}", field=field)


def tokenize(text: str, *, field: tuple[str, ...]) -> list[Token]:
    """The tokens, and one that says `end`. Raises CallerError."""
    if not text.strip():
        raise CallerError("is an empty expression", field=field)
    if len(text) > MAX_LENGTH:
        raise CallerError(f"is longer than {MAX_LENGTH} characters", field=field)
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            refuse("is no FHIRPath that is supported", at=at + 1, field=field)
        if match.lastgroup != "space":
            tokens.append(_token(match, field))
        at = match.end()
    return [*tokens, Token(kind="end", text="", at=len(text) + 1)]


def _token(match: re.Match[str], field: tuple[str, ...]) -> Token:
    text, at = match[0], match.start() + 1
    match match.lastgroup:
        case "text":
            return Token(kind="text", text=_unescape(text[1:-1], at, field), at=at)
        case "quoted":
            return Token(kind="quoted", text=match["quoted"], at=at)
        case "number":
            return Token(kind="number", text=text, at=at)
        case "moment":
            return Token(kind="moment", text=text[1:], at=at)
        case "constant":
            return Token(kind="constant", text=text[1:], at=at)
        case "variable":
            return Token(kind="variable", text=text, at=at)
        case "name":
            return Token(kind="name", text=text, at=at)
        case _:
            return Token(kind="sign", text=text, at=at)


def _unescape(text: str, at: int, field: tuple[str, ...]) -> str:
    def meaning(match: re.Match[str]) -> str:
        escape = match[1]
        if len(escape) == 5:
            return chr(int(escape[1:], 16))
        if escape not in _ESCAPED:
            refuse("has an escape that FHIRPath does not know", at=at + match.start() + 1, field=field)
        return _ESCAPED[escape]

    if "\\" not in text:
        return text
    try:
        return _ESCAPE.sub(meaning, text).encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        refuse("has half a surrogate pair", at=at, field=field)


def number(token: Token, *, field: tuple[str, ...]) -> int | Decimal:
    """An integer or a decimal literal of at most 18 digits. Raises CallerError."""
    if len(token.text) > _DIGITS:
        refuse(f"has a number of more than {_DIGITS} digits", at=token.at, field=field)
    return Decimal(token.text) if "." in token.text else int(token.text)


class Tokens:
    """A cursor over an expression's tokens; never past its end. Refusals carry the expression's field."""

    def __init__(self, text: str, *, field: tuple[str, ...]) -> None:
        self._tokens = tokenize(text, field=field)
        self._next = 0
        self._field = field

    def peek(self) -> Token:
        return self._tokens[self._next]

    def take(self) -> Token:
        token = self._tokens[self._next]
        self._next += token.kind != "end"
        return token

    def is_next(self, sign: str) -> bool:
        token = self.peek()
        return token.kind == "sign" and token.text == sign

    def expect(self, sign: str) -> None:
        """Raises CallerError unless the sign comes next."""
        if not self.is_next(sign):
            self.refuse(f"{sign} is missing", self.peek())
        self.take()

    def number(self, token: Token) -> int | Decimal:
        return number(token, field=self._field)

    def refuse(self, what: str, token: Token) -> NoReturn:
        """Raises CallerError."""
        refuse(what, at=token.at, field=self._field)
