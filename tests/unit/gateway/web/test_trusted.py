"""Trusted documents: an operator's list, what clients may name of it, and a door that takes nothing else."""

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.asgi import FrontDoor
from gateway.errors import SettingsError
from gateway.web.trusted import read_trusted, sha256_of

VIEWER = "query Viewer { viewer { name } }"
OTHER = "query Other { viewer { id } }"
MUTATION = 'mutation { signInChallenge(address: "0x52908400098527886E0F7030069857D2E4169EE7") { __typename } }'
CLINICIAN = {"authorization": "Bearer clinician"}
NAMED = {"data": {"viewer": {"name": "Dr. Ada"}}}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write(folder: Path, content: object) -> Path:
    path = folder / "documents.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


LISTS: list[Any] = [
    {"viewer-1": VIEWER},
    {digest(VIEWER): VIEWER},
    {f"sha256:{digest(VIEWER)}": VIEWER},
    {
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": [{"id": digest(VIEWER), "name": "Viewer", "type": "query", "body": VIEWER}],
    },
]


@pytest.mark.parametrize("content", LISTS)
def test_each_form_of_list_is_read(tmp_path: Path, content: object) -> None:
    assert read_trusted(write(tmp_path, content))[f"sha256:{digest(VIEWER)}"] == VIEWER


def test_no_file_is_no_list() -> None:
    assert read_trusted(None) == {}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"a": "query", "a": "other"}',
        {"a": 1},
        {"": VIEWER},
        {"sha256:" + "0" * 64: VIEWER},
        {"format": "apollo-persisted-query-manifest", "operations": {}},
        {"format": "apollo-persisted-query-manifest", "operations": [1]},
        {"format": "apollo-persisted-query-manifest", "operations": [{"id": 7, "body": VIEWER}]},
        {
            "format": "apollo-persisted-query-manifest",
            "operations": [{"id": "a", "body": VIEWER}, {"id": "a", "body": OTHER}],
        },
    ],
)
def test_a_bad_list_stops_the_start_and_is_named(tmp_path: Path, content: object) -> None:
    with pytest.raises(SettingsError, match="CONSENTRY_TRUSTED_DOCUMENTS"):
        read_trusted(write(tmp_path, content))


def test_a_list_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="CONSENTRY_TRUSTED_DOCUMENTS"):
        read_trusted(tmp_path / "nowhere.json")


@pytest.mark.parametrize("document", ["query { nothing }", "query {", "{ a }" * 3_000])
def test_a_document_that_is_not_valid_stops_the_start_and_is_named(
    build: Callable[..., FrontDoor], document: str
) -> None:
    with pytest.raises(SettingsError, match="trusted document one: "):
        build(trusted_documents={"one": document})


@pytest.fixture
async def trusting(build: Callable[..., FrontDoor]) -> AsyncIterator[httpx.AsyncClient]:
    door = build(trusted_documents={"viewer-1": VIEWER, sha256_of(VIEWER): VIEWER, "m": MUTATION})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://gateway") as client:
        yield client


@pytest.fixture
async def strict(build: Callable[..., FrontDoor]) -> AsyncIterator[httpx.AsyncClient]:
    door = build(trusted_documents={"viewer-1": VIEWER, sha256_of(VIEWER): VIEWER}, trusted_only=True)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://gateway") as client:
        yield client


NAMES: list[dict[str, Any]] = [
    {"documentId": "viewer-1"},
    {"documentId": f"sha256:{digest(VIEWER)}"},
    {"documentId": "viewer-1", "query": VIEWER},
    {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest(VIEWER)}}},
    {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest(VIEWER)}}, "query": VIEWER},
    {"query": VIEWER},
]


@pytest.mark.parametrize("body", NAMES)
async def test_a_trusted_document_is_named_in_each_way(
    trusting: httpx.AsyncClient, strict: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    for client in (trusting, strict):
        assert (await client.post("/graphql", json=body, headers=CLINICIAN)).json() == NAMED


async def test_a_url_may_name_one(trusting: httpx.AsyncClient) -> None:
    response = await trusting.get("/graphql", params={"documentId": "viewer-1"})
    assert response.json() == {"data": {"viewer": None}}
    assert (await trusting.get("/graphql", params={"documentId": "m"})).status_code == 405


UNKNOWN: list[dict[str, Any]] = [
    {"documentId": "viewer-2"},
    {"documentId": "sha256:" + "0" * 64},
    {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest(OTHER)}}},
]


@pytest.mark.parametrize("body", UNKNOWN)
async def test_what_is_unknown_is_told_in_the_word_that_clients_know(
    trusting: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    response = await trusting.post("/graphql", json=body, headers=CLINICIAN)
    expected = [{"message": "PersistedQueryNotFound", "extensions": {"code": "INVALID"}}]
    assert (response.status_code, response.json()) == (200, {"errors": expected})
    modern = {"accept": "application/graphql-response+json", **CLINICIAN}
    assert (await trusting.post("/graphql", json=body, headers=modern)).status_code == 400


async def test_an_unknown_document_that_is_sent_whole_is_run_and_not_remembered(trusting: httpx.AsyncClient) -> None:
    named = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest(OTHER)}}}
    assert "data" in (await trusting.post("/graphql", json={**named, "query": OTHER}, headers=CLINICIAN)).json()
    again = (await trusting.post("/graphql", json=named, headers=CLINICIAN)).json()
    assert again["errors"][0]["message"] == "PersistedQueryNotFound"


@pytest.mark.parametrize(
    "body",
    [
        {"query": OTHER},
        {"query": VIEWER + " "},
        {"query": VIEWER + OTHER},
        {"query": OTHER, "documentId": "viewer-1"},
        {"query": OTHER, "documentId": f"sha256:{digest(VIEWER)}"},
        {"query": OTHER, "documentId": f"sha256:{digest(OTHER)}"},
        {"query": OTHER, "documentId": "mine"},
        {"query": OTHER, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest(VIEWER)}}},
        *UNKNOWN,
    ],
)
async def test_a_strict_door_takes_nothing_else(strict: httpx.AsyncClient, body: dict[str, Any]) -> None:
    answer = (await strict.post("/graphql", json=body, headers=CLINICIAN)).json()
    assert "data" not in answer
    assert answer["errors"][0]["extensions"]["code"] == "INVALID"


@pytest.mark.parametrize("name", [7, "", "x" * 257, {}, [VIEWER]])
async def test_an_identifier_is_a_short_text(trusting: httpx.AsyncClient, name: object) -> None:
    response = await trusting.post("/graphql", json={"documentId": name}, headers=CLINICIAN)
    assert response.status_code == 400


@pytest.mark.parametrize(
    "persisted", [7, [], {}, {"sha256Hash": 7}, {"sha256Hash": "x" * 64}, {"sha256Hash": "AB" * 32}]
)
async def test_apollos_extension_is_checked(trusting: httpx.AsyncClient, persisted: object) -> None:
    body = {"extensions": {"persistedQuery": persisted}, "query": VIEWER}
    assert (await trusting.post("/graphql", json=body, headers=CLINICIAN)).status_code == 400
