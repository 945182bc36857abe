"""The best pairing of two lists: of all ways to pair each with one of the other list at most, one of the greatest
weight.

True here: exact and deterministic, in whole numbers; what may not be paired is not. Lists fall apart into what hangs
together, and each part is solved by itself, in at most rows² x columns steps of its own.
Source: Kuhn 1955 and Munkres 1957 (the Hungarian method), in the form with potentials and shortest augmenting paths of
Jonker and Volgenant 1987.
"""

from collections.abc import Mapping, Sequence
from typing import Final

_BEYOND: Final = 1 << 128
"""Longer than any way: weights are below 2^64, and lists shorter than that."""


def best_pairs(weights: Sequence[Mapping[int, int]]) -> dict[int, int]:
    """`weights[row]`: positive weight, below 2^64, by column, of the pairs that may be. Row -> column."""
    found: dict[int, int] = {}
    for rows, columns in _parts(weights):
        narrow = len(rows) <= len(columns)
        costs = [[-weights[row].get(column, 0) for column in columns] for row in rows]
        table = costs if narrow else [list(each) for each in zip(*costs, strict=True)]
        for at, to in enumerate(_assigned(table)):
            row, column = (rows[at], columns[to]) if narrow else (rows[to], columns[at])
            if column in weights[row]:
                found[row] = column
    return found


def _parts(weights: Sequence[Mapping[int, int]]) -> list[tuple[list[int], list[int]]]:
    """Rows and columns that hang together, in order."""
    holders: dict[int, list[int]] = {}
    for row, columns in enumerate(weights):
        for column in columns:
            holders.setdefault(column, []).append(row)
    parts, seen = [], set[int]()
    for start in range(len(weights)):
        if start in seen or not weights[start]:
            continue
        rows, reached, pending = {start}, set[int](), [start]
        while pending:
            for column in weights[pending.pop()].keys() - reached:
                reached.add(column)
                more = [row for row in holders[column] if row not in rows]
                rows.update(more)
                pending.extend(more)
        seen |= rows
        parts.append((sorted(rows), sorted(reached)))
    return parts


def _assigned(costs: list[list[int]]) -> list[int]:
    """The column of each row, at the least cost of all; rows are no more than columns."""
    width = len(costs[0])
    row_prices, column_prices = [0] * len(costs), [0] * width
    columns, holders = [-1] * len(costs), [-1] * width
    for start in range(len(costs)):
        paths, lengths, end = _shortest(costs, start, row_prices, column_prices, holders)
        longest = lengths[end]
        row_prices[start] += longest
        for column, length in lengths.items():
            if column != end:
                row_prices[holders[column]] += longest - length
            column_prices[column] -= longest - length
        column = end
        while column >= 0:
            row = paths[column]
            holders[column] = row
            columns[row], column = column, columns[row]
    return columns


def _shortest(
    costs: list[list[int]], start: int, row_prices: list[int], column_prices: list[int], holders: list[int]
) -> tuple[list[int], dict[int, int], int]:
    """The shortest way from a row to a column that nobody holds: from which row each column is reached, the length of
    the way to those that were settled, and the column at the end."""
    width = len(holders)
    nearest, paths = [_BEYOND] * width, [-1] * width
    lengths: dict[int, int] = {}
    left = list(range(width))
    row, passed = start, 0
    while True:
        line, offset = costs[row], passed - row_prices[row]
        least, place = _BEYOND, -1
        for at, column in enumerate(left):
            length = offset + line[column] - column_prices[column]
            if length < nearest[column]:
                nearest[column] = length
                paths[column] = row
            else:
                length = nearest[column]
            if length < least or (length == least and holders[column] < 0 <= holders[left[place]]):
                least, place = length, at
        column = left.pop(place)
        passed = lengths[column] = least
        if holders[column] < 0:
            return paths, lengths, column
        row = holders[column]
