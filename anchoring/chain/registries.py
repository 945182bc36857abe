"""The registries in calldata and back: intended calls, reads at a block, decoded events. Sends nothing.

A call is named sha-256(contract ‖ data)[:16]: the same intent is the same call, however often it is asked for.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address

from anchoring.chain.abi import ANCHOR, BUDGET, CONSENT, EMERGENCY, IDENTITY, TRIAL, EventShape, Method, contract
from anchoring.chain.budgets import Account, Ledger
from anchoring.chain.client import ChainClient, Json, octets, quantity
from anchoring.errors import ChainMismatch, ChainRefused, ChainUnavailable
from anchoring.merkle import WORD, keccak256
from anchoring.model import BlockRef, Call, Event, LogName

RELAY: Final = "relay"
ANCHORS: Final = "anchor"
FIRST, SECOND = 0, 5
"""Priorities: what takes rights away goes before what gives them."""
MAX_SUBJECTS: Final = 256
"""ConsentRegistry.subjectStates takes no more at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Checksummed addresses of a deployment. `budget` and `trial` are empty in one that was made before there was such
    a contract and not extended since."""

    identity: str
    consent: str
    anchor: str
    emergency: str
    budget: str = ""
    trial: str = ""

    def by_octets(self) -> Mapping[bytes, str]:
        known = {
            self.identity: IDENTITY,
            self.consent: CONSENT,
            self.anchor: ANCHOR,
            self.emergency: EMERGENCY,
            self.budget: BUDGET,
            self.trial: TRIAL,
        }
        return {bytes.fromhex(address[2:]): name for address, name in known.items() if address}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """ISubjects.Proposal. `guardians`: ERC-7913 signers, all of them; `who`: places of those that signed, ascending;
    `registrar`: an actor's id, zero where nobody attests; `not_after`: seconds since 1970."""

    controller: bytes
    not_after: int
    guardians: tuple[bytes, ...]
    threshold: int
    salt: bytes
    who: tuple[int, ...]
    signatures: tuple[bytes, ...]
    controller_signature: bytes
    registrar: bytes = bytes(32)
    attestation: bytes = b""

    def values(self) -> tuple[object, ...]:
        """As the ABI has it."""
        return (
            self.controller,
            self.not_after,
            (list(self.guardians), self.threshold, self.salt),
            list(self.who),
            list(self.signatures),
            self.controller_signature,
            (self.registrar, self.attestation),
        )


