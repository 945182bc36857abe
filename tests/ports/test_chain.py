"""One suite for every chain: the embedded one, anvil and geth. The same lanes, follower and worker over JSON-RPC."""

import asyncio
import contextlib
import dataclasses
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from anchoring.batcher import BatchPolicy, read_manifest
from anchoring.chain.abi import CONSENT, contract
from anchoring.chain.client import ChainClient
from anchoring.chain.deploy import Deployment, _Sender, check, deploy
from anchoring.chain.embedded.process import EmbeddedChainProcess
from anchoring.chain.profile import PROFILES
from anchoring.chain.signer import Signer
from anchoring.errors import ChainMismatch, ChainUnavailable
from anchoring.model import Call, Landed, LeafState, LeafStatus, Reverted, Underway
from anchoring.proof import verify
from gateway.adapters.sql.migrations import migrate
from tests.ports.anchoring_stack import CONSENT_TYPE, ETHER, Patient, Setup, Stack, address_of, new_key
from tests.ports.databases import query
from tests.servers.postgres import Postgres

EMBEDDED_CHAIN_ID = 20_261
SECONDS = 20.0
Owner = tuple[str, str, str]
"""A chain's URL, the relay's key and the anchor lane's."""

CHAINS = [
    "embedded",
    pytest.param("anvil", marks=pytest.mark.services),
    pytest.param("geth-dev", marks=pytest.mark.services),
]


@dataclasses.dataclass(frozen=True)
class Deployed:
    """A chain with registries on it. The relay's account deployed them."""

    profile: str
    url: str
    relay_key: str
    anchor_key: str
    deployment: Deployment


@contextlib.contextmanager
def embedded_owner(folder: Path, *, chain_id: int) -> Iterator[Owner]:
    """An embedded chain, and the two keys that own something on it."""
    relay, anchor = new_key(), new_key()
    process = EmbeddedChainProcess.start(
        data=folder / "chain.db", chain_id=chain_id, funded=[address_of(relay), address_of(anchor)]
    )
    yield process.url, relay, anchor
    process.stop()


def owner_on(request: pytest.FixtureRequest, *, embedded: str) -> Owner:
    """On the chain that a fixture's parameter names; `embedded`: the fixture that has that one."""
    if request.param == "embedded":
        owner: Owner = request.getfixturevalue(embedded)
        return owner
    server = request.getfixturevalue("anvil" if request.param == "anvil" else "geth")
    relay, anchor = new_key(), new_key()
    for key in (relay, anchor):
        server.fund(address_of(key), 1_000 * ETHER)
    return server.url, relay, anchor


@pytest.fixture(scope="session")
def embedded_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    with embedded_owner(tmp_path_factory.mktemp("embedded"), chain_id=EMBEDDED_CHAIN_ID) as owner:
        yield owner


@pytest.fixture(params=CHAINS)
async def deployed(request: pytest.FixtureRequest) -> Deployed:
    """New contracts each time, on a chain that the session shares."""
    url, relay, anchor = owner_on(request, embedded="embedded_url")
    return await deploy_to(request.param, url=url, relay_key=relay, anchor_key=anchor)


async def deploy_to(profile: str, *, url: str, relay_key: str, anchor_key: str, recovery_seconds: int = 60) -> Deployed:
    client = ChainClient(url)
    signer = Signer(bytes.fromhex(relay_key), chain_id=await client.chain_id())
    deployment = await deploy(
        client,
        signer,
        enrollers=[signer.address],
        consent_types=[CONSENT_TYPE],
        salt=secrets.token_bytes(32),
        receipt_key=secrets.token_bytes(32),
        recovery_seconds=recovery_seconds,
    )
    await client.close()
    return Deployed(profile=profile, url=url, relay_key=relay_key, anchor_key=anchor_key, deployment=deployment)


def set_up(deployed: Deployed, folder: Path, *, database_url: str, **changes: object) -> Setup:
    setup = Setup(
        chain_url=deployed.url,
        database_url=database_url,
        folder=str(folder),
        relay_key=deployed.relay_key,
        anchor_key=deployed.anchor_key,
        deployment=deployed.deployment,
        profile=PROFILES[deployed.profile],
        batch=BatchPolicy(size=64, age=0.1),
        writer=secrets.token_bytes(32).hex(),
    )
    return dataclasses.replace(setup, **changes)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def running_stack(deployed: Deployed, folder: Path) -> AsyncIterator[Stack]:
    """With an index of its own in the folder."""
    url = f"sqlite:///{folder}/index.db"
    migrate(url)
    stack = Stack(set_up(deployed, folder, database_url=url))
    async with stack.running():
        yield stack
    await stack.close()


@pytest.fixture
async def stack(deployed: Deployed, tmp_path: Path) -> AsyncIterator[Stack]:
    async with running_stack(deployed, tmp_path) as stack:
        yield stack


async def intend(stack: Stack, *calls: Call) -> None:
    for call in calls:
        await stack.tickets.intend(call, now=0)
    stack.wake()


async def fate(stack: Stack, call: Call) -> object:
    return await stack.follower.outcome(call.call, timeout=SECONDS)


