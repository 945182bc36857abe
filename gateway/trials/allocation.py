"""Who gets which arm: a list that is drawn and committed to before the first subject, opened place by place.

True here: the seed, which opens every place, is sealed under the sponsor's own key wherever it lies, and leaves this
room never before the lock. An assignment is the next place of its stratum by the chain's own count, on a consent that
stands: an entry and a call to the registry in one transaction. An arm is told to who is unblinded for the study, to who
has broken the blind for this subject, and after the lock to all who have a part in the study; each telling is in the
subject's log before it is told.
Not done here: breaking the blind, which is an act (`service`).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent.model import StudyRole, StudyState
from gateway.errors import CallerError, ConflictError, IntegrityError, UpstreamError
from gateway.identity.model import Caller
from gateway.ids import StudyId, SubjectId
from gateway.jsontext import JsonValue
from gateway.ports.chain import Chain, Landed, Reverted
from gateway.ports.clock import Clock, Entropy
from gateway.ports.ledger import Appended
from gateway.ports.rows import CallRow, Guard
from gateway.ports.sealing import ActorSealing
from gateway.ports.study_registry import TrialRegistries
from gateway.trials import acts, rules
from gateway.trials.consenting import Consenting
from gateway.trials.journal import Journal
from gateway.trials.keeping import TRIES, Held, Studies
from gateway.trials.randomization.commitments import Committed, Merkle, commit
from gateway.trials.randomization.lists import Place, draw_list
from gateway.trials.randomization.scheme import parse_scheme
from gateway.trials.standing import Assigned, Study

SEED: Final = b"study/seed"
SEED_SIZE: Final = 32
LANDING_SECONDS: Final = 30.0
DRAWN: Final = 4
"""Lists in memory."""
TOLD_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldArm:
    """One opened place, with its proof under the list's root."""

    place: Place = field(repr=False)
    path: tuple[bytes, ...]
    root: bytes


