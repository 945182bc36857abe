"""A document of clinical data as ODM 1.3.2: metadata, people, data, and who changed, signed and asked what.

True here: what was read from ODM 1.3 reads back equal. Queries, which ODM 1.3.2 does not have, are those of ODM 2.0, as
an extension in its namespace. The order of elements is that of the schema, and what is written passes the grammar.
Not done here: IDs of records, and typed items (ItemDataInteger …): values are written as they are.
Source: ODM 1.3.2.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from gateway.errors import CallerError
from gateway.trials.definition.elements import DATASET_XML, ODM_1_3, ODM_2_0, Element, clark, split
from gateway.trials.definition.grammar import Edition, check
from gateway.trials.definition.xmltext import HOLE, write, write_around
from gateway.trials.odm.adminwriting import admin_data
from gateway.trials.odm.building import build, number, ref, refuse
from gateway.trials.odm.definitionwriting import studies
from gateway.trials.odm.marks import Marks, Transaction
from gateway.trials.odm.markwriting import marked
from gateway.trials.odm.model import (
    ClinicalData,
    Document,
    EventData,
    FormData,
    GroupData,
    Header,
    ItemData,
    SubjectData,
)

_CLINICAL: Final = clark(ODM_1_3, "ClinicalData")


def write_document(document: Document) -> bytes:
    """UTF-8 XML. Raises CallerError, naming the OID, for what ODM 1.3.2 cannot say."""
    for one in document.others:
        if split(one.name)[0] == ODM_2_0:
            raise refuse(f"holds {split(one.name)[1]} of ODM 2.0")
    children = [
        *studies(document.definitions),
        *(admin_data(one) for one in document.admin),
        *(_clinical(one) for one in document.clinical),
        *document.others,
    ]
    root = build("ODM", _header(document.header), children, kept=document.header.kept)
    check(root, Edition.V1_3, field=())
    return write(root, namespace=ODM_1_3)


def write_parts(document: Document, subjects: Sequence[Iterable[SubjectData]]) -> Iterator[bytes]:
    """The same in pieces, with the subjects of each ClinicalData as they come: in memory is one at a time. Raises
    CallerError as `write_document` does, from the iterator for a subject."""
    if any(one.subjects for one in document.clinical):
        raise CallerError("its subjects come apart", field=("ODM", "ClinicalData"))
    children = [
        *studies(document.definitions),
        *(admin_data(one) for one in document.admin),
        *(_clinical(one) for one in document.clinical),
        *document.others,
    ]
    root = build("ODM", _header(document.header), children, kept=document.header.kept)
    check(root, Edition.V1_3, field=())
    hollow = [
        replace(one, content=(HOLE, *one.content)) if isinstance(one, Element) and one.name == _CLINICAL else one
        for one in root.content
    ]
    parts = [map(_checked_subject, some) for some in subjects]
    shell = replace(root, content=tuple(hollow))
    yield from write_around(shell, parts, namespace=ODM_1_3, spaces=(DATASET_XML, ODM_2_0))


def reference_data(study: str, version: str, groups: Iterable[GroupData]) -> Element:
    """Rows that are about no subject. Raises CallerError as `write_document` does."""
    return build("ReferenceData", {"StudyOID": study, "MetaDataVersionOID": version}, [_group(one) for one in groups])


def _checked_subject(one: SubjectData) -> Element:
    made = _subject(one)
    check(made, Edition.V1_3, field=("ODM", "ClinicalData"))
    return made


def _header(header: Header) -> dict[str, str | None]:
    return {
        "FileOID": header.file_oid,
        "FileType": header.file_type.value,
        "ODMVersion": Edition.V1_3.value,
        "CreationDateTime": header.created_at,
        "AsOfDateTime": header.as_of,
        "Granularity": header.granularity,
        "Description": header.description,
        "PriorFileOID": header.prior_file_oid,
        "Originator": header.originator,
        "SourceSystem": header.source_system,
        "SourceSystemVersion": header.source_system_version,
    }


def _clinical(one: ClinicalData) -> Element:
    attributes = {"StudyOID": one.study, "MetaDataVersionOID": one.version}
    if one.marks.audit or one.marks.signature or one.marks.annotations:
        raise refuse("has marks of its own", "ClinicalData", one.study)
    children = [*(_subject(subject) for subject in one.subjects), *(_group(group) for group in one.groups)]
    return _marked("ClinicalData", attributes, children, one.marks)


def _marked(
    name: str, attributes: Mapping[str, str | None], children: Sequence[Element | None], marks: Marks
) -> Element:
    return build(name, attributes, [*marked(marks), *children], kept=marks.kept)


def _transaction(one: Transaction | None) -> str | None:
    return None if one is None else one.value


def _subject(one: SubjectData) -> Element:
    attributes = {"SubjectKey": one.key, "TransactionType": _transaction(one.transaction)}
    children = [
        ref("InvestigatorRef", "UserOID", one.investigator),
        ref("SiteRef", "LocationOID", one.site),
        *(_event(event) for event in one.events),
    ]
    return _marked("SubjectData", attributes, children, one.marks)


def _event(one: EventData) -> Element:
    attributes = {
        "StudyEventOID": one.oid,
        "StudyEventRepeatKey": one.repeat_key,
        "TransactionType": _transaction(one.transaction),
    }
    return _marked("StudyEventData", attributes, [_form(form) for form in one.forms], one.marks)


def _form(one: FormData) -> Element:
    attributes = {
        "FormOID": one.oid,
        "FormRepeatKey": one.repeat_key,
        "TransactionType": _transaction(one.transaction),
    }
    return _marked("FormData", attributes, [_group(group) for group in one.groups], one.marks)


def _group(one: GroupData) -> Element:
    if one.groups:
        raise refuse(f"holds group {one.groups[0].oid[:64]}", "ItemGroupData", one.oid)
    attributes = {
        "ItemGroupOID": one.oid,
        "ItemGroupRepeatKey": one.repeat_key,
        "TransactionType": _transaction(one.transaction),
        clark(DATASET_XML, "ItemGroupDataSeq"): number(one.sequence),
    }
    return _marked("ItemGroupData", attributes, [_item(item) for item in one.items], one.marks)


def _item(one: ItemData) -> Element:
    attributes = {
        "ItemOID": one.oid,
        "TransactionType": _transaction(one.transaction),
        "IsNull": "Yes" if one.is_null else None,
        "Value": one.value,
    }
    return _marked("ItemData", attributes, [ref("MeasurementUnitRef", "MeasurementUnitOID", one.unit)], one.marks)
