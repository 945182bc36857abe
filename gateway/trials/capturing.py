"""Data of a study: forms are captured, changed, asked about, answered.

True here: a form is a record of its subject in the study, a FHIR QuestionnaireResponse, written and read by the one
decision; its entry in the journal is of the same transaction, so none is without the other. A form is checked by the
study's definition before anything is stored: what is wrong with it refuses it, or, where data come from elsewhere and
are to be taken as they are, becomes queries; what is doubtful always becomes queries. A change has a reason, and its
older versions stay. Old and new value, who, when and why (21 CFR 11.10(e)) are those of two versions and an entry.
Not done here: signatures (`service`), export.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from gateway.consent.model import Purpose, StudyRole, StudyState
from gateway.errors import (
    BlockMissingError,
    CallerError,
    ConflictError,
    DeniedError,
    IntegrityError,
    LimitError,
    UpstreamError,
)
from gateway.identity.model import Caller
from gateway.ids import RecordId, StudyId, SubjectId
from gateway.jsontext import JsonValue
from gateway.ports.clock import Clock, Entropy
from gateway.ports.documents import SealedPaper
from gateway.ports.rows import Row
from gateway.ports.trials import StudyEntryKind
from gateway.records.model import Amendment, NewBundle, Released, StoredRecord, StoredVersion
from gateway.records.service import Records
from gateway.trials import acts, rules
from gateway.trials.definition.checks import check_form
from gateway.trials.definition.findings import Finding, Weight
from gateway.trials.definition.forms import CapturedForm
from gateway.trials.definition.linkids import link_id
from gateway.trials.definition.references import Directory
from gateway.trials.definition.responses import captured
from gateway.trials.documents import compiled
from gateway.trials.journal import MOST, Head, Journal
from gateway.trials.keeping import TRIES, Held, Studies
from gateway.trials.kept import KeptForm, captures, newest
from gateway.trials.sight import REFUSED, Sight
from gateway.trials.standing import Study

MOST_FORMS: Final = 200
"""Of one capture: all of them are stored, or none."""
MOST_QUERIES: Final = 50
"""That edit checks raise on one form; one more says how many there are beside."""
LONGEST_TEXT: Final = 2_000
COMPILED: Final = 16
"""Definitions in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One word of a query. `act`: `raise-query`, `answer-query` or `close-query`."""

    act: str
    by: bytes
    at: int
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """About a form. `item`: linkId, empty for all of it; `rule`: of the edit check that raised it; the last word says
    whether it is open."""

    query: bytes
    subject: SubjectId
    record: RecordId
    version: int
    item: str
    rule: str
    words: tuple[Said, ...]

    @property
    def is_open(self) -> bool:
        return self.words[-1].act != "close-query"


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """What a capture stored, and the queries that its edit checks raised."""

    records: tuple[StoredRecord, ...]
    queries: tuple[bytes, ...]


class Capturing:
    """See the module."""

    def __init__(
        self,
        *,
        studies: Studies,
        journal: Journal,
        sight: Sight,
        records: Records,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._studies = studies
        self._sight = sight
        self._journal = journal
        self._records = records
        self._clock = clock
        self._entropy = entropy
        self._compiled: OrderedDict[bytes, Directory] = OrderedDict()

    # ---- forms

    async def capture(
        self,
        caller: Caller,
        study: StudyId,
        subject: SubjectId,
        responses: Sequence[JsonValue],
        *,
        as_found: bool = False,
        idempotency_key: str | None = None,
    ) -> Captured:
        """New forms of one subject: all or none. `as_found`: what the definition does not allow becomes queries.
        DeniedError, CallerError with the form's field, ConflictError, LimitError."""
        if not 0 < len(responses) <= MOST_FORMS:
            raise LimitError(f"1 to {MOST_FORMS} forms at once", field=("forms",))
        held = await self._capturing(caller, study, subject)
        definition = len(held.study.definitions)
        found = await self.directory(held.study)
        forms, raised = await asyncio.to_thread(self._checked, responses, found, as_found)
        bundle: dict[str, JsonValue] = {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [{"resource": one} for one in responses],
        }
        appendix = _Appendix(self, held, caller, subject, forms, raised, definition=definition, new=True)
        new = NewBundle(subject=subject, bundle=bundle, idempotency_key=idempotency_key, study=study, appendix=appendix)
        async with self._studies.turn(study):
            try:
                await self._require_new(study, subject, forms)
            except ConflictError as error:
                if idempotency_key is None:
                    raise
                appendix.refusal = error  # unless it was answered under this key before
            records = await self._records.import_bundle(caller, new)
        queries = appendix.queries if appendix.is_written else await self._raised(held.study, subject, records)
        return Captured(records=records, queries=queries)

    async def change(
        self,
        caller: Caller,
        study: StudyId,
        subject: SubjectId,
        record: RecordId,
        response: JsonValue,
        *,
        expected_version: int,
        reason: str,
        as_found: bool = False,
    ) -> Captured:
        """The next version of a form. As `capture`."""
        held = await self._capturing(caller, study, subject)
        kept = next((one for one in await self._forms(held.study, subject) if one.record == record), None)
        if kept is None:
            raise await self._studies.refused(caller, "STUDY_CAPTURE", "no such form of the subject", subject=subject)
        definition = len(held.study.definitions)
        found = await self.directory(held.study)
        forms, raised = await asyncio.to_thread(self._checked, (response,), found, as_found)
        if _place(forms[0]) != (kept.event, kept.event_repeat_key, kept.form, kept.form_repeat_key):
            raise CallerError("a change keeps the form in its place", field=("form", "extension"))
        appendix = _Appendix(self, held, caller, subject, forms, raised, definition=definition, reason=reason)
        amendment = Amendment(
            record=record,
            expected_version=expected_version,
            resource=response,
            labels=None,
            idempotency_key=None,
            study=study,
            reason=reason,
            appendix=appendix,
        )
        async with self._studies.turn(study):
            stored = await self._records.amend(caller, amendment)
        return Captured(records=(stored,), queries=appendix.queries)

    async def forms(self, caller: Caller, study: StudyId, subject: SubjectId) -> tuple[KeptForm, ...]:
        """Which forms there are of a subject, at their newest versions, in the order in which they came first. What
        they say is read record by record."""
        held = await self._seeing(caller, study, subject, "STUDY_FORMS")
        return await self._forms(held.study, subject)

    async def kept(self, caller: Caller, study: StudyId, subject: SubjectId) -> tuple[KeptForm, ...]:
        """Every version of every form of a subject, in the order in which they came. One entry in the log."""
        await self._seeing(caller, study, subject, "STUDY_FORMS")
        return tuple([one async for one in captures(self._journal, study, subject)])

    async def read(
        self, caller: Caller, study: StudyId, subject: SubjectId, record: RecordId, *, version: int | None = None
    ) -> Released:
        """What a form says, at its newest version or the one that is named; decided and audited by itself. As
        `Records.read`."""
        await self._reaching(caller, study, subject, "STUDY_FORMS", tuple(StudyRole))
        return await self._records.read(caller, record, purpose=Purpose.CLINTRCH, study=study, version=version)

    async def versions(
        self, caller: Caller, study: StudyId, subject: SubjectId, record: RecordId
    ) -> tuple[KeptForm, ...]:
        """Each version of a form, the first one first: who, when, why."""
        await self._seeing(caller, study, subject, "STUDY_FORMS")
        return tuple([one async for one in captures(self._journal, study, subject) if one.record == record])

    async def directory(self, study: Study) -> Directory:
        """The newest definition. ConflictError before there is one."""
        if not study.definitions:
            raise ConflictError("the study has no definition yet", field=("study",))
        newest = study.definitions[-1]
        known = self._compiled.get(newest.digest)
        if known is not None:
            return known
        (entry,) = await self._journal.read(study.study, after=newest.entry - 1, limit=1)
        act = acts.read_entry(entry.octets or b"").act
        assert isinstance(act, acts.Define)
        found = await asyncio.to_thread(compiled, act.document)
        self._compiled[newest.digest] = found
        if len(self._compiled) > COMPILED:
            self._compiled.popitem(last=False)
        return found

    # ---- queries

    async def raise_query(
        self, caller: Caller, study: StudyId, subject: SubjectId, record: RecordId, *, item: str, text: str
    ) -> Query:
        """By whoever reviews. `item`: a linkId of the form, or empty."""
        held = await self._seeing(caller, study, subject, "STUDY_QUERY", roles=rules.REVIEWS)
        kept = next((one for one in await self._forms(held.study, subject) if one.record == record), None)
        if kept is None:
            raise CallerError("no form of the subject", field=("record",))
        rules.text(text, "text", LONGEST_TEXT, within=())
        if item:
            rules.line(item, "item", within=())
        act = acts.RaiseQuery(
            **self._mine(caller, held, subject),
            query=self._entropy.bytes(16).hex(),
            record=record.hex(),
            version=kept.version,
            item=item,
            text=text,
        )
        await self._append(caller, study, subject, "STUDY_QUERY", act, roles=rules.REVIEWS, record=record)
        return await self._query(held.study, subject, bytes.fromhex(act.query))

    async def answer_query(
        self, caller: Caller, study: StudyId, subject: SubjectId, query: bytes, *, text: str
    ) -> Query:
        """By whoever captures."""
        held = await self._seeing(caller, study, subject, "STUDY_QUERY", roles=rules.CAPTURES)
        about = await self._require_open(held.study, subject, query)
        rules.text(text, "text", LONGEST_TEXT, within=())
        act = acts.AnswerQuery(**self._mine(caller, held, subject), query=query.hex(), text=text)
        await self._append(caller, study, subject, "STUDY_QUERY", act, roles=rules.CAPTURES, record=about, query=query)
        return await self._query(held.study, subject, query)

    async def close_query(
        self, caller: Caller, study: StudyId, subject: SubjectId, query: bytes, *, text: str = ""
    ) -> Query:
        """By whoever reviews."""
        held = await self._seeing(caller, study, subject, "STUDY_QUERY", roles=rules.REVIEWS)
        about = await self._require_open(held.study, subject, query)
        if text:
            rules.text(text, "text", LONGEST_TEXT, within=())
        act = acts.CloseQuery(**self._mine(caller, held, subject), query=query.hex(), text=text)
        await self._append(caller, study, subject, "STUDY_QUERY", act, roles=rules.REVIEWS, record=about, query=query)
        return await self._query(held.study, subject, query)

    async def queries(self, caller: Caller, study: StudyId, subject: SubjectId) -> tuple[Query, ...]:
        """About a subject's forms, the oldest first: of each form that the caller may read, for its words quote it."""
        held = await self._seeing(caller, study, subject, "STUDY_QUERIES")
        found = (await self._queries(held.study, subject)).values()
        readable = {one: await self._is_readable(caller, study, one) for one in {one.record for one in found}}
        return tuple(one for one in found if readable[one.record])

    # ---- steps

    def _mine(self, caller: Caller, held: Held, subject: SubjectId) -> dict[str, Any]:
        return {
            "study": held.study.study.hex(),
            "by": caller.actor.id.hex(),
            "at": int(self._clock.now()),
            "salt": self._entropy.bytes(32).hex(),
            "subject": subject.hex(),
        }

    async def _capturing(self, caller: Caller, study: StudyId, subject: SubjectId) -> Held:
        """Before any work. The decision on each record says the last word."""
        held = await self._reaching(caller, study, subject, "STUDY_CAPTURE", rules.CAPTURES)
        # Whoever sent a freeze or a lock straight to the chain is heard before its block is indexed here. Where the
        # chain does not answer, the decision says how long that may go on.
        with contextlib.suppress(UpstreamError):
            await self._studies.compare(held)
        if held.study.state is not StudyState.OPEN:
            raise ConflictError(f"the study is {held.study.state.value.lower()}", field=("study",))
        return held

    async def _reaching(
        self, caller: Caller, study: StudyId, subject: SubjectId, action: str, roles: Iterable[StudyRole]
    ) -> Held:
        standing = await self._studies.of(caller, study, subject)
        held = await self._studies.held(study)
        if standing is None or held is None or not standing.roles & frozenset(roles):
            known = held is not None and subject in held.study.subjects
            reason = "no role that reaches the subject"
            raise await self._studies.refused(caller, action, reason, subject=subject if known else None)
        return held

    async def _seeing(
        self,
        caller: Caller,
        study: StudyId,
        subject: SubjectId,
        action: str,
        *,
        roles: Iterable[StudyRole] = tuple(StudyRole),
    ) -> Held:
        """COMMIT POINT: in the subject's log before anything is told."""
        for _ in range(TRIES):
            held = await self._reaching(caller, study, subject, action, roles)
            seen = await self._sight.of(caller, study, subject)
            if seen is None:
                raise await self._studies.refused(caller, action, REFUSED, subject=subject)
            if await self._studies.noted(caller, held, action, (subject,), seen={subject: seen}):
                return held
            self._sight.forget(subject)
        raise UpstreamError("the study keeps changing; try again")

    async def _is_readable(self, caller: Caller, study: StudyId, record: RecordId) -> bool:
        """By a decision of its own, which is in the subject's log. Where a part of it is hidden, a word about it may
        tell that part."""
        try:
            found = await self._records.read(caller, record, purpose=Purpose.CLINTRCH, study=study)
        except (DeniedError, IntegrityError, BlockMissingError):
            return False
        return found.content_salt is not None

    async def _append(
        self,
        caller: Caller,
        study: StudyId,
        subject: SubjectId,
        action: str,
        act: acts.Act,
        *,
        roles: Iterable[StudyRole],
        record: RecordId,
        query: bytes = b"",
    ) -> None:
        """`record`: the form that it is about, which the caller must be let to read; `query`: one that must be open
        then."""
        for _ in range(TRIES):
            held = await self._reaching(caller, study, subject, action, roles)
            if held.study.state is StudyState.LOCKED:
                raise ConflictError("the study is locked", field=("study",))
            seen = await self._sight.of(caller, study, subject)
            if seen is None or not await self._is_readable(caller, study, record):
                raise await self._studies.refused(caller, action, REFUSED, subject=subject)
            done, sponsor = (acts.Done(act=act),), held.study.sponsor
            still = partial(self._require_open, held.study, subject, query) if query else None
            if await self._studies.append(
                caller, held, done, sponsor=sponsor, guards=(seen,), moves=False, still=still
            ):
                return
            self._sight.forget(subject)
        raise UpstreamError("the study keeps changing; try again")

    def _checked(
        self, responses: Sequence[JsonValue], found: Directory, as_found: bool
    ) -> tuple[list[CapturedForm], list[tuple[Finding, ...]]]:
        """Each form, and what becomes queries of it. Raises CallerError for what is not taken."""
        forms: list[CapturedForm] = []
        raised: list[tuple[Finding, ...]] = []
        for at, response in enumerate(responses):
            where = ("forms", str(at))
            try:
                form = captured(response, found)
                findings = check_form(form, found)
            except CallerError as error:
                raise CallerError(error.message, field=(*where, *error.field)) from error
            hard = next((one for one in findings if one.weight is Weight.HARD), None)
            if hard is not None and not as_found:
                raise CallerError(f"{hard.rule.value}: {hard.message}", field=(*where, *_path(hard)))
            forms.append(form)
            raised.append(tuple(one for one in findings if one.weight is not Weight.NOT_RUN))
        return forms, raised

    async def _require_new(self, study: bytes, subject: SubjectId, forms: Sequence[CapturedForm]) -> None:
        kept = {
            (one.event, one.event_repeat_key, one.form, one.form_repeat_key)
            for one in await newest(self._journal, study, subject)
        }
        for at, form in enumerate(forms):
            if _place(form) in kept:
                raise ConflictError(
                    "is there already: change it, or give it another repeat key", field=("forms", str(at))
                )
            kept.add(_place(form))

    async def _forms(self, study: Study, subject: SubjectId) -> tuple[KeptForm, ...]:
        return await newest(self._journal, study.study, subject)

    async def _queries(self, study: Study, subject: SubjectId) -> dict[bytes, Query]:
        found: dict[bytes, Query] = {}
        after = -1
        while entries := await self._journal.read(
            study.study, after=after, limit=MOST, kinds=(StudyEntryKind.QUERY,), subject=subject
        ):
            after = entries[-1].number
            for entry in entries:
                if entry.octets is not None:
                    _say(found, acts.read_entry(entry.octets).act, subject)
        return found

    async def _query(self, study: Study, subject: SubjectId, query: bytes) -> Query:
        return (await self._queries(study, subject))[query]

    async def _raised(self, study: Study, subject: SubjectId, records: Sequence[StoredRecord]) -> tuple[bytes, ...]:
        """Queries that these versions raised when they were stored."""
        stored = {(one.record, one.version) for one in records}
        found = (await self._queries(study, subject)).values()
        return tuple(one.query for one in found if one.rule and (one.record, one.version) in stored)

    async def _require_open(self, study: Study, subject: SubjectId, query: bytes) -> RecordId:
        """The form that it is about."""
        found = (await self._queries(study, subject)).get(query)
        if found is None:
            raise CallerError("no query about this subject", field=("query",))
        if not found.is_open:
            raise ConflictError("the query is closed", field=("query",))
        return found.record


