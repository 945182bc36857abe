"""Clinical data of ODM reads in both editions, with who changed, signed, noted and asked what."""

from pathlib import Path

import pytest

from gateway.errors import CallerError
from gateway.trials.definition.checks import check_form
from gateway.trials.definition.references import directory
from gateway.trials.odm.forms import captured_forms, form_data
from gateway.trials.odm.marks import EditPoint, QueryState, Transaction
from gateway.trials.odm.reading import read_document
from gateway.trials.odm.writing import write_document
from tests.unit.gateway.trials.definition.vitals import METADATA, document, paths
from tests.unit.gateway.trials.odm.documents import HISTORY, LATER_ITEM, history, later_data, named, pulse


def test_an_audit_record_says_who_where_when_why_and_from_what() -> None:
    audit = pulse().marks.audit
    assert audit is not None
    assert (audit.user, audit.location, audit.at) == ("U.1", "L.1", "2026-01-04T08:00:00+01:00")
    assert (audit.reason, audit.source) == ("misread", "paper 7")
    assert (audit.edit_point, audit.imputed) == (EditPoint.DATA_MANAGEMENT, False)


def test_a_signature_leads_to_what_it_means() -> None:
    signature = history().clinical[0].subjects[0].events[0].forms[0].marks.signature
    (definition,) = history().admin[0].signature_definitions
    assert signature is not None
    assert signature.definition == definition.oid
    assert (definition.meaning, definition.methodology) == ("APPROVED", "Electronic")
    assert definition.legal_reason == "Means the same as by hand, 21 CFR 11"
    assert signature.manifest == "aGFzaA=="


def test_a_query_says_who_asked_and_how_it_stands() -> None:
    (query,) = pulse().marks.queries
    assert (query.oid, query.source, query.state) == ("Q.1", "Site Monitor", QueryState.ANSWERED)
    assert query.text == "Really 71?"
    assert [record.reason for record in query.history] == ["asked"]


def test_an_annotation_has_its_comment_and_flags() -> None:
    (annotation,) = pulse().marks.annotations
    assert (annotation.number, annotation.comment[0].text, annotation.by) == (1, "see the chart", "Site")
    assert (annotation.flags[0].type, annotation.flags[0].value) == ("STATE", "OPEN")


def test_a_removal_without_a_value_is_one() -> None:
    removed = history().clinical[0].subjects[0].events[0].forms[0].groups[0].items[2]
    assert (removed.transaction, removed.value, removed.is_null) == (Transaction.REMOVE, None, True)


def test_a_subject_has_its_site_and_investigator() -> None:
    subject = history().clinical[0].subjects[0]
    assert (subject.key, subject.site, subject.investigator) == ("001", "L.1", "U.1")


def test_reference_data_are_kept_whole() -> None:
    assert [one.name.rpartition("}")[2] for one in history().others] == ["ReferenceData"]


def test_a_users_address_is_kept() -> None:
    (user,) = history().admin[0].users
    assert (user.login_name, user.full_name, user.locations) == ("ann", "Ann Other", ("L.1",))
    assert [part.text for part in user.kept.parts] == ["a@example.org"]


def test_nothing_that_was_captured_is_shown_where_it_is_printed() -> None:
    shown = repr(history().clinical)
    for secret in ("71", "misread", "see the chart", "Really", "OPEN"):
        assert f"'{secret}" not in shown


def test_rows_of_dataset_xml_are_groups_with_their_numbers(shared_data: Path) -> None:
    (clinical,) = named(shared_data, "ae.xml").clinical
    assert [row.sequence for row in clinical.groups] == list(range(1, 17))
    assert {row.oid for row in clinical.groups} == {"IG.AE"}
    assert sum(len(row.items) for row in clinical.groups) == 249


def test_data_of_the_snapshot_are_where_the_text_has_them(shared_data: Path) -> None:
    (path,) = (one for one in paths(shared_data) if one.name == "odm-data-snapshot.xml")
    (clinical,) = read_document(path.read_bytes()).clinical
    groups = [
        group
        for subject in clinical.subjects
        for event in subject.events
        for form in event.forms
        for group in form.groups
    ]
    assert len(groups) == path.read_bytes().count(b"<ItemGroupData ")
    assert sum(len(group.items) for group in groups) == path.read_bytes().count(b"<ItemData ")


def test_edit_checks_find_what_is_wrong_in_cdiscs_own_example(shared_data: Path) -> None:
    found = named(shared_data, "Demographics_RACE_check_all_that_apply.xml")
    parts = directory(found.definitions[0])
    findings = [
        (subject, one.item, one.message)
        for subject, form in captured_forms(found.clinical[0])
        for one in check_form(form, parts)
        if "digits" not in one.message
    ]
    assert findings == [("001", "IT.RACE_BOOLEAN", "is no boolean"), ("002", "IT.DOB", "is no date")]


