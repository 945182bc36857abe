"""Deploys the registries, and tells at each start whether a chain still holds them.

A deployment is written down by whoever asked for it (`Deployment.to_json`); losing that file loses nothing but the way
to the contracts. An interrupted deployment is simply done again: what it left on chain belongs to nobody's data.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from eth_utils.address import to_checksum_address

from anchoring.chain.abi import (
    ANCHOR,
    BUDGET,
    CONSENT,
    EMERGENCY,
    IDENTITY,
    P256_VERIFIER,
    SCOPE_READER,
    TRIAL,
    WEBAUTHN_VERIFIER,
    contract,
)
from anchoring.chain.client import ChainClient, Json, octets, quantity
from anchoring.chain.lane import suggested_fees
from anchoring.chain.registries import Addresses
from anchoring.chain.signer import Signer
from anchoring.errors import ChainMismatch, ChainRefused, ChainUnavailable
from anchoring.merkle import keccak256
from anchoring.model import LogName
from anchoring.proof import gateway_id

MINED_SECONDS: Final = 120.0
_GAS_MARGIN: Final = 1.25
_OPENING: Final = {BUDGET: "LedgerOpened", TRIAL: "StudyOpened"}
"""The event by which a gateway shows to use a contract that it could be without; the gateway is its second topic."""
_SPAN: Final = 2_000
"""Blocks that a node is asked for at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Where the contracts are, and on which chain. `codes`: keccak-256 of each contract's code, by name, hex;
    `gateway`: the registered gateway's id, hex; `block`: nothing of ours lies below it; `recovery_seconds`: the
    delay that the consent registry was made with; `budget_ledger`, `trial_registry`: empty until `extend`, in a
    deployment that was written down before there was such a contract."""

    chain_id: int
    genesis: str
    block: int
    identity_registry: str
    consent_registry: str
    anchor_registry: str
    emergency_registry: str
    scope_reader: str
    p256_verifier: str
    webauthn_verifier: str
    gateway: str
    owner: str
    recovery_seconds: int
    codes: dict[str, str]
    budget_ledger: str = ""
    trial_registry: str = ""

    @property
    def addresses(self) -> Addresses:
        return Addresses(
            identity=self.identity_registry,
            consent=self.consent_registry,
            anchor=self.anchor_registry,
            emergency=self.emergency_registry,
            budget=self.budget_ledger,
            trial=self.trial_registry,
        )

    def by_name(self) -> dict[str, str]:
        """Address of each contract that there is."""
        known = {
            IDENTITY: self.identity_registry,
            CONSENT: self.consent_registry,
            ANCHOR: self.anchor_registry,
            EMERGENCY: self.emergency_registry,
            SCOPE_READER: self.scope_reader,
            P256_VERIFIER: self.p256_verifier,
            WEBAUTHN_VERIFIER: self.webauthn_verifier,
            BUDGET: self.budget_ledger,
            TRIAL: self.trial_registry,
        }
        return {name: address for name, address in known.items() if address}

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Deployment":
        """Raises ChainMismatch for what `to_json` never wrote."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError) as e:
            raise ChainMismatch("the deployment file is damaged: restore it, or deploy anew") from e


