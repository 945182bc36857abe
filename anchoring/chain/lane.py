"""One account's lane: intended calls in, landed or refused calls out. One process at a time sends for an account.

1. Hold the account's lease (compare-and-swap in the database); without it, nothing is sent.
2. For each call under a nonce: look for a receipt of any of its signed transactions; else send the same bytes again;
   after longer patience, the same nonce at higher fees.
3. For calls without a nonce, by priority: simulate; sign; make the signed bytes durable; only then send them.

A revert is believed only when nothing of this lane is under way, no older call waits, and the index stands, with all
that landed, on the chain that was asked: until then the call may stand on what is yet to land, or to land again.
What the chain already has as asked is success. Not done here: knowing whether a block stays; the follower puts calls
of lost blocks back under way, and step 2 sends the same bytes again.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from anchoring.chain.abi import error_name
from anchoring.chain.client import ChainClient, Json, Request, answered, octets, quantity
from anchoring.chain.profile import ChainProfile
from anchoring.chain.registries import Registries
from anchoring.chain.signer import Fees, Signer, fees_for, terms_of
from anchoring.errors import AnchoringError, ChainRefused, ChainUnavailable, LeaseLost
from anchoring.merkle import keccak256
from anchoring.model import BlockRef, Call, SentCall
from anchoring.ports import CallStore, Clock

LEASE_SECONDS: Final = 15
IN_FLIGHT: Final = 16
"""Nonces under way at once."""
RETRY_SECONDS: Final = 0.5
GAS_MARGIN: Final = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class _Receipt:
    transaction: bytes
    block: BlockRef
    succeeded: bool


class Lane:
    """Run it with `run`, end it with `stop`. `on_landed` is called after each landing, and where the index
    has to move before the lane can."""

    def __init__(
        self,
        name: str,
        *,
        client: ChainClient,
        registries: Registries,
        signer: Signer,
        store: CallStore,
        profile: ChainProfile,
        clock: Clock,
        on_landed: Callable[[], None] = lambda: None,
    ) -> None:
        self.name: Final = name
        self._client = client
        self._registries = registries
        self._signer = signer
        self._store = store
        self._profile = profile
        self._clock = clock
        self._on_landed = on_landed
        self._owner = ""
        self._lease_until = 0.0
        self._resent: dict[bytes, float] = {}
        self._vanished: set[bytes] = set()
        self._gap_since: float | None = None
        self._work = asyncio.Event()
        self._stopping = False
        self.trouble: str | None = None
        """What keeps the lane from sending, in words for an operator; None while all is well."""

    def wake(self) -> None:
        """Says that there are new calls; no I/O."""
        self._work.set()

    def stop(self) -> None:
        """Ends `run` after the step that is under way."""
        self._stopping = True
        self._work.set()

    async def run(self) -> None:
        """Steps until `stop`. Nothing that may fail ends it: an unreachable chain or database is tried again."""
        while not self._stopping:
            self._work.clear()
            self.trouble = None
            try:
                busy = await self.step()
            except LeaseLost:
                busy = False
            except AnchoringError as e:
                self.trouble, busy = str(e), False
            with contextlib.suppress(TimeoutError):
                pause = self._profile.busy_poll if busy else max(RETRY_SECONDS, self._profile.busy_poll)
                await asyncio.wait_for(self._work.wait(), pause)
        with contextlib.suppress(AnchoringError):
            await self._store.drop_lease(self._signer.address, owner=self._owner)

    async def step(self) -> bool:
        """One round of the three steps; True while calls are under way. Raises AnchoringError; may be repeated."""
        if not await self._hold_lease():
            return False
        sent = await self._store.sent(self.name)
        still = await self._follow_up(sent) if sent else []
        return await self._send_new(still) or bool(still)

    # 1. The lease

    async def _hold_lease(self) -> bool:
        now = self._clock.now()
        if self._owner and now < self._lease_until - LEASE_SECONDS / 2:
            return True
        if now >= self._lease_until:
            self._owner = secrets.token_hex(8)  # what an expired lease of ours left behind is a stranger's
        until = int(now) + LEASE_SECONDS
        held = await self._store.take_lease(self._signer.address, owner=self._owner, now=int(now), until=until)
        self._lease_until = until if held else 0.0
        return held

    # 2. What is under way

    async def _follow_up(self, sent: Sequence[SentCall]) -> list[SentCall]:
        """Those still under way. The nonce is read before the receipts: one that was used then, without any of our
        receipts after, was used by something else."""
        used, receipts = await self._receipts([keccak256(raw) for one in sent for raw in one.attempts])
        still: list[SentCall] = []
        for one in sent:
            found = [receipts[name] for raw in one.attempts if (name := keccak256(raw)) in receipts]
            if found:
                await self._settle(one, found[0])
            elif used > one.nonce:
                still += await self._replace_vanished(one)
            else:
                still.append(await self._send_again(one))
        return await self._fill_gap(still, used)

    async def _fill_gap(self, sent: list[SentCall], used: int) -> list[SentCall]:
        """Where a lost block left a nonce that no call has any more, nothing behind it can land: the last call moves
        there. Should its old transaction land too, then the same call stands twice, which the contracts take as one."""
        now = self._clock.monotonic()
        if not sent or any(one.nonce <= used for one in sent):
            self._gap_since = None
            return sent
        self._gap_since = now if self._gap_since is None else self._gap_since
        if now - self._gap_since < self._profile.patience:
            return sent
        self._gap_since = None
        last = max(sent, key=lambda one: one.nonce)
        moved = await self._sign_again(last, nonce=used)
        await self._broadcast(moved)
        return [*(one for one in sent if one is not last), moved]

    async def _settle(self, sent: SentCall, receipt: _Receipt) -> None:
        name = sent.call.call
        if receipt.succeeded:
            await self._land(name, receipt.transaction, receipt.block)
        else:
            # It reverted in its block, though its simulation did not. The next simulation says what holds now.
            await self._store.requeue(self._signer.address, owner=self._owner, call=name)
        self._forget(name)

    async def _replace_vanished(self, sent: SentCall) -> list[SentCall]:
        """A node may know the nonce before it finds the receipt: believe it the second time. Until then the call is
        under way."""
        if sent.call.call not in self._vanished:
            self._vanished.add(sent.call.call)
            return [sent]
        await self._store.requeue(self._signer.address, owner=self._owner, call=sent.call.call)
        self._forget(sent.call.call)
        return []

    async def _send_again(self, sent: SentCall) -> SentCall:
        self._vanished.discard(sent.call.call)
        patience = self._profile.patience
        if self._clock.monotonic() < self._resent.get(sent.call.call, 0.0):
            return sent
        waited = self._clock.now() - sent.sent_at
        if waited > patience * 2 ** len(sent.attempts):
            sent = await self._sign_again(sent, nonce=sent.nonce)
        await self._broadcast(sent)
        return sent

    async def _sign_again(self, sent: SentCall, *, nonce: int) -> SentCall:
        """The same call for more. Either transaction may land; both are remembered."""
        before = terms_of(sent.attempts[-1])
        fees = before.fees.bumped(at_least=await suggested_fees(self._client))
        return await self._sign_durably(sent.call, nonce=nonce, gas=before.gas, fees=fees, earlier=sent.attempts)

    # 3. What waits

    async def _send_new(self, sent: Sequence[SentCall]) -> bool:
        """True if anything was sent, or waits for the index."""
        on_demand = self._profile.block_period == 0
        # On demand a block comes at once: the next is simulated on what the one before did.
        room = 0 if on_demand and sent else IN_FLIGHT - len(sent)
        waiting = await self._store.intended(self.name, limit=IN_FLIGHT) if room > 0 else ()
        if not waiting:
            return False
        new = 0
        refused: dict[bytes, str] = {}
        nonces = {one.nonce for one in sent}
        nonce, fees = await self._offer()
        for one in waiting:
            gas = await self._simulate(one.call, refused)
            if gas is None:
                continue
            while nonce in nonces:
                nonce += 1
            nonces.add(nonce)
            await self._broadcast(await self._sign_durably(one.call, nonce=nonce, gas=gas, fees=fees))
            new += 1
            if on_demand or new == room:
                break
        if new or not refused:
            self._work.set()
        elif not sent:
            await self._refuse_oldest(min(waiting, key=lambda one: one.seq).call.call, refused)
        return True

    async def _refuse_oldest(self, oldest: bytes, refused: Mapping[bytes, str]) -> None:
        stands_on = await self._store.settled(self.name)
        now = await self._client.block(stands_on.number) if stands_on and oldest in refused else None
        if stands_on is not None and now is not None and now.hash == stands_on.hash:
            error = refused[oldest]
            await self._store.mark_reverted(self._signer.address, owner=self._owner, call=oldest, error=error)
            self._work.set()  # the others were only held back by it
        self._on_landed()

    async def _simulate(self, call: Call, refused: dict[bytes, str]) -> int | None:
        """Gas to offer; None, and noted in `refused`, if it would revert; None if it stands on chain already."""
        try:
            return await self._gas(call)
        except ChainRefused as e:
            if not e.reverted:
                raise
            error = error_name(e.data) or "Reverted"
        standing = await self._registries.standing(call) if error == "AlreadyAnchored" else None
        if standing is None:
            refused[call.call] = error
        else:
            await self._land(call.call, *standing)
        return None

    async def _sign_durably(
        self, call: Call, *, nonce: int, gas: int, fees: Fees, earlier: Sequence[bytes] = ()
    ) -> SentCall:
        signed = self._signer.sign(to=call.contract, data=call.data, nonce=nonce, gas=gas, fees=fees)
        now = int(self._clock.now())
        attempts = (*(one for one in earlier if one != signed.raw), signed.raw)
        sent = SentCall(call=call, nonce=nonce, attempts=attempts, sent_at=now)
        until = now + LEASE_SECONDS
        await self._store.mark_sent(self._signer.address, owner=self._owner, sent=sent, until=until)
        self._lease_until = until
        return sent

    async def _broadcast(self, sent: SentCall) -> None:
        """Sends the newest bytes. Whatever the node says, the next round looks for the receipt: "already known" and
        "nonce too low" are answered there, and what the node dropped is sent again."""
        self._resent[sent.call.call] = self._clock.monotonic() + self._profile.patience
        try:
            await self._client.call("eth_sendRawTransaction", "0x" + sent.attempts[-1].hex())
        except ChainRefused as e:
            if not _is_old_news(e):
                self.trouble = f"the chain does not take a transaction of {self._signer.address}: {e.message}"

    async def _land(self, call: bytes, transaction: bytes, block: BlockRef) -> None:
        """COMMIT POINT (in the store). A crash before: the next owner finds the same receipt."""
        owner, account = self._owner, self._signer.address
        if await self._store.mark_landed(account, owner=owner, call=call, transaction=transaction, block=block):
            self._on_landed()

    def _forget(self, call: bytes) -> None:
        self._resent.pop(call, None)
        self._vanished.discard(call)

    # Questions to the node

    @property
    def _nonce(self) -> Request:
        return "eth_getTransactionCount", (self._signer.address, "latest")

    async def _offer(self) -> tuple[int, Fees]:
        """The account's next nonce by the newest block, and what to pay there."""
        nonce, *market = await self._client.batch([self._nonce, *_MARKET])
        return quantity(*answered([nonce])), _fees(market)

    async def _gas(self, call: Call) -> int:
        asked: dict[str, Json] = {"from": self._signer.address, "to": call.contract, "data": "0x" + call.data.hex()}
        return int(quantity(await self._client.call("eth_estimateGas", asked)) * GAS_MARGIN)

    async def _receipts(self, transactions: Sequence[bytes]) -> tuple[int, Mapping[bytes, _Receipt]]:
        """The account's nonce, asked for first, and the receipts that there are. Raises ChainRefused for one that the
        node cannot tell ("indexing is in progress"): that is not the same as none."""
        asked = [("eth_getTransactionReceipt", ("0x" + one.hex(),)) for one in transactions]
        nonce, *answers = answered(await self._client.batch([self._nonce, *asked]))
        found = {
            transaction: _receipt(transaction, answer)
            for transaction, answer in zip(transactions, answers, strict=True)
            if isinstance(answer, Mapping)
        }
        return quantity(nonce), found


