"""Consent forms, published by an organization and shown to anyone signed in; a patient signs the hash of one.

What is shown has the hash that it is asked for by, or is refused. A version is durable with its audit entry before it
goes to IPFS, so each block that is there was acknowledged.
"""

import contextlib
import hashlib

from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent import forms
from gateway.consent.forms import FormInput, FormVersion
from gateway.consent.names import guards_of
from gateway.errors import ConflictError, DeniedError, IntegrityError, UpstreamError
from gateway.identity.model import Caller
from gateway.identity.service import Identity
from gateway.ids import ActorId, FormId
from gateway.ports.clock import Clock, Entropy
from gateway.ports.documents import Documents
from gateway.ports.index import LAST_SEQ, Index
from gateway.ports.ledger import Appended, Taken
from gateway.ports.requests import FormRow
from gateway.ports.sealing import SealingKeys

TRIES = 5
PUBLISH = "PUBLISH_FORM"
_CURSOR = b"consent-forms"


class ConsentForms:
    """See the module."""

    def __init__(
        self,
        *,
        identity: Identity,
        audit: Audit,
        index: Index,
        documents: Documents,
        keys: SealingKeys,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._identity = identity
        self._audit = audit
        self._index = index
        self._documents = documents
        self._keys = keys
        self._clock = clock
        self._entropy = entropy

    async def publish(self, caller: Caller, asked: FormInput) -> FormVersion:
        """The next version of a form, or the first of a new one. CallerError, DeniedError; ConflictError where another
        version was published meanwhile."""
        forms.check(asked)
        for _ in range(TRIES):
            latest = None if asked.form is None else await self._index.form(asked.form)
            publisher = ActorId(latest.publisher) if latest is not None else asked.publisher or caller.actor.id
            unknown = asked.form is not None and latest is None
            if unknown or asked.publisher not in (None, publisher) or not forms.may_publish(caller, publisher):
                raise await self._refused(caller)
            made = forms.made(
                asked,
                form=asked.form or FormId(self._entropy.bytes(16)),
                version=1 if latest is None else latest.version + 1,
                publisher=publisher,
                previous=b"" if latest is None else latest.hash,
                now=int(self._clock.now()),
            )
            if made.version > forms.MOST_VERSIONS:
                raise ConflictError(f"{forms.MOST_VERSIONS} versions are the most", field=("formId",))
            sealed = await self._documents.seal_form(publisher, made.octets)
            row = FormRow(
                form=made.form, version=made.version, publisher=publisher, hash=made.hash, digest=sealed.digest
            )
            # Commit point: before it there is no such version; after it there is, and IPFS gets it.
            entry = await self._audit.append(
                self._event(caller, Outcome.PERMITTED, made.hash), guards=guards_of(caller), rows=(row, sealed)
            )
            if isinstance(entry, Appended):
                with contextlib.suppress(UpstreamError):  # it is pinned as soon as IPFS takes it
                    await self._documents.pin(sealed)
                return made
            if isinstance(entry, Taken):
                raise ConflictError("another version was published meanwhile", field=("formId",))
            caller = await self._identity.refreshed(caller)
        raise UpstreamError("the caller's standing keeps changing; try again")

    async def get(self, caller: Caller, form: FormId, *, version: int | None) -> FormVersion | None:
        """The newest version, or that of a number."""
        await self._identity.current(caller)
        row = await self._index.form(form, version=version)
        return None if row is None else await self._opened(row)

    async def signed(self, hash: bytes) -> FormVersion | None:
        """The version whose hash was signed; None where it is of no form that is known here."""
        row = await self._index.form_of_hash(hash)
        return None if row is None else await self._opened(row)

    async def page(
        self, caller: Caller, *, publisher: ActorId | None, form: FormId | None, first: int, after: str | None
    ) -> tuple[tuple[tuple[str, FormVersion], ...], bool]:
        """Versions, newest first, each with its cursor, and whether more follow."""
        await self._identity.current(caller)
        before = LAST_SEQ if after is None else self._keys.reveal(after, context=_CURSOR)
        rows = await self._index.forms(publisher=publisher, form=form, before=before, limit=first + 1)
        shown = [(self._keys.hide(row.seq, context=_CURSOR), await self._opened(row)) for row in rows[:first]]
        return tuple(shown), len(rows) > first

    async def _opened(self, row: FormRow) -> FormVersion:
        octets = await self._documents.form(row.publisher, row.digest)
        found = forms.read(octets)
        said = (found.form, found.version, found.publisher)
        if hashlib.sha256(octets).digest() != row.hash or said != (row.form, row.version, row.publisher):
            raise IntegrityError("a consent form is not what its row says")
        return found

    def _event(self, caller: Caller, outcome: Outcome, hash: bytes = b"", reason: str = "") -> Event:
        return Event(
            decision=self._audit.new_decision(),
            at=self._clock.now(),
            actor=caller.actor.id,
            outcome=outcome,
            action=PUBLISH,
            digest=hash,
            reason=reason,
        )

    async def _refused(self, caller: Caller) -> DeniedError:
        """To be raised: it stands in the log already."""
        event = self._event(caller, Outcome.DENIED, reason="publishes for no such organization, or no such form")
        await self._audit.append(event)
        return DeniedError(event.reason, decision_id=event.decision)
