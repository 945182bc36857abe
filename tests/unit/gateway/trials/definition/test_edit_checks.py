"""Edit checks find what is not as defined, pass what is, and never pass in silence what they cannot check."""

from dataclasses import replace

import pytest

from gateway.errors import CallerError, LimitError
from gateway.trials.definition import forms
from gateway.trials.definition.findings import Finding, Place, Rule, Weight
from gateway.trials.definition.forms import CapturedGroup, CapturedItem
from gateway.trials.definition.references import Directory
from tests.unit.gateway.trials.definition.checking import changed, found, of
from tests.unit.gateway.trials.definition.vitals import form, group

HERE = (Place(group="IG.VS", repeat_key=None),)


def test_a_form_that_is_as_defined_has_no_finding() -> None:
    given = group(PULSE="70", WEIGHT="81.5", POSITION="SIT", RESTED="5", ON="2020-07", units={"WEIGHT": "MU.KG"})
    assert found(form(given)) == []


def test_a_mandatory_item_that_is_missing_is_found_where_it_is_missing() -> None:
    assert found(form(group(POSITION="STAND"))) == [
        Finding(
            rule=Rule.MANDATORY,
            weight=Weight.HARD,
            places=HERE,
            item="IT.PULSE",
            message="is mandatory, and is missing",
        )
    ]


@pytest.mark.parametrize("text", [None, ""])
def test_a_mandatory_item_without_a_value_is_missing(text: str | None) -> None:
    findings = of("PULSE", found(form(group(PULSE=text, RESTED="5"))))
    assert [rule for rule, *_ in findings] == [Rule.MANDATORY]


def test_a_mandatory_group_that_is_missing_is_found() -> None:
    (finding,) = found(form())
    assert (finding.rule, finding.places, finding.item) == (Rule.MANDATORY, HERE, None)


def test_a_range_is_soft_with_the_message_of_its_definition() -> None:
    findings = of("PULSE", found(form(group(PULSE="39", RESTED="1"))))
    assert findings == [(Rule.RANGE, Weight.SOFT, "Is it so slow?")]


def test_a_range_without_a_message_says_what_was_defined() -> None:
    findings = of("PULSE", found(form(group(PULSE="300", RESTED="1"))))
    assert findings == [(Rule.RANGE, Weight.HARD, "must be less than 300")]


def comparing(comparator: str, *values: str, kind: str = "integer") -> Directory:
    listed = "".join(f"<CheckValue>{value}</CheckValue>" for value in values)
    check = f'<RangeCheck Comparator="{comparator}" SoftHard="Hard">{listed}</RangeCheck>'
    return changed(
        ('Name="Minutes rested" DataType="integer" Length="2"/>', f'Name="R" DataType="{kind}">{check}</ItemDef>')
    )


RANGES = [
    ("LT", ["5"], "4", True), ("LT", ["5"], "5", False), ("LE", ["5"], "5", True), ("LE", ["5"], "6", False),
    ("GT", ["5"], "6", True), ("GT", ["5"], "5", False), ("GE", ["5"], "5", True), ("GE", ["5"], "4", False),
    ("EQ", ["5"], "05", True), ("EQ", ["5"], "6", False), ("NE", ["5"], "6", True), ("NE", ["5"], "5", False),
    ("IN", ["1", "3"], "3", True), ("IN", ["1", "3"], "2", False), ("NOTIN", ["1", "3"], "2", True),
    ("NOTIN", ["1", "3"], "1", False), ("LT", ["10"], "9", True),
]  # fmt: skip


@pytest.mark.parametrize(("comparator", "values", "text", "holds"), RANGES)
def test_each_comparator_compares_numbers(comparator: str, values: list[str], text: str, holds: bool) -> None:
    findings = of(
        "RESTED", found(form(group(PULSE="70", POSITION="SIT", RESTED=text)), within=comparing(comparator, *values))
    )
    assert [weight for _, weight, _ in findings] == ([] if holds else [Weight.HARD])