class Registries:
    """Calls, reads and events of one deployment."""

    def __init__(self, addresses: Addresses, client: ChainClient) -> None:
        self.addresses: Final = addresses
        self._client = client
        self._names = addresses.by_octets()

    # Calls that the relay lane sends

    def enrol(self, *, subject: bytes, controller: bytes, custodian: bytes) -> Call:
        return self._consent("enrol", SECOND, subject, controller, custodian or bytes(32))

    def end_custody(self, *, subject: bytes, controller: bytes, controller_signature: bytes) -> Call:
        return self._consent("endCustody", SECOND, subject, controller, controller_signature)

    def change_controller(
        self, *, subject: bytes, controller: bytes, signature: bytes, controller_signature: bytes
    ) -> Call:
        # It ends permits, delegates and credentials: it goes with the revocations.
        return self._consent("changeController", FIRST, subject, controller, signature, controller_signature)

    def set_credential(
        self, *, subject: bytes, actor: bytes, linked: bool, signature: bytes, actor_signature: bytes
    ) -> Call:
        priority = SECOND if linked else FIRST
        return self._consent("setCredential", priority, subject, actor, linked, signature, actor_signature)

    def add_delegate(self, *, subject: bytes, delegate: bytes, limits: bytes, not_after: int, signature: bytes) -> Call:
        return self._consent("addDelegate", SECOND, subject, delegate, limits, not_after, signature)

    def remove_delegate(self, *, subject: bytes, number: int, signature: bytes) -> Call:
        return self._consent("removeDelegate", FIRST, subject, number, signature)

    def set_guardians(self, *, subject: bytes, guardians: bytes, signature: bytes) -> Call:
        return self._consent("setGuardians", SECOND, subject, guardians, signature)

    def propose_recovery(self, *, subject: bytes, proposal: Proposal) -> Call:
        # It bars new permits.
        return self._consent("proposeRecovery", FIRST, subject, proposal.values())

    def object_to_recovery(self, *, subject: bytes, signature: bytes) -> Call:
        return self._consent("objectToRecovery", FIRST, subject, signature)

    def finish_recovery(self, *, subject: bytes, attempt: int) -> Call:
        return self._consent("finishRecovery", FIRST, subject, attempt)

    def erase(self, *, subject: bytes, signature: bytes) -> Call:
        return self._consent("erase", FIRST, subject, signature)

    def certify_erasure(self, *, subject: bytes, gateway: bytes, certificate: bytes, is_final: bool) -> Call:
        """For the gateway's owner to send."""
        return self._consent("certifyErasure", SECOND, subject, gateway, certificate, is_final)

    def open_emergency(self, *, commitment: bytes, expires_at: int) -> Call:
        return self._emergency("openEmergency", commitment, expires_at)

    def close_emergency(self, *, commitment: bytes, review: bytes) -> Call:
        return self._emergency("closeEmergency", commitment, review)

    def register_actor(self, *, actor: bytes, key: bytes, roles: int, profile: bytes, encryption_key: bytes) -> Call:
        return self._identity("registerActor", actor, key, roles, profile, encryption_key)

    def set_membership(
        self, *, org: bytes, member: bytes, role: int, not_after: int, seq: int, signature: bytes
    ) -> Call:
        return self._identity("setMembership", org, member, role, not_after, seq, signature)

    def grant(
        self,
        *,
        type_hash: bytes,
        subject: bytes,
        effect: int,
        scope_hash: bytes,
        not_before: int,
        not_after: int,
        epoch: int,
        delegate: int,
        signature: bytes,
    ) -> Call:
        terms = (type_hash, subject, effect, scope_hash, not_before, not_after, epoch)
        # A deny takes rights away: it goes with the revocations.
        return self._consent("grant", FIRST if effect else SECOND, terms, delegate, signature)

    def revoke(self, *, subject: bytes, consent: bytes, signature: bytes) -> Call:
        return self._consent("revoke", FIRST, subject, consent, signature)

    def revoke_all(self, *, subject: bytes, epoch: int, signature: bytes) -> Call:
        return self._consent("revokeAll", FIRST, subject, epoch, signature)

    def open_log(self, name: LogName, *, anchorer: str) -> Call:
        """For the gateway's owner to send."""
        method = contract(ANCHOR).methods["openLog"]
        data = method.encode(name.gateway, name.writer, name.kind.on_chain, anchorer)
        return _call(self.addresses.anchor, data, lane=RELAY, priority=SECOND)

    def open_ledger(self, *, gateway: bytes, population: bytes, limit: int, debtor: str) -> Call:
        """For the gateway's owner to send. `limit`: millionths of epsilon, for good; `debtor`: the anchor lane's
        account. A debit is refused until this has landed: the lanes do not wait for each other."""
        return self._budget("openLedger", gateway, population, limit, debtor, lane=RELAY, priority=SECOND)

    def set_debtor(self, *, ledger: bytes, debtor: str) -> Call:
        """For the gateway's owner to send."""
        return self._budget("setDebtor", ledger, debtor, lane=RELAY, priority=SECOND)

    def open_account(self, *, ledger: bytes, account: bytes, limit: int) -> Call:
        """For the gateway's owner to send. `limit`: millionths of epsilon, for good."""
        return self._budget("openAccount", ledger, account, limit, lane=RELAY, priority=SECOND)

    # Calls that the anchor lane sends

    def anchor(self, *, log: bytes, root: bytes, manifest_digest: bytes, count: int) -> Call:
        data = contract(ANCHOR).methods["anchor"].encode(log, root, manifest_digest, count)
        return _call(self.addresses.anchor, data, lane=ANCHORS, priority=SECOND)

    def debit(self, *, ledger: bytes, accounts: Sequence[bytes], amount: int, ref: bytes) -> Call:
        """`accounts`: at most four, each once, in any order; `amount`: millionths of epsilon; `ref`: 32 bytes, the
        same for the same debit alone."""
        # Somebody waits for what it pays for; a batch can wait.
        return self._budget("debit", ledger, sorted(accounts), amount, ref, lane=ANCHORS, priority=FIRST)

    # Reads

    async def subject_states(self, subjects: Sequence[bytes], *, block: int | str) -> tuple[tuple[int, int], ...]:
        """(epoch, seq) of each subject at a block, 256 at a time. Raises ChainUnavailable, ChainRefused."""
        method = contract(CONSENT).methods["subjectStates"]
        states: list[tuple[int, int]] = []
        for start in range(0, len(subjects), MAX_SUBJECTS):
            part = list(subjects[start : start + MAX_SUBJECTS])
            epochs, seqs = await self._read(self.addresses.consent, method, part, block=block)
            if len(epochs) != len(part) or len(seqs) != len(part):
                raise ChainUnavailable("the node's answer does not fit the question")
            states.extend(zip(epochs, seqs, strict=True))
        return tuple(states)

    async def valid_signature(self, signer: bytes, digest: bytes, signature: bytes, *, block: int | str) -> bool:
        """The contract's own verdict; a call that reverts is a signature that does not hold."""
        method = contract(IDENTITY).methods["validSignature"]
        try:
            (valid,) = await self._read(self.addresses.identity, method, signer, digest, signature, block=block)
        except ChainRefused as refused:
            if refused.reverted:
                return False
            raise
        return bool(valid)

    async def actor_of_key(self, key: bytes) -> bytes | None:
        """The actor that an ERC-7913 signer is bound to, at the newest block."""
        method = contract(IDENTITY).methods["actorOfKey"]
        (actor,) = await self._read(self.addresses.identity, method, keccak256(key), block="latest")
        return bytes(actor) if any(actor) else None

    async def anchorer_of(self, log: bytes) -> str | None:
        """The account that anchors a log, at the newest block; None while it is not open."""
        method = contract(ANCHOR).methods["logState"]
        *_, anchorer = await self._read(self.addresses.anchor, method, log, block="latest")
        return None if int(anchorer, 16) == 0 else str(anchorer)

    async def anchored_at(self, log: bytes, root: bytes) -> int:
        """The block of a root in a log; 0 if it holds none such."""
        method = contract(ANCHOR).methods["anchoredAt"]
        block_number, _ = await self._read(self.addresses.anchor, method, log, root, block="latest")
        return int(block_number)

    async def ledger_of(self, ledger: bytes, *, block: int | str) -> Ledger | None:
        """A population's ledger at a block; None while it is not open. Raises ChainUnavailable, ChainRefused;
        ChainMismatch, as the next two do, where the deployment has no BudgetLedger."""
        method = contract(BUDGET).methods["ledgerOf"]
        gateway, debtor, limit, spent = await self._read(self._budget_ledger, method, ledger, block=block)
        if limit == 0:
            return None
        return Ledger(gateway=bytes(gateway), debtor=to_checksum_address(debtor), limit=int(limit), spent=int(spent))

    async def account_of(self, ledger: bytes, account: bytes, *, block: int | str) -> Account | None:
        """An account below a ledger at a block; None while it is not open."""
        method = contract(BUDGET).methods["accountOf"]
        limit, spent = await self._read(self._budget_ledger, method, ledger, account, block=block)
        return Account(limit=int(limit), spent=int(spent)) if limit else None

    async def debit_of(self, ledger: bytes, ref: bytes, *, block: int | str) -> bytes | None:
        """`budgets.debit_digest` of what stands under a reference at a block; None if nothing does."""
        method = contract(BUDGET).methods["debitOf"]
        (digest,) = await self._read(self._budget_ledger, method, ledger, ref, block=block)
        return bytes(digest) if any(digest) else None

    async def standing(self, call: Call) -> tuple[bytes, BlockRef] | None:
        """Where what an `anchor` call asks for already stands on chain: (transaction, block); None if it does not."""
        named = _anchored_root(call)
        if named is None or not (number := await self.anchored_at(*named)):
            return None
        topics = ["0x" + contract(ANCHOR).topic("Anchored").hex(), "0x" + named[0].hex()]
        at = hex(number)
        asked: Json = {"fromBlock": at, "toBlock": at, "address": self.addresses.anchor, "topics": topics}
        for event in self.events(await self._client.call("eth_getLogs", asked)):
            if event.args.get("root") == named[1]:
                return event.transaction, BlockRef(number=number, hash=event.block_hash, parent=b"", timestamp=0)
        return None

    # Events

    def log_filter(self, *, first: int, last: int) -> Json:
        """The eth_getLogs filter for all registries."""
        known = self.addresses
        addresses = [known.identity, known.consent, known.anchor, known.emergency]
        addresses += [later for later in (known.budget, known.trial) if later]
        return {"fromBlock": hex(first), "toBlock": hex(last), "address": addresses}

    def events(self, logs: Json) -> tuple[Event, ...]:
        """Decoded eth_getLogs, in chain order. Events that the ABIs do not name are left out. Raises ChainUnavailable
        for what is no log of these contracts."""
        if not isinstance(logs, Sequence) or isinstance(logs, str):
            raise ChainUnavailable("the node's answer is no list of logs")
        found = [event for log in logs if (event := self._event(log)) is not None]
        return tuple(sorted(found, key=lambda event: (event.block_number, event.log_index)))

    def _event(self, log: Json) -> Event | None:
        if not isinstance(log, Mapping) or not isinstance(topics := log.get("topics"), Sequence):
            raise ChainUnavailable("the node's answer is no log")
        if log.get("removed") is True:
            raise ChainUnavailable("the node answered with a removed log")
        name = self._names.get(octets(log.get("address")))
        if name is None:
            raise ChainUnavailable("the node answered with a log of another contract")
        words = [octets(topic) for topic in topics]
        shape = contract(name).events.get(words[0]) if words else None
        if shape is None:
            return None
        keys, args = _arguments(shape, words[1:], octets(log.get("data")))
        return Event(
            contract=name,
            name=shape.name,
            keys=keys,
            args=args,
            block_number=quantity(log.get("blockNumber")),
            block_hash=octets(log.get("blockHash")),
            log_index=quantity(log.get("logIndex")),
            transaction=octets(log.get("transactionHash")),
        )

    async def _read(self, address: str, method: Method, *values: object, block: int | str) -> tuple[Any, ...]:
        return method.decode(await self._client.eth_call(address, method.encode(*values), block=block))

    def _identity(self, name: str, *values: object) -> Call:
        data = contract(IDENTITY).methods[name].encode(*values)
        return _call(self.addresses.identity, data, lane=RELAY, priority=SECOND)

    def _consent(self, name: str, priority: int, *values: object) -> Call:
        data = contract(CONSENT).methods[name].encode(*values)
        return _call(self.addresses.consent, data, lane=RELAY, priority=priority)

    def _emergency(self, name: str, *values: object) -> Call:
        data = contract(EMERGENCY).methods[name].encode(*values)
        return _call(self.addresses.emergency, data, lane=RELAY, priority=FIRST)

    def _budget(self, name: str, *values: object, lane: str, priority: int) -> Call:
        data = contract(BUDGET).methods[name].encode(*values)
        return _call(self._budget_ledger, data, lane=lane, priority=priority)

    @property
    def _budget_ledger(self) -> str:
        if not self.addresses.budget:
            raise ChainMismatch(
                "this deployment has no BudgetLedger: run `consentry deploy`, which adds what is missing"
            )
        return self.addresses.budget


