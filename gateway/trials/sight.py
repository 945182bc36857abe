"""Whether anything of a subject may be seen by who has a role that reaches them: the one decision's question, before
any record.

True here: a role alone tells nothing of what was captured of somebody, be it which forms there are, why one was changed
or what a query says; a consent to the study does, in force, or under terms by which what was collected stays. What is
told then stands on the version of the subject's name, which a revocation moves.
"""

from typing import Final

from gateway.consent import policy
from gateway.consent.model import AccessRequest, Action
from gateway.consent.names import requester
from gateway.consent.studies import PURPOSE
from gateway.emergency.grounds import Grounds
from gateway.identity.model import Caller
from gateway.ids import StudyId, SubjectId
from gateway.ports.rows import Guard

REFUSED: Final = "no consent lets anything of the subject be read"


class Sight:
    """See the module."""

    def __init__(self, grounds: Grounds) -> None:
        self._grounds = grounds

    async def of(self, caller: Caller, study: StudyId, subject: SubjectId) -> Guard | None:
        """What the entry of who sees it stands on, besides caller and study; None: nothing may be seen. StaleError,
        UpstreamError."""
        ground = await self._grounds.of(caller, subject, PURPOSE, study)
        standing, now = ground.standing, ground.now
        if standing is None or ground.study is None:
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
        if not policy.reaches(request, standing.grants, standing.epochs, ground.as_of, now):
            return None
        ground.require_current()
        return Guard(name=subject, version=standing.epochs.version)

    def forget(self, subject: bytes) -> None:
        """Something moved: drops what is kept of the subject."""
        self._grounds.forget(subject)
