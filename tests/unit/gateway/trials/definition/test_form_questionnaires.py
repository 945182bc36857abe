"""A form becomes a Questionnaire that FHIR accepts, and names every part by its OIDs."""

from pathlib import Path

import pytest

from gateway.adapters.fhir_validator import FhirValidator
from gateway.errors import CallerError
from gateway.jsontext import dumps
from gateway.trials.definition import questionnaires
from gateway.trials.definition.questionnaires import Resource, questionnaire
from gateway.trials.definition.reading import read_definitions
from gateway.trials.definition.references import Directory, directory
from gateway.trials.definition.responses import response
from tests.unit.gateway.trials.definition.vitals import form, group, issue, paths, vitals

FORMS = {
    "odm-data-snapshot.xml": 7, "Atlas_QS_ODMv2.xml": 1, "Chronic_Low_Back_Pain_example.xml": 1,
    "CDASH_1-1_MH_Example_Stroke_LungDisease_IBD_CancerHistory.xml": 1, "cdash-odm-test.xml": 4,
    "Demographics_RACE_check_all_that_apply.xml": 1, "Result_ODMv2.xml": 7,
}  # fmt: skip


def study(shared_data: Path, name: str) -> Directory:
    (path,) = (one for one in paths(shared_data) if one.name == name)
    (definition,) = read_definitions(path.read_bytes())
    return directory(definition)


def items(resource: Resource) -> list[Resource]:
    """Of the one group of the example, by linkId."""
    groups = resource["item"]
    assert isinstance(groups, list)
    assert isinstance(groups[0], dict)
    inner = groups[0]["item"]
    assert isinstance(inner, list)
    return [one for one in inner if isinstance(one, dict)]


def item(name: str, *, language: str = "en") -> Resource:
    found = items(questionnaire(vitals(), "F.VS", language=language))
    return next(one for one in found if one["linkId"] == f"IG.VS/IT.{name}")


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_a_study_passes_the_fhir_validator(shared_data: Path, name: str) -> None:
    found = study(shared_data, name)
    assert [issue(questionnaire(found, oid)) for oid in found.forms] == [None] * FORMS[name]


async def test_the_gateways_own_process_of_validation_takes_both_resources() -> None:
    validator = FhirValidator()
    made = [questionnaire(vitals(), "F.VS"), response(form(group(PULSE="70")), vitals(), status="completed")]
    assert await validator.check([dumps(one) for one in made]) == ()
    await validator.close()


def test_parts_are_in_the_order_in_which_they_are_presented() -> None:
    found = [str(one["linkId"]) for one in items(questionnaire(vitals(), "F.VS"))]
    names = ["WEIGHT", "PULSE", "POSITION", "RESTED", "ON", "NOTE", "MEAN"]
    assert found == [f"IG.VS/IT.{name}" for name in names]


def test_a_question_is_in_the_language_that_was_asked_for_with_the_others_beside_it() -> None:
    german = item("PULSE", language="de")
    assert german["text"] == "Puls"
    assert b'"valueCode":"en"' in dumps(german)


def test_an_item_without_a_question_is_called_by_its_name() -> None:
    assert item("RESTED")["text"] == "Minutes rested"


@pytest.mark.parametrize(
    ("name", "kind"), [("PULSE", "integer"), ("WEIGHT", "decimal"), ("POSITION", "choice"), ("ON", "date")]
)
def test_an_item_has_fhirs_nearest_type(name: str, kind: str) -> None:
    assert item(name)["type"] == kind


def test_a_code_list_becomes_the_answers_to_choose_from() -> None:
    options = item("POSITION")["answerOption"]
    assert isinstance(options, list)
    assert options[0] == {
        "valueCoding": {"system": "urn:consentry:odm:ST:V1:codes:CL.POSITION", "code": "SIT", "display": "Sitting"}
    }
    assert len(options) == 2


def test_a_code_list_that_is_elsewhere_leaves_a_text_of_its_length() -> None:
    assert (item("NOTE")["type"], item("NOTE")["maxLength"]) == ("string", 20)


def test_what_has_an_exception_is_not_required() -> None:
    assert (item("PULSE")["required"], item("RESTED")["required"]) == (True, False)


def test_a_group_that_repeats_says_so() -> None:
    groups = questionnaire(vitals(), "F.VS")["item"]
    assert isinstance(groups, list)
    assert isinstance(groups[0], dict)
    assert groups[0]["repeats"] is True


def test_no_linkid_is_there_twice(shared_data: Path) -> None:
    found = study(shared_data, "Result_ODMv2.xml")
    texts = [dumps(questionnaire(found, oid)).split(b'"linkId":')[1:] for oid in found.forms]
    links = [[part.split(b",")[0] for part in one] for one in texts]
    assert [len(set(one)) for one in links] == [len(one) for one in links]


def test_a_form_that_is_not_defined_is_refused() -> None:
    with pytest.raises(CallerError, match="no form"):
        questionnaire(vitals(), "F.XX")


def test_a_form_of_which_a_part_is_not_defined_is_refused_by_name(shared_data: Path) -> None:
    (path,) = (one for one in paths(shared_data) if one.name == "Atlas_QS_ODMv2.xml")
    (definition,) = read_definitions(path.read_bytes().replace(b'<ItemDef OID="IT.AGE"', b'<ItemDef OID="IT.OTHER"'))
    with pytest.raises(CallerError, match="no item of the study") as caught:
        questionnaire(directory(definition), "IG.ATLAS_FORM")
    assert caught.value.field == ("item", "IT.AGE")


def test_a_form_of_more_items_than_allowed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questionnaires, "MOST_ITEMS", 3)
    with pytest.raises(CallerError, match="more than 3 items"):
        questionnaire(vitals(), "F.VS")
