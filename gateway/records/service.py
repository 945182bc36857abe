"""Records as a client meets them: the write corridor and the read corridor, side by side."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from gateway.consent.model import Purpose
from gateway.errors import ConsentryError
from gateway.identity.model import Caller
from gateway.ids import RecordId, StudyId, SubjectId
from gateway.records.arrivals import Arrivals
from gateway.records.model import (
    Amendment,
    NewBundle,
    NewRecord,
    RecordFilter,
    RecordOrder,
    RecordPage,
    Reference,
    Released,
    StoredRecord,
)
from gateway.records.pages import Pages
from gateway.records.reading import Reading
from gateway.records.references import References
from gateway.records.writing import Writing
from gateway.slices import Slice


class Records:
    """Thin: what is true of each call stands in `reading`, `pages`, `references`, `arrivals` and `writing`."""

    def __init__(
        self, *, reading: Reading, pages: Pages, references: References, arrivals: Arrivals, writing: Writing
    ) -> None:
        self._reading = reading
        self._pages = pages
        self._references = references
        self._arrivals = arrivals
        self._writing = writing

    async def create(self, caller: Caller, new: NewRecord) -> StoredRecord:
        return await self._writing.create(caller, new)

    async def amend(self, caller: Caller, amendment: Amendment) -> StoredRecord:
        return await self._writing.amend(caller, amendment)

    async def import_bundle(self, caller: Caller, new: NewBundle) -> tuple[StoredRecord, ...]:
        return await self._writing.import_bundle(caller, new)

    async def read(
        self,
        caller: Caller,
        record: RecordId,
        *,
        purpose: Purpose,
        study: StudyId | None = None,
        version: int | None = None,
    ) -> Released:
        return await self._reading.read(caller, record, purpose=purpose, study=study, version=version)

    async def page(
        self,
        caller: Caller,
        subject: SubjectId,
        *,
        purpose: Purpose,
        filter: RecordFilter,
        order: RecordOrder,
        part: Slice,
    ) -> RecordPage:
        return await self._pages.page(caller, subject, purpose=purpose, filter=filter, order=order, part=part)

    async def referenced(
        self, caller: Caller, subject: SubjectId, references: Sequence[Reference], *, purpose: Purpose
    ) -> tuple[Released | ConsentryError, ...]:
        return await self._references.resolve(caller, subject, references, purpose=purpose)

    def added(
        self, caller: Caller, subject: SubjectId, *, purpose: Purpose, since: datetime | None
    ) -> AsyncIterator[Released]:
        return self._arrivals.added(caller, subject, purpose=purpose, since=since)
