"""Conditions and checks across items run where they are FHIRPath, and are told where they are not."""

from dataclasses import replace

import pytest

from gateway.trials.definition import context
from gateway.trials.definition.checks import check_form
from gateway.trials.definition.findings import Place, Rule, Weight
from gateway.trials.definition.forms import CapturedForm, CapturedGroup, CapturedItem
from gateway.trials.definition.reading import read_definitions
from gateway.trials.definition.references import directory
from tests.unit.gateway.trials.definition.checking import changed, found, of
from tests.unit.gateway.trials.definition.vitals import METADATA, form, group, later


def test_what_need_not_be_collected_is_not_missed() -> None:
    assert found(form(group(PULSE="70", POSITION="STAND"))) == []


def test_what_is_collected_although_it_need_not_be_is_asked_about() -> None:
    findings = of("RESTED", found(form(group(PULSE="70", POSITION="STAND", RESTED="5"))))
    assert findings == [(Rule.EXCEPTION, Weight.SOFT, "is not collected while condition C.STANDING holds")]


def test_a_condition_that_is_false_makes_the_item_mandatory() -> None:
    findings = of("RESTED", found(form(group(PULSE="70", POSITION="SIT"))))
    assert findings == [(Rule.MANDATORY, Weight.HARD, "is mandatory, and is missing")]


def test_a_condition_without_an_answer_is_told() -> None:
    ((rule, weight, message),) = of("RESTED", found(form(group(PULSE="70"))))
    assert (rule, weight) == (Rule.MANDATORY, Weight.NOT_RUN)
    assert message == "not run: condition C.STANDING: it has no answer"


def test_a_condition_in_another_language_is_told() -> None:
    within = changed(('Context="FHIRPath"', 'Context="SAS"'))
    ((_, weight, message),) = of("RESTED", found(form(group(PULSE="70", POSITION="STAND")), within=within))
    assert weight is Weight.NOT_RUN
    assert message == "not run: condition C.STANDING: it is in SAS, XPath, which is not run here"


def test_a_condition_beyond_the_subset_is_told_with_what_is_not_supported() -> None:
    within = changed(("= 'STAND'", "in ('STAND')"))
    ((_, weight, message),) = of("RESTED", found(form(group(PULSE="70", POSITION="STAND")), within=within))
    assert weight is Weight.NOT_RUN
    assert "in is not supported, at character" in message


def test_each_repeat_is_asked_for_itself() -> None:
    standing = group(key="1", PULSE="70", POSITION="STAND")
    sitting = group(key="2", PULSE="70", POSITION="SIT", RESTED="5")
    assert found(form(standing, sitting)) == []
    (finding,) = found(form(standing, replace(sitting, items=sitting.items[:2])))
    assert (finding.item, finding.places[0].repeat_key) == ("IT.RESTED", "2")


def test_a_check_across_items_runs_and_fails_with_its_message() -> None:
    findings = of("MEAN", found(form(group(PULSE="70", POSITION="SIT", RESTED="5", MEAN="71"))))
    assert (Rule.RANGE, Weight.HARD, "The mean is above the pulse.") in findings


def test_a_check_across_items_that_holds_is_no_finding() -> None:
    findings = of("MEAN", found(form(group(PULSE="70", POSITION="SIT", RESTED="5", MEAN="70"))))
    assert [weight for _, weight, _ in findings] == [Weight.NOT_RUN]


def test_a_check_in_sas_is_told_and_not_passed() -> None:
    findings = of("MEAN", found(form(group(PULSE="70", POSITION="SIT", RESTED="5", MEAN="70"))))
    assert findings == [(Rule.RANGE, Weight.NOT_RUN, "not run: it is in SAS, which is not run here")]


def test_a_check_across_items_looks_at_its_own_repeat() -> None:
    low = group(key="1", PULSE="50", POSITION="SIT", RESTED="5", MEAN="60")
    high = group(key="2", PULSE="70", POSITION="SIT", RESTED="5", MEAN="60")
    hard = [one.places[0].repeat_key for one in found(form(low, high)) if one.weight is Weight.HARD]
    assert hard == ["1"]


def test_a_form_that_is_too_large_runs_no_more_expressions_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "MOST_STEPS", 0)
    ((_, weight, message),) = of("RESTED", found(form(group(PULSE="70", POSITION="STAND"))))
    assert weight is Weight.NOT_RUN
    assert "too large" in message


