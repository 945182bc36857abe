"""B6: a stuck chain: transactions dropped from the pool, a nonce gap, a leap of the base fee, bytes that the node knows
already, a chain that is stopped. All that was intended lands within 60 s of the last one; no nonce is left out, no
batch is anchored twice; and a batch that cannot go holds up neither consents nor another writer's batch.
"""

import asyncio
import random
import secrets
import time
from dataclasses import dataclass, field
from functools import partial

from anchoring.model import Call, Landed, LeafStatus, LogKind, LogName
from anchoring.proof import log_id
from tests.campaigns.chains import Forked, forked, until
from tests.campaigns.model import Asked, Figure, Report, at_most, digest_of, none_of, told
from tests.ports.anchoring_stack import ETHER, Patient
from tests.ports.databases import query
from tests.ports.test_chain import enrolment, intend, signed_grant

KINDS = ("dropped", "gap", "spike", "known", "stopped")
LAND_SECONDS = 60.0
STOPPED_SECONDS = 60.0
STOPPED_SECONDS_SHORT = 6.0
TICKETS_A_ROUND = 6
MANY = 20
"""From so many injections on, a chain is stopped for as long as the release form demands."""


@dataclass(slots=True, kw_only=True)
class World:
    calls: list[Call] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    slowest: float = 0.0
    late: list[str] = field(default_factory=list)


def starve(asked: Asked) -> Report:
    """B6: `rounds` injections."""
    began = time.monotonic()
    chance = random.Random(asked.seed)
    plan = [KINDS[at % len(KINDS)] for at in range(asked.rounds)]
    chance.shuffle(plan)
    figures = asyncio.run(_campaign(asked, plan))
    return Report(
        bar="B6",
        asked=asked,
        figures=tuple(figures),
        plan=digest_of(plan),
        history=digest_of([[one.name, one.met] for one in figures]),
        seconds=time.monotonic() - began,
    )


async def _campaign(asked: Asked, plan: list[str]) -> list[Figure]:
    world = World()
    stopped = STOPPED_SECONDS if len(plan) >= MANY else STOPPED_SECONDS_SHORT
    async with forked(asked.folder) as made:
        patient = Patient(made.stack)
        world.calls.append(enrolment(made.stack, patient))
        await intend(made.stack, world.calls[0])
        assert await _landed(made, world.calls[0])
        for kind in plan:
            await _inject(made, world, patient, kind, stopped)
            asked.say(f"B6: {kind}, all landed")
        figures = await _verdicts(made, world)
        return [told("injections", len(plan)), *figures, *await _a_batch_that_cannot_go(made, patient)]


async def _inject(made: Forked, world: World, patient: Patient, kind: str, stopped: float) -> None:
    """While nothing is mined, calls and tickets are sent; then the pool is meddled with, and blocks come again."""
    made.mining = False
    await made.rpc("evm_setAutomine", False)
    _, call = await signed_grant(made.stack, patient)
    world.calls.append(call)
    await intend(made.stack, call)
    leaves = await made.stack.queue_tickets(TICKETS_A_ROUND)
    world.leaves += leaves
    await until(partial(_some_sent, made), seconds=10)
    match kind:
        case "dropped":
            for signer in (made.stack.relay_signer, made.stack.anchor_signer):
                await made.rpc("anvil_removePoolTransactions", signer.address)
        case "gap":
            await _open_gap(made)
        case "spike":
            now = int(str(await made.rpc("eth_gasPrice")), 16)
            await made.rpc("anvil_setNextBlockBaseFeePerGas", hex(now * 20))
        case "known":
            for sent in [*await made.stack.calls.sent("relay"), *await made.stack.calls.sent("anchor")]:
                await _ignored(made, "eth_sendRawTransaction", "0x" + sent.attempts[-1].hex())
        case "stopped":
            made.chain.process.suspend()
            await asyncio.sleep(stopped)
            made.chain.process.resume()
    await made.rpc("evm_setAutomine", True)
    made.mining = True
    await made.rpc("evm_mine")
    took = await until(partial(_all_anchored, made, leaves, call), seconds=LAND_SECONDS)
    world.slowest = max(world.slowest, took)
    if took == float("inf"):
        world.late.append(f"{kind}: {[part.trouble for part in made.stack.parts]}")


