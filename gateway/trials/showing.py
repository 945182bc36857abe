"""A study as those see it who have a part in it: what was promised beside what was reported, the trail of its journal,
and what happens while they listen.

True here: what was done with a subject is told to whose role reaches that subject, and to nobody else; the words of a
query, which may quote what was captured, to those of them alone whom a consent of the subject lets read (`sight`). It
is in the log before it is told: the trail and one subject in the log of each whom it tells of, a list of subjects once,
of nobody. Captured data are read record by record, elsewhere.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.consent.model import StudyRole, StudyState
from gateway.errors import IntegrityError, StaleError, UpstreamError
from gateway.identity.model import Caller
from gateway.identity.service import Identity
from gateway.ids import StudyId, SubjectId
from gateway.ports.anchors import AnchorState
from gateway.ports.bus import Bus
from gateway.ports.clock import Clock
from gateway.ports.rows import Guard
from gateway.ports.trials import StudyEntryKind
from gateway.slices import Page, Slice, page_of
from gateway.trials import acts
from gateway.trials.journal import Entry, Journal
from gateway.trials.keeping import TRIES, Held, Studies, topic
from gateway.trials.registration import declared
from gateway.trials.registration.outcomes import Comparison, compare
from gateway.trials.sight import Sight
from gateway.trials.standing import Assigned, Enrolled, Study

TRAIL: Final = frozenset(
    {StudyRole.SPONSOR, StudyRole.MONITOR, StudyRole.SAFETY_BOARD, StudyRole.INSPECTOR, StudyRole.INVESTIGATOR}
)
"""Who follows the journal; each as far as their sites reach."""
LOOK_SECONDS: Final = 0.5
"""How long a change may wait whose hint was lost."""
_ABOUT_NOBODY: Final = (acts.Register, acts.Protocol, acts.Define, acts.Describe, acts.Terms, acts.Publish)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailEntry:
    """`octets` None: it was erased, is about a subject whom the caller's roles do not reach, or is a word of a query
    about one who lets nothing be read."""

    entry: Entry
    octets: bytes | None = field(repr=False)
    anchor: AnchorState


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSubject:
    """`study`: the one that they are a subject of, and `state` how it stands; `assigned` None: nobody has assigned
    them."""

    study: StudyId
    state: StudyState
    enrolled: Enrolled
    assigned: Assigned | None


class Showing:
    """See the module."""

    def __init__(
        self, *, studies: Studies, journal: Journal, sight: Sight, identity: Identity, bus: Bus, clock: Clock
    ) -> None:
        self._studies = studies
        self._sight = sight
        self._journal = journal
        self._identity = identity
        self._bus = bus
        self._clock = clock

    async def act(self, study: Study, number: int) -> acts.Act:
        """What an entry of a registration says: it is about nobody."""
        entries = await self._journal.read(study.study, after=number - 1, limit=1)
        found = None if not entries or entries[0].octets is None else acts.read_entry(entries[0].octets).act
        if not isinstance(found, _ABOUT_NOBODY):
            raise IntegrityError("an entry of a study is another than it was")
        return found

    async def anchor(self, study: Study, number: int) -> AnchorState:
        """Where the leaf of an entry is that `act` gives."""
        entries = await self._journal.read(study.study, after=number - 1, limit=1)
        (state,) = await self._journal.anchored(study.study, entries)
        return state

    async def subjects(self, caller: Caller, study: StudyId, part: Slice) -> Page[ShownSubject]:
        """Those whom the caller's roles reach, by their keys in the study; a key is the cursor. COMMIT POINT: that the
        list was shown is in the log before. DeniedError."""
        for _ in range(TRIES):
            caller = await self._identity.current(caller)
            held = await self._required(caller, study, "STUDY_SUBJECTS")
            found = held.study
            keys = sorted(key for key in found.keys if part.after is None or key > part.after)
            reached = (found.keys[key] for key in keys if self._reaches(caller, found, found.keys[key]))
            walked = [_subject(found, one) for _, one in zip(range(part.size + 1), reached, strict=False)]
            if await self._studies.noted(caller, held, "STUDY_SUBJECTS", (None,)):
                return page_of(walked, part)
        raise UpstreamError("the study keeps changing; try again")

    async def subject(self, caller: Caller, study: StudyId, subject: SubjectId) -> ShownSubject:
        """COMMIT POINT: in the subject's log before it is told. DeniedError alike for one whom no role of the caller's
        reaches, and for none."""
        for _ in range(TRIES):
            caller = await self._identity.current(caller)
            held = await self._studies.held(study)
            if held is None or not self._reaches(caller, held.study, subject):
                known = subject if held is not None and subject in held.study.subjects else None
                reason = "no role that reaches the subject"
                raise await self._studies.refused(caller, "STUDY_SUBJECT", reason, subject=known)
            shown = _subject(held.study, subject)
            if await self._studies.noted(caller, held, "STUDY_SUBJECT", (subject,)):
                return shown
        raise UpstreamError("the study keeps changing; try again")

    async def comparison(self, study: Study) -> Comparison | None:
        """What was promised when enrolment opened, beside what was reported last; None before there are results."""
        if not study.results or not study.protocols:
            return None
        promised = await self.act(study, study.protocols[max(0, study.opened_under - 1)].entry)
        reported = await self.act(study, study.results[-1].entry)
        assert isinstance(promised, acts.Protocol)
        assert isinstance(reported, acts.Publish)
        registration: Any = promised.registration
        outcomes: list[Any] = reported.outcomes
        told = tuple(declared.read_outcome(one, field=("outcomes",)) for one in outcomes)
        return await asyncio.to_thread(compare, declared.read(registration).outcomes, told)

    async def trail(self, caller: Caller, study: StudyId, *, after: int, limit: int) -> tuple[TrailEntry, ...]:
        """COMMIT POINT: in each subject's log before it is told. DeniedError, LimitError."""
        for _ in range(TRIES):
            caller = await self._identity.current(caller)
            held = await self._trailing(caller, study)
            entries = await self._journal.read(study, after=after, limit=limit)
            seen = await self._seen(caller, held, entries)
            shown = [self._shown(caller, held, one, seen) for one in entries]
            about = {one.subject for one, told in zip(entries, shown, strict=True) if told is not None}
            named = sorted({one for one in about if one is not None})
            if await self._studies.noted(caller, held, "STUDY_TRAIL", (None, *named), seen=seen):
                states = await self._journal.anchored(study, entries)
                return tuple(
                    TrailEntry(entry=one, octets=told, anchor=state)
                    for one, told, state in zip(entries, shown, states, strict=True)
                )
            self._forget(seen)
        raise UpstreamError("the study keeps changing; try again")

    async def changes(
        self, caller: Caller, study: StudyId, kinds: tuple[StudyEntryKind, ...]
    ) -> AsyncIterator[tuple[SubjectId, acts.Act]]:
        """Entries of these kinds from now on, about subjects whom the caller's roles reach then, each in the subject's
        log before it is told. Ends where they have no part in the study any more."""
        hints = self._bus.subscribe(topic(study))
        try:
            if await self._part(caller, study) is None:
                return
            head = await self._journal.head(study)
            after = -1 if head is None else head.number
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await anext(hints)
                caller = await self._identity.refreshed(caller)
                held = await self._part(caller, study)
                if held is None:
                    return
                for entry in await self._journal.read(study, after=after, limit=100, kinds=kinds):
                    seen = await self._seen(caller, held, (entry,))
                    told = self._shown(caller, held, entry, seen)
                    if told is not None and entry.subject is not None:
                        if not await self._studies.noted(caller, held, "STUDY_CHANGES", (entry.subject,), seen=seen):
                            self._forget(seen)
                            break  # something moved: from here on again
                        yield entry.subject, acts.read_entry(told).act
                    after = entry.number
        except StopAsyncIteration:
            return
        finally:
            await hints.aclose()

    async def enrolments(self, caller: Caller, study: StudyId) -> AsyncIterator[SubjectId]:
        """Subjects who are enrolled or withdrawn from now on. As `changes`."""
        async for subject, _ in self.changes(caller, study, (StudyEntryKind.ENROLMENT,)):
            yield subject

    async def query_changes(self, caller: Caller, study: StudyId) -> AsyncIterator[tuple[SubjectId, bytes]]:
        """Queries that are raised, answered or closed from now on, each by its name. As `changes`."""
        async for subject, act in self.changes(caller, study, (StudyEntryKind.QUERY,)):
            if isinstance(act, acts.RaiseQuery | acts.AnswerQuery | acts.CloseQuery):
                yield subject, bytes.fromhex(act.query)

    # ---- steps

    async def _part(self, caller: Caller, study: StudyId) -> Held | None:
        held = await self._studies.held(study)
        if held is None or not self._roles(caller, held.study, None):
            return None
        return held

    def _roles(self, caller: Caller, study: Study, site: str | None) -> frozenset[StudyRole]:
        return study.roles_of((caller.actor.id, *caller.organizations), site=site, now=self._clock.now())

    def _reaches(self, caller: Caller, study: Study, subject: bytes) -> bool:
        there = study.subjects.get(subject)
        return there is not None and bool(self._roles(caller, study, there.site))

    async def _required(self, caller: Caller, study: StudyId, action: str) -> Held:
        held = await self._part(caller, study)
        if held is None:
            raise await self._studies.refused(caller, action, "no such study, or no role in it")
        return held

    async def _trailing(self, caller: Caller, study: StudyId) -> Held:
        held = await self._studies.held(study)
        if held is None or not self._roles(caller, held.study, None) & TRAIL:
            raise await self._studies.refused(caller, "STUDY_TRAIL", "no role that follows the journal")
        return held

    def _shown(self, caller: Caller, held: Held, entry: Entry, seen: Mapping[SubjectId, Guard]) -> bytes | None:
        if entry.octets is None or entry.subject is None:
            return entry.octets
        is_told = entry.kind is not StudyEntryKind.QUERY or entry.subject in seen
        return entry.octets if is_told and self._reaches(caller, held.study, entry.subject) else None

    async def _seen(self, caller: Caller, held: Held, entries: Iterable[Entry]) -> dict[SubjectId, Guard]:
        """Those subjects of queries whose words the caller may be told, and what that stands on."""
        asked = {one.subject for one in entries if one.kind is StudyEntryKind.QUERY and one.octets is not None}
        seen: dict[SubjectId, Guard] = {}
        for subject in asked:
            if subject is not None and self._reaches(caller, held.study, subject):
                # Whose events do not add up hinders nobody else; while the index lags behind the chain nobody is seen.
                with contextlib.suppress(IntegrityError, StaleError):
                    guard = await self._sight.of(caller, StudyId(held.study.study), subject)
                    if guard is not None:
                        seen[subject] = guard
        return seen

    def _forget(self, subjects: Iterable[SubjectId]) -> None:
        for subject in subjects:
            self._sight.forget(subject)


def _subject(study: Study, subject: bytes) -> ShownSubject:
    return ShownSubject(
        study=StudyId(study.study),
        state=study.state,
        enrolled=study.subjects[subject],
        assigned=study.assigned.get(subject),
    )
