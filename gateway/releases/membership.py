"""Whether everybody in a release may still be in it: a look at their versions, and a decision where one moved.

True here: what was let out of a patient must be permitted as it stands now, on a chain that is current; else the
patient is withdrawn from the release as a whole. A consent that ends by its own time withdraws nobody.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.consent.model import AsOf
from gateway.consent.standing import Standings
from gateway.identity.model import Caller
from gateway.ids import SubjectId
from gateway.ports.index import Index
from gateway.releases.gathering import Gathering, Undertaking
from gateway.releases.segments import Member

AT_ONCE: Final = 500
HELD: Final = 64
"""Releases of which it is remembered who was looked at again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """`withdrawn`: subjects. `as_of`: the block at which all others were in."""

    withdrawn: frozenset[bytes]
    as_of: AsOf


class Membership:
    """See the module."""

    def __init__(self, *, standings: Standings, index: Index, gathering: Gathering) -> None:
        self._standings = standings
        self._index = index
        self._gathering = gathering
        self._seen: OrderedDict[bytes, dict[bytes, int]] = OrderedDict()

    async def look(self, caller: Caller, undertaking: Undertaking, members: Sequence[Member]) -> Looked:
        """Raises StaleError where the chain is not current, UpstreamError."""
        as_of = self._standings.as_of()
        seen = self._seen.setdefault(undertaking.release, {})
        self._seen.move_to_end(undertaking.release)
        while len(self._seen) > HELD:
            self._seen.popitem(last=False)
        withdrawn: set[bytes] = set()
        for at in range(0, len(members), AT_ONCE):
            some = members[at : at + AT_ONCE]
            versions = await self._index.versions_of([one.subject for one in some])
            for member in some:
                version = versions[member.subject]
                if version == seen.get(member.subject, member.version):
                    continue
                self._standings.forget(member.subject)
                if await self._is_withdrawn(caller, undertaking, member):
                    withdrawn.add(member.subject)
                else:
                    # Read before it was decided: what moves meanwhile is looked at again.
                    seen[SubjectId(member.subject)] = version
        return Looked(withdrawn=frozenset(withdrawn), as_of=as_of)

    async def _is_withdrawn(self, caller: Caller, undertaking: Undertaking, member: Member) -> bool:
        if await self._gathering.still_in(caller, undertaking, member) is not None:
            return False
        over = member.until <= self._standings.now()
        return not over or await self._index.erasure(member.subject) is not None
