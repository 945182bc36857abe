"""What lies sealed of a patient's consents, opened and verified: terms by the signature under them, a delegate's limits
by the hash that the chain has.

What does not open leaves its consent unopened: a permit then permits nothing, and a deny denies to all but the patient;
a delegate whose limits do not open permits nothing either. Not done here: what any of it is worth now.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway import eip712, jsontext
from gateway.consent import limits, messages
from gateway.consent.model import Limits, Mandate, Terms
from gateway.errors import CallerError, IntegrityError, UpstreamError
from gateway.identity.control import Delegate
from gateway.identity.verdicts import Verdicts
from gateway.ids import SubjectId
from gateway.ports.documents import Documents, PaperKind
from gateway.ports.index import Index
from gateway.ports.rows import ConsentRow

HELD = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Terms, and the key that signed them."""

    terms: Terms
    signer: bytes


class Texts:
    """See the module. What was verified is kept by the name of its block."""

    def __init__(self, *, index: Index, documents: Documents, verdicts: Verdicts, domain: Mapping[str, Any]) -> None:
        self._index = index
        self._documents = documents
        self._verdicts = verdicts
        self._domain = domain
        self._signed: OrderedDict[tuple[bytes, bytes], Signed] = OrderedDict()
        self._limits: OrderedDict[tuple[bytes, bytes], Limits] = OrderedDict()

    def forget(self, subject: bytes) -> None:
        """All that is kept of the subject: it was erased."""
        for name in [name for name, found in self._signed.items() if found.terms.subject == subject]:
            del self._signed[name]
        for name in [name for name in self._limits if name[0] == subject]:
            del self._limits[name]

    async def terms(self, row: ConsentRow, signers: Collection[bytes]) -> Signed:
        """Terms whose digest is the consent's, signed by one of these keys. Raises IntegrityError, UpstreamError."""
        name = (row.consent, row.digest)
        held = self._signed.get(name)
        if held is not None and held.signer in signers:
            return held
        document = await self._documents.signed(row.subject, row.digest)
        full: Any = jsontext.loads(document.typed_data)
        terms = messages.read_consent(full, self._domain)
        if terms.subject != row.subject:
            raise IntegrityError("a sealed consent is of another subject")
        if eip712.digest(messages.consent_typed_data(terms, self._domain)) != row.consent:
            raise IntegrityError("a sealed consent is not the one that its row names")
        signer = await self._verdicts.text_signer(signers, row.consent, document.signature)
        if signer is None:
            raise IntegrityError("a sealed consent is signed by nobody who may have signed it")
        found = self._signed[name] = Signed(terms=terms, signer=signer)
        if len(self._signed) > HELD:
            self._signed.popitem(last=False)
        return found

    async def all_terms(
        self, rows: Sequence[ConsentRow], signers: Mapping[bytes, Collection[bytes]]
    ) -> tuple[dict[bytes, Terms], bool]:
        """The terms of each consent that opens, by its id, and whether all could be fetched. `signers`: who may have
        signed, by consent id; one without is left out."""
        asked = [row for row in rows if row.consent in signers]
        found = await asyncio.gather(*(self.terms(row, signers[row.consent]) for row in asked), return_exceptions=True)
        opened = {row.consent: one.terms for row, one in zip(asked, found, strict=True) if isinstance(one, Signed)}
        return opened, _fetched(found)

    async def mandates(self, subject: SubjectId, delegates: Sequence[Delegate]) -> tuple[tuple[Mandate, ...], bool]:
        """Of each delegate that holds and whose limits open; and whether all could be fetched."""
        asked = [delegate for delegate in delegates if delegate.holds]
        found = await asyncio.gather(
            *(self.limits(subject, delegate.limits) for delegate in asked), return_exceptions=True
        )
        mandates = tuple(
            Mandate(number=one.number, signer=one.signer, not_after=one.not_after, limits=said)
            for one, said in zip(asked, found, strict=True)
            if isinstance(said, Limits)
        )
        return mandates, _fetched(found)

    async def limits(self, subject: SubjectId, hashed: bytes) -> Limits:
        """What the hash stands for. Raises IntegrityError where no paper here is it, UpstreamError."""
        held = self._limits.get((subject, hashed))
        if held is not None:
            return held
        row = next((row for row in await self._index.papers(subject) if row.name == hashed), None)
        if row is None:
            raise IntegrityError("there is no paper of a delegate's limits")
        paper = await self._documents.paper(subject, row.digest)
        if paper.kind is not PaperKind.LIMITS or limits.commitment(paper.octets) != hashed:
            raise IntegrityError("a paper is not the limits that the chain names")
        said = limits.read(paper.octets)
        if said.subject != subject:
            raise IntegrityError("a delegate's limits are of another subject")
        self._limits[subject, hashed] = said
        if len(self._limits) > HELD:
            self._limits.popitem(last=False)
        return said


def _fetched(found: Sequence[object]) -> bool:
    """Whether what does not open will not open the next moment either. Raises what nobody expects."""
    for one in found:
        if isinstance(one, BaseException) and not isinstance(one, IntegrityError | UpstreamError | CallerError):
            raise one
    return not any(isinstance(one, UpstreamError) for one in found)