async def _open_gap(made: Forked) -> None:
    """The first nonce under way is dropped, and a later one stays in the pool."""
    _, other = await signed_grant(made.stack, Patient(made.stack))
    await intend(made.stack, other)  # of a subject that nobody enrolled: it never lands, and must hinder nobody
    sent = await made.stack.calls.sent("relay")
    if sent:
        first = min(sent, key=lambda one: one.nonce)
        block = await made.rpc("txpool_content")
        named = [
            entry["hash"]
            for entries in (block["pending"].values() if isinstance(block, dict) else ())
            for nonce, entry in entries.items()
            if int(nonce) == first.nonce and entry["from"].lower() == made.stack.relay_signer.address.lower()
        ]
        for name in named:
            await made.rpc("anvil_dropTransaction", name)


async def _ignored(made: Forked, method: str, *params: object) -> None:
    """Sent by somebody else: what the node says of it is theirs to care for."""
    try:
        await made.rpc(method, *params)
    except Exception as refused:
        if "already" not in str(refused) and "nonce" not in str(refused):
            raise


async def _some_sent(made: Forked) -> bool:
    return bool(await made.stack.calls.sent("relay"))


async def _all_anchored(made: Forked, leaves: list[bytes], call: Call) -> bool:
    if not isinstance(await made.stack.follower.outcome(call.call, timeout=0), Landed):
        return False
    states = await made.statuses(leaves)
    return all(status in (LeafStatus.ANCHORED, LeafStatus.FINAL) for status in states)


async def _landed(made: Forked, call: Call) -> bool:
    return isinstance(await made.stack.follower.outcome(call.call, timeout=LAND_SECONDS), Landed)


async def _verdicts(made: Forked, world: World) -> list[Figure]:
    stack = made.stack
    batches, leaves = await stack.log_state(stack.log.records_log)
    url = stack.setup.database_url
    (cut,) = query(url, "select count(*) from batches")[0]
    gaps = []
    for lane, signer in (("relay", stack.relay_signer), ("anchor", stack.anchor_signer)):
        used = int(str(await made.rpc("eth_getTransactionCount", signer.address, "latest")), 16)
        waiting = int(str(await made.rpc("eth_getTransactionCount", signer.address, "pending")), 16)
        under_way = [one.nonce for one in await stack.calls.sent(lane)]
        gaps += [f"{lane}: {nonce} above {used}" for nonce in under_way if nonce > used + len(under_way)]
        gaps += [f"{lane}: {waiting - used} in the pool"] if waiting != used and not under_way else []
    return [
        none_of("injections after which something did not land within 60 s", world.late),
        at_most("slowest to land, s", round(world.slowest, 1), LAND_SECONDS),
        none_of("nonce gaps", gaps),
        Figure(name="batches on chain", value=str(batches), demand=str(cut), met=batches == cut),
        Figure(
            name="leaves on chain", value=str(leaves), demand=str(len(world.leaves)), met=leaves == len(world.leaves)
        ),
    ]


async def _a_batch_that_cannot_go(made: Forked, patient: Patient) -> list[Figure]:
    """The anchor account has no coins: consents go on. Then one log is another's: the other writer's batches go on."""
    stack = made.stack
    await made.rpc("anvil_setBalance", stack.anchor_signer.address, "0x0")
    stuck = await stack.queue_tickets(3)
    _, call = await signed_grant(stack, patient)
    await intend(stack, call)
    consent = await until(partial(_is_landed, made, call), seconds=20)
    await made.rpc("anvil_setBalance", stack.anchor_signer.address, hex(100 * ETHER))
    freed = await until(partial(_anchored, made, stuck), seconds=LAND_SECONDS)
    other = await _beside_a_log_that_is_closed(made)
    return [
        Figure(name="a consent beside a stuck batch", value=f"{consent:.1f} s", demand="lands", met=consent < 20),
        Figure(name="the batch, once it can go", value=f"{freed:.1f} s", demand="lands", met=freed < LAND_SECONDS),
        Figure(
            name="another writer's batch beside a stuck log", value=f"{other:.1f} s", demand="lands", met=other < 20
        ),
    ]


async def _beside_a_log_that_is_closed(made: Forked) -> float:
    """Seconds until an audit writer's batch is anchored, while tickets wait for a log of nobody's."""
    stack = made.stack
    nobody = log_id(LogName(gateway=secrets.token_bytes(32), writer=stack.writer, kind=LogKind.RECORDS))
    await stack.queue_tickets(2, log=nobody)
    return await until(partial(_anchored, made, await stack.queue_audit(5, writer=secrets.token_bytes(32))), seconds=20)


async def _is_landed(made: Forked, call: Call) -> bool:
    return isinstance(await made.stack.follower.outcome(call.call, timeout=0), Landed)


async def _anchored(made: Forked, leaves: list[bytes]) -> bool:
    return all(status in (LeafStatus.ANCHORED, LeafStatus.FINAL) for status in await made.statuses(leaves))
