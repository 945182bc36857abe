"""From a document of ODM to its clinical data, definitions and people.

True here: a snapshot inserts and does nothing else, as ODM demands. Of ODM 2.0, an event's groups are forms and hold
groups, and an item has one value; what is otherwise is refused by name. Typed items of ODM 1.3 (ItemDataInteger …)
are items with that value. Elements of ODM 2.0 within 1.3 that are Queries are read as such.
Not done here: whether data fit their definition, and whether what they name is there.
"""

from dataclasses import replace
from typing import Final

from gateway.trials.definition.bounds import BOUNDS, Bounds
from gateway.trials.definition.cursor import Cursor
from gateway.trials.definition.documents import parse
from gateway.trials.definition.elements import DATASET_XML, SCHEMA_INSTANCE, clark
from gateway.trials.definition.grammar import Edition
from gateway.trials.definition.reading import definitions_of
from gateway.trials.odm.adminreading import admin_data, referred
from gateway.trials.odm.markreading import Apart, annotation, audit_record, marks, signature
from gateway.trials.odm.marks import Marks, Transaction
from gateway.trials.odm.model import (
    ClinicalData,
    Document,
    EventData,
    FileType,
    FormData,
    GroupData,
    Header,
    ItemData,
    SubjectData,
)

_TYPED: Final = (
    "URI", "Any", "Boolean", "String", "Integer", "Float", "Double", "Date", "Time", "Datetime", "HexBinary",
    "Base64Binary", "HexFloat", "Base64Float", "PartialDate", "PartialTime", "PartialDatetime", "DurationDatetime",
    "IntervalDatetime", "IncompleteDatetime", "IncompleteDate", "IncompleteTime",
)  # fmt: skip
_SEQUENCE: Final = clark(DATASET_XML, "ItemGroupDataSeq")


def read_document(octets: bytes, *, bounds: Bounds = BOUNDS) -> Document:
    """Of XML of 1.3 or 2.0, or JSON of 2.0. Raises CallerError and LimitError, which name elements and OIDs."""
    parsed = parse(octets, bounds=bounds)
    root = Cursor(parsed.root, parsed.edition, field=("ODM",))
    root.children("Study")
    file_type = root.required("FileType", FileType)
    reading = _Reading(is_snapshot=file_type is FileType.SNAPSHOT)
    return Document(
        definitions=definitions_of(parsed),
        admin=tuple(admin_data(one) for one in root.children("AdminData")),
        clinical=tuple(reading.clinical(one) for one in root.children("ClinicalData")),
        others=root.elements("ReferenceData", "Association"),
        header=_header(root, file_type),
    )


def _header(root: Cursor, file_type: FileType) -> Header:
    """Of what is left of the document, where schemas lie excepted, which says nothing of the data."""
    for name in ("schemaLocation", "noNamespaceSchemaLocation"):
        root.optional(clark(SCHEMA_INSTANCE, name))
    root.optional("ODMVersion")
    return Header(
        file_oid=root.text("FileOID"),
        file_type=file_type,
        created_at=root.text("CreationDateTime"),
        as_of=root.optional("AsOfDateTime"),
        granularity=root.optional("Granularity"),
        description=root.optional("Description"),
        prior_file_oid=root.optional("PriorFileOID"),
        originator=root.optional("Originator"),
        source_system=root.optional("SourceSystem"),
        source_system_version=root.optional("SourceSystemVersion"),
        kept=root.kept(),
    )


