"""A patient's consents: drafted here, signed by the patient or a delegate, verified here, recorded on chain.

The gateway relays and cannot forge: a grant enters a decision only as its signed terms. A revocation is in force here
once it is durable; a dead chain does not hinder it, and relaying goes on.
"""

import contextlib
from collections.abc import Mapping
from typing import Any

from gateway import eip712, jsontext
from gateway.consent import limits, messages, rules
from gateway.consent.hands import Hand, Hands
from gateway.consent.listing import Listings
from gateway.consent.model import ANYONE, ConsentInput, ConsentView, Effect, Mandate, RevokedAll, Terms
from gateway.consent.names import topic
from gateway.consent.relaying import Ending, Relaying
from gateway.consent.standing import Standing, Standings
from gateway.consent.texts import Signed
from gateway.errors import CallerError, ConflictError, ConsentryError, IntegrityError, UpstreamError
from gateway.identity.model import Caller, Draft
from gateway.identity.service import Identity
from gateway.ids import ActorId, ConsentId, SubjectId
from gateway.ports.bus import Bus
from gateway.ports.chain import Calls, Chain, Landed, Reverted
from gateway.ports.clock import Clock, Entropy
from gateway.ports.documents import Documents, SignedDocument
from gateway.ports.index import Index
from gateway.ports.rows import Bump, ConsentRow, ConsentTakenOver, NarrowingKind, Row

GRANT_SECONDS = 30.0
REVOKE_SECONDS = 2.0
SCOPED = frozenset(name for name, _ in messages.SCOPE_FIELDS)


