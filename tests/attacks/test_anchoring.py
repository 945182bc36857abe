"""Getting round the anchors: reorganizations, dropped and stuck transactions, rivals for a nonce, SIGKILL anywhere."""

import asyncio
import contextlib
import dataclasses
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from anchoring.batcher import BatchPolicy, cut
from anchoring.chain.deploy import _Sender
from anchoring.chain.lane import suggested_fees
from anchoring.chain.profile import EMBEDDED, ChainProfile
from anchoring.errors import ChainHalted, LeaseLost
from anchoring.model import Call, CallState, Landed, LeafStatus, SentCall, Underway
from anchoring.proof import verify
from gateway.adapters.sql.migrations import migrate
from tests.ports.anchoring_stack import ETHER, Patient, Setup, Stack, address_of, new_key
from tests.ports.databases import query
from tests.ports.test_chain import (
    anchored,
    deploy_to,
    embedded_url,
    enrolment,
    intend,
    revocation,
    set_up,
    signed_grant,
)
from tests.servers.anvil import running_anvil
from tests.servers.chain import Chain
from tests.servers.pytest_fixtures import require_program

__all__ = ["embedded_url"]  # a fixture

FORKING = ChainProfile(name="anvil", block_period=0, confirmations=2, finality=16)
SECONDS = 20.0


@pytest.fixture
def own_anvil() -> Iterator[Chain]:
    """An anvil that nobody shares: these tests fork it."""
    require_program("anvil")
    with running_anvil() as chain:
        yield chain


@pytest.fixture
async def setup_on_anvil(own_anvil: Chain, tmp_path: Path) -> Setup:
    relay, anchor = new_key(), new_key()
    for key in (relay, anchor):
        own_anvil.fund(address_of(key), 1_000 * ETHER)
    deployed = await deploy_to("anvil", url=own_anvil.url, relay_key=relay, anchor_key=anchor)
    own_anvil.rpc("anvil_mine", hex(20))
    return set_up(deployed, tmp_path, database_url=migrated(tmp_path), profile=FORKING)


@pytest.fixture
async def setup_embedded(embedded_url: tuple[str, str, str], tmp_path: Path) -> Setup:
    url, relay, anchor = embedded_url
    deployed = await deploy_to("embedded", url=url, relay_key=relay, anchor_key=anchor)
    return set_up(deployed, tmp_path, database_url=migrated(tmp_path))


@pytest.fixture
async def forked(setup_on_anvil: Setup) -> AsyncIterator[Stack]:
    """A stack that does not run: each test takes the steps that it needs."""
    stack = Stack(setup_on_anvil)
    yield stack
    await stack.close()


@pytest.fixture
async def idle(setup_embedded: Setup) -> AsyncIterator[Stack]:
    stack = Stack(setup_embedded)
    yield stack
    await stack.close()


def migrated(folder: Path) -> str:
    url = f"sqlite:///{folder}/index.db"
    migrate(url)
    return url


