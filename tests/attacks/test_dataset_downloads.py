"""Files of a released dataset at the real door, against whoever should not have them, or not any more."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import httpx
import pytest
import pytest_asyncio

from gateway.asgi import create_app
from gateway.identity.model import Role
from gateway.ids import ReleaseId, to_global
from gateway.ports.releases import ReleaseStage
from gateway.releases.model import ReleaseView
from tests.attacks.datasets import Laboratory, Participant, laboratory
from tests.attacks.inside import Somebody, inside

pytestmark = pytest.mark.asyncio(loop_scope="module")
PEOPLE = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloads:
    """A released dataset, and a client of the door over the gateway that holds it."""

    lab: Laboratory
    view: ReleaseView
    people: list[Participant]
    client: httpx.AsyncClient

    async def get(self, who: Somebody | None, path: str, **headers: str) -> httpx.Response:
        signed = {} if who is None else {"authorization": f"Bearer {who.token}"}
        return await self.client.get(path, headers={**signed, **headers})

    async def shown(self, field: str) -> Any:
        """A field of the dataset, as its researcher is shown it."""
        query = f"query ($id: ID!) {{ dataset(id: $id) {{ {field} }} }}"
        asked = {"query": query, "variables": {"id": to_global("Dataset", self.view.release)}}
        headers = {"authorization": f"Bearer {self.lab.researcher.token}"}
        return (await self.client.post("/graphql", json=asked, headers=headers)).json()["data"]["dataset"]

    async def of_patient(self, one: Participant, fields: str) -> Any:
        """Fields of a participant, as they are shown them."""
        asked = {
            "query": f"query ($id: ID!) {{ patient(id: $id) {{ {fields} }} }}",
            "variables": {"id": to_global("Patient", one.subject)},
        }
        headers = {"authorization": f"Bearer {one.who.token}"}
        return (await self.client.post("/graphql", json=asked, headers=headers)).json()["data"]["patient"]


def plain(reply: httpx.Response) -> tuple[int, object]:
    """A refusal less the name of its decision, which is random in each."""
    payload = json.loads(reply.content)
    payload["errors"][0]["extensions"].pop("decisionId")
    return reply.status_code, payload


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def downloads(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Downloads]:
    async with inside(tmp_path_factory.mktemp("downloads") / "data", request_rate=0.0) as running:
        lab = await laboratory(running)
        people = await lab.patients(PEOPLE)
        view = await lab.released()
        assert view.stage is ReleaseStage.RELEASED, view.failed
        transport = httpx.ASGITransport(create_app(running.gateway))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield Downloads(lab=lab, view=view, people=people, client=client)


async def test_what_is_shown_is_what_is_sent(downloads: Downloads) -> None:
    files = (await downloads.shown("files { name size sha256 path }"))["files"]
    assert [one["name"] for one in files] == [one.name for one in downloads.view.files]
    for one in files:
        reply = await downloads.get(downloads.lab.researcher, one["path"])
        assert reply.status_code == 200
        assert (len(reply.content), "0x" + sha256(reply.content).hexdigest()) == (one["size"], one["sha256"])
        part = await downloads.get(downloads.lab.researcher, one["path"], range="bytes=5-20")
        assert (part.status_code, part.content) == (206, reply.content[5:21])


async def test_nothing_that_is_sent_says_anything_of_a_patient(downloads: Downloads) -> None:
    """To whom the parts of the key were not given."""
    for one in (await downloads.shown("files { path }"))["files"]:
        octets = (await downloads.get(downloads.lab.researcher, one["path"])).content
        assert not any(word in octets for word in (b"Family", b"person", b"8302-2", b"44054006"))


async def test_a_stranger_cannot_tell_what_is_there(downloads: Downloads) -> None:
    (path, *_) = (one["path"] for one in (await downloads.shown("files { path }"))["files"])
    nowhere = f"/datasets/{to_global('Dataset', bytes(16))}/people/part-00000.ndjson"
    others = [await downloads.lab.inside.person(role) for role in (Role.RESEARCHER, Role.CLINICIAN)]
    for who in (*others, downloads.lab.steward, downloads.people[0].who):
        gone = plain(await downloads.get(who, nowhere))
        assert gone[0] == 403
        for headers in ({}, {"range": "bytes=0-0"}, {"range": "bytes=9999999-"}):
            assert plain(await downloads.get(who, path, **headers)) == gone
        assert plain(await downloads.get(who, path + "x")) == gone
    assert (await downloads.get(None, path)).status_code == 401


@pytest.mark.parametrize("name", ["", "people", "people/part-00001.ndjson", "../ready", "people/part-00000.ndjson/"])
async def test_the_recipient_has_the_files_of_the_manifest_alone(downloads: Downloads, name: str) -> None:
    reply = await downloads.get(
        downloads.lab.researcher, f"/datasets/{to_global('Dataset', downloads.view.release)}/{name}"
    )
    assert reply.status_code in (400, 403)


async def test_after_a_revocation_nothing_of_that_edition_is_sent(downloads: Downloads) -> None:
    """And the patient sees that the recipient was told."""
    lab, one = downloads.lab, downloads.people[0]
    (path, *_) = (file["path"] for file in (await downloads.shown("files { path }"))["files"])
    assert one.consent is not None
    await lab.inside.revoke(one.who, one.subject, one.consent)
    assert (await downloads.get(lab.researcher, path)).status_code == 409
    await lab.settled(downloads.view.release, edition=2)
    shown = await downloads.shown("edition tombstones files { sha256 path }")
    assert (shown["edition"], len(shown["tombstones"])) == (2, 1)
    before = {file.sha256 for file in downloads.view.files}
    for file in shown["files"]:
        octets = (await downloads.get(lab.researcher, file["path"])).content
        assert sha256(octets).digest() not in before
    patient = await downloads.of_patient(
        one,
        """datasets { edges { node { datasetId title withdrawn requester { name } } } }
        accessLog(first: 1, filter: { actions: ["WITHDRAW_FROM_RELEASE"] }) {
          edges { node { datasetId recordId asFhir } } }""",
    )
    (used,), (entry,) = ([edge["node"] for edge in patient[name]["edges"]] for name in ("datasets", "accessLog"))
    named = to_global("Dataset", downloads.view.release)
    assert used == {
        "datasetId": named,
        "title": "Two conditions",
        "withdrawn": True,
        "requester": {"name": "Researcher"},
    }
    assert (entry["datasetId"], entry["recordId"]) == (named, None)
    assert named in str(entry["asFhir"])


async def test_a_download_under_way_stands_for_its_recipient_and_its_edition_alone(downloads: Downloads) -> None:
    lab, release = downloads.lab, downloads.view.release
    releases, edition = lab.inside.gateway.releases, (await downloads.shown("edition"))["edition"]
    assert await releases.stands(await lab.caller(lab.researcher), release, edition=edition)
    for other in (edition - 1, edition + 1):
        assert not await releases.stands(await lab.caller(lab.researcher), release, edition=other)
    for who in (lab.steward, downloads.people[1].who, await lab.inside.person(Role.RESEARCHER)):
        assert not await releases.stands(await lab.caller(who), release, edition=edition)
    assert not await releases.stands(await lab.caller(lab.researcher), ReleaseId(bytes(16)), edition=edition)


async def test_what_was_cancelled_is_sent_no_longer(downloads: Downloads) -> None:
    lab = downloads.lab
    (path, *_) = (file["path"] for file in (await downloads.shown("files { path }"))["files"])
    await lab.inside.gateway.releases.cancel(await lab.caller(lab.steward), downloads.view.release)
    assert (await downloads.get(lab.researcher, path)).status_code == 403
    assert (await downloads.shown("state"))["state"] == "CANCELLED"
