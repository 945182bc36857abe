"""What becomes of a subject's data when they leave a study whose terms say that it goes: its key is destroyed.

True here: with the key goes all that was captured of the subject in this study, and all that entries of its journal say
of them; numbers, kinds and hashes stay, so that the rest verifies. Who is gone is gone on every replica once its next
look at the key store is over, and at each start. Done twice it destroys nothing more.
Not done here: who may end a subject's part (`rules`), erasure of a patient as a whole (`gateway.erasure`).
"""

import asyncio
from typing import Final

from gateway.crypto.keys import KeyRing
from gateway.crypto.model import study_domain
from gateway.errors import ConsentryError
from gateway.ids import SubjectId
from gateway.ports.index import Index
from gateway.trials.journal import MOST
from gateway.trials.keeping import Studies
from gateway.trials.standing import Study

LOOK_SECONDS: Final = 600.0
"""Between two looks for what was begun and not done to its end."""


class Leaving:
    """See the module. `gateway.wiring.duties.Duty`."""

    def __init__(self, *, studies: Studies, index: Index, keys: KeyRing) -> None:
        self._studies = studies
        self._index = index
        self._keys = keys
        self.trouble: str | None = None

    async def run(self) -> None:
        while True:
            try:
                await self.sweep()
                self.trouble = None
            except ConsentryError as error:
                self.trouble = f"data of who left a study: {error.code}"
            await asyncio.sleep(LOOK_SECONDS)

    async def sweep(self) -> None:
        """Every study's subjects who left and whose data are to go."""
        after = b""
        while names := await self._index.studies(after=after, limit=MOST):
            after = names[-1]
            for name in names:
                held = await self._studies.held(name)
                if held is not None:
                    await self._gone(held.study)

    async def _gone(self, study: Study) -> None:
        doomed = [SubjectId(one.subject) for one in study.subjects.values() if one.goes]
        for subject in doomed:
            await self.destroy(study.study, subject)

    async def destroy(self, study: bytes, subject: SubjectId) -> None:
        """COMMIT POINT: the key is destroyed with the epoch key that wrapped it. UpstreamError: in doubt, do it
        again."""
        domain = study_domain(subject, study)
        if domain in await self._keys.domains():
            await self._keys.turn(destroying=[domain])
        self._keys.forget(subject)
        self._studies.forget_subject(subject)