class Consents:
    """See the module."""

    def __init__(
        self,
        *,
        identity: Identity,
        standings: Standings,
        hands: Hands,
        index: Index,
        chain: Chain,
        calls: Calls,
        documents: Documents,
        relaying: Relaying,
        listings: Listings,
        bus: Bus,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._identity = identity
        self._standings = standings
        self._hands = hands
        self._index = index
        self._chain = chain
        self._calls = calls
        self._documents = documents
        self._relaying = relaying
        self._listings = listings
        self._bus = bus
        self._clock = clock
        self._entropy = entropy

    # ---- granting

    async def draft(
        self, caller: Caller, consent: ConsentInput, *, signer: bytes | None = None, salt: bytes | None = None
    ) -> Draft:
        """Typed data for the patient or a delegate to sign, with a statement in plain words. `signer`: who must sign
        it, where what it was read from says so; `salt`: of the request that it answers, 32 bytes."""
        hand = await self._hands.acting(caller, consent.subject, "GRANT")
        if signer is not None and signer not in _signers(hand):
            raise CallerError("another key signs for this patient", field=("resource", "performer"))
        if consent.effect is Effect.PERMIT:
            rules.require_free(hand.standing.control.recovery)
        name = await self._grantee_name(consent.grantee)
        terms = rules.draft_terms(
            consent,
            epoch=hand.standing.epochs.epoch,
            now=int(self._clock.now()),
            salt=salt or self._entropy.bytes(32),
            grantee_name=name,
        )
        if terms.not_after <= self._clock.now():
            raise CallerError("already over", field=("notAfter",))
        _mandate(hand, terms, at=())
        full = messages.consent_typed_data(terms, self._standings.domain)
        return Draft(id=eip712.digest(full), typed_data=full)

    async def grant(self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes) -> ConsentView:
        """Returns when the consent is on chain and in force here. What already stands is success."""
        domain = self._standings.domain
        terms = messages.read_consent(typed_data, domain)
        hand = await self._hands.acting(caller, terms.subject, "GRANT")
        standing = hand.standing
        full = messages.consent_typed_data(terms, domain)
        consent = ConsentId(eip712.digest(full))
        # 1. A delegate's lies within what the patient signed.
        mandate = _mandate(hand, terms, at=("typedData", "message", "scope"))
        signer = standing.subject.controller if mandate is None else mandate.signer
        # 2. The signature, verified here over what was understood.
        await self._require_signature(signer, consent, signature)
        # 3. It says what it shows, now, in this epoch.
        await self._require_current(terms, standing, consent)
        if mandate is not None and consent in standing.folded.unbacked:
            raise ConflictError("this consent ended with its delegation; draft a new one", field=("typedData",))
        row = await self._index.consent(consent)
        if row is None or (mandate is None and await self._is_anothers(row, signer)):
            _require_known_context(terms)
            if terms.effect is Effect.PERMIT:
                rules.require_free(standing.control.recovery)
            # 4. Sealed and pinned before it is relied on, then durable with its call and audit entry.
            digest = await self._documents.put_signed(
                terms.subject, SignedDocument(typed_data=jsontext.canonical(full), signature=signature)
            )
            call = self._calls.grant(
                type_hash=messages.CONSENT_TYPE_HASH,
                subject=terms.subject,
                effect=int(terms.effect),
                scope_hash=messages.scope_hash(terms.scope, domain),
                not_before=terms.not_before,
                not_after=terms.not_after,
                epoch=terms.epoch,
                delegate=0 if mandate is None else mandate.number,
                signature=signature,
            )
            made = {"consent": consent, "subject": terms.subject, "digest": digest, "call": call.call}
            rows: tuple[Row, ...] = (ConsentRow(**made), call)
            if row is not None:
                rows = (ConsentTakenOver(**made), call, Bump(name=terms.subject))
            await self._relaying.record(
                caller, terms.subject, action="GRANT", consent=consent, rows=rows, standing_on=hand.guard
            )
            row = ConsentRow(**made)
            with contextlib.suppress(ConsentryError):  # else it is listed a moment later
                await self._listings.add_consent(row, terms)
        self._chain.wake()
        # 5. On chain, confirmed and indexed.
        outcome = await self._chain.outcome(row.call, timeout=GRANT_SECONDS, confirmed=True)
        if isinstance(outcome, Reverted):
            raise ConflictError(f"the registry refuses: {outcome.error}", field=("typedData",))
        if not isinstance(outcome, Landed):
            raise UpstreamError("not on chain in time; relaying goes on, submit the same again to see")
        return await self._changed(row, Signed(terms=terms, signer=signer))

    async def _is_anothers(self, row: ConsentRow, controller: bytes) -> bool:
        """Whether a delegate signed these terms before: the patient's own word then replaces theirs."""
        try:
            return (await self._standings.signed(row)).signer != controller
        except IntegrityError:
            return True

    async def _require_current(self, terms: Terms, standing: Standing, consent: ConsentId) -> None:
        if terms.epoch != standing.epochs.epoch:
            raise ConflictError("signed for an earlier epoch; draft it again", field=("typedData", "message", "epoch"))
        if any(grant.consent == consent and getattr(grant, "revoked", False) for grant in standing.grants):
            raise ConflictError("this consent was revoked; draft a new one", field=("typedData",))
        barred = [row.target for row in await self._index.narrowings(terms.subject)]
        if consent in barred:
            raise ConflictError("this consent was revoked; draft a new one", field=("typedData",))
        if terms.not_after <= self._clock.now():
            raise CallerError("already over", field=("typedData", "message", "notAfter"))
        name = await self._grantee_name(terms.scope.grantee)
        if not rules.says_what_it_does(terms, name):
            raise CallerError(
                "the statement does not say what the scope does",
                field=("typedData", "message", "scope", "statement"),
            )

    # ---- ending

    async def draft_revocation(self, caller: Caller, *, subject: SubjectId, consent: ConsentId) -> Draft:
        await self._ending(caller, subject, consent)
        full = messages.revocation_typed_data(subject, consent, self._standings.domain)
        return Draft(id=eip712.digest(full), typed_data=full)

    async def revoke(self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes) -> ConsentView:
        """In force when it returns, whatever the chain does."""
        subject, target = messages.read_revocation(typed_data, self._standings.domain)
        consent = ConsentId(target)
        hand, signer, row = await self._ending(caller, subject, consent)
        full = messages.revocation_typed_data(subject, consent, self._standings.domain)
        await self._require_signature(signer, eip712.digest(full), signature)
        call = self._calls.revoke(subject=subject, consent=consent, signature=signature)
        kind = NarrowingKind.REVOKE
        ending = Ending(subject=subject, kind=kind, target=consent, typed_data=full, signature=signature)
        await self._relaying.narrow(caller, ending, call, action="REVOKE", consent=consent, standing_on=hand.guard)
        try:
            signed = await self._standings.signed(row)
        except UpstreamError as error:
            raise UpstreamError("revoked, and in force here; its terms cannot be shown now") from error
        await self._chain.outcome(call.call, timeout=REVOKE_SECONDS, confirmed=False)
        return await self._changed(row, signed)

    async def _ending(self, caller: Caller, subject: SubjectId, consent: ConsentId) -> tuple[Hand, bytes, ConsentRow]:
        """Who ends it, whose signature that takes, and what ends: a patient ends any, a delegate what they signed."""
        hand = await self._hands.acting(caller, subject, "REVOKE")
        row = await self._index.consent(consent)
        signer = hand.standing.subject.controller
        if hand.mandates:
            number = hand.standing.folded.delegates.get(consent, 0)
            signer = next((mandate.signer for mandate in hand.mandates if mandate.number == number), b"")
        if row is None or row.subject != subject or (hand.mandates and not signer):
            raise await self._hands.refusal(caller, hand.standing, "REVOKE", "no such consent of this subject")
        return hand, signer, row

    async def draft_revocation_of_all(self, caller: Caller, *, subject: SubjectId) -> Draft:
        standing = await self._hands.own(caller, subject, "REVOKE_ALL")
        full = messages.revoke_all_typed_data(subject, standing.epochs.epoch, self._standings.domain)
        return Draft(id=eip712.digest(full), typed_data=full)

    async def revoke_all(self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes) -> RevokedAll:
        """Ends every permit of the epoch; denies stay. In force when it returns."""
        subject, epoch = messages.read_revoke_all(typed_data, self._standings.domain)
        standing = await self._hands.own(caller, subject, "REVOKE_ALL")
        full = messages.revoke_all_typed_data(subject, epoch, self._standings.domain)
        await self._require_signature(standing.subject.controller, eip712.digest(full), signature)
        if epoch not in (standing.epochs.epoch, standing.epochs.epoch - 1):
            raise ConflictError("signed for another epoch; draft it again", field=("typedData", "message", "epoch"))
        call = self._calls.revoke_all(subject=subject, epoch=epoch, signature=signature)
        target = epoch.to_bytes(32, "big")
        kind = NarrowingKind.REVOKE_ALL
        ending = Ending(subject=subject, kind=kind, target=target, typed_data=full, signature=signature)
        await self._relaying.narrow(caller, ending, call, action="REVOKE_ALL")
        await self._chain.outcome(call.call, timeout=REVOKE_SECONDS, confirmed=False)
        self._standings.forget(subject)
        return RevokedAll(subject=subject, epoch=epoch + 1)

    # ---- shared steps

    async def _require_signature(self, signer: bytes, digest: bytes, signature: bytes) -> None:
        if not await self._identity.signed_by(signer, digest, signature):
            raise CallerError("not signed by the key that has to, or not this text", field=("signature",))

    async def _grantee_name(self, grantee: ActorId) -> str | None:
        if grantee == ANYONE:
            return None
        actor = await self._identity.actor(grantee)
        if actor is None:
            raise CallerError("no such actor", field=("granteeId",))
        return actor.told_name

    async def _changed(self, row: ConsentRow, signed: Signed) -> ConsentView:
        subject, consent = SubjectId(row.subject), ConsentId(row.consent)
        self._standings.forget(subject)
        standing = await self._standings.of(subject)
        if standing is None:
            raise UpstreamError("the subject is being indexed again; ask again")
        await self._bus.publish(topic(subject), b"consent:" + consent)
        return self._standings.view(standing, consent, signed)


def _signers(hand: Hand) -> frozenset[bytes]:
    """Whose signature a grant by this hand takes."""
    if hand.mandates:
        return frozenset(mandate.signer for mandate in hand.mandates)
    return frozenset({hand.standing.subject.controller})


def _require_known_context(terms: Terms) -> None:
    try:
        rules.check_context(terms)
    except CallerError as error:
        raise CallerError(error.message, field=("typedData", "message", "scope", *error.field)) from error


def _mandate(hand: Hand, terms: Terms, *, at: tuple[str, ...]) -> Mandate | None:
    """Under which a delegate signs these terms; None for the patient. Raises CallerError naming what lies outside."""
    outside = None
    for mandate in hand.mandates:
        outside = limits.exceeded(mandate.limits, terms)
        if outside is None:
            return mandate
    if outside is not None:
        name = "granteeId" if outside == "grantee" and not at else outside
        inside = at if outside in SCOPED else at[:2]
        raise CallerError("outside of what the patient lets you consent to", field=(*inside, name))
    return None
