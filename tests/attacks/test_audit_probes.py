"""What GraphQL's auditing tools look for finds nothing here: graphql-cop's checks by name, each as it sends them.

Source: dolevf/graphql-cop (lib/tests). Its checks are requests and a look at the answer, written here again: the tool
itself is no package. Its check of GraphiQL finds the console, which is meant to be there and is switched off by name.
"""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.asgi import create_app
from gateway.web.options import WebOptions
from tests.unit.gateway.web.conftest import Parts

MANY = 101


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """As in production: nothing is said of the schema, and there is no console."""
    options = WebOptions(rate=None, access_log=False, introspection=False, console=False)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(Parts(options=options))), base_url="http://gateway"
    ) as made:
        yield made


async def said(client: httpx.AsyncClient, query: Any, **headers: str) -> Any:
    answer = await client.post("/graphql", json={"query": query}, headers=headers)
    assert answer.status_code < 500
    return answer.json()


def code_of(answer: Any) -> str:
    code: str = answer["errors"][0]["extensions"]["code"]
    return code


async def test_alias_overloading(client: httpx.AsyncClient) -> None:
    names = " ".join(f"alias{at}: __typename" for at in range(MANY))
    assert code_of(await said(client, f"query cop {{ {names} }}")) == "LIMIT"


async def test_array_based_query_batching(client: httpx.AsyncClient) -> None:
    answer = await client.post("/graphql", json=[{"query": "query cop { __typename }"}] * 10)
    assert answer.status_code == 400
    assert not isinstance(answer.json(), list)


async def test_directive_overloading(client: httpx.AsyncClient) -> None:
    for directive in ("@aa", "@skip(if: false)"):
        assert code_of(await said(client, f"query cop {{ __typename {directive * MANY} }}")) == "LIMIT"


async def test_circular_query_by_introspection(client: httpx.AsyncClient) -> None:
    loop = "{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }"
    assert code_of(await said(client, loop)) == "LIMIT"


async def test_field_duplication(client: httpx.AsyncClient) -> None:
    assert code_of(await said(client, "query cop { " + "__typename \n" * 501 + "}")) == "LIMIT"


async def test_introspection(client: httpx.AsyncClient) -> None:
    assert "data" not in await said(client, "query cop { __schema { types { name fields { name } } } }")
    assert "data" not in await said(client, 'query cop { __type(name: "Query") { name } }')


async def test_field_suggestions(client: httpx.AsyncClient) -> None:
    for query in ("query cop { recor }", "query cop { __schema { directive } }", "query cop { viewer { nam } }"):
        assert "mean" not in str(await said(client, query))


async def test_query_by_get_does_nothing_with_a_token(client: httpx.AsyncClient) -> None:
    """GET is for what is nobody's (CSRF): a page's request that carries somebody's token is refused."""
    given = {"query": "query cop { viewer { id } }"}
    answer = await client.get("/graphql", params=given, headers={"authorization": "Bearer clinician"})
    assert answer.status_code >= 400
    assert "data" not in answer.json()


async def test_mutation_by_get(client: httpx.AsyncClient) -> None:
    answer = await client.get("/graphql", params={"query": "mutation cop { signOut { __typename } }"})
    assert answer.status_code == 405
    assert "data" not in answer.json()


@pytest.mark.parametrize(
    "media",
    ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "application/graphql"],
)
async def test_operation_as_a_form(client: httpx.AsyncClient, media: str) -> None:
    for body in (b"query=query+cop+%7B__typename%7D", b'{"query":"{ __typename }"}'):
        answer = await client.post("/graphql", content=body, headers={"content-type": media})
        assert answer.status_code == 415
        assert "data" not in answer.json()


async def test_trace_mode(client: httpx.AsyncClient) -> None:
    answer = await said(
        client, "query cop { __typename }", **{"x-apollo-tracing": "1", "apollo-federation-include-trace": "ftv1"}
    )
    assert set(answer) == {"data"}


async def test_unhandled_errors(client: httpx.AsyncClient) -> None:
    for query in ("qwerty cop { abc }", "", "{", "\x00", "query cop { record(id: 1) { __typename } }"):
        text = str(await said(client, query))
        assert not any(word in text for word in ("Traceback", ".py", "exception", "stacktrace"))


async def test_console_is_switched_off_by_name(client: httpx.AsyncClient) -> None:
    answer = await client.get("/graphql", headers={"accept": "text/html"})
    assert "graphiql" not in answer.text.lower()


@pytest.mark.parametrize(
    "path", ["/", "/graphiql", "/playground", "/console", "/v1/graphql", "/api/graphql", "/altair"]
)
async def test_there_is_nothing_at_the_paths_that_tools_try(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path, headers={"accept": "text/html"})).status_code in (404, 405)
