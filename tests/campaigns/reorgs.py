"""B5: reorganizations while tickets are anchored and consents granted and revoked, of every depth that is not final.

Blocks are dropped with their transactions, dropped and their transactions mined again in another order, or simply gone:
a chain that comes back shorter. After each the index must follow, and at the end: every ticket is anchored once, the
index has what the contract has, nothing that was FINAL ever went back, and no revocation that was seen was ever unseen.
"""

import asyncio
import random
import time
from dataclasses import dataclass, field

from anchoring.errors import ChainHalted
from anchoring.model import Call, Landed, LeafStatus, Reverted
from tests.campaigns.chains import FORKING, Forked, forked, until
from tests.campaigns.model import Asked, Figure, Report, at_least, digest_of, none_of, told
from tests.ports.anchoring_stack import Patient
from tests.ports.test_chain import enrolment, intend, revocation, signed_grant

KINDS = ("dropped", "reordered", "shorter")
DEPTH = FORKING.confirmations + 2
TICKETS_A_ROUND = 8
LAND_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reorg:
    kind: str
    depth: int
    pause: float
    revokes: bool


@dataclass(slots=True, kw_only=True)
class World:
    """What was asked for, and what was seen on the way. `grants`: the call of each consent."""

    calls: list[Call] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    granted: dict[bytes, Patient] = field(default_factory=dict)
    revoked: set[bytes] = field(default_factory=set)
    grants: dict[bytes, bytes] = field(default_factory=dict)
    seen: set[bytes] = field(default_factory=set)
    final: set[bytes] = field(default_factory=set)
    unseen: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)

    @property
    def ended(self) -> set[bytes]:
        """Calls of grants that were revoked."""
        return {self.grants[consent] for consent in self.revoked}


def draw(seed: int, rounds: int) -> list[Reorg]:
    chance = random.Random(seed)
    return [
        Reorg(
            kind=chance.choice(KINDS),
            depth=chance.randint(1, DEPTH),
            pause=chance.random() * 0.4,
            revokes=chance.random() < 0.6,
        )
        for _ in range(rounds)
    ]


def reorganize(asked: Asked) -> Report:
    """B5: `rounds` reorganizations."""
    began = time.monotonic()
    plan = draw(asked.seed, asked.rounds)
    figures = asyncio.run(_campaign(asked, plan))
    return Report(
        bar="B5",
        asked=asked,
        figures=tuple(figures),
        plan=digest_of([[one.kind, one.depth, one.revokes] for one in plan]),
        history=digest_of([[one.name, one.met] for one in figures]),
        seconds=time.monotonic() - began,
    )


async def _campaign(asked: Asked, plan: list[Reorg]) -> list[Figure]:
    world = World()
    async with forked(asked.folder) as made:
        watching = asyncio.create_task(_watch(made, world))
        patients = [Patient(made.stack) for _ in range(4)]
        enrolments = [enrolment(made.stack, one) for one in patients]
        await intend(made.stack, *enrolments)
        world.calls += enrolments
        for at, each in enumerate(plan):
            await _act(made, world, patients[at % len(patients)], each)
            await asyncio.sleep(each.pause)
            await fork(made, each)
            if (at + 1) % 20 == 0:
                asked.say(f"B5: {at + 1} of {len(plan)} reorganizations")
        lost = [call.call.hex() for call in world.calls if not await _landed(made, world, call)]
        anchored = await until(lambda: _final(made, world), seconds=LAND_SECONDS)
        await until(lambda: _orphanless(made), seconds=LAND_SECONDS)
        watching.cancel()
        return [
            *await _verdicts(made, world, plan, lost, anchored),
            await past_finality(made),
        ]


async def _act(made: Forked, world: World, patient: Patient, each: Reorg) -> None:
    consent, call = await signed_grant(made.stack, patient)
    calls = [call]
    if each.revokes and world.granted:
        ended = next(iter(world.granted.keys() - world.revoked), None)
        if ended is not None and await made.in_force(world.granted[ended].subject, ended):
            calls.append(revocation(made.stack, world.granted[ended], ended))
            world.revoked.add(ended)
    world.granted[consent] = patient
    world.grants[consent] = call.call
    world.calls += calls
    await intend(made.stack, *calls)
    world.leaves += await made.stack.queue_tickets(TICKETS_A_ROUND)


async def fork(made: Forked, each: Reorg) -> None:
    """anvil loses a block of its own, for good, when it mines one in the midst of this: so mining waits."""
    made.mining = False
    await made.rpc("evm_setAutomine", False)
    await asyncio.sleep(0.15)
    try:
        if each.kind == "shorter":
            await made.rpc("anvil_rollback", each.depth)
        else:
            await made.rpc("anvil_reorg", each.depth, await _again(made, each) if each.kind == "reordered" else [])
    finally:
        await made.rpc("evm_setAutomine", True)
        made.mining = True


