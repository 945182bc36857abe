"""What a definition says is in the model, what the model has no place for is kept, and the rest is refused by name."""

import pytest

from gateway.errors import CallerError
from gateway.trials.definition.elements import ODM_1_3, ODM_2_0, XML_SIGNATURE, clark
from gateway.trials.definition.items import Comparator, DataType, Hardness
from gateway.trials.definition.model import EventType, StudyDefinition
from gateway.trials.definition.reading import read_definitions
from gateway.trials.definition.references import Dangling, dangling, directory
from gateway.trials.definition.texts import Translation, said
from tests.unit.gateway.trials.definition.vitals import METADATA, document, later, vitals


def one(inner: str) -> StudyDefinition:
    (found,) = read_definitions(later(inner))
    return found


def changed(before: str, after: str) -> bytes:
    assert before in METADATA
    return document(METADATA.replace(before, after, 1))


def test_a_study_says_its_names() -> None:
    found = vitals().definition
    assert (found.oid, found.name, found.protocol_name, found.version_oid) == ("ST", "Vitals", "P-1", "V1")
    assert said(found.description, "en") == "All of it"
    assert said(found.version_description, "en") == "As approved"


def test_an_event_says_its_type_and_forms() -> None:
    event = vitals().events["SE.1"]
    assert event.type is EventType.SCHEDULED
    assert [(ref.oid, ref.mandatory) for ref in event.forms] == [("F.VS", True)]


def test_a_reference_says_order_condition_and_method() -> None:
    rested, mean = (ref for ref in vitals().groups["IG.VS"].items if ref.oid in ("IT.RESTED", "IT.MEAN"))
    assert (rested.order, rested.exception, mean.method) == (4, "C.STANDING", "M.MEAN")


def test_an_item_says_its_questions_by_language() -> None:
    question = vitals().items["IT.PULSE"].question
    assert [(text.language, text.text) for text in question] == [("en", "Pulse"), ("de", "Puls")]


def test_a_check_says_how_it_compares_and_how_hard_it_is() -> None:
    soft, hard = vitals().items["IT.PULSE"].checks
    assert (soft.comparator, soft.hardness, soft.values) == (Comparator.GE, Hardness.SOFT, ("40",))
    assert (hard.comparator, hard.hardness) == (Comparator.LT, Hardness.HARD)


def test_an_attribute_without_a_place_is_kept_under_its_full_name() -> None:
    assert vitals().groups["IG.VS"].kept.attributes == ((clark(ODM_1_3, "Comment"), "as on paper"),)


def test_an_element_without_a_place_is_kept_whole() -> None:
    (part,) = vitals().code_lists["CL.ELSEWHERE"].kept.parts
    assert part.name == clark(ODM_1_3, "ExternalCodeList")
    assert dict(part.attributes) == {"Dictionary": "MedDRA", "Version": "23"}


def test_a_vendors_extension_is_kept() -> None:
    octets = changed('Name="Pulse"', 'Name="Pulse" v:colour="red" xmlns:v="urn:vendor"')
    (found,) = read_definitions(octets)
    item = directory(found).items["IT.PULSE"]
    assert item.kept.attributes == (("{urn:vendor}colour", "red"),)


def test_a_vendors_extension_where_nothing_is_kept_is_refused_by_name() -> None:
    octets = changed("<TranslatedText>kg<", '<TranslatedText v:colour="red" xmlns:v="urn:vendor">kg<')
    with pytest.raises(CallerError, match="colour is not supported here"):
        read_definitions(octets)


INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
INCLUDE = '<Include StudyOID="ST" MetaDataVersionOID="V0"/>'
REFUSED = {
    "an element that is none": ("<Protocol>", "<Protocl/><Protocol>", "may not hold Protocl"),
    "an attribute that is none": ('Name="Visit"', 'Name="Visit" Nmae="x"', "Nmae is no attribute"),
    "a required attribute that is missing": (' Type="Scheduled"', "", "has no Type"),
    "an element that is missing": ("<ProtocolName>P-1</ProtocolName>", "", "has no ProtocolName"),
    "an element twice": ("<Protocol>", "<Protocol/><Protocol>", "more than one Protocol"),
    "text where there is none": ("<Protocol>", "<Protocol>visits", "holds text"),
    "a type that is none": ('DataType="partialDate"', 'DataType="day"', "must be one of integer"),
    "a length that is none": ('Length="8"', 'Length="0"', "at least 1"),
    "a length of too many digits": ('Length="8"', f'Length="{"9" * 30}"', "at least 1"),
    "an empty OID": ('OID="V1"', 'OID=""', "must not be empty"),
    "a flag that is none": ('Repeating="No" Type', 'Repeating="no" Type', "must be Yes or No"),
    "a comparator that is none": ('Comparator="LE"', 'Comparator="UNDER"', "must be one of LT"),
    "a check of nothing": ("<CheckValue>200</CheckValue>", "", "checks nothing"),
    "a value without a comparator": ('Comparator="LE" ', "", "no Comparator"),
    "two values of LE": ("<CheckValue>200", "<CheckValue>1</CheckValue><CheckValue>200", "only IN"),
    "a coded value twice": ('CodedValue="STAND"', 'CodedValue="SIT"', "CodedValue twice"),
    "another version that it rests on": ("<Protocol>", f"{INCLUDE}<Protocol>", "give it whole"),
    "xsi:type": ('OID="V1"', f'OID="V1" xsi:type="x" xmlns:xsi="{INSTANCE}"', "xsi:type"),
    "an XML signature": ("<Protocol>", f'<Signature xmlns="{XML_SIGNATURE}"/><Protocol>', "XML signature"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_definition_is_refused_for(case: str) -> None:
    before, after, message = REFUSED[case]
    with pytest.raises(CallerError, match=message):
        read_definitions(changed(before, after))


def test_a_refusal_leads_to_the_part_by_its_oid() -> None:
    with pytest.raises(CallerError) as caught:
        read_definitions(changed('DataType="partialDate"', 'DataType="day"'))
    assert caught.value.field == ("ODM", "Study", "ST", "MetaDataVersion", "V1", "ItemDef", "IT.ON", "DataType")


@pytest.mark.parametrize("version", ["1.2", "2.0", "1.3.3"])
def test_a_version_that_is_not_read_is_refused(version: str) -> None:
    with pytest.raises(CallerError, match="of a version that is not read"):
        read_definitions(document().replace(b'ODMVersion="1.3.2"', f'ODMVersion="{version}"'.encode()))


def test_another_namespace_is_refused() -> None:
    with pytest.raises(CallerError, match="in no namespace of ODM"):
        read_definitions(b"<ODM/>")


def test_one_oid_twice_is_refused_by_name() -> None:
    (found,) = read_definitions(changed('<ItemDef OID="IT.ON"', '<ItemDef OID="IT.NOTE"'))
    with pytest.raises(CallerError, match="defined twice") as caught:
        directory(found)
    assert caught.value.field == ("ODM", "ItemDef", "IT.NOTE")


def test_what_is_not_defined_dangles() -> None:
    (found,) = read_definitions(changed('<CodeList OID="CL.POSITION"', '<CodeList OID="CL.OTHER"'))
    assert dangling(directory(found)) == (Dangling(holder="IT.POSITION", kind="CodeList", oid="CL.POSITION"),)


LATER = """
<StudyEventDef OID="SE.1" Name="Visit" Repeating="No" Type="Scheduled">
 <ItemGroupRef ItemGroupOID="F.1" Mandatory="Yes"/></StudyEventDef>
<ItemGroupDef OID="F.1" Name="Form" Repeating="No" Type="Form">
 <ItemGroupRef ItemGroupOID="IG.1" Mandatory="Yes"/></ItemGroupDef>
<ItemGroupDef OID="IG.1" Name="Group" Repeating="Static" Type="Section">
 <ItemRef ItemOID="I.1" Mandatory="Yes" Repeat="Yes"/><ItemGroupRef ItemGroupOID="IG.2" Mandatory="No"/>
 <ItemRef ItemOID="I.2" Mandatory="No"/></ItemGroupDef>
<ItemGroupDef OID="IG.2" Name="Inner" Repeating="No" Type="Section">
 <ItemRef ItemOID="I.2" Mandatory="No"/></ItemGroupDef>
<ItemDef OID="I.1" Name="One" DataType="decimal">
 <Question><TranslatedText Type="text/plain">Which one?</TranslatedText></Question>
 <Prompt><TranslatedText Type="text/plain">One?</TranslatedText></Prompt></ItemDef>
<ItemDef OID="I.2" Name="Two" DataType="text"/>
"""


def test_a_group_of_odm_2_that_is_a_form_is_a_form() -> None:
    found = one(LATER)
    assert [form.oid for form in found.forms] == ["F.1"]
    assert [group.oid for group in found.groups] == ["IG.1", "IG.2"]


def test_groups_and_items_of_a_group_keep_their_order() -> None:
    assert [ref.oid for ref in one(LATER).groups[0].members] == ["I.1", "IG.2", "I.2"]


def test_what_odm_2_says_beyond_the_model_is_kept() -> None:
    group = one(LATER).groups[0]
    assert group.repeating
    assert dict(group.kept.attributes) == {clark(ODM_2_0, "Repeating"): "Static", clark(ODM_2_0, "Type"): "Section"}
    assert group.items[0].kept.attributes == ((clark(ODM_2_0, "Repeat"), "Yes"),)
    assert [part.name for part in one(LATER).items[0].kept.parts] == [clark(ODM_2_0, "Prompt")]


def test_odm_2_has_decimals() -> None:
    assert one(LATER).items[0].data_type is DataType.DECIMAL


DIV = '<div xmlns="http://www.w3.org/1999/xhtml">Which one?</div>'
ELSEWHERE = '<RangeCheck><FormalExpression><ExternalCodeLib Library="x"/></FormalExpression></RangeCheck>'
LATER_REFUSED = {
    "a form that holds items": ('="Form">', '="Form"><ItemRef ItemOID="I.1" Mandatory="Yes"/>', "holds items itself"),
    "an event that holds what is no form": ('ItemGroupOID="F.1"', 'ItemGroupOID="IG.1"', "which is no form"),
    "markup in a text": ("Which one?", DIV, "div is not supported"),
    "code elsewhere": ('DataType="text"/>', f'DataType="text">{ELSEWHERE}</ItemDef>', "ExternalCodeLib"),
    "a repetition that is none": ('Repeating="Static"', 'Repeating="Yes"', "must be one of No, Simple"),
}


@pytest.mark.parametrize("case", LATER_REFUSED)
def test_odm_2_is_refused_for(case: str) -> None:
    before, after, message = LATER_REFUSED[case]
    assert before in LATER
    with pytest.raises(CallerError, match=message):
        one(LATER.replace(before, after, 1))


def test_a_check_of_odm_2_that_does_not_say_how_hard_it_is_is_hard() -> None:
    found = one('<ItemDef OID="I" Name="I" DataType="integer"><RangeCheck Comparator="LT"><CheckValue>1</CheckValue>'
                "</RangeCheck></ItemDef>")  # fmt: skip
    assert found.items[0].checks[0].hardness is Hardness.HARD


def nested(depth: int, *, closed: bool = False) -> str:
    below = [*range(1, depth), 0 if closed else depth]
    return "".join(
        f'<ItemGroupDef OID="IG.{number}" Name="G" Repeating="No" Type="Section">'
        f'<ItemGroupRef ItemGroupOID="IG.{inner}" Mandatory="Yes"/></ItemGroupDef>'
        for number, inner in enumerate(below)
    )


def test_a_group_that_holds_itself_is_refused() -> None:
    with pytest.raises(CallerError, match="holds itself"):
        directory(one(nested(3, closed=True)))


def test_groups_within_groups_are_bounded() -> None:
    directory(one(nested(8)))
    with pytest.raises(CallerError, match="deeper than 8"):
        directory(one(nested(9)))


def test_many_groups_that_hold_each_other_take_no_time() -> None:
    ladder = "".join(
        f'<ItemGroupDef OID="IG.{level}.{side}" Name="G" Repeating="No" Type="Section">'
        + "".join(f'<ItemGroupRef ItemGroupOID="IG.{level + 1}.{other}" Mandatory="No"/>' for other in range(40))
        + "</ItemGroupDef>"
        for level in range(7)
        for side in range(40)
    )
    assert len(directory(one(ladder)).groups) == 280


def test_a_part_that_a_group_names_twice_is_refused() -> None:
    (found,) = read_definitions(changed('ItemOID="IT.NOTE"', 'ItemOID="IT.ON"'))
    with pytest.raises(CallerError, match="refers to one part twice"):
        directory(found)


def test_a_text_is_given_in_the_language_else_in_none_else_in_the_first() -> None:
    texts = (Translation(language="de", text="Puls"), Translation(text="pulse"), Translation(language="ko", text=" "))
    assert [said(texts, language) for language in ("de", "fr", "ko")] == ["Puls", "pulse", "pulse"]
    assert said(texts[:1], "fr") == "Puls"


def test_the_example_has_an_item_for_each_definition() -> None:
    assert METADATA.count("<ItemDef ") == len(vitals().items)


@pytest.mark.parametrize(
    ("before", "kind", "oid"),
    [
        ('<ItemGroupDef OID="IG.VS"', "ItemGroupDef", "IG.VS"), ('<FormDef OID="F.VS"', "FormDef", "F.VS"),
        ('<StudyEventDef OID="SE.1"', "StudyEventDef", "SE.1"), ('<ItemDef OID="IT.ON"', "ItemDef", "IT.ON"),
        ('<ConditionDef OID="C.STANDING"', "ConditionDef", "C.STANDING"),
        ('<MethodDef OID="M.MEAN"', "MethodDef", "M.MEAN"),
        ('<MeasurementUnit OID="MU.LB"', "MeasurementUnit", "MU.LB"),
    ],
)  # fmt: skip
def test_each_kind_of_reference_is_followed(before: str, kind: str, oid: str) -> None:
    (found,) = read_definitions(changed(before, before[: before.index("OID")] + 'OID="XX"'))
    assert {(one.kind, one.oid) for one in dangling(directory(found))} == {(kind, oid)}


def test_an_empty_document_is_refused() -> None:
    with pytest.raises(CallerError, match="is empty"):
        read_definitions(b" \n")


def test_a_list_of_dates_is_no_code_list() -> None:
    with pytest.raises(CallerError, match="no type of a code list"):
        read_definitions(changed('Name="Terms" DataType="text"', 'Name="Terms" DataType="date"'))


def test_a_check_of_more_values_than_allowed_is_refused() -> None:
    values = "<CheckValue>1</CheckValue>" * 1001
    with pytest.raises(CallerError, match="make them a code list"):
        read_definitions(changed("<CheckValue>200</CheckValue>", values))
