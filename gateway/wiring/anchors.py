"""Where leaves stand, as the domains see it: anchoring's states in this gateway's shapes, kept while they hold."""

from collections import OrderedDict
from collections.abc import Sequence

from anchoring.log import AnchorLog
from anchoring.model import LeafState, LeafStatus
from gateway.ports.anchors import AnchorState, Proof
from gateway.ports.clock import Clock
from gateway.wiring.chain import translated

FINAL_HELD = 20_000
RECENT_HELD = 10_000
RECENT_SECONDS = 0.25
"""As often as the anchoring worker looks."""
WAITING_SECONDS = 1.0
_PENDING = AnchorState(status="PENDING", proof=None)


class AnchorsPort:
    """`gateway.ports.anchors.Anchors`. What is FINAL is kept, because it never changes; what is under way for a moment,
    because its tickets move no quicker, and reads of what was just written would each wait for a thread."""

    def __init__(self, log: AnchorLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self.records_log: bytes = log.records_log
        self.releases_log: bytes = log.releases_log
        self.studies_log: bytes = log.studies_log
        self._waiting = 0
        self._counted_until = float("-inf")
        self._final: OrderedDict[bytes, AnchorState] = OrderedDict()
        self._recent: OrderedDict[bytes, tuple[float, AnchorState]] = OrderedDict()

    async def waiting(self) -> int:
        now = self._clock.monotonic()
        if now >= self._counted_until:
            self._counted_until = now + WAITING_SECONDS  # one asks; those beside it have the count of before
            with translated():
                self._waiting = await self._log.waiting()
        return self._waiting

    def leaf(self, values: Sequence[bytes], *, kind: str) -> bytes:
        return self._log.leaf(values, kind=kind)

    async def states(self, leaves: Sequence[bytes]) -> tuple[AnchorState, ...]:
        now = self._clock.monotonic()
        known = {leaf: state for leaf in leaves if leaf and (state := self._kept(leaf, now)) is not None}
        missing = [leaf for leaf in leaves if leaf and leaf not in known]
        if missing:
            with translated():
                found = await self._log.anchor_states(missing)
            for leaf, state in zip(missing, map(_state, found), strict=True):
                known[leaf] = state
                self._keep(leaf, state, now)
        return tuple(known.get(leaf, _PENDING) for leaf in leaves)

    def _kept(self, leaf: bytes, now: float) -> AnchorState | None:
        final = self._final.get(leaf)
        if final is not None:
            return final
        until, state = self._recent.get(leaf, (0.0, None))
        return state if until > now else None

    def _keep(self, leaf: bytes, state: AnchorState, now: float) -> None:
        if state.status == LeafStatus.FINAL.value:
            self._final[leaf] = state
            self._recent.pop(leaf, None)
        else:
            self._recent.pop(leaf, None)  # the oldest stay in front
            self._recent[leaf] = (now + RECENT_SECONDS, state)
        while len(self._final) > FINAL_HELD:
            self._final.popitem(last=False)
        while self._recent and (len(self._recent) > RECENT_HELD or next(iter(self._recent.values()))[0] <= now):
            self._recent.popitem(last=False)


def _state(found: LeafState) -> AnchorState:
    proof = found.proof
    if proof is None:
        return AnchorState(status=found.status.value, proof=None)
    return AnchorState(
        status=found.status.value,
        proof=Proof(
            log=proof.log,
            leaf_encoding=proof.leaf_encoding,
            leaf_values=proof.leaf_values,
            path=proof.path,
            root=proof.root,
            chain_id=proof.chain_id,
            contract=proof.contract,
            transaction=proof.transaction,
            block_number=proof.block_number,
        ),
    )