async def until(holds: Callable[[], bool], *, seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def follow(stack: Stack) -> None:
    """Steps until the index stands on the chain's head."""
    while await stack.follower.step():
        pass


async def send_all(stack: Stack) -> None:
    """Steps of the relay lane until it has nothing under way."""
    while await stack.relay.step():
        pass


async def landed(stack: Stack, *calls: Call) -> None:
    await intend(stack, *calls)
    await send_all(stack)
    await follow(stack)
    for call in calls:
        assert isinstance(await stack.follower.outcome(call.call, timeout=0), Landed)


async def reorganize(chain: Chain, depth: int) -> None:
    """Replaces the newest blocks while others send. anvil loses a block of its own, for good, when it mines one in the
    midst of that: so mining waits."""
    chain.rpc("evm_setAutomine", False)
    await asyncio.sleep(0.05)
    chain.rpc("anvil_reorg", depth, [])
    chain.rpc("evm_setAutomine", True)
    chain.rpc("evm_mine")


@contextlib.asynccontextmanager
async def mining(chain: Chain) -> AsyncIterator[None]:
    """A block each 100 ms."""

    async def mine() -> None:
        while True:
            await asyncio.to_thread(chain.rpc, "evm_mine")
            await asyncio.sleep(0.1)

    task = asyncio.create_task(mine())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def names_of(stack: Stack, *, orphaned: bool) -> list[str]:
    where = "is not null" if orphaned else "is null"
    sql = f"select name from chain_events where orphaned_at {where} order by block_number, log_index"
    return [name for (name,) in query(stack.setup.database_url, sql)]


# Reorganizations


@pytest.mark.services
async def test_a_widening_event_of_a_lost_block_goes_and_a_narrowing_one_stays(forked: Stack, own_anvil: Chain) -> None:
    patient = Patient(forked)
    await landed(forked, enrolment(forked, patient))
    consent, granted = await signed_grant(forked, patient)
    await landed(forked, granted)
    await landed(forked, revocation(forked, patient, consent))
    own_anvil.rpc("anvil_reorg", 2, [])
    await follow(forked)
    assert "ConsentGranted" not in names_of(forked, orphaned=False)
    assert names_of(forked, orphaned=True) == ["ConsentRevoked"]


@pytest.mark.services
async def test_versions_of_the_names_in_lost_blocks_move_on(forked: Stack, own_anvil: Chain) -> None:
    patient = Patient(forked)
    await landed(forked, enrolment(forked, patient))
    version = f"select version from epochs where hex(name) = '{patient.subject.hex().upper()}'"
    assert query(forked.setup.database_url, version) == [(1,)]
    own_anvil.rpc("anvil_reorg", 1, [])
    await follow(forked)
    assert query(forked.setup.database_url, version) == [(2,)]


@pytest.mark.services
async def test_calls_of_lost_blocks_land_again_and_nothing_stays_orphaned(forked: Stack, own_anvil: Chain) -> None:
    patient = Patient(forked)
    consent, granted = await signed_grant(forked, patient)
    calls = [enrolment(forked, patient), granted, revocation(forked, patient, consent)]
    for call in calls:
        await landed(forked, call)
    own_anvil.rpc("anvil_reorg", 3, [])
    await follow(forked)
    assert await forked.follower.outcome(calls[2].call, timeout=0) == Underway()
    async with forked.running():
        for call in calls:
            assert isinstance(await forked.follower.outcome(call.call, timeout=SECONDS), Landed)
        own_anvil.rpc("anvil_mine", hex(20))
        await until(lambda: names_of(forked, orphaned=True) == [])
        assert await forked.follower.subject_states([patient.subject]) == ((0, 2),)
    assert names_of(forked, orphaned=False)[-2:] == ["ConsentGranted", "ConsentRevoked"]


@pytest.mark.services
async def test_an_orphaned_revocation_is_forgotten_only_when_its_absence_is_final(
    forked: Stack, own_anvil: Chain
) -> None:
    patient = Patient(forked)
    await landed(forked, enrolment(forked, patient))
    await landed(forked, revocation(forked, patient, secrets.token_bytes(32)))
    own_anvil.rpc("anvil_reorg", 1, [])
    await follow(forked)
    own_anvil.rpc("anvil_mine", hex(FORKING.finality - 1))
    await follow(forked)
    assert names_of(forked, orphaned=True) == ["ConsentRevoked"]
    own_anvil.rpc("anvil_mine", hex(1))
    await follow(forked)
    assert names_of(forked, orphaned=True) == []


@pytest.mark.services
async def test_a_reorganization_past_finality_halts_and_is_seen(forked: Stack, own_anvil: Chain) -> None:
    await follow(forked)
    own_anvil.rpc("anvil_reorg", FORKING.finality + 2, [])
    with pytest.raises(ChainHalted, match="calls final"):
        await follow(forked)
    assert forked.follower.head().heard_at == float("-inf")
    with pytest.raises(ChainHalted):
        await forked.follower.step()


@pytest.mark.services
async def test_a_chain_of_another_genesis_halts(setup_on_anvil: Setup) -> None:
    other = dataclasses.replace(setup_on_anvil.deployment, genesis="0x" + "11" * 32)
    stack = Stack(dataclasses.replace(setup_on_anvil, deployment=other))
    with pytest.raises(ChainHalted, match="genesis"):
        await stack.follower.step()
    await stack.close()


@pytest.mark.services
async def test_a_node_that_fell_behind_is_given_a_moment_before_that_is_a_fork(forked: Stack, own_anvil: Chain) -> None:
    patient = Patient(forked)
    await landed(forked, enrolment(forked, patient))
    own_anvil.rpc("anvil_rollback", 1)
    async with forked.running():
        await until(lambda: forked.follower.trouble is not None and "seen before" in forked.follower.trouble)
        assert "SubjectEnrolled" in names_of(forked, orphaned=False)
        # After that it counts, and the enrolment is sent again.
        await until(lambda: len([event for event in forked.seen if event.name == "SubjectEnrolled"]) >= 3)


@pytest.mark.services
async def test_a_batch_of_a_lost_block_is_anchored_again_with_the_same_root(forked: Stack, own_anvil: Chain) -> None:
    async with forked.running():
        leaves = await forked.queue_tickets(10)
        before = await anchored(forked, leaves, status=LeafStatus.ANCHORED)
        own_anvil.rpc("anvil_reorg", 4, [])
        await until(lambda: any(event.name == "Anchored" for event in forked.seen))
        forked.follower.wake()
        await asyncio.sleep(1.0)
        after = await anchored(forked, leaves, status=LeafStatus.ANCHORED)
        own_anvil.rpc("anvil_mine", hex(FORKING.finality + 1))
        final = await anchored(forked, leaves)
    assert [one.proof.root for one in before if one.proof] == [one.proof.root for one in final if one.proof]
    assert all(one.proof for one in after)
    assert await forked.log_state(forked.log.records_log) == (1, 10)
    assert final[0].proof is not None
    assert await forked.verified_on_chain(leaves[0], final[0].proof)


@pytest.mark.services
async def test_many_forks_while_writing_lose_nothing_and_double_nothing(forked: Stack, own_anvil: Chain) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    patients = [Patient(forked) for _ in range(8)]
    leaves: list[bytes] = []
    async with forked.running():
        calls: list[Call] = []
        for patient in patients:
            _, granted = await signed_grant(forked, patient)
            calls += [enrolment(forked, patient), granted]
            await intend(forked, *calls[-2:])
            leaves += await forked.queue_tickets(20)
            await asyncio.sleep(chance.random() * 0.5)
            await reorganize(own_anvil, chance.randint(1, 5))
        for call in calls:
            assert isinstance(await forked.follower.outcome(call.call, timeout=60), Landed)
        async with mining(own_anvil):
            states = await anchored(forked, leaves)
            await until(lambda: names_of(forked, orphaned=True) == [])
        assert await forked.follower.subject_states([one.subject for one in patients]) == ((0, 1),) * len(patients)
    assert (await forked.log_state(forked.log.records_log))[1] == len(leaves)
    for leaf, state in zip(leaves, states, strict=True):
        assert state.proof is not None
        assert await forked.verified_on_chain(leaf, state.proof)
    granted_events = [name for name in names_of(forked, orphaned=False) if name == "ConsentGranted"]
    assert len(granted_events) == len(patients)


# Dropped and stuck transactions


@pytest.mark.services
async def test_a_dropped_transaction_is_sent_again_byte_for_byte(forked: Stack, own_anvil: Chain) -> None:
    own_anvil.rpc("evm_setAutomine", False)
    call = enrolment(forked, Patient(forked))
    await intend(forked, call)
    await forked.relay.step()
    (sent,) = await forked.calls.sent("relay")
    own_anvil.rpc("anvil_removePoolTransactions", forked.relay_signer.address)
    own_anvil.rpc("evm_setAutomine", True)
    async with forked.running():
        assert isinstance(await forked.follower.outcome(call.call, timeout=SECONDS), Landed)
    rows = query(forked.setup.database_url, "select nonce, attempts from calls")
    assert rows == [(sent.nonce, 1)]


@pytest.mark.services
async def test_a_stuck_transaction_is_replaced_under_the_same_nonce_for_more(forked: Stack, own_anvil: Chain) -> None:
    own_anvil.rpc("evm_setAutomine", False)
    call = enrolment(forked, Patient(forked))
    await intend(forked, call)
    await forked.relay.step()
    (sent,) = await forked.calls.sent("relay")
    (pending,) = await forked.calls.sent("relay")
    base_fee = int(str(own_anvil.rpc("eth_gasPrice")), 16) * 50
    own_anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(base_fee))
    own_anvil.rpc("evm_mine")
    own_anvil.rpc("evm_setAutomine", True)
    assert pending.attempts == sent.attempts
    async with forked.running():
        assert isinstance(await forked.follower.outcome(call.call, timeout=40), Landed)
    ((nonce, attempts),) = query(forked.setup.database_url, "select nonce, attempts from calls")
    assert nonce == sent.nonce
    assert attempts > 1


