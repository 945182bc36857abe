"""A patient's consents: drafted here, signed by the patient, verified here, recorded on chain.

The gateway relays and cannot forge: a grant enters a decision only as its signed terms. A revocation is in force here
once it is durable; a dead chain does not hinder it, and relaying goes on.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from gateway import eip712, jsontext
from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent import messages, policy, rules
from gateway.consent.model import (
    ANYONE,
    ConsentInput,
    ConsentView,
    Requester,
    RevokedAll,
    Terms,
)
from gateway.consent.standing import Standing, Standings
from gateway.errors import CallerError, ConflictError, DeniedError, StaleError, UpstreamError
from gateway.identity.model import Caller, Draft, Subject
from gateway.identity.service import Identity
from gateway.ids import ConsentId, SubjectId
from gateway.ports.bus import Bus
from gateway.ports.chain import Calls, Chain, Landed, Reverted
from gateway.ports.clock import Clock, Entropy
from gateway.ports.documents import Documents, SignedDocument
from gateway.ports.index import Index
from gateway.ports.ledger import Appended, Stale, Taken
from gateway.ports.rows import Bump, CallRow, ConsentRow, Guard, NarrowingKind, NarrowingRow, Row

GRANT_SECONDS = 30.0
REVOKE_SECONDS = 2.0
TRIES = 5
MOST_CONSENTS = 100


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
            await self._record(caller, terms.subject, "GRANT", consent, rows=(row, call))
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
        await self._narrow(caller, subject, NarrowingKind.REVOKE, consent, full, signature, call, "REVOKE")
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
        await self._narrow(caller, subject, NarrowingKind.REVOKE_ALL, target, full, signature, call, "REVOKE_ALL")
        await self._chain.outcome(call.call, timeout=REVOKE_SECONDS, confirmed=False)
        self._standings.forget(subject)
        return RevokedAll(subject=subject, epoch=epoch + 1)

    async def _narrow(
        self,
        caller: Caller,
        subject: SubjectId,
        kind: NarrowingKind,
        target: bytes,
        full: Mapping[str, Any],
        signature: bytes,
        call: CallRow,
        action: str,
    ) -> None:
        # Sealed, and pinned once IPFS takes it: what ends a right waits for nobody but the database.
        sealed = await self._documents.seal_signed(
            subject, SignedDocument(typed_data=jsontext.canonical(dict(full)), signature=signature)
        )
        narrowing = NarrowingRow(kind=kind, subject=subject, target=target, digest=sealed.digest, call=call.call)
        consent = target if kind is NarrowingKind.REVOKE else b""
        # Commit point: before it the consent stands; after it no decision on the old version can be acknowledged.
        await self._record(
            caller, subject, action, consent, rows=(narrowing, sealed, call, Bump(name=subject)), guarded=False
        )
        self._standings.end(narrowing)
        await self._bus.publish(topic(subject), b"consent:" + consent)
        self._chain.wake()

    # ---- reading

    async def of_patient(
        self, caller: Caller, *, subject: SubjectId, first: int, after: str | None
    ) -> tuple[tuple[ConsentView, ...], bool, str | None]:
        """Newest first; the patient's alone, others get nothing."""
        caller = await self._identity.current(caller)
        standing = await self._standings.asked_for(subject)
        if standing is None or not policy.owns(requester(caller), standing.epochs):
            return (), False, None
        rows = list(reversed(await self._index.consents(subject)))
        start = 0
        if after is not None:
            start = 1 + next((at for at, row in enumerate(rows) if row.consent.hex() == after), -2)
            if start < 0:
                raise CallerError("not a cursor of this connection", field=("after",))
        shown = rows[start : start + first]
        views = [await self._view(standing, row) for row in shown]
        end = shown[-1].consent.hex() if shown else None
        return tuple(views), len(rows) > start + first, end

    async def get(self, caller: Caller, consent: ConsentId) -> ConsentView | None:
        """The patient's, and the named grantee's. What a grantee is shown stands in the patient's log."""
        for _ in range(TRIES):
            row = await self._index.consent(consent)
            standing = None if row is None else await self._standings.current(SubjectId(row.subject))
            if row is None or standing is None:
                return None
            caller = await self._identity.current(caller)
            view = await self._view(standing, row)
            if policy.owns(requester(caller), standing.epochs):
                return view
            grantee = view.terms.scope.grantee
            if grantee != caller.actor.id and grantee not in caller.organizations:
                return None
            self._standings.as_of()
            event = self._event(caller, standing.subject.id, "SHOW_CONSENT", Outcome.PERMITTED, consent=consent)
            guards = (*guards_of(caller), Guard(name=row.subject, version=standing.epochs.version))
            if isinstance(await self._audit.append(event, guards=guards), Appended):
                return view
        raise UpstreamError("the consent keeps changing; try again")

    async def changes(self, caller: Caller, *, subject: SubjectId) -> AsyncIterator[ConsentView]:
        """Each change of the patient's consents, decided afresh; ends without an item for anybody else."""
        changes = self._bus.subscribe(topic(subject))
        try:
            if not await self._may_watch(caller, subject):
                return
            async for payload in changes:
                caller = await self._identity.refreshed(caller)
                if not await self._may_watch(caller, subject):
                    return
                kind, _, raw = payload.partition(b":")
                row = await self._index.consent(raw) if kind == b"consent" and len(raw) == 32 else None
                standing = await self._standings.current(subject)
                if row is not None and standing is not None and row.subject == subject:
                    yield await self._view(standing, row)
        finally:
            await changes.aclose()

    async def visible_patient(self, caller: Caller | None, subject: SubjectId) -> Subject | None:
        """The subject, for those whom some decision on it could permit something; for all others there is none."""
        standing = None if caller is None else await self._standings.asked_for(subject)
        if caller is None or standing is None:
            return None
        return standing.subject if self._standings.may_concern(requester(caller), standing) else None

    async def _may_watch(self, caller: Caller, subject: SubjectId) -> bool:
        standing = await self._standings.asked_for(subject)
        return standing is not None and policy.owns(requester(caller), standing.epochs)

    async def _view(self, standing: Standing, row: ConsentRow) -> ConsentView:
        terms = await self._standings.terms_of(row)
        return self._standings.view(standing, ConsentId(row.consent), terms, standing.subject.controller)

    # ---- shared steps

    async def _own(self, caller: Caller, subject: SubjectId, action: str) -> Standing:
        """The standing of the caller's own subject; for any other, and for none, the same refusal, audited."""
        standing = await self._standings.asked_for(subject)
        if standing is None or not policy.owns(requester(caller), standing.epochs):
            known = None if standing is None else subject
            event = self._event(caller, known, action, Outcome.DENIED, reason="not the caller's own subject")
            await self._audit.append(event)
            raise DeniedError(event.reason, decision_id=event.decision)
        return standing

    def _event(
        self,
        caller: Caller,
        subject: SubjectId | None,
        action: str,
        outcome: Outcome,
        *,
        consent: bytes = b"",
        reason: str = "",
    ) -> Event:
        return Event(
            decision=self._audit.new_decision(),
            at=self._clock.now(),
            actor=caller.actor.id,
            outcome=outcome,
            action=action,
            subject=subject,
            consents=(consent,) if consent else (),
            reason=reason,
        )

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

    async def _record(
        self,
        caller: Caller,
        subject: SubjectId,
        action: str,
        consent: bytes,
        *,
        rows: Sequence[Row],
        guarded: bool = True,
    ) -> None:
        """Rows and audit entry in one transaction. Ending a consent stands on no guard: nothing may hinder it."""
        for _ in range(TRIES):
            event = self._event(caller, subject, action, Outcome.PERMITTED, consent=consent)
            guards = guards_of(caller) if guarded else ()
            answer = await self._audit.append(event, guards=guards, rows=rows)
            if isinstance(answer, Appended | Taken):
                return  # taken: the very same stands already, written whole by an earlier try
            if isinstance(answer, Stale):
                caller = await self._identity.refreshed(caller)
        raise UpstreamError("the caller's standing keeps changing; try again")

    async def _changed(self, subject: SubjectId, consent: ConsentId, terms: Terms, of: Subject) -> ConsentView:
        self._standings.forget(subject)
        standing = await self._standings.of(subject)
        if standing is None:
            raise UpstreamError("the subject is being indexed again; ask again")
        await self._bus.publish(topic(subject), b"consent:" + consent)
        return self._standings.view(standing, consent, terms, of.controller)


def requester(caller: Caller) -> Requester:
    """The caller as a decision sees it."""
    return Requester(
        actor=caller.actor.id,
        key=caller.actor.key,
        roles=caller.actor.roles,
        organizations=caller.organizations,
    )


def require_proven(caller: Caller) -> None:
    """Raises StaleError for a caller whose roles and memberships the chain has not vouched for."""
    if not caller.proven:
        raise StaleError("the caller's standing is not proven by the chain; try again shortly")


def guards_of(caller: Caller) -> tuple[Guard, ...]:
    """What the ledger compares of the caller."""
    return tuple(Guard(name=name, version=version) for name, version in caller.guards)


def topic(subject: bytes) -> str:
    """The bus topic of a subject: a random name, nothing of a patient."""
    return "subject:" + subject.hex()


def subject_of_topic(text: str) -> bytes | None:
    """The subject of a bus topic; None for a topic of another kind."""
    kind, _, name = text.partition(":")
    try:
        subject = bytes.fromhex(name) if kind == "subject" and len(name) == 64 else b""
    except ValueError:  # whoever can write into redis chose this topic
        return None
    return subject if len(subject) == 32 else None