class _Reading:
    """Of the clinical data of one document."""

    def __init__(self, *, is_snapshot: bool) -> None:
        self._is_snapshot = is_snapshot
        self._apart = Apart()

    def clinical(self, cursor: Cursor) -> ClinicalData:
        self._apart = Apart()
        with self._apart.of(cursor):
            return ClinicalData(
                study=cursor.text("StudyOID"),
                version=cursor.text("MetaDataVersionOID"),
                subjects=tuple(self._subject(one) for one in cursor.children("SubjectData")),
                groups=tuple(self._group(one) for one in cursor.children("ItemGroupData")),
                marks=marks(cursor),
            )

    def _transaction(self, cursor: Cursor) -> Transaction | None:
        found = cursor.choice("TransactionType", Transaction)
        if self._is_snapshot and found not in (None, Transaction.INSERT):
            cursor.refuse("is no Insert, and the document is a snapshot", "TransactionType")
        return found

    def _subject(self, cursor: Cursor) -> SubjectData:
        site, investigator = cursor.child("SiteRef"), cursor.child("InvestigatorRef")
        return SubjectData(
            key=cursor.text("SubjectKey"),
            site=None if site is None else referred(site, "LocationOID"),
            investigator=None if investigator is None else referred(investigator, "UserOID"),
            transaction=self._transaction(cursor),
            events=tuple(self._event(one) for one in cursor.children("StudyEventData")),
            marks=marks(cursor),
        )

    def _event(self, cursor: Cursor) -> EventData:
        forms = cursor.children("FormData" if cursor.edition is Edition.V1_3 else "ItemGroupData")
        return EventData(
            oid=cursor.text("StudyEventOID"),
            repeat_key=self._key(cursor, "StudyEventRepeatKey"),
            transaction=self._transaction(cursor),
            forms=tuple(self._form(one) for one in forms),
            marks=marks(cursor),
        )

    def _form(self, cursor: Cursor) -> FormData:
        name = "Form" if cursor.edition is Edition.V1_3 else "ItemGroup"
        if cursor.edition is Edition.V2_0 and cursor.children("ItemData"):
            cursor.refuse("is the form of an event, and holds items itself", "ItemData")
        return FormData(
            oid=cursor.text(f"{name}OID"),
            repeat_key=self._key(cursor, f"{name}RepeatKey"),
            transaction=self._transaction(cursor),
            groups=tuple(self._group(one) for one in cursor.children("ItemGroupData")),
            marks=marks(cursor),
        )

    def _group(self, cursor: Cursor) -> GroupData:
        items = cursor.children("ItemData", *(f"ItemData{kind}" for kind in _TYPED))
        is_first = cursor.edition is Edition.V1_3
        return GroupData(
            oid=cursor.text("ItemGroupOID"),
            repeat_key=self._key(cursor, "ItemGroupRepeatKey"),
            sequence=cursor.whole(_SEQUENCE if is_first else "ItemGroupDataSeq", least=1),
            transaction=self._transaction(cursor),
            items=tuple(self._item(one) if one.name == "ItemData" else self._typed(one) for one in items),
            groups=tuple(self._group(one) for one in cursor.children("ItemGroupData")),
            marks=marks(cursor),
        )

    def _key(self, cursor: Cursor, name: str) -> str | None:
        key = cursor.optional(name)
        return cursor.refuse("must not be empty", name) if key == "" else key

    def _item(self, cursor: Cursor) -> ItemData:
        is_null = cursor.flag("IsNull")
        value = cursor.optional("Value") if cursor.edition is Edition.V1_3 else _value(cursor)
        if is_null and value is not None:
            cursor.refuse("has a value, and says that it has none", "IsNull")
        units = cursor.children("MeasurementUnitRef") if cursor.edition is Edition.V1_3 else []
        return ItemData(
            oid=cursor.text("ItemOID"),
            value=value,
            is_null=is_null,
            unit=next((referred(one, "MeasurementUnitOID") for one in units), None),
            transaction=self._transaction(cursor),
            marks=marks(cursor),
        )

    def _typed(self, cursor: Cursor) -> ItemData:
        """A typed item, whose marks stand apart."""
        is_null = cursor.flag("IsNull")
        noted = self._apart.named(cursor, "Annotation", annotation)
        audit = self._apart.named(cursor, "AuditRecord", audit_record)
        signed = self._apart.named(cursor, "Signature", signature)
        made = ItemData(
            oid=cursor.text("ItemOID"),
            is_null=is_null,
            unit=cursor.optional("MeasurementUnitOID"),
            transaction=self._transaction(cursor),
            marks=Marks(audit=audit, signature=signed, annotations=() if noted is None else (noted,)),
        )
        text = cursor.said()
        if is_null and text:
            cursor.refuse("has a value, and says that it has none", "IsNull")
        return made if is_null else replace(made, value=text)


def _value(cursor: Cursor) -> str | None:
    values = cursor.children("Value")
    if len(values) > 1:
        cursor.refuse("has more than one Value, which is not supported", "Value")
    for one in values:
        one.optional("SeqNum")  # of one value it says nothing
        return one.said()
    return None
