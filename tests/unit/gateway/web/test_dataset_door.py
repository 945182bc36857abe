"""Sealed files of a dataset at the door: to the octet, in ranges, to whom the service says, and never a part for the
whole. The blocks are real."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.adapters.packs import PackStore
from gateway.asgi import FrontDoor, create_app
from gateway.errors import ConflictError, ConsentryError, DeniedError, IntegrityError, UpstreamError
from gateway.identity.model import Caller
from gateway.ids import ReleaseId, to_global
from gateway.ports.releases import ReleaseStage
from gateway.releases.model import ReleaseFile, ReleaseView
from gateway.storage.model import Cid
from gateway.storage.service import Blocks
from gateway.web import datasets
from gateway.web.datasets import DatasetRoom
from gateway.web.downloads import CutShortError, DownloadDoor
from gateway.web.options import WebOptions
from gateway.web.replies import Exchange
from gateway.web.transfers import Transfers
from schema.datasets import PATH
from tests.unit.gateway.web.conftest import Parts
from tests.unit.schema.datasets import RELEASE, make_view
from tests.unit.schema.services import CLINICIAN, DECISION, make_caller

MIB = 1 << 20
CONTENT = bytes(range(256)) * (MIB // 256) + bytes(reversed(range(256))) * (MIB // 256) + b"the end"
NAME = "people/part-00000.parquet"
WHERE = f"/datasets/{to_global('Dataset', RELEASE)}/{NAME}"
SIGNED = {"authorization": "Bearer clinician"}


@dataclass
class Held:
    """One released dataset. `fails`: what asking for a file raises; `asked`: (release, name) of each time; `looked`:
    which edition was looked for, each time. `moves`: what it is once a file was asked for."""

    view: ReleaseView
    fails: ConsentryError | None = None
    asked: list[tuple[bytes, str]] = field(default_factory=list)
    looked: list[int] = field(default_factory=list)
    moves: ReleaseView | None = None

    async def file(self, caller: Caller, release: ReleaseId, name: str, /) -> ReleaseFile:
        self.asked.append((release, name))
        if self.fails is not None:
            raise self.fails
        found = [one for one in self.view.files if one.name == name]
        if not found:
            raise DeniedError("no such file of the release", decision_id=DECISION)
        self.view = self.moves or self.view
        return found[0]

    async def get(self, caller: Caller, release: ReleaseId, /) -> ReleaseView | None:
        return self.view

    async def stands(self, caller: Caller, release: ReleaseId, /, *, edition: int) -> bool:
        self.looked.append(edition)
        return (self.view.stage, self.view.edition) == (ReleaseStage.RELEASED, edition)


@dataclass
class Standing(Parts):
    """The front door over these."""

    held: Held | None = None
    stored: Blocks | None = None

    @property
    def releases(self) -> Any:
        return self.held

    @property
    def blocks(self) -> Any:
        return self.stored


@pytest.fixture
async def blocks(tmp_path: Path) -> AsyncIterator[Blocks]:
    packs = PackStore.open(tmp_path / "blocks")
    yield Blocks(packs)
    await packs.close()


@pytest.fixture
async def held(blocks: Blocks) -> Held:
    root = await blocks.put_content((CONTENT,))
    file = ReleaseFile(
        name=NAME, table="people", rows=24, size=len(CONTENT), sha256=sha256(CONTENT).digest(), cid=str(root)
    )
    return Held(replace(make_view(CLINICIAN), files=(file,)))


@pytest.fixture
async def client(held: Held, blocks: Blocks) -> AsyncIterator[httpx.AsyncClient]:
    app: FrontDoor = create_app(Standing(held=held, stored=blocks))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as made:
        yield made


async def test_a_file_comes_to_the_octet(client: httpx.AsyncClient, held: Held) -> None:
    reply = await client.get(WHERE, headers=SIGNED)
    assert (reply.status_code, reply.content) == (200, CONTENT)
    assert held.asked == [(RELEASE, NAME)]
    told = {
        "content-type": "application/octet-stream",
        "content-disposition": "attachment",
        "content-length": str(len(CONTENT)),
        "accept-ranges": "bytes",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "etag": f'"{sha256(CONTENT).hexdigest()}"',
    }
    assert {name: reply.headers.get(name) for name in told} == told


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 1), (0, MIB), (MIB - 1, MIB + 1), (MIB, 2 * MIB), (2 * MIB, len(CONTENT))]
)
async def test_any_range_comes_alone(client: httpx.AsyncClient, start: int, stop: int) -> None:
    reply = await client.get(WHERE, headers={**SIGNED, "range": f"bytes={start}-{stop - 1}"})
    assert (reply.status_code, reply.content) == (206, CONTENT[start:stop])
    assert reply.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(CONTENT)}"


async def test_no_octet_is_past_the_end(client: httpx.AsyncClient) -> None:
    reply = await client.get(WHERE, headers={**SIGNED, "range": f"bytes={len(CONTENT)}-"})
    assert (reply.status_code, reply.content) == (416, b"")
    assert reply.headers["content-range"] == f"bytes */{len(CONTENT)}"


async def test_a_range_of_another_edition_begins_anew(client: httpx.AsyncClient) -> None:
    reply = await client.get(WHERE, headers={**SIGNED, "range": "bytes=0-9", "if-range": '"another"'})
    assert (reply.status_code, reply.content) == (200, CONTENT)


async def test_head_tells_the_size_once_it_was_decided(client: httpx.AsyncClient, held: Held) -> None:
    reply = await client.head(WHERE, headers=SIGNED)
    assert (reply.status_code, reply.content) == (200, b"")
    assert reply.headers["content-length"] == str(len(CONTENT))
    assert held.asked == [(RELEASE, NAME)]


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer nobody"}])
async def test_whoever_is_not_signed_in_is_asked_to(
    client: httpx.AsyncClient, held: Held, headers: dict[str, str]
) -> None:
    reply = await client.get(WHERE, headers=headers)
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    assert held.asked == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_nothing_is_done_but_reading(client: httpx.AsyncClient, method: str) -> None:
    reply = await client.request(method, WHERE, headers=SIGNED)
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("error", "status", "extensions"),
    [
        (
            DeniedError("the release is over", decision_id=DECISION),
            403,
            {"code": "NOT_PERMITTED", "decisionId": to_global("Decision", DECISION)},
        ),
        (ConflictError("is being made", field=("id",)), 409, {"code": "CONFLICT", "field": ["id"]}),
        (UpstreamError("postgres://10.0.0.1"), 503, {"code": "UNAVAILABLE"}),
    ],
)
async def test_what_the_service_refuses_is_told_and_not_sent(
    client: httpx.AsyncClient, held: Held, error: ConsentryError, status: int, extensions: dict[str, Any]
) -> None:
    held.fails = error
    reply = await client.get(WHERE, headers=SIGNED)
    assert reply.status_code == status
    assert reply.json()["errors"][0]["extensions"] == extensions
    assert "postgres" not in reply.text
    assert "over" not in reply.text


@pytest.mark.parametrize("path", [f"/datasets/{to_global('Record', RELEASE)}/{NAME}", "/datasets/"])
async def test_a_path_of_no_dataset_is_wrong(client: httpx.AsyncClient, held: Held, path: str) -> None:
    reply = await client.get(path, headers=SIGNED)
    assert (reply.status_code, reply.json()["errors"][0]["extensions"]["field"]) == (400, ["id"])
    assert held.asked == []


@pytest.mark.parametrize("name", ["", "people/part-00009.parquet", f"{NAME}/", f"../{NAME}"])
async def test_a_file_that_is_none_of_the_dataset_is_not_permitted(
    client: httpx.AsyncClient, held: Held, name: str
) -> None:
    path = f"/datasets/{to_global('Dataset', RELEASE)}/" + name.replace("..", "%2e%2e")
    reply = await client.get(path, headers=SIGNED)
    assert (reply.status_code, reply.json()["errors"][0]["extensions"]["code"]) == (403, "NOT_PERMITTED")
    assert held.asked == [(RELEASE, name)]


async def test_the_schema_names_the_path_that_is_served() -> None:
    assert f"{PATH}/" == datasets.PREFIX


async def test_no_more_are_sent_at_once_than_there_are_places(held: Held, blocks: Blocks) -> None:
    app = create_app(Standing(held=held, stored=blocks, options=WebOptions(rate=None, most_transfers=0)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        assert (await client.get(WHERE, headers=SIGNED)).status_code == 429
    assert held.asked == []


# ---- what ends in the middle


@dataclass
class Reader:
    """Who downloads, piece by piece. `then`: done once the first has come."""

    then: Callable[[], object]
    signed_in: bool = True
    got: bytearray = field(default_factory=bytearray)
    told: list[BaseException] = field(default_factory=list)
    is_whole: bool = False

    async def still(self, token: str | None) -> Caller | None:
        return make_caller(CLINICIAN) if self.signed_in else None

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.body":
            self.got.extend(message["body"])
            self.is_whole = not message.get("more_body", False)
            self.then()

    async def receive(self) -> Any:
        await asyncio.Event().wait()

    def report(self, error: BaseException, correlation_id: str) -> None:
        self.told.append(error)

    async def download(self, held: Held, blocks: Any) -> "Reader":
        door = DownloadDoor(
            DatasetRoom(held, blocks),
            authenticate=self.still,
            still=self.still,
            allow=None,
            options=WebOptions(rate=None),
            transfers=Transfers(most=4, each=4),
            report=self.report,
        )
        scope = {"method": "GET", "path": WHERE, "headers": [(b"authorization", b"Bearer clinician")]}
        try:
            await door(scope, self.receive, self.send, Exchange(route="datasets", correlation_id="0"))
        except CutShortError:
            assert not self.is_whole
        return self


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between any two leaves."""
    monkeypatch.setattr(datasets, "LOOK_SECONDS", 0.0)


