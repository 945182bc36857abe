"""What a resource refers to among its patient's records: found by name, and read like any record.

True here: each reference is decided and audited by itself, as a read of that record is; what is not there, what is
another patient's, and what is there and not covered are refused in the same words and for the same work. However many
are asked for, the index is asked three times. Records that were written before names were kept are not found.
Not done here: references by identifier, and fragments (`naming`).
"""

from collections.abc import Sequence

from gateway.audit.service import Audit
from gateway.consent.model import Purpose
from gateway.errors import ConsentryError, DeniedError, IntegrityError, LimitError, StaleError, UpstreamError
from gateway.identity.model import Caller
from gateway.ids import ActorId, RecordId, SubjectId
from gateway.ports.anchors import Anchors
from gateway.ports.index import NAMED, Index
from gateway.ports.ledger import Appended, Stale, Taken
from gateway.ports.rows import RecordRow
from gateway.records.model import Reference, Released
from gateway.records.naming import is_called, named_by
from gateway.records.opening import Opening, name_token
from gateway.records.reading import TRIES, Answer, Reading

MOST = 100
"""References resolved in one go."""
OCTETS = 32 * 1024 * 1024
"""Past this nothing more is opened in one go: a hundred of the largest records would not fit into memory."""


class References:
    """See the module."""

    def __init__(self, *, reading: Reading, audit: Audit, index: Index, opening: Opening, anchors: Anchors) -> None:
        self._reading = reading
        self._audit = audit
        self._index = index
        self._opening = opening
        self._anchors = anchors

    async def resolve(
        self, caller: Caller, subject: SubjectId, references: Sequence[Reference], *, purpose: Purpose
    ) -> tuple[Released | ConsentryError, ...]:
        """For each reference, in order, the record that it means, or why it is not shown."""
        if len(references) > MOST:
            raise LimitError(f"at most {MOST} references in one go")
        for _ in range(TRIES):
            found = await self._resolve(caller, subject, references, purpose)
            if isinstance(found, tuple):
                return found
            caller = await self._reading.gather_again(caller, found)
        raise StaleError("the patient's records and consents keep changing; try again")

    async def _resolve(
        self, caller: Caller, subject: SubjectId, references: Sequence[Reference], purpose: Purpose
    ) -> tuple[Released | ConsentryError, ...] | Stale | Taken:
        key = await self._opening.subject_key(subject)
        if key is None:
            raise DeniedError("nothing was ever written, or it was erased")
        # 1. Names to rows; and for each a row that stands in where there is none.
        tokens = [name_token(key, named_by(one.text) or "") for one in references]
        rows = await self._index.named(subject, tokens)
        instead = await self._index.like_named(subject, [int.from_bytes(token[:4], "big") for token in tokens])
        if len(instead) != len(references):
            raise DeniedError("nothing of the patient's is there any more")
        # 2. A decision for each, on its verified facts; what is not there under a name that nobody has.
        answers: list[Answer | ConsentryError] = []
        octets = 0
        for reference, token, other in zip(references, tokens, instead, strict=True):
            if octets > OCTETS:
                answers.append(LimitError("what is referred to is too much for one answer"))
                continue
            row = await self._meant(rows[token], reference, other)
            record = RecordId(token if row is None else row.record)
            answers.append(answer := await self._answer(caller, row or other, record, purpose))
            octets += answer.octets if isinstance(answer, Answer) else 0
        # 3. Audited together, and only then released.
        decided = [answer for answer in answers if isinstance(answer, Answer)]
        entries = await self._audit.append_each([(answer.event, answer.guards, answer.receipt) for answer in decided])
        moved = next((entry for entry in entries if not isinstance(entry, Appended)), None)
        if moved is not None:
            return moved
        appended = iter(entries)
        states = iter(await self._anchors.states([one.leaf for one in decided if one.release is not None]))
        found: list[Released | ConsentryError] = []
        for answer in answers:
            if isinstance(answer, ConsentryError):
                found.append(answer)
                continue
            entry = next(appended)
            if answer.release is None or not isinstance(entry, Appended):
                found.append(DeniedError(answer.event.reason, decision_id=answer.event.decision))
            else:
                found.append(answer.release(entry, next(states)))
        return tuple(found)

    async def _meant(self, candidates: Sequence[RecordRow], reference: Reference, other: RecordRow) -> RecordRow | None:
        """The record that is called so: one of the reference's own author before others, the latest before earlier
        ones, so that nobody else's record takes the place of what an author referred to."""
        name = named_by(reference.text)
        if not candidates:
            await self._opening.glance(other)
        called: list[tuple[RecordRow, ActorId]] = []
        for row in candidates:
            try:
                facts = (await self._opening.find(row)).known.facts
            except (IntegrityError, UpstreamError):
                return row  # the decision on it fails alike, and tells whom it may
            if name is not None and is_called(name, facts.names):
                called.append((row, ActorId(facts.author)))
        own = [row for row, author in called if author == reference.author]
        if not own and len(candidates) >= NAMED:
            return None  # the author's own may stand behind all that others called so since
        return next(iter(own or [row for row, _ in called]), None)

    async def _answer(
        self, caller: Caller, row: RecordRow, record: RecordId, purpose: Purpose
    ) -> Answer | ConsentryError:
        try:
            answer = await self._reading.answer(caller, row, record, purpose)
        except (IntegrityError, UpstreamError) as error:
            return error
        if answer is None:
            raise AssertionError("an empty filter leaves nothing out")
        return answer
