"""A refusal surfaces with its code, message and field; a rate limit and a stale index are waited out."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateway.demo import client
from gateway.demo.answers import DraftAnswer, PatientAnswer
from gateway.demo.client import Gateway, RefusedError
from gateway.demo.model import StepFailedError
from gateway.jsontext import Num
from tests.unit.gateway.demo.local_http import Reply, serving

PATIENT = {"__typename": "Patient", "id": "p", "subject": "0x01"}
REFUSAL = {"__typename": "Refusal", "code": "INVALID", "message": "gender is not of its value set",
           "field": ["input", "bundle", "entry", "3", "resource", "gender"]}  # fmt: skip


Ask = Callable[..., Any]


@pytest.fixture
def ask(http: httpx.Client) -> Ask:
    """Asks a gateway that has these answers, in this order."""

    def run(*answers: Reply) -> Any:
        left = list(answers)
        with serving(lambda body: left.pop(0)) as url:
            found = Gateway(url, http).result("query { one }", {}, PatientAnswer)
        assert not left
        return found

    return run


def test_the_member_of_a_union_is_typed(ask: Ask) -> None:
    assert ask((200, {}, {"data": {"one": PATIENT}})).subject == "0x01"


def test_a_refusal_surfaces_whole(ask: Ask) -> None:
    with pytest.raises(RefusedError) as caught:
        ask((200, {}, {"data": {"one": REFUSAL}}))
    assert str(caught.value) == "INVALID: gender is not of its value set (at input.bundle.entry.3.resource.gender)"


def test_an_error_of_the_response_surfaces_with_its_code(ask: Ask) -> None:
    error = {"message": "internal error", "path": ["one"], "extensions": {"code": "UNAVAILABLE"}}
    with pytest.raises(RefusedError, match=r"UNAVAILABLE: internal error \(at one\)"):
        ask((200, {}, {"data": None, "errors": [error]}))


def test_a_body_that_is_too_large_is_not_tried_again(ask: Ask) -> None:
    error = {"message": "a body has at most 10 bytes", "extensions": {"code": "LIMIT"}}
    with pytest.raises(RefusedError, match="LIMIT"):
        ask((413, {}, {"errors": [error]}))


def test_a_rate_limit_is_waited_out(ask: Ask) -> None:
    limit = {"errors": [{"message": "too many requests", "extensions": {"code": "LIMIT"}}]}
    assert ask((429, {"retry-after": "0"}, limit), (200, {}, {"data": {"one": PATIENT}})).id == "p"


def test_a_stale_index_is_waited_out(ask: Ask) -> None:
    stale = {"__typename": "Refusal", "code": "STALE", "message": "behind", "field": None}
    assert ask((200, {}, {"data": {"one": stale}}), (200, {}, {"data": {"one": PATIENT}})).id == "p"


def test_patience_ends(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PATIENCE", 2)
    limit = {"errors": [{"message": "too many requests", "extensions": {"code": "LIMIT"}}]}
    with pytest.raises(RefusedError, match="LIMIT"):
        ask(*[(429, {"retry-after": "0"}, limit)] * 3)


@pytest.mark.parametrize(
    "answer",
    [
        (200, {}, []),
        (502, {}, {}),
        (200, {}, {"data": None}),
        (200, {}, {"data": {"one": {"__typename": "Patient", "id": 7}}}),
    ],
)
def test_an_answer_of_another_shape_fails_the_step(ask: Ask, answer: Reply) -> None:
    with pytest.raises(StepFailedError):
        ask(answer)


def test_numbers_keep_their_text_both_ways(http: httpx.Client) -> None:
    seen: list[dict[str, Any]] = []

    def answer(body: dict[str, Any]) -> Reply:
        seen.append(body)
        return 200, {}, {"data": {"one": {"id": "0x", "typedData": body["variables"]}}}

    with serving(answer) as url:
        back = Gateway(url, http).result("query { one }", {"value": Num("1.10")}, DraftAnswer)
    assert (repr(seen[0]["variables"]["value"]), repr(back.typed_data["value"])) == ("1.10", "1.10")


def test_a_gateway_that_is_not_there_is_said_so(http: httpx.Client) -> None:
    with serving(lambda body: (200, {}, {})) as url:
        gone = url
    with pytest.raises(StepFailedError, match="does not answer"):
        Gateway(gone, http).data("query { one }", {})


def fetched(http: httpx.Client, *answers: Reply, path: str = "/datasets/d/people/part-00000.parquet") -> bytes:
    left = list(answers)
    with serving(files=lambda path: left.pop(0)) as url:
        content = b"".join(Gateway(url, http).download(path, token="t"))
    assert not left
    return content


def test_a_file_comes_as_it_is(http: httpx.Client) -> None:
    assert fetched(http, (200, {}, b"\x00sealed")) == b"\x00sealed"


@pytest.mark.parametrize(
    "again",
    [
        (429, {"retry-after": "0"}, {"errors": [{"message": "slowly", "extensions": {"code": "LIMIT"}}]}),
        (503, {"retry-after": "0"}, {"errors": [{"message": "behind", "extensions": {"code": "STALE"}}]}),
    ],
    ids=["rate", "stale"],
)
def test_a_file_that_must_wait_is_waited_for(http: httpx.Client, again: Reply) -> None:
    assert fetched(http, again, (200, {}, b"sealed")) == b"sealed"


def test_a_file_that_is_refused_says_why(http: httpx.Client) -> None:
    refusal = {"errors": [{"message": "not permitted", "extensions": {"code": "NOT_PERMITTED"}}]}
    with pytest.raises(RefusedError) as caught:
        fetched(http, (403, {}, refusal))
    assert caught.value.code == "NOT_PERMITTED"


def test_a_refusal_that_is_no_json_is_still_one(http: httpx.Client) -> None:
    with pytest.raises(RefusedError, match="HTTP 502"):
        fetched(http, (502, {}, b"<html>"))


def test_a_path_to_another_host_is_not_followed(http: httpx.Client) -> None:
    with pytest.raises(StepFailedError, match="none of this gateway's"):
        fetched(http, path="@elsewhere.example/datasets/d")