@pytest.mark.usefixtures("looking")
async def test_what_still_stands_goes_on_to_its_end(held: Held, blocks: Blocks) -> None:
    reader = await Reader(lambda: None).download(held, blocks)
    assert (reader.is_whole, bytes(reader.got)) == (True, CONTENT)
    assert set(held.looked) == {held.view.edition}
    assert len(held.asked) == 1, "a decision that still holds adds no entry"


@pytest.mark.usefixtures("looking")
async def test_a_session_that_ends_cuts_a_download_short(held: Held, blocks: Blocks) -> None:
    reader = Reader(lambda: setattr(reader, "signed_in", False))
    await reader.download(held, blocks)
    assert not reader.is_whole
    assert 0 < len(reader.got) <= MIB
    assert reader.told == [], "that is nothing for an operator"


@pytest.mark.usefixtures("looking")
@pytest.mark.parametrize("stage", [one for one in ReleaseStage if one is not ReleaseStage.RELEASED])
async def test_a_release_that_ends_cuts_a_download_short_and_is_refused(
    held: Held, blocks: Blocks, stage: ReleaseStage
) -> None:
    def end() -> None:
        held.view, held.fails = replace(held.view, stage=stage), DeniedError("the release is over")

    reader = await Reader(end).download(held, blocks)
    assert not reader.is_whole
    assert 0 < len(reader.got) <= MIB
    assert len(held.asked) == 2, "the end is in the log as any refusal"