@pytest.mark.services
async def test_a_stuck_anchor_lane_does_not_hinder_the_relay(forked: Stack, own_anvil: Chain) -> None:
    own_anvil.rpc("anvil_setBalance", forked.anchor_signer.address, "0x0")
    async with forked.running():
        leaves = await forked.queue_tickets(3)
        await until(lambda: forked.anchors.trouble is not None)
        call = enrolment(forked, Patient(forked))
        await intend(forked, call)
        assert isinstance(await forked.follower.outcome(call.call, timeout=SECONDS), Landed)
        own_anvil.rpc("anvil_setBalance", forked.anchor_signer.address, hex(100 * ETHER))
        own_anvil.rpc("evm_mine")
        await anchored(forked, leaves, status=LeafStatus.ANCHORED)


# Rivals


async def test_a_process_that_lost_its_lease_changes_nothing(idle: Stack) -> None:
    account = idle.relay_signer.address
    call = enrolment(idle, Patient(idle))
    await intend(idle, call)
    now = int(time.time())
    assert await idle.calls.take_lease(account, owner="first", now=now, until=now + 1)
    assert not await idle.calls.take_lease(account, owner="second", now=now, until=now + 9)
    assert await idle.calls.take_lease(account, owner="second", now=now + 2, until=now + 9)
    sent = SentCall(call=call, nonce=0, attempts=(b"\2raw",), sent_at=now)
    with pytest.raises(LeaseLost):
        await idle.calls.mark_sent(account, owner="first", sent=sent, until=now + 99)
    with pytest.raises(LeaseLost):
        await idle.calls.mark_reverted(account, owner="first", call=call.call, error="No")
    assert query(idle.setup.database_url, "select state from calls") == [("INTENDED",)]


