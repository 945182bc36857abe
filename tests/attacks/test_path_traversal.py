"""Names from outside are never paths: of files in a backup, of entries in a UnixFS folder, of anything in a record."""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import IntegrityError
from gateway.storage import car
from gateway.storage.dag import DagLimits, DagReader
from gateway.storage.dagpb import encode_varint
from gateway.storage.model import Block, Cid, Codec, VerifiedBlock, verify
from tests.journeys.gateway_process import run_command
from tests.journeys.people import Patient
from tests.journeys.resources import bundle, observation
from tests.journeys.sites import Site, running_site

OUTSIDE = Path(tempfile.gettempdir()) / "consentry-planted"
HOSTILE = (
    "../planted",
    "../../planted",
    str(OUTSIDE),
    "..",
    ".",
    "",
    "a/../../planted",
    "..\\planted",
    "C:\\planted",
    "CON",
    "nul\0planted",
    "x" * 4096,
    "~/planted",
    "%2e%2e%2fplanted",
    "\u2025/planted",
    "root.key",
    "../data/root.key",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("traversed") / "site") as running:
        yield running


@pytest.fixture(scope="module")
def patient(site: Site) -> Patient:
    return site.crowd.patient()


@pytest.fixture(scope="module")
def backup(site: Site, patient: Patient, tmp_path_factory: pytest.TempPathFactory) -> Path:
    patient.store(observation())
    folder = tmp_path_factory.mktemp("backups") / "backup"
    code, said = run_command("backup", folder, settings=site.gateway.settings)
    assert code == 0, said
    return folder


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def copied(backup: Path, to: Path) -> Path:
    to.mkdir(parents=True)
    for path in backup.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to


def restored(backup: Path, room: Path) -> tuple[int, str]:
    return run_command("restore", backup, settings={"DATA_DIR": str(room / "data")})


def test_a_whole_backup_is_restored(backup: Path, tmp_path: Path) -> None:
    """What the refusals below stand on."""
    code, said = restored(copied(backup, tmp_path / "backup"), tmp_path)
    assert code == 0, said


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name[:20]))
def test_no_name_in_a_backups_manifest_is_a_path(backup: Path, tmp_path: Path, name: str) -> None:
    """The file that is named is there, and is as the manifest says: only its name is wrong."""
    planted = b"octets of the thief"
    room = tmp_path / "room"
    hostile = copied(backup, room / "backups" / "backup")
    for path in (room / "planted", room / "backups" / "planted"):
        path.write_bytes(planted)
    if name and "/" not in name and "\0" not in name and name not in (".", "..") and len(name) < 200:
        (hostile / name).write_bytes(planted)
    manifest = json.loads((hostile / "manifest.json").read_text())
    manifest["files"][name] = [len(planted), hashlib.sha256(planted).hexdigest()]
    (hostile / "manifest.json").write_text(json.dumps(manifest))
    before = tree(room)
    code, said = restored(hostile, room)
    assert (code, "names a file that no backup has" in said) == (1, True), said
    assert "Traceback" not in said
    assert tree(room) == before
    assert not OUTSIDE.exists()


def test_a_link_in_a_backup_is_not_followed(backup: Path, tmp_path: Path) -> None:
    hostile = copied(backup, tmp_path / "backup")
    secret = tmp_path / "secret"
    (hostile / "gateway.salt").rename(secret)
    (hostile / "gateway.salt").symlink_to(secret)
    code, said = restored(hostile, tmp_path)
    assert (code, "gateway.salt is not as it was backed up" in said) == (1, True), said
    assert not (tmp_path / "data").exists()


def folder_with(name: str, child: Cid) -> bytes:
    """A UnixFS folder with one entry, as `path_gateway_tar/outside-root.car` of gateway-conformance has them."""
    text = name.encode()
    link = b"\x0a\x24" + bytes(child) + b"\x12" + encode_varint(len(text)) + text + b"\x18\x13"
    return b"\x12" + encode_varint(len(link)) + link + b"\x0a\x02\x08\x01"


async def test_no_entry_of_a_unixfs_folder_is_a_path(tmp_path: Path) -> None:
    """The folder, whatever its entry's name, stays a block under its CID, and is read as nobody's content."""
    leaf = b"octets of the thief"
    blocks = {Cid.of(leaf): leaf}
    for name in HOSTILE:
        folder = folder_with(name, Cid.of(leaf))
        blocks[Cid.of(folder, codec=Codec.DAG_PB)] = folder
    room = tmp_path / "room"
    room.mkdir()
    sections = b"".join(car.encode_section(Block(cid, data)) for cid, data in blocks.items())
    (room / "outside-root.car").write_bytes(car.encode_header(list(blocks)[-1:]) + sections)
    code, said = run_command("blocks", "import", room / "outside-root.car", settings={"DATA_DIR": str(room / "data")})
    assert code == 0, said
    files = {path for path in tree(room) if (room / path).is_file()}
    assert files == {"outside-root.car", "data/blocks/00000000.pack", "data/blocks/lock"}
    assert not OUTSIDE.exists()

    async def fetch(cid: Cid, _: int) -> VerifiedBlock:
        return verify(Block(cid, blocks[cid]))

    for cid in list(blocks)[1:]:
        with pytest.raises(IntegrityError):
            [part async for part in DagReader(cid, fetch, limits=DagLimits(content=1 << 20)).read()]


def test_no_word_of_a_record_is_a_path(site: Site, patient: Patient) -> None:
    before = tree(site.gateway.data.parent)
    for name in HOSTILE:
        resource = observation()
        resource["note"] = [{"text": name or " "}]
        resource["valueString"] = name or " "
        resource["identifier"] = [{"system": "urn:names", "value": name or " "}]
        resource.pop("valueQuantity", None)
        wanted = bundle(resource)
        patient.person.import_bundle(patient.id, wanted, key=name[:64] or "empty")
        patient.person.store(patient.id, resource, key=f"once {name}"[:64])
    assert tree(site.gateway.data.parent) == before
    assert not OUTSIDE.exists()
