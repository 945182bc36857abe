"""A gateway whose chain node, or whose witness, lies: nobody reads on its word, and whoever narrows is not hindered.

Embedded, the witness is the liar; on anvil the node that the gateway follows is, and hides what a patient's wallet did.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from anchoring.chain.abi import CONSENT, contract
from tests.journeys import documents
from tests.journeys.emergencies import break_glass
from tests.journeys.gateway_process import GatewayProcess, run_command
from tests.journeys.people import Crowd, Door, Patient, Person
from tests.journeys.resources import observation
from tests.journeys.wallets import account_of, revocation_call, send
from tests.servers.anvil import running_anvil
from tests.servers.http import rpc
from tests.servers.lying_node import Lie, LyingNode, lying_node
from tests.servers.process import free_port
from tests.servers.pytest_fixtures import require_program

REVOKED = "0x" + contract(CONSENT).topic("ConsentRevoked").hex()
DEFINED = {"CHAIN_SILENCE_SECONDS": "3"}
SECONDS = 30.0


@dataclass(frozen=True)
class Lied:
    """`rpc`: the true node."""

    gateway: GatewayProcess
    crowd: Crowd
    liar: LyingNode
    rpc: str

    def code_of_read(self, person: Person, record: str) -> str:
        return person.once(documents.READ, {"id": record}).code

    def await_code(self, person: Person, record: str, *codes: str) -> None:
        deadline = time.monotonic() + SECONDS
        while (code := self.code_of_read(person, record)) not in codes:
            assert time.monotonic() < deadline, f"still {code!r}, ready: {self.gateway.ready()}"
            time.sleep(0.1)

    def await_doubt(self) -> None:
        """Readiness says which part it is, and the log which witness."""
        deadline = time.monotonic() + SECONDS
        while True:
            status, state = self.gateway.ready()
            words = (status, state["parts"]["witnesses"], state["parts"]["chain"])
            if words == (503, "STALE", "STALE") and "witness 1" in self.gateway.text:
                return
            assert time.monotonic() < deadline, words
            time.sleep(0.1)


@pytest.fixture(scope="module")
def lying_witness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lied]:
    folder, port = tmp_path_factory.mktemp("witness"), free_port()
    with lying_node(f"http://127.0.0.1:{port}") as liar:
        settings = {**DEFINED, "CHAIN_PORT": str(port), "WITNESS_RPC_URL": f'["{liar.url}"]'}
        gateway = GatewayProcess(folder, settings).start()
        try:
            crowd = Crowd(Door(gateway.base), gateway.registrar_key)
            yield Lied(gateway=gateway, crowd=crowd, liar=liar, rpc=liar.target)
        finally:
            gateway.stop()


@pytest.fixture(scope="module")
def lying_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lied]:
    require_program("anvil")
    with running_anvil() as anvil, lying_node(anvil.url) as liar:
        profile = {"CHAIN_PROFILE": "period=0,confirmations=0,finality=64"}
        settings = {**DEFINED, **profile, "CHAIN_URL": liar.url, "WITNESS_RPC_URL": f'["{anvil.url}"]'}
        gateway = GatewayProcess(tmp_path_factory.mktemp("chain"), settings)
        code, said = run_command("deploy", "--fund", settings=gateway.settings)
        assert code == 0, said
        gateway.start()
        try:
            crowd = Crowd(Door(gateway.base), gateway.registrar_key)
            yield Lied(gateway=gateway, crowd=crowd, liar=liar, rpc=anvil.url)
        finally:
            gateway.stop()


def _read_once(lied: Lied) -> tuple[Patient, Person, str, str]:
    """Somebody whom a consent lets read, and who has."""
    patient, clinician = lied.crowd.patient(), lied.crowd.clinician()
    record = patient.store(observation())
    consent = patient.consent(clinician.id)
    lied.await_code(clinician, record, "")
    return patient, clinician, record, consent


@pytest.mark.parametrize("lie", [Lie.MUTE, Lie.FORK])
def test_reads_wait_for_a_witness_and_revocations_and_emergencies_do_not(lying_witness: Lied, lie: Lie) -> None:
    patient, clinician, record, consent = _read_once(lying_witness)
    other = patient.consent(lying_witness.crowd.clinician().id)
    lying_witness.liar.tell(lie)
    try:
        if lie is Lie.FORK:
            patient.revoke(other).must()  # a block that the liar calls another one
        lying_witness.await_code(clinician, record, "STALE")
        lying_witness.await_doubt()
        patient.revoke(consent).must()
        break_glass(clinician, patient.id).must()
        assert clinician.read(record, purpose="ETREAT").value["id"] == record
    finally:
        lying_witness.liar.tell(Lie.NONE)
    lying_witness.await_code(clinician, record, "NOT_PERMITTED")
    assert lying_witness.gateway.ready()[0] == 200


@pytest.mark.services
def test_a_node_that_hides_a_revocation_lets_nobody_read(lying_chain: Lied) -> None:
    patient, clinician, record, consent = _read_once(lying_chain)
    account = account_of(patient)
    send_coins(lying_chain.rpc, account.address)
    lying_chain.await_code(clinician, record, "")
    lying_chain.liar.tell(Lie.DROP, topic=REVOKED)
    registry = lying_chain.gateway.facts()["contracts"]["consent"]
    send(lying_chain.rpc, account, to=registry, data=revocation_call(patient, consent))
    lying_chain.await_code(clinician, record, "STALE", "NOT_PERMITTED")
    for _ in range(20):  # and it stays so for as long as the lie does
        assert lying_chain.code_of_read(clinician, record) in {"STALE", "NOT_PERMITTED"}
        time.sleep(0.1)
    lying_chain.liar.tell(Lie.NONE)
    lying_chain.await_code(clinician, record, "NOT_PERMITTED")


@pytest.mark.services
def test_a_start_with_a_witness_of_another_chain_is_refused(lying_chain: Lied) -> None:
    lying_chain.gateway.stop()
    lying_chain.liar.tell(Lie.STRANGER)
    swapped = {"CHAIN_URL": lying_chain.rpc, "WITNESS_RPC_URL": f'["{lying_chain.liar.url}"]'}
    code, said = run_command("serve", settings={**lying_chain.gateway.settings, **swapped})
    assert code != 0
    assert "CONSENTRY_WITNESS_RPC_URL: witness 1 serves chain" in said


def send_coins(url: str, address: str) -> None:
    rpc(url, "anvil_setBalance", address, hex(10**18))
    rpc(url, "evm_mine")
