"""consentry_client against a gateway: its first program as it stands, what is raised, and subscriptions that break."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from consentry_client import (
    AccessFilter,
    ConsentInput,
    Consentry,
    DecisionOutcome,
    GraphQLClientError,
    PurposeOfUse,
    RecordFilter,
    RefusalCode,
    RefusedError,
    Signer,
)
from eth_account.signers.local import LocalAccount

from tests.journeys.people import Patient, Person
from tests.journeys.resources import observation
from tests.journeys.sites import Site, running_site

CLIENT = Path(__file__).resolve().parents[2] / "schema" / "clients" / "python"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("python")) as running:
        yield running


def key_of(person: Person) -> LocalAccount:
    return person.wallet._account


def asked(patient: Patient, grantee: Person, **terms: object) -> ConsentInput:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    given = {"patientId": patient.id, "granteeId": grantee.id, "purposes": ["TREAT"], "notAfter": until, **terms}
    return ConsentInput.model_validate(given)


def test_its_first_program_does_the_main_job(site: Site, tmp_path: Path) -> None:
    key = tmp_path / "registrar.key"
    key.write_text(site.gateway.registrar_key)
    done = subprocess.run(
        [sys.executable, CLIENT / "first.py", site.gateway.base, key],
        env={**os.environ, "PYTHONPATH": str(CLIENT)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    said = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert said[0].startswith('I allow "Dr. Grey" ')
    assert said[1].startswith("Observation 62 0x")
    assert said[2:] == [
        "records: [1]",
        "timeline: [1]",
        "arrived: Observation",
        "NOT_PERMITTED: not permitted",
        "log: ['DENIED', 'PERMITTED', 'PERMITTED']",
        "signed in: None",
    ]


async def test_a_refusal_is_raised_with_its_code_field_and_decision(site: Site) -> None:
    patient, stranger = site.crowd.patient(), site.crowd.clinician()
    record = patient.store(observation())
    async with Consentry(site.gateway.base) as client:
        with pytest.raises(RefusedError) as unknown:
            await client.create_record(patient.id, observation())
        client.use_token(stranger.token)
        with pytest.raises(RefusedError) as refused:
            await client.read(record)
        client.use_token(patient.person.token)
        with pytest.raises(RefusedError) as invalid:
            await client.create_record(patient.id, {"resourceType": "Nothing"})
        with pytest.raises(GraphQLClientError, match="hex digits"):
            await client.operations.sign_in_challenge("0x00")
    assert unknown.value.code is RefusalCode.UNAUTHENTICATED
    assert refused.value.code is RefusalCode.NOT_PERMITTED
    assert refused.value.decision_id is not None
    assert (invalid.value.code, invalid.value.field[:1]) == (RefusalCode.INVALID, ("resource",))


async def test_pages_are_read_to_their_end(site: Site) -> None:
    patient = site.crowd.patient()
    stored = [patient.store(observation()) for _ in range(53)]
    async with Consentry(site.gateway.base, token=patient.person.token) as client:
        found = [record.id async for record in client.records(patient.id, PurposeOfUse.PATRQT)]
        none = RecordFilter(resourceTypes=["Encounter"])
        empty = [record async for record in client.records(patient.id, PurposeOfUse.PATRQT, filter=none)]
        denied = AccessFilter(outcome=DecisionOutcome.DENIED)
        refusals = [event async for event in client.access_log(patient.id, filter=denied)]
        events = [event async for event in client.access_log(patient.id)]
        nobody = [record async for record in client.records("UGF0aWVudDpub25l")]
    assert found == stored
    assert (empty, refusals, nobody) == ([], [], [])
    assert len(events) > 100


async def test_a_key_may_lie_elsewhere_and_be_awaited(site: Site) -> None:
    patient, grantee = site.crowd.patient(), site.crowd.clinician()
    here = Signer.of(key_of(patient.person))

    async def text(message: str) -> str:
        return await here.sign_text(message)

    elsewhere = Signer(address=here.address, text=text, typed_data=here.typed_data)
    async with Consentry(site.gateway.base) as client:
        session = await client.sign_in(elsewhere, device="Ada's KMS")
        consent = await client.grant(asked(patient, grantee))
        again = await client.refresh()
        standing = [one.consent_id async for one in client.consents(patient.id)]
        ended = await client.revoke_all(patient.id)
        gone = [one.status.value async for one in client.consents(patient.id)]
    assert session.actor.id == patient.person.id
    assert again.access_token != session.access_token
    assert standing == [consent.consent_id]
    assert (ended.patient.subject, gone) == (patient.subject, ["REVOKED"])


class Cable:
    """A TCP relay that can be cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self.connections = 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        inner, outer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, outer}
        await asyncio.gather(self._pump(reader, outer), self._pump(inner, writer), return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while octets := await reader.read(65536):
            writer.write(octets)
            await writer.drain()
        writer.close()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


@asynccontextmanager
async def relayed(port: int) -> AsyncIterator[tuple[Cable, str]]:
    cable = Cable(port)
    listening = socket.create_server(("127.0.0.1", 0))
    server = await asyncio.start_server(cable.carry, sock=listening)
    try:
        yield cable, f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        cable.cut()
        server.close()


async def test_a_subscription_that_breaks_off_goes_on_where_it_ended(site: Site) -> None:
    patient = site.crowd.patient()
    async with relayed(site.gateway.port) as (cable, url), Consentry(url, token=patient.person.token) as client:
        arrivals = client.record_added(patient.id, PurposeOfUse.PATRQT)
        first = asyncio.ensure_future(arrivals.__anext__())
        await asyncio.sleep(1)
        stored = [await asyncio.to_thread(patient.store, observation())]
        seen = [(await asyncio.wait_for(first, 20)).id]
        cable.cut()
        # Nobody listens now.
        stored += [await asyncio.to_thread(patient.store, observation()) for _ in range(2)]
        seen += [(await asyncio.wait_for(arrivals.__anext__(), 20)).id for _ in range(2)]
    assert seen == stored
    assert cable.connections >= 2


async def test_a_session_that_ends_ends_its_subscription_with_a_refusal(site: Site) -> None:
    patient = site.crowd.patient()
    async with Consentry(site.gateway.base) as client:
        await client.sign_in(key_of(patient.person))
        waiting = asyncio.ensure_future(client.record_added(patient.id).__anext__())
        await asyncio.sleep(1)
        await client.operations.sign_out()
        with pytest.raises(RefusedError) as ended:
            await asyncio.wait_for(waiting, 20)
    assert ended.value.code is RefusalCode.UNAUTHENTICATED


async def test_a_subscription_that_is_refused_ends_without_an_item(site: Site) -> None:
    patient, stranger = site.crowd.patient(), site.crowd.clinician()
    async with Consentry(site.gateway.base, token=stranger.token) as client:
        assert [record async for record in client.record_added(patient.id)] == []
        assert [consent async for consent in client.consent_changed(patient.id)] == []


def test_a_time_without_a_zone_is_not_sent() -> None:
    from consentry_client.scalars import write_instant

    assert write_instant(datetime(2026, 1, 31, 8, tzinfo=UTC)) == "2026-01-31T08:00:00Z"
    with pytest.raises(ValueError, match="without a zone"):
        write_instant(datetime(2026, 1, 31, 8))