_MARKET: Final[tuple[Request, ...]] = (
    ("eth_getBlockByNumber", ("latest", False)),
    ("eth_maxPriorityFeePerGas", ()),
)


async def suggested_fees(client: ChainClient) -> Fees:
    """By the newest block's base fee and the node's word on tips. Raises ChainUnavailable, ChainRefused."""
    return _fees(await client.batch(_MARKET))


def _fees(market: Sequence[Json | ChainRefused]) -> Fees:
    (block,) = answered(market[:1])
    if not isinstance(block, Mapping):
        raise ChainUnavailable("the node does not tell its newest block")
    tip = market[1]  # a node that knows no such method wants no tip
    suggested = 0 if isinstance(tip, ChainRefused) else quantity(tip)
    return fees_for(base_fee=quantity(block.get("baseFeePerGas", "0x0")), suggested_tip=suggested)


def _receipt(transaction: bytes, answer: Mapping[str, Json]) -> _Receipt:
    block = BlockRef(
        number=quantity(answer.get("blockNumber")), hash=octets(answer.get("blockHash")), parent=b"", timestamp=0
    )
    return _Receipt(transaction=transaction, block=block, succeeded=quantity(answer.get("status")) == 1)


def _is_old_news(refused: ChainRefused) -> bool:
    """What nodes say of a transaction that they have, or whose nonce is used: geth, anvil, Besu, the embedded chain."""
    words = refused.message.lower()
    return any(
        known in words
        for known in ("already known", "known transaction", "already imported", "nonce too low", "underpriced")
    )
