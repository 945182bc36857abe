"""Privacy budgets: what may still be told of a population, of a data set, to a group of researchers.

    the population's ledger   bounds all that is ever told of it
    a data set's account      what is told of one cohort for one use
    a group's account         what one organization's researchers, or one researcher, are told

True here: what is spent is the larger of what is durable here and what the chain has, in millionths of epsilon. A debit
and the answer that it pays for are durable together, so no crash gives a budget back; of requests at once, the one that
finds less left than it wants spends nothing. Limits are set when a budget is opened, and never move.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.errors import ConflictError, LimitError, UpstreamError
from gateway.ids import ActorId
from gateway.ports.chain import Budget, BudgetLedgers, Chain, Landed, Reverted
from gateway.ports.index import Index
from gateway.ports.releases import BudgetRaised, BudgetRow, BudgetSpent
from gateway.ports.rows import CallRow, Row
from gateway.ports.sealing import SealingKeys

EVERYBODY: Final = b"consentry/everybody".ljust(32, b"\0")
"""The population of all patients of a gateway."""
OPENING_SECONDS: Final = 30.0
GROUP, DATASET, REF = b"budget/group", b"budget/dataset", b"budget/ref"
"""What keyed names on chain are of: nobody reads from them who asks about whom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLimits:
    """In millionths of epsilon."""

    population: int
    dataset: int
    group: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """The budgets of one question, by their names: the ledger's first. `standing`: what counts as spent."""

    ledger: bytes
    accounts: tuple[bytes, ...]
    standing: Mapping[bytes, Budget]

    def left(self) -> int:
        """Millionths of epsilon, of the one that has least."""
        return min(one.limit - one.spent for one in self.standing.values())


class Budgets:
    """See the module."""

    def __init__(
        self, *, index: Index, chain: Chain, ledgers: BudgetLedgers, keys: SealingKeys, limits: BudgetLimits
    ) -> None:
        self._index = index
        self._chain = chain
        self._ledgers = ledgers
        self._keys = keys
        self._limits = limits
        self._ledger = ledgers.ledger(EVERYBODY)

    async def purse(self, *, group: ActorId, dataset: bytes, amount: int) -> Purse:
        """As it stands, opened on chain where it was not: a data set's account only where the others have so much left
        as is asked for, or it is there. UpstreamError while the chain has not taken that."""
        mine, its = self._name(GROUP, group), self._name(DATASET, dataset)
        await self._opened(None, self._limits.population)
        await self._opened(mine, self._limits.group)
        above = await self._standing((mine,))
        known = await self._ledgers.budget(self._ledger, its) is not None
        if not known and amount > above.left():
            return above
        await self._opened(its, self._limits.dataset)
        return await self._standing(tuple(sorted((mine, its))))

    async def _standing(self, accounts: tuple[bytes, ...]) -> Purse:
        here = await self._index.budgets((self._ledger, *accounts))
        standing = {}
        for account in (self._ledger, *accounts):
            there = await self._ledgers.budget(self._ledger, None if account == self._ledger else account)
            if there is None:
                raise UpstreamError("a privacy budget is not on chain yet; try again")
            spent = max(there.spent, here[account].spent if account in here else 0)
            standing[account] = Budget(limit=there.limit, spent=spent)
        return Purse(ledger=self._ledger, accounts=accounts, standing=standing)

    def rows(self, purse: Purse, amount: int, *, ref: bytes) -> tuple[tuple[Row, ...], CallRow]:
        """What takes the amount out of every budget, all or nothing, and the call that tells the chain. LimitError
        where less is left."""
        if amount > purse.left():
            raise LimitError("the privacy budget is spent: nothing more is told of this")
        rows: list[Row] = []
        for account, budget in purse.standing.items():
            rows += [
                BudgetRow(account=account, limit=budget.limit, spent=budget.spent),
                BudgetRaised(account=account, spent=budget.spent),
                BudgetSpent(account=account, amount=amount),
            ]
        call = self._ledgers.debit(ledger=purse.ledger, accounts=purse.accounts, amount=amount, ref=ref)
        return tuple(rows), call

    def ref(self, key: bytes) -> bytes:
        """A debit's name on chain: the same for the same question on the same consents alone."""
        return self._name(REF, key)

    async def landed(self, call: bytes) -> None:
        """Returns when the debit is on chain. UpstreamError while it is not: the answer is kept, and is told when it
        is asked for again."""
        self._chain.wake()
        outcome = await self._chain.outcome(call, timeout=OPENING_SECONDS, confirmed=False)
        if isinstance(outcome, Reverted):
            raise LimitError("the chain's ledger has less left than this asks for")
        if not isinstance(outcome, Landed):
            raise UpstreamError("the debit is not on chain yet; ask again, for the same answer and no more budget")

    async def _opened(self, account: bytes | None, limit: int) -> None:
        if await self._ledgers.budget(self._ledger, account) is not None:
            return
        if account is None:
            call = self._ledgers.open_ledger(population=EVERYBODY, limit=limit)
        else:
            call = self._ledgers.open_account(ledger=self._ledger, account=account, limit=limit)
        with contextlib.suppress(ConflictError):  # somebody else intends it already
            await self._index.apply((call,))
        await self.landed(call.call)

    def _name(self, use: bytes, name: bytes) -> bytes:
        """32 bytes."""
        return self._keys.mark(use, name) + self._keys.mark(use, name, b"2")
