"""Callers that an identity provider vouches for, and how somebody there comes to stand for an actor.

True here: an identity provider can become no actor. The actor's own key signs that this issuer's subject stands for it
(`IdentityLink`), with a token of that subject in hand, so neither side is linked against its will; the text lies sealed
under the actor's key, and is opened and verified whenever such a caller is loaded, so a row that somebody wrote lets
nobody in. The scopes only take away. Not done here: looking at a token (`gateway.ports.tokens`), deciding.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway import eip712, jsontext
from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
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
from gateway.identity.callers import Callers, digest_of
from gateway.identity.model import Actor, Bearer, Caller, Draft, LinkedIdentity
from gateway.identity.scopes import reach_of
from gateway.identity.verdicts import Verdicts
from gateway.identity.versions import LINK_ENDINGS, moved
from gateway.identity.vigil import TOPIC
from gateway.ids import ActorId
from gateway.ports.bus import Bus
from gateway.ports.clock import Clock
from gateway.ports.index import Index
from gateway.ports.ledger import Appended, Taken
from gateway.ports.rows import Guard, Row
from gateway.ports.sealing import ActorSealing, SealingKeys
from gateway.ports.sign_ins import IdentityRow, IdentityUnlinked
from gateway.ports.tokens import LONGEST_TOKEN, BearerTokens, Claims

MOST_LINKS = 8
LONGEST_LINK_SECONDS = 366 * 86_400
WALLET_OCTETS = 20
_SEALED = b"identity/"


class Bearers:
    """See the module. `tokens` None: no identity provider is trusted, and no such token is looked at."""

    def __init__(
        self,
        *,
        tokens: BearerTokens | None,
        index: Index,
        audit: Audit,
        callers: Callers,
        verdicts: Verdicts,
        domain: Mapping[str, Any],
        bus: Bus,
        keys: SealingKeys,
        sealing: ActorSealing,
        clock: Clock,
    ) -> None:
        self._tokens = tokens
        self._index = index
        self._audit = audit
        self._callers = callers
        self._verdicts = verdicts
        self._domain = domain
        self._bus = bus
        self._keys = keys
        self._sealing = sealing
        self._clock = clock

    def takes(self, token: str | None) -> bool:
        """Whether it has the form of an identity provider's token, and there is one that is trusted."""
        return self._tokens is not None and token is not None and token.count(".") == 2

    async def caller(self, token: str) -> Caller | None:
        """None for whatever does not hold. UpstreamError where that cannot be told now."""
        digest, now = digest_of(token), self._callers.now()
        held = self._callers.kept(digest, now)
        if held is not None:
            return held
        claims = await self._claims(token)
        if claims is None:
            return None
        forgotten = self._callers.forgotten
        row = await self._index.identity(self._name(claims))
        loaded = None if row is None else await self._callers.load(ActorId(row.actor), now)
        if row is None or loaded is None:
            return None
        linked_until = await self._linked_until(row, loaded[0].actor, claims)
        if linked_until is None:
            return None
        good_until = min(claims.good_until, linked_until)
        bearer = Bearer(
            link=row.name,
            issued_at=claims.issued_at,
            good_until=good_until,
            reach=reach_of(claims.scopes, claims.purposes),
        )
        # Last, once the versions are read: what ends the link from here on makes the caller's guards fail.
        if not await self._callers.is_linked(loaded[0].actor, bearer):
            return None
        caller = replace(loaded[0], bearer=bearer)
        self._callers.keep(digest, caller, ends=good_until, settles=loaded[1], forgotten=forgotten)
        return caller

    async def draft_link(self, caller: Caller, *, token: str) -> Draft:
        """The text by which whoever holds this token will stand for the caller, for a year."""
        claims = await self._shown(caller, token)
        not_after = self._callers.now() + 365 * 86_400
        full = self._text(caller.actor.id, claims, not_after)
        return Draft(id=eip712.digest(full), typed_data=full)

    async def link(
        self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes, token: str
    ) -> LinkedIdentity:
        """Both must be there: the actor's signature, and a token that the identity provider gave this subject."""
        caller = await self._callers.current(caller)
        claims = await self._shown(caller, token)
        actor, issuer, subject, not_after = rules.read_identity(typed_data)
        if actor != caller.actor.id:
            raise DeniedError("another actor's text")
        if (issuer, subject) != (claims.issuer, claims.subject):
            raise CallerError("the token is of somebody else than the text", field=("token",))
        if not 0 < not_after - self._callers.now() <= LONGEST_LINK_SECONDS:
            raise CallerError("in the past, or further off than a year", field=("typedData", "message", "notAfter"))
        digest = eip712.digest(self._text(actor, claims, not_after))
        if not await self._verdicts.signed_by(caller.actor.key, digest, signature):
            raise CallerError("not signed by the actor's key for this chain", field=("signature",))
        name = self._name(claims)
        others = [row for row in await self._index.identities(actor) if row.name != name]
        if len(others) >= MOST_LINKS:
            raise LimitError(f"at most {MOST_LINKS} identities stand for one actor")
        signed: jsontext.JsonValue = {
            "issuer": issuer,
            "subject": subject,
            "notAfter": not_after,
            "signature": signature.hex(),
        }
        sealed = await self._sealing.seal(actor, jsontext.canonical(signed), context=_SEALED + name)
        # What was issued before the token that was shown is not good by this link: it may be why the last one ended.
        row = IdentityRow(name=name, actor=actor, sealed=sealed, not_before=claims.issued_at - 1)
        await self._append(caller, row, "LINK_IDENTITY")
        return LinkedIdentity(name=name, issuer=issuer, subject=subject, not_after=not_after, holds=True)

    async def unlink(self, caller: Caller, name: bytes) -> LinkedIdentity:
        """In force when it returns: no token of that identity is good any more."""
        _require_session(caller)
        caller = await self._callers.current(caller)
        row = await self._index.identity(name)
        if row is None or row.actor != caller.actor.id:
            raise DeniedError("no such identity of the caller")
        shown = await self._view(row, caller.actor)
        await self._append(caller, IdentityUnlinked(name=name, actor=caller.actor.id), "UNLINK_IDENTITY")
        return replace(shown, holds=False)

    async def linked(self, caller: Caller) -> tuple[LinkedIdentity, ...]:
        """The caller's own, at most a handful."""
        _require_session(caller)
        caller = await self._callers.current(caller)
        rows = await self._index.identities(caller.actor.id)
        return tuple([await self._view(row, caller.actor) for row in rows])

    # ---- steps

    async def _claims(self, token: str) -> Claims | None:
        if self._tokens is None or len(token) > LONGEST_TOKEN:
            return None
        return await self._tokens.verify(token)

    async def _shown(self, caller: Caller, token: str) -> Claims:
        _require_session(caller)
        if len(caller.actor.key) != WALLET_OCTETS and await self._index.is_controller(caller.actor.key):
            raise DeniedError("a patient's signing key signs nobody in")
        claims = await self._claims(token)
        if claims is None:
            raise UnauthenticatedError("not a token of an identity provider that is trusted here", field=("token",))
        return claims

    async def _linked_until(self, row: IdentityRow, actor: Actor, claims: Claims) -> int | None:
        """Until when the actor's present key signed that this very subject stands for it; None where it did not, and
        for a controller's key, which signs nobody in."""
        if len(actor.key) != WALLET_OCTETS and await self._index.is_controller(actor.key):
            return None
        try:
            opened = await self._opened(row)
        except IntegrityError:
            return None
        if (opened["issuer"], opened["subject"]) != (claims.issuer, claims.subject):
            return None
        return int(opened["notAfter"]) if await self._is_signed(opened, actor, claims) else None

    async def _is_signed(self, opened: Mapping[str, Any], actor: Actor, claims: Claims) -> bool:
        if opened["notAfter"] <= self._callers.now():
            return False
        digest = eip712.digest(self._text(actor.id, claims, opened["notAfter"]))
        return await self._verdicts.signed_by(actor.key, digest, bytes.fromhex(opened["signature"]))

    async def _opened(self, row: IdentityRow) -> Mapping[str, Any]:
        """What was sealed at the link. Raises IntegrityError."""
        text = await self._sealing.open(ActorId(row.actor), row.sealed, context=_SEALED + row.name)
        opened = jsontext.loads(text)
        if not isinstance(opened, dict):
            raise IntegrityError("a linked identity is none that this gateway wrote")
        return opened

    async def _view(self, row: IdentityRow, actor: Actor) -> LinkedIdentity:
        """One that does not open is shown without a name, so that it can be ended."""
        with contextlib.suppress(IntegrityError):
            opened = await self._opened(row)
            told = Claims(
                issuer=opened["issuer"], subject=opened["subject"], issued_at=0, good_until=0, scopes=(), purposes=()
            )
            return LinkedIdentity(
                name=row.name,
                issuer=told.issuer,
                subject=told.subject,
                not_after=opened["notAfter"],
                holds=await self._is_signed(opened, actor, told),
            )
        return LinkedIdentity(name=row.name, issuer="", subject="", not_after=0, holds=False)

    async def _append(self, caller: Caller, row: Row, action: str) -> None:
        event = Event(
            decision=self._audit.new_decision(),
            at=self._clock.now(),
            actor=caller.actor.id,
            outcome=Outcome.PERMITTED,
            action=action,
        )
        guards = [Guard(name=name, version=version) for name, version in caller.guards]
        answer = await self._audit.append(event, guards=guards, rows=(row, *moved(caller.actor.id, LINK_ENDINGS)))
        if isinstance(answer, Taken):
            raise ConflictError("this identity stands for another actor already")
        if not isinstance(answer, Appended):
            raise UpstreamError("the caller's standing keeps changing; try again")
        self._callers.forget(caller.actor.id)
        await self._bus.publish(TOPIC, b"")

    def _text(self, actor: ActorId, claims: Claims, not_after: int) -> dict[str, Any]:
        return rules.identity_typed_data(
            actor=actor, issuer=claims.issuer, subject=claims.subject, not_after=not_after, domain=self._domain
        )

    def _name(self, claims: Claims) -> bytes:
        return self._keys.mark(b"identity", claims.issuer.encode(), claims.subject.encode())


def _require_session(caller: Caller) -> None:
    """A token never begets rights: what it could link would outlive it."""
    if caller.bearer is not None:
        raise DeniedError("sign in with the actor's key")
