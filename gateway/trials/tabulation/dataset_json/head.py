"""The metadata of a Dataset-JSON file <-> a table.

True here: members that the model has a place for are checked and put there, all others are kept as JSON text (an
extension is a member like any other); members are written in the order of the specification. Null is no value of a
member: it is refused, as the schema has it.
Source: CDISC Dataset-JSON 1.1, "Top-level Metadata Attributes", "Column Metadata".
"""

import re
from collections import Counter
from typing import Final, NoReturn

from gateway.jsontext import JsonValue, dumps, loads
from gateway.trials.tabulation.model import DataType, Members, Source, Table, Variable
from gateway.trials.tabulation.places import fault, limit

VERSION: Final = "1.1.0"
MOST_VARIABLES: Final = 9_999
MOST_NAME: Final = 128
_VERSION: Final = re.compile(r"1\.1(\.(0|[1-9][0-9]*))?")
_MOMENT: Final = re.compile(
    r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
    r"((\+|-)([01][0-9]|2[0-3]):[0-5][0-9]|Z)?"
)
_TABLE: Final = {
    "datasetJSONCreationDateTime", "datasetJSONVersion", "fileOID", "dbLastModifiedDateTime", "originator",
    "sourceSystem", "studyOID", "metaDataVersionOID", "metaDataRef", "itemGroupOID", "records", "name", "label",
    "columns",
}  # fmt: skip
_COLUMN: Final = {
    "itemOID", "name", "label", "dataType", "targetDataType", "length", "displayFormat", "keySequence",
}  # fmt: skip
_TYPES: Final = [one.value for one in DataType]
_SOURCE: Final = {"name", "version"}


class _Object:
    """One JSON object that is read member by member. `place`: what a refusal calls it."""

    def __init__(self, value: JsonValue, *, file: str, place: str | None = None) -> None:
        self._file = file
        self._place = place
        if not isinstance(value, dict):
            self.refuse("is no JSON object")
        self._members = value

    def refuse(self, text: str) -> NoReturn:
        raise fault(text, file=self._file, variable=self._place)

    def text(self, name: str) -> str | None:
        value = self._members.get(name)
        if name in self._members and not isinstance(value, str):
            self.refuse(f"{name} is no text")
        return value if isinstance(value, str) else None

    def need(self, name: str, *, empty: bool = False) -> str:
        value = self.text(name)
        if value is None or not (value or empty):
            self.refuse(f"has no {name}")
        return value

    def moment(self, name: str) -> str | None:
        value = self.text(name)
        if value is not None and not _MOMENT.fullmatch(value):
            self.refuse(f"{name} is no date and time of ISO 8601")
        return value

    def whole(self, name: str, *, least: int) -> int | None:
        value = self._members.get(name)
        if name not in self._members:
            return None
        if type(value) is not int or value < least:
            self.refuse(f"{name} is no whole number of at least {least}")
        return value

    def typed(self, name: str) -> DataType | None:
        value = self.text(name)
        if value is not None and value not in _TYPES:
            self.refuse(f"{name} is none of {', '.join(_TYPES)}")
        return None if value is None else DataType(value)

    def member(self, name: str) -> JsonValue:
        return self._members.get(name)

    def more(self, known: set[str]) -> Members:
        return tuple((name, dumps(value).decode()) for name, value in self._members.items() if name not in known)


def table_of(value: JsonValue, *, file: str) -> Table:
    """The table that a file's metadata tell of. Raises CallerError that names the member or the variable."""
    one = _Object(value, file=file)
    if one.member("clinicalData") is not None or one.member("referenceData") is not None:
        one.refuse("is Dataset-JSON 1.0; write it as version 1.1")
    version = one.need("datasetJSONVersion")
    if not _VERSION.fullmatch(version):
        one.refuse("is no Dataset-JSON of version 1.1")
    created = one.moment("datasetJSONCreationDateTime")
    records = one.whole("records", least=0)
    if created is None or records is None:
        one.refuse("has no datasetJSONCreationDateTime or no records")
    return Table(
        name=_named(one),
        label=one.need("label", empty=True),
        variables=_variables(one.member("columns"), file),
        oid=one.need("itemGroupOID"),
        records=records,
        created=created,
        modified=one.moment("dbLastModifiedDateTime"),
        version=version,
        file_oid=one.text("fileOID"),
        originator=one.text("originator"),
        source=_source(one.member("sourceSystem"), file),
        study_oid=one.text("studyOID"),
        metadata_version_oid=one.text("metaDataVersionOID"),
        metadata_ref=one.text("metaDataRef"),
        more=one.more(_TABLE),
    )