class _Appendix:
    """`gateway.records.model.Appendix`: the journal's entry of forms, with the queries that their checks raised.
    `definition`: the number of the one that they were checked by; `new`: they are the first in their places."""

    def __init__(
        self,
        capturing: Capturing,
        held: Held,
        caller: Caller,
        subject: SubjectId,
        forms: Sequence[CapturedForm],
        raised: Sequence[tuple[Finding, ...]],
        *,
        definition: int,
        reason: str = "",
        new: bool = False,
    ) -> None:
        self._capturing = capturing
        self._definition = definition
        self._new = new
        self._held = held
        self._caller = caller
        self._subject = subject
        self._forms = forms
        self._raised = raised
        self._reason = reason
        self._made: tuple[tuple[SealedPaper, ...], Head] | None = None
        self.queries: tuple[bytes, ...] = ()
        self.refusal: ConflictError | None = None

    @property
    def is_written(self) -> bool:
        """False where the same was written before, and nothing now."""
        return self._made is not None

    async def rows(self, stored: Sequence[StoredVersion]) -> Sequence[Row]:
        held, studies = self._held, self._capturing._studies  # one room
        if self.refusal is not None:
            raise self.refusal
        now = await studies.held(held.study.study)
        if now is None or len(now.study.definitions) != self._definition:
            raise ConflictError("the definition has changed meanwhile", field=("study",))
        capture = acts.Capture(
            **self._capturing._mine(self._caller, held, self._subject),  # likewise
            definition=self._definition,
            forms=[_version(form, one) for form, one in zip(self._forms, stored, strict=True)],
            reason=self._reason,
        )
        raised = [
            acts.RaiseQuery(
                **self._capturing._mine(self._caller, held, self._subject),  # likewise
                query=self._capturing._entropy.bytes(16).hex(),  # likewise
                record=one.row.record.hex(),
                version=one.row.version,
                item=item,
                text=text,
                rule=rule,
            )
            for one, findings in zip(stored, self._raised, strict=True)
            for item, text, rule in _told(findings)
        ]
        self.queries = tuple(bytes.fromhex(one.query) for one in raised)
        studies.forget(held.study.study)
        rows, sealed, head = await studies.rows(
            held.study.study, held.study.sponsor, (acts.Done(act=capture), *(acts.Done(act=one) for one in raised))
        )
        # Behind this very head: who was quicker in the same place is seen here, or takes its number.
        if self._new:
            await self._capturing._require_new(held.study.study, self._subject, self._forms)  # likewise
        self._made = (sealed, head)
        return rows

    async def done(self) -> None:
        assert self._made is not None
        await self._capturing._studies.added(self._held.study.study, *self._made)  # likewise