OTHERS = [
    ("text", "EQ", "b", "b", True), ("text", "LT", "b", "a", True), ("boolean", "EQ", "true", "1", True),
    ("boolean", "NE", "true", "0", True), ("boolean", "EQ", "true", "false", False),
    ("hexBinary", "EQ", "0a", "0A", True), ("hexBinary", "EQ", "0a", "0b", False),
    ("double", "GT", "1e2", "1.1E2", True), ("date", "GE", "2020-01-01", "2020-01-01", True),
    ("datetime", "LT", "2020-01-01T00:00:00Z", "2020-01-01T00:30:00+01:00", True),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "comparator", "bound", "text", "holds"), OTHERS)
def test_each_type_is_compared_as_what_it_is(kind: str, comparator: str, bound: str, text: str, holds: bool) -> None:
    within = comparing(comparator, bound, kind=kind)
    findings = of("RESTED", found(form(group(PULSE="70", POSITION="SIT", RESTED=text)), within=within))
    assert [weight for _, weight, _ in findings] == ([] if holds else [Weight.HARD])


NOT_RUN = [
    ("boolean", "LT", "true", "false", "not known precisely"), ("integer", "LT", "many", "5", "no integer"),
    ("double", "LT", "1", "NaN", "not known precisely"),
    ("datetime", "LT", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00", "not known precisely"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "comparator", "bound", "text", "reason"), NOT_RUN)
def test_what_cannot_be_compared_is_told(kind: str, comparator: str, bound: str, text: str, reason: str) -> None:
    within = comparing(comparator, bound, kind=kind)
    ((_, weight, message),) = of("RESTED", found(form(group(PULSE="70", POSITION="SIT", RESTED=text)), within=within))
    assert weight is Weight.NOT_RUN
    assert reason in message


@pytest.mark.parametrize(
    ("text", "weights"), [("2020-07", []), ("2020-06", [Weight.NOT_RUN]), ("2020-05", [Weight.HARD])]
)
def test_a_partial_date_is_checked_as_far_as_it_is_known(text: str, weights: list[Weight]) -> None:
    findings = of("ON", found(form(group(PULSE="70", RESTED="5", POSITION="SIT", ON=text))))
    assert [weight for _, weight, _ in findings] == weights


def test_a_check_in_another_unit_is_not_run() -> None:
    given = group(PULSE="70", POSITION="SIT", RESTED="5", WEIGHT="210", units={"WEIGHT": "MU.LB"})
    assert of("WEIGHT", found(form(given))) == [
        (Rule.RANGE, Weight.NOT_RUN, "not run: the value is in another unit than the check")
    ]


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ({"WEIGHT": "MU.OZ"}, "is in a unit that the item does not have"),
        ({}, "does not say in which of its units it is"),
    ],
)
def test_a_unit_that_the_item_does_not_have_is_found(units: dict[str, str], message: str) -> None:
    findings = of("WEIGHT", found(form(group(PULSE="70", POSITION="SIT", RESTED="5", WEIGHT="80", units=units))))
    assert (Rule.UNIT, Weight.HARD, message) in findings


def test_a_value_that_is_not_of_its_type_is_found_once() -> None:
    assert of("PULSE", found(form(group(PULSE="fast", RESTED="5")))) == [(Rule.TYPE, Weight.HARD, "is no integer")]


@pytest.mark.parametrize(
    ("name", "text", "rules"),
    [
        ("PULSE", "299", []), ("PULSE", "-299", [Rule.RANGE]), ("PULSE", "1000", [Rule.LENGTH, Rule.RANGE]),
        ("WEIGHT", "123.4", []), ("WEIGHT", "123.40", []), ("WEIGHT", "123.45", [Rule.DIGITS]),
        ("WEIGHT", "1234", [Rule.LENGTH, Rule.RANGE]), ("WEIGHT", "0.05", [Rule.DIGITS]), ("WEIGHT", "0", []),
        ("NOTE", "x" * 20, [Rule.CODE_LIST]), ("NOTE", "x" * 21, [Rule.LENGTH, Rule.CODE_LIST]),
    ],
)  # fmt: skip
def test_lengths_are_of_digits_and_characters(name: str, text: str, rules: list[Rule]) -> None:
    given = group(units={"WEIGHT": "MU.KG"}, **({"PULSE": "70", "RESTED": "5", "POSITION": "SIT"} | {name: text}))
    assert [rule for rule, *_ in of(name, found(form(given)))] == rules


