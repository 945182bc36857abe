"""Who asks, and who is who: sign-in, actors, subjects, memberships.

A registrar registers and enrols; it can make neither a membership nor a controller change. Names and keys stand on
chain; what this room holds in memory is a cache that the ledger's guards keep honest.
"""

import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from gateway import eip712
from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event, moment
from gateway.errors import CallerError, ConflictError, DeniedError, IntegrityError, UnauthenticatedError, UpstreamError
from gateway.identity import rules, state
from gateway.identity.bearers import Bearers
from gateway.identity.callers import CONTRACT, SUBJECTS, Callers
from gateway.identity.model import Actor, Caller, Challenge, Draft, Role, Session, Subject, to_bits
from gateway.identity.sessions import Sessions, SignInTerms
from gateway.identity.verdicts import Verdicts
from gateway.identity.vigil import Vigil
from gateway.ids import ActorId, SubjectId
from gateway.ports.bus import Bus
from gateway.ports.chain import Calls, Chain, Landed, Reverted
from gateway.ports.clock import Clock, Entropy
from gateway.ports.documents import Documents
from gateway.ports.index import Index
from gateway.ports.ledger import Appended, Stale
from gateway.ports.rows import CallRow, ChallengeRow, Guard, Row
from gateway.ports.sealing import ActorSealing, SealingKeys
from gateway.ports.tokens import BearerTokens

CHALLENGE_SECONDS = 300
WALLET_OCTETS = 20
LONGEST_NAME = 200
TRIES = 5
LANDING_SECONDS = 30.0
T = TypeVar("T")


