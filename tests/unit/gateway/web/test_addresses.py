"""Queries in a URL: what is served, what is refused, and that no token ever counts."""

from urllib.parse import urlencode

import httpx
import pytest
from structlog.testing import capture_logs

from gateway.web.addresses import OCTETS_MOST

MODERN = {"accept": "application/graphql-response+json"}
VIEWER = "{ viewer { name } }"


async def test_a_query_of_nobodys_is_answered(client: httpx.AsyncClient) -> None:
    response = await client.get("/graphql", params={"query": VIEWER})
    assert (response.status_code, response.json()) == (200, {"data": {"viewer": None}})
    assert response.headers["cache-control"] == "no-store"


async def test_variables_and_operation_name_are_read(client: httpx.AsyncClient) -> None:
    query = "query A { viewer { name } } query B($id: ID!) { node(id: $id) { id } }"
    given = {"query": query, "operationName": "B", "variables": '{"id": "x"}', "extensions": "{}"}
    response = await client.get("/graphql", params=given, headers=MODERN)
    assert (response.status_code, response.json()) == (200, {"data": {"node": None}})


@pytest.mark.parametrize("authorization", ["Bearer clinician", "Bearer patient", "Bearer wrong", "Basic eDp5", ""])
async def test_no_token_is_taken(client: httpx.AsyncClient, authorization: str) -> None:
    headers = {"authorization": authorization}
    response = await client.get("/graphql", params={"query": VIEWER}, headers=headers)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("rest", ["", " query B { viewer { name } }"])
async def test_a_mutation_is_refused(client: httpx.AsyncClient, rest: str) -> None:
    challenge = 'mutation A { signInChallenge(address: "0x52908400098527886E0F7030069857D2E4169EE7") { __typename } }'
    response = await client.get("/graphql", params={"query": challenge + rest, "operationName": "A"})
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert "data" not in response.json()


async def test_a_subscription_is_refused(client: httpx.AsyncClient) -> None:
    document = 'subscription { recordAdded(patientId: "x") { id } }'
    assert (await client.get("/graphql", params={"query": document})).status_code == 400


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("", 400),
        ("query=", 400),
        ("query={viewer{name}}&query={viewer{name}}", 400),
        ("query={viewer{name}}&variables=[1]", 400),
        ("query={viewer{name}}&variables={", 400),
        ('query={viewer{name}}&variables={"a":1,"a":2}', 400),
        ("query={viewer{name}}&extensions=1", 400),
        ("query=%ff%fe", 400),
        ("query={viewer{name}}" + "".join(f"&p{at}=1" for at in range(40)), 400),
        ("query={viewer{name}}&" + urlencode({"x": "y" * OCTETS_MOST}), 414),
    ],
)
async def test_bad_addresses_are_refused(client: httpx.AsyncClient, address: str, status: int) -> None:
    response = await client.get(f"/graphql?{address}")
    assert response.status_code == status
    assert response.json()["errors"][0]["extensions"]["code"] == ("LIMIT" if status == 414 else "INVALID")


async def test_an_address_is_not_logged(client: httpx.AsyncClient) -> None:
    with capture_logs() as lines:
        await client.get("/graphql", params={"query": "{ viewer { canary } }", "variables": '{"canary": 1}'})
    assert lines
    assert "canary" not in str(lines)
