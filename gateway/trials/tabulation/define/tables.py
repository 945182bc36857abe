"""A dataset of a definition as a table without rows.

True here: the types of Define-XML as those of Dataset-JSON: dates that may lack parts, durations and intervals are
text. Lengths are kept of text alone, where they are characters; those of numbers are not.
Sources: CDISC Define-XML 2.1, "Data Types"; CDISC Dataset-JSON 1.1, "Column Metadata".
"""

from dataclasses import replace
from typing import Final

from gateway.trials.tabulation.define.model import Dataset, DefinedType, Definition, Item, ItemUse
from gateway.trials.tabulation.model import TEXTS, DataType, Table, Variable

_TYPES: Final = {
    DefinedType.INTEGER: DataType.INTEGER,
    DefinedType.FLOAT: DataType.FLOAT,
    DefinedType.DATE: DataType.DATE,
    DefinedType.DATETIME: DataType.DATETIME,
    DefinedType.TIME: DataType.TIME,
}
_LONGEST: Final = 2**24


def table_of(definition: Definition, dataset: Dataset) -> Table:
    """The table that a dataset is said to be: variables in the order of their OrderNumber, or of the document."""
    uses = sorted(dataset.uses, key=lambda one: one.order if one.order is not None else 2**31)
    return Table(
        name=dataset.name,
        label=dataset.label or "",
        variables=tuple(_variable(definition.items[one.item], one) for one in uses),
        oid=dataset.oid,
        study_oid=definition.study_oid,
        metadata_version_oid=definition.oid,
    )


def described(table: Table, definition: Definition, dataset: Dataset) -> Table:
    """A table as it was read, with what its definition adds: OIDs, keys, and labels where it has none of its own."""
    known = {definition.items[one.item].name: one for one in dataset.uses}
    variables = tuple(
        one
        if one.name not in known
        else replace(
            one,
            oid=known[one.name].item,
            key_sequence=known[one.name].key_sequence,
            label=one.label or definition.items[known[one.name].item].label or "",
        )
        for one in table.variables
    )
    return replace(
        table,
        variables=variables,
        oid=dataset.oid,
        label=table.label or dataset.label or "",
        study_oid=definition.study_oid,
        metadata_version_oid=definition.oid,
    )


def _variable(item: Item, use: ItemUse) -> Variable:
    type_ = _TYPES.get(item.type, DataType.STRING)
    return Variable(
        name=item.name,
        label=item.label or "",
        type=type_,
        oid=item.oid,
        length=item.length if type_ in TEXTS and item.length and item.length <= _LONGEST else None,
        display_format=item.display_format,
        key_sequence=use.key_sequence,
    )
