"""What a table must say before it can be written in some forms: how many rows it has, and how wide they are.

True here: one pass over the rows, nothing kept of them; a length that is there is widened where it does not hold its
values, and never narrowed.
"""

from collections.abc import Iterable
from dataclasses import replace

from gateway.trials.tabulation.model import NUMBERS, Row, Table, Variable


def fitted(table: Table, rows: Iterable[Row], *, encoding: str | None = None) -> Table:
    """The table with its count of `records`, and a length for each variable of text: characters, or octets of an
    `encoding` (as transport files count). Rows are read once; write with them read again."""
    widths = [1] * len(table.variables)
    texts = [at for at, one in enumerate(table.variables) if _is_text(one)]
    records = 0
    for row in rows:
        records += 1
        for at in texts:
            cell = row[at]
            if isinstance(cell, str) and len(cell) * 4 > widths[at]:
                widths[at] = max(widths[at], len(cell) if encoding is None else len(cell.encode(encoding, "replace")))
    variables = tuple(
        replace(one, length=max(one.length or 1, width)) if _is_text(one) else one
        for one, width in zip(table.variables, widths, strict=True)
    )
    return replace(table, records=records, variables=variables)


def _is_text(one: Variable) -> bool:
    return one.type not in NUMBERS and one.target_type not in NUMBERS
