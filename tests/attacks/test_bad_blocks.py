"""A block that is wrong, cut or gone is INTEGRITY or UNAVAILABLE to its reader, and never content."""

import base64
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.storage.model import Cid
from tests.journeys.gateway_process import GatewayProcess
from tests.journeys.people import Patient, Person
from tests.journeys.resources import observation
from tests.journeys.sites import Servers, Site, running_site
from tests.servers.http import post

BROKEN = {"INTEGRITY", "UNAVAILABLE"}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An embedded gateway whose packs are damaged here."""
    with running_site(tmp_path_factory.mktemp("damaged")) as running:
        yield running


@pytest.fixture(scope="module")
def reader(own: Site) -> Person:
    return own.crowd.clinician()


def packs(gateway: GatewayProcess) -> list[Path]:
    return [path for path in (gateway.data / "blocks").rglob("*") if path.is_file() and path.stat().st_size > 200]


def damage(gateway: GatewayProcess, cid: str, change: Callable[[bytearray, int], object]) -> None:
    """Changes the bytes of a block where they lie. The block's digest stands in its record's head, before them."""
    digest = Cid.parse(cid).digest
    for pack in packs(gateway):
        octets = bytearray(pack.read_bytes())
        at = octets.find(digest)
        if at >= 0:
            change(octets, at + len(digest) + 4)
            pack.write_bytes(octets)
            return
    raise AssertionError("no pack holds the block")


def _flip(octets: bytearray, at: int) -> None:
    octets[at + 60] ^= 1


def _zero(octets: bytearray, at: int) -> None:
    octets[at : at + 200] = bytes(200)


def _cut(octets: bytearray, at: int) -> None:
    del octets[at + 100 :]


@pytest.mark.parametrize("change", [_flip, _zero, _cut])
@pytest.mark.parametrize("running", [True, False], ids=["while it runs", "before it starts"])
def test_a_damaged_pack_gives_no_content(
    own: Site, reader: Person, change: Callable[[bytearray, int], object], running: bool
) -> None:
    patient = own.crowd.patient()
    whole = patient.store(observation(value="1"))
    patient.consent(reader.id)
    stored = patient.person.store(patient.id, observation(value="2")).value
    if not running:
        own.gateway.stop()
    damage(own.gateway, stored["cid"], change)
    if not running:
        own.gateway.start()
    answer = reader.read(stored["id"])
    assert answer.code in BROKEN, str(answer)
    assert "valueQuantity" not in answer.text
    assert reader.read(whole).value["content"] == observation(value="1")


@pytest.fixture(scope="module")
def kubo_site(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("kubo"), servers) as running:
        yield running


@pytest.fixture
def stored(kubo_site: Site) -> tuple[Patient, Person, str, str]:
    """A patient, a reader with a consent, and a record's id and CID."""
    patient, reader = kubo_site.crowd.patient(), kubo_site.crowd.clinician()
    patient.consent(reader.id)
    made = patient.person.store(patient.id, observation()).value
    return patient, reader, made["id"], made["cid"]


@pytest.mark.services
def test_a_removed_block_gives_no_content(servers: Servers, stored: tuple[Patient, Person, str, str]) -> None:
    _, reader, record, cid = stored
    assert reader.read(record).value["id"] == record
    _rpc(servers, "pin/rm", arg=cid)
    _rpc(servers, "block/rm", arg=cid)
    answer = reader.read(record)
    assert answer.code in BROKEN, str(answer)
    assert answer.seconds < 12


@pytest.mark.services
@pytest.mark.parametrize("change", [_flip, _zero, _cut])
def test_a_changed_block_gives_no_content(
    servers: Servers,
    stored: tuple[Patient, Person, str, str],
    change: Callable[[bytearray, int], object],
) -> None:
    _, reader, record, cid = stored
    blob = _file_of(servers, cid)
    whole = blob.read_bytes()
    octets = bytearray(whole)
    change(octets, 0)
    blob.chmod(0o644)
    blob.write_bytes(octets)
    try:
        answer = reader.read(record)
        assert answer.code in BROKEN, str(answer)
        assert "valueQuantity" not in answer.text
    finally:
        blob.write_bytes(whole)  # others back this node up


def _rpc(servers: Servers, command: str, **arguments: str) -> bytes:
    return post(f"{servers.kubo.url}/api/v0/{command}?{urllib.parse.urlencode(arguments)}")


def _file_of(servers: Servers, cid: str) -> Path:
    """flatfs names a block's file by its multihash in base32."""
    name = base64.b32encode(b"\x12\x20" + Cid.parse(cid).digest).decode().rstrip("=")
    (found,) = (servers.kubo.data_dir / "blocks").rglob(f"*{name}.data")
    return found