def test_a_value_beyond_its_code_list_is_found() -> None:
    findings = of("POSITION", found(form(group(PULSE="70", POSITION="LIE", RESTED="5"))))
    assert findings == [(Rule.CODE_LIST, Weight.HARD, "is no value of its code list")]


def test_a_code_list_that_is_elsewhere_is_told() -> None:
    findings = of("NOTE", found(form(group(PULSE="70", POSITION="SIT", RESTED="5", NOTE="well"))))
    assert findings == [(Rule.CODE_LIST, Weight.NOT_RUN, "not run: its code list is elsewhere")]


def test_a_code_list_that_is_not_defined_is_told() -> None:
    within = changed(('<CodeList OID="CL.POSITION"', '<CodeList OID="CL.OTHER"'))
    findings = of("POSITION", found(form(group(PULSE="70", POSITION="SIT", RESTED="5")), within=within))
    assert findings == [(Rule.CODE_LIST, Weight.NOT_RUN, "not run: its code list is not defined")]


STRUCTURE = {
    "a group that the form does not have": (form(CapturedGroup(oid="IG.XX")), None, "is no group of it"),
    "an item that the group does not have": (form(group(PULSE="70", XX="1")), "IT.XX", "is no item of the group"),
    "an item twice": (form(replace(group(), items=(CapturedItem(oid="IT.PULSE", text="1"),) * 2)), "IT.PULSE",
                      "is there more than once"),
    "a repeat key twice": (form(group(key="1"), group(key="1")), None, "has the repeat key of another repeat"),
    "repeats without keys": (form(group(), group()), None, "has the repeat key of another repeat"),
    "a repeat of what does not repeat": (replace(form(), form_repeat_key="1"), None, "does not repeat"),
    "a repeat of an event that does not repeat": (replace(form(), event_repeat_key="1"), None, "does not repeat"),
}  # fmt: skip


@pytest.mark.parametrize("case", STRUCTURE)
def test_structure_is_found_hard_for(case: str) -> None:
    captured, item, message = STRUCTURE[case]
    findings = [one for one in found(captured) if one.rule is Rule.STRUCTURE]
    assert findings[0].item == item
    assert message in findings[0].message
    assert {one.weight for one in findings} == {Weight.HARD}


ELSEWHERE = {
    "study": replace(form(), study="XX"),
    "version": replace(form(), version="XX"),
    "event": replace(form(), event="XX"),
    "form": replace(form(), form="XX"),
}


@pytest.mark.parametrize("place", ELSEWHERE)
def test_a_form_of_something_else_is_refused(place: str) -> None:
    with pytest.raises(CallerError, match=r"another study|no event|no form"):
        found(ELSEWHERE[place])


def test_a_form_of_more_items_than_allowed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "MOST_ITEMS", 3)
    with pytest.raises(LimitError):
        found(form(group(PULSE="1", RESTED="1", NOTE="1")))


def test_a_finding_does_not_quote_a_value() -> None:
    secret = "HIV"
    given = group(PULSE=secret, WEIGHT=secret, POSITION=secret, RESTED=secret, ON=secret, NOTE=secret * 20, MEAN=secret)
    findings = found(form(given))
    assert len(findings) > 6
    assert secret not in repr(findings)


def test_a_message_is_in_the_language_that_was_asked_for() -> None:
    german = '<TranslatedText xml:lang="de">So langsam?</TranslatedText></ErrorMessage>'
    within = changed(("Is it so slow?</TranslatedText></ErrorMessage>", f"Is it so slow?</TranslatedText>{german}"))
    findings = of("PULSE", found(form(group(PULSE="39", RESTED="1")), within=within, language="de"))
    assert findings[0][2] == "So langsam?"


def test_an_item_that_is_not_defined_is_told() -> None:
    within = changed(('<ItemDef OID="IT.NOTE"', '<ItemDef OID="IT.XX"'))
    findings = of("NOTE", found(form(group(PULSE="70", NOTE="x")), within=within))
    assert (Rule.TYPE, Weight.NOT_RUN, "not run: the item is not defined") in findings
