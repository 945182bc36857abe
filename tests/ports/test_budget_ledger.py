"""Privacy budgets on every chain: what is debited is spent once and for good, within its limits, by the debtor alone. A
deployment from before there were any is extended, and what was spent stays spent."""

import dataclasses
import json
import secrets
from pathlib import Path

import pytest

from anchoring.chain.abi import BUDGET, contract
from anchoring.chain.budgets import Account, Debited, Ledger, debit_digest, debited, ledger_id
from anchoring.chain.client import ChainClient, quantity
from anchoring.chain.deploy import Deployment, _Sender, check, extend
from anchoring.chain.registries import Registries
from anchoring.errors import ChainMismatch
from anchoring.model import Call, Landed, Reverted
from gateway.settings import Settings
from gateway.wiring import chain as chain_wiring
from gateway.wiring.secrets import secrets_of
from tests.ports.anchoring_stack import Stack
from tests.ports.test_chain import (
    deploy_to,
    fate,
    intend,
)

LIMIT, DATASET_LIMIT, GROUP_LIMIT = 10_000_000, 3_000_000, 12_000_000
BAR = 75_000
"""Of a debit of two accounts, a ledger's first or a later one, by the prices of the registries' own fork."""
CEILINGS = {"geth-dev": 190_000}
"""geth's development chain has the rules of a fork to come, under which new storage costs more."""


