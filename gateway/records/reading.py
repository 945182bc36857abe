"""The read corridor: locate, verify, open facts, decide, open content, redact, audit; and only then release.

The ledger compares a decision's guards inside the transaction that makes its audit entry durable: what moved in
between is gathered and decided again, so a revocation that has returned is never outrun.
"""

from collections.abc import Callable
from dataclasses import dataclass

from msgspec import structs

from gateway import jsontext
from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event, moment
from gateway.consent import policy
from gateway.consent.model import AccessRequest, Action, Deny, Permit, Purpose
from gateway.consent.names import requester
from gateway.consent.standing import Standing, Standings
from gateway.emergency.grounds import Ground, Grounds
from gateway.errors import ConflictError, DeniedError, IntegrityError, StaleError, UpstreamError
from gateway.identity.model import Caller
from gateway.identity.service import Identity
from gateway.ids import ActorId, RecordId, StudyId, SubjectId
from gateway.ports.anchors import Anchors, AnchorState
from gateway.ports.chain import ChainFacts
from gateway.ports.clock import Clock
from gateway.ports.index import Index
from gateway.ports.ledger import Appended, Stale, Taken
from gateway.ports.rows import Guard, RecordRow
from gateway.records.model import RecordFilter, Released
from gateway.records.opening import Found, Opening, in_period, is_labelled, met_by, told_by
from gateway.records.receipt import receipt_text
from gateway.underway import releasing

