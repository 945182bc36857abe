"""How a variable's cells become the fields of a transport file.

True here: a field is exactly as wide as its variable; what does not fit is refused, never cut or rounded.
"""

import re
from typing import Final

from gateway.errors import CallerError
from gateway.jsontext import Num
from gateway.trials.tabulation.dates import number_of
from gateway.trials.tabulation.model import NUMBERS, TEXTS, Cell, StoredVariable, Variable
from gateway.trials.tabulation.places import fault
from gateway.trials.tabulation.xpt import layout
from gateway.trials.tabulation.xpt.encodings import Encoding, octets_of
from gateway.trials.tabulation.xpt.numbers import bits_of
from gateway.trials.tabulation.xpt.stamps import format_of

SAS_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,7}")
_REMEMBERED: Final = 2**20
"""Octets of a column's fields after which those that were met are forgotten."""
_ALIKE: Final = frozenset({str, float, int, Num})
"""Cells that are the same field if they are equal."""


class Column:
    """How a variable goes into a row: `octets` is a cell's field. Raises CallerError, with file and variable, for a
    variable that version 5 cannot say."""

    def __init__(self, variable: Variable, file: str, encoding: Encoding) -> None:
        self.name = variable.name
        self.label = variable.label
        self.is_number = variable.type in NUMBERS or variable.target_type in NUMBERS
        if not SAS_NAME.fullmatch(variable.name):
            raise fault("is no SAS name of 8 letters, digits and _ at most", file=file, variable=variable.name)
        if not (self.is_number or variable.type in TEXTS):
            raise fault(f"is {variable.type}, which a transport file cannot say", file=file, variable=variable.name)
        try:
            self.stored = variable.stored or _stored(variable, self.is_number)
        except CallerError as error:
            raise fault(error.message, file=file, variable=variable.name) from error
        self.width = self.stored.width
        self._encoding = encoding
        self._fields: dict[Cell, bytes] = {}
        self._met = 0
        self._type = variable.type if self.is_number and variable.type in TEXTS else None

    def octets(self, cell: Cell) -> bytes:
        """A cell as a field. Raises CallerError for what does not fit."""
        # Zero is not remembered, for it equals its negative; nor what equals a number, and is none (True).
        known = self._fields.get(cell) if cell and type(cell) in _ALIKE else None
        if known is not None:
            return known
        made = self._number(cell) if self.is_number else self._text(cell)
        if cell and type(cell) in _ALIKE:
            if self._met > _REMEMBERED:
                self._fields.clear()
                self._met = 0
            self._met += self.width
            self._fields[cell] = made
        return made

    def _text(self, cell: Cell) -> bytes:
        if not (cell is None or isinstance(cell, str)):
            raise CallerError("is no text")
        return octets_of(cell or "", self.width, self._encoding)

    def _number(self, cell: Cell) -> bytes:
        if self._type is not None and isinstance(cell, str):
            cell = number_of(cell, self._type)
        made = bits_of(cell).to_bytes(8)
        if self.width < 8 and made[self.width :].strip(b"\0"):
            raise CallerError(f"has more digits than the {self.width} octets of its variable hold")
        return made[: self.width]


def _stored(variable: Variable, is_number: bool) -> StoredVariable:
    """Of a variable that comes from no transport file. `number` 0: its place among the others."""
    width = 8 if is_number else variable.length
    if width is None:
        raise CallerError("has no length; fit the table first")
    if not 1 <= width <= layout.WRITTEN_WIDTH:
        raise CallerError(f"has a length outside 1 to {layout.WRITTEN_WIDTH} octets")
    return StoredVariable(width=width, number=0, format=format_of(variable.display_format))