def test_edit_checks_pass_what_is_complete_in_the_snapshot(shared_data: Path) -> None:
    found = named(shared_data, "odm-data-snapshot.xml")
    parts = directory(found.definitions[0])
    first = [form for subject, form in captured_forms(found.clinical[0]) if subject == "SS_0001"]
    assert [(form.form, len(check_form(form, parts))) for form in first if check_form(form, parts)] == [("AE", 2)]


def test_a_captured_form_is_the_same_as_data_again(shared_data: Path) -> None:
    (clinical,) = named(shared_data, "odm-data-snapshot.xml").clinical
    before = [form for subject in clinical.subjects for event in subject.events for form in event.forms]
    assert [form_data(form) for _, form in captured_forms(clinical)] == before


def test_what_was_removed_is_no_captured_form() -> None:
    with pytest.raises(CallerError, match="is removed"):
        list(captured_forms(history().clinical[0]))


APART = """
<ClinicalData StudyOID="ST" MetaDataVersionOID="V1"><SubjectData SubjectKey="001"><StudyEventData StudyEventOID="SE.1">
<FormData FormOID="F.VS"><ItemGroupData ItemGroupOID="IG.VS">
<ItemDataInteger ItemOID="IT.PULSE" AuditRecordID="A.1">70</ItemDataInteger>
<ItemDataFloat ItemOID="IT.WEIGHT" AuditRecordID="A.1" MeasurementUnitOID="MU.KG"
 AnnotationID="N.1">81.50</ItemDataFloat>
<ItemDataAny ItemOID="IT.NOTE" IsNull="Yes"/></ItemGroupData></FormData></StudyEventData></SubjectData>
<AuditRecords><AuditRecord ID="A.1"><UserRef UserOID="U.1"/><LocationRef LocationOID="L.1"/>
<DateTimeStamp>2026-01-02T08:00:00Z</DateTimeStamp></AuditRecord></AuditRecords>
<Annotations><Annotation ID="N.1" SeqNum="1"><Comment>heavy</Comment></Annotation></Annotations></ClinicalData>
"""


def test_typed_items_are_items_with_the_records_that_they_name() -> None:
    (clinical,) = read_document(document(APART)).clinical
    pulse, weight, note = clinical.subjects[0].events[0].forms[0].groups[0].items
    assert (pulse.value, weight.value, weight.unit, note.value, note.is_null) == ("70", "81.50", "MU.KG", None, True)
    assert pulse.marks.audit == weight.marks.audit
    assert pulse.marks.audit is not None
    assert [one.comment[0].text for one in weight.marks.annotations] == ["heavy"]


def test_records_that_stood_apart_are_written_beside_their_data() -> None:
    found = read_document(document(APART))
    assert read_document(write_document(found)) == found


REFUSED = {
    "a record that is not there": ('AuditRecordID="A.1">70', 'AuditRecordID="A.2">70', "not there"),
    "a record that nothing names": ('AnnotationID="N.1"', "", "nothing names it"),
    "a record without a name": ('Annotation ID="N.1"', "Annotation", "must not be empty"),
    "a record without a user": ('<UserRef UserOID="U.1"/>', "", "has no UserRef"),
    "a value that says that there is none": ('IsNull="Yes"/>', 'IsNull="Yes">x</ItemDataAny>', "says that it has none"),
    "an update in a snapshot": ('SubjectKey="001"', 'SubjectKey="001" TransactionType="Update"', "is a snapshot"),
    "a transaction that is none": ('SubjectKey="001"', 'SubjectKey="001" TransactionType="Add"', "one of Insert"),
    "a repeat key that is empty": ('OID="F.VS"', 'OID="F.VS" FormRepeatKey=""', "must not be empty"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_data_are_refused_for(case: str) -> None:
    before, after, message = REFUSED[case]
    assert before in APART
    with pytest.raises(CallerError, match=message):
        read_document(document(APART.replace(before, after, 1)))


TWO_VALUES = '<ItemData ItemOID="I"><Value>1</Value><Value>2</Value></ItemData>'
LATER_REFUSED = {
    "items of a form itself": (
        '<ItemGroupData ItemGroupOID="F"><ItemData ItemOID="I"/></ItemGroupData>',
        "items itself",
    ),
    "several values": (LATER_ITEM.format(TWO_VALUES), "more than one Value"),
}


@pytest.mark.parametrize("case", LATER_REFUSED)
def test_data_of_odm_2_are_refused_for(case: str) -> None:
    inner, message = LATER_REFUSED[case]
    with pytest.raises(CallerError, match=message):
        read_document(later_data(inner))


def test_a_query_that_does_not_fit_odm_2_is_refused_in_odm_1_3_too() -> None:
    with pytest.raises(CallerError, match="more than one Value"):
        read_document(
            document(METADATA + HISTORY.replace("<Value>Really", "<Value>x</Value><Value>Really"), kind="Transactional")
        )


def test_a_document_of_data_alone_defines_nothing(shared_data: Path) -> None:
    assert named(shared_data, "test_clinical_data_01.xml").definitions == ()
