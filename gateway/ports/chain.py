"""The chain, as the domains see it: calls to intend, a state to compare with, a head to be as fresh as."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.ports.rows import CallRow, EventRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest indexed block. `lag`: blocks behind the chain's head; `heard_at`: monotonic time of the last word.
    `doubt`: why another node of the chain does not stand behind it, in words for an operator."""

    number: int
    hash: bytes
    timestamp: int
    lag: int
    heard_at: float
    doubt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorOnChain:
    """An actor by the registry's own word. `key` empty: unknown or removed. `memberships`: when each ends, seconds
    since 1970, by organization; 0: there is none."""

    key: bytes
    roles: int
    memberships: Mapping[bytes, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainFacts:
    """Fixed for a deployment: pinned at first start, compared at each. `p256_verifier` and `webauthn_verifier`: the
    addresses of the ERC-7913 verifiers, 20 bytes; `budget_ledger`, `trial_registry`: empty where the deployment has
    none yet."""

    chain_id: int
    genesis: bytes
    identity_registry: str
    consent_registry: str
    anchor_registry: str
    emergency_registry: str
    p256_verifier: bytes
    webauthn_verifier: bytes
    gateway: bytes
    confirmations: int
    recovery_seconds: int
    budget_ledger: str = ""
    trial_registry: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryProposal:
    """What guardians propose. `guardians`: ERC-7913 signers, all of them; `who`: places of those that signed,
    ascending; `registrar`: an actor's id, zero where nobody attests; `not_after`: seconds since 1970."""

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


class Calls(Protocol):
    """Encodes intended calls. Pure: nothing is sent here."""

    def enrol(self, *, subject: bytes, controller: bytes, custodian: bytes) -> CallRow: ...

    def register_actor(
        self, *, actor: bytes, key: bytes, roles: int, profile: bytes, encryption_key: bytes
    ) -> CallRow: ...

    def set_membership(
        self, *, org: bytes, member: bytes, role: int, not_after: int, seq: int, signature: bytes
    ) -> CallRow: ...

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
    ) -> CallRow:
        """`delegate`: who signed: 0 the controller, else the delegate of this number."""
        ...

    def revoke(self, *, subject: bytes, consent: bytes, signature: bytes) -> CallRow: ...

    def revoke_all(self, *, subject: bytes, epoch: int, signature: bytes) -> CallRow: ...

    def end_custody(self, *, subject: bytes, controller: bytes, controller_signature: bytes) -> CallRow: ...

    def change_controller(
        self, *, subject: bytes, controller: bytes, signature: bytes, controller_signature: bytes
    ) -> CallRow: ...

    def set_credential(
        self, *, subject: bytes, actor: bytes, linked: bool, signature: bytes, actor_signature: bytes
    ) -> CallRow:
        """Linking needs both signatures; unlinking either, the other empty."""
        ...

    def add_delegate(
        self, *, subject: bytes, delegate: bytes, limits: bytes, not_after: int, signature: bytes
    ) -> CallRow: ...

    def remove_delegate(self, *, subject: bytes, number: int, signature: bytes) -> CallRow: ...

    def set_guardians(self, *, subject: bytes, guardians: bytes, signature: bytes) -> CallRow: ...

    def propose_recovery(self, *, subject: bytes, proposal: RecoveryProposal) -> CallRow: ...

    def object_to_recovery(self, *, subject: bytes, signature: bytes) -> CallRow: ...

    def finish_recovery(self, *, subject: bytes, attempt: int) -> CallRow:
        """To be intended once a block's time is past the recovery's `readyAt`: what reverted is not sent again."""
        ...

    def erase(self, *, subject: bytes, signature: bytes) -> CallRow: ...

    def certify_erasure(self, *, subject: bytes, gateway: bytes, certificate: bytes, is_final: bool) -> CallRow: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A privacy budget on chain, in millionths of epsilon."""

    limit: int
    spent: int


class BudgetLedgers(Protocol):
    """Privacy budgets on chain: calls to intend, as `Calls` has them, and how a budget stands. A debit is refused until
    what it names was opened."""

    def ledger(self, population: bytes) -> bytes:
        """The name of the ledger of this gateway and a population, 32 bytes."""
        ...

    def open_ledger(self, *, population: bytes, limit: int) -> CallRow: ...

    def open_account(self, *, ledger: bytes, account: bytes, limit: int) -> CallRow: ...

    def debit(self, *, ledger: bytes, accounts: Sequence[bytes], amount: int, ref: bytes) -> CallRow: ...

    async def budget(self, ledger: bytes, account: bytes | None) -> Budget | None:
        """A ledger, or an account below it, at the chain's head; None where it is not open. UpstreamError; also where
        this deployment keeps no budgets."""
        ...


class EmergencyCalls(Protocol):
    """As `Calls`, for emergencies. Pure."""

    def open_emergency(self, *, commitment: bytes, expires_at: int) -> CallRow: ...

    def close_emergency(self, *, commitment: bytes, review: bytes) -> CallRow: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """The call is on the canonical chain and indexed here."""

    transaction: bytes
    block_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverted:
    """The contract refused it. `error`: the custom error's name."""

    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Underway:
    """Not yet known; relaying goes on."""


class Chain(Protocol):
    """Reads of the chain and the fate of calls. Foreign failures: UpstreamError."""

    facts: ChainFacts

    def head(self) -> Head:
        """What the index stands on; no I/O."""
        ...

    def wake(self) -> None:
        """Tells the relay that there are new calls; no I/O."""
        ...

    async def outcome(self, call: bytes, *, timeout: float, confirmed: bool) -> Landed | Reverted | Underway:
        """Waits up to `timeout` seconds until the call has landed and is indexed; with `confirmed`, also until the
        chain profile's confirmations are there."""
        ...

    async def subject_states(self, subjects: Sequence[bytes]) -> tuple[tuple[int, int], ...]:
        """(epoch, seq) of each subject at the newest indexed block."""
        ...

    async def emitted(self, events: Sequence[EventRow]) -> bool:
        """Whether the chain has each of these events, up to the newest indexed block, and no two are one. The index
        is a hint: this is what makes it a fact."""
        ...

    async def actor(self, actor: bytes, organizations: Sequence[bytes]) -> ActorOnChain:
        """The actor, and its memberships of these organizations, at the newest indexed block."""
        ...

    async def valid_signature(self, signer: bytes, digest: bytes, signature: bytes) -> bool:
        """The contract's own verdict (ERC-1271, ERC-7913), for signers that are no plain wallet."""
        ...

    async def actor_of_key(self, key: bytes) -> bytes | None:
        """The actor that an ERC-7913 signer is bound to at the chain's head."""
        ...
