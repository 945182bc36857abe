"""Whether a subject's own consent to a study stands: theirs, in force, to the sponsor, in the form asked for now.

Not done here: what a consent lets be written or read, which the one decision says anew each time.
"""

from gateway.consent import policy
from gateway.consent.model import Action, Grant, Purpose, Requester
from gateway.consent.names import requester
from gateway.consent.standing import Standings
from gateway.consent.studies import context_of
from gateway.identity.model import Caller
from gateway.ids import ActorId, SubjectId
from gateway.ports.clock import Clock
from gateway.ports.rows import Guard
from gateway.trials.standing import Study


class Consenting:
    """See the module."""

    def __init__(self, *, standings: Standings, clock: Clock) -> None:
        self._standings = standings
        self._clock = clock

    async def of(self, caller: Caller, study: Study, subject: SubjectId) -> tuple[tuple[Grant, ...], tuple[Guard, ...]]:
        """The consents that stand, and what the ledger is to compare where something is decided on them. Nobody hears
        from this whether there is such a subject: none has no consents."""
        standing = await self._standings.asked_for(subject)
        if standing is None:
            return (), ()
        self._standings.require_current(standing)
        asking, as_of, now = requester(caller), self._standings.as_of(), self._clock.now()
        asking = Requester(
            actor=asking.actor,
            key=asking.key,
            roles=asking.roles,
            organizations=asking.organizations | {ActorId(study.sponsor)},
        )
        found = tuple(
            one
            for one in standing.grants
            if type(one) is Grant
            and policy.names_in_time(one, asking, standing.epochs, block_time=as_of.block_time, now=now)
            and one.terms.scope.grantee == study.sponsor
            and one.terms.scope.context == context_of(study.study)
            and one.terms.scope.grantee == study.sponsor
            and one.terms.scope.terms_hash == study.present_terms
            and Purpose.CLINTRCH in one.terms.scope.purposes
            and {Action.READ, Action.WRITE} <= set(one.terms.scope.actions)
        )
        return found, (Guard(name=subject, version=standing.epochs.version),)