class Identity:
    """See the module."""

    def __init__(
        self,
        *,
        index: Index,
        audit: Audit,
        chain: Chain,
        calls: Calls,
        documents: Documents,
        bus: Bus,
        keys: SealingKeys,
        sealing: ActorSealing,
        clock: Clock,
        entropy: Entropy,
        terms: SignInTerms,
        tokens: BearerTokens | None = None,
    ) -> None:
        self._index = index
        self._audit = audit
        self._chain = chain
        self._calls = calls
        self._documents = documents
        self._clock = clock
        self._entropy = entropy
        self._terms = terms
        self._domain = eip712.domain(chain_id=chain.facts.chain_id, contract=chain.facts.identity_registry)
        self._verdicts = Verdicts(chain, terms.parties)
        self._callers = Callers(
            index=index,
            chain=chain,
            documents=documents,
            clock=clock,
            registrars=terms.registrars,
            mark=terms.sessions.mark,
        )
        self.vigil = Vigil(index=index, callers=self._callers)
        self.bearers = Bearers(
            tokens=tokens,
            index=index,
            audit=audit,
            callers=self._callers,
            verdicts=self._verdicts,
            domain=self._domain,
            bus=bus,
            keys=keys,
            sealing=sealing,
            clock=clock,
        )
        self.sessions = Sessions(
            index=index,
            audit=audit,
            callers=self._callers,
            bus=bus,
            keys=keys,
            sealing=sealing,
            clock=clock,
            entropy=entropy,
            terms=terms.sessions,
        )

    # ---- sign-in

    async def challenge(self, *, address: str) -> Challenge:
        """An EIP-4361 message for an address, known here or not."""
        now = self._clock.now()
        expires = moment(int((now + CHALLENGE_SECONDS) * 1000))
        nonce = self._entropy.bytes(16).hex()
        message = rules.sign_in_message(
            domain=self._terms.domain,
            uri=self._terms.uri,
            address=bytes.fromhex(address[2:]),
            chain_id=self._chain.facts.chain_id,
            nonce=nonce,
            issued=moment(int(now * 1000)),
            expires=expires,
        )
        row = ChallengeRow(
            nonce=nonce, message_digest=_sha256(message.encode()), expires_at=int(now) + CHALLENGE_SECONDS
        )
        await self._index.apply((row,))
        return Challenge(message=message, expires_at=expires)

    async def sign_in(
        self, *, message: str, signature: bytes, signer: bytes | None = None, device: str | None = None
    ) -> Session:
        """`signer`: the ERC-7913 signer behind the address, where it is no wallet; `device`: what its owner calls what
        they sign in with. Raises UnauthenticatedError for whatever does not hold: form, signature, nonce, expiry,
        unknown actor, a key that signs consents."""
        if device is not None:
            rules.check_device(device)
        address, nonce, ends = rules.read_sign_in(message)
        key = address if signer is None else signer
        if rules.address_of(key) != address:
            raise CallerError("not the signer of the address in the message", field=("signer",))
        if not await self._verdicts.signed_in_by(key, eip712.personal_digest(message), signature):
            raise UnauthenticatedError("the signature is not of this address", field=("signature",))
        now = self._clock.now()
        # The end that was signed binds, whatever is kept of the challenge.
        alive = now < ends.timestamp()
        if not alive or not await self._index.spend_challenge(
            nonce, message_digest=_sha256(message.encode()), now=int(now)
        ):
            raise UnauthenticatedError(
                "the challenge is unknown, spent or expired; ask for a new one", field=("message",)
            )
        if len(key) != WALLET_OCTETS and await self._index.is_controller(key):
            # A sign-in must never be a consent in disguise: a key that is no wallet does the one or the other.
            raise UnauthenticatedError("a patient's signing key does not sign in; use another", field=("signer",))
        found = await self._chain.actor_of_key(key)
        actor = None if found is None else await self.actor(ActorId(found))
        if actor is None or actor.key != key:
            raise UnauthenticatedError("this address is of no registered actor", field=("message",))
        return await self.sessions.open(actor, device=device)

    async def caller(self, token: str | None) -> Caller | None:
        """The caller behind an access token that a client shows; None when there is none, or it is unknown, expired or
        ended. One that gave way to another ends its session."""
        found = await self.still(token)
        if found is None and token is not None and not self.bearers.takes(token):
            await self.sessions.shown(token)
        return found

    async def still(self, token: str | None) -> Caller | None:
        """As `caller`, where nobody shows the token anew: a socket that was opened with it lives on."""
        if token is not None and self.bearers.takes(token):
            return await self.bearers.caller(token)
        return await self._callers.caller(token)

    async def ended(self, token: str) -> None:
        """Returns once the session of this token was ended, or another token took its place; of an identity provider's
        token, once it is good no longer because the actor said so."""
        if not self.bearers.takes(token):
            return await self.vigil.ended(token)
        while True:
            moving = self.vigil.moving()
            try:
                with contextlib.suppress(UpstreamError):  # asked again when something moves
                    if await self.bearers.caller(token) is None:
                        return None
                await moving.wait()
            finally:
                self.vigil.forget(moving)

    async def refreshed(self, caller: Caller) -> Caller:
        """The same caller as it stands now, after a guard was found stale. UnauthenticatedError when it is gone."""
        return await self._callers.refreshed(caller)

    async def current(self, caller: Caller) -> Caller:
        """The caller as of this very moment: for answers that no guard of the ledger stands behind."""
        return await self._callers.current(caller)

    async def acting(self, actor: ActorId) -> Caller | None:
        """Whoever work goes on for when they are not here: as they stand now, without a session. None where they are
        no actor any more."""
        found = await self._callers.load(actor, self._callers.now())
        return None if found is None else found[0]

    async def sealing_key(self, actor: Actor) -> bytes | None:
        """The X25519 key that the actor's own key signed for, as their sealed profile has it; None where what the index
        says of it is not that. Raises UpstreamError."""
        events = await self._index.events(actor.id, contract=CONTRACT)
        found = state.fold_actor(actor.id, events, self._callers.confirmed)
        if found is None or not any(found.profile):
            return None
        try:
            key, signature = await self._documents.profile_key(actor.id, found.profile)
        except IntegrityError:
            return None
        full = rules.encryption_key_typed_data(key=actor.key, encryption_key=key, domain=self._domain)
        if key != actor.encryption_key or not await self.signed_by(actor.key, eip712.digest(full), signature):
            return None
        return key

    def forget(self, name: bytes) -> None:
        """Drops what is cached of an actor or of an organization's members."""
        self._callers.forget(name)

    # ---- actors

    async def actor(self, actor: ActorId) -> Actor | None:
        return await self._callers.actor(actor)

    async def organizations(self, actor: ActorId) -> tuple[Actor, ...]:
        """Those that the actor is a member of now."""
        return await self._callers.organizations(actor)

    async def register_actor(
        self,
        caller: Caller,
        *,
        key: bytes,
        roles: frozenset[Role],
        name: str,
        encryption_key: bytes | None,
        encryption_key_signature: bytes | None,
    ) -> Actor:
        """A registrar's. Returns when the actor stands on chain."""
        self._require_registrar(caller)
        await self._check_actor(key, roles, name, encryption_key, encryption_key_signature)
        if await self._chain.actor_of_key(key) is not None:
            raise ConflictError("this key is another actor's", field=("key",))
        return await self.found_actor(
            caller,
            key=key,
            roles=roles,
            name=name,
            encryption_key=encryption_key or b"",
            encryption_key_signature=encryption_key_signature or b"",
        )

    async def found_actor(
        self,
        caller: Caller | None,
        *,
        key: bytes,
        roles: frozenset[Role],
        name: str,
        encryption_key: bytes = b"",
        encryption_key_signature: bytes = b"",
    ) -> Actor:
        """Registers without a registrar's gate: for start-up, which makes the registrars themselves."""
        actor = ActorId(self._entropy.bytes(32))
        profile = await self._documents.put_profile(
            actor, name=name, encryption_key=encryption_key, encryption_key_signature=encryption_key_signature
        )
        call = self._calls.register_actor(
            actor=actor, key=key, roles=to_bits(roles), profile=profile, encryption_key=encryption_key
        )
        await self._intend(caller, call, action="REGISTER")
        found = await self._landed(call, lambda: self.actor(actor))
        if found is None:
            raise UpstreamError("the registration is on chain but not yet confirmed; ask again")
        return found

    async def _check_actor(
        self,
        key: bytes,
        roles: frozenset[Role],
        name: str,
        encryption_key: bytes | None,
        encryption_key_signature: bytes | None,
    ) -> None:
        if len(key) < 20 or len(key) > 20 + 1024 or not any(key):
            raise CallerError("a 20-byte address, or a verifier and its key", field=("key",))
        if not roles:
            raise CallerError("name at least one role", field=("roles",))
        if Role.REGISTRAR in roles and key not in self._terms.registrars:
            raise CallerError("registrars are named in the settings", field=("roles",))
        if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
            raise CallerError(f"1 to {LONGEST_NAME} printable characters", field=("name",))
        if (encryption_key is None) != (encryption_key_signature is None):
            raise CallerError("an encryption key comes with its signature", field=("encryptionKeySignature",))
        if encryption_key is not None and encryption_key_signature is not None:
            if len(encryption_key) != 32:
                raise CallerError("an X25519 public key has 32 bytes", field=("encryptionKey",))
            full = rules.encryption_key_typed_data(key=key, encryption_key=encryption_key, domain=self._domain)
            if not await self.signed_by(key, eip712.digest(full), encryption_key_signature):
                raise CallerError("not signed by the key", field=("encryptionKeySignature",))

    # ---- subjects

    async def enrol_patient(self, caller: Caller, *, controller: bytes | None) -> Subject:
        """A registrar's. Without a controller the subject is in custody of the registrar's organization."""
        self._require_registrar(caller)
        if controller is not None and not 20 <= len(controller) <= 20 + 1024:
            raise CallerError("a 20-byte address, or a verifier and its key", field=("controller",))
        subject = SubjectId(self._entropy.bytes(32))
        custodian = min(caller.organizations, default=caller.actor.id) if controller is None else ActorId(bytes(32))
        call = self._calls.enrol(subject=subject, controller=controller or b"", custodian=custodian)
        await self._intend(caller, call, action="ENROL")
        found = await self._landed(call, lambda: self.subject(subject))
        if found is None:
            raise UpstreamError("the enrolment is on chain but not yet confirmed; ask again")
        return found

    async def subject(self, subject: SubjectId) -> Subject | None:
        events = await self._index.events(subject, contract=SUBJECTS)
        return state.fold_subject(subject, events, self._callers.confirmed)

    # ---- memberships

    async def draft_membership(
        self, caller: Caller, *, organization: ActorId, member: ActorId, not_after: datetime
    ) -> Draft:
        """The organization's own. A time that is past ends the membership."""
        self._require_organization(caller, organization)
        if await self.actor(member) is None:
            raise DeniedError("no such member")
        seconds = int(not_after.timestamp())
        if seconds < 0:
            raise CallerError("earlier than 1970", field=("notAfter",))
        events = await self._index.events(organization, contract=CONTRACT)
        seq = state.membership_seq(organization, member, events) + 1
        full = rules.membership_typed_data(
            org=organization, member=member, not_after=seconds, seq=seq, domain=self._domain
        )
        return Draft(id=eip712.digest(full), typed_data=full)

    async def add_member(self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes) -> Actor:
        """Relays a membership that the organization's key has signed. Returns the member."""
        org, member, not_after, seq = rules.read_membership(typed_data)
        self._require_organization(caller, org)
        full = rules.membership_typed_data(org=org, member=member, not_after=not_after, seq=seq, domain=self._domain)
        if not await self.signed_by(caller.actor.key, eip712.digest(full), signature):
            raise CallerError("not signed by the organization's key for this chain", field=("signature",))
        events = await self._index.events(org, contract=CONTRACT)
        latest = state.membership_seq(org, member, events)
        if seq not in (latest, latest + 1):
            raise ConflictError("the membership has moved on; draft it again", field=("typedData",))
        call = self._calls.set_membership(
            org=org, member=member, role=0, not_after=not_after, seq=seq, signature=signature
        )
        await self._intend(caller, call, action="MEMBERSHIP")
        self.forget(member)
        found = await self._landed(call, lambda: self.actor(member))
        if found is None:
            raise DeniedError("no such member")
        self.forget(member)
        return found

    # ---- shared steps

    async def signed_by(self, signer: bytes, digest: bytes, signature: bytes) -> bool:
        """The contract's verdict on a signature."""
        return await self._verdicts.signed_by(signer, digest, signature)

    async def text_signer(self, signers: Sequence[bytes], digest: bytes, signature: bytes) -> bytes | None:
        """As `signed_by`: which of these signed."""
        return await self._verdicts.text_signer(signers, digest, signature)

    async def acknowledged_by(self, signer: bytes, digest: bytes, signature: bytes) -> bool:
        """As `signed_by`, wherever a passkey was asked: for texts that give nothing of the signer's own away."""
        return await self._verdicts.signer_among((signer,), digest, signature) is not None

    async def _intend(self, caller: Caller | None, call: CallRow, *, action: str) -> None:
        """The call and its audit entry are durable together; then the relay is told."""
        for _ in range(TRIES):
            event = Event(
                decision=self._audit.new_decision(),
                at=self._clock.now(),
                actor=caller.actor.id if caller else ActorId(bytes(32)),
                outcome=Outcome.PERMITTED,
                action=action,
            )
            guards = [Guard(name=name, version=version) for name, version in caller.guards] if caller else []
            rows: tuple[Row, ...] = (call,)
            answer = await self._audit.append(event, guards=guards, rows=rows)
            if isinstance(answer, Appended):
                self._chain.wake()
                return
            if isinstance(answer, Stale) and caller is not None:
                caller = await self.refreshed(caller)
                continue
            self._chain.wake()
            return  # the very call stands already: relaying it again is the same
        raise UpstreamError("the caller's standing keeps changing; try again")

    async def _landed(self, call: CallRow, load: Callable[[], Awaitable[T]]) -> T:
        outcome = await self._chain.outcome(call.call, timeout=LANDING_SECONDS, confirmed=True)
        if isinstance(outcome, Landed):
            return await load()
        if isinstance(outcome, Reverted):
            raise ConflictError(f"the registry refuses: {outcome.error}")
        raise UpstreamError("not on chain in time; relaying goes on, ask again")

    def _require_registrar(self, caller: Caller) -> None:
        if not caller.registrar:
            raise DeniedError("not a registrar")

    def _require_organization(self, caller: Caller, organization: ActorId) -> None:
        if caller.actor.id != organization or Role.ORGANIZATION not in caller.actor.roles:
            raise DeniedError("not the organization itself")


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