def _place(form: CapturedForm) -> tuple[str, str | None, str, str | None]:
    return form.event, form.event_repeat_key, form.form, form.form_repeat_key


def _version(form: CapturedForm, stored: StoredVersion) -> acts.CapturedVersion:
    return acts.CapturedVersion(
        record=stored.row.record.hex(),
        version=stored.row.version,
        digest=stored.row.digest.hex(),
        content=stored.ticket.values[3].hex(),
        event=form.event,
        form=form.form,
        event_repeat_key=form.event_repeat_key,
        form_repeat_key=form.form_repeat_key,
    )


def _say(found: dict[bytes, Query], act: acts.Act, subject: SubjectId) -> None:
    if not isinstance(act, (acts.RaiseQuery, acts.AnswerQuery, acts.CloseQuery)):
        return
    query = bytes.fromhex(act.query)
    word = Said(act=acts.tag_of(act), by=bytes.fromhex(act.by), at=act.at, text=act.text)
    if isinstance(act, acts.RaiseQuery):
        found[query] = Query(
            query=query,
            subject=subject,
            record=RecordId(bytes.fromhex(act.record)),
            version=act.version,
            item=act.item,
            rule=act.rule,
            words=(word,),
        )
        return
    there = found[query]
    found[query] = Query(
        query=query,
        subject=subject,
        record=there.record,
        version=there.version,
        item=there.item,
        rule=there.rule,
        words=(*there.words, word),
    )


def _path(finding: Finding) -> tuple[str, ...]:
    groups = tuple(place.group for place in finding.places)
    return groups if finding.item is None else (*groups, finding.item)


def _told(findings: Sequence[Finding]) -> Iterable[tuple[str, str, str]]:
    """(linkId, text, rule) of each query, at most `MOST_QUERIES`."""
    for one in findings[:MOST_QUERIES]:
        repeats = ", ".join(place.repeat_key for place in one.places if place.repeat_key)
        where = f" (repeat {repeats})" if repeats else ""
        yield link_id(_path(one)) if one.places else "", f"{one.message}{where}"[:LONGEST_TEXT], one.rule.value
    if len(findings) > MOST_QUERIES:
        yield "", f"{len(findings) - MOST_QUERIES} more findings of edit checks.", "MORE"
