"""The chain itself: Prague's rules (py-evm), one transaction a block, mined when it arrives.

Two departures from mainnet, both needed by a chain that mines on demand and is free to use:
- Blocks may share a second (anvil's do too), and a clock that stepped back gives the parent's time again. So block
  time never runs ahead of the clock's highest reading and never falls behind the parent's.
- The base fee is 0 and stays 0 by EIP-1559's own rule: it rises only when a block uses more than half of its gas limit,
  and a transaction may use at most half (EIP-7825's cap; the block's limit is twice the cap). Zero-fee transactions
  are taken, so a patient's wallet needs no money.

Not done here: which transactions are admitted (`admission`), JSON (`rpc`).
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final

from eth.abc import BlockAPI, BlockHeaderAPI, ReceiptAPI, SignedTransactionAPI, StateAPI, VirtualMachineAPI
from eth.chains.base import MiningChain
from eth.constants import BLANK_ROOT_HASH, POST_MERGE_DIFFICULTY, POST_MERGE_MIX_HASH, POST_MERGE_NONCE, ZERO_ADDRESS
from eth.db.atomic import AtomicDB
from eth.exceptions import HeaderNotFound, TransactionNotFound
from eth.typing import AccountDetails, HeaderParams
from eth.vm.forks.prague import PragueVM
from eth_typing import Address, BlockNumber, Hash32

from anchoring.chain.embedded.errors import ChainRefused
from anchoring.chain.embedded.store import ChainStore, LogRow

TRANSACTION_GAS_CAP: Final = 16_777_216
BLOCK_GAS_LIMIT: Final = 2 * TRANSACTION_GAS_CAP
FUNDED_WEI: Final = 10**24
CHAIN_ID_LIMIT: Final = 2**31  # GraphQL's Int holds it
EXTRA_DATA: Final = b"consentry"
EXECUTION_SECONDS: Final = 5.0  # geth's RPCEVMTimeout; the embedded chain bounds its blocks by it too

Clock = Callable[[], float]


class ExecutionTooLong(Exception):
    """The EVM ran longer than `EXECUTION_SECONDS`; what it did was thrown away."""


class SameSecondVM(PragueVM):
    """Prague, but a block may carry its parent's timestamp."""

    @classmethod
    def validate_header(cls, header: BlockHeaderAPI, parent_header: BlockHeaderAPI) -> None:
        """As Prague's, except that equal timestamps pass. Earlier ones do not."""
        if parent_header is not None and header.timestamp == parent_header.timestamp:
            header = header.copy(timestamp=header.timestamp + 1)
        super().validate_header(header, parent_header)


class OneNodeChain(MiningChain):
    """py-evm's chain with our VM from block 0 and a gas limit that never moves."""

    vm_configuration = ((BlockNumber(0), SameSecondVM),)

    def create_header_from_parent(self, parent_header: BlockHeaderAPI, **header_params: HeaderParams) -> BlockHeaderAPI:
        """The next block's header, before its transaction."""
        return super().create_header_from_parent(
            parent_header, **{**header_params, "gas_limit": parent_header.gas_limit}
        )


class EmbeddedChain:
    """One open chain over one store. Single-threaded: the server calls it from its main thread only."""

    def __init__(self, store: ChainStore, chain: OneNodeChain, *, chain_id: int, clock: Clock) -> None:
        self.chain_id: Final = chain_id
        self.store: Final = store
        self._chain = chain
        self._clock = clock
        self._head = chain.get_canonical_head()

    # -- writing

    def mine(self, transaction: SignedTransactionAPI) -> None:
        """Execute an admitted transaction in a block of its own; it is durable on return.

        Errors: `eth_utils.ValidationError` (py-evm refuses it), `ExecutionTooLong`, and those of `ChainStore.commit`.
        After each of them but `CommitUncertain` the chain stands as before.
        """
        self.store.begin()
        try:
            with execution_deadline():
                self._chain.header = self._chain.create_header_from_parent(
                    self._head, timestamp=max(self.now(), self._head.timestamp)
                )
                _, receipt, _ = self._chain.apply_transaction(transaction)
                block = self._chain.mine_block()
            self.store.commit(_log_rows(block, transaction, receipt))
        except BaseException:
            self.store.rollback()
            self._chain.header = self._chain.create_header_from_parent(self._head)
            raise
        self._head = block.header

    # -- reading

    @property
    def head(self) -> BlockHeaderAPI:
        """The newest committed block's header."""
        return self._head

    def now(self) -> int:
        """The clock, in whole seconds since 1970."""
        return int(self._clock())

    def header(self, number: int) -> BlockHeaderAPI | None:
        """The header of block `number`, or None beyond the head."""
        if not 0 <= number <= self._head.block_number:
            return None
        return self._chain.get_canonical_block_header_by_number(BlockNumber(number))

    def header_by_hash(self, block_hash: bytes) -> BlockHeaderAPI | None:
        """The header of the block with that 32-byte hash, or None."""
        try:
            return self._chain.get_block_header_by_hash(Hash32(block_hash))
        except HeaderNotFound:
            return None

    def block(self, header: BlockHeaderAPI) -> BlockAPI:
        """The whole block of a stored header."""
        return self._chain.get_block_by_header(header)

    def receipts(self, block: BlockAPI) -> tuple[ReceiptAPI, ...]:
        """The receipts of a stored block, in order."""
        return block.get_receipts(self._chain.chaindb)

    def locate(self, transaction_hash: bytes) -> tuple[int, int] | None:
        """Block number and place of a mined transaction, or None."""
        try:
            number, index = self._chain.chaindb.get_transaction_index(Hash32(transaction_hash))
        except TransactionNotFound:
            return None
        return int(number), index

    def vm(self, header: BlockHeaderAPI) -> VirtualMachineAPI:
        """A machine on the state after `header`, with that header as its block context. It writes nothing."""
        return self._chain.get_vm(header)

    def state(self, header: BlockHeaderAPI) -> StateAPI:
        """The state after the block of `header`."""
        return self.vm(header).state

    def next_header(self) -> BlockHeaderAPI:
        """What the next block's header would be if its transaction came now."""
        return self._chain.create_header_from_parent(self._head, timestamp=max(self.now(), self._head.timestamp))


