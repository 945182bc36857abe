"""Sessions behind the schema: two of whoever asks, one of them the present one."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway.errors import DeniedError, UnauthenticatedError
from gateway.identity.model import Actor, Caller, Session, SessionView
from gateway.ids import SessionId
from gateway.slices import Page, Slice, page_of

PRESENT, OTHER = SessionId(b"\x71" * 16), SessionId(b"\x72" * 16)
MOMENT = datetime(2026, 1, 31, 8, 0, tzinfo=UTC)


@dataclass
class SignedIn:
    """`calls` holds (method, caller)."""

    calls: list[tuple[str, Caller | None]] = field(default_factory=list)

    async def refresh(self, caller: Caller | None, token: str | None) -> Session:
        self.calls.append(("refresh", caller))
        if caller is None:
            raise UnauthenticatedError("sign in first")
        return session(caller.actor)

    async def page(self, caller: Caller, *, part: Slice) -> Page[SessionView]:
        self.calls.append(("sessions", caller))
        views = tuple(
            SessionView(
                id=one,
                device="Ward tablet" if one == PRESENT else None,
                opened_at=MOMENT,
                expires_at=MOMENT,
                ends_at=MOMENT,
                current=one == PRESENT,
                cursor=one.hex(),
            )
            for one in (PRESENT, OTHER)
        )
        return page_of(views[::-1] if part.backwards else views, part)

    async def end(self, caller: Caller, session: SessionId) -> datetime:
        self.calls.append(("end", caller))
        if session not in (PRESENT, OTHER):
            raise DeniedError("no such session of the caller")
        return MOMENT

    async def end_others(self, caller: Caller) -> datetime:
        self.calls.append(("end_others", caller))
        return MOMENT

    async def sign_out(self, caller: Caller) -> datetime:
        self.calls.append(("sign_out", caller))
        return MOMENT


def session(actor: Actor) -> Session:
    return Session(id=PRESENT, access_token="clinician", expires_at=MOMENT, ends_at=MOMENT, actor=actor)