class Allocations:
    """See the module."""

    def __init__(
        self,
        *,
        studies: Studies,
        journal: Journal,
        registries: TrialRegistries,
        consenting: Consenting,
        sealing: ActorSealing,
        audit: Audit,
        chain: Chain,
        merkle: Merkle,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._studies = studies
        self._journal = journal
        self._registries = registries
        self._consenting = consenting
        self._sealing = sealing
        self._audit = audit
        self._chain = chain
        self._clock = clock
        self._entropy = entropy
        self._merkle = merkle
        self._drawn: OrderedDict[bytes, Committed] = OrderedDict()

    # ---- the list

    async def drawn(self, caller: Caller, study: Study, scheme: JsonValue) -> dict[str, JsonValue]:
        """Root, size and sealed seed of a new list."""
        parse_scheme(scheme, field=("act", "scheme"))
        seed = self._entropy.bytes(SEED_SIZE)
        made = await asyncio.to_thread(self._draw, seed, study.study, scheme)
        sealed = await self._sealing.seal(study.sponsor, seed, context=SEED + study.study)
        return {"root": made.root.hex(), "size": made.size, "seed": sealed.hex()}

    async def check(self, study: Study, act: acts.Allocate) -> None:
        """Whether the list is the one of its seed. Raises CallerError."""
        scheme: Any = act.scheme
        parse_scheme(scheme, field=("act", "scheme"))
        try:
            seed = await self._sealing.open(study.sponsor, bytes.fromhex(act.seed), context=SEED + study.study)
        except (IntegrityError, ValueError) as error:
            raise CallerError("not the seed that was drawn here", field=("act", "seed")) from error
        made = await asyncio.to_thread(self._draw, seed, study.study, scheme)
        if (made.root.hex(), made.size) != (act.root, act.size):
            raise CallerError("not the list of its seed and scheme", field=("act", "root"))

    def _draw(self, seed: bytes, study: bytes, scheme: JsonValue) -> Committed:
        parsed = parse_scheme(scheme)
        return commit(draw_list(seed, study=study, scheme=parsed), merkle=self._merkle)

    async def list_of(self, study: Study) -> Committed:
        """The study's. IntegrityError where it is not the one that was committed to. For this package alone."""
        if study.allocation is None:
            raise ConflictError("nothing is allocated in this study", field=("study",))
        known = self._drawn.get(study.allocation.root)
        return (await self._redrawn(study))[1] if known is None else known

    async def _redrawn(self, study: Study) -> tuple[bytes, Committed]:
        """Seed and list."""
        assert study.allocation is not None
        (entry,) = await self._journal.read(study.study, after=study.allocation.entry - 1, limit=1)
        act = acts.read_entry(entry.octets or b"").act
        if not isinstance(act, acts.Allocate):
            raise IntegrityError("an entry of a study is another than it was")
        seed = await self._sealing.open(study.sponsor, bytes.fromhex(act.seed), context=SEED + study.study)
        made = await asyncio.to_thread(self._draw, seed, study.study, self._scheme(act))
        if made.root != study.allocation.root:
            raise IntegrityError("a study's list is not the one that was committed to")
        self._drawn[made.root] = made
        if len(self._drawn) > DRAWN:
            self._drawn.popitem(last=False)
        return seed, made

    async def opened(self, caller: Caller, study: StudyId) -> bytes | None:
        """The seed of a locked study's list, which tells every arm; None before the lock, and where there is no list.
        To whoever has a part in all of its sites.

        COMMIT POINT: an entry in each assigned subject's log is durable before it is told."""
        for _ in range(TRIES):
            held = await self._studies.held(study)
            if held is None or not held.study.roles_everywhere((caller.actor.id, *caller.organizations), self._now()):
                raise await self._studies.refused(caller, "STUDY_ARM", "no part in all of the study")
            if held.study.state is not StudyState.LOCKED or held.study.allocation is None:
                return None
            seed, _ = await self._redrawn(held.study)
            if await self._told_of_each(caller, held):
                return seed
        raise UpstreamError("the study keeps changing; try again")

    def _now(self) -> float:
        return self._clock.now()

    async def _told_of_each(self, caller: Caller, held: Held) -> bool:
        mine = [Guard(name=name, version=version) for name, version in caller.guards]
        guards = (*mine, Guard(name=held.study.study, version=held.version))
        subjects = [SubjectId(one) for one in sorted(held.study.assigned)]
        for at in range(0, len(subjects), TOLD_AT_ONCE):
            events = [(self._telling(caller, one), guards, None) for one in subjects[at : at + TOLD_AT_ONCE]]
            if not all(isinstance(one, Appended) for one in await self._audit.append_each(events)):
                return False
        return True

    def _telling(self, caller: Caller, subject: SubjectId) -> Event:
        return Event(
            decision=self._audit.new_decision(),
            at=self._clock.now(),
            actor=caller.actor.id,
            outcome=Outcome.PERMITTED,
            action="STUDY_ARM",
            purpose="CLINTRCH",
            subject=subject,
        )

    def _scheme(self, act: acts.Allocate) -> JsonValue:
        scheme: Any = act.scheme
        return dict(scheme)

    # ---- assignments

    async def assign(self, caller: Caller, study: StudyId, subject: SubjectId, levels: Mapping[str, str]) -> Study:
        """The next place of the subject's stratum. Who has one keeps it. DeniedError, CallerError, ConflictError."""
        for _ in range(TRIES):
            held = await self._assigning(caller, study, subject)
            found = held.study
            consents, guards = await self._consenting.of(caller, found, subject)
            if not consents:
                raise ConflictError("takes a consent that stands", field=("subject",))
            made = await self.list_of(found)
            own = found.assigned.get(subject)
            if own is not None and await self._stands(caller, found, made, subject, own):
                return found
            stratum = made.allocation.scheme.stratum_of(levels) if own is None else own.stratum
            due = await self._due(found, made, stratum, subject)
            added = [self._act(caller, found, made, whose, place) for whose, place in due]
            calls = [self._call(act) for act in added]
            done = [acts.Done(act=act) for act in added]
            if await self._studies.append(caller, held, done, sponsor=found.sponsor, guards=guards, beside=calls):
                self._chain.wake()
                for call in calls:
                    await self._landed(call)
                now = await self._studies.held(study)
                assert now is not None
                return now.study
        raise UpstreamError("the study keeps changing; try again")

    async def _due(
        self, study: Study, made: Committed, stratum: int, subject: SubjectId
    ) -> list[tuple[SubjectId, Place]]:
        """Whom to give which place so that the subject has one: the chain's next, behind those who have theirs in the
        journal alone. What the registry refused of them is sent again first, each at the same place: an order that was
        once entered is kept, and nobody waits behind a place that nobody takes. The chain counts those who were erased.
        """
        position = await self._registries.next_position(study.study, stratum)
        ahead = {one.position: whose for whose, one in study.assigned.items() if one.stratum == stratum}
        due: list[tuple[SubjectId, Place]] = []
        while (whose := ahead.get(position)) is not None:
            if whose == subject or await self._refused(made, study, whose):
                due.append((SubjectId(whose), _place(made, stratum, position)))
            position += 1
        if all(whose != subject for whose, _ in due):
            due.append((subject, _place(made, stratum, position)))
        return due

    async def _stands(self, caller: Caller, study: Study, made: Committed, subject: SubjectId, own: Assigned) -> bool:
        """Whether the chain has it; False where the registry refused. Sent once more where nobody knows."""
        if await self._registries.is_assigned(study.study, own.name):
            return True
        if await self._refused(made, study, subject):
            return False
        act = await self._entered(study, own)
        call = self._call(act)
        await self._studies.intend(caller, act, call)
        self._chain.wake()
        await self._landed(call)
        return True

    async def _refused(self, made: Committed, study: Study, subject: bytes) -> bool:
        call = self._call(await self._entered(study, study.assigned[subject]))
        return isinstance(await self._chain.outcome(call.call, timeout=0.0, confirmed=False), Reverted)

    async def _entered(self, study: Study, own: Assigned) -> acts.Assign:
        (entry,) = await self._journal.read(study.study, after=own.entry - 1, limit=1)
        act = acts.read_entry(entry.octets or b"").act
        if not isinstance(act, acts.Assign):
            raise IntegrityError("an entry of a study is another than it was")
        return act

    def _act(self, caller: Caller, study: Study, made: Committed, subject: SubjectId, place: Place) -> acts.Assign:
        salt = self._entropy.bytes(32)
        return acts.Assign(
            study=study.study.hex(),
            by=caller.actor.id.hex(),
            at=int(self._clock.now()),
            salt=salt.hex(),
            subject=subject.hex(),
            name=acts.chain_name(salt, subject).hex(),
            stratum=place.stratum,
            position=place.position,
            arm=place.commitment.hex(),
            path=[one.hex() for one in made.path(place)],
        )

    def _call(self, act: acts.Assign) -> CallRow:
        return self._registries.assign(
            study=bytes.fromhex(act.study),
            subject=bytes.fromhex(act.name),
            stratum=act.stratum,
            position=act.position,
            arm=bytes.fromhex(act.arm),
            path=[bytes.fromhex(one) for one in act.path],
        )

    async def _landed(self, call: CallRow) -> None:
        outcome = await self._chain.outcome(call.call, timeout=LANDING_SECONDS, confirmed=True)
        if isinstance(outcome, Reverted):
            raise ConflictError(f"the registry refuses: {outcome.error}")
        if not isinstance(outcome, Landed):
            raise UpstreamError("not on chain in time; relaying goes on, ask again")

    async def _assigning(self, caller: Caller, study: StudyId, subject: SubjectId) -> Held:
        held = await self._studies.held(study)
        there = None if held is None else held.study.subjects.get(subject)
        mine = self._roles(caller, held.study, there.site) if held is not None and there is not None else frozenset()
        if held is None or there is None or not mine & rules.CAPTURES:
            known = subject if there is not None else None
            raise await self._studies.refused(caller, "STUDY_ASSIGN", "no role at the subject's site", subject=known)
        if held.study.state is not StudyState.OPEN:
            raise ConflictError("the study takes nobody in this state", field=("study",))
        if there.withdrawn_at:
            raise ConflictError("the subject has withdrawn", field=("subject",))
        return held

    # ---- arms

    async def arm(self, caller: Caller, study: StudyId, subject: SubjectId) -> ToldArm:
        """COMMIT POINT: the entry in the subject's log is durable before the arm is told."""
        for _ in range(TRIES):
            held = await self._studies.held(study)
            if held is None or not self._sees(caller, held.study, subject):
                known = subject if held is not None and subject in held.study.subjects else None
                raise await self._studies.refused(caller, "STUDY_ARM", "blinded for this subject", subject=known)
            assigned = held.study.assigned.get(subject)
            if assigned is None:
                raise ConflictError("nobody has assigned the subject", field=("subject",))
            made = await self.list_of(held.study)
            place = made.allocation.place(assigned.stratum, assigned.position)
            if place is None or place.commitment != assigned.arm:
                raise IntegrityError("an assignment is not of the study's list")
            event = self._telling(caller, subject)
            mine = [Guard(name=name, version=version) for name, version in caller.guards]
            guards = (*mine, Guard(name=study, version=held.version))
            if isinstance(await self._audit.append(event, guards=guards), Appended):
                return ToldArm(place=place, path=made.path(place), root=made.root)
        raise UpstreamError("the study keeps changing; try again")

    def _roles(self, caller: Caller, study: Study, site: str | None) -> frozenset[StudyRole]:
        return study.roles_of((caller.actor.id, *caller.organizations), site=site, now=self._now())

    def _sees(self, caller: Caller, study: Study, subject: bytes) -> bool:
        there = study.subjects.get(subject)
        if there is None:
            return False
        mine = self._roles(caller, study, there.site)
        if caller.actor.id == study.statistician:
            return True
        # Whoever must not see arms sees none, by whichever of their organizations they are on the board as well.
        if mine & rules.UNBLINDED and not self._roles(caller, study, None) & rules.BLINDED:
            return True
        if study.state is StudyState.LOCKED:
            return bool(mine)
        return bool(mine) and caller.actor.id in study.unblinded.get(subject, set())


def _place(made: Committed, stratum: int, position: int) -> Place:
    found = made.allocation.place(stratum, position)
    if found is None:
        raise ConflictError("the stratum's list is at its end", field=("levels",))
    return found
