"""A family in an embedded gateway of the test's own process: a child under their own key, a parent whom they made their
delegate, a clinician, and what the parent tries."""

import asyncio
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anchoring.chain.abi import CONSENT
from gateway import eip712, jsontext
from gateway.consent import messages
from gateway.consent.model import (
    Action,
    ConsentInput,
    DelegateDraft,
    DelegateInput,
    DelegateView,
    Effect,
    Purpose,
    Terms,
)
from gateway.identity.model import Caller, Draft
from gateway.ids import ConsentId, RecordId, SubjectId
from gateway.ports.documents import SignedDocument
from gateway.ports.rows import CallRow, ConsentRow
from gateway.records.model import Released
from tests.attacks.inside import Inside, Somebody
from tests.journeys.wallets import send

OBSERVATIONS = ("Observation",)


def signed(who: Somebody, typed: Mapping[str, Any]) -> bytes:
    return bytes.fromhex(who.wallet.sign_typed_data(typed)[2:])


def later(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(time.time() + seconds), UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """`record` an observation, `private` a condition marked HIV. `number`: of the delegation, 0 before there is one."""

    at: Inside
    path: Path
    patient: Somebody
    subject: SubjectId
    record: RecordId
    private: RecordId
    parent: Somebody
    clinician: Somebody
    number: int = 0

    async def caller(self, who: Somebody) -> Caller:
        found = await self.at.caller(who)
        assert found is not None
        return found

    # ---- delegations

    async def draft(self, who: Somebody | None = None, **wanted: Any) -> DelegateDraft:
        """READ of observations for TREAT, for two hours."""
        plain: dict[str, Any] = {
            "subject": self.subject,
            "actor": self.parent.actor,
            "not_after": later(7200),
            "actions": (Action.READ,),
            "purposes": (Purpose.TREAT,),
            "resource_types": OBSERVATIONS,
            "labels": (),
            "denies": False,
            "permits_until": None,
            "lists": False,
        }
        asked = DelegateInput(**{**plain, **wanted})
        return await self.at.gateway.delegates.draft_delegate(await self.caller(who or self.patient), asked)

    async def submit(self, draft: DelegateDraft, *, signer: Somebody | None = None, **changed: Any) -> DelegateView:
        signature = signed(signer or self.patient, draft.typed_data)
        asked = {"typed_data": draft.typed_data, "signature": signature, "given": dict(draft.limits), **changed}
        return await self.at.gateway.delegates.add_delegate(await self.caller(self.patient), **asked)

    async def delegated(self, **wanted: Any) -> "Family":
        view = await self.submit(await self.draft(**wanted))
        assert view.holds
        return replace(self, number=view.number)

    async def removal(self, who: Somebody | None = None) -> Draft:
        caller = await self.caller(who or self.patient)
        return await self.at.gateway.delegates.draft_removal(caller, subject=self.subject, number=self.number)

    async def removed(self, who: Somebody | None = None) -> DelegateView:
        hand = who or self.patient
        typed = (await self.removal(hand)).typed_data
        remove = self.at.gateway.delegates.remove_delegate
        return await remove(await self.caller(hand), typed_data=typed, signature=signed(hand, typed))

    # ---- consents

    async def terms(self, who: Somebody | None = None, **wanted: Any) -> Mapping[str, Any]:
        """A draft of the parent's, or of `who`: for the clinician, of observations."""
        plain: dict[str, Any] = {
            "subject": self.subject,
            "effect": Effect.PERMIT,
            "grantee": self.clinician.actor,
            "actions": (Action.READ,),
            "purposes": (Purpose.TREAT,),
            "resource_types": OBSERVATIONS,
            "not_after": later(3600),
        }
        empty = ("codes", "authors", "records", "labels", "data_use")
        none = ("data_from", "data_to", "not_before", "terms_hash")
        asked = ConsentInput(**{**dict.fromkeys(empty, ()), **dict.fromkeys(none), **plain, **wanted})
        draft = await self.at.gateway.consents.draft(await self.caller(who or self.parent), asked)
        return draft.typed_data

    async def grant(self, typed: Mapping[str, Any], *, who: Somebody | None = None) -> ConsentId:
        """Signed and submitted by the parent, or by `who`."""
        hand = who or self.parent
        view = await self.at.gateway.consents.grant(
            await self.caller(hand), typed_data=typed, signature=signed(hand, typed)
        )
        return view.consent

    async def consented(self, **wanted: Any) -> ConsentId:
        return await self.grant(await self.terms(**wanted))

    async def reads(self, record: RecordId | None = None) -> bool:
        """Whether the clinician is shown it, with nothing kept in memory."""
        self.at.forget()
        return isinstance(await self.at.read(self.clinician, record or self.record), Released)

    # ---- past the gateway

    async def to_chain(self, call: CallRow) -> bool:
        """By a wallet of nobody's: whether the registry takes it."""
        return (
            int(
                send(self.at.gateway.chain_url, self.parent.wallet._account, to=call.contract, data=call.data)[
                    "status"
                ],
                16,
            )
            == 1
        )

    def granting(
        self, typed: Mapping[str, Any], *, number: int | None = None, signer: Somebody | None = None
    ) -> CallRow:
        """The registry's call that the gateway would make."""
        terms = self.read(typed)
        return self.at.gateway.consents._calls.grant(
            type_hash=messages.CONSENT_TYPE_HASH,
            subject=terms.subject,
            effect=int(terms.effect),
            scope_hash=messages.scope_hash(terms.scope, self.domain),
            not_before=terms.not_before,
            not_after=terms.not_after,
            epoch=terms.epoch,
            delegate=self.number if number is None else number,
            signature=signed(self.parent, typed),
        )

    async def planted(self, typed: Mapping[str, Any], *, number: int | None = None) -> ConsentId:
        """Granted straight on the chain, and put beside it by somebody who has the keys of a replica: sealed and in
        the index, past every check that a grant passes here."""
        assert await self.to_chain(self.granting(typed, number=number))
        digest = await self.sealed(typed)
        consent = ConsentId(eip712.digest(typed))
        row = ConsentRow(consent=consent, subject=self.subject, digest=digest, call=bytes(16))
        index = self.at.gateway.consents._index
        await index.apply((row,))
        while not any(event.keys[1:] == (consent,) for event in await index.events(self.subject, contract=CONSENT)):
            await asyncio.sleep(0.02)
        return consent

    async def sealed(self, typed: Mapping[str, Any]) -> bytes:
        """The text under the parent's signature, as a sealed block."""
        document = SignedDocument(typed_data=jsontext.canonical(dict(typed)), signature=signed(self.parent, typed))
        return await self.at.gateway.consents._documents.put_signed(self.subject, document)

    def read(self, typed: Mapping[str, Any]) -> Terms:
        return messages.read_consent(typed, self.domain)

    @property
    def domain(self) -> dict[str, Any]:
        return self.at.gateway._standings.domain

    def edit(self, sql: str, *values: object) -> int:
        """How many rows changed; nothing is kept in memory afterwards."""
        return self._edit(sql, values)

    def edit_named(self, sql: str, hashed: bytes, subject: bytes) -> int:
        """With a paper's name and the subject, or with as many of them as it asks for."""
        return self._edit(sql.replace(":subject", "?2"), (hashed, subject)[: 1 + (":subject" in sql)])

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.path, timeout=20)
        try:
            found: list[tuple[Any, ...]] = connection.execute(sql, values).fetchall()
        finally:
            connection.close()
        return found

    def _edit(self, sql: str, values: tuple[object, ...]) -> int:
        connection = sqlite3.connect(self.path, timeout=20)
        try:
            changed = connection.execute(sql, values).rowcount
            connection.commit()
        finally:
            connection.close()
        self.at.forget()
        self.at.gateway._standings.texts._limits.clear()
        self.at.gateway._standings.texts._signed.clear()
        return changed