def test_a_form_with_parts_that_it_does_not_have_runs_no_expression_and_says_so() -> None:
    ((_, weight, message),) = of("RESTED", found(form(group(PULSE="70", POSITION="STAND", XX="1"))))
    assert weight is Weight.NOT_RUN
    assert message.endswith("the form cannot be shown: item IT.XX is no item of the study")


NESTED = """
<StudyEventDef OID="SE.1" Name="V" Repeating="No" Type="Scheduled">
 <ItemGroupRef ItemGroupOID="F" Mandatory="Yes"/></StudyEventDef>
<ItemGroupDef OID="F" Name="F" Repeating="No" Type="Form">
 <ItemGroupRef ItemGroupOID="O" Mandatory="Yes"/></ItemGroupDef>
<ItemGroupDef OID="O" Name="O" Repeating="No" Type="Section"><ItemRef ItemOID="A" Mandatory="No"/>
 <ItemGroupRef ItemGroupOID="I" Mandatory="Yes"/></ItemGroupDef>
<ItemGroupDef OID="I" Name="I" Repeating="Simple" Type="Section"><ItemRef ItemOID="B" Mandatory="Yes"/></ItemGroupDef>
<ItemDef OID="A" Name="A" DataType="integer"/>
<ItemDef OID="B" Name="B" DataType="integer"><RangeCheck SoftHard="Hard"><FormalExpression Context="FHIRPath"><Code>
 item.where(linkId='O').item.where(linkId='O/I').item.where(linkId='O/I/B').answer.value.ofType(integer) &lt;
 item.where(linkId='O').item.where(linkId='O/A').answer.value.ofType(integer)</Code></FormalExpression></RangeCheck></ItemDef>
"""


def test_groups_within_groups_are_checked_each_in_its_place() -> None:
    (definition,) = read_definitions(later(NESTED))
    inner = [
        CapturedGroup(oid="I", repeat_key=key, items=(CapturedItem(oid="B", text=text),))
        for key, text in (("1", "4"), ("2", "6"))
    ]
    outer = CapturedGroup(oid="O", items=(CapturedItem(oid="A", text="5"),), groups=tuple(inner))
    captured = CapturedForm(study="ST", version="V1", event="SE.1", form="F", groups=(outer,))
    (finding,) = check_form(captured, directory(definition))
    assert finding.places == (Place(group="O", repeat_key=None), Place(group="I", repeat_key="2"))
    assert (finding.rule, finding.item) == (Rule.RANGE, "B")


WHERE = (
    '<ItemDef OID="A" Name="A" DataType="integer"><RangeCheck Comparator="LT" SoftHard="Soft" ItemOID="B">'
    "<CheckValue>5</CheckValue></RangeCheck></ItemDef>"
)
BOTH = '<ItemRef ItemOID="A" Mandatory="No"/><ItemRef ItemOID="B" Mandatory="No"/>'
OTHER = NESTED.replace('<ItemDef OID="A" Name="A" DataType="integer"/>', WHERE).replace(
    '<ItemRef ItemOID="A" Mandatory="No"/>', BOTH
)


@pytest.mark.parametrize(
    ("other", "weight"), [("4", None), ("5", Weight.SOFT), ("many", Weight.NOT_RUN), (None, Weight.NOT_RUN)]
)
def test_a_check_may_look_at_another_item_of_the_group(other: str | None, weight: Weight | None) -> None:
    (definition,) = read_definitions(later(OTHER))
    items = (CapturedItem(oid="A", text="9"), CapturedItem(oid="B", text=other))
    inner = CapturedGroup(oid="I", items=(CapturedItem(oid="B", text="1"),))
    outer = CapturedGroup(oid="O", items=items, groups=(inner,))
    captured = CapturedForm(study="ST", version="V1", event="SE.1", form="F", groups=(outer,))
    weights = [one.weight for one in check_form(captured, directory(definition)) if one.item == "A"]
    assert weights == ([] if weight is None else [weight])


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("1 + 1", "its answer is neither true nor false"), ("'a' &lt; 1", "it does not fit the form: not comparable"),
        ("item", "its answer is neither true nor false"),
    ],
)  # fmt: skip
def test_an_expression_that_answers_something_else_is_told(code: str, reason: str) -> None:
    start = METADATA.index("item.where(linkId='IG.VS').item.where(linkId='IG.VS/IT.MEAN')")
    within = changed((METADATA[start:].split("<")[0], code))
    messages = [message for _, _, message in of("MEAN", found(form(group(PULSE="1", MEAN="1")), within=within))]
    assert f"not run: {reason}" in messages