TRIES = 8
"""How often a decision is made again when its guards moved, before the answer is STALE."""
ALL = RecordFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A decision not yet acknowledged: what the audit will say, and what would be released."""

    event: Event
    guards: tuple[Guard, ...]
    receipt: dict[str, jsontext.JsonValue] | None
    release: Callable[[Appended, AnchorState], Released] | None
    leaf: bytes
    octets: int = 0
    permit: Permit | None = None
    found: Found | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighted:
    """What a decision permits and nobody has opened yet."""

    permit: Permit
    found: Found
    row: RecordRow
    guards: tuple[Guard, ...]


class Reading:
    """Reads, pages and references go through `answer`, and through nothing else; a subscription's item is a read."""

    def __init__(
        self,
        *,
        identity: Identity,
        standings: Standings,
        grounds: Grounds,
        audit: Audit,
        index: Index,
        opening: Opening,
        anchors: Anchors,
        clock: Clock,
        deployment: ChainFacts,
    ) -> None:
        self._identity = identity
        self._standings = standings
        self._grounds = grounds
        self._audit = audit
        self._index = index
        self._opening = opening
        self._anchors = anchors
        self._clock = clock
        self._deployment = deployment

    async def read(
        self,
        caller: Caller,
        record: RecordId,
        *,
        purpose: Purpose,
        study: StudyId | None = None,
        version: int | None = None,
    ) -> Released:
        """The present version, or the one that is named. DeniedError for all that is refused, and for what does not
        exist. `study`: the one that is asked in; a record of a study is shown to nobody else but its patient."""
        for _ in range(TRIES):
            answer = await self.consider(caller, record, purpose=purpose, study=study, version=version)
            appended = await self._audit.append(answer.event, guards=answer.guards, receipt=answer.receipt)
            if isinstance(appended, Appended):
                return await self.released(answer, appended)
            caller = await self.gather_again(caller, appended)
        raise StaleError("the patient's records and consents keep changing; try again")

    async def consider(
        self,
        caller: Caller,
        record: RecordId,
        *,
        purpose: Purpose,
        study: StudyId | None = None,
        version: int | None = None,
    ) -> Answer:
        """The decision on a version, the present one if none is named, of which nothing is acknowledged: whoever asks
        has it audited, or lets go on what was acknowledged before."""
        row = await self._index.nearest(record)
        if version is not None and row is not None and row.record == record and row.version != version:
            return await self._consider_old(caller, row, version, purpose=purpose, study=study)
        answer = await self.answer(caller, row, record, purpose, study=study)
        if answer is None:
            raise AssertionError("an empty filter leaves nothing out")
        return answer

    async def _consider_old(
        self, caller: Caller, present: RecordRow, version: int, *, purpose: Purpose, study: StudyId | None
    ) -> Answer:
        """Whoever may not see the present version sees no older one, and that is decided with the labels of both."""
        record = RecordId(present.record)
        seen = await self.sight(caller, present, record, purpose, study=study)
        row = await self._index.version(record, version)
        if isinstance(seen, Sighted) and row is not None:
            labels = seen.found.known.decision_facts.labels
            seen = await self.sight(caller, row, record, purpose, study=study, present=labels)
        elif isinstance(seen, Sighted):
            standing = await self._standings.known(seen.permit.subject)
            seen = self.refusal(caller, record, purpose, standing, "no such version")
        if isinstance(seen, Answer):
            return seen
        if seen is None:
            raise AssertionError("an empty filter leaves nothing out")
        return self._release(caller, seen, self._opening.content(seen.permit, seen.found, now=self._clock.now()))

    async def released(self, answer: Answer, appended: Appended) -> Released:
        """What an answer releases, once its entry is durable."""
        if answer.release is None:
            raise DeniedError(answer.event.reason, decision_id=answer.event.decision)
        (state,) = await self._anchors.states((answer.leaf,))
        return answer.release(appended, state)

    async def ground(
        self,
        caller: Caller,
        subject: SubjectId | None,
        record: bytes,
        purpose: Purpose,
        study: StudyId | None = None,
    ) -> Ground:
        """What is decided on. What was tampered with is in the patient's log, too; the error then says so."""
        try:
            return await self._grounds.of(caller, subject, purpose, study)
        except IntegrityError:
            standing = None if subject is None else await self._standings.known(subject)
            await self._audit.append(self.refusal(caller, record, purpose, standing, "verification failed").event)
            raise

    async def require_current(self, caller: Caller, record: bytes, purpose: Purpose, ground: Ground) -> None:
        """As Ground.require_current, and the refusal stands in the patient's log: an index that differs from the chain
        may have been tampered with."""
        try:
            ground.require_current()
        except StaleError:
            refusal = self.refusal(caller, record, purpose, ground.standing, "the index is not proven")
            await self._audit.append(refusal.event)
            raise

    async def answer(
        self,
        caller: Caller,
        row: RecordRow | None,
        record: RecordId,
        purpose: Purpose,
        *,
        wanted: RecordFilter = ALL,
        ground: Ground | None = None,
        study: StudyId | None = None,
    ) -> Answer | None:
        """Steps 1 to 5 of a read; None where the filter does not ask for it. Nothing of it is released before the
        ledger has acknowledged the entry."""
        seen = await self.sight(caller, row, record, purpose, wanted=wanted, ground=ground, study=study)
        if not isinstance(seen, Sighted):
            return seen
        # 4. The permit opens the key; 5. obligations are applied.
        content = self._opening.content(seen.permit, seen.found, now=self._clock.now())
        if seen.permit.obligations and not met_by(content, wanted):
            return None  # what is hidden answers no question either
        releasing(len(content))
        return self._release(caller, seen, content)

    async def sight(
        self,
        caller: Caller,
        row: RecordRow | None,
        record: RecordId,
        purpose: Purpose,
        *,
        wanted: RecordFilter = ALL,
        ground: Ground | None = None,
        study: StudyId | None = None,
        present: frozenset[str] = frozenset(),
    ) -> "Sighted | Answer | None":
        """Steps 1 to 3 of a read: what a decision permits, its content unopened; an Answer that refuses; None where the
        filter does not ask for it. `ground`: one that concerns the caller and is current, for all of a question; should
        it move meanwhile, the ledger's guards tell; it says then in which study is asked. `present`: labels of the
        present version, where an older one is asked for."""
        asking = requester(caller)
        stood_on = ground is not None
        # 1. What is absent, and what no consent could open, is refused; each for the same work as the other, and as
        #    what is there and not covered: `row` is then another record's.
        subject = None if row is None else SubjectId(row.subject)
        if ground is None:
            ground = await self.ground(caller, subject, record, purpose, study)
        standing = ground.standing
        concerns = stood_on or ground.concerns(asking)
        if row is None or subject is None or standing is None or row.record != record or not concerns:
            await self._opening.glance(row)
            if row is None or standing is None or row.record != record:
                return self.refusal(caller, record, purpose, None, "no such record", like=subject)
            return self.refusal(caller, record, purpose, standing, "no consent names the caller")
        if not stood_on:
            await self.require_current(caller, record, purpose, ground)
        # 2. Bytes against their CID, facts under the facts key. The index row was a hint.
        now = self._clock.now()
        request = AccessRequest(
            requester=asking,
            subject=subject,
            record=record,
            action=Action.READ,
            purpose=purpose,
            study=ground.study,
        )
        try:
            found = await self._opening.find(row)
        except (IntegrityError, UpstreamError) as error:
            refusal = self.refusal(caller, record, purpose, standing, "verification failed")
            if not policy.reaches(request, standing.grants, standing.epochs, ground.as_of, now, ground.emergency):
                return refusal
            if isinstance(error, IntegrityError):
                # What was tampered with is in the patient's log, too; the error then says so to the caller.
                await self._audit.append(refusal.event)
            raise
        if not (in_period(found.known.facts.period, wanted) and is_labelled(found.known.facts.labels, wanted)):
            return None
        # 3. The decision, on verified facts.
        facts = found.known.decision_facts
        decided = policy.decide(
            request,
            structs.replace(facts, labels=facts.labels | present) if present else facts,
            standing.grants,
            standing.epochs,
            ground.as_of,
            now,
            ground.emergency,
        )
        if isinstance(decided, Deny):
            return self.refusal(caller, record, purpose, standing, decided.reason)
        return Sighted(permit=decided, found=found, row=row, guards=ground.guards)

    def visible(self, seen: Sighted) -> tuple[tuple[float, float] | None, frozenset[str]]:
        """When and what about (period, codes), as its reader sees it: by what is left where something is hidden."""
        if not seen.permit.obligations:
            return seen.found.known.facts.period, seen.found.known.decision_facts.codes
        return told_by(self._opening.content(seen.permit, seen.found, now=self._clock.now()))

    def refusal(
        self,
        caller: Caller,
        record: bytes,
        purpose: Purpose,
        standing: Standing | None,
        reason: str,
        *,
        like: bytes | None = None,
    ) -> Answer:
        event = Event(
            decision=self._audit.new_decision(),
            at=self._clock.now(),
            actor=caller.actor.id,
            outcome=Outcome.DENIED,
            action=Action.READ.value,
            purpose=purpose.value,
            subject=None if standing is None else standing.subject.id,
            record=record,
            reason=reason,
            like=like,
        )
        return Answer(event=event, guards=(), receipt=None, release=None, leaf=b"")

    def _release(self, caller: Caller, seen: Sighted, content: bytes) -> Answer:
        permit, found, row = seen.permit, seen.found, seen.row
        facts = found.known.facts
        event = Event(
            decision=self._audit.new_decision(),
            at=permit.decided_at,
            actor=caller.actor.id,
            outcome=Outcome.PERMITTED,
            action=Action.READ.value,
            purpose=permit.purpose.value,
            subject=permit.subject,
            record=row.record,
            consents=permit.consents,
            digest=row.digest,
            basis=permit.basis.value,
            emergency=b"" if permit.emergency is None else permit.emergency.emergency,
        )

        def release(appended: Appended, anchor: AnchorState) -> Released:
            return Released(
                record=RecordId(row.record),
                version=row.version,
                subject=permit.subject,
                resource_type=facts.resource_type,
                labels=facts.labels,
                recorded_at=moment(facts.recorded_at),
                author=ActorId(facts.author),
                content=content,
                content_salt=None if permit.obligations else facts.content_salt,
                cid=found.known.cid,
                anchor=anchor,
                receipt=self._audit.receipt(
                    event,
                    appended,
                    as_of_block=permit.as_of.block_number,
                    obligations=permit.obligations,
                    stale=not permit.as_of.fresh,
                ),
            )

        return Answer(
            event=event,
            guards=seen.guards,
            receipt=receipt_text(self._deployment, event.decision, permit, found, row),
            release=release,
            leaf=self._opening.leaf(row, found.known),
            octets=len(content),
            permit=permit,
            found=found,
        )

    async def gather_again(self, caller: Caller, entry: Stale | Taken) -> Caller:
        """Drops what was kept of the name that moved; the caller as it stands now."""
        if isinstance(entry, Taken):
            raise ConflictError("the same entry was written already")
        self._grounds.forget(entry.name)
        if entry.name == caller.actor.id or entry.name in caller.organizations:
            return await self._identity.refreshed(caller)
        return caller
