"""A whole study out of the gateway, for whoever inspects it: GET and HEAD of /studies/{study id}/trail, as NDJSON.

True here: the decision and its durable entries precede what they are about; while it is sent the session and the role
are asked anew. What was cut short has no last line, and no client takes it for the whole. Not done here: what is in it
(`gateway.trials.trail_file`), sending (`downloads`).
"""

from collections.abc import AsyncGenerator
from typing import Final, Protocol

from gateway.identity.model import Caller
from gateway.ids import StudyId, from_global
from gateway.records.contents import Again
from gateway.trials.trail_file import OpenTrail
from gateway.web.flows import Flow
from gateway.web.replies import RejectedError

PREFIX: Final = "/studies/"
TRAIL: Final = "/trail"


class Trails(Protocol):
    """Files of studies (`gateway.trials.trail_file.TrailFiles`)."""

    async def open(self, caller: Caller, study: StudyId, /) -> OpenTrail: ...

    def lines(self, trail: OpenTrail, again: Again, /) -> AsyncGenerator[bytes, None]: ...


class StudyRoom:
    """What is given for /studies/{study id}/trail."""

    def __init__(self, trails: Trails) -> None:
        self._trails = trails

    async def __call__(self, caller: Caller, path: str, headers: dict[bytes, bytes]) -> Flow:
        if not path.endswith(TRAIL):
            raise RejectedError(404, "there is nothing here")
        named = path.removeprefix(PREFIX).removesuffix(TRAIL)
        trail = await self._trails.open(caller, StudyId(from_global("Study", named, field=("id",))))

        def octets(again: Again) -> AsyncGenerator[bytes, None]:
            return self._trails.lines(trail, again)

        return Flow(content_type="application/x-ndjson", told=[], octets=octets)
