"""Health, readiness, lifespan and the console's page."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateway.asgi import FrontDoor
from gateway.errors import SettingsError
from tests.unit.gateway.web.conftest import Parts

HTML = {"accept": "text/html,application/xhtml+xml"}


async def test_health_answers(client: httpx.AsyncClient) -> None:
    response = await client.get("/health")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_ready_names_each_part(client: httpx.AsyncClient) -> None:
    response = await client.get("/ready")
    assert (response.status_code, response.json()["parts"]) == (200, {"chain": "ok", "index": "ok"})


async def test_one_part_that_fails_makes_it_503(client: httpx.AsyncClient, parts: Parts) -> None:
    parts.states["chain"] = "STALE"
    response = await client.get("/ready")
    assert (response.status_code, response.json()["parts"]["chain"]) == (503, "STALE")


async def test_deployment_tells_what_a_verifier_compares(client: httpx.AsyncClient) -> None:
    response = await client.get("/.well-known/consentry")
    assert (response.status_code, response.json()) == (200, {"chainId": 31337})


@pytest.mark.parametrize("path", ["/health", "/ready", "/.well-known/consentry"])
async def test_probes_take_get_alone(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.post(path)).status_code == 405


async def test_console_is_a_page_without_foreign_sources(client: httpx.AsyncClient) -> None:
    response = await client.get("/graphql", headers=HTML)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert not re.search(r"https?://", response.text)
    assert "unsafe" not in response.headers["content-security-policy"]
    for source in re.findall(r'(?:src|href)="(/[^"]+)"', response.text):
        assert (await client.get(source)).status_code == 200


async def test_console_serves_its_two_files_alone(client: httpx.AsyncClient) -> None:
    for path in ("/console/README.md", "/console/../asgi.py", "/console/source/console.jsx", "/console/"):
        assert (await client.get(path)).status_code == 404


async def test_a_query_in_the_url_opens_no_page(client: httpx.AsyncClient) -> None:
    assert (await client.get("/graphql?query={viewer{id}}", headers=HTML)).status_code == 406


async def test_console_can_be_switched_off(build: Callable[..., FrontDoor]) -> None:
    door = build(console=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://gateway") as client:
        assert (await client.get("/graphql", headers=HTML)).status_code == 406
        assert (await client.get("/console/console.js")).status_code == 404


async def test_introspection_can_be_switched_off(build: Callable[..., FrontDoor]) -> None:
    query = {"query": "{ __schema { queryType { name } } }"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(build()), base_url="http://gateway") as client:
        assert "data" in (await client.post("/graphql", json=query)).json()
    door = build(introspection=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://gateway") as client:
        assert "data" not in (await client.post("/graphql", json=query)).json()


async def lifespan(door: FrontDoor) -> list[dict[str, Any]]:
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    await door({"type": "lifespan"}, receive, send)
    return sent


async def test_lifespan_starts_and_stops_the_parts(build: Callable[..., FrontDoor], parts: Parts) -> None:
    sent = await lifespan(build())
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert parts.steps == ["start", "stop"]


async def test_wrong_setting_stops_the_start_and_is_named(build: Callable[..., FrontDoor], parts: Parts) -> None:
    parts.fails = SettingsError("CONSENTRY_X is wrong")
    assert (await lifespan(build()))[0] == {"type": "lifespan.startup.failed", "message": "CONSENTRY_X is wrong"}
