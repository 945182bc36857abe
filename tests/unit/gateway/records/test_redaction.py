"""What is to go goes, with what it leaves empty; what was given stays as it was; what is not found is an error."""

import copy

import pytest

from gateway.errors import IntegrityError
from gateway.jsontext import JsonValue, Num, dumps
from gateway.records.redaction import redact

RESOURCE: JsonValue = {
    "resourceType": "Observation",
    "contained": [{"resourceType": "Patient", "id": "a"}, {"resourceType": "Device", "id": "b"}],
    "birthDate": "1980",
    "_birthDate": {"extension": [{"url": "x"}]},
    "valueQuantity": {"value": Num("1.10")},
    "note": [{"text": "only one"}],
    "a/b~c": {"d": 1, "e": None},
}


def test_contained_resources_go_by_their_original_index() -> None:
    assert b"Patient" not in dumps(redact(RESOURCE, ["/contained/0"]))


def test_what_follows_a_removed_item_stays() -> None:
    result = redact(RESOURCE, ["/contained/0"])
    assert isinstance(result, dict)
    assert result["contained"] == [{"resourceType": "Device", "id": "b"}]


@pytest.mark.parametrize(
    ("pointers", "gone"),
    [
        (["/contained/0", "/contained/1"], "contained"),
        (["/note/0"], "note"),
        (["/note/0/text"], "note"),
        (["/birthDate", "/_birthDate"], "birthDate"),
        (["/valueQuantity/value"], "valueQuantity"),
    ],
)
def test_what_is_left_empty_goes_too(pointers: list[str], gone: str) -> None:
    result = redact(RESOURCE, pointers)
    assert isinstance(result, dict)
    assert gone not in result


def test_escaped_pointers_name_their_element() -> None:
    result = redact(RESOURCE, ["/a~1b~0c/d"])
    assert isinstance(result, dict)
    assert result["a/b~c"] == {"e": None}


@pytest.mark.parametrize("pointers", [["/contained", "/contained/0/id"], ["/contained/0/id", "/contained"]])
def test_a_pointer_below_another_does_not_spare_the_rest(pointers: list[str]) -> None:
    result = redact(RESOURCE, pointers)
    assert isinstance(result, dict)
    assert "contained" not in result


def test_no_pointer_changes_nothing() -> None:
    assert redact(RESOURCE, []) == RESOURCE


def test_the_given_resource_is_not_changed() -> None:
    before = copy.deepcopy(RESOURCE)
    redact(RESOURCE, ["/contained/0", "/note/0/text", "/valueQuantity"])
    assert dumps(RESOURCE) == dumps(before)


def test_numbers_keep_their_text() -> None:
    assert b"1.10" in dumps(redact(RESOURCE, ["/note"]))


@pytest.mark.parametrize(
    "pointer", ["/absent", "/contained/2", "/contained/x", "/contained/00", "/birthDate/x", "", "note"]
)
def test_a_pointer_to_nothing_is_an_error(pointer: str) -> None:
    with pytest.raises(IntegrityError):
        redact(RESOURCE, [pointer])


def test_nothing_is_left_is_an_error() -> None:
    with pytest.raises(IntegrityError):
        redact({"a": 1}, ["/a"])