def open_chain(store: ChainStore, *, chain_id: int, funded: Sequence[Address], clock: Clock) -> EmbeddedChain:
    """Open the chain in `store`, or begin it with `funded` (20-byte addresses) holding 10^24 wei each.

    `funded` counts at genesis only. Errors: `ChainRefused` for an id out of range or other than the stored one.
    """
    if not 0 < chain_id < CHAIN_ID_LIMIT:
        raise ChainRefused(f"chain id {chain_id} is not between 1 and {CHAIN_ID_LIMIT - 1}")
    stored = store.chain_id()
    if stored is not None and stored != chain_id:
        raise ChainRefused(f"the file holds chain {stored}, not chain {chain_id}; its id is fixed at genesis")
    # py-evm reads the id from the class.
    of_this_id = type("OneNodeChain", (OneNodeChain,), {"chain_id": chain_id})
    base = AtomicDB(store)
    if stored is None:
        _write_genesis(of_this_id, base, store, chain_id=chain_id, funded=funded, timestamp=int(clock()))
    return EmbeddedChain(store, of_this_id(base), chain_id=chain_id, clock=clock)


def _write_genesis(
    chain_class: type[OneNodeChain],
    base: AtomicDB,
    store: ChainStore,
    *,
    chain_id: int,
    funded: Sequence[Address],
    timestamp: int,
) -> None:
    header: dict[str, HeaderParams] = {
        "base_fee_per_gas": 0,
        "coinbase": ZERO_ADDRESS,
        "difficulty": POST_MERGE_DIFFICULTY,
        "extra_data": EXTRA_DATA,
        "gas_limit": BLOCK_GAS_LIMIT,
        "mix_hash": POST_MERGE_MIX_HASH,
        "nonce": POST_MERGE_NONCE,
        "receipt_root": BLANK_ROOT_HASH,
        "timestamp": timestamp,
        "transaction_root": BLANK_ROOT_HASH,
    }
    rich = AccountDetails(balance=FUNDED_WEI, nonce=0, code=b"", storage={})
    store.begin()
    try:
        chain_class.from_genesis(base, header, dict.fromkeys(funded, rich))
        # Commit point of genesis: before it the file is empty and the next start begins anew; after it the id is fixed.
        store.commit((), genesis_chain_id=chain_id)
    except BaseException:
        store.rollback()
        raise


def _log_rows(block: BlockAPI, transaction: SignedTransactionAPI, receipt: ReceiptAPI) -> list[LogRow]:
    return [
        LogRow(
            block=block.number,
            index=index,
            transaction=transaction.hash,
            transaction_index=0,
            address=log.address,
            topics=tuple(topic.to_bytes(32, "big") for topic in log.topics),
            data=log.data,
        )
        for index, log in enumerate(receipt.logs)
    ]


@contextmanager
def execution_deadline(seconds: float = EXECUTION_SECONDS) -> Iterator[None]:
    """Raise `ExecutionTooLong` in this thread (the main one) when the EVM does not end in time.

    py-evm has no such bound, and some precompiles cost far more time than gas. The timer repeats, so that a raise
    swallowed by a destructor is followed by another. Nothing inside writes to disk, so any instant is safe.
    """

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise ExecutionTooLong(f"execution aborted (timeout = {seconds:g}s)")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.2)
    try:
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
    finally:
        # Twice: a ring right before the line above would have skipped it.
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
