"""A subject's standing, gathered and kept: grants, epochs and the version that the ledger will compare.

The version is read first, so a change during loading makes the guard fail, never the reverse. What is kept is dropped
on any hint of change; a lost hint costs a retry, because the ledger refuses what was decided on an old version.

The index is not believed: each event that a standing is made of is asked for at the chain, and their number must be the
chain's. Who writes into the database can make a standing stale, never better than it is.
"""

import contextlib
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from gateway import eip712
from gateway.consent import limits, policy, state
from gateway.consent.freshness import Freshness, staleness
from gateway.consent.model import (
    AsOf,
    ConsentView,
    Epochs,
    Grant,
    Mandate,
    OpenEmergency,
    Requester,
    SealedDeny,
)
from gateway.consent.texts import HELD, Signed, Texts
from gateway.errors import IntegrityError, StaleError, UpstreamError
from gateway.identity.control import Control, fold_control
from gateway.identity.model import Subject
from gateway.identity.state import controllers, fold_subject, number_in
from gateway.identity.verdicts import RelyingParties, Verdicts
from gateway.ids import ConsentId, SubjectId
from gateway.ports.chain import Chain, Head
from gateway.ports.clock import Clock, Steady
from gateway.ports.documents import Documents
from gateway.ports.index import Index
from gateway.ports.rows import ConsentRow, EventRow, NarrowingKind, NarrowingRow

CONTRACT = "ConsentRegistry"
"""Where subjects stand, and their consents."""
MOST_STATES = 256
"""Subjects in one batched comparison with the chain (ConsentRegistry.subjectStates)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Everything about one subject that a decision needs. `mandates`: under which delegates act; `delegates`,
    `unbacked`: as ConsentState has them. `settles_at`: block from which more is confirmed. `whole` False: a consent or
    a delegate's limits could not be fetched just now, so what is denied for their sake must be asked for again."""

    subject: Subject
    control: Control
    epochs: Epochs
    grants: tuple[Grant | SealedDeny, ...]
    folded: state.ConsentState
    mandates: tuple[Mandate, ...]
    order: tuple[ConsentId, ...]
    settles_at: int | None
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unproven:
    """A standing by the index alone, `stale`, and the events that it is made of."""

    standing: Standing
    events: tuple[EventRow, ...]


