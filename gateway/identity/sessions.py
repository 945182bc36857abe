"""Sessions: one a sign-in, each with a name for its device if its owner gave one; listed, carried on, ended by them.

A token is good for a while, and another may take its place until the session's own end, which was fixed at sign-in. A
token that gave way and is shown again ends the session: one of the two who have it should not (RFC 9700, 4.14.2). What
ends is out at once: the actor's version moves in the same transaction, so no decision of the ended session can be
acknowledged anywhere. Not done here: signing in, and hearing of what ended elsewhere (`vigil`).
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event, moment
from gateway.errors import (
    CallerError,
    ConflictError,
    DeniedError,
    IntegrityError,
    LimitError,
    UnauthenticatedError,
    UpstreamError,
)
from gateway.identity import rules
from gateway.identity.callers import TOKEN_CHARACTERS, Callers, Mark, digest_of
from gateway.identity.model import Actor, Caller, Session, SessionView
from gateway.identity.verdicts import RelyingParties
from gateway.identity.versions import ENDINGS, all_ended, moved
from gateway.identity.vigil import TOPIC
from gateway.ids import ActorId, SessionId
from gateway.ports.bus import Bus
from gateway.ports.clock import Clock, Entropy
from gateway.ports.index import Index
from gateway.ports.ledger import Appended
from gateway.ports.rows import Row
from gateway.ports.sealing import ActorSealing, SealingKeys
from gateway.ports.sign_ins import OtherSessionsEnded, SessionEnded, SessionRotated, SessionRow
from gateway.slices import Page, Slice, between, page_of

GRACE_SECONDS = 10
"""A request that was under way when its token gave way is refused, and no more: it is no theft."""
MOST_ROTATIONS = 5_000
_CURSOR = b"sessions"
_DEVICE = b"session/device"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTerms:
    """`session_seconds` from sign-in to the end, `token_seconds` each token (0: as long). `mark` as of tokens."""

    session_seconds: int
    token_seconds: int
    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInTerms:
    """`domain` and `uri` as EIP-4361 has them; `sessions`: how long what comes of a sign-in lasts."""

    domain: str
    uri: str
    sessions: SessionTerms
    registrars: frozenset[bytes]
    parties: RelyingParties


class Sessions:
    """See the module."""

    def __init__(
        self,
        *,
        index: Index,
        audit: Audit,
        callers: Callers,
        bus: Bus,
        keys: SealingKeys,
        sealing: ActorSealing,
        clock: Clock,
        entropy: Entropy,
        terms: SessionTerms,
    ) -> None:
        self._index = index
        self._audit = audit
        self._callers = callers
        self._bus = bus
        self._keys = keys
        self._sealing = sealing
        self._clock = clock
        self._entropy = entropy
        self._terms = terms

    async def open(self, actor: Actor, *, device: str | None) -> Session:
        """For whoever just signed in as the actor."""
        now = int(self._clock.now())
        session, ends = self._entropy.bytes(16), now + self._terms.session_seconds
        expires = self._expiry(now, ends)
        token = self._callers.new_token(actor, self._entropy.bytes(32), session=session, expires=expires)
        row = SessionRow(
            session=session,
            token_digest=digest_of(token),
            actor=actor.id,
            opened_at=now,
            expires_at=expires,
            ends_at=ends,
            label=b"" if device is None else await self._sealed(actor.id, session, device),
            mark=self._mark(session, actor.id, opened=now, ends=ends),
        )
        await self._index.apply((row,))
        return self._shown(row, token, actor)

    async def refresh(self, caller: Caller | None, token: str | None) -> Session:
        """Another token for the caller's session in place of this one, which ends. UnauthenticatedError where it does
        not hold; one that gave way already ends its session."""
        try:
            if caller is None or token is None:
                raise UnauthenticatedError("sign in first")
            return await self._rotate(await self._callers.refreshed(caller))
        except UnauthenticatedError:
            await self._look_for_reuse(token, grace=0)
            raise

    async def _rotate(self, caller: Caller) -> Session:
        now = self._callers.now()
        row = await self._index.session(caller.credential, now=now) if caller.session else None
        if row is None:
            raise UnauthenticatedError("only a session of a sign-in here is carried on")
        marked = self._mark(row.session, row.actor, opened=row.opened_at, ends=row.ends_at)
        if row.actor != caller.actor.id or not hmac.compare_digest(marked, row.mark):
            raise IntegrityError("a session's row is none that this gateway wrote")
        if row.rotations >= MOST_ROTATIONS:
            raise LimitError("this session was carried on too often; sign in again")
        expires = self._expiry(now, row.ends_at)
        fresh = self._callers.new_token(caller.actor, self._entropy.bytes(32), session=row.session, expires=expires)
        step = SessionRotated(
            session=row.session,
            before=row.token_digest,
            token_digest=digest_of(fresh),
            expires_at=expires,
            spent_at=now,
            ends_at=row.ends_at,
        )
        try:
            # Commit point: before it the old token holds, after it the new one alone, here and everywhere.
            await self._index.apply((step, *moved(caller.actor.id, ENDINGS)))
        except ConflictError as error:  # another took its place meanwhile, by the same token
            raise UnauthenticatedError("this token gave way to another already") from error
        await self._tell(caller.actor.id)
        return self._shown(row, fresh, caller.actor, expires=expires)

    async def page(self, caller: Caller, *, part: Slice) -> Page[SessionView]:
        """The caller's own that hold now, newest first."""
        caller = await self._callers.current(caller)
        context = _CURSOR + caller.actor.id
        after, before = between(part, lambda cursor: self._keys.reveal(cursor, context=context))
        rows = await self._index.sessions(
            caller.actor.id,
            after=after,
            before=before,
            limit=part.size + 1,
            now=self._callers.now(),
            backwards=part.backwards,
        )
        page = page_of(rows, part)
        views = tuple([await self._view(row, caller, context) for row in page.items])
        return Page(views, page.has_next, page.has_previous)

    async def end(self, caller: Caller, session: SessionId) -> datetime:
        """One of the caller's own. DeniedError for another's, as for none."""
        caller = await self._callers.current(caller)
        row = await self._index.session_named(session, now=self._callers.now())
        if row is None or row.actor != caller.actor.id:
            raise DeniedError("no such session of the caller")
        return await self._end(caller.actor.id, (SessionEnded(session=session, actor=caller.actor.id),), "SESSION_END")

    async def end_others(self, caller: Caller) -> datetime:
        """Every other one of the caller's own."""
        caller = await self._callers.current(caller)
        rows = (OtherSessionsEnded(actor=caller.actor.id, session=caller.session),)
        return await self._end(caller.actor.id, rows, "SESSIONS_END", all_of_them=True)

    async def sign_out(self, caller: Caller) -> datetime:
        """The caller's own present one."""
        if not caller.session:
            raise CallerError("only a session of a sign-in here is ended here")
        ended = (SessionEnded(session=caller.session, actor=caller.actor.id),)
        return await self._end(caller.actor.id, ended, "SIGN_OUT")

    async def shown(self, token: str) -> None:
        """A token that does not hold was shown: if it gave way to another, its session ends."""
        await self._look_for_reuse(token, grace=GRACE_SECONDS)

    # ---- steps

    async def _look_for_reuse(self, token: str | None, *, grace: int) -> None:
        if token is None or len(token) != TOKEN_CHARACTERS:
            return
        spent = await self._index.spent_token(digest_of(token))
        if spent is None or self._callers.now() - spent.spent_at < grace:
            return
        actor = ActorId(spent.actor)
        ended = (SessionEnded(session=spent.session, actor=actor),)
        await self._end(actor, ended, "SESSION_REUSE", outcome=Outcome.DENIED)

    async def _end(
        self,
        actor: ActorId,
        rows: Sequence[Row],
        action: str,
        *,
        outcome: Outcome = Outcome.PERMITTED,
        all_of_them: bool = False,
    ) -> datetime:
        """Gives the time from which it holds."""
        event = Event(
            decision=self._audit.new_decision(),
            at=self._clock.now(),
            actor=actor,
            outcome=outcome,
            action=action,
        )
        # Commit point: after it no decision of what ended can be acknowledged, and no token of it is looked up.
        moving = all_ended(actor) if all_of_them else moved(actor, ENDINGS)
        if not isinstance(await self._audit.append(event, rows=(*rows, *moving)), Appended):
            raise UpstreamError("the end of a session stands on nothing that could have moved")
        await self._tell(actor)
        return moment(int(event.at * 1000))

    async def _tell(self, actor: ActorId) -> None:
        self._callers.forget(actor)
        await self._bus.publish(TOPIC, b"")

    async def _sealed(self, actor: ActorId, session: bytes, device: str) -> bytes:
        rules.check_device(device)
        try:
            return await self._sealing.seal(actor, rules.pad_device(device), context=_DEVICE + session)
        except IntegrityError as error:
            raise UnauthenticatedError("this actor was erased: nothing of theirs is kept", field=("device",)) from error

    async def _view(self, row: SessionRow, caller: Caller, context: bytes) -> SessionView:
        return SessionView(
            id=SessionId(row.session),
            device=await self._device(row) if row.label else None,
            opened_at=moment(row.opened_at * 1000),
            expires_at=moment(row.expires_at * 1000),
            ends_at=moment(row.ends_at * 1000),
            current=row.session == caller.session,
            cursor=self._keys.hide(row.seq, context=context),
        )

    async def _device(self, row: SessionRow) -> str | None:
        """None where it does not open: a session can still be ended then."""
        try:
            return rules.unpad_device(await self._sealing.open(row.actor, row.label, context=_DEVICE + row.session))
        except IntegrityError:
            return None

    def _shown(self, row: SessionRow, token: str, actor: Actor, *, expires: int | None = None) -> Session:
        return Session(
            id=SessionId(row.session),
            access_token=token,
            expires_at=moment((row.expires_at if expires is None else expires) * 1000),
            ends_at=moment(row.ends_at * 1000),
            actor=actor,
        )

    def _expiry(self, now: int, ends: int) -> int:
        return min(ends, now + (self._terms.token_seconds or self._terms.session_seconds))

    def _mark(self, session: bytes, actor: bytes, *, opened: int, ends: int) -> bytes:
        return self._terms.mark(b"ends" + session + actor + opened.to_bytes(8, "big") + ends.to_bytes(8, "big"))
