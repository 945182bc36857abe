"""Large content under attack: strangers, other people's uploads, lies about lengths, full slots, slow senders, ends of
consents in mid-stream, and a store that changes what it holds."""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest

from gateway import jsontext
from gateway.crypto.chunks import CHUNK_SIZE, SEALED_SIZE
from gateway.ids import to_global
from gateway.records.large import EXTENSION
from tests.journeys import documents
from tests.journeys.people import Person, sign_in
from tests.journeys.resources import observation
from tests.journeys.sites import Site, running_site
from tests.journeys.uploading import begin, download, go_on, metadata, offset_of, signed, upload
from tests.ports.databases import query

MIB = 1 << 20
SLOTS = 3
LARGEST = 64 * MIB


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway that allows little."""
    settings = {"UPLOADS_EACH": str(SLOTS), "MAX_CONTENT_MIB": "64", "UPLOADS_GIB": "1", "TRANSFERS_EACH": "2"}
    with running_site(tmp_path_factory.mktemp("large"), settings=settings) as site:
        yield site


@pytest.fixture(scope="module")
def passer_by(held: Site) -> Person:
    """A clinician whom nobody ever names."""
    return held.crowd.clinician("Dr. Stranger")


def plain(reply: httpx.Response) -> tuple[int, object]:
    """A refusal less the name of its decision, which is random in each."""
    payload = json.loads(reply.content)
    payload["errors"][0]["extensions"].pop("decisionId")
    return reply.status_code, payload


def nobodys(kind: str, size: int) -> str:
    return to_global(kind, os.urandom(size))


# ---- who may not


def test_a_stranger_cannot_tell_what_is_there(held: Site, passer_by: Person) -> None:
    patient = held.crowd.patient()
    large = upload(patient.person, patient.id, os.urandom(5000))
    small = patient.store(observation())
    gone = plain(download(passer_by, held.door, nobodys("Record", 16)))
    assert gone[0] == 403
    for record in (large, small):
        for headers in ({}, {"Range": "bytes=0-0"}, {"Range": "bytes=9999999-"}, {"Range": "bytes=0-1,3-4"}):
            assert plain(download(passer_by, held.door, record, **headers)) == gone
        head = download(passer_by, held.door, record, method="HEAD")
        assert (head.status_code, head.headers.get("etag")) == (403, None)
        assert plain(download(passer_by, held.door, record + "/proof")) == gone
    # To its own patient, too, a record without large content has none.
    assert plain(download(patient.person, held.door, small, purpose="PATRQT")) == gone


def test_every_refusal_is_in_the_patients_log(held: Site, passer_by: Person) -> None:
    patient = held.crowd.patient()
    record = upload(patient.person, patient.id, os.urandom(5000))
    before = query(held.gateway.index_url, "select count(*) from entries")[0][0]
    download(passer_by, held.door, record)
    download(passer_by, held.door, nobodys("Record", 16))
    begin(passer_by, held.door, patient.id, 10)
    assert query(held.gateway.index_url, "select count(*) from entries")[0][0] == before + 3


def test_nobody_moves_anything_without_signing_in(held: Site) -> None:
    patient = held.crowd.patient()
    record = upload(patient.person, patient.id, os.urandom(5000))
    where = begin(patient.person, held.door, patient.id, 10).headers["location"]
    assert download(None, held.door, record).status_code == 401
    assert begin(None, held.door, patient.id, 10).status_code == 401
    assert go_on(None, held.door, where, b"x", offset=0).status_code == 401
    assert offset_of(None, held.door, where).status_code == 401


def test_an_upload_is_nobody_elses(held: Site) -> None:
    patient, clinician = held.crowd.patient(), held.crowd.clinician()
    patient.consent(clinician.id, actions=["READ", "WRITE"], labels=["unclassified"])
    where = begin(clinician, held.door, patient.id, 100).headers["location"]
    nowhere = "/content/uploads/" + "A" * 21 + "Q"
    for person in (patient.person, held.crowd.clinician("Dr. Thief")):
        answers = [
            [
                plain(go_on(person, held.door, path, b"x", offset=0)),
                plain(held.door.http.delete(held.door.base + path, headers=signed(person))),
                offset_of(person, held.door, path).status_code,
            ]
            for path in (where, nowhere)
        ]
        assert answers[0] == answers[1]
        assert answers[0][2] == 403
    assert offset_of(clinician, held.door, where).headers["upload-offset"] == "0"


def test_who_may_read_may_not_write(held: Site) -> None:
    patient, clinician = held.crowd.patient(), held.crowd.clinician()
    patient.consent(clinician.id, actions=["READ"], labels=["unclassified"])
    assert begin(clinician, held.door, patient.id, 10).status_code == 403
    # Without the label that unread content has, WRITE is not enough either.
    patient.consent(clinician.id, actions=["WRITE"])
    assert begin(clinician, held.door, patient.id, 10).status_code == 403


# ---- what ends in the middle


def drained(site: Site, person: Person, record: str, purpose: str, then: Callable[[], object]) -> int:
    """How many octets come of a download in whose middle something happens; the connection must break."""
    headers = {"Consentry-Purpose": purpose, "Authorization": f"Bearer {person.token}"}
    got = 0
    try:
        with (
            httpx.Client(trust_env=False, timeout=60) as client,
            client.stream("GET", f"{site.door.base}/content/{record}", headers=headers) as reply,
        ):
            assert reply.status_code == 200
            for part in reply.iter_raw(64 * 1024):
                if not got:
                    then()
                    time.sleep(1.5)
                got += len(part)
    except httpx.HTTPError:
        return got
    raise AssertionError("the download came to its end")


def test_a_revocation_ends_a_download_that_is_under_way(held: Site) -> None:
    patient, clinician = held.crowd.patient(), held.crowd.clinician()
    record = upload(patient.person, patient.id, os.urandom(40 * MIB))
    consent = patient.consent(clinician.id, labels=["unclassified"])
    got = drained(held, clinician, record, "TREAT", lambda: patient.revoke(consent).must())
    assert 0 < got < 32 * MIB
    assert download(clinician, held.door, record).status_code == 403


def test_a_session_that_is_carried_on_or_over_ends_what_runs_on_its_old_token(held: Site) -> None:
    """The token that gave way is looked at again each second, and that is no theft: the session goes on."""
    patient = held.crowd.patient()
    record = upload(patient.person, patient.id, os.urandom(40 * MIB))
    tokens: list[str] = []
    for document in (documents.REFRESH, documents.SIGN_OUT):
        person = sign_in(held.door, patient.person.wallet)

        def end(document: str = document, person: Person = person) -> None:
            tokens.append(person.once(document).value.get("accessToken", ""))

        assert 0 < drained(held, person, record, "PATRQT", end) < 32 * MIB
    assert person.bearing(tokens[0]).once(documents.VIEWER).value["id"] == person.id
    assert download(person.bearing(tokens[0]), held.door, record, purpose="PATRQT").status_code == 200


def test_a_revocation_ends_an_upload_that_is_under_way(held: Site) -> None:
    patient, clinician = held.crowd.patient(), held.crowd.clinician()
    consent = patient.consent(clinician.id, actions=["WRITE"], labels=["unclassified"])
    where = begin(clinician, held.door, patient.id, 8 * MIB).headers["location"]
    go_on(clinician, held.door, where, os.urandom(2 * MIB), offset=0)
    records = query(held.gateway.index_url, "select count(*) from records")

    def slowly() -> Iterator[bytes]:
        yield os.urandom(MIB)
        patient.revoke(consent).must()
        time.sleep(1.2)
        yield os.urandom(5 * MIB)

    with suppress(httpx.HTTPError):  # refused before all was sent
        assert go_on(clinician, held.door, where, slowly(), offset=2 * MIB).status_code == 403
    assert plain(go_on(clinician, held.door, where, os.urandom(6 * MIB), offset=2 * MIB))[0] == 403
    assert query(held.gateway.index_url, "select count(*) from records") == records


# ---- lies and too much


def test_more_octets_than_declared_are_refused_and_leave_nothing(held: Site) -> None:
    patient = held.crowd.patient()
    where = begin(patient.person, held.door, patient.id, 1000).headers["location"]
    reply = go_on(patient.person, held.door, where, os.urandom(1001), offset=0)
    assert (reply.status_code, json.loads(reply.content)["errors"][0]["extensions"]["field"]) == (400, ["size"])
    assert offset_of(patient.person, held.door, where).headers["upload-offset"] == "0"


@pytest.mark.parametrize("offset", ["1", "999999999999", "-1", "0x0", "", "1" * 30])
def test_an_offset_that_is_not_the_uploads_is_refused(held: Site, offset: str) -> None:
    patient = held.crowd.patient()
    where = begin(patient.person, held.door, patient.id, 1000).headers["location"]
    assert go_on(patient.person, held.door, where, b"x" * 10, offset=offset).status_code in (400, 409)
    assert offset_of(patient.person, held.door, where).headers["upload-offset"] == "0"


@pytest.mark.parametrize("size", ["0", "-1", "1e9", str(LARGEST + 1), str(2**63), ""])
def test_a_length_that_is_none_or_too_much_begins_nothing(held: Site, size: str) -> None:
    patient = held.crowd.patient()
    uploads = query(held.gateway.index_url, "select count(*) from uploads")
    assert begin(patient.person, held.door, patient.id, size).status_code in (400, 413)
    assert query(held.gateway.index_url, "select count(*) from uploads") == uploads


@pytest.mark.parametrize(
    "kind", ["text/html\r\nSet-Cookie: a=b", "application", "a/b/c", "", "x" * 200, 'text/html; a="\x00"', "é/é"]
)
def test_a_media_type_is_a_media_type(held: Site, kind: str) -> None:
    patient = held.crowd.patient()
    assert begin(patient.person, held.door, patient.id, 10, kind=kind).status_code == 400


def test_a_page_that_was_uploaded_runs_nowhere(held: Site) -> None:
    patient = held.crowd.patient()
    record = upload(patient.person, patient.id, b"<script>alert(1)</script>", kind="text/html")
    reply = download(patient.person, held.door, record, purpose="PATRQT")
    assert reply.headers["content-security-policy"].startswith("sandbox;")
    assert reply.headers["content-disposition"] == "attachment"
    assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "name", ["../../graphql", "..%2f..%2fetc%2fpasswd", "%00", "uploads/../x", "a" * 4000, "UmVjb3JkOg", "é"]
)
def test_a_name_is_never_a_path(held: Site, name: str) -> None:
    patient = held.crowd.patient()
    for path in (f"/content/{name}", f"/content/uploads/{name}", f"/content/{name}/proof"):
        with closing(socket.create_connection(("127.0.0.1", held.gateway.port))) as raw:
            asked = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {patient.person.token}\r\n"
            raw.sendall((asked + "Consentry-Purpose: PATRQT\r\nConnection: close\r\n\r\n").encode())
            status = int(raw.recv(65536).split(b" ", 2)[1])
            assert 400 <= status < 500, path


def test_an_actor_has_so_many_unfinished_uploads_and_no_more(held: Site) -> None:
    patient = held.crowd.patient()
    begun = [begin(patient.person, held.door, patient.id, 10) for _ in range(SLOTS + 2)]
    assert [one.status_code for one in begun] == [201] * SLOTS + [429] * 2
    # One that is given up, and one that is finished, give their slots back.
    door = held.door
    gone = door.http.delete(door.base + begun[0].headers["location"], headers=signed(patient.person))
    assert gone.status_code == 204
    assert go_on(patient.person, door, begun[1].headers["location"], b"0123456789", offset=0).status_code == 204
    again = [begin(patient.person, door, patient.id, 10).status_code for _ in range(3)]
    assert again == [201, 201, 429]
    assert offset_of(patient.person, door, begun[0].headers["location"]).status_code == 403


def test_all_that_is_under_way_has_a_ceiling(tmp_path: Path) -> None:
    with running_site(tmp_path, settings={"UPLOADS_GIB": "1", "UPLOADS_EACH": "40"}) as site:
        patient = site.crowd.patient()
        codes = [begin(patient.person, site.door, patient.id, 400 * MIB).status_code for _ in range(3)]
        assert codes == [201, 201, 429]
        assert begin(patient.person, site.door, patient.id, MIB).status_code == 201


def test_what_is_given_up_is_removed_from_the_store(held: Site) -> None:
    patient = held.crowd.patient()
    where = begin(patient.person, held.door, patient.id, 4 * MIB).headers["location"]
    octets = os.urandom(3 * MIB)
    go_on(patient.person, held.door, where, octets, offset=0)
    packs = list((held.gateway.data / "blocks").glob("*.pack"))
    chunks = sum(path.read_bytes().count(b"CSNTRY\x02\x01") for path in packs)
    held.door.http.delete(held.door.base + where, headers=signed(patient.person))
    assert sum(path.read_bytes().count(b"CSNTRY\x02\x01") for path in packs) == chunks - 3


def test_no_plaintext_lies_anywhere_on_the_way(held: Site) -> None:
    patient = held.crowd.patient()
    canary = b"CANARY-" + os.urandom(8).hex().encode()
    octets = canary * (3 * MIB // len(canary))
    where = begin(patient.person, held.door, patient.id, len(octets), kind="application/x-canarytype").headers[
        "location"
    ]
    go_on(patient.person, held.door, where, octets[: 2 * MIB + 100], offset=0)
    for path in held.gateway.data.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert canary not in content, path
            assert b"x-canarytype" not in content, path
    assert canary.decode() not in held.gateway.text
    assert where.rsplit("/", 1)[1] not in held.gateway.text


def test_one_actors_transfers_are_bounded_and_a_slow_one_is_let_go(held: Site) -> None:
    patient = held.crowd.patient()
    where = begin(patient.person, held.door, patient.id, 1000).headers["location"]
    told = "".join(
        f"{name}: {value}\r\n"
        for name, value in signed(
            patient.person, **{"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        ).items()
    )
    with closing(socket.create_connection(("127.0.0.1", held.gateway.port))) as raw:
        raw.sendall(f"PATCH {where} HTTP/1.1\r\nHost: x\r\n{told}Content-Length: 1000\r\n\r\nabc".encode())
        time.sleep(1)
        # Another connection to the same upload is told so, and takes nothing.
        assert go_on(patient.person, held.door, where, b"x", offset=0).status_code == 409
        raw.settimeout(60)
        began = time.monotonic()
        reply = raw.recv(65536)
        assert b"408" in reply.split(b"\r\n", 1)[0]
        assert time.monotonic() - began < 45
    assert offset_of(patient.person, held.door, where).headers["upload-offset"] == "3"


# ---- what the record says


def test_no_resource_claims_large_content_that_no_upload_made(held: Site) -> None:
    patient = held.crowd.patient()
    record = upload(patient.person, patient.id, os.urandom(5000))
    content = patient.person.read(record, purpose="PATRQT").value["content"]
    assert patient.person.store(patient.id, content).code == "INVALID"
    other = jsontext.loads(jsontext.dumps(content))
    other["meta"]["extension"][0]["extension"][0]["valueString"] = "5001"
    assert patient.person.amend(record, other, version=1).code == "INVALID"
    without = {"resourceType": "Binary", "contentType": "application/pdf", "data": "AAAA"}
    assert patient.person.amend(record, without, version=1).code == "INVALID"
    assert patient.person.amend(record, {**content, "contentType": "text/plain"}, version=1).value["version"] == 2
    assert content["meta"]["extension"][0]["url"] == EXTENSION


# ---- a store that lies


def test_no_changed_chunk_is_sent(tmp_path: Path) -> None:
    with running_site(tmp_path) as site:
        patient = site.crowd.patient()
        octets = os.urandom(3 * CHUNK_SIZE)
        record = upload(patient.person, patient.id, octets)
        site.gateway.stop()
        (pack,) = (site.gateway.data / "blocks").glob("*.pack")
        content = bytearray(pack.read_bytes())
        places = [at for at in range(len(content)) if content[at : at + 8] == b"CSNTRY\x02\x01"]
        content[places[1] + 5000] ^= 1
        pack.write_bytes(content)
        site.gateway.start()
        with pytest.raises(httpx.HTTPError):
            download(patient.person, site.door, record, purpose="PATRQT")
        first = download(patient.person, site.door, record, purpose="PATRQT", Range=f"bytes=0-{CHUNK_SIZE - 1}")
        assert first.content == octets[:CHUNK_SIZE]
        last = download(patient.person, site.door, record, purpose="PATRQT", Range="bytes=-10")
        assert last.content == octets[-10:]
        # The second sealed chunk in the place of the first: whole blocks of the store, and never of one another.
        site.gateway.stop()
        content[places[0] : places[0] + SEALED_SIZE] = content[places[2] : places[2] + SEALED_SIZE]
        pack.write_bytes(content)
        site.gateway.start()
        reply = download(patient.person, site.door, record, purpose="PATRQT", Range="bytes=0-9")
        assert reply.status_code == 502
        assert json.loads(reply.content)["errors"][0]["extensions"]["code"] == "INTEGRITY"


def test_metadata_that_is_not_in_its_form_is_refused(held: Site) -> None:
    patient = held.crowd.patient()
    for value in (
        "patientId ###",
        "patientId",
        metadata(patientId="x"),
        "a" * 5000,
        metadata(patientId=patient.id) * 2,
    ):
        headers = signed(patient.person, **{"Upload-Length": "10", "Upload-Metadata": value})
        assert held.door.http.post(f"{held.door.base}/content", headers=headers).status_code == 400
    headers = {**signed(patient.person, **{"Upload-Length": "10"}), "Tus-Resumable": "0.2.2"}
    assert held.door.http.post(f"{held.door.base}/content", headers=headers).status_code == 412


def test_uploads_over_their_time_are_not_gone_on_with(held: Site) -> None:
    patient = held.crowd.patient()
    where = begin(patient.person, held.door, patient.id, 2 * MIB).headers["location"]
    go_on(patient.person, held.door, where, os.urandom(MIB + MIB // 2), offset=0)
    query(held.gateway.index_url, "update uploads set expires_at = 1 where slot is not null")
    assert go_on(patient.person, held.door, where, b"x", offset=MIB + MIB // 2).status_code == 403
    deadline = time.monotonic() + 60
    while query(held.gateway.index_url, "select count(*) from uploads where expires_at = 1") != [(0,)]:
        assert time.monotonic() < deadline, "nothing is swept"
        time.sleep(0.5)