async def _again(made: Forked, each: Reorg) -> list[list[object]]:
    """The lost blocks' own transactions, in other blocks of the new branch; nonces keep their order within it."""
    head = int(str(await made.rpc("eth_blockNumber")), 16)
    raws: list[object] = []
    for number in range(head - each.depth + 1, head + 1):
        block = await made.rpc("eth_getBlockByNumber", hex(number), False)
        assert isinstance(block, dict)
        raws += [await made.rpc("eth_getRawTransactionByHash", name) for name in block["transactions"]]
    return [[raw, each.depth - 1] for raw in raws]


async def _watch(made: Forked, world: World) -> None:
    """What was seen once is looked for again and again."""
    while True:
        now = await asyncio.to_thread(made.events, "ConsentRevoked")
        world.unseen += [f"revocation of 0x{one.hex()[:8]}" for one in world.seen - now]
        world.seen |= now
        states = await made.statuses(world.leaves)
        final = {leaf for leaf, status in zip(world.leaves, states, strict=False) if status is LeafStatus.FINAL}
        world.back += [f"leaf 0x{leaf.hex()[:8]}" for leaf in world.final - final]
        world.final |= final
        await asyncio.sleep(0.1)


async def _landed(made: Forked, world: World, call: Call) -> bool:
    """On chain; or barred, where a reorganization let its revocation overtake it: that is the contract's word."""
    found = await made.stack.follower.outcome(call.call, timeout=LAND_SECONDS)
    barred = isinstance(found, Reverted) and found.error == "ConsentBarred" and call.call in world.ended
    return isinstance(found, Landed) or barred


async def _final(made: Forked, world: World) -> bool:
    return all(status is LeafStatus.FINAL for status in await made.statuses(world.leaves))


async def _orphanless(made: Forked) -> bool:
    return all(made.events(name) == made.events(name, orphaned_too=False) for name in ("ConsentRevoked",))


async def _verdicts(made: Forked, world: World, plan: list[Reorg], lost: list[str], anchored: float) -> list[Figure]:
    stack = made.stack
    states = await stack.log.anchor_states(world.leaves)
    unproven = [
        leaf.hex()[:8]
        for leaf, state in zip(world.leaves, states, strict=True)
        if state.proof is None or not await stack.verified_on_chain(leaf, state.proof)
    ]
    on_chain = (await stack.log_state(stack.log.records_log))[1]
    here = made.events("ConsentGranted", orphaned_too=False) - made.events("ConsentRevoked", orphaned_too=False)
    there = {consent for consent, owner in world.granted.items() if await made.in_force(owner.subject, consent)}
    unended = [consent.hex()[:8] for consent in world.revoked & there]
    return [
        told("reorganizations", len(plan)),
        at_least("tickets", len(world.leaves), TICKETS_A_ROUND * len(plan)),
        none_of("calls that never landed", lost),
        Figure(name="all tickets final", value=f"{anchored:.1f} s", demand="in time", met=anchored < float("inf")),
        none_of("tickets that the chain does not prove", unproven),
        Figure(
            name="leaves on chain",
            value=str(on_chain),
            demand=str(len(world.leaves)),
            met=on_chain == len(world.leaves),
        ),
        none_of("consents in which index and contract differ", [one.hex()[:8] for one in here ^ there]),
        none_of("revoked consents in force", unended),
        none_of("revocations that were unseen for a moment", world.unseen),
        none_of("leaves that were FINAL and went back", world.back),
    ]


async def past_finality(made: Forked) -> Figure:
    """The last one goes deeper than anything may: the follower halts, says so, and indexes nothing more."""
    await until(lambda: _caught_up(made), seconds=10)
    stood = made.stack.follower.head().number
    await fork(made, Reorg(kind="dropped", depth=FORKING.finality + 10, pause=0, revokes=False))
    await until(lambda: _halted(made), seconds=10)
    follower = made.stack.follower
    halted = isinstance(follower.halted, ChainHalted) and follower.head().heard_at == float("-inf")
    await asyncio.sleep(1.0)
    met = halted and stood > 0
    return Figure(name="a reorganization past finality", value=str(follower.trouble), demand="halts", met=met)


async def _caught_up(made: Forked) -> bool:
    return made.stack.follower.head().lag == 0


async def _halted(made: Forked) -> bool:
    return made.stack.follower.halted is not None
