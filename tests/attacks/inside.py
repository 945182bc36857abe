"""A whole embedded gateway inside the test's own process, and people who speak to its services with keys of their own.

For campaigns of thousands of reads: no HTTP between, and what the gateway keeps in memory can be dropped at any moment
(`Inside.forget`), so that each read stands on what lies in the database at that moment.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.consent.model import Action, ConsentInput, Effect, Purpose
from gateway.consent.studies import Studies
from gateway.demo.wallet import Wallet
from gateway.errors import ConsentryError, StaleError
from gateway.identity.model import Caller, Role
from gateway.ids import ActorId, ConsentId, RecordId, SubjectId
from gateway.records.model import NewRecord, RecordFilter, RecordOrder, Released
from gateway.settings import Settings
from gateway.slices import Slice
from gateway.wiring.gateway import Gateway
from gateway.wiring.opening import open_gateway
from schema.context import Services
from schema.execution import Engine
from schema.root import build_schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Somebody:
    """A key, a session and an actor."""

    wallet: Wallet = field(repr=False)
    token: str = field(repr=False)
    actor: ActorId


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """`actors` and `subjects`: everybody who was ever made here."""

    gateway: Gateway
    registrar: Somebody
    actors: list[ActorId]
    subjects: list[SubjectId]

    async def caller(self, who: Somebody) -> Caller | None:
        return await self.gateway.identity.caller(who.token)

    async def _required(self, who: Somebody) -> Caller:
        found = await self.caller(who)
        assert found is not None
        return found

    def forget(self, *, ended: bool = True) -> None:
        """Nothing is kept, as after a start: the next answer stands on what the database says now. `ended` False: what
        was ended here is still in mind."""
        if ended:
            self.gateway._standings._ended.clear()
        for actor in self.actors:
            self.gateway.identity.forget(actor)
        for subject in self.subjects:
            self.gateway._standings.forget(subject)

    async def person(self, role: Role, *, wallet: Wallet | None = None) -> Somebody:
        own = wallet or Wallet.new()
        await self.gateway.identity.register_actor(
            await self._required(self.registrar),
            key=bytes.fromhex(own.signer[2:]),
            roles=frozenset({role}),
            name="Somebody",
            encryption_key=None,
            encryption_key_signature=None,
        )
        return await self._sign_in(own)

    async def _sign_in(self, wallet: Wallet) -> Somebody:
        found = await sign_in(self.gateway, wallet)
        self.actors.append(found.actor)
        return found

    async def patient(self, who: Somebody) -> SubjectId:
        key = bytes.fromhex(who.wallet.signer[2:])
        made = await self.gateway.identity.enrol_patient(await self._required(self.registrar), controller=key)
        self.subjects.append(made.id)
        return made.id

    async def store(self, who: Somebody, subject: SubjectId, resource: object, *, labels: Any = None) -> RecordId:
        new = NewRecord(subject=subject, resource=resource, labels=labels, idempotency_key=None)
        stored = await self.gateway.records.create(await self._required(who), new)
        return stored.record

    async def consent(self, who: Somebody, subject: SubjectId, grantee: bytes, **terms: Any) -> ConsentId:
        """Drafted, signed and granted: READ for TREAT of one hour, with `terms` instead."""
        plain: dict[str, Any] = {
            "subject": subject,
            "effect": Effect.PERMIT,
            "grantee": ActorId(grantee),
            "actions": (Action.READ,),
            "purposes": (Purpose.TREAT,),
            "not_after": datetime.fromtimestamp(time.time() + 3600, UTC),
        }
        empty = ("resource_types", "codes", "authors", "records", "labels", "data_use")
        none = ("data_from", "data_to", "not_before", "terms_hash")
        asked = {**dict.fromkeys(empty, ()), **dict.fromkeys(none), **plain, **terms}
        caller = await self._required(who)
        draft = await self.gateway.consents.draft(caller, ConsentInput(**asked))
        signature = bytes.fromhex(who.wallet.sign_typed_data(draft.typed_data)[2:])
        view = await self.gateway.consents.grant(caller, typed_data=draft.typed_data, signature=signature)
        return view.consent

    async def revoke(self, who: Somebody, subject: SubjectId, consent: ConsentId) -> None:
        caller = await self._required(who)
        draft = await self.gateway.consents.draft_revocation(caller, subject=subject, consent=consent)
        signature = bytes.fromhex(who.wallet.sign_typed_data(draft.typed_data)[2:])
        await self.gateway.consents.revoke(caller, typed_data=draft.typed_data, signature=signature)

    async def read(
        self, who: Somebody, record: RecordId, *, purpose: Purpose = Purpose.TREAT
    ) -> Released | ConsentryError | None:
        """What is released, or why nothing is; None where nobody is signed in."""
        try:
            caller = await self.caller(who)
            return None if caller is None else await self.gateway.records.read(caller, record, purpose=purpose)
        except ConsentryError as error:
            return error

    async def page(
        self, who: Somebody, subject: SubjectId, *, purpose: Purpose = Purpose.TREAT
    ) -> tuple[Released, ...] | ConsentryError | None:
        try:
            caller = await self.caller(who)
            if caller is None:
                return None
            page = await self.gateway.records.page(
                caller,
                subject,
                purpose=purpose,
                filter=RecordFilter(),
                order=RecordOrder.ARRIVAL,
                part=Slice(size=50),
            )
        except ConsentryError as error:
            return error
        return page.items


async def sign_in(gateway: Gateway, wallet: Wallet) -> Somebody:
    """EIP-4361."""
    challenge = await gateway.identity.challenge(address=wallet.address)
    signature = bytes.fromhex(wallet.sign_text(challenge.message)[2:])
    session = await gateway.identity.sign_in(message=challenge.message, signature=signature)
    return Somebody(wallet=wallet, token=session.access_token, actor=session.actor.id)


@asynccontextmanager
async def inside(folder: Path, *, studies: Studies | None = None, **settings: Any) -> AsyncIterator[Inside]:
    """A first start in `folder`. `studies`: where standings in studies come from."""
    gateway = await open_gateway(Settings(data_dir=folder, **settings), studies=studies)
    try:
        registrar = await sign_in(gateway, Wallet.of_hex((folder / "registrar.key").read_text()))
        yield Inside(gateway=gateway, registrar=registrar, actors=[registrar.actor], subjects=[])
    finally:
        await gateway.close()


def engine_of(gateway: Gateway) -> Engine:
    """The schema over these very services, without a door before it."""
    names = [one.name for one in fields(Services)]
    return Engine(build_schema(), Services(**{name: getattr(gateway, name) for name in names}))


async def settled(work: Any) -> Any:
    """What `work()` gives once it is not STALE: the index may be a moment behind."""
    for _ in range(100):
        found = await work()
        if not isinstance(found, StaleError):
            return found
    return found
