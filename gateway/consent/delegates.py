"""Who else consents for a patient, within what the patient signed: added and removed by signatures alone, on chain.

What a delegate may is a sealed text whose salted hash the patient signs; here it is pinned before it is relied on. A
removal is in force here once it is durable, on every replica, and ends the permits that the delegate signed.
"""

from collections.abc import Mapping
from typing import Any

from gateway import eip712, jsontext
from gateway.consent import limits, messages, policy, wording
from gateway.consent.hands import Hands
from gateway.consent.model import DelegateDraft, DelegateInput, DelegateView, Delegation, Limits
from gateway.consent.names import requester
from gateway.consent.relaying import Ending, Relaying
from gateway.consent.rules import require_free
from gateway.consent.standing import Standing, Standings
from gateway.errors import CallerError, ConflictError, IntegrityError, UpstreamError
from gateway.identity.control import Delegate
from gateway.identity.model import Actor, Caller, Draft
from gateway.identity.service import Identity
from gateway.ids import ActorId, SubjectId
from gateway.ports.chain import Calls, Chain
from gateway.ports.clock import Clock, Entropy
from gateway.ports.documents import Documents, Paper, PaperKind
from gateway.ports.rows import Bump, NarrowingKind, PaperRow

WALLET_OCTETS = 20
REMOVAL_SECONDS = 2.0
_ALREADY = ("typedData", "message")


