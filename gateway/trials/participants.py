"""What a patient is shown of a study that they are in: what was promised them, how it stands, what was reported. No
other subject, nobody's delegation, no form.

True here: whose patient somebody is is looked for in an index and told by the patient's own standing, as for any other
decision. Who has withdrawn still sees what becomes of the study, unless their data went with them.
"""

from collections.abc import Set
from dataclasses import replace
from typing import Final

from gateway.consent import policy
from gateway.consent.names import requester
from gateway.consent.standing import Standings
from gateway.identity.model import Caller
from gateway.ids import SubjectId
from gateway.ports.index import Index
from gateway.trials.standing import Study

MOST: Final = 64
"""Patients whom somebody may be and be shown their studies."""


class Participants:
    """See the module."""

    def __init__(self, *, index: Index, standings: Standings) -> None:
        self._index = index
        self._standings = standings

    async def own(self, caller: Caller) -> frozenset[bytes]:
        """Subjects that the caller is: by the key that signs their consents, or as an actor that it linked."""
        asking = requester(caller)
        names = await self._index.held_by(signer=caller.actor.key, actor=caller.actor.id, past=b"", limit=MOST)
        found: set[bytes] = set()
        for name in names:
            standing = await self._standings.current(SubjectId(name))
            if standing is not None and policy.owns(asking, standing.epochs):
                found.add(name)
        return frozenset(found)

    def shown(self, study: Study, own: Set[bytes]) -> Study | None:
        """None where none of them is a subject of it."""
        return None if own.isdisjoint(study.subjects) else reduced(study)


def reduced(study: Study) -> Study:
    """What of a study is for its subjects, too."""
    return replace(
        study,
        definitions=[],
        tables={},
        delegations={},
        subjects={},
        keys={},
        assigned={},
        unblinded={},
        entered={},
    )
