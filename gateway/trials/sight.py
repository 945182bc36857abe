"""Whether anything that was captured of a subject may be seen by who has a role that reaches them: the one decision's
question, before any record.

True here: a role alone tells neither what a query says nor, where they are asked for by the subject, which forms there
are and why one was changed; a consent to the study does, in force, or under terms by which what was collected stays,
where no deny hits all of it. What is told then stands on the version of the subject's name, which a revocation moves.
Not done here: the entries of a study's journal about captures (names of forms, hashes, reasons), which who follows the
journal is shown by role.
"""

from typing import Final

from gateway.consent import policy
from gateway.consent.model import AccessRequest, Action, AsOf, DecisionFacts, Grant, SealedDeny
from gateway.consent.names import requester
from gateway.consent.studies import PURPOSE
from gateway.emergency.grounds import Grounds
from gateway.identity.model import Caller
from gateway.ids import StudyId, SubjectId
from gateway.ports.rows import Guard
from gateway.trials.definition.responses import RESOURCE

REFUSED: Final = "no consent lets anything of the subject be read"


class Sight:
    """See the module."""

    def __init__(self, grounds: Grounds) -> None:
        self._grounds = grounds

    async def of(self, caller: Caller, study: StudyId, subject: SubjectId) -> Guard | None:
        """What the entry of who sees it stands on, besides caller and study; None: nothing may be seen, or the
        subject's events do not add up. StaleError, IntegrityError, UpstreamError."""
        ground = await self._grounds.of(caller, subject, PURPOSE, study)
        standing, now, as_of = ground.standing, ground.now, ground.as_of
        if standing is None or ground.study is None or standing.epochs.stale or not standing.epochs.controller:
            return None
        request = AccessRequest(
            requester=requester(caller),
            subject=subject,
            record=None,
            action=Action.READ,
            purpose=PURPOSE,
            data_use=frozenset(),
            study=ground.study,
        )
        if not policy.reaches(request, standing.grants, standing.epochs, as_of, now):
            return None
        form = _any_form(subject, study)
        if any(_denies_all(one, request, form, as_of, now) for one in standing.grants):
            return None
        return Guard(name=subject, version=standing.epochs.version)

    def forget(self, subject: bytes) -> None:
        """Something moved: drops what is kept of the subject."""
        self._grounds.forget(subject)


def _any_form(subject: SubjectId, study: StudyId) -> DecisionFacts:
    """Of no record: a deny of some records, codes or labels does not hit it, one of all forms does."""
    return DecisionFacts(
        subject=subject,
        record=None,
        resource_type=RESOURCE,
        contained_types=frozenset(),
        codes=frozenset(),
        mentioned=frozenset(),
        labels=frozenset(),
        author=None,
        period=None,
        inline={},
        study=study,
    )


def _denies_all(
    grant: Grant | SealedDeny, request: AccessRequest, facts: DecisionFacts, as_of: AsOf, now: float
) -> bool:
    if isinstance(grant, SealedDeny):
        return policy.is_sealed_in_time(grant, as_of, now)
    return not grant.terms.scope.labels and policy.denies(grant, request, facts, as_of, now)