def enrolment(stack: Stack, patient: Patient) -> Call:
    return stack.registries.enrol(subject=patient.subject, controller=patient.controller, custodian=b"")


def grant(stack: Stack, terms: tuple[object, ...], signature: bytes) -> Call:
    names = ("type_hash", "subject", "effect", "scope_hash", "not_before", "not_after", "epoch")
    return stack.registries.grant(**dict(zip(names, terms, strict=True)), delegate=0, signature=signature)  # type: ignore[arg-type]


async def signed_grant(stack: Stack, patient: Patient, **changes: int) -> tuple[bytes, Call]:
    terms = patient.terms(**changes)
    consent = await patient.consent_id(terms)
    return consent, grant(stack, terms, patient.sign(consent))


def revocation(stack: Stack, patient: Patient, consent: bytes) -> Call:
    signature = patient.sign_struct("Revocation(bytes32 subject,bytes32 consentId)", patient.subject, consent)
    return stack.registries.revoke(subject=patient.subject, consent=consent, signature=signature)


async def anchored(stack: Stack, leaves: list[bytes], *, status: LeafStatus = LeafStatus.FINAL) -> list[LeafState]:
    """Their states, once all are at `status`."""
    for _ in range(int(SECONDS / 0.02)):
        states = await stack.log.anchor_states(leaves)
        if all(state.status is status for state in states):
            return list(states)
        await asyncio.sleep(0.02)
    pytest.fail(f"not {status}: {[part.trouble for part in stack.parts]}")


async def test_a_call_lands_and_is_indexed(stack: Stack) -> None:
    call = enrolment(stack, Patient(stack))
    await intend(stack, call)
    outcome = await fate(stack, call)
    assert isinstance(outcome, Landed)
    assert outcome.block_number <= stack.follower.head().number


async def test_a_call_that_nobody_intended_is_underway(stack: Stack) -> None:
    assert await stack.follower.outcome(bytes(16), timeout=0) == Underway()


async def test_a_landed_call_is_confirmed_after_the_profiles_confirmations(stack: Stack) -> None:
    call = enrolment(stack, Patient(stack))
    await intend(stack, call)
    assert isinstance(await stack.follower.outcome(call.call, timeout=SECONDS, confirmed=True), Landed)


async def test_calls_that_stand_on_each_other_all_land_though_revocations_go_first(stack: Stack) -> None:
    patient = Patient(stack)
    consent, granted = await signed_grant(stack, patient)
    _, other = await signed_grant(stack, patient)
    calls = [enrolment(stack, patient), granted, other, revocation(stack, patient, consent)]
    await intend(stack, *calls)
    outcomes = [await fate(stack, call) for call in calls]
    # The revocation overtook its grant, and so barred it: that is the contract's word, not a loss.
    assert [type(one) for one in outcomes] == [Landed, Reverted, Landed, Landed]
    assert outcomes[1] == Reverted(error="ConsentBarred")


async def test_subject_states_count_grants_and_revocations(stack: Stack) -> None:
    patient = Patient(stack)
    consent, granted = await signed_grant(stack, patient)
    for call in (enrolment(stack, patient), granted, revocation(stack, patient, consent)):
        await intend(stack, call)
        assert isinstance(await fate(stack, call), Landed)
    states = await stack.follower.subject_states([patient.subject, secrets.token_bytes(32)])
    assert states == ((0, 2), (0, 0))


async def test_subject_states_are_asked_for_in_parts_of_256(stack: Stack) -> None:
    subjects = [secrets.token_bytes(32) for _ in range(300)]
    assert await stack.registries.subject_states(subjects, block="latest") == ((0, 0),) * 300


async def test_a_grant_signed_by_another_key_is_refused_by_its_errors_name(stack: Stack) -> None:
    patient, stranger = Patient(stack), Patient(stack)
    terms = patient.terms()
    forged = grant(stack, terms, stranger.sign(await patient.consent_id(terms)))
    await intend(stack, enrolment(stack, patient), forged)
    assert await fate(stack, forged) == Reverted(error="NotSignedByController")


async def test_a_call_that_somebody_copied_first_is_success(stack: Stack) -> None:
    patient = Patient(stack)
    call = enrolment(stack, patient)
    _, granted = await signed_grant(stack, patient)
    await intend(stack, call)
    await fate(stack, call)
    await _Sender(stack.client, stack.anchor_signer).send(granted.contract, granted.data)
    await intend(stack, granted)
    assert isinstance(await fate(stack, granted), Landed)
    assert await stack.follower.subject_states([patient.subject]) == ((0, 1),)


async def test_the_same_intent_is_the_same_call(stack: Stack) -> None:
    patient = Patient(stack)
    assert enrolment(stack, patient) == enrolment(stack, patient)


