"""A client of one gateway: signed in with a key, or with a token that an identity provider gave.

True here: a refusal is raised as `RefusedError`; nothing is signed that was not asked for (`signing`); pages are read
to their end; a subscription that breaks off is taken up again where it ended. Operations without a method here are in
`operations`, generated and typed.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar, cast

import httpx
from eth_account.signers.local import LocalAccount
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosedError, InvalidHandshake

from .errors import NotSignedError, answered, session_ended
from .generated.async_base_client import GraphQLTransportWSMessageType
from .generated.enums import ActorRole, PurposeOfUse
from .generated.fragments import (
    AccessEventFields,
    ActorFields,
    ConsentFields,
    DraftFields,
    ImportedBundleFields,
    PageFields,
    PatientFields,
    RecordFields,
    RevokedAllFields,
    SessionFields,
    StoredRecordFields,
)
from .generated.input_types import (
    AccessFilter,
    AmendRecordInput,
    ConsentInput,
    CreateRecordInput,
    EnrolPatientInput,
    ImportBundleInput,
    MembershipInput,
    RecordFilter,
    RegisterActorInput,
    SignedInput,
    SignInInput,
)
from .generated.operations import Operations
from .generated.viewer import ViewerViewer
from .signing import Signer, check_consent, check_draft, check_sign_in

PAGE = 50
FORGOTTEN_AFTER = 1000
"""Records whose return a resumed subscription knows."""
ATTEMPTS = 6
"""Connections in a row without an item, until a subscription gives up: half a minute."""

_Item = TypeVar("_Item")

Approve = Callable[[DraftFields], bool | Awaitable[bool]]


class _CompletedError(Exception):
    """The gateway has ended a subscription, as opposed to a connection that broke."""


class _Operations(Operations):
    """Tells the end of a subscription from the end of its connection."""

    async def _handle_ws_message(self, message: Any, websocket: ClientConnection, expected_type: Any = None) -> Any:
        found = await super()._handle_ws_message(message, websocket, expected_type)
        if found is None and f'"{GraphQLTransportWSMessageType.COMPLETE.value}"' in str(message)[:200]:
            raise _CompletedError
        return found


class Consentry:
    """`url`: the gateway's, without a path. `token`: a session's, or an identity provider's, where there is one."""

    def __init__(self, url: str, *, token: str | None = None, timeout: float = 60.0) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.AsyncClient(timeout=timeout)
        socket = "ws" + self.url.removeprefix("http") + "/graphql"
        self.operations: Operations = _Operations(
            f"{self.url}/graphql", http_client=cast("Any", self._http), ws_url=socket
        )
        self._signer: Signer | None = None
        if token is not None:
            self.use_token(token)

    async def __aenter__(self) -> "Consentry":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    # ---- signing in

    async def sign_in(self, key: Signer | LocalAccount, *, device: str | None = None) -> SessionFields:
        """EIP-4361, with a wallet's key. The session's token goes with all that follows."""
        signer = Signer.of(key)
        challenge = answered((await self.operations.sign_in_challenge(signer.address)).sign_in_challenge)
        check_sign_in(challenge.message, url=self.url, address=signer.address)
        signature = await signer.sign_text(challenge.message)
        given = SignInInput(message=challenge.message, signature=signature, device=device)
        session = answered((await self.operations.sign_in(given)).sign_in)
        self._signer = signer
        self.use_token(session.access_token)
        return session

    async def refresh(self) -> SessionFields:
        """Another token in place of the present one; nothing else may be under way."""
        session = answered((await self.operations.refresh_session()).refresh_session)
        self.use_token(session.access_token)
        return session

    async def sign_out(self) -> None:
        """The session ends everywhere."""
        answered((await self.operations.sign_out()).sign_out)
        self._http.headers.pop("authorization", None)
        self.operations.ws_connection_init_payload = None
        self._signer = None

    def use_token(self, token: str) -> None:
        self._http.headers["authorization"] = f"Bearer {token}"
        self.operations.ws_connection_init_payload = {"authorization": f"Bearer {token}"}

    async def viewer(self) -> ViewerViewer | None:
        """Who is signed in; None without a valid token."""
        return (await self.operations.viewer()).viewer

    # ---- people

    async def register(self, *, key: str, roles: Sequence[ActorRole], name: str) -> ActorFields:
        """A registrar's. `key`: ERC-7913; of a wallet its address in lower case."""
        given = RegisterActorInput(key=key, roles=list(roles), name=name)
        return answered((await self.operations.register_actor(given)).register_actor)

    async def enrol(self, *, controller: str | None) -> PatientFields:
        """A registrar's. `controller`: the patient's key (ERC-7913); None: in custody."""
        return answered((await self.operations.enrol_patient(EnrolPatientInput(controller=controller))).enrol_patient)

    async def add_member(self, *, organization: str, member: str, not_after: datetime) -> ActorFields:
        """The organization's, signed by its key."""
        given = MembershipInput(organizationId=organization, memberId=member, notAfter=not_after)
        draft = answered((await self.operations.draft_membership(given)).draft_membership)
        check_draft(draft, primary="Membership")
        return answered((await self.operations.add_member(await self._signed(draft))).add_member)

    # ---- records

    async def create_record(
        self,
        patient: str,
        resource: Mapping[str, Any],
        *,
        labels: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> StoredRecordFields:
        """With a key of your own for it, a repeated call stores nothing twice."""
        given = CreateRecordInput(
            patientId=patient,
            resource=dict(resource),
            labels=None if labels is None else list(labels),
            idempotencyKey=idempotency_key,
        )
        return answered((await self.operations.create_record(given)).create_record)

    async def amend_record(self, given: AmendRecordInput) -> StoredRecordFields:
        return answered((await self.operations.amend_record(given)).amend_record)

    async def import_bundle(
        self, patient: str, bundle: Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> ImportedBundleFields:
        """All or nothing."""
        given = ImportBundleInput(patientId=patient, bundle=dict(bundle), idempotencyKey=idempotency_key)
        return answered((await self.operations.import_bundle(given)).import_bundle)

    async def read(self, record: str, purpose: PurposeOfUse = PurposeOfUse.TREAT) -> RecordFields:
        return answered((await self.operations.record(record, purpose)).record)

    def records(
        self, patient: str, purpose: PurposeOfUse = PurposeOfUse.TREAT, *, filter: RecordFilter | None = None
    ) -> AsyncIterator[RecordFields]:
        """All that may be seen, oldest arrival first; none alike where nothing may be, and where nothing is."""

        async def page(after: str | None) -> tuple[list[RecordFields], PageFields] | None:
            found = (await self.operations.records(patient, purpose, PAGE, filter_=filter, after=after)).patient
            return None if found is None else ([edge.node for edge in found.records.edges], found.records.page_info)

        return _pages(page)

    def timeline(
        self, patient: str, purpose: PurposeOfUse = PurposeOfUse.TREAT, *, filter: RecordFilter | None = None
    ) -> AsyncIterator[RecordFields]:
        """As `records`, by clinical time, newest first."""

        async def page(after: str | None) -> tuple[list[RecordFields], PageFields] | None:
            found = (await self.operations.timeline(patient, purpose, PAGE, filter_=filter, after=after)).patient
            return None if found is None else ([edge.node for edge in found.timeline.edges], found.timeline.page_info)

        return _pages(page)

    # ---- consents

    async def grant(self, asked: ConsentInput, *, approve: Approve | None = None) -> ConsentFields:
        """Drafts, looks whether the draft is what was asked for, signs and submits; in force when it returns.

        `approve` is shown the draft first, its `typed_data["message"]["scope"]["statement"]` says it in plain words.
        Raises NotSignedError where the draft says something else, or `approve` does not give True.
        """
        draft = answered((await self.operations.draft_consent(asked)).draft_consent)
        check_consent(draft, asked)
        return answered((await self.operations.grant_consent(await self._signed(draft, approve))).grant_consent)

    async def revoke(self, patient: str, consent_id: str) -> ConsentFields:
        """In force when it returns, whatever the chain does."""
        draft = answered((await self.operations.draft_revocation(patient, consent_id)).draft_revocation)
        if check_draft(draft, primary="Revocation").get("consentId") != consent_id:
            raise NotSignedError("the draft revokes another consent")
        return answered((await self.operations.revoke_consent(await self._signed(draft))).revoke_consent)

    async def revoke_all(self, patient: str) -> RevokedAllFields:
        """Every permit ends, denies stay."""
        draft = answered((await self.operations.draft_revocation_of_all(patient)).draft_revocation_of_all)
        check_draft(draft, primary="RevokeAll")
        return answered((await self.operations.revoke_all_consents(await self._signed(draft))).revoke_all_consents)

    def consents(self, patient: str) -> AsyncIterator[ConsentFields]:
        """The patient's own."""

        async def page(after: str | None) -> tuple[list[ConsentFields], PageFields] | None:
            found = (await self.operations.consents(patient, PAGE, after=after)).patient
            return None if found is None else ([edge.node for edge in found.consents.edges], found.consents.page_info)

        return _pages(page)

    def access_log(self, patient: str, *, filter: AccessFilter | None = None) -> AsyncIterator[AccessEventFields]:
        """The patient's own: who asked for what, and what they were told."""

        async def page(after: str | None) -> tuple[list[AccessEventFields], PageFields] | None:
            found = (await self.operations.access_log(patient, PAGE, filter_=filter, after=after)).patient
            return (
                None if found is None else ([edge.node for edge in found.access_log.edges], found.access_log.page_info)
            )

        return _pages(page)

    async def _signed(self, draft: DraftFields, approve: Approve | None = None) -> SignedInput:
        if self._signer is None:
            raise NotSignedError("nobody is signed in with a key here")
        if approve is not None:
            approved = approve(draft)
            if (await approved if isinstance(approved, Awaitable) else approved) is not True:
                raise NotSignedError("the draft was not approved")
        signature = await self._signer.sign_typed_data(draft.typed_data)
        return SignedInput(typedData=draft.typed_data, signature=signature)

    # ---- subscriptions

    async def record_added(
        self, patient: str, purpose: PurposeOfUse = PurposeOfUse.TREAT, *, since: datetime | None = None
    ) -> AsyncIterator[RecordFields]:
        """Records as they arrive, each once, over as many connections as it takes. Ends when the gateway says so."""
        known: deque[tuple[str, int]] = deque(maxlen=FORGOTTEN_AFTER)
        failures = 0
        while True:
            try:
                async for item in self.operations.record_added(patient, purpose, since):
                    failures, record = 0, item.record_added
                    since = record.recorded_at
                    if (record.id, record.version) not in known:
                        known.append((record.id, record.version))
                        yield record
            except _CompletedError:
                return
            except (ConnectionClosedError, InvalidHandshake, OSError) as broken:
                failures = _count(failures, broken)
            await asyncio.sleep(min(2.0**failures / 4, 8.0))

    async def consent_changed(self, patient: str) -> AsyncIterator[ConsentFields]:
        """The patient's consents as they change. A connection that breaks ends it."""
        try:
            async for item in self.operations.consent_changed(patient):
                yield item.consent_changed
        except _CompletedError:
            return
        except ConnectionClosedError as broken:
            _count(ATTEMPTS, broken)


def _count(failures: int, broken: Exception) -> int:
    """One failure more. Raises RefusedError where the session has ended, and the error itself after too many."""
    if isinstance(broken, ConnectionClosedError) and broken.rcvd is not None and broken.rcvd.code in (4401, 4403):
        raise session_ended() from broken
    if failures >= ATTEMPTS:
        raise broken
    return failures + 1


async def _pages(
    page: Callable[[str | None], Awaitable[tuple[list[_Item], PageFields] | None]],
) -> AsyncIterator[_Item]:
    after: str | None = None
    while (found := await page(after)) is not None:
        items, info = found
        for item in items:
            yield item
        if not info.has_next_page:
            return
        after = info.end_cursor
