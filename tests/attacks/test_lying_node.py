"""A node that lies, and one beside it that does not: which of the two is the liar makes no difference.

The follower alone sees nothing wrong in any of these lies: each test says so, and so fails where nothing else looks.
"""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from anchoring.chain.abi import CONSENT, contract
from anchoring.chain.client import ChainClient
from anchoring.chain.profile import ChainProfile
from anchoring.chain.registries import Registries
from anchoring.chain.witness import Bounds, Origin, Witness
from anchoring.model import Call, Event, Landed
from gateway.adapters.sql.migrations import migrate
from tests.ports.anchoring_stack import ETHER, Patient, Setup, Stack, SystemClock, address_of, new_key
from tests.ports.databases import query
from tests.ports.test_chain import (
    Deployed,
    deploy_to,
    embedded_url,
    enrolment,
    intend,
    revocation,
    set_up,
    signed_grant,
)
from tests.servers.lying_node import Lie, LyingNode, lying_node

__all__ = ["embedded_url"]  # a fixture

SECONDS = 20.0
BOUNDS = Bounds(lag_blocks=3, silence_seconds=3.0)
FORKING = ChainProfile(name="embedded", block_period=0, confirmations=2, finality=64)
REVOKED = "0x" + contract(CONSENT).topic("ConsentRevoked").hex()
COLUMNS = ["embedded", pytest.param("anvil", marks=pytest.mark.services)]
LIARS = ["the node that is followed", "the witness"]


@dataclass(frozen=True)
class Scene:
    """A stack that follows one node, a witness at another, and what the witness mended. One of the nodes is a liar;
    calls are sent to the true one."""

    stack: Stack
    true: Stack
    witness: Witness
    liar: LyingNode
    mended: list[Event]

    async def land(self, *calls: Call) -> None:
        await intend(self.true, *calls)
        while await self.true.relay.step():
            pass

    async def objects(self) -> str:
        await until(lambda: self.witness.doubt() is not None)
        return str(self.witness.doubt())

    async def agrees(self) -> None:
        await until(lambda: self.witness.doubt() is None)

    def names(self) -> list[str]:
        sql = "select name from chain_events where orphaned_at is null order by block_number, log_index"
        return [name for (name,) in query(self.stack.setup.database_url, sql)]

    def follower_sees_nothing(self) -> None:
        head = self.stack.follower.head()
        assert (head.lag, self.stack.follower.trouble, self.stack.follower.halted) == (0, None, None)
        assert time.monotonic() - head.heard_at < 2


