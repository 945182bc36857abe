"""Privacy budgets on chain, as the domains see them."""

from collections.abc import Sequence

from anchoring.chain.budgets import Account, ledger_id
from anchoring.errors import ChainMismatch
from gateway.errors import UpstreamError
from gateway.ports import chain as port
from gateway.ports.rows import CallRow
from gateway.wiring.calls import row_of
from gateway.wiring.chain import ChainParts, asked
from gateway.wiring.secrets import Secrets, address_of


class BudgetPort:
    """`gateway.ports.chain.BudgetLedgers`, over the chain's parts."""

    def __init__(self, parts: ChainParts, secrets: Secrets) -> None:
        self._parts = parts
        self._gateway = bytes.fromhex(parts.deployment.gateway[2:])
        self._debtor = address_of(secrets.anchor_key)

    def ledger(self, population: bytes) -> bytes:
        return ledger_id(self._gateway, population)

    def open_ledger(self, *, population: bytes, limit: int) -> CallRow:
        registries = self._parts.registries
        return row_of(
            registries.open_ledger(gateway=self._gateway, population=population, limit=limit, debtor=self._debtor)
        )

    def open_account(self, *, ledger: bytes, account: bytes, limit: int) -> CallRow:
        return row_of(self._parts.registries.open_account(ledger=ledger, account=account, limit=limit))

    def debit(self, *, ledger: bytes, accounts: Sequence[bytes], amount: int, ref: bytes) -> CallRow:
        return row_of(self._parts.registries.debit(ledger=ledger, accounts=accounts, amount=amount, ref=ref))

    async def budget(self, ledger: bytes, account: bytes | None) -> port.Budget | None:
        registries = self._parts.registries
        try:
            async with asked(self._parts.follower):
                found: Account | None = (
                    await registries.ledger_of(ledger, block="latest")
                    if account is None
                    else await registries.account_of(ledger, account, block="latest")
                )
        except ChainMismatch as error:
            raise UpstreamError("this deployment keeps no privacy budgets: run `consentry deploy` once more") from error
        return None if found is None else port.Budget(limit=found.limit, spent=found.spent)
