"""Kubo, chain, database or redis down or mute in mid-request: a typed refusal soon, never content without a decision,
and all is well again by itself when the part is back."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import pytest

from gateway.storage.model import Cid
from tests.journeys import documents
from tests.journeys.people import Answer, Patient, Person
from tests.journeys.resources import observation
from tests.journeys.sites import Servers, Site, running_site
from tests.ports.databases import query
from tests.servers.http import post
from tests.servers.process import ServerProcess

pytestmark = pytest.mark.services
SOON_SECONDS = 7.0
"""The gateway's own bound of 4.5 s, and what a busy machine adds."""
WELL_AGAIN_SECONDS = 60.0
PARTS = ("kubo", "chain", "postgres", "redis")
UNWELL = {"UNAVAILABLE", "STALE"}


@pytest.fixture(scope="module")
def own(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway that is starved here, on the session's servers."""
    with running_site(tmp_path_factory.mktemp("starved"), servers) as running:
        yield running


@pytest.fixture(scope="module")
def reader(own: Site) -> Person:
    return own.crowd.clinician()


@pytest.fixture
def patient(own: Site) -> Patient:
    """Enrolled once the part that the test before took away serves everybody again."""
    deadline = time.monotonic() + WELL_AGAIN_SECONDS
    while True:
        try:
            return own.crowd.patient()
        except AssertionError as refused:
            if not any(code in str(refused) for code in UNWELL) or time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def part(servers: Servers, name: str) -> ServerProcess:
    process: ServerProcess = getattr(servers, name).process
    return process


def until_well(ask: Callable[[], Answer]) -> Answer:
    """Asks until it is not refused any more."""
    deadline = time.monotonic() + WELL_AGAIN_SECONDS
    while True:
        try:
            answer = ask()
        except httpx.HTTPError as error:
            raise AssertionError(f"the gateway itself has gone: {error!r}") from error
        if not answer.code or time.monotonic() > deadline:
            return answer
        time.sleep(0.3)


def is_unwell_or_right(answer: Answer, record: str) -> None:
    """Either a typed refusal, or the record under a decision that stood; soon in either case."""
    assert answer.seconds < SOON_SECONDS, f"{answer} after {answer.seconds:.1f} s"
    if answer.code:
        assert answer.code in UNWELL, str(answer)
        assert answer.found is None or answer.found["__typename"] == "Refusal"
    else:
        assert answer.value["id"] == record
        assert answer.value["receipt"]["payload"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", PARTS)
def test_a_mute_part_gives_a_typed_refusal_and_is_recovered_from(
    own: Site, servers: Servers, patient: Patient, reader: Person, name: str
) -> None:
    record = patient.store(observation())
    patient.consent(reader.id)
    assert reader.read(record).value["id"] == record
    process = part(servers, name)
    process.suspend()
    try:
        is_unwell_or_right(reader.once(documents.READ, {"id": record}), record)
        asked = {"patientId": patient.id, "resource": observation()}
        written = patient.person.once(documents.CREATE, {"input": asked})
        assert written.seconds < SOON_SECONDS, f"{written} after {written.seconds:.1f} s"
        assert written.code in {"", *UNWELL}, str(written)
    finally:
        process.resume()
    assert until_well(lambda: reader.once(documents.READ, {"id": record})).value["id"] == record
    asked = {"patientId": patient.id, "resource": observation(value="2")}
    assert until_well(lambda: patient.person.once(documents.CREATE, {"input": asked})).value["version"] == 1


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", PARTS)
def test_a_part_that_is_gone_gives_a_typed_refusal_and_is_recovered_from(
    own: Site, servers: Servers, patient: Patient, reader: Person, name: str
) -> None:
    record = patient.store(observation())
    patient.consent(reader.id)
    time.sleep(1.5)  # anvil writes its state each second
    process = part(servers, name)
    process.stop()
    try:
        is_unwell_or_right(reader.once(documents.READ, {"id": record}), record)
        status, said = own.gateway.ready()
        assert status == 503 or name == "chain", said
    finally:
        process.start()
    assert until_well(lambda: reader.once(documents.READ, {"id": record})).value["id"] == record
    asked = {"patientId": patient.id, "resource": observation(value="2")}
    assert until_well(lambda: patient.person.once(documents.CREATE, {"input": asked})).value["version"] == 1


@pytest.mark.timeout(300)
def test_each_refusal_for_a_part_that_is_gone_is_found_in_the_log_by_its_id(
    own: Site, servers: Servers, patient: Patient, reader: Person
) -> None:
    records = [patient.store(observation(value=str(number))) for number in range(8)]
    patient.consent(reader.id)
    servers.kubo.process.stop()
    try:
        asking = partial(reader.once, "query($id: ID!) { record(id: $id) { ... on Refusal { code correlationId } } }")
        with ThreadPoolExecutor(len(records)) as pool:
            answers = list(pool.map(lambda record: asking({"id": record}), records))
    finally:
        servers.kubo.process.start()
    found = {answer.found["correlationId"] for answer in answers if answer.found}
    assert len(found) == len(records), [str(answer) for answer in answers]
    deadline = time.monotonic() + WELL_AGAIN_SECONDS
    while (told := told_of(own, found)) != {name: {"a part failed", "request"} for name in found}:
        assert time.monotonic() < deadline, told
        time.sleep(0.1)  # lines of requests are held for a moment


def told_of(site: Site, names: set[str]) -> dict[str, set[str]]:
    """Events in the log, by the correlation id that they name."""
    said = [json.loads(line) for line in site.gateway.text.splitlines() if line.startswith("{")]
    return {name: {line["event"] for line in said if line.get("correlation_id") == name} for name in names}


@pytest.mark.timeout(300)
def test_a_revocation_is_in_force_at_once_while_the_chain_is_mute(
    own: Site, servers: Servers, patient: Patient, reader: Person
) -> None:
    record = patient.store(observation())
    consent = patient.consent(reader.id)
    assert reader.read(record).value["id"] == record
    revocation = patient.revocation(consent)
    signature = patient.person.wallet.sign_typed_data(revocation)
    servers.chain.process.suspend()
    try:
        given = {"input": {"typedData": revocation, "signature": signature}}
        revoked = patient.person.once(documents.REVOKE, given)
        assert revoked.value["status"] == "REVOKED"
        assert revoked.seconds < SOON_SECONDS
        answer = reader.once(documents.READ, {"id": record})
        assert answer.code in {"NOT_PERMITTED", *UNWELL}, str(answer)
    finally:
        servers.chain.process.resume()
    deadline = time.monotonic() + WELL_AGAIN_SECONDS
    while time.monotonic() < deadline:
        answer = reader.once(documents.READ, {"id": record})
        assert answer.code, "read after a revocation"
        if answer.code == "NOT_PERMITTED":
            break
        time.sleep(0.2)
    assert answer.code == "NOT_PERMITTED"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("everything", [False, True])
def test_a_revocation_is_in_force_at_once_while_ipfs_is_mute_and_is_pinned_once_it_is_back(
    own: Site, servers: Servers, patient: Patient, reader: Person, everything: bool
) -> None:
    record = patient.store(observation())
    consent = patient.consent(reader.id)
    assert reader.read(record).value["id"] == record
    typed = {"patientId": patient.id} if everything else {"patientId": patient.id, "consentId": consent}
    draft = patient.person.ask(documents.DRAFT_REVOCATION_OF_ALL if everything else documents.DRAFT_REVOCATION, typed)
    servers.kubo.process.suspend()
    try:
        revoked = patient.person.submit(
            documents.REVOKE_ALL if everything else documents.REVOKE, draft.value["typedData"]
        )
        assert not revoked.code
        assert revoked.seconds < SOON_SECONDS
        assert reader.once(documents.READ, {"id": record}).code == "NOT_PERMITTED"
        assert own.rows("unpinned") == (1,)
    finally:
        servers.kubo.process.resume()
    deadline = time.monotonic() + WELL_AGAIN_SECONDS
    while own.rows("unpinned") != (0,):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    digest = bytes(query(own.gateway.index_url, "select digest from narrowings order by seq desc limit 1")[0][0])
    assert str(Cid.from_digest(digest)) in pinned(servers)
    assert reader.once(documents.READ, {"id": record}).code == "NOT_PERMITTED"


def pinned(servers: Servers) -> str:
    """Kubo's own list of what it pins."""
    return post(f"{servers.kubo.url}/api/v0/pin/ls?type=recursive").decode()


@pytest.mark.timeout(300)
def test_reads_stop_when_the_chain_has_been_silent_for_too_long(
    own: Site, servers: Servers, patient: Patient, reader: Person
) -> None:
    record = patient.store(observation())
    patient.consent(reader.id)
    servers.chain.process.suspend()
    try:
        deadline = time.monotonic() + 40
        while not (answer := reader.once(documents.READ, {"id": record})).code and time.monotonic() < deadline:
            time.sleep(0.5)
        assert answer.code == "STALE"
    finally:
        servers.chain.process.resume()
    assert until_well(lambda: reader.once(documents.READ, {"id": record})).value["id"] == record
