"""Whether everybody in a release may still be in it: a look at their versions, and a decision where one moved: theirs,
or that of the study that is asked in.

True here: what was let out of a patient must be permitted as it stands now, on a chain that is current; else the
patient is withdrawn from the release as a whole: by a revocation, a deny, an erasure, because they left the study, or
because a consent ended.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from gateway.consent.model import AsOf
from gateway.consent.standing import Standings
from gateway.identity.model import Caller
from gateway.ports.index import Index
from gateway.releases.gathering import Gathering, Undertaking
from gateway.releases.segments import Member, tokens_in

AT_ONCE: Final = 500
HELD: Final = 64
"""Releases of which it is remembered who was looked at again."""

_Versions: TypeAlias = tuple[int, int | None]
"""Of the patient, and of the study that is asked in, if any."""
TokensOf: TypeAlias = Callable[[bytes], Awaitable[bytes]]
"""Tokens of what was permitted of a member when they were gathered; none where that is not there any more."""


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
        self._seen: OrderedDict[bytes, dict[bytes, tuple[_Versions, int]]] = OrderedDict()

    async def look(
        self, caller: Caller, undertaking: Undertaking, members: Sequence[Member], tokens_of: TokensOf
    ) -> Looked:
        """Raises StaleError where the chain is not current, UpstreamError."""
        as_of = self._standings.as_of()
        later = max(self._standings.now(), as_of.block_time)
        seen = self._seen.setdefault(undertaking.release, {})
        self._seen.move_to_end(undertaking.release)
        while len(self._seen) > HELD:
            self._seen.popitem(last=False)
        withdrawn: set[bytes] = set()
        study = undertaking.request.study
        for at in range(0, len(members), AT_ONCE):
            some = members[at : at + AT_ONCE]
            named = [one.subject for one in some]
            versions = await self._index.versions_of(named if study is None else [*named, study])
            for member in some:
                version = (versions[member.subject], None if study is None else versions[study])
                # Of the study a member does not say: it is decided once more.
                known, until = seen.get(member.subject, ((member.version, None), member.until))
                if version == known and later < until:
                    continue
                self._standings.forget(member.subject)
                found = await self._gathering.now(caller, undertaking, member)
                if found is None or not await self._is_as_much(member, found, tokens_of):
                    withdrawn.add(member.subject)
                else:
                    # Read before it was decided: what moves meanwhile is looked at again.
                    seen[member.subject] = (version, found[0].until)
        return Looked(withdrawn=frozenset(withdrawn), as_of=as_of)

    async def _is_as_much(self, member: Member, found: tuple[Member, bytes], tokens_of: TokensOf) -> bool:
        """Whether all that was permitted still is, with no more of it hidden."""
        if found[0].permitted == member.permitted:
            return True
        before = tokens_in(await tokens_of(member.subject))
        return bool(before) and before <= tokens_in(found[1])