@pytest.mark.usefixtures("looking")
async def test_another_edition_is_not_sent_behind_the_first(held: Held, blocks: Blocks) -> None:
    """Not even where this file is the same in both."""

    def anew() -> None:
        held.view = replace(held.view, edition=3)

    reader = await Reader(anew).download(held, blocks)
    assert not reader.is_whole
    assert 0 < len(reader.got) <= MIB
    assert bytes(reader.got) == CONTENT[: len(reader.got)]


@pytest.mark.parametrize(
    "moved",
    [
        {"edition": 3, "files": ()},
        {"edition": 3, "stage": ReleaseStage.BUILDING},
        {"stage": ReleaseStage.CANCELLED},
    ],
)
async def test_what_moves_on_before_the_first_octet_is_not_sent(
    client: httpx.AsyncClient, held: Held, moved: dict[str, Any]
) -> None:
    """While an edition is made, the files that are shown are those of the one before."""
    held.moves = replace(held.view, **moved)
    reply = await client.get(WHERE, headers=SIGNED)
    assert (reply.status_code, reply.json()["errors"][0]["extensions"]) == (409, {"code": "CONFLICT"})


async def test_fewer_octets_than_the_manifest_says_are_no_whole_file(held: Held, blocks: Blocks) -> None:
    file = held.view.files[0]
    held.view = replace(held.view, files=(replace(file, size=file.size + 1),))
    reader = await Reader(lambda: None).download(held, blocks)
    assert not reader.is_whole
    assert [type(error) for error in reader.told] == [IntegrityError]


async def test_more_octets_than_the_manifest_says_are_not_sent(client: httpx.AsyncClient, held: Held) -> None:
    file = held.view.files[0]
    held.view = replace(held.view, files=(replace(file, size=file.size - 1),))
    reply = await client.get(WHERE, headers=SIGNED)
    assert (reply.status_code, reply.json()["errors"][0]["extensions"]) == (502, {"code": "INTEGRITY"})


async def test_a_file_that_is_gone_is_told_before_anything_is_sent(
    client: httpx.AsyncClient, held: Held, blocks: Blocks
) -> None:
    await blocks.remove([Cid.parse(held.view.files[0].cid)])
    assert (await client.get(WHERE, headers=SIGNED)).status_code == 503


async def test_a_leaf_that_is_gone_cuts_a_download_short(held: Held, blocks: Blocks) -> None:
    await blocks.remove([Cid.of(CONTENT[MIB : 2 * MIB])])
    reader = await Reader(lambda: None).download(held, blocks)
    assert not reader.is_whole
    assert bytes(reader.got) == CONTENT[:MIB]
