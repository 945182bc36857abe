"""A patient's papers, opened: the guardianship behind a hash on chain, and signatures that are being collected.

True here: a paper is what its name says, whatever the row that names it claims; what does not read is not believed.
"""

from gateway.consent import guardianship, proposals
from gateway.consent.guardianship import Guardianship
from gateway.consent.proposals import Collected
from gateway.consent.standing import Standings
from gateway.errors import IntegrityError
from gateway.identity.guardians import NONE
from gateway.ids import SubjectId
from gateway.ports.documents import Documents, Paper, PaperKind
from gateway.ports.index import Index
from gateway.ports.rows import PaperRow


class Papers:
    """See the module."""

    def __init__(self, *, index: Index, documents: Documents, standings: Standings) -> None:
        self._index = index
        self._documents = documents
        self._standings = standings

    async def put(self, subject: SubjectId, paper: Paper) -> PaperRow:
        """Pinned on return; durable with the row, whose writing is the caller's."""
        return PaperRow(name=paper.name, subject=subject, digest=await self._documents.put_paper(subject, paper))

    async def guardianship(self, subject: SubjectId, name: bytes) -> Guardianship | None:
        """None: there is none, or only its hash is known here. IntegrityError for a paper that is not the hash's."""
        if name == NONE:
            return None
        for row in await self._index.papers(subject):
            if row.name == name:
                return guardianship.read_paper(await self._documents.paper(subject, row.digest), name)
        return None

    async def collected(self, subject: SubjectId, *, salt: bytes) -> tuple[Collected, ...]:
        """Every signature that was ever kept under a guardianship. One whose paper is not its name's is left out: who
        can edit a row can delete it."""
        found = []
        for row in await self._index.papers(subject):
            try:
                paper = await self._documents.paper(subject, row.digest)
                one = proposals.read_paper(paper, domain=self._standings.domain) if _signs(paper) else None
            except IntegrityError:
                continue
            if one is not None and row.name == self.name_of(one, salt):
                found.append(one)
        return tuple(found)

    def name_of(self, one: Collected, salt: bytes) -> bytes:
        return proposals.name_of(proposals.digest_of(one.said, self._standings.domain), one.signer, salt)

    def paper_of(self, one: Collected, salt: bytes) -> Paper:
        return proposals.paper_of(one, salt=salt, domain=self._standings.domain)


def _signs(paper: Paper) -> bool:
    return paper.kind is PaperKind.SIGNATURE
