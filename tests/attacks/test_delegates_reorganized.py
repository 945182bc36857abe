"""A removal that a reorganization took out of the chain counts until its absence is final, and no longer."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.journeys import documents
from tests.journeys.delegates import carer, delegate_to, hand_of
from tests.journeys.gateway_process import GatewayProcess, run_command
from tests.journeys.people import Crowd, Door, Patient, Person
from tests.journeys.resources import observation
from tests.journeys.sites import Site
from tests.journeys.wallets import account_of, send
from tests.servers.anvil import running_anvil
from tests.servers.chain import Chain
from tests.servers.pytest_fixtures import require_program

pytestmark = pytest.mark.services
PROFILE = "period=0,confirmations=0,finality=6"


@pytest.fixture
def forking(tmp_path: Path) -> Iterator[tuple[Site, Chain]]:
    """A gateway on an anvil that nobody shares, and that anvil. Nothing is anchored meanwhile."""
    require_program("anvil")
    with running_anvil() as chain:
        settings = {"CHAIN_URL": chain.url, "CHAIN_PROFILE": PROFILE, "BATCH_SECONDS": "3600", "BATCH_SIZE": "16384"}
        gateway = GatewayProcess(tmp_path, settings)
        code, said = run_command("deploy", "--fund", settings=gateway.settings)
        assert code == 0, said
        try:
            gateway.start()
            crowd = Crowd(Door(gateway.base), gateway.registrar_key)
            yield Site(gateway=gateway, crowd=crowd, servers=None), chain
        finally:
            gateway.stop()


def until(person: Person, record: str, code: str) -> None:
    deadline = time.monotonic() + 20
    while person.once(documents.READ, {"id": record}).code != code:
        assert time.monotonic() < deadline, f"never {code or 'permitted'}"
        time.sleep(0.1)


def removed_by_wallet(site: Site, patient: Patient, number: int) -> None:
    """The patient's own wallet, past the gateway."""
    data = keccak(b"removeDelegate(bytes32,uint32,bytes)")[:4]
    data += encode(["bytes32", "uint32", "bytes"], [bytes.fromhex(patient.subject[2:]), number, b""])
    to = site.gateway.facts()["contracts"]["consent"]
    assert int(send(site.gateway.rpc, account_of(patient), to=to, data=data)["status"], 16) == 1


def test_a_removal_that_a_reorganization_took_away_counts_until_its_absence_is_final(
    forking: tuple[Site, Chain],
) -> None:
    site, chain = forking
    patient, parent, clinician = site.crowd.patient(), carer(site), site.crowd.clinician()
    chain.fund(account_of(patient).address, 10**18)
    record = patient.store(observation())
    number = delegate_to(patient, parent)
    hand_of(patient, parent).consent(clinician.id, resourceTypes=["Observation"])
    until(clinician, record, "")
    removed_by_wallet(site, patient, number)
    until(clinician, record, "NOT_PERMITTED")
    chain.rpc("anvil_reorg", 1, [])
    for _ in range(3):
        chain.rpc("evm_mine")
        time.sleep(0.3)
        assert clinician.once(documents.READ, {"id": record}).code != ""
    until(clinician, record, "NOT_PERMITTED")
    chain.rpc("anvil_mine", hex(8))
    until(clinician, record, "")
