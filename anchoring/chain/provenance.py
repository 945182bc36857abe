"""What the chain itself says of what the index has: of events, each asked for by its block and first name; of actors.

True here: an event counts as the chain's only if a log of that block, asked of the node by number (so of the canonical
chain), is equal to it in every part. What was found past finality is kept, because it stays. Nothing is said of events
that the index lacks: whoever counts them compares the count.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from anchoring.chain.abi import IDENTITY, contract
from anchoring.chain.client import ChainClient, Json, Request, answered, octets
from anchoring.chain.registries import Registries
from anchoring.model import ActorState, Event

HELD: Final = 100_000
Place = tuple[bytes, int]
"""Block hash and index of a log: what names an event once and for all."""


class Provenance:
    """Compares indexed events with the node's own logs. `finality`: blocks on top after which a block stays."""

    def __init__(self, registries: Registries, client: ChainClient, *, finality: int) -> None:
        self._registries = registries
        self._client = client
        self._finality = finality
        self._found: OrderedDict[Place, Event] = OrderedDict()

    async def holds(self, events: Sequence[Event], *, head: int) -> bool:
        """True if the chain has each of these, and no two are one. Raises ChainUnavailable, ChainRefused."""
        if len({_place(event) for event in events}) != len(events):
            return False
        unknown = [event for event in events if self._found.get(_place(event)) != event]
        asked = sorted({(event.block_number, event.keys[0]) for event in unknown if event.keys})
        if any(number > head for number, _ in asked):
            return False
        answers = await self._client.batch([("eth_getLogs", (self._filter(*one),)) for one in asked])
        there = {_place(event): event for logs in answered(answers) for event in self._registries.events(logs)}
        for event in unknown:
            if there.get(_place(event)) != event:
                return False
            if head - event.block_number >= self._finality:
                self._keep(event)
        return True

    async def actor(self, actor: bytes, organizations: Sequence[bytes], *, head: int) -> ActorState:
        """An actor, and its memberships of these organizations, at a block. Raises ChainUnavailable, ChainRefused."""
        state, membership = (contract(IDENTITY).methods[name] for name in ("actorState", "membership"))
        asked = [self._call(state.encode(name), head) for name in (actor, *organizations)]
        asked += [self._call(membership.encode(name, actor), head) for name in organizations]
        found = [octets(one) for one in answered(await self._client.batch(asked))]
        (key, roles, epoch, removed), *others = (state.decode(one) for one in found[: 1 + len(organizations)])
        members = [membership.decode(one) for one in found[1 + len(organizations) :]]
        ends = {
            name: 0 if gone else int(not_after)
            for name, (_, _, _, gone), (_, not_after, _) in zip(organizations, others, members, strict=True)
        }
        return ActorState(key=bytes(key), roles=int(roles), epoch=int(epoch), removed=bool(removed), memberships=ends)

    def _call(self, data: bytes, head: int) -> Request:
        return "eth_call", ({"to": self._registries.addresses.identity, "data": "0x" + data.hex()}, hex(head))

    def _filter(self, number: int, name: bytes) -> Json:
        block: Json = self._registries.log_filter(first=number, last=number)
        assert isinstance(block, dict)
        return {**block, "topics": [None, "0x" + name.hex()]}

    def _keep(self, event: Event) -> None:
        self._found[_place(event)] = event
        if len(self._found) > HELD:
            self._found.popitem(last=False)


def _place(event: Event) -> Place:
    return event.block_hash, event.log_index