async def deploy(
    client: ChainClient,
    signer: Signer,
    *,
    enrollers: Sequence[str],
    consent_types: Sequence[bytes],
    salt: bytes,
    receipt_key: bytes,
    recovery_seconds: int,
) -> Deployment:
    """Verifiers, registries and the gateway's registration, all sent by `signer`, who becomes admin and owner.

    `enrollers`: the addresses that may enrol; the relay's account must be among them;
    `consent_types`: EIP-712 type hashes; `salt` 32 bytes; `receipt_key`: raw Ed25519 public key; `recovery_seconds`: 1
    to 365 days.
    Raises ChainUnavailable, ChainRefused; then do it again.
    """
    sender = _Sender(client, signer)
    chain_id, genesis = await _identity_of(client)
    p256 = await sender.create(P256_VERIFIER)
    webauthn = await sender.create(WEBAUTHN_VERIFIER)
    identity = await sender.create(IDENTITY, signer.address, list(enrollers), [p256, webauthn])
    first = sender.block
    consent = await sender.create(CONSENT, identity, list(consent_types), recovery_seconds)
    anchor = await sender.create(ANCHOR, identity)
    emergency = await sender.create(EMERGENCY, identity)
    reader = await sender.create(SCOPE_READER, consent)
    budget = await sender.create(BUDGET, identity)
    trial = await sender.create(TRIAL, identity)
    await sender.send(identity, contract(IDENTITY).methods["registerGateway"].encode(salt, receipt_key))
    deployment = Deployment(
        chain_id=chain_id,
        genesis="0x" + genesis.hex(),
        block=first,
        identity_registry=identity,
        consent_registry=consent,
        anchor_registry=anchor,
        emergency_registry=emergency,
        scope_reader=reader,
        p256_verifier=p256,
        webauthn_verifier=webauthn,
        gateway="0x" + gateway_id(bytes.fromhex(signer.address[2:]), salt).hex(),
        owner=signer.address,
        recovery_seconds=recovery_seconds,
        codes={},
        budget_ledger=budget,
        trial_registry=trial,
    )
    codes = {name: await _code_hash(client, address) for name, address in deployment.by_name().items()}
    return replace(deployment, codes=codes)


async def extend(client: ChainClient, signer: Signer, deployment: Deployment) -> Deployment:
    """The deployment with each contract that it was made without. Nothing is sent where none is missing.

    `deployment` has passed `check`. A contract in which this gateway has opened a ledger or a study already is found on
    chain and taken, so that a file from before that opens no second budget; else one is created. An interrupted
    extension is done again: what it left on chain is in nobody's use. Raises ChainUnavailable, ChainRefused; then do it
    again.
    """
    if not deployment.budget_ledger:
        address = await _found_or_created(client, signer, deployment, BUDGET)
        codes = {**deployment.codes, BUDGET: await _code_hash(client, address)}
        deployment = replace(deployment, budget_ledger=address, codes=codes)
    if not deployment.trial_registry:
        address = await _found_or_created(client, signer, deployment, TRIAL)
        codes = {**deployment.codes, TRIAL: await _code_hash(client, address)}
        deployment = replace(deployment, trial_registry=address, codes=codes)
    return deployment


async def open_log(
    client: ChainClient, signer: Signer, deployment: Deployment, *, name: LogName, anchorer: str
) -> None:
    """Opens a log at once, as the gateway's owner; what is open already stays. The worker opens later ones itself."""
    data = contract(ANCHOR).methods["openLog"].encode(name.gateway, name.writer, name.kind.on_chain, anchorer)
    await _Sender(client, signer).send(deployment.anchor_registry, data)


async def check(client: ChainClient, deployment: Deployment) -> None:
    """Returns if this is the deployment's chain and each contract's code is the checked-in one (up to the values that
    a deployment fills in) and the very one that was deployed. Raises ChainMismatch, saying what to do."""
    chain_id, genesis = await _identity_of(client)
    if chain_id != deployment.chain_id:
        raise ChainMismatch(
            f"the node at the chain URL serves chain {chain_id}, this data belongs to chain {deployment.chain_id}:"
            " point the chain URL at the right node, or start with another data folder"
        )
    if "0x" + genesis.hex() != deployment.genesis:
        raise ChainMismatch(
            f"chain {chain_id} has another genesis block than the one deployed to: its data was reset or replaced;"
            " restore the chain's data, or start with another data folder"
        )
    for name, address in deployment.by_name().items():
        code = await _code(client, address)
        if not code:
            raise ChainMismatch(f"no {name} at {address}: deploy first, or point to the right chain")
        artifact = contract(name)
        recorded = deployment.codes.get(name) == "0x" + keccak256(code).hex()
        if not recorded or artifact.blank_immutables(code) != artifact.blank_immutables(artifact.deployed):
            raise ChainMismatch(
                f"the code at {address} is not the {name} of this version: use the version that deployed it,"
                " or deploy anew"
            )


