"""A patient's consents: drafted here, signed by the patient, verified here, recorded on chain.

The gateway relays and cannot forge: a grant enters a decision only as its signed terms. A revocation is in force here
once it is durable; a dead chain does not hinder it, and relaying goes on.
"""

from collections.abc import Mapping
from typing import Any

from gateway import eip712, jsontext
from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent import messages, policy, rules
from gateway.consent.model import ANYONE, ConsentInput, ConsentView, RevokedAll, Terms
from gateway.consent.names import requester, topic
from gateway.consent.relaying import Ending, Relaying
from gateway.consent.standing import Standing, Standings
from gateway.errors import CallerError, ConflictError, DeniedError, UpstreamError
from gateway.identity.model import Caller, Draft, Subject
from gateway.identity.service import Identity
from gateway.ids import ConsentId, SubjectId
from gateway.ports.bus import Bus
from gateway.ports.chain import Calls, Chain, Landed, Reverted
from gateway.ports.clock import Clock, Entropy
from gateway.ports.documents import Documents, SignedDocument
from gateway.ports.index import Index
from gateway.ports.rows import ConsentRow, NarrowingKind

GRANT_SECONDS = 30.0
REVOKE_SECONDS = 2.0


class Consents:
    """See the module."""

    def __init__(
        self,
        *,
        identity: Identity,
        standings: Standings,
        audit: Audit,
        index: Index,
        chain: Chain,
        calls: Calls,
        documents: Documents,
        relaying: Relaying,
        bus: Bus,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._identity = identity
        self._standings = standings
        self._audit = audit
        self._index = index
        self._chain = chain
        self._calls = calls
        self._documents = documents
        self._relaying = relaying
        self._bus = bus
        self._clock = clock
        self._entropy = entropy

    # ---- granting

    async def draft(self, caller: Caller, consent: ConsentInput) -> Draft:
        """Typed data for the patient to sign, with a statement in plain words."""
        standing = await self._own(caller, consent.subject, "GRANT")
        name = await self._grantee_name(consent.grantee)
        terms = rules.draft_terms(
            consent,
            epoch=standing.epochs.epoch,
            now=int(self._clock.now()),
            salt=self._entropy.bytes(32),
            grantee_name=name,
        )
        if terms.not_after <= self._clock.now():
            raise CallerError("already over", field=("notAfter",))
        full = messages.consent_typed_data(terms, self._standings.domain)
        return Draft(id=eip712.digest(full), typed_data=full)

    async def grant(self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes) -> ConsentView:
        """Returns when the consent is on chain and in force here. What already stands is success."""
        domain = self._standings.domain
        terms = messages.read_consent(typed_data, domain)
        standing = await self._own(caller, terms.subject, "GRANT")
        full = messages.consent_typed_data(terms, domain)
        consent = ConsentId(eip712.digest(full))
        # 1. The patient's signature, verified here over what was understood.
        await self._require_signature(standing.subject, consent, signature)
        # 2. It says what it shows, now, in this epoch.
        await self._require_current(terms, standing, consent)
        row = await self._index.consent(consent)
        if row is None:
            # 3. Sealed and pinned before it is relied on, then durable with its call and audit entry.
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
                delegate=0,
                signature=signature,
            )
            row = ConsentRow(consent=consent, subject=terms.subject, digest=digest, call=call.call)
            await self._relaying.record(caller, terms.subject, action="GRANT", consent=consent, rows=(row, call))
        self._chain.wake()
        # 4. On chain, confirmed and indexed.
        outcome = await self._chain.outcome(row.call, timeout=GRANT_SECONDS, confirmed=True)
        if isinstance(outcome, Reverted):
            raise ConflictError(f"the registry refuses: {outcome.error}", field=("typedData",))
        if not isinstance(outcome, Landed):
            raise UpstreamError("not on chain in time; relaying goes on, submit the same again to see")
        return await self._changed(terms.subject, consent, terms, standing.subject)

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
        if rules.statement(terms, name) != terms.scope.statement:
            raise CallerError(
                "the statement does not say what the scope does",
                field=("typedData", "message", "scope", "statement"),
            )

    # ---- ending

    async def draft_revocation(self, caller: Caller, *, subject: SubjectId, consent: ConsentId) -> Draft:
        await self._own(caller, subject, "REVOKE")
        row = await self._index.consent(consent)
        if row is None or row.subject != subject:
            raise DeniedError("no such consent of this subject")
        full = messages.revocation_typed_data(subject, consent, self._standings.domain)
        return Draft(id=eip712.digest(full), typed_data=full)

    async def revoke(self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes) -> ConsentView:
        """In force when it returns, whatever the chain does."""
        subject, target = messages.read_revocation(typed_data, self._standings.domain)
        consent = ConsentId(target)
        standing = await self._own(caller, subject, "REVOKE")
        row = await self._index.consent(consent)
        if row is None or row.subject != subject:
            raise DeniedError("no such consent of this subject")
        full = messages.revocation_typed_data(subject, consent, self._standings.domain)
        await self._require_signature(standing.subject, eip712.digest(full), signature)
        call = self._calls.revoke(subject=subject, consent=consent, signature=signature)
        ending = Ending(
            subject=subject, kind=NarrowingKind.REVOKE, target=consent, typed_data=full, signature=signature
        )
        await self._relaying.narrow(caller, ending, call, action="REVOKE", consent=consent)
        try:
            terms = await self._standings.terms_of(row)
        except UpstreamError as error:
            raise UpstreamError("revoked, and in force here; its terms cannot be shown now") from error
        await self._chain.outcome(call.call, timeout=REVOKE_SECONDS, confirmed=False)
        return await self._changed(subject, consent, terms, standing.subject)

    async def draft_revocation_of_all(self, caller: Caller, *, subject: SubjectId) -> Draft:
        standing = await self._own(caller, subject, "REVOKE_ALL")
        full = messages.revoke_all_typed_data(subject, standing.epochs.epoch, self._standings.domain)
        return Draft(id=eip712.digest(full), typed_data=full)

    async def revoke_all(self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes) -> RevokedAll:
        """Ends every permit of the epoch; denies stay. In force when it returns."""
        subject, epoch = messages.read_revoke_all(typed_data, self._standings.domain)
        standing = await self._own(caller, subject, "REVOKE_ALL")
        full = messages.revoke_all_typed_data(subject, epoch, self._standings.domain)
        await self._require_signature(standing.subject, eip712.digest(full), signature)
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

    async def _own(self, caller: Caller, subject: SubjectId, action: str) -> Standing:
        """The standing of the caller's own subject; for any other, and for none, the same refusal, audited."""
        standing = await self._standings.asked_for(subject)
        if standing is None or not policy.owns(requester(caller), standing.epochs):
            event = Event(
                decision=self._audit.new_decision(),
                at=self._clock.now(),
                actor=caller.actor.id,
                outcome=Outcome.DENIED,
                action=action,
                subject=None if standing is None else subject,
                reason="not the caller's own subject",
            )
            await self._audit.append(event)
            raise DeniedError(event.reason, decision_id=event.decision)
        return standing

    async def _require_signature(self, subject: Subject, digest: bytes, signature: bytes) -> None:
        if not await self._identity.signed_by(subject.controller, digest, signature):
            raise CallerError("not signed by the patient's key, or not this text", field=("signature",))

    async def _grantee_name(self, grantee: bytes) -> str | None:
        if grantee == ANYONE:
            return None
        actor = await self._identity.actor(grantee)  # type: ignore[arg-type]  # 32 bytes, parsed from an id
        if actor is None:
            raise CallerError("no such actor", field=("granteeId",))
        return actor.name

    async def _changed(self, subject: SubjectId, consent: ConsentId, terms: Terms, of: Subject) -> ConsentView:
        self._standings.forget(subject)
        standing = await self._standings.of(subject)
        if standing is None:
            raise UpstreamError("the subject is being indexed again; ask again")
        await self._bus.publish(topic(subject), b"consent:" + consent)
        return self._standings.view(standing, consent, terms, of.controller)
