"""What a decision stands on: the subject's standing, the block, an emergency where one is open and asked for, and the
asker's standing in a study where one is named.

An ordinary decision needs a chain within its bounds (StaleError). One in an emergency stands on what is known here, and
its receipt says so. Nobody is in an emergency by accident: the purpose must be ETREAT. Who names a study in which they
have no role that reaches the subject is concerned by nothing of that subject's.
"""

from dataclasses import dataclass, replace

from gateway.consent import policy
from gateway.consent.model import AsOf, OpenEmergency, Purpose, Requester, StudyStanding
from gateway.consent.names import guards_of, require_proven
from gateway.consent.standing import Standing, Standings
from gateway.consent.studies import Studies
from gateway.emergency.openings import Openings
from gateway.errors import StaleError
from gateway.identity.model import Caller
from gateway.ids import StudyId, SubjectId
from gateway.ports.rows import Guard


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """`standing` None: no such subject. `now`: seconds since 1970, the host's clock. `guards`: what the ledger compares
    for all that is decided on it. `named`: the study that is asked in, `study` the asker's standing in it, if any."""

    standing: Standing | None
    as_of: AsOf
    emergency: OpenEmergency | None
    now: float
    guards: tuple[Guard, ...]
    named: StudyId | None = None
    study: StudyStanding | None = None

    def concerns(self, asking: Requester) -> bool:
        """Whether any decision on this subject could permit. False: deny before anything is fetched."""
        standing = self.standing
        if self.named is not None and self.study is None:
            return False
        return standing is not None and policy.may_concern(
            asking,
            standing.grants,
            standing.epochs,
            self.emergency,
            study=self.study,
            block_time=self.as_of.block_time,
            now=self.now,
        )

    def require_current(self) -> None:
        """Raises StaleError where the chain could not be asked, or has events that the index lacks; never in an
        emergency."""
        if self.standing is not None and self.emergency is None:
            Standings.require_current(self.standing)


class Grounds:
    """See the module."""

    def __init__(self, *, standings: Standings, openings: Openings, studies: Studies) -> None:
        self._standings = standings
        self._openings = openings
        self._studies = studies

    def forget(self, name: bytes) -> None:
        """A guard moved: drops what is kept of a subject, or a study, of this name."""
        self._standings.forget(name)
        self._studies.forget(name)

    async def of(
        self, caller: Caller, subject: SubjectId | None, purpose: Purpose, study: StudyId | None = None
    ) -> Ground:
        """`subject` None: there is none. `study`: the one that is asked in, where no emergency counts. Raises
        StaleError, and what `Openings.open_for` and `Studies.of` do."""
        now = self._standings.now()
        if caller.disproven:
            raise StaleError("the index says of the caller what the chain does not; try again shortly")
        emergency = None
        if subject is not None and study is None:
            emergency = await self.emergency(caller, subject, purpose)
        if emergency is not None and subject is not None:
            as_of = self._standings.last_block()
            standing = await (self._standings.of(subject) if as_of.fresh else self._standings.known(subject))
            if standing is not None and standing.epochs.stale:
                as_of = replace(as_of, fresh=False)
            return Ground(
                standing=standing,
                as_of=as_of,
                emergency=emergency,
                now=now,
                guards=() if standing is None else _guards(caller, standing, emergency, None),
            )
        require_proven(caller)
        as_of = self._standings.as_of()
        ordinary = None if subject is None else self._standings.held(subject) or await self._standings.of(subject)
        known = None if subject is None or study is None else await self._studies.of(caller, study, subject)
        compared = () if ordinary is None else _guards(caller, ordinary, None, known)
        return Ground(
            standing=ordinary, as_of=as_of, emergency=None, now=now, guards=compared, named=study, study=known
        )

    async def emergency(self, caller: Caller, subject: SubjectId, purpose: Purpose) -> OpenEmergency | None:
        """The caller's open one, where an emergency is what is asked for."""
        return await self._openings.open_for(caller, subject) if purpose is Purpose.ETREAT else None


def guards(
    caller: Caller,
    subject: SubjectId,
    *,
    version: int,
    emergency: OpenEmergency | None,
    study: StudyStanding | None = None,
) -> tuple[Guard, ...]:
    """What the ledger compares: the caller, the subject, and the emergency or the study that is stood on."""
    mine = (*guards_of(caller), Guard(name=subject, version=version))
    if emergency is not None:
        mine = (*mine, Guard(name=emergency.emergency, version=emergency.version))
    return mine if study is None else (*mine, Guard(name=study.study, version=study.version))


def _guards(
    caller: Caller, standing: Standing, emergency: OpenEmergency | None, study: StudyStanding | None
) -> tuple[Guard, ...]:
    return guards(caller, standing.subject.id, version=standing.epochs.version, emergency=emergency, study=study)