class _Sender:
    """Sends one transaction after another and waits for each. For deployments alone; lanes do the rest."""

    def __init__(self, client: ChainClient, signer: Signer) -> None:
        self._client = client
        self._signer = signer
        self.block = 0

    async def create(self, name: str, *arguments: object) -> str:
        receipt = await self._mined(to=None, data=contract(name).creation(*arguments))
        address = receipt.get("contractAddress")
        if not isinstance(address, str):
            raise ChainUnavailable(f"the receipt of {name} names no contract")
        return str(to_checksum_address(address))

    async def send(self, to: str, data: bytes) -> None:
        await self._mined(to=to, data=data)

    async def _mined(self, *, to: str | None, data: bytes) -> dict[str, Json]:
        account = self._signer.address
        asked: dict[str, Json] = {"from": account, "data": "0x" + data.hex(), **({"to": to} if to else {})}
        gas = int(quantity(await self._client.call("eth_estimateGas", asked)) * _GAS_MARGIN)
        nonce = quantity(await self._client.call("eth_getTransactionCount", account, "latest"))
        fees = await suggested_fees(self._client)
        signed = self._signer.sign(to=to, data=data, nonce=nonce, gas=gas, fees=fees)
        await self._client.call("eth_sendRawTransaction", "0x" + signed.raw.hex())
        return await self._receipt(signed.hash)

    async def _receipt(self, transaction: bytes) -> dict[str, Json]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + MINED_SECONDS
        while loop.time() < deadline:
            (found,) = await self._client.batch([("eth_getTransactionReceipt", ("0x" + transaction.hex(),))])
            if isinstance(found, dict):
                if quantity(found.get("status")) != 1:
                    raise ChainRefused("a transaction of the deployment reverted")
                self.block = quantity(found.get("blockNumber"))
                return found
            await asyncio.sleep(0.05)
        raise ChainUnavailable(f"a transaction of the deployment was not mined within {MINED_SECONDS:g} s")


async def _identity_of(client: ChainClient) -> tuple[int, bytes]:
    genesis = await client.block(0)
    if genesis is None:
        raise ChainUnavailable("the node has no genesis block")
    return await client.chain_id(), genesis.hash


async def _code(client: ChainClient, address: str) -> bytes:
    return octets(await client.call("eth_getCode", address, "latest"))


async def _code_hash(client: ChainClient, address: str) -> str:
    return "0x" + keccak256(await _code(client, address)).hex()


async def _found_or_created(client: ChainClient, signer: Signer, deployment: Deployment, name: str) -> str:
    found = await _in_use(client, deployment, name)
    return found or await _Sender(client, signer).create(name, deployment.identity_registry)


async def _in_use(client: ChainClient, deployment: Deployment, name: str) -> str | None:
    """The first such contract over this identity registry in which the gateway's owner opened something."""
    topics: list[Json] = ["0x" + contract(name).topic(_OPENING[name]).hex(), None, deployment.gateway]
    head = quantity(await client.call("eth_blockNumber"))
    for first in range(deployment.block, head + 1, _SPAN):
        last = min(head, first + _SPAN - 1)
        logs = await client.call("eth_getLogs", {"fromBlock": hex(first), "toBlock": hex(last), "topics": topics})
        if not isinstance(logs, Sequence) or isinstance(logs, str):
            raise ChainUnavailable("the node's answer is no list of logs")
        for log in logs:
            place = octets(log.get("address") if isinstance(log, dict) else None)
            if len(place) != 20:
                raise ChainUnavailable("the node's answer is no log")
            if await _is_ours(client, address := str(to_checksum_address(place)), deployment, name):
                return address
    return None


async def _is_ours(client: ChainClient, address: str, deployment: Deployment, name: str) -> bool:
    """Anybody may emit such an event; only this code over this registry lets none but the owner do so."""
    artifact = contract(name)
    if artifact.blank_immutables(await _code(client, address)) != artifact.blank_immutables(artifact.deployed):
        return False
    method = artifact.methods["identity"]
    (identity,) = method.decode(await client.eth_call(address, method.encode()))
    return str(to_checksum_address(identity)) == deployment.identity_registry