class Standings:
    """Loads, keeps and drops standings."""

    def __init__(
        self,
        *,
        index: Index,
        chain: Chain,
        documents: Documents,
        clock: Clock,
        freshness: Freshness,
        parties: RelyingParties,
    ) -> None:
        self._index = index
        self._chain = chain
        self._clock = clock
        self._steady = Steady(clock)
        self._freshness = freshness
        self._held: OrderedDict[bytes, Standing] = OrderedDict()
        self._loading: dict[bytes, object] = {}
        self._ended: OrderedDict[bytes, dict[bytes, NarrowingRow]] = OrderedDict()
        self.domain = eip712.domain(chain_id=chain.facts.chain_id, contract=chain.facts.consent_registry)
        self.texts = Texts(index=index, documents=documents, verdicts=Verdicts(chain, parties), domain=self.domain)

    def as_of(self) -> AsOf:
        """The block that decisions stand on now. Raises StaleError when lag, silence or skew is past the bound."""
        found = self.last_block()
        if not found.fresh:
            raise StaleError("the index is behind the chain; try again shortly")
        return found

    def last_block(self) -> AsOf:
        """The newest block that is known here, and whether it is within the bounds: an emergency stands on it either
        way."""
        head, now = self._chain.head(), self._clock.now()
        return AsOf(
            block_number=head.number,
            block_hash=head.hash,
            block_time=self._block_time(head, now),
            fresh=staleness(head, self._freshness, now=now, monotonic=self._clock.monotonic()) is None,
        )

    def indexed(self) -> bool:
        """Whether the index stands where the chain's own node does, whatever its witnesses say."""
        head = replace(self._chain.head(), doubt=None)
        return staleness(head, self._freshness, now=self._clock.now(), monotonic=self._clock.monotonic()) is None

    def now(self) -> float:
        """Seconds since 1970, the host's clock."""
        return self._clock.now()

    def _block_time(self, head: Head, now: float) -> int:
        """Where blocks come on demand, the head's time says only when the last one was wanted, and the chain may run on
        this very host: then a clock that nobody sets stands for it, unless the head is later than the host's."""
        timestamp, steady = head.timestamp, int(self._steady.now())
        if self._freshness.period_seconds:
            return timestamp
        return steady if timestamp <= now else max(timestamp, steady)

    def concerned_until(
        self, requester: Requester, standing: Standing, emergency: OpenEmergency | None = None
    ) -> float:
        """As `policy.concerned_until`, at this moment. No I/O; whether the chain is fresh is not asked."""
        now = self._clock.now()
        return policy.concerned_until(
            requester,
            standing.grants,
            standing.epochs,
            emergency,
            block_time=self._block_time(self._chain.head(), now),
            now=now,
        )

    def may_concern(self, requester: Requester, standing: Standing, emergency: OpenEmergency | None = None) -> bool:
        """Whether any decision on this subject could permit the requester anything now."""
        return self.concerned_until(requester, standing, emergency) > 0.0

    def mandates_of(self, requester: Requester, standing: Standing) -> tuple[Mandate, ...]:
        """Under which the requester acts for the patient at this moment. No I/O."""
        now = self._clock.now()
        return limits.held_by(
            requester, standing.mandates, block_time=self._block_time(self._chain.head(), now), now=now
        )

    def end(self, row: NarrowingRow) -> None:
        """Keeps in mind what was ended here, so that it stays ended for as long as this process lives, whatever
        becomes of its row before the chain has it."""
        self._ended.setdefault(row.subject, {})[row.kind.to_bytes(1, "big") + row.target] = row
        if len(self._ended) > HELD:
            self._ended.popitem(last=False)
        self.forget(row.subject)

    def trouble(self) -> str | None:
        """Why nothing may be decided at this moment, in words for an operator."""
        return staleness(self._chain.head(), self._freshness, now=self._clock.now(), monotonic=self._clock.monotonic())

    @staticmethod
    def require_current(standing: Standing) -> None:
        """Raises StaleError where the chain could not be asked, or has events that the index lacks. Only for those whom
        some decision could permit something: others are refused before, as what does not exist is."""
        if standing.epochs.stale:
            raise StaleError("the index is behind the chain; try again shortly")

    def held(self, subject: SubjectId) -> Standing | None:
        """The standing if it is in memory and settled; no I/O."""
        found = self._held.get(subject)
        if found is not None and found.settles_at is not None and self._chain.head().number >= found.settles_at:
            return None
        return found

    async def of(self, subject: SubjectId) -> Standing | None:
        """None: no such subject, or it was erased. Stale, and not kept, when the chain cannot be asked."""
        return self.held(subject) or await self._load(subject)

    async def known(self, subject: SubjectId) -> Standing | None:
        """What is known here, without a word to the chain: `stale`, and not kept, unless it was in memory. For
        emergencies alone."""
        held = self.held(subject)
        if held is not None:
            return held
        found = await self._gather(subject)
        return None if found is None else found.standing

    async def current(self, subject: SubjectId) -> Standing | None:
        """As `of`, and of this very moment: for answers that no guard of the ledger stands behind."""
        found = self.held(subject)
        if found is not None and (await self._index.versions_of((subject,)))[subject] != found.epochs.version:
            self.forget(subject)
        return await self.of(subject)

    async def asked_for(self, subject: SubjectId) -> Standing | None:
        """As `current`; where there is no such subject, another's is gathered and dropped, so that an answer's time
        does not tell the one from the other."""
        near = await self.nearest(subject)
        return near if near is not None and near.subject.id == subject else None

    async def nearest(self, subject: SubjectId) -> Standing | None:
        """As `current`, or, where there is no such subject, another's: what is then asked of it costs the same, and
        nothing of its answer may be told. The caller compares the ids last."""
        near = await self._index.nearest_subject(subject)
        return None if near is None else await self.current(SubjectId(near))

    async def owns(self, requester: Requester, subject: SubjectId) -> bool:
        """Whether the subject is the requester's own; for the same work where there is no such subject."""
        near = await self.nearest(subject)
        return near is not None and policy.owns(requester, near.epochs) and near.subject.id == subject

    def forget(self, subject: bytes) -> None:
        """Drops what is kept; what is being loaded at this moment is not kept either."""
        self._held.pop(subject, None)
        self._loading.pop(subject, None)

    def forget_terms(self, subject: bytes) -> None:
        """As `forget`, and what its consents say: the subject was erased."""
        self.forget(subject)
        self.texts.forget(subject)

    async def compare(self) -> None:
        """Compares every kept subject with the chain, one call for each 256; what differs is dropped."""
        kept = list(self._held.items())
        for start in range(0, len(kept), MOST_STATES):
            part = kept[start : start + MOST_STATES]
            states = await self._chain.subject_states([subject for subject, _ in part])
            for (subject, standing), (epoch, seq) in zip(part, states, strict=True):
                if (standing.folded.epoch, standing.epochs.seq) != (epoch, seq):
                    self.forget(subject)

    async def prepare(self, subjects: Sequence[SubjectId]) -> None:
        """Loads those that are not in memory, and asks the chain for all of them at once: for who asks for each of them
        next. Whoever does not add up, and all while the chain is out of reach, is loaded alone by `of`."""
        missing = [subject for subject in subjects if self.held(subject) is None]
        loads = {subject: self._loading.setdefault(subject, object()) for subject in missing}
        try:
            found: list[_Unproven] = []
            for subject in missing:
                with contextlib.suppress(IntegrityError):
                    found += filter(None, (await self._gather(subject),))
            for standing in await self._proven(found):
                self._keep(standing, loads[standing.subject.id])
        finally:
            for subject, load in loads.items():
                self._loaded(subject, load)

    async def _load(self, subject: SubjectId) -> Standing | None:
        load = self._loading.setdefault(subject, object())
        try:
            found = await self._gather(subject)
            if found is None:
                return None
            standing = (await self._proven((found,)) or (found.standing,))[0]
            self._keep(standing, load)
        finally:
            self._loaded(subject, load)
        return standing

    def _keep(self, standing: Standing, load: object) -> None:
        subject = standing.subject.id
        # Forgotten meanwhile: this may be of before the change, and a denial has no guard that would tell.
        if self._loading.get(subject) is load and standing.whole and not standing.epochs.stale:
            self._held[subject] = standing
            if len(self._held) > HELD:
                self._held.popitem(last=False)

    def _loaded(self, subject: SubjectId, load: object) -> None:
        if self._loading.get(subject) is load:
            del self._loading[subject]

    async def _gather(self, subject: SubjectId) -> _Unproven | None:
        """By the index alone."""
        version = (await self._index.versions_of((subject,)))[subject]
        events = await self._index.events(subject, contract=CONTRACT)
        found = fold_subject(subject, events, self._confirmed)
        if found is None:
            return None
        narrowings = await self._index.narrowings(subject)
        if state.is_erased(subject, events, narrowings):
            return None
        ended = (*narrowings, *self._ended.get(subject, {}).values())
        removed = {int.from_bytes(row.target, "big") for row in ended if row.kind is NarrowingKind.DELEGATE}
        control = fold_control(
            subject, events, self._confirmed, delay=self._chain.facts.recovery_seconds, removed=removed
        )
        rows = await self._index.consents(subject)
        terms, whole = await self.texts.all_terms(rows, _signers(subject, events, control))
        mandates, all_there = await self.texts.mandates(subject, control.delegates)
        folded = state.fold(
            subject,
            consent_events=events,
            narrowings=ended,
            terms=terms,
            confirmed=self._confirmed,
            mandates=mandates,
        )
        standing = Standing(
            subject=found,
            control=control,
            epochs=Epochs(
                subject=subject,
                epoch=folded.effective_epoch,
                seq=folded.seq,
                version=version,
                stale=True,
                controller=found.controller,
                custodian=found.custodian,
                credentials=control.credentials,
            ),
            grants=folded.grants,
            folded=folded,
            mandates=mandates,
            order=tuple(ConsentId(row.consent) for row in rows),
            settles_at=self._settling(events),
            whole=whole and all_there,
        )
        mine = tuple(event for event in events if not event.orphaned and event.keys[0] == subject)
        return _Unproven(standing=standing, events=mine)

    async def _proven(self, found: Sequence[_Unproven]) -> tuple[Standing, ...]:
        """Those whose indexed events are the chain's: as many as it counts, and each of them is there. None where an
        event of several is not, or the chain is out of reach and cannot say so."""
        try:
            states = await self._chain.subject_states([one.standing.subject.id for one in found])
            alike = [
                one
                for one, there in zip(found, states, strict=True)
                if (one.standing.folded.epoch, one.standing.folded.seq) == there
            ]
            if not await self._chain.emitted([event for one in alike for event in one.events]):
                return ()
        except UpstreamError:
            return ()
        return tuple(replace(one.standing, epochs=replace(one.standing.epochs, stale=False)) for one in alike)

    def _confirmed(self, event: EventRow) -> bool:
        return self._chain.head().number - event.block_number >= self._chain.facts.confirmations

    def _settling(self, events: Sequence[EventRow]) -> int | None:
        waiting = [event.block_number for event in events if not event.orphaned and not self._confirmed(event)]
        return min(waiting) + self._chain.facts.confirmations if waiting else None

    def view(self, standing: Standing, consent: ConsentId, signed: Signed) -> ConsentView:
        """A consent as its patient sees it now."""
        return ConsentView(
            consent=consent,
            terms=signed.terms,
            status=standing.folded.status(consent, signed.terms, self._clock.now()),
            signer=signed.signer,
            transaction=standing.folded.transactions.get(consent),
        )

    async def signed(self, row: ConsentRow) -> Signed:
        """What a consent says, to be shown, and who signed it. Raises IntegrityError, UpstreamError."""
        subject = SubjectId(row.subject)
        events = await self._index.events(subject, contract=CONTRACT)
        control = fold_control(subject, events, self._confirmed, delay=self._chain.facts.recovery_seconds)
        return await self.texts.terms(
            row, controllers(subject, events) | {delegate.signer for delegate in control.delegates}
        )


def _signers(subject: SubjectId, events: Sequence[EventRow], control: Control) -> dict[bytes, Collection[bytes]]:
    """Who may have signed each consent that the chain has: its patient, in their time, or the delegate of its event."""
    own = controllers(subject, events)
    keys = {delegate.number: delegate.signer for delegate in control.delegates}
    found: dict[bytes, Collection[bytes]] = {}
    for consent, event in state.granted(event for event in events if event.keys[0] == subject).items():
        signer = keys.get(number_in(event, "delegate"))
        found[consent] = own if signer is None else own | {signer}
    return found
