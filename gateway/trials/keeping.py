"""Studies as they stand, and what is added to them: the one place that reads a journal for a decision, and writes it.

True here: a standing is read after the version of the study's guard, which every act that changes it moves in the
transaction of its entry, and which events of TrialRegistry move as well; so what was decided on an older standing is
refused by the ledger. The chain narrows at once: a study that is frozen or locked there is so here, whatever the
journal says, and it is open only where both say so.
Not done here: who may do what (`rules`).
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent.model import StudyStanding
from gateway.errors import DeniedError, IntegrityError, StaleError
from gateway.identity.model import Caller
from gateway.identity.versions import moved
from gateway.ids import ActorId, StudyId, SubjectId
from gateway.ports.bus import Bus
from gateway.ports.clock import Clock
from gateway.ports.documents import SealedPaper
from gateway.ports.index import Index
from gateway.ports.ledger import Appended, Stale, Taken
from gateway.ports.rows import CallRow, Guard, Row
from gateway.ports.study_registry import TrialRegistries
from gateway.trials import acts
from gateway.trials.acts import NOTHING
from gateway.trials.journal import MOST, Head, Journal, NewEntry
from gateway.trials.links import digest_of
from gateway.trials.standing import FOLDED, Study, fold

HELD: Final = 256
"""Studies in memory."""
TRIES: Final = 8
ENTRIES: Final = "study_entries"
"""The table in which (study, number) is taken once."""


@dataclass(frozen=True, slots=True)
class Held:
    """A study at a version of its guard, which was read before all else."""

    version: int
    study: Study


class Studies:
    """`gateway.consent.studies.Studies`, and the journal's one writer here."""

    def __init__(
        self, *, index: Index, journal: Journal, registries: TrialRegistries, audit: Audit, bus: Bus, clock: Clock
    ) -> None:
        self._index = index
        self._journal = journal
        self._registries = registries
        self._audit = audit
        self._bus = bus
        self._clock = clock
        self._held: OrderedDict[bytes, Held] = OrderedDict()
        self._folding: dict[bytes, asyncio.Lock] = {}
        self._turns: dict[bytes, asyncio.Lock] = {}
        self._heads: dict[bytes, Head] = {}

    # ---- how they stand

    async def of(self, caller: Caller, study: StudyId, subject: SubjectId) -> StudyStanding | None:
        """None: no such study, or subject of it, or the caller has no role that reaches them."""
        held = await self.held(study)
        if held is None:
            return None
        found = held.study
        there = found.subjects.get(subject)
        if there is None:
            return None
        actors = (caller.actor.id, *caller.organizations)
        now = self._clock.now()
        roles = found.roles_of(actors, site=there.site, now=now)
        if not roles:
            return None
        return StudyStanding(
            study=study,
            sponsor=ActorId(found.sponsor),
            roles=roles,
            state=found.state,
            collects=not there.withdrawn_at,
            terms=found.present_terms,
            all_terms=frozenset(one.digest for one in found.terms),
            kept=frozenset(one.digest for one in found.terms if one.keeps),
            version=held.version,
            until=found.roles_until(actors, site=there.site, now=now),
        )

    async def held(self, study: bytes) -> Held | None:
        """None: there is no journal of that name."""
        version = (await self._index.versions_of((study,)))[study]
        held = self._held.get(study)
        if held is not None and held.version == version:
            return held
        async with self._folding.setdefault(study, asyncio.Lock()):
            return await self._fold(study)

    async def _fold(self, study: bytes) -> Held | None:
        version = (await self._index.versions_of((study,)))[study]
        held = self._held.get(study)
        if held is not None and held.version == version:
            return held
        found = Study(study=study) if held is None else held.study
        await self._read(found)
        if found.number < 0:
            return None
        found.chain = await self._registries.study(study)
        if not self._is_attested(found):
            await self._read(found)  # what the chain has a root of was entered before
        if not self._is_attested(found):
            raise IntegrityError("a study's journal is not the one that the chain has roots of")
        held = Held(version=version, study=found)
        self._held[study] = held
        self._held.move_to_end(study)
        if len(self._held) > HELD:
            self._held.popitem(last=False)
        return held

    async def _read(self, found: Study) -> None:
        """Up to the journal's end, by the entries that change how it stands. The last of all entries says which of them
        is the newest, so none is hidden by a row that was deleted, or is said to be of another kind."""
        while True:
            while entries := await self._journal.read(found.study, after=found.number, limit=MOST, kinds=FOLDED):
                for one in entries:
                    if one.is_erased:
                        await self._look_between(found, one.number)
                    fold(found, (one,))
            head = await self._journal.head(found.study)
            if head is None or head.standing == found.moved:
                return
            if not await self._journal.read(found.study, after=found.number, limit=1, kinds=FOLDED):
                raise IntegrityError("an entry that changed how a study stands is missing")

    async def _look_between(self, found: Study, number: int) -> None:
        """An erased entry does not say what came before it: so all that did is opened, which tells what each is."""
        after = found.number
        while after < number - 1:
            entries = await self._journal.read(found.study, after=after, limit=min(MOST, number - 1 - after))
            if not entries:
                raise IntegrityError("an entry of a study's journal is missing")
            after = entries[-1].number

    def _is_attested(self, found: Study) -> bool:
        """Whether the chain's head of data is one that the journal's roots led through. What is beyond it is on its
        way."""
        if found.chain is None or not found.chain.records:
            return True
        head, records = NOTHING, 0
        for root, count in found.roots:
            head, records = self._registries.next_head(head, root, count), records + count
            if head == found.chain.head and records == found.chain.records:
                return True
        return False

    async def compare(self, held: Held) -> None:
        """The chain's word of this very moment: what moves no guard (roots of data, assignments) is in it too."""
        held.study.chain = await self._registries.study(held.study.study)

    def forget(self, study: bytes) -> None:
        """Its guard moved: it is compared once more anyway, before the next decision."""
        self._heads.pop(study, None)

    def forget_subject(self, subject: bytes) -> None:
        """They were erased: what entries said of them is to be gone from memory, too."""
        for study in [name for name, held in self._held.items() if subject in held.study.subjects]:
            del self._held[study]

    # ---- what is added

    @contextlib.asynccontextmanager
    async def turn(self, study: bytes) -> AsyncIterator[None]:
        """One writer at a time here: who comes second would begin again. Other replicas are told apart by the numbers
        of entries."""
        async with self._turns.setdefault(study, asyncio.Lock()):
            yield

    async def rows(
        self, study: bytes, sponsor: bytes, added: Sequence[acts.Done]
    ) -> tuple[tuple[Row, ...], tuple[SealedPaper, ...], Head]:
        """As `Journal.rows`, behind the journal's end."""
        head = self._heads.get(study) or await self._journal.head(study)
        entries = [
            NewEntry(
                kind=acts.KINDS[type(one.act)],
                octets=acts.octets_of(one),
                subject=None if (subject := acts.subject_of(one.act)) is None else SubjectId(subject),
            )
            for one in added
        ]
        return await self._journal.rows(study, ActorId(sponsor), head, entries)

    async def added(self, study: bytes, sealed: Sequence[SealedPaper], head: Head) -> None:
        """What `rows` made is durable."""
        self._heads[study] = head
        await self._journal.pin(sealed)
        await self._bus.publish(topic(study), b"entry")

    async def append(
        self,
        caller: Caller,
        held: Held | None,
        added: Sequence[acts.Done],
        *,
        sponsor: bytes,
        guards: Sequence[Guard] = (),
        beside: Sequence[Row] = (),
        moves: bool = True,
        still: Callable[[], Awaitable[object]] | None = None,
    ) -> bool:
        """Entries that were allowed on `held`, in one transaction with their audit entry: whether they stand. False:
        something moved meanwhile, and the caller is to look again. `moves`: the study then stands otherwise. `still`
        raises where entries that move nothing, up to the journal's end, forbid these. Raises StaleError where the
        caller's own standing moved."""
        study = bytes.fromhex(added[0].act.study)
        version = 0 if held is None else held.version
        mine = [Guard(name=name, version=version) for name, version in caller.guards]
        async with self.turn(study):
            rows, sealed, head = await self.rows(study, sponsor, added)
            if still is not None:
                await still()
            answer = await self._audit.append(
                self._deed(caller, added[0]),
                guards=(*mine, *guards, Guard(name=study, version=version)),
                rows=(*rows, *beside, *(moved(study) if moves else ())),
            )
            if isinstance(answer, Appended):
                await self.added(study, sealed, head)
                return True
            self.forget(study)
        if isinstance(answer, Stale) and answer.name in (caller.actor.id, *caller.organizations):
            raise StaleError("your own standing changed meanwhile; try again")
        if isinstance(answer, Taken) and answer.table != ENTRIES:
            raise StaleError("the same was done meanwhile; look again")
        return False

    async def intend(self, caller: Caller, act: acts.Act, call: CallRow) -> None:
        """The call and its audit entry are durable together. StaleError where the caller's own standing moved."""
        event = replace(self._deed(caller, acts.Done(act=act)), action="RELAY_" + action_of(act))
        mine = [Guard(name=name, version=version) for name, version in caller.guards]
        answer = await self._audit.append(event, guards=mine, rows=(call,))
        if isinstance(answer, Stale):
            raise StaleError("your own standing changed meanwhile; try again")
        # Taken: the very call stands already, and relaying it again is the same.

    def _event(self, caller: Caller, action: str, subject: bytes | None) -> Event:
        return Event(
            decision=self._audit.new_decision(),
            at=self._clock.now(),
            actor=caller.actor.id,
            outcome=Outcome.PERMITTED,
            action=action,
            purpose="CLINTRCH",
            subject=subject,
        )

    def _deed(self, caller: Caller, done: acts.Done) -> Event:
        event = self._event(caller, action_of(done.act), acts.subject_of(done.act))
        return replace(event, digest=digest_of(acts.octets_of(done)))

    async def noted(
        self,
        caller: Caller,
        held: Held,
        action: str,
        subjects: Sequence[SubjectId | None],
        *,
        seen: Mapping[SubjectId, Guard] | None = None,
    ) -> bool:
        """COMMIT POINT of what is told on `held`: an entry in the log of each whom it tells of, None: of nobody. False
        where something moved meanwhile, and the caller is to look again. `seen`: what telling of a subject stands on,
        too (`Sight`)."""
        mine = [Guard(name=name, version=version) for name, version in caller.guards]
        guards = (*mine, Guard(name=held.study.study, version=held.version))
        stood_on = {one: (*guards, guard) for one, guard in (seen or {}).items()}
        entries = [
            (self._event(caller, action, one), guards if one is None else stood_on.get(one, guards), None)
            for one in subjects
        ]
        answers = await self._audit.append_each(entries)
        return all(isinstance(one, Appended) for one in answers)

    async def refused(self, caller: Caller, action: str, reason: str, *, subject: bytes | None = None) -> DeniedError:
        """To be raised: it stands in the log already."""
        event = replace(self._event(caller, action, subject), outcome=Outcome.DENIED, reason=reason)
        await self._audit.append(event)
        return DeniedError(reason, decision_id=event.decision)


def topic(study: bytes) -> str:
    """The bus topic of a study: a random name."""
    return "study:" + study.hex()


def action_of(act: acts.Act) -> str:
    """As the audit names it."""
    return "STUDY_" + acts.tag_of(act).upper().replace("-", "_")