def head_of(table: Table, *, file: str) -> dict[str, JsonValue]:
    """The members of a table's metadata, without `rows`. Names of items that the table does not have are made as CDISC
    does, `IG.AE` and `IT.AE.AESEQ`. Raises CallerError for a table that does not say when it was made, or how many
    records it has."""
    if table.created is None or table.records is None:
        raise fault("does not say when it was made, or how many records it has; fit the table first", file=file)
    source = table.source
    told: dict[str, JsonValue] = {
        "datasetJSONCreationDateTime": table.created,
        "datasetJSONVersion": table.version or VERSION,
        "fileOID": table.file_oid,
        "dbLastModifiedDateTime": table.modified,
        "originator": table.originator,
        "sourceSystem": None
        if source is None
        else {"name": source.name, "version": source.version, **_parsed(source.more)},
        "studyOID": table.study_oid,
        "metaDataVersionOID": table.metadata_version_oid,
        "metaDataRef": table.metadata_ref,
        "itemGroupOID": table.oid or f"IG.{table.name}",
        "records": table.records,
        "name": table.name,
        "label": table.label,
        **_parsed(table.more),
        "columns": [_column_of(one, table) for one in table.variables],
    }
    return {name: value for name, value in told.items() if value is not None or name in dict(table.more)}


def _variables(value: JsonValue, file: str) -> tuple[Variable, ...]:
    if not isinstance(value, list) or not value:
        raise fault("has no columns", file=file)
    if len(value) > MOST_VARIABLES:
        raise limit(f"has more than {MOST_VARIABLES} columns", file=file)
    made = tuple(_variable(one, at, file) for at, one in enumerate(value, 1))
    name, count = Counter(one.name for one in made).most_common(1)[0]
    if count > 1:
        raise fault("is there twice", file=file, variable=name)
    return made


def _variable(value: JsonValue, at: int, file: str) -> Variable:
    one = _Object(value, file=file, place=f"column {at}")
    type_ = one.typed("dataType")
    if type_ is None:
        one.refuse("has no dataType")
    target = one.typed("targetDataType")
    if target not in (None, DataType.INTEGER, DataType.DECIMAL):
        one.refuse("has a targetDataType that is neither integer nor decimal")
    return Variable(
        name=_named(one),
        label=one.need("label", empty=True),
        type=type_,
        oid=one.need("itemOID"),
        target_type=target,
        length=one.whole("length", least=1),
        display_format=one.text("displayFormat"),
        key_sequence=one.whole("keySequence", least=1),
        more=one.more(_COLUMN),
    )


def _named(one: _Object) -> str:
    name = one.need("name")
    if len(name) > MOST_NAME:
        one.refuse(f"has a name of more than {MOST_NAME} characters")
    return name


def _source(value: JsonValue, file: str) -> Source | None:
    if value is None:
        return None
    one = _Object(value, file=file, place="sourceSystem")
    return Source(name=one.need("name", empty=True), version=one.need("version", empty=True), more=one.more(_SOURCE))


def _column_of(one: Variable, table: Table) -> JsonValue:
    told: dict[str, JsonValue] = {
        "itemOID": one.oid or f"IT.{table.name}.{one.name}",
        "name": one.name,
        "label": one.label,
        "dataType": one.type.value,
        "targetDataType": None if one.target_type is None else one.target_type.value,
        "length": one.length,
        "displayFormat": one.display_format,
        "keySequence": one.key_sequence,
    }
    return {name: value for name, value in told.items() if value is not None} | _parsed(one.more)


def _parsed(members: Members) -> dict[str, JsonValue]:
    return {name: loads(text) for name, text in members}