async def test_two_whole_stacks_on_one_database_anchor_each_ticket_once(setup_embedded: Setup) -> None:
    one, other = Stack(setup_embedded), Stack(setup_embedded)
    async with one.running(), other.running():
        await until(lambda: min(one.follower.head().number, other.follower.head().number) > 0)
        leaves: list[bytes] = []
        for _ in range(5):
            leaves += await one.queue_tickets(60)
            other.worker.wake()
        states = await anchored(other, leaves)
        transactions = {state.proof.transaction for state in states if state.proof}
        await until(lambda: {event.transaction for event in one.seen} >= transactions)
        await until(lambda: {event.transaction for event in other.seen} >= transactions)
    assert (await one.log_state(one.log.records_log))[1] == len(leaves)
    await one.close()
    await other.close()


async def test_a_nonce_that_a_stranger_used_is_given_up_for_another(idle: Stack) -> None:
    call = enrolment(idle, Patient(idle))
    await intend(idle, call)
    await sign_without_sending(idle, call)
    rival = enrolment(idle, Patient(idle))
    await _Sender(idle.client, idle.relay_signer).send(rival.contract, rival.data)
    async with idle.running():
        assert isinstance(await idle.follower.outcome(call.call, timeout=SECONDS), Landed)


async def test_a_root_that_already_stands_is_success(idle: Stack) -> None:
    async with idle.running():
        await anchored(idle, await idle.queue_tickets(2))
    await idle.queue_tickets(4)
    batch = cut(await idle.tickets.waiting(limit=64))
    call = idle.registries.anchor(
        log=batch.log, root=batch.root, manifest_digest=batch.manifest_digest, count=len(batch.tickets)
    )
    await _Sender(idle.client, idle.anchor_signer).send(call.contract, call.data)
    again = Stack(idle.setup)
    async with again.running():
        await anchored(again, [ticket.leaf for ticket in batch.tickets])
    assert await again.log_state(batch.log) == (2, 6)
    await again.close()


# Crashes


async def sign_without_sending(stack: Stack, call: Call) -> SentCall:
    """What a process leaves that dies right after the commit point before a broadcast."""
    account, now = stack.relay_signer.address, int(time.time())
    assert await stack.calls.take_lease(account, owner="dead", now=now, until=now)
    nonce = int(str(await stack.client.call("eth_getTransactionCount", account, "latest")), 16)
    fees = await suggested_fees(stack.client)
    signed = stack.relay_signer.sign(to=call.contract, data=call.data, nonce=nonce, gas=500_000, fees=fees)
    sent = SentCall(call=call, nonce=nonce, attempts=(signed.raw,), sent_at=now)
    await stack.calls.mark_sent(account, owner="dead", sent=sent, until=now - 1)
    return sent