async def test_events_are_indexed_once_with_their_names_and_versions(stack: Stack) -> None:
    patient = Patient(stack)
    consent, granted = await signed_grant(stack, patient, effect=1)
    for call in (enrolment(stack, patient), granted):
        await intend(stack, call)
        await fate(stack, call)
    events = [event for event in stack.seen if patient.subject in event.keys]
    assert [event.name for event in events] == ["SubjectEnrolled", "ConsentGranted"]
    assert events[1].keys == (patient.subject, consent)
    assert (events[1].args["effect"], events[1].args["seq"]) == (1, 1)
    hexed = patient.subject.hex()
    assert query(stack.setup.database_url, f"select version from epochs where hex(name) = '{hexed.upper()}'") == [(2,)]


async def test_the_contract_judges_signatures(stack: Stack) -> None:
    patient = Patient(stack)
    digest = secrets.token_bytes(32)
    signature = patient.sign(digest)
    assert await stack.follower.valid_signature(patient.controller, digest, signature)
    assert not await stack.follower.valid_signature(patient.controller, bytes(32), signature)
    assert not await stack.follower.valid_signature(patient.controller, digest, signature[:64])


async def test_tickets_are_anchored_and_their_proofs_hold_on_chain(stack: Stack) -> None:
    leaves = await stack.queue_tickets(150)
    states = await anchored(stack, leaves)
    for leaf, state in list(zip(leaves, states, strict=True))[::30]:
        assert state.proof is not None
        verify(state.proof)
        assert await stack.verified_on_chain(leaf, state.proof)
    assert await stack.log_state(stack.log.records_log) == (3, 150)


async def test_a_proof_of_another_leaf_does_not_hold_on_chain(stack: Stack) -> None:
    leaves = await stack.queue_tickets(3)
    (state, *_) = await anchored(stack, leaves)
    assert state.proof is not None
    assert not await stack.verified_on_chain(leaves[1], state.proof)


async def test_each_audit_writer_has_a_log_of_its_own(stack: Stack) -> None:
    writers = [secrets.token_bytes(32), secrets.token_bytes(32)]
    leaves = [leaf for writer in writers for leaf in await stack.queue_audit(5, writer=writer)]
    states = await anchored(stack, leaves)
    assert {state.proof.log for state in states if state.proof} == {stack.log.audit_log(one) for one in writers}


async def test_a_manifest_lists_leaf_digest_and_locator_of_its_batch(stack: Stack) -> None:
    leaves = await stack.queue_tickets(4)
    await anchored(stack, leaves)
    (manifest,) = stack.manifests.folder.iterdir()
    log, entries = read_manifest(manifest.read_bytes())
    assert (log, [leaf for leaf, _, _ in entries]) == (stack.log.records_log, leaves)


async def test_a_deployment_is_found_again(deployed: Deployed) -> None:
    client = ChainClient(deployed.url)
    await check(client, Deployment.from_json(deployed.deployment.to_json()))
    await client.close()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"chain_id": 5}, "belongs to chain 5"),
        ({"genesis": "0x" + "11" * 32}, "another genesis"),
        ({"consent_registry": "0x" + "22" * 20}, "no ConsentRegistry"),
        ({"codes": {}}, "not the IdentityRegistry of this version"),
    ],
)
async def test_another_chain_or_other_contracts_are_refused(
    deployed: Deployed, changes: dict[str, object], words: str
) -> None:
    client = ChainClient(deployed.url)
    with pytest.raises(ChainMismatch, match=words):
        await check(client, dataclasses.replace(deployed.deployment, **changes))  # type: ignore[arg-type]
    await client.close()


async def test_a_dead_chain_is_unavailable() -> None:
    client = ChainClient("http://127.0.0.1:9", total=1.0)
    with pytest.raises(ChainUnavailable):
        await client.chain_id()
    await client.close()


async def test_in_force_says_what_was_granted(stack: Stack) -> None:
    patient = Patient(stack)
    consent, granted = await signed_grant(stack, patient)
    for call in (enrolment(stack, patient), granted):
        await intend(stack, call)
        await fate(stack, call)
    method = contract(CONSENT).methods["inForce"]
    answer = await stack.client.eth_call(granted.contract, method.encode(patient.subject, consent))
    assert method.decode(answer) == (True,)


@pytest.mark.services
async def test_two_stacks_on_postgresql_send_each_call_and_anchor_each_ticket_once(
    embedded_url: tuple[str, str, str], postgres: Postgres, tmp_path: Path
) -> None:
    url, relay, anchor = embedded_url
    deployed = await deploy_to("embedded", url=url, relay_key=relay, anchor_key=anchor)
    database = postgres.fresh_database()
    migrate(database)
    setup = set_up(deployed, tmp_path, database_url=database)
    one, other = Stack(setup), Stack(setup)
    async with one.running(), other.running():
        patient = Patient(one)
        consent, granted = await signed_grant(one, patient)
        for call in (enrolment(one, patient), granted, revocation(one, patient, consent)):
            await intend(one, call)
            assert isinstance(await fate(other, call), Landed)
        leaves = [leaf for _ in range(4) for leaf in await one.queue_tickets(50)]
        await anchored(other, leaves)
    assert await one.log_state(one.log.records_log) == (len(query(database, "select id from batches")), 200)
    assert await one.follower.subject_states([patient.subject]) == ((0, 2),)
    for stack in (one, other):
        await stack.close()