async def until(holds: Callable[[], bool], *, seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


@pytest.fixture(scope="module", params=COLUMNS)
def contracts(request: pytest.FixtureRequest) -> Deployed:
    """Deployed once: each test indexes them anew."""
    if request.param == "embedded":
        url, relay, anchor = request.getfixturevalue("embedded_url")
    else:
        chain = request.getfixturevalue("anvil")
        url, relay, anchor = chain.url, new_key(), new_key()
        for key in (relay, anchor):
            chain.fund(address_of(key), 1_000 * ETHER)
    return asyncio.run(deploy_to(request.param, url=url, relay_key=relay, anchor_key=anchor))


@pytest.fixture
def setup(contracts: Deployed, tmp_path: Path) -> Setup:
    database = f"sqlite:///{tmp_path}/index.db"
    migrate(database)
    return set_up(contracts, tmp_path, database_url=database, profile=FORKING)


@asynccontextmanager
async def played(setup: Setup, *, lies: str) -> AsyncIterator[Scene]:
    """`lies`: which of `LIARS` it is."""
    with lying_node(setup.chain_url) as liar:
        followed, other = (liar.url, setup.chain_url) if lies == LIARS[0] else (setup.chain_url, liar.url)
        stack, true = Stack(dataclasses.replace(setup, chain_url=followed)), Stack(setup)
        mended: list[Event] = []
        witness = Witness(
            "witness 1",
            client=(client := ChainClient(other)),
            node=stack.client,
            follower=stack.follower,
            events=stack.events,
            registries=Registries(setup.deployment.addresses, client),
            profile=setup.profile,
            origin=Origin(
                chain_id=setup.deployment.chain_id,
                genesis=bytes.fromhex(setup.deployment.genesis[2:]),
                first_block=setup.deployment.block,
            ),
            bounds=BOUNDS,
            clock=SystemClock(),
            on_events=mended.extend,
        )
        tasks = [asyncio.create_task(part.run()) for part in (stack.follower, witness)]
        scene = Scene(stack=stack, true=true, witness=witness, liar=liar, mended=mended)
        try:
            await scene.agrees()
            yield scene
        finally:
            witness.stop()
            stack.follower.stop()
            await asyncio.gather(*tasks)
            for one in (stack, true, witness):
                await one.close()


@pytest.mark.parametrize("lies", LIARS)
async def test_a_dropped_log_is_seen_and_put_right_once_it_is_told(setup: Setup, lies: str) -> None:
    async with played(setup, lies=lies) as scene:
        patient = Patient(scene.true)
        consent, granted = await signed_grant(scene.true, patient)
        await scene.land(enrolment(scene.true, patient))
        await scene.land(granted)
        await scene.agrees()
        scene.liar.tell(Lie.DROP, topic=REVOKED)
        await scene.land(revoked := revocation(scene.true, patient, consent))
        assert "other logs" in await scene.objects()
        scene.follower_sees_nothing()
        assert ("ConsentRevoked" in scene.names()) == (lies == LIARS[1])
        scene.liar.tell(Lie.NONE)
        await scene.agrees()
        assert scene.names()[-2:] == ["ConsentGranted", "ConsentRevoked"]
        assert [event.name for event in scene.mended] == (["ConsentRevoked"] if lies == LIARS[0] else [])
        # The lane, which settles the call, has a turn of its own.
        assert isinstance(await scene.stack.follower.outcome(revoked.call, timeout=40), Landed)


@pytest.mark.parametrize("lies", LIARS)
async def test_other_receipts_are_seen_and_put_right(setup: Setup, lies: str) -> None:
    async with played(setup, lies=lies) as scene:
        patient = Patient(scene.true)
        consent, granted = await signed_grant(scene.true, patient)
        for call in (enrolment(scene.true, patient), granted):
            await scene.land(call)
        await scene.agrees()
        scene.liar.tell(Lie.ALTER, topic=REVOKED)
        await scene.land(revocation(scene.true, patient, consent))
        assert "other logs" in await scene.objects()
        scene.follower_sees_nothing()
        scene.liar.tell(Lie.NONE)
        await scene.agrees()
        found = query(
            scene.stack.setup.database_url, "select key1, key2 from chain_events where name = 'ConsentRevoked'"
        )
        assert [bytes(key) for subject, key in found if bytes(subject) == patient.subject] == [consent]


@pytest.mark.parametrize("lies", LIARS)
async def test_a_frozen_head_is_seen_once_it_is_further_behind_than_the_bound(setup: Setup, lies: str) -> None:
    async with played(setup, lies=lies) as scene:
        scene.liar.tell(Lie.FREEZE)
        for _ in range(BOUNDS.lag_blocks + 1):
            await scene.land(enrolment(scene.true, Patient(scene.true)))
        assert ("ahead of" if lies == LIARS[0] else "behind") in await scene.objects()
        scene.follower_sees_nothing()
        scene.liar.tell(Lie.NONE)
        await scene.agrees()


@pytest.mark.parametrize("lies", LIARS)
async def test_a_fork_is_seen_at_its_first_block(setup: Setup, lies: str) -> None:
    async with played(setup, lies=lies) as scene:
        scene.liar.tell(Lie.FORK)
        await scene.land(enrolment(scene.true, Patient(scene.true)))
        assert "another block" in await scene.objects()
        scene.follower_sees_nothing()
        scene.liar.tell(Lie.NONE)
        await scene.agrees()


@pytest.mark.parametrize("lie", [Lie.STRANGER, Lie.GENESIS])
async def test_a_witness_that_comes_to_serve_another_chain_is_seen(setup: Setup, lie: Lie) -> None:
    async with played(setup, lies=LIARS[1]) as scene:
        scene.liar.tell(lie)
        scene.witness._identified_at = float("-inf")  # half a minute has passed
        assert ("serves chain" if lie is Lie.STRANGER else "genesis") in await scene.objects()
        scene.liar.tell(Lie.NONE)
        await scene.agrees()


async def test_a_silent_witness_is_in_doubt_once_its_word_is_too_old(setup: Setup) -> None:
    async with played(setup, lies=LIARS[1]) as scene:
        scene.liar.tell(Lie.MUTE)
        began = time.monotonic()
        assert "not been heard of" in await scene.objects()
        assert time.monotonic() - began > BOUNDS.silence_seconds - 1.5
        scene.follower_sees_nothing()
        scene.liar.tell(Lie.NONE)
        await scene.agrees()


async def test_an_idle_witness_is_asked_once_in_half_a_second(setup: Setup) -> None:
    async with played(setup, lies=LIARS[1]) as scene:
        asked = scene.liar.asked
        await asyncio.sleep(2)
        assert scene.liar.asked - asked <= 5