class Delegates:
    """See the module."""

    def __init__(
        self,
        *,
        identity: Identity,
        standings: Standings,
        hands: Hands,
        chain: Chain,
        calls: Calls,
        documents: Documents,
        relaying: Relaying,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._identity = identity
        self._standings = standings
        self._hands = hands
        self._chain = chain
        self._calls = calls
        self._documents = documents
        self._relaying = relaying
        self._clock = clock
        self._entropy = entropy

    # ---- adding

    async def draft_delegate(self, caller: Caller, wanted: DelegateInput) -> DelegateDraft:
        """The patient's: typed data to sign, and the limits whose hash is in it."""
        standing = await self._hands.own(caller, wanted.subject, "ADD_DELEGATE")
        require_free(standing.control.recovery)
        actor = await self._delegable(wanted.actor, standing)
        not_after = int(wanted.not_after.timestamp())
        if not_after <= self._clock.now():
            raise CallerError("already over", field=("notAfter",))
        said = Limits(
            subject=wanted.subject,
            actor=wanted.actor,
            actions=wanted.actions,
            purposes=wanted.purposes,
            resource_types=wanted.resource_types,
            labels=wanted.labels,
            denies=wanted.denies,
            permits_until=not_after if wanted.permits_until is None else int(wanted.permits_until.timestamp()),
            lists=wanted.lists,
            salt=self._entropy.bytes(32),
        )
        limits.check(said, not_after=not_after)
        octets = limits.written(said)
        delegation = Delegation(
            subject=wanted.subject,
            signer=actor.key,
            limits=limits.commitment(octets),
            not_after=not_after,
            nonce=standing.control.nonce,
        )
        full = messages.delegation_typed_data(delegation, self._standings.domain)
        text: Any = jsontext.loads(octets)
        words = wording.delegation_statement(said, actor.told_name, not_after=not_after, language=wanted.language)
        return DelegateDraft(id=eip712.digest(full), typed_data=full, limits=text, statement=words)

    async def add_delegate(
        self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes, given: Any
    ) -> DelegateView:
        """Returns once the delegation stands on chain. `given`: the limits, as they were drafted. What already stands
        is success. Raises CallerError for what does not hold, ConflictError for an outdated draft."""
        delegation = messages.read_delegation(typed_data, self._standings.domain)
        subject = delegation.subject
        standing = await self._hands.own(caller, subject, "ADD_DELEGATE")
        # 1. The patient's signature, over what was understood; and the very limits that it is for.
        full = messages.delegation_typed_data(delegation, self._standings.domain)
        if not await self._identity.signed_by(standing.subject.controller, eip712.digest(full), signature):
            raise CallerError("not signed by the patient's key, or not this text", field=("signature",))
        said = limits.given(given, hashed=delegation.limits)
        limits.check(said, not_after=delegation.not_after)
        actor = await self._delegable(said.actor, standing)
        if said.subject != subject or actor.key != delegation.signer:
            raise CallerError("not the limits of this patient's delegate", field=limits.FIELD)
        stands = _find(standing, delegation)
        if stands is None:
            require_free(standing.control.recovery)
        if stands is None and delegation.nonce != standing.control.nonce:
            raise ConflictError("drafted before another change; draft it again", field=_ALREADY)
        if stands is None and delegation.not_after <= self._clock.now():
            raise CallerError("already over", field=(*_ALREADY, "notAfter"))
        if stands is not None and await self._opens(subject, delegation.limits):
            return await self._view(standing, stands)
        # 2. Sealed and pinned before it is relied on, then durable with its call and audit entry.
        octets = limits.written(said)
        paper = Paper(kind=PaperKind.LIMITS, name=delegation.limits, octets=octets)
        row = PaperRow(name=paper.name, subject=subject, digest=await self._documents.put_paper(subject, paper))
        if stands is not None:
            # The patient went to the chain past us: only the paper lacks.
            await self._relaying.record(caller, subject, action="ADD_DELEGATE", rows=(row, Bump(name=subject)))
            self._standings.forget(subject)
        else:
            call = self._calls.add_delegate(
                subject=subject,
                delegate=delegation.signer,
                limits=delegation.limits,
                not_after=delegation.not_after,
                signature=signature,
            )
            # 3. On chain, confirmed and indexed.
            await self._relaying.relay(caller, subject, call, action="ADD_DELEGATE", confirmed=True, rows=(row,))
        now = await self._standings.of(subject)
        found = None if now is None else _find(now, delegation)
        if now is None or found is None:
            raise UpstreamError("the delegation is on chain but not yet confirmed; ask again")
        return await self._view(now, found)

    async def _delegable(self, actor: ActorId, standing: Standing) -> Actor:
        """An actor by whose key a delegate can sign. One that signs in and signs texts too must be a wallet, which
        shows its holder the one and the other (as `policy.owns` has it)."""
        found = await self._identity.actor(actor)
        if found is None:
            raise CallerError("no such actor", field=("actorId",))
        if len(found.key) != WALLET_OCTETS:
            raise CallerError("not a wallet: no other key tells a sign-in from a text", field=("actorId",))
        if found.key == standing.subject.controller or found.id in standing.epochs.credentials:
            raise CallerError("the patient needs no delegation", field=("actorId",))
        return found

    # ---- removing

    async def draft_removal(self, caller: Caller, *, subject: SubjectId, number: int) -> Draft:
        """The patient's, or the delegate's own."""
        await self._removable(caller, subject, number)
        full = messages.delegation_end_typed_data(subject, number, self._standings.domain)
        return Draft(id=eip712.digest(full), typed_data=full)

    async def remove_delegate(self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes) -> DelegateView:
        """In force when it returns, whatever the chain does."""
        subject, number = messages.read_delegation_end(typed_data, self._standings.domain)
        standing, delegate = await self._removable(caller, subject, number)
        full = messages.delegation_end_typed_data(subject, number, self._standings.domain)
        digest = eip712.digest(full)
        for signer in (standing.subject.controller, delegate.signer):
            if signer and await self._identity.signed_by(signer, digest, signature):
                break
        else:
            raise CallerError("signed by neither the patient's key nor the delegate's", field=("signature",))
        call = self._calls.remove_delegate(subject=subject, number=number, signature=signature)
        ending = Ending(
            subject=subject,
            kind=NarrowingKind.DELEGATE,
            target=number.to_bytes(32, "big"),
            typed_data=full,
            signature=signature,
        )
        await self._relaying.narrow(caller, ending, call, action="REMOVE_DELEGATE")
        await self._chain.outcome(call.call, timeout=REMOVAL_SECONDS, confirmed=False)
        self._standings.forget(subject)
        return await self._view(standing, delegate, holds=False)

    async def _removable(self, caller: Caller, subject: SubjectId, number: int) -> tuple[Standing, Delegate]:
        standing = await self._standings.asked_for(subject)
        known = () if standing is None else standing.control.delegates
        delegate = next((one for one in known if one.number == number), None)
        owner = standing is not None and policy.owns(requester(caller), standing.epochs)
        if standing is None or delegate is None or not (owner or caller.actor.key == delegate.signer):
            raise await self._hands.refusal(caller, standing, "REMOVE_DELEGATE", "no such delegate of the caller's")
        return standing, delegate

    # ---- reading

    async def delegates(self, caller: Caller, subject: SubjectId) -> tuple[DelegateView, ...]:
        """The patient's all, ended ones too; a delegate's own; for others there are none."""
        caller = await self._identity.current(caller)
        standing = await self._standings.asked_for(subject)
        if standing is None:
            return ()
        owner = policy.owns(requester(caller), standing.epochs)
        mine = {mandate.number for mandate in self._standings.mandates_of(requester(caller), standing)}
        shown = [one for one in standing.control.delegates if owner or one.number in mine]
        return tuple([await self._view(standing, one) for one in shown])

    async def _view(self, standing: Standing, delegate: Delegate, *, holds: bool | None = None) -> DelegateView:
        said = await self._opens(standing.subject.id, delegate.limits)
        now = max(self._clock.now(), self._standings.last_block().block_time)
        stands = delegate.holds and now < delegate.not_after
        return DelegateView(
            subject=standing.subject.id,
            number=delegate.number,
            signer=delegate.signer,
            not_after=delegate.not_after,
            holds=stands if holds is None else holds,
            limits=said,
        )

    async def _opens(self, subject: SubjectId, hashed: bytes) -> Limits | None:
        try:
            return await self._standings.texts.limits(subject, hashed)
        except IntegrityError:
            return None


def _find(standing: Standing, delegation: Delegation) -> Delegate | None:
    """The delegate that stands as this asks for."""
    asked = (delegation.signer, delegation.limits, delegation.not_after)
    found = [one for one in standing.control.delegates if one.holds]
    return next((one for one in reversed(found) if (one.signer, one.limits, one.not_after) == asked), None)
