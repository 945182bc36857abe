"""Two nodes that show the same blocks and logs, and answer one question in two ways: nothing is decided on it."""

import asyncio
import contextlib
import dataclasses
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from anchoring.chain.client import ChainClient
from gateway.adapters.packs import PackStore
from gateway.adapters.sql.migrations import migrate
from gateway.errors import UpstreamError
from gateway.ports.clock import SystemClock
from gateway.settings import Settings
from gateway.storage.service import Blocks
from gateway.wiring.chain import ChainParts, ChainPort
from gateway.wiring.secrets import secrets_of
from gateway.wiring.witnesses import witnessed
from tests.attacks.test_anchoring import send_all
from tests.attacks.test_lying_node import FORKING, until
from tests.ports.anchoring_stack import Patient, Stack
from tests.ports.test_chain import deploy_to, embedded_url, enrolment, intend, set_up, signed_grant
from tests.servers.lying_node import Lie, LyingNode, lying_node

__all__ = ["embedded_url"]  # a fixture


@dataclasses.dataclass(frozen=True)
class Asked:
    """`plain`: the same chain's port without its witness."""

    port: ChainPort
    plain: ChainPort
    liar: LyingNode
    true: Stack


@pytest.fixture
async def asked(embedded_url: tuple[str, str, str], tmp_path: Path) -> AsyncIterator[Asked]:
    """A port over a lying node and a witness that does not lie."""
    url, relay, anchor = embedded_url
    deployed = await deploy_to("embedded", url=url, relay_key=relay, anchor_key=anchor)
    setup = set_up(deployed, tmp_path, database_url=f"sqlite:///{tmp_path}/true.db")
    migrate(setup.database_url)
    true = Stack(setup)
    async with contextlib.AsyncExitStack() as closing:
        liar = closing.enter_context(lying_node(url))
        settings = Settings(data_dir=tmp_path / "data", chain_url=liar.url, witness_rpc_url=(url,))
        kept = await asyncio.to_thread(secrets_of, settings)
        migrate(settings.index_url)
        parts = ChainParts(
            settings=settings,
            secrets=kept,
            client=ChainClient(liar.url),
            profile=FORKING,
            deployment=deployed.deployment,
            blocks=Blocks(PackStore.open(tmp_path / "blocks")),
            clock=SystemClock(),
            on_events=lambda events: None,
        )
        closing.push_async_callback(true.close)
        closing.push_async_callback(parts.stop)
        parts.start_following()
        port = await witnessed(settings, parts, SystemClock(), lambda events: None, closing)
        await until(lambda: port.head().doubt is None)
        yield Asked(port=port, plain=ChainPort(parts), liar=liar, true=true)


async def test_a_state_that_only_one_node_gives_is_none_and_puts_all_reads_in_doubt(asked: Asked) -> None:
    patient = Patient(asked.true)
    await intend(asked.true, enrolment(asked.true, patient))
    await send_all(asked.true)
    asked.liar.tell(Lie.OLD)
    _, granted = await signed_grant(asked.true, patient)
    await intend(asked.true, granted)
    await send_all(asked.true)
    newest = await asked.true.client.block("latest")
    await until(lambda: newest is not None and asked.port.head().number >= newest.number)
    assert await asked.plain.subject_states([patient.subject]) == ((0, 0),)
    with pytest.raises(UpstreamError, match="do not agree"):
        await asked.port.subject_states([patient.subject])
    assert "answers otherwise" in str(asked.port.head().doubt)


async def test_what_both_say_is_the_answer(asked: Asked) -> None:
    stranger = secrets.token_bytes(32)
    assert await asked.port.subject_states([stranger]) == ((0, 0),)
    assert (await asked.port.actor(stranger, [])).key == b""
    assert await asked.port.actor_of_key(stranger) is None
    assert await asked.port.emitted([])
    assert asked.port.head().doubt is None


async def test_an_answer_on_what_is_newest_differs_by_nature_and_stops_nobody_else(asked: Asked) -> None:
    """Of another's contract it may differ by that one's will, too: such an answer is none, and all reads go on."""
    asked.liar.tell(Lie.OLD)
    key = secrets.token_bytes(20)
    actor, encryption_key = secrets.token_bytes(32), secrets.token_bytes(32)
    registered = asked.true.registries.register_actor(
        actor=actor, key=key, roles=2, profile=bytes(32), encryption_key=encryption_key
    )
    await intend(asked.true, registered)
    await send_all(asked.true)
    with pytest.raises(UpstreamError, match="do not agree"):
        await asked.port.actor_of_key(key)
    assert asked.port.head().doubt is None
