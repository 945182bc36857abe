"""From elements of ODM to what stands beside clinical data.

True here: in ODM 1.3 records may stand apart, and typed items name them by ID; each such name must lead to a record,
and each record that stands apart must be named, or it is refused, because nobody could tell what it is about.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from gateway.trials.definition.cursor import Cursor
from gateway.trials.definition.grammar import Edition
from gateway.trials.definition.texts import Texts, Translation
from gateway.trials.odm.adminreading import referred
from gateway.trials.odm.marks import (
    NO_MARKS,
    Annotation,
    AuditRecord,
    EditPoint,
    Flag,
    Marks,
    Query,
    QueryState,
    Signature,
    Transaction,
)

_APART: Final = {"AuditRecords": "AuditRecord", "Signatures": "Signature", "Annotations": "Annotation"}
_Record = TypeVar("_Record")


def _said(cursor: Cursor, name: str) -> str | None:
    holder = cursor.child(name)
    return None if holder is None else holder.said()


def _oid(cursor: Cursor, name: str, attribute: str) -> str:
    holder = cursor.child(name)
    return cursor.refuse(f"has no {name}") if holder is None else referred(holder, attribute)


def _when(cursor: Cursor) -> str:
    return _said(cursor, "DateTimeStamp") or cursor.refuse("has no time", "DateTimeStamp")


def audit_record(cursor: Cursor) -> AuditRecord:
    """AuditRecord. Raises CallerError."""
    cursor.optional("ID")
    used = "UsedImputationMethod" if cursor.edition is Edition.V1_3 else "UsedMethod"
    imputed = cursor.optional(used)
    if imputed not in (None, "Yes", "No"):
        cursor.refuse("must be Yes or No", used)
    return AuditRecord(
        user=_oid(cursor, "UserRef", "UserOID"),
        location=_oid(cursor, "LocationRef", "LocationOID"),
        at=_when(cursor),
        reason=_said(cursor, "ReasonForChange"),
        source=_said(cursor, "SourceID"),
        edit_point=cursor.choice("EditPoint", EditPoint),
        imputed=None if imputed is None else imputed == "Yes",
        kept=cursor.kept(),
    )


def signature(cursor: Cursor) -> Signature:
    """Signature. Raises CallerError."""
    cursor.optional("ID")
    return Signature(
        user=_oid(cursor, "UserRef", "UserOID"),
        location=_oid(cursor, "LocationRef", "LocationOID"),
        definition=_oid(cursor, "SignatureRef", "SignatureOID"),
        at=_when(cursor),
        manifest=_said(cursor, "CryptoBindingManifest") if cursor.edition is Edition.V1_3 else None,
        kept=cursor.kept(),
    )


def annotation(cursor: Cursor) -> Annotation:
    """Annotation. Raises CallerError."""
    cursor.optional("ID")
    comment = cursor.child("Comment")
    by = None if comment is None else comment.optional("SponsorOrSite")
    if by not in (None, "Sponsor", "Site"):
        cursor.refuse("must be Sponsor or Site", "SponsorOrSite")
    return Annotation(
        number=cursor.whole("SeqNum", least=0) or 0,
        transaction=cursor.choice("TransactionType", Transaction),
        comment=() if comment is None else _comment(comment),
        by=by,
        flags=tuple(_flag(one) for one in cursor.children("Flag")),
        kept=cursor.kept(),
    )


def _comment(cursor: Cursor) -> Texts:
    return (Translation(text=cursor.said()),) if cursor.edition is Edition.V1_3 else cursor.translations()


def _flag(cursor: Cursor) -> Flag:
    value, kind = cursor.child("FlagValue"), cursor.child("FlagType")
    if value is None:
        cursor.refuse("has no FlagValue")
    value_list, type_list = value.text("CodeListOID"), None if kind is None else kind.text("CodeListOID")
    cursor.nothing_more()
    said = None if kind is None else kind.said()
    return Flag(value=value.said(), value_list=value_list, type=said, type_list=type_list)


def query(cursor: Cursor) -> Query:
    """Query of ODM 2.0. Raises CallerError."""
    value = cursor.child("Value")
    if value is None:
        cursor.refuse("has no Value")
    return Query(
        oid=cursor.text("OID"),
        source=cursor.text("Source"),
        state=cursor.required("State", QueryState),
        updated_at=cursor.text("LastUpdateDatetime"),
        text=value.said(),
        target=cursor.optional("Target"),
        type=cursor.optional("Type"),
        name=cursor.optional("Name"),
        history=tuple(audit_record(one) for one in cursor.children("AuditRecord")),
        kept=cursor.kept(),
    )


class Apart:
    """Records of ODM 1.3 that stand apart from the data that they are about, by their IDs."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], Cursor] = {}
        self._named: set[tuple[str, str]] = set()

    @contextmanager
    def of(self, clinical: Cursor) -> Iterator[None]:
        """Takes them out of ClinicalData; when its data were read, all must have been named. Raises CallerError."""
        for container, name in _APART.items() if clinical.edition is Edition.V1_3 else ():
            for holder in clinical.children(container):
                for one in holder.children(name):
                    self._add(name, one)
                holder.nothing_more()
        yield
        for key in self._records.keys() - self._named:
            self._records[key].refuse("belongs to no data: nothing names it")

    def _add(self, name: str, cursor: Cursor) -> None:
        key = (name, cursor.text("ID"))
        if key in self._records:
            cursor.refuse("has the ID of another", "ID")
        self._records[key] = cursor

    def named(self, holder: Cursor, name: str, read: Callable[[Cursor], _Record]) -> _Record | None:
        """The record that a typed item names, read. Raises CallerError if there is none."""
        wanted = holder.optional(f"{name}ID")
        if wanted is None:
            return None
        found = self._records.get((name, wanted))
        if found is None:
            holder.refuse("names a record that is not there", f"{name}ID")
        self._named.add((name, wanted))
        return read(found.again())


def marks(cursor: Cursor) -> Marks:
    """The marks that a part of clinical data holds itself; all else that it has left is kept. Raises CallerError."""
    if cursor.is_read():
        return NO_MARKS
    audits = [audit_record(one) for one in cursor.children("AuditRecord")]
    signatures = [signature(one) for one in cursor.children("Signature")]
    annotations = tuple(annotation(one) for one in cursor.children("Annotation"))
    return Marks(
        audit=next(iter(audits), None),
        signature=next(iter(signatures), None),
        annotations=annotations,
        queries=tuple(query(one) for one in cursor.foreign("Query")),
        kept=cursor.kept(),
    )