def _anchored_root(call: Call) -> tuple[bytes, bytes] | None:
    """(log, root) of an `anchor` call; None for any other."""
    method = contract(ANCHOR).methods["anchor"]
    if call.data[:4] != method.selector or len(call.data) < 4 + 64:
        return None
    return call.data[4:36], call.data[36:68]


def name_of(address: str, data: bytes) -> bytes:
    """16 bytes: the same for the same contract and data."""
    return hashlib.sha256(bytes.fromhex(address[2:]) + data).digest()[:16]


def _call(address: str, data: bytes, *, lane: str, priority: int) -> Call:
    return Call(call=name_of(address, data), lane=lane, priority=priority, contract=address, data=data)


def _arguments(
    shape: EventShape, words: Sequence[bytes], data: bytes
) -> tuple[tuple[bytes, ...], Mapping[str, bytes | int]]:
    if len(words) != len(shape.indexed):
        raise ChainUnavailable(f"a log of {shape.name} with {len(words)} indexed values")
    keys = tuple(word for (_, kind), word in zip(shape.indexed, words, strict=True) if kind == "bytes32")
    args: dict[str, bytes | int] = {}
    try:
        for (name, kind), word in zip(shape.indexed, words, strict=True):
            if kind != "bytes32":
                args[name] = _plain(decode((kind,), word)[0])
        for (name, _), value in zip(shape.plain, decode([kind for _, kind in shape.plain], data), strict=True):
            args[name] = _plain(value)
    except DecodingError as e:
        raise ChainUnavailable(f"a log of {shape.name} that does not decode") from e
    return keys, args


def _plain(value: object) -> bytes | int:
    """A list of 32-byte words is their octets, one after the other."""
    if isinstance(value, tuple):
        words = [word for word in value if isinstance(word, bytes) and len(word) == WORD]
        if len(words) == len(value):
            return b"".join(words)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, bytes | int):
        return value
    if isinstance(value, str) and value.startswith("0x"):
        return bytes.fromhex(value[2:])
    raise ChainUnavailable("an event argument that is neither number nor bytes")
