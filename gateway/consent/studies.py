"""What a study is to a decision: the context that its consents name, who captures, who reads, and where somebody's
standing in it comes from.

True here: a study's own consents are those whose context is just the one text of `context_of`; a standing is asked for
anew with each decision, and says what the journal says. Pure. Not done here: journals, and how a standing is had.
"""

import re
from functools import lru_cache
from typing import Final, Protocol

from gateway.consent.model import Action, Purpose, StudyRole, StudyStanding, StudyState
from gateway.identity.model import Caller
from gateway.ids import StudyId, SubjectId

PURPOSE: Final = Purpose.CLINTRCH
"""For nothing else are a study's records asked for, nor consented to."""
CAPTURES: Final = frozenset({StudyRole.INVESTIGATOR, StudyRole.COORDINATOR})
READS: Final = frozenset(StudyRole)
_CONTEXT: Final = re.compile(r"study:([0-9a-f]{64})")


class Studies(Protocol):
    """Where the standings come from."""

    async def of(self, caller: Caller, study: StudyId, subject: SubjectId) -> StudyStanding | None:
        """None: no such study, or the caller has no role in it that reaches the subject. The version of the study's
        guard is read before what it guards, so that a change in between is refused by the ledger."""
        ...

    def forget(self, study: bytes) -> None:
        """Its guard moved: drops what is kept of it. Any name may be given."""
        ...


class NoStudies:
    """Of a gateway that has none."""

    async def of(self, caller: Caller, study: StudyId, subject: SubjectId) -> StudyStanding | None:
        return None

    def forget(self, study: bytes) -> None:
        return None


@lru_cache(maxsize=4096)
def context_of(study: bytes) -> str:
    """The `context` of a scope that is for one study."""
    return "study:" + study.hex()


def study_in(context: str) -> StudyId | None:
    """The study that a context names; None where it is empty, or of another form."""
    found = _CONTEXT.fullmatch(context)
    return None if found is None else StudyId(bytes.fromhex(found[1]))


def name_of(study: StudyStanding | None) -> bytes:
    """As facts of records have it: empty for none."""
    return b"" if study is None else study.study


def refusal(study: StudyStanding, action: Action) -> str | None:
    """Why the study itself does not let the caller do this now, whatever was consented to; None: it does."""
    if action is Action.READ:
        return None if study.roles & READS else "no role in the study reaches this subject"
    if not study.roles & CAPTURES:
        return "no role in the study that captures data reaches this subject"
    if study.state is not StudyState.OPEN:
        return "the study takes no data in this state"
    return None if study.collects else "the study collects nothing of this subject"
