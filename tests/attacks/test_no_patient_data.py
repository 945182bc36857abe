"""What patients told stands sealed: no word of it in any file, log, database or cache of a gateway, in no encoding."""

import base64
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import redis

from gateway.jsontext import JsonValue
from tests.journeys import documents
from tests.journeys.pytest_fixtures import COLUMNS
from tests.journeys.resources import LOINC, bundle, condition, observation
from tests.journeys.sites import Servers, Site, running_site
from tests.ports.databases import query


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A gateway after it was told the canaries, stopped; what redis held before that."""

    site: Site
    canaries: tuple[str, ...]
    cache: bytes


def _canary(name: str) -> str:
    return f"canary-{name}-{secrets.token_hex(8)}"


def _resources(mark: dict[str, str]) -> list[JsonValue]:
    return [
        condition(subject={"reference": "urn:uuid:7a9a1c52-6f0e-4c7c-8a58-0d4f5a1b2c3d", "display": mark["display"]}),
        {
            "resourceType": "Patient",
            "name": [{"family": mark["family"], "given": [mark["given"]]}],
            "telecom": [{"system": "phone", "value": mark["phone"]}],
            "address": [{"line": [mark["street"]], "city": mark["city"], "postalCode": mark["postcode"]}],
        },
        {
            "resourceType": "DocumentReference",
            "status": "current",
            "content": [{"attachment": {"contentType": "text/plain", "title": mark["title"], "url": mark["url"]}}],
        },
    ]


@pytest.fixture(scope="module", params=COLUMNS)
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    servers: Servers | None = request.getfixturevalue("servers") if request.param == "real" else None
    names = "note identifier value display family given phone street city postcode title url narrative code refused"
    mark = {name: _canary(name) for name in f"{names} query filter key actor patient".split()}
    with running_site(tmp_path_factory.mktemp("told"), servers, {"LOG_LEVEL": "debug"}) as site:
        _tell(site, mark)
        site.gateway.kill()
        site.gateway.start()
        cache = _redis_dump(servers) if servers is not None else b""
        site.gateway.stop()
        yield Told(site=site, canaries=tuple(mark.values()), cache=cache)


def _tell(site: Site, mark: dict[str, str]) -> None:
    patient, reader = site.crowd.patient(mark["patient"]), site.crowd.clinician(mark["actor"])
    words = {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{mark["narrative"]}</div>'}
    coded: JsonValue = {"coding": [{"system": "urn:local", "code": mark["code"]}]}
    seen: JsonValue = observation(
        note=[{"text": mark["note"]}],
        identifier=[{"system": "urn:x", "value": mark["identifier"]}],
        text=words,
        component=[{"code": coded, "valueString": mark["value"]}],
    )
    made = patient.person.import_bundle(patient.id, bundle(seen, *_resources(mark)), key=mark["key"]).value["records"]
    patient.consent(reader.id, labels=["unclassified"], codes=[f"{LOINC}|8480-6"])
    for record in made:
        reader.read(record["id"])
        patient.person.read(record["id"], purpose="PATRQT").must()
    # What is refused is forgotten too.
    broken: JsonValue = observation(note=[{"text": mark["refused"]}]) | {"status": mark["refused"]}
    assert patient.person.store(patient.id, broken).code == "INVALID"
    assert patient.person.ask(f'{{ node(id: "{mark["query"]}") {{ id }} }}').code in {"", "INVALID"}
    patient.person.seen(patient.id, purpose="PATRQT", wanted={"code": f"urn:local|{mark['filter']}"})
    assert site.door.post(f'{{"query": "{mark["query"]}'.encode()).status_code == 400
    assert site.door.http.get(f"{site.door.base}/{mark['query']}").status_code == 404
    assert site.door.ask(documents.READ, {"id": made[0]["id"]}, token=mark["query"]).code == "UNAUTHENTICATED"


def _redis_dump(servers: Servers) -> bytes:
    client = redis.Redis.from_url(servers.redis.url)
    found = [b"\n".join((key, client.dump(key) or b"")) for key in client.scan_iter()]
    client.close()
    return b"\n".join(found)


def _forms(canary: str) -> set[bytes]:
    """The canary as text, in hex, and in base64 at each of its three alignments (less the ends that others share)."""
    raw = canary.encode()
    found = {raw, raw.hex().encode(), raw.hex().upper().encode(), canary.encode("utf-16-le")}
    for shift in range(3):
        inner = base64.b64encode(b"\0" * shift + raw)[4 if shift else 0 : -4]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def _found(octets: bytes, canaries: tuple[str, ...]) -> list[str]:
    return [canary for canary in canaries if any(form in octets for form in _forms(canary))]


def test_the_canaries_can_be_found(told: Told) -> None:
    for canary in told.canaries:
        assert _found(b"x" + base64.b64encode(b"yy" + canary.encode() + b"z"), told.canaries) == [canary]
        assert _found(b"\0" + canary.encode(), told.canaries) == [canary]


def test_no_file_of_the_data_folder_tells(told: Told) -> None:
    files = [path for path in told.site.gateway.data.rglob("*") if path.is_file()]
    assert len(files) >= 8
    telling = {path.name: _found(path.read_bytes(), told.canaries) for path in files}
    assert {name: found for name, found in telling.items() if found} == {}


def test_the_log_does_not_tell(told: Told) -> None:
    assert "request" in told.site.gateway.text
    assert _found(told.site.gateway.log.read_bytes(), told.canaries) == []


def test_the_cache_does_not_tell(told: Told) -> None:
    assert _found(told.cache, told.canaries) == []


def test_the_database_does_not_tell(told: Told) -> None:
    if told.site.servers is None:
        return  # a file of the data folder
    url = told.site.gateway.index_url
    tables = [str(row[0]) for row in query(url, "select tablename from pg_tables where schemaname = 'public'")]
    assert "records" in tables
    for table in tables:
        rows = query(url, f'select t::text from "{table}" t')
        assert _found("\n".join(str(row[0]) for row in rows).encode(), told.canaries) == [], table


def test_kubo_does_not_tell(told: Told) -> None:
    if told.site.servers is None:
        return
    files = list((told.site.servers.kubo.data_dir / "blocks").rglob("*.data"))
    assert files
    assert [path.name for path in files if _found(path.read_bytes(), told.canaries)] == []


def test_the_chain_does_not_tell(told: Told) -> None:
    if told.site.servers is None:
        return
    blocks = range(int(str(told.site.servers.chain.rpc("eth_blockNumber")), 16) + 1)
    for number in blocks:
        found = str(told.site.servers.chain.rpc("eth_getBlockByNumber", hex(number), True))
        assert _found(found.encode(), told.canaries) == [], number