class Population:
    """One with a ledger, and the accounts of a data set and a group below it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.name = secrets.token_bytes(32)
        self.ledger = ledger_id(stack.gateway, self.name)
        self.dataset, self.group = secrets.token_bytes(32), secrets.token_bytes(32)

    def opening(self, *, limit: int = LIMIT, debtor: str = "") -> Call:
        return self.stack.registries.open_ledger(
            gateway=self.stack.gateway,
            population=self.name,
            limit=limit,
            debtor=debtor or self.stack.anchor_signer.address,
        )

    def account(self, account: bytes, limit: int) -> Call:
        return self.stack.registries.open_account(ledger=self.ledger, account=account, limit=limit)

    def debit(self, amount: int, ref: bytes, *accounts: bytes) -> Call:
        return self.stack.registries.debit(ledger=self.ledger, accounts=accounts, amount=amount, ref=ref)

    async def spent(self) -> int:
        found = await self.stack.registries.ledger_of(self.ledger, block="latest")
        assert found is not None
        return found.spent


@pytest.fixture
async def population(stack: Stack) -> Population:
    made = Population(stack)
    calls = (made.opening(), made.account(made.dataset, DATASET_LIMIT), made.account(made.group, GROUP_LIMIT))
    for call in calls:
        await landed(stack, call)
    return made


async def landed(stack: Stack, call: Call) -> Landed:
    await intend(stack, call)
    outcome = await fate(stack, call)
    assert isinstance(outcome, Landed), outcome
    return outcome


async def refused(stack: Stack, call: Call) -> str:
    await intend(stack, call)
    outcome = await fate(stack, call)
    assert isinstance(outcome, Reverted), outcome
    return outcome.error


async def test_a_debit_is_spent_from_the_ledger_and_each_account_and_read_back_at_its_block(
    stack: Stack, population: Population
) -> None:
    ref, accounts = secrets.token_bytes(32), (population.group, population.dataset)
    outcome = await landed(stack, population.debit(400_000, ref, *accounts))
    at, reads = outcome.block_number, stack.registries
    debtor = stack.anchor_signer.address
    expected = Ledger(gateway=stack.gateway, debtor=debtor, limit=LIMIT, spent=400_000)
    assert await reads.ledger_of(population.ledger, block=at) == expected
    assert await reads.ledger_of(population.ledger, block=at - 1) == dataclasses.replace(expected, spent=0)
    found = [await reads.account_of(population.ledger, one, block=at) for one in accounts]
    assert found == [Account(limit=GROUP_LIMIT, spent=400_000), Account(limit=DATASET_LIMIT, spent=400_000)]
    assert await reads.debit_of(population.ledger, ref, block=at) == debit_digest(400_000, accounts)
    assert await reads.debit_of(population.ledger, ref, block=at - 1) is None


async def test_its_event_is_indexed_and_says_the_same(stack: Stack, population: Population) -> None:
    ref, accounts = secrets.token_bytes(32), sorted((population.group, population.dataset))
    await landed(stack, population.debit(400_000, ref, *accounts))
    events = [one for one in await stack.events.above(0) if one.contract == BUDGET and population.ledger in one.keys]
    assert [one.name for one in events] == ["LedgerOpened", "AccountOpened", "AccountOpened", "Debited"]
    assert debited(events[-1].keys, events[-1].args) == Debited(
        ledger=population.ledger, ref=ref, amount=400_000, accounts=tuple(accounts)
    )
    assert await stack.follower.emitted(events)


async def test_a_debit_of_the_ledger_alone_names_no_account(stack: Stack, population: Population) -> None:
    ref = secrets.token_bytes(32)
    await landed(stack, population.debit(5, ref))
    event = next(one for one in stack.seen if one.name == "Debited" and ref in one.keys)
    assert debited(event.keys, event.args).accounts == ()
    assert await population.spent() == 5


async def test_what_is_over_a_limit_is_refused_and_spends_nothing(stack: Stack, population: Population) -> None:
    ref = secrets.token_bytes(32)
    assert await refused(stack, population.debit(LIMIT + 1, ref, population.group)) == "LedgerExhausted"
    over = population.debit(DATASET_LIMIT + 1, ref, population.group, population.dataset)
    assert await refused(stack, over) == "AccountExhausted"
    assert await population.spent() == 0
    await landed(stack, population.debit(DATASET_LIMIT, ref, population.group, population.dataset))
    assert await refused(stack, population.debit(1, secrets.token_bytes(32), population.dataset)) == "AccountExhausted"


async def test_the_same_debit_twice_is_one(stack: Stack, population: Population) -> None:
    call = population.debit(400_000, secrets.token_bytes(32), population.dataset, population.group)
    await landed(stack, call)
    # Past the lane, which would take the second for the first: as after a reorganization, on chain twice.
    await _Sender(stack.client, stack.anchor_signer).send(call.contract, call.data)
    assert await population.spent() == 400_000


async def test_another_amount_or_other_accounts_under_the_same_reference_are_refused(
    stack: Stack, population: Population
) -> None:
    ref = secrets.token_bytes(32)
    await landed(stack, population.debit(400_000, ref, population.dataset))
    assert await refused(stack, population.debit(400_001, ref, population.dataset)) == "DebitTaken"
    assert await refused(stack, population.debit(400_000, ref, population.group)) == "DebitTaken"
    assert await population.spent() == 400_000


async def test_another_debtor_is_refused(stack: Stack) -> None:
    population = Population(stack)
    await landed(stack, population.opening(debtor=stack.relay_signer.address))
    assert await refused(stack, population.debit(1, secrets.token_bytes(32))) == "NotDebtor"
    own = stack.registries.set_debtor(ledger=population.ledger, debtor=stack.anchor_signer.address)
    await landed(stack, own)
    await landed(stack, population.debit(1, secrets.token_bytes(32)))


async def test_a_limit_is_for_good(stack: Stack, population: Population) -> None:
    assert await refused(stack, population.opening(limit=LIMIT + 1)) == "LedgerTaken"
    assert await refused(stack, population.account(population.dataset, DATASET_LIMIT + 1)) == "AccountTaken"


async def test_what_is_not_open_is_none(stack: Stack, population: Population) -> None:
    nobody = secrets.token_bytes(32)
    assert await stack.registries.ledger_of(nobody, block="latest") is None
    assert await stack.registries.account_of(population.ledger, nobody, block="latest") is None


async def test_a_debit_costs_no_more_than_its_bar(stack: Stack, population: Population) -> None:
    call = population.debit(400_000, secrets.token_bytes(32), population.dataset, population.group)
    outcome = await landed(stack, call)
    receipt = await stack.client.call("eth_getTransactionReceipt", "0x" + outcome.transaction.hex())
    assert isinstance(receipt, dict)
    used = quantity(receipt["gasUsed"])
    assert 21_000 < used <= CEILINGS.get(stack.setup.profile.name, BAR), used


# Deployments that were written down before there were budgets


def before_budgets(deployment: Deployment) -> Deployment:
    """As its file was read then."""
    fields = json.loads(deployment.to_json())
    del fields["budget_ledger"], fields["codes"][BUDGET]
    return Deployment.from_json(json.dumps(fields))


async def test_a_deployment_without_a_ledger_is_found_again_and_has_no_budgets(stack: Stack) -> None:
    old = before_budgets(stack.deployment)
    await check(stack.client, old)
    registries = Registries(old.addresses, stack.client)
    assert old.addresses.budget == ""
    asked, known = registries.log_filter(first=0, last=1), old.addresses
    assert isinstance(asked, dict)
    assert asked["address"] == [known.identity, known.consent, known.anchor, known.emergency, known.trial]
    with pytest.raises(ChainMismatch, match="consentry deploy"):
        registries.debit(ledger=bytes(32), accounts=[], amount=1, ref=bytes(32))
    with pytest.raises(ChainMismatch, match="consentry deploy"):
        await registries.ledger_of(bytes(32), block="latest")


async def test_it_is_extended_and_keeps_everything_else(stack: Stack) -> None:
    old = before_budgets(stack.deployment)
    extended = await extend(stack.client, stack.relay_signer, old)
    assert extended.budget_ledger not in ("", stack.deployment.budget_ledger)
    assert extended.codes == stack.deployment.codes
    assert dataclasses.replace(extended, budget_ledger="", codes=old.codes) == old
    await check(stack.client, extended)
    assert await extend(stack.client, stack.relay_signer, extended) == extended


async def test_a_ledger_in_use_is_taken_again_so_that_what_was_spent_stays_spent(
    stack: Stack, population: Population
) -> None:
    await landed(stack, population.debit(7, secrets.token_bytes(32)))
    assert await extend(stack.client, stack.relay_signer, before_budgets(stack.deployment)) == stack.deployment


async def test_a_ledger_that_asks_another_registry_who_owns_the_gateway_is_not_taken(stack: Stack) -> None:
    setup, stranger = stack.setup, stack.anchor_signer
    other = (
        await deploy_to(
            setup.profile.name, url=setup.chain_url, relay_key=setup.anchor_key, anchor_key=setup.anchor_key
        )
    ).deployment
    opening = contract(BUDGET).methods["openLedger"]
    data = opening.encode(bytes.fromhex(other.gateway[2:]), bytes(32), 1, stranger.address)
    await _Sender(stack.client, stranger).send(other.budget_ledger, data)
    mine = dataclasses.replace(before_budgets(stack.deployment), gateway=other.gateway)
    extended = await extend(stack.client, stack.relay_signer, mine)
    assert extended.budget_ledger != other.budget_ledger


async def test_what_only_emits_the_event_of_a_ledger_is_not_taken(stack: Stack) -> None:
    topics = (bytes(32), stack.gateway, bytes(32), contract(BUDGET).topic("LedgerOpened"))
    # PUSH32 of each topic, PUSH1 0 twice for no data, LOG4; then it is over, and no code is left.
    data = b"".join(b"\x7f" + topic for topic in topics) + bytes.fromhex("60006000a4")
    receipt = await _Sender(stack.client, stack.anchor_signer)._mined(to=None, data=data)
    logs = receipt["logs"]
    assert isinstance(logs, list)
    assert len(logs) == 1
    await check(stack.client, await extend(stack.client, stack.relay_signer, before_budgets(stack.deployment)))


async def test_an_older_file_is_opened_extended_and_written_anew(stack: Stack, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", chain_url=stack.setup.chain_url)
    own = secrets_of(settings)
    client = ChainClient(stack.setup.chain_url)
    path = chain_wiring.deployment_path(settings)
    own = dataclasses.replace(own, relay_key=bytes.fromhex(stack.setup.relay_key))
    made = await chain_wiring.deploy(settings, own, client, secrets.token_bytes(32))
    fields = json.loads(path.read_text())
    del fields["budget_ledger"], fields["codes"][BUDGET]
    path.write_text(json.dumps(fields))
    path.with_name("deployment.json.next").write_text("cut short")

    assert (await chain_wiring.standing_deployment(settings, client)).budget_ledger == ""
    extended = await chain_wiring.deploy(settings, own, client, b"")
    assert extended.budget_ledger not in ("", made.budget_ledger)
    assert Deployment.from_json(path.read_text()) == extended
    assert path.stat().st_mode & 0o777 == 0o600
    assert await chain_wiring.standing_deployment(settings, client) == extended
    assert await chain_wiring.deploy(settings, own, client, b"") == extended
    assert [one.name for one in path.parent.glob("*deployment*")] == ["deployment.json"]
    await client.close()
