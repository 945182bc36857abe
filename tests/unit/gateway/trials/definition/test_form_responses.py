"""A captured form becomes a QuestionnaireResponse that FHIR accepts, and comes back as it was captured."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import CallerError, LimitError
from gateway.jsontext import JsonValue, dumps, loads
from gateway.trials.definition import forms
from gateway.trials.definition.answers import answer
from gateway.trials.definition.forms import CapturedForm, CapturedGroup, CapturedItem
from gateway.trials.definition.items import DataType, ItemDef
from gateway.trials.definition.linkids import TEXT, link_id
from gateway.trials.definition.model import (
    EventType,
    FormDef,
    ItemGroupDef,
    ItemRef,
    Ref,
    StudyDefinition,
    StudyEventDef,
)
from gateway.trials.definition.references import Directory, directory
from gateway.trials.definition.responses import captured, response
from gateway.trials.odm.forms import captured_forms
from gateway.trials.odm.reading import read_document
from tests.unit.gateway.trials.definition.vitals import form, group, issue, paths, vitals

REAL = {
    "odm-data-snapshot.xml": 16, "Atlas_QS_ODMv2.xml": 1, "Demographics_RACE_check_all_that_apply.xml": 3,
    "Chronic_Low_Back_Pain_example.xml": 1, "CDASH_1-1_MH_Example_Stroke_LungDisease_IBD_CancerHistory.xml": 1,
}  # fmt: skip
"""Captured forms in each."""


def sent(resource: dict[str, JsonValue]) -> Any:
    """As a client gets it that reads numbers as doubles."""
    return loads(json.dumps(json.loads(dumps(resource))))


@pytest.mark.parametrize("name", REAL)
def test_what_was_captured_in_real_studies_survives_fhir(shared_data: Path, name: str) -> None:
    (path,) = (one for one in paths(shared_data) if one.name == name)
    document = read_document(path.read_bytes())
    found = directory(document.definitions[0])
    all_forms = [one for clinical in document.clinical for _, one in captured_forms(clinical)]
    made = [response(one, found, status="completed") for one in all_forms]
    assert [issue(one) for one in made] == [None] * REAL[name]
    assert [captured(sent(one), found) for one in made] == all_forms


K = DataType
ANSWERS: list[tuple[DataType, str, dict[str, Any]]] = [
    (K.INTEGER, "42", {"valueInteger": 42}), (K.INTEGER, "-1", {"valueInteger": -1}),
    (K.INTEGER, "007", {"valueInteger": 7, TEXT: "007"}), (K.INTEGER, "+5", {"valueInteger": 5, TEXT: "+5"}),
    (K.INTEGER, "3000000000", {"valueDecimal": 3000000000}), (K.INTEGER, "many", {"valueString": "many"}),
    (K.FLOAT, "1.10", {"valueDecimal": 1.1, TEXT: "1.10"}), (K.FLOAT, "0.5", {"valueDecimal": 0.5}),
    (K.FLOAT, ".5", {"valueDecimal": 0.5, TEXT: ".5"}), (K.DOUBLE, "1.5D3", {"valueDecimal": 1500, TEXT: "1.5D3"}),
    (K.DOUBLE, "INF", {"valueString": "INF"}), (K.DECIMAL, "-0", {"valueDecimal": 0, TEXT: "-0"}),
    (K.BOOLEAN, "true", {"valueBoolean": True}), (K.BOOLEAN, "0", {"valueBoolean": False, TEXT: "0"}),
    (K.DATE, "2020-02-29", {"valueDate": "2020-02-29"}),
    (K.DATE, "2020-02-29Z", {"valueDate": "2020-02-29", TEXT: "2020-02-29Z"}),
    (K.PARTIAL_DATE, "1957-03", {"valueDate": "1957-03"}), (K.PARTIAL_DATE, "1957", {"valueDate": "1957"}),
    (K.INCOMPLETE_DATE, "2003---15", {"valueDate": "2003", TEXT: "2003---15"}),
    (K.INCOMPLETE_DATE, "--02-29", {"valueString": "--02-29"}),
    (K.DATETIME, "2020-01-01T10:00:00Z", {"valueDateTime": "2020-01-01T10:00:00Z"}),
    (K.DATETIME, "2020-01-01T10:00:00", {"valueDateTime": "2020-01-01", TEXT: "2020-01-01T10:00:00"}),
    (K.PARTIAL_DATETIME, "2006-07-14T14:48", {"valueDateTime": "2006-07-14", TEXT: "2006-07-14T14:48"}),
    (K.TIME, "14:48:00", {"valueTime": "14:48:00"}),
    (K.TIME, "14:48:00Z", {"valueTime": "14:48:00", TEXT: "14:48:00Z"}),
    (K.PARTIAL_TIME, "14:48", {"valueString": "14:48"}), (K.URI, "urn:x:y", {"valueUri": "urn:x:y"}),
    (K.TEXT, " two  words\n", {"valueString": " two  words\n"}), (K.HEX_BINARY, "0a", {"valueString": "0a"}),
    (K.DURATION, "P1Y", {"valueString": "P1Y"}), (K.DATE, "yesterday", {"valueString": "yesterday"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "expected"), ANSWERS)
def test_an_answer_has_fhirs_type_and_the_text_where_it_would_be_lost(
    kind: DataType, text: str, expected: dict[str, Any]
) -> None:
    made = answer(text, ItemDef(oid="I", name="I", data_type=kind), vitals(), language="en")
    beside = [{"url": TEXT, "valueString": expected.pop(TEXT)}] if TEXT in expected else None
    assert made == expected | ({"extension": beside} if beside else {})


def test_a_coded_value_is_a_coding_with_its_meaning() -> None:
    made = answer("SIT", vitals().items["IT.POSITION"], vitals(), language="en")
    coding = {"system": "urn:consentry:odm:ST:V1:codes:CL.POSITION", "code": "SIT", "display": "Sitting"}
    assert made == {"valueCoding": coding}


def test_a_value_beyond_its_code_list_is_a_string() -> None:
    assert answer("LIE", vitals().items["IT.POSITION"], vitals(), language="en") == {"valueString": "LIE"}


def everything() -> Directory:
    """A study that has an item of each type, in a group, and in a group of it."""
    items = tuple(ItemDef(oid=f"I/{kind}~", name="I", data_type=kind) for kind in DataType)
    refs = tuple(ItemRef(oid=one.oid, mandatory=False) for one in items)
    inner = Ref(oid="inner", mandatory=False)
    return directory(
        StudyDefinition(
            oid="a study", name="S", description=(), protocol_name="P", version_oid="v/1", version_name="V",
            events=(StudyEventDef(oid="E", name="E", type=EventType.COMMON, repeating=True,
                                  forms=(Ref(oid="a form", mandatory=False),)),),
            forms=(FormDef(oid="a form", name="F", repeating=True, groups=(Ref(oid="outer", mandatory=False),)),),
            groups=(
                ItemGroupDef(oid="outer", name="G", repeating=True, members=(*refs, inner)),
                ItemGroupDef(oid="inner", name="G", repeating=True, members=refs),
            ),
            items=items,
        )
    )  # fmt: skip


EVERYTHING = everything()
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20) | st.sampled_from(
    [text for _, text, _ in ANSWERS]
)
KEYS = st.none() | st.text("ab1", min_size=1, max_size=2)
ITEMS = st.builds(
    lambda kind, text, unit: CapturedItem(oid=f"I/{kind}~", text=text, unit=unit),
    st.sampled_from(DataType),
    st.none() | TEXTS | st.from_regex(r"[-+]?[0-9]{0,8}\.?[0-9]{0,4}([eE][0-9])?", fullmatch=True),
    st.none() | st.just("kg"),
)
INNER = st.builds(CapturedGroup, oid=st.just("inner"), repeat_key=KEYS, items=st.lists(ITEMS, max_size=3).map(tuple))
OUTER = st.builds(
    CapturedGroup,
    oid=st.just("outer"),
    repeat_key=KEYS,
    items=st.lists(ITEMS, max_size=5).map(tuple),
    groups=st.lists(INNER, max_size=2).map(tuple),
)
FORMS = st.builds(
    CapturedForm,
    study=st.just("a study"),
    version=st.just("v/1"),
    event=st.just("E"),
    event_repeat_key=KEYS,
    form=st.just("a form"),
    form_repeat_key=KEYS,
    groups=st.lists(OUTER, max_size=2).map(tuple),
)


@settings(deadline=None)
@given(FORMS)
def test_whatever_was_captured_comes_back_as_it_was(one: CapturedForm) -> None:
    made = response(one, EVERYTHING, status="completed")
    assert issue(made) is None
    assert captured(sent(made), EVERYTHING) == one


def test_linkids_do_not_meet_where_oids_hold_strokes() -> None:
    assert len({link_id(path) for path in [("a", "b"), ("a/b",), ("a~1b",), ("a~", "1b")]}) == 4


@pytest.mark.parametrize("text", [None, ""])
def test_no_value_and_an_empty_one_are_told_apart(text: str | None) -> None:
    one = form(group(PULSE=text))
    assert captured(sent(response(one, vitals(), status="completed")), vitals()) == one


def test_what_a_store_adds_is_passed_over() -> None:
    one = form(group(PULSE="70"))
    made = response(one, vitals(), status="completed")
    added = made | {
        "id": "x",
        "subject": {"reference": "Patient/1"},
        "authored": "2026-01-01",
        "meta": {"versionId": "1"},
    }
    assert issue(added) is None
    assert captured(sent(added), vitals()) == one


MADE = json.loads(
    dumps(response(form(group(PULSE="070", key="1"), group(POSITION="SIT", key="2")), vitals(), status="completed"))
)


def spoilt(before: str, after: str) -> Any:
    text = json.dumps(MADE)
    assert before in text
    return loads(text.replace(before, after, 1))


SPOILT = {
    "an item that the form does not have": ('"IG.VS/IT.PULSE"', '"IG.VS/IT.XX"', "linkId"),
    "a group that the form does not have": ('"linkId": "IG.VS"', '"linkId": "IG.XX"', "linkId"),
    "a text that says otherwise": ('"valueString": "070"', '"valueString": "71"', "otherwise"),
    "a value that says otherwise": ('"valueInteger": 70', '"valueInteger": 71', "otherwise"),
    "an answer of another kind": ('"valueInteger": 70', '"valueQuantity": {"value": 70}', "no answer"),
    "two values": ('"valueInteger": 70', '"valueInteger": 70, "valueString": "x"', "one value"),
    "a code of another system": ("urn:consentry:odm:ST:V1:codes", "urn:other", "no code"),
    "an extension of a code": ('"valueCoding"', '"extension": [], "valueCoding"', "extension that is not supported"),
    "a code that is not listed": ('"code": "SIT"', '"code": "LIE"', "no code"),
    "an unknown extension": ("urn:consentry:odm:repeat-key", "urn:other", "extension that is not supported"),
    "another questionnaire": ('"questionnaire": "urn', '"questionnaire": "urm', "another form"),
    "another version": ('"valueString": "V1"', '"valueString": "V2"', "another version"),
    "an unknown member": ('"status"', '"colour": 1, "status"', "not supported"),
    "another resource": ('"QuestionnaireResponse"', '"Questionnaire"', "must be a QuestionnaireResponse"),
    "no place": ('"url": "event", ', '"url": "evnt", ', "not supported"),
    "two answers": ('"answer": [', '"answer": [{"valueInteger": 1}, ', "one answer"),
    "no answer and no reason": ('"answer"', '"text": "x", "answers"', "no item"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_response_is_refused_for(case: str) -> None:
    before, after, message = SPOILT[case]
    with pytest.raises(CallerError, match=message):
        captured(spoilt(before, after), vitals())


def test_a_refusal_leads_to_the_item() -> None:
    with pytest.raises(CallerError) as caught:
        captured(spoilt('"valueInteger": 70', '"valueInteger": 71'), vitals())
    assert caught.value.field == ("item", "0", "item", "0", "answer", "0")


def test_a_control_character_is_refused_by_the_items_oid() -> None:
    with pytest.raises(CallerError, match="control character") as caught:
        response(form(group(NOTE="a\x00b")), vitals(), status="completed")
    assert caught.value.field == ("item", "IT.NOTE")


def test_an_item_that_is_not_defined_is_refused() -> None:
    with pytest.raises(CallerError, match="no item of the study"):
        response(form(group(XX="1")), vitals(), status="completed")


def test_a_form_of_another_version_is_refused() -> None:
    with pytest.raises(CallerError, match="another version"):
        response(replace(form(), version="V2"), vitals(), status="completed")


def test_more_items_than_allowed_are_refused_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    one = form(group(PULSE="1", RESTED="1", NOTE="1"))
    made = sent(response(one, vitals(), status="completed"))
    monkeypatch.setattr(forms, "MOST_ITEMS", 3)
    with pytest.raises(LimitError):
        response(one, vitals(), status="completed")
    with pytest.raises(LimitError):
        captured(made, vitals())


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["resourceType", "extension", "item", "linkId", "answer", "url", "valueString"]),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_whatever_the_resource_a_refusal_is_typed(value: Any) -> None:
    with pytest.raises(CallerError):
        captured(value | {"resourceType": "QuestionnaireResponse"} if isinstance(value, dict) else value, vitals())