async def test_a_crash_before_the_broadcast_sends_the_signed_bytes_later(idle: Stack) -> None:
    call = enrolment(idle, Patient(idle))
    await intend(idle, call)
    await sign_without_sending(idle, call)
    async with idle.running():
        assert isinstance(await idle.follower.outcome(call.call, timeout=SECONDS), Landed)
    assert query(idle.setup.database_url, "select attempts from calls") == [(1,)]


async def test_a_crash_after_the_broadcast_finds_the_receipt_and_sends_nothing_more(idle: Stack) -> None:
    call = enrolment(idle, Patient(idle))
    await intend(idle, call)
    sent = await sign_without_sending(idle, call)
    await idle.client.call("eth_sendRawTransaction", "0x" + sent.attempts[0].hex())
    async with idle.running():
        assert isinstance(await idle.follower.outcome(call.call, timeout=SECONDS), Landed)
    assert (await idle.calls.sent("relay"), idle.relay.trouble) == ((), None)


async def test_a_crash_between_manifest_and_cut_loses_no_ticket(idle: Stack) -> None:
    leaves = await idle.queue_tickets(7)
    batch = cut(await idle.tickets.waiting(limit=64))
    await idle.manifests.put(batch.manifest)  # and here the process dies
    again = Stack(idle.setup)
    async with again.running():
        await anchored(again, leaves)
    assert len(list(again.manifests.folder.iterdir())) == 1
    await again.close()


async def test_a_crash_between_cut_and_broadcast_anchors_that_very_cut(idle: Stack) -> None:
    async with idle.running():
        await anchored(idle, await idle.queue_tickets(1))
    leaves = await idle.queue_tickets(7)
    await idle.worker.step(drain=True)  # and here the process dies
    roots = query(idle.setup.database_url, "select root from batches order by id")
    again = Stack(idle.setup)
    async with again.running():
        later = await again.queue_tickets(3)
        await anchored(again, [*leaves, *later])
    assert query(idle.setup.database_url, "select root from batches order by id")[:2] == roots
    assert await again.log_state(again.log.records_log) == (3, 11)
    await again.close()


async def test_a_cut_takes_all_of_its_tickets_or_none(idle: Stack) -> None:
    await idle.queue_tickets(4)
    waiting = await idle.tickets.waiting(limit=64)
    for tickets, expected in ((waiting[:2], True), (waiting[1:], False)):
        batch = cut(tickets)
        call = idle.registries.anchor(
            log=batch.log, root=batch.root, manifest_digest=batch.manifest_digest, count=len(tickets)
        )
        assert await idle.tickets.write_cut(batch, manifest_cid="b", call=call, now=0) is expected
    counts = query(
        idle.setup.database_url,
        "select (select count(*) from batches), (select count(*) from calls),"
        " (select count(*) from tickets where batch is null)",
    )
    assert counts == [(1, 1, 2)]


async def test_a_thousand_tickets_survive_sigkill_each_anchored_once(setup_embedded: Setup, tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    setup = dataclasses.replace(setup_embedded, batch=BatchPolicy(size=37, age=0.05))
    (tmp_path / "setup.json").write_text(setup.to_json())
    stack = Stack(setup)
    leaves: list[bytes] = []
    for _ in range(5):
        with killed_child(tmp_path / "setup.json"):
            for _ in range(5):
                leaves += await stack.queue_tickets(40)
                await asyncio.sleep(chance.random() * 0.4)
    async with stack.running():
        states = await anchored(stack, leaves)
    assert len(leaves) == 1_000
    assert (await stack.log_state(stack.log.records_log))[1] == 1_000
    assert query(setup.database_url, "select count(*) from tickets where batch is null") == [(0,)]
    assert set(query(setup.database_url, "select state from batches")) == {("FINAL",)}
    assert set(query(setup.database_url, "select state from calls")) == {(CallState.LANDED.value,)}
    for leaf, state in zip(leaves, states, strict=True):
        assert state.proof is not None
        verify(state.proof)
        assert stack.log.leaf(state.proof.leaf_values, kind="records") == leaf
    await stack.close()


@contextlib.contextmanager
def killed_child(setup: Path) -> Iterator[None]:
    """A process that runs the whole stack until SIGKILL, at the end of the block."""
    child = subprocess.Popen([sys.executable, "-m", "tests.ports.anchoring_stack", str(setup)])
    try:
        time.sleep(1.5)  # it imports and begins; then the kill falls anywhere
        yield
        assert child.poll() is None
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()


def test_the_embedded_profile_says_that_anchored_is_final() -> None:
    assert (EMBEDDED.finality, EMBEDDED.confirmations) == (0, 0)
