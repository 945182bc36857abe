"""Sessions as their owner meets them: the list, the end of one, of all others or the present one, another token."""

from datetime import datetime
from typing import Annotated

import strawberry

from gateway.identity.model import SessionView
from gateway.ids import SessionId, from_global, to_global
from gateway.slices import Slice
from schema.context import Info, RequestContext
from schema.errors import Refusal
from schema.fields import mutation
from schema.gates import info_of, or_empty, outcome
from schema.identity import Session, SignInResult, to_session
from schema.relay import PageInfo


@strawberry.type(description="One sign-in of yours that holds. Its id is no token and opens nothing.")
class DeviceSession:
    id: strawberry.ID
    device: str | None = strawberry.field(description="As named at sign-in.")
    created_at: datetime
    expires_at: datetime = strawberry.field(description="Of its present token.")
    ends_at: datetime = strawberry.field(description="However often it is carried on.")
    current: bool = strawberry.field(description="Whether it is the one that asks.")


@strawberry.type
class DeviceSessionEdge:
    cursor: str
    node: DeviceSession


@strawberry.type
class DeviceSessionConnection:
    edges: list[DeviceSessionEdge]
    page_info: PageInfo


@strawberry.type(description="It has ended everywhere: no token of it holds, no socket of it stays.")
class EndedSessions:
    ended_at: datetime


EndSessionsResult = Annotated[EndedSessions | Refusal, strawberry.union("EndSessionsResult")]


async def sessions_of(context: RequestContext, part: Slice) -> DeviceSessionConnection:
    async def steps() -> DeviceSessionConnection:
        page = await context.services.sessions.page(context.signed_in(), part=part)
        edges = [DeviceSessionEdge(cursor=view.cursor, node=_shown(view)) for view in page.items]
        return DeviceSessionConnection(edges=edges, page_info=info_of(page, [edge.cursor for edge in edges]))

    return await or_empty(steps(), DeviceSessionConnection(edges=[], page_info=PageInfo(has_next_page=False)))


def _shown(view: SessionView) -> DeviceSession:
    return DeviceSession(
        id=strawberry.ID(to_global("Session", view.id)),
        device=view.device,
        created_at=view.opened_at,
        expires_at=view.expires_at,
        ends_at=view.ends_at,
        current=view.current,
    )


@strawberry.type
class SessionMutations:
    @mutation(
        "Another token for this session in place of the one that asks, which ends with its sockets. Whoever shows it "
        "again ends the session: two have it."
    )
    async def refresh_session(self, info: Info) -> SignInResult:
        context = info.context

        async def steps() -> Session:
            return to_session(await context.services.sessions.refresh(context.caller, context.token))

        return await outcome(steps())

    @mutation("One of your own: NOT_PERMITTED for another's, as for none.")
    async def end_session(self, info: Info, session_id: strawberry.ID) -> EndSessionsResult:
        context = info.context

        async def steps() -> EndedSessions:
            session = SessionId(from_global("Session", session_id, field=("sessionId",)))
            return EndedSessions(ended_at=await context.services.sessions.end(context.signed_in(), session))

        return await outcome(steps())

    @mutation("All of your own but the one that asks.")
    async def end_other_sessions(self, info: Info) -> EndSessionsResult:
        context = info.context

        async def steps() -> EndedSessions:
            return EndedSessions(ended_at=await context.services.sessions.end_others(context.signed_in()))

        return await outcome(steps())

    @mutation("The one that asks.")
    async def sign_out(self, info: Info) -> EndSessionsResult:
        context = info.context

        async def steps() -> EndedSessions:
            return EndedSessions(ended_at=await context.services.sessions.sign_out(context.signed_in()))

        return await outcome(steps())
