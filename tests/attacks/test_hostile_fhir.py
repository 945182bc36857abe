"""A hostile resource is refused by its kind or kept as data to the octet; it stops nobody, and what is refused changes
nothing."""

import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from gateway import jsontext
from tests.journeys import documents
from tests.journeys.people import Patient
from tests.journeys.resources import observation
from tests.journeys.sites import Site

SCRIPT = (
    '<div xmlns="http://www.w3.org/1999/xhtml"><script>fetch("/graphql")</script>'
    '<img src="x" onerror="alert(1)"/></div>'
)
STATUSES = {200, 400, 413}
CODES = {"INVALID", "LIMIT"}


@pytest.fixture(scope="module")
def patient(quick: Site) -> Patient:
    return quick.crowd.patient()


def post(site: Site, patient: Patient, resource: bytes) -> httpx.Response:
    """A write whose resource is these octets."""
    head, tail = jsontext.dumps(
        {"query": documents.CREATE, "variables": {"input": {"patientId": patient.id, "resource": "HERE"}}}
    ).split(b'"HERE"')
    return site.door.post(head + resource + tail, token=patient.person.token)


def code_of(reply: httpx.Response) -> str:
    """Of the refusal or error; "" where the record was stored."""
    said = reply.json()
    if said.get("errors"):
        return str(said["errors"][0]["extensions"]["code"])
    return str(said["data"]["createRecord"].get("code", ""))


def members(text: bytes) -> bytes:
    """An Observation with these members added, as they are written."""
    return jsontext.dumps(observation())[:-1] + b"," + text + b"}"


REFUSED = {
    "a number that is none": members(b'"component": [{"code": {}, "valueQuantity": {"value": NaN}}]'),
    "infinity": members(b'"component": [{"code": {}, "valueQuantity": {"value": Infinity}}]'),
    "beyond the doubles": members(b'"component": [{"code": {}, "valueQuantity": {"value": 1e999}}]'),
    "a number of a thousand digits": members(
        b'"component": [{"code": {}, "valueQuantity": {"value": 1' + b"0" * 999 + b"}}]"
    ),
    "a leading zero": members(b'"component": [{"code": {}, "valueQuantity": {"value": 01}}]'),
    "a leading plus": members(b'"component": [{"code": {}, "valueQuantity": {"value": +1}}]'),
    "no digit after the point": members(b'"component": [{"code": {}, "valueQuantity": {"value": 1.}}]'),
    "a key twice": members(b'"status": "amended"'),
    "half a character": members(b'"language": "\\ud800"'),
    "octets that are no text": members(b'"language": "\xff\xfe"'),
    "a comma too many": members(b'"language": "en",'),
    "a comment": members(b'/* */ "language": "en"'),
    "single quotes": members(b"'language': 'en'"),
    "a control character": members(b'"language": "\x00"'),
    "an empty name": members(b'"": "x"'),
    "a prototype": members(b'"__proto__": {"status": "x"}'),
    "another type inside": members(b'"contained": [{"resourceType": "Nothing"}]'),
    "deeper than a tree may be": members(b'"extension": ' + b'[{"url": "u", "extension": ' * 200 + b"[]" + b"}]" * 200),
    "a hundred thousand brackets": b"[" * 100_000,
    "no object": b"[]",
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_no_resource_may_be_is_refused_and_changes_nothing(quick: Site, patient: Patient, what: str) -> None:
    before = quick.rows()
    reply = post(quick, patient, REFUSED[what])
    assert reply.status_code in STATUSES
    assert code_of(reply) in CODES
    assert quick.rows() == before


def test_a_narrative_with_a_script_is_data_and_nothing_else(quick: Site, patient: Patient) -> None:
    hostile = observation(text={"status": "generated", "div": SCRIPT})
    record = patient.store(hostile)
    reply = quick.door.post(
        jsontext.dumps({"query": documents.READ, "variables": {"id": record, "purpose": "PATRQT"}}),
        token=patient.person.token,
    )
    assert jsontext.loads(reply.content)["data"]["record"]["content"] == hostile
    assert reply.headers["content-type"].split(";")[0] in {"application/json", "application/graphql-response+json"}
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_contained_resources_that_refer_to_each_other_in_a_ring_are_walked_once(quick: Site, patient: Patient) -> None:
    ring = [{**observation(), "id": f"o{at}", "hasMember": [{"reference": f"#o{(at + 1) % 200}"}]} for at in range(200)]
    assert code_of(post(quick, patient, jsontext.dumps({**observation(), "contained": ring}))) in {"", *CODES}


def huge() -> Iterator[tuple[str, bytes]]:
    one = b'{"url":"urn:x","valueString":"y"}'
    yield "a million extensions", members(b'"extension": [' + b",".join([one] * 1_000_000) + b"]")
    yield "as many extensions as a body holds", members(b'"extension": [' + b",".join([one] * 400_000) + b"]")
    coding = b'{"system":"urn:x","code":"y"}'
    yield (
        "as many codings as a body holds",
        members(b'"category": [{"coding": [' + b",".join([coding] * 400_000) + b"]}]"),
    )


@pytest.mark.parametrize(("what", "resource"), [*huge()], ids=lambda value: value if isinstance(value, str) else "")
def test_a_huge_resource_stops_nobody_else(quick: Site, patient: Patient, what: str, resource: bytes) -> None:
    before, answers = quick.rows(), []
    reader = quick.crowd.clinician()
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            answers.append(reader.once(documents.VIEWER).seconds)
            time.sleep(0.02)

    asking = threading.Thread(target=ask)
    asking.start()
    started = time.perf_counter()
    try:
        reply = post(quick, patient, resource)
        taken = time.perf_counter() - started
    finally:
        done.set()
        asking.join()
    assert reply.status_code in STATUSES
    assert code_of(reply) in CODES
    assert quick.rows() == before
    # Within one run: an honest client is answered again and again while the huge one is looked at.
    assert answers
    assert max(answers) < max(taken, 1.0)
