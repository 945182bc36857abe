"""Large content end to end: what went in comes out, whole and in parts, over restarts, and ends with its patient."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from gateway import jsontext
from gateway.crypto.chunks import CHUNK_SIZE
from tests.journeys.gateway_process import run_command
from tests.journeys.people import Patient, Person, sign_in
from tests.journeys.proofs import check_alone, saved, verify_alone
from tests.journeys.sites import Site, running_site
from tests.journeys.uploading import begin, download, go_on, offset_of, pieces, signed, upload
from tests.ports.databases import query

MIB = 1 << 20


@pytest.fixture(scope="module")
def image(shared_data: Path) -> bytes:
    """A DICOM file with its preamble, of two MiB and a little."""
    octets = (shared_data / "dicom" / "MR2_UNCR.dcm").read_bytes()
    assert octets[128:132] == b"DICM"
    return octets


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[Site]:
    """One to be killed and looked into."""
    with running_site(tmp_path) as site:
        yield site


def test_a_dicom_file_comes_back_to_the_octet(site: Site, patient: Patient, image: bytes) -> None:
    record = upload(patient.person, patient.id, image)
    reply = download(patient.person, site.door, record, purpose="PATRQT")
    assert reply.status_code == 200
    assert reply.content == image
    assert reply.headers["content-type"] == "application/dicom"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["content-disposition"] == "attachment"


@pytest.mark.parametrize("size", [1, 4056, 4057, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE])
def test_every_size_comes_back(quick: Site, size: int) -> None:
    patient = quick.crowd.patient()
    octets = os.urandom(size)
    record = upload(patient.person, patient.id, octets)
    assert download(patient.person, quick.door, record, purpose="PATRQT").content == octets


def test_any_range_comes_alone(site: Site, patient: Patient) -> None:
    octets = os.urandom(3 * MIB + 5)
    record = upload(patient.person, patient.id, octets)
    for start, stop in (
        (0, 1),
        (0, CHUNK_SIZE),
        (CHUNK_SIZE - 1, CHUNK_SIZE + 1),
        (MIB, 3 * MIB),
        (3 * MIB, 3 * MIB + 5),
    ):
        reply = download(patient.person, site.door, record, purpose="PATRQT", Range=f"bytes={start}-{stop - 1}")
        assert (reply.status_code, reply.content) == (206, octets[start:stop])
        assert reply.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(octets)}"
    tail = download(patient.person, site.door, record, purpose="PATRQT", Range="bytes=-7")
    assert (tail.status_code, tail.content) == (206, octets[-7:])
    past = download(patient.person, site.door, record, purpose="PATRQT", Range=f"bytes={len(octets)}-")
    assert (past.status_code, past.headers["content-range"]) == (416, f"bytes */{len(octets)}")


def test_a_range_goes_on_only_where_the_content_is_still_the_same(quick: Site) -> None:
    patient = quick.crowd.patient()
    octets = os.urandom(5000)
    record = upload(patient.person, patient.id, octets)
    first = download(patient.person, quick.door, record, purpose="PATRQT", method="HEAD")
    assert (first.status_code, first.headers["content-length"], first.content) == (200, "5000", b"")
    etag = first.headers["etag"]
    same = {"Range": "bytes=10-19", "If-Range": etag}
    assert download(patient.person, quick.door, record, purpose="PATRQT", **same).content == octets[10:20]
    other = {"Range": "bytes=10-19", "If-Range": '"another"'}
    assert download(patient.person, quick.door, record, purpose="PATRQT", **other).status_code == 200


def test_the_record_is_a_binary_without_data_and_unclassified(quick: Site) -> None:
    patient = quick.crowd.patient()
    record = upload(patient.person, patient.id, os.urandom(5000), kind="application/pdf")
    read = patient.person.read(record, purpose="PATRQT").value
    assert read["labels"] == ["unclassified"]
    content = read["content"]
    assert (content["resourceType"], content["contentType"]) == ("Binary", "application/pdf")
    assert "data" not in content
    told = {one["url"]: one["valueString"] for one in content["meta"]["extension"][0]["extension"]}
    assert told["size"] == "5000"


def test_a_clinician_reads_what_a_consent_covers_and_is_told_how(
    site: Site, patient: Patient, clinician: Person
) -> None:
    octets = os.urandom(MIB + 3)
    record = upload(patient.person, patient.id, octets)
    assert download(clinician, site.door, record).status_code == 403
    patient.consent(clinician.id, resourceTypes=["Binary"])
    assert download(clinician, site.door, record).status_code == 403, "the consent does not name `unclassified`"
    patient.consent(clinician.id, resourceTypes=["Binary"], labels=["unclassified"])
    reply = download(clinician, site.door, record)
    assert (reply.status_code, reply.content) == (200, octets)
    assert clinician.node(reply.headers["consentry-decision"]).value is not None


def test_a_clinician_uploads_under_a_consent_to_write(site: Site, patient: Patient, clinician: Person) -> None:
    octets = os.urandom(MIB + 3)
    assert begin(clinician, site.door, patient.id, len(octets)).status_code == 403
    patient.consent(clinician.id, actions=["WRITE", "READ"], labels=["unclassified"])
    record = upload(clinician, patient.id, octets)
    assert download(patient.person, site.door, record, purpose="PATRQT").content == octets


def test_an_upload_goes_on_where_it_stopped(site: Site, patient: Patient) -> None:
    octets = os.urandom(3 * MIB + 77)
    where = begin(patient.person, site.door, patient.id, len(octets)).headers["location"]
    at = 0
    for size in (1000, 2 * MIB, 5, MIB // 2):
        reply = go_on(patient.person, site.door, where, octets[at : at + size], offset=at)
        assert (reply.status_code, reply.headers["upload-offset"]) == (204, str(at + size))
        at += size
        assert offset_of(patient.person, site.door, where).headers["upload-offset"] == str(at)
    done = go_on(patient.person, site.door, where, octets[at:], offset=at)
    record = done.headers["consentry-record"]
    assert download(patient.person, site.door, record, purpose="PATRQT").content == octets
    again = offset_of(patient.person, site.door, where)
    assert (again.headers["upload-offset"], again.headers["consentry-record"]) == (str(len(octets)), record)


def test_a_patient_clears_the_label_and_the_content_stays(quick: Site) -> None:
    patient, clinician = quick.crowd.patient(), quick.crowd.clinician()
    octets = os.urandom(MIB)
    record = upload(patient.person, patient.id, octets)
    patient.consent(clinician.id)
    content = patient.person.read(record, purpose="PATRQT").value["content"]
    patient.person.amend(record, content, version=1, labels=[]).must()
    assert download(clinician, quick.door, record).content == octets


def _half(octets: bytes, sent: threading.Event) -> Iterator[bytes]:
    """Most of it, and then nothing for a long time."""
    yield from pieces(octets[: len(octets) * 3 // 4])
    sent.set()
    time.sleep(30)


def test_after_kill_9_an_upload_goes_on_from_what_is_durable(own_site: Site) -> None:
    site = own_site
    patient = site.crowd.patient()
    octets = os.urandom(40 * MIB)
    where = begin(patient.person, site.door, patient.id, len(octets)).headers["location"]
    sent = threading.Event()

    def send() -> None:
        headers = signed(patient.person, **{"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"})
        try:
            httpx.patch(site.door.base + where, headers=headers, content=_half(octets, sent), trust_env=False)
        except httpx.HTTPError:
            return

    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    assert sent.wait(60)
    deadline = time.monotonic() + 30
    while query(site.gateway.index_url, "select count(*) from upload_parts") == [(0,)]:
        assert time.monotonic() < deadline, "nothing was noted in time"
        time.sleep(0.1)
    site.gateway.kill()
    site.gateway.start()
    at = int(offset_of(patient.person, site.door, where).headers["upload-offset"])
    assert 16 * CHUNK_SIZE <= at < len(octets)
    done = go_on(patient.person, site.door, where, octets[at:], offset=at)
    assert done.status_code == 204, done.text
    record = done.headers["consentry-record"]
    assert download(patient.person, site.door, record, purpose="PATRQT").content == octets
    code, said = run_command("verify", settings=site.gateway.settings)
    assert code == 0, said


def test_erasing_a_patient_ends_downloads_and_unpins_every_chunk(own_site: Site) -> None:
    site = own_site
    patient, other = site.crowd.patient(), site.crowd.patient()
    octets = os.urandom(32 * MIB)
    record = upload(patient.person, patient.id, octets)
    kept = upload(other.person, other.id, octets[:CHUNK_SIZE])
    begun = begin(patient.person, site.door, patient.id, 4 * MIB).headers["location"]
    go_on(patient.person, site.door, begun, octets[: 2 * MIB], offset=0)
    headers = {"Consentry-Purpose": "PATRQT", "Authorization": f"Bearer {patient.person.token}"}
    got = []

    def drain() -> None:
        with (
            httpx.Client(trust_env=False) as client,
            client.stream("GET", f"{site.door.base}/content/{record}", headers=headers) as reply,
        ):
            for part in reply.iter_raw(64 * 1024):
                if not got:
                    patient.erase().must()
                    time.sleep(1.5)
                got.append(len(part))

    with pytest.raises(httpx.HTTPError):
        drain()
    assert 0 < sum(got) < len(octets)
    assert download(patient.person, site.door, record, purpose="PATRQT").status_code in (401, 403)
    site.gateway.stop()
    packs = b"".join(path.read_bytes() for path in (site.gateway.data / "blocks").glob("*.pack"))
    assert packs.count(b"CSNTRY\x02\x01") == 2, "the other patient's one chunk and its index are left, and nothing else"
    site.gateway.start()
    assert download(other.person, site.door, kept, purpose="PATRQT").content == octets[:CHUNK_SIZE]
    code, said = run_command("verify", settings=site.gateway.settings)
    assert code == 0, said


def test_a_burnt_index_brings_large_content_back(own_site: Site) -> None:
    site = own_site
    patient = site.crowd.patient()
    octets = os.urandom(2 * MIB)
    record = upload(patient.person, patient.id, octets)
    before = query(site.gateway.index_url, "select digest, record, subject from contents")
    deadline = time.monotonic() + 60
    while query(site.gateway.index_url, "select count(*) from batches where state in ('ANCHORED', 'FINAL')") < [(2,)]:
        assert time.monotonic() < deadline
        time.sleep(0.3)
    site.gateway.stop()
    for path in site.gateway.data.glob("index.db*"):
        path.unlink()
    code, said = run_command("rebuild", settings=site.gateway.settings)
    assert code == 0, said
    assert query(site.gateway.index_url, "select digest, record, subject from contents") == before
    site.gateway.start()
    again = sign_in(site.door, patient.person.wallet)
    assert download(again, site.door, record, purpose="PATRQT").content == octets
    code, said = run_command("verify", settings=site.gateway.settings)
    assert code == 0, said


def test_a_backup_has_every_chunk(own_site: Site, tmp_path: Path) -> None:
    site = own_site
    patient = site.crowd.patient()
    octets = os.urandom(2 * MIB)
    upload(patient.person, patient.id, octets)
    code, said = run_command("backup", tmp_path / "backup", settings=site.gateway.settings)
    assert code == 0, said
    assert (tmp_path / "backup" / "blocks.car").read_bytes().count(b"CSNTRY\x02\x01") == 4


def test_whole_and_part_are_checked_without_the_gateway(quick: Site, tmp_path: Path) -> None:
    patient = quick.crowd.patient()
    octets = os.urandom(3 * CHUNK_SIZE + 1000)
    record = upload(patient.person, patient.id, octets)
    file = saved(patient.person, quick.gateway.facts(), record, purpose="PATRQT")
    code, said = verify_alone(tmp_path, file, quick.gateway.rpc)
    assert code == 0, said
    told, content, proof = (tmp_path / name for name in ("content.json", "content", "proof-of-part.json"))
    told.write_bytes(jsontext.dumps(file["record"]["content"]))
    content.write_bytes(download(patient.person, quick.door, record, purpose="PATRQT").content)
    assert check_alone(tmp_path, told, content)[0] == 0
    part = f"bytes={CHUNK_SIZE}-{3 * CHUNK_SIZE - 1}"
    content.write_bytes(download(patient.person, quick.door, record, purpose="PATRQT", Range=part).content)
    answer = download(patient.person, quick.door, record + "/proof", purpose="PATRQT", Range=part)
    assert answer.status_code == 200
    proof.write_bytes(answer.content)
    named = ("--at", str(CHUNK_SIZE), "--proof", str(proof))
    assert check_alone(tmp_path, told, content, *named)[0] == 0
    content.write_bytes(content.read_bytes()[:-1] + b"\x00\x00")
    assert check_alone(tmp_path, told, content, *named)[0] == 1


def test_memory_stays_flat_whatever_the_size(own_site: Site) -> None:
    site, size = own_site, 192 * MIB
    patient, block = site.crowd.patient(), os.urandom(MIB)
    upload(patient.person, patient.id, block)
    process = psutil.Process(site.gateway.process.pid)
    before = most = process.memory_info().rss
    over = threading.Event()

    def look() -> None:
        nonlocal most
        while not over.wait(0.02):
            most = max(most, process.memory_info().rss)

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    where = begin(patient.person, site.door, patient.id, size).headers["location"]
    done = go_on(patient.person, site.door, where, (block for _ in range(size // MIB)), offset=0)
    headers = {"Consentry-Purpose": "PATRQT", "Authorization": f"Bearer {patient.person.token}"}
    got = 0
    with site.door.http.stream(
        "GET", f"{site.door.base}/content/{done.headers['consentry-record']}", headers=headers
    ) as reply:
        for part in reply.iter_raw():
            if not got:
                time.sleep(2)  # what is not read is not piled up
            got += len(part)
    over.set()
    looking.join()
    assert got == size
    assert most - before < 128 * MIB
