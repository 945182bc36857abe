"""A definition that is made of tables, where nobody gave one: a group for each table, an item for each variable. Pure.

True here: what a table says of itself is said, and nothing is made up: no keys, code lists, or what is mandatory. OIDs
are made of names, as CDISC makes them, so that they are the same each time.
Source: ODM 1.3.2; CDISC Dataset-JSON 1.1 (logical types).
"""

from collections.abc import Sequence
from typing import Final

from gateway.trials.definition.items import DataType as ItemType
from gateway.trials.definition.items import ItemDef
from gateway.trials.definition.model import ItemGroupDef, ItemRef, StudyDefinition
from gateway.trials.definition.texts import Translation
from gateway.trials.odm.model import Document, FileType, Header
from gateway.trials.odm.writing import write_document
from gateway.trials.tabulation.model import DataType, Table, Variable

_TYPES: Final = {
    DataType.STRING: ItemType.TEXT,
    DataType.INTEGER: ItemType.INTEGER,
    DataType.DECIMAL: ItemType.FLOAT,
    DataType.FLOAT: ItemType.FLOAT,
    DataType.DOUBLE: ItemType.FLOAT,
    DataType.BOOLEAN: ItemType.BOOLEAN,
    DataType.DATETIME: ItemType.PARTIAL_DATETIME,
    DataType.DATE: ItemType.PARTIAL_DATE,
    DataType.TIME: ItemType.PARTIAL_TIME,
    DataType.URI: ItemType.URI,
}
"""Dates may lack parts: what a table calls a date often does."""


def defined(tables: Sequence[Table], *, name: str, created: str) -> bytes:
    """An ODM document of the tables of one study. `name`: the study's; `created`: ISO 8601."""
    definition = StudyDefinition(
        oid=f"ST.{name}",
        name=name,
        description=(Translation(text=f"Tables of {name}"),),
        protocol_name=name,
        version_oid="MDV.1",
        version_name="Tables",
        groups=tuple(_group(one) for one in tables),
        items=tuple(_item(one, table) for table in tables for one in table.variables),
    )
    header = Header(file_oid=f"ODM.{name}", file_type=FileType.SNAPSHOT, created_at=created)
    return write_document(Document(header=header, definitions=(definition,)))


def _group(table: Table) -> ItemGroupDef:
    return ItemGroupDef(
        oid=f"IG.{table.name}",
        name=table.name,
        repeating=True,
        description=(Translation(text=table.label),) if table.label else (),
        members=tuple(
            ItemRef(oid=_oid(one, table), mandatory=False, order=number)
            for number, one in enumerate(table.variables, 1)
        ),
    )


def _item(variable: Variable, table: Table) -> ItemDef:
    return ItemDef(
        oid=_oid(variable, table),
        name=variable.name,
        data_type=_TYPES[variable.type],
        length=variable.length if variable.type is DataType.STRING else None,
        description=(Translation(text=variable.label),) if variable.label else (),
    )


def _oid(variable: Variable, table: Table) -> str:
    return f"IT.{table.name}.{variable.name}"
