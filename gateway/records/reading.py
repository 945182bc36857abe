"""The read corridor: locate, verify, open facts, decide, open content, redact, audit; and only then release.

The ledger compares a decision's guards inside the transaction that makes its audit entry durable: what moved in
between is gathered and decided again, so a revocation that has returned is never outrun.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gateway import jsontext
from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event, moment
from gateway.consent import policy
from gateway.consent.model import AccessRequest, Action, Basis, Deny, Permit, Purpose
from gateway.consent.names import requester
from gateway.consent.standing import Standing, Standings
from gateway.emergency.grounds import Ground, Grounds, guards
from gateway.errors import ConflictError, DeniedError, IntegrityError, LimitError, StaleError, UpstreamError
from gateway.identity.model import Caller
from gateway.identity.service import Identity
from gateway.ids import ActorId, RecordId, SubjectId
from gateway.ports.anchors import Anchors, AnchorState
from gateway.ports.chain import ChainFacts
from gateway.ports.clock import Clock
from gateway.ports.index import Index
from gateway.ports.ledger import Appended, Stale, Taken
from gateway.ports.rows import Guard, RecordRow
from gateway.records.model import RecordFilter, RecordPage, Released
from gateway.records.opening import Found, Opening, filter_tokens, in_period, met_by
from gateway.records.receipt import receipt_text

TRIES = 8
"""How often a decision is made again when its guards moved, before the answer is STALE."""
PAGE_CEILING = 100
PAGE_OCTETS = 32 * 1024 * 1024
"""Content past this ends a page early: a hundred records of the largest kind would not fit into memory."""
_SCAN = 128
"""Rows looked at in one go."""
_CURSOR = b"records"
_ALL = RecordFilter()
_NOTHING = RecordPage(items=(), cursors=(), has_next=False, end_cursor=None)


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


class Reading:
    """Reads and pages go through `_answer`, and through nothing else; each item of a subscription is a read."""

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

    async def read(self, caller: Caller, record: RecordId, *, purpose: Purpose) -> Released:
        """The present version. DeniedError for all that is refused, and for what does not exist."""
        for _ in range(TRIES):
            answer = await self.consider(caller, record, purpose=purpose)
            appended = await self._audit.append(answer.event, guards=answer.guards, receipt=answer.receipt)
            if isinstance(appended, Appended):
                return await self.released(answer, appended)
            caller = await self.gather_again(caller, appended)
        raise StaleError("the patient's records and consents keep changing; try again")

    async def consider(self, caller: Caller, record: RecordId, *, purpose: Purpose) -> Answer:
        """The decision on the present version, of which nothing is acknowledged: whoever asks has it audited, or lets
        go on what was acknowledged before."""
        answer = await self._answer(caller, await self._index.nearest(record), record, purpose)
        if answer is None:
            raise AssertionError("an empty filter leaves nothing out")
        return answer

    async def released(self, answer: Answer, appended: Appended) -> Released:
        """What an answer releases, once its entry is durable."""
        if answer.release is None:
            raise DeniedError(answer.event.reason, decision_id=answer.event.decision)
        (state,) = await self._anchors.states((answer.leaf,))
        return answer.release(appended, state)

    async def page(
        self,
        caller: Caller,
        subject: SubjectId,
        *,
        purpose: Purpose,
        filter: RecordFilter,
        first: int,
        after: str | None,
    ) -> RecordPage:
        """Records that the caller may read, in the order of their first versions. What is refused is skipped."""
        if not 1 <= first <= PAGE_CEILING:
            raise LimitError(f"first must be 1 to {PAGE_CEILING}", field=("first",))
        for _ in range(TRIES):
            found = await self._page(caller, subject, purpose=purpose, filter=filter, first=first, after=after)
            if isinstance(found, RecordPage):
                return found
            caller = await self.gather_again(caller, found)
        raise StaleError("the patient's records and consents keep changing; try again")

    async def _page(
        self,
        caller: Caller,
        subject: SubjectId,
        *,
        purpose: Purpose,
        filter: RecordFilter,
        first: int,
        after: str | None,
    ) -> RecordPage | Stale | Taken:
        """All of a page stands on one standing: where a guard moved under any entry, nothing of it is told."""
        ground = await self._ground(caller, subject, b"", purpose)
        standing = ground.standing
        if standing is None or not ground.concerns(requester(caller)):
            refusal = self._refusal(caller, b"", purpose, standing, "no consent names the caller")
            await self._audit.append(refusal.event)
            return _NOTHING
        await self._require_current(caller, b"", purpose, ground)
        key = await self._opening.subject_key(subject)
        if key is None:  # nothing was ever written
            await self._note_page(caller, purpose, ground, 0)
            return _NOTHING
        context = _CURSOR + subject
        position = 0 if after is None else key.reveal(after, context=context)
        permitted, hidden = await self._permitted(
            caller,
            subject,
            purpose=purpose,
            ground=ground,
            filter=filter,
            first=first,
            position=position,
            tokens=filter_tokens(key, filter),
        )
        full = len(permitted) > 1 and sum(answer.octets for _, answer in permitted) > PAGE_OCTETS
        shown = permitted[:-1] if full else permitted[:first]
        if hidden or not shown:
            await self._note_page(caller, purpose, ground, hidden)
        items = await self._release_answers([answer for _, answer in shown])
        if isinstance(items, Stale | Taken):
            return items
        cursors = key.hide_each([seq for seq, _ in shown], context=context)
        return RecordPage(
            items=tuple(items),
            cursors=cursors,
            has_next=len(permitted) > len(shown),
            end_cursor=cursors[-1] if cursors else None,
        )

    async def _permitted(
        self,
        caller: Caller,
        subject: SubjectId,
        *,
        purpose: Purpose,
        ground: Ground,
        filter: RecordFilter,
        first: int,
        position: int,
        tokens: tuple[tuple[bytes, ...], ...],
    ) -> tuple[list[tuple[int, Answer]], int]:
        """Up to one more than asked for, so that what follows is told by what may be read, not by what exists; and how
        many were refused on the way."""
        permitted: list[tuple[int, Answer]] = []
        hidden, octets, more = 0, 0, True
        while more:
            rows = await self._index.page(subject, after=position, limit=_SCAN, tokens=tokens)
            more = len(rows) == _SCAN
            for row in rows:
                position = row.seq
                answer = await self._answer(caller, row, RecordId(row.record), purpose, wanted=filter, ground=ground)
                if answer is None:
                    continue
                if answer.release is None:
                    hidden += 1
                    continue
                permitted.append((row.seq, answer))
                octets += answer.octets
                if len(permitted) > first or (octets > PAGE_OCTETS and len(permitted) > 1):
                    return permitted, hidden
            await asyncio.sleep(0)
        return permitted, hidden

    async def _note_page(self, caller: Caller, purpose: Purpose, ground: Ground, hidden: int) -> None:
        """One entry for what a page left out, or for a page of nothing."""
        refusal = self._refusal(caller, b"", purpose, ground.standing, f"{hidden} of a page not covered")
        event = refusal.event if hidden else replace(refusal.event, outcome=Outcome.PERMITTED, reason="nothing found")
        if ground.emergency is not None:
            event = replace(event, basis=Basis.EMERGENCY.value, emergency=ground.emergency.emergency)
        await self._audit.append(event)

    async def _ground(self, caller: Caller, subject: SubjectId | None, record: bytes, purpose: Purpose) -> Ground:
        """What is decided on. What was tampered with is in the patient's log, too; the error then says so."""
        try:
            return await self._grounds.of(caller, subject, purpose)
        except IntegrityError:
            standing = None if subject is None else await self._standings.known(subject)
            await self._audit.append(self._refusal(caller, record, purpose, standing, "verification failed").event)
            raise

    async def _require_current(self, caller: Caller, record: bytes, purpose: Purpose, ground: Ground) -> None:
        """As Ground.require_current, and the refusal stands in the patient's log: an index that differs from the chain
        may have been tampered with."""
        try:
            ground.require_current()
        except StaleError:
            refusal = self._refusal(caller, record, purpose, ground.standing, "the index is not proven")
            await self._audit.append(refusal.event)
            raise

    async def _release_answers(self, answers: Sequence[Answer]) -> list[Released] | Stale | Taken:
        """Audited together, released in order; or what stood in the way of one, and then none is released."""
        # One await for all: the ledger commits what arrives together in one transaction.
        entries = await asyncio.gather(
            *(self._audit.append(answer.event, guards=answer.guards, receipt=answer.receipt) for answer in answers)
        )
        states = await self._anchors.states([answer.leaf for answer in answers])
        released: list[Released] = []
        for answer, entry, state in zip(answers, entries, states, strict=True):
            if not isinstance(entry, Appended):
                return entry
            if answer.release is not None:
                released.append(answer.release(entry, state))
        return released

    async def _answer(
        self,
        caller: Caller,
        row: RecordRow | None,
        record: RecordId,
        purpose: Purpose,
        *,
        wanted: RecordFilter = _ALL,
        ground: Ground | None = None,
    ) -> Answer | None:
        """Steps 1 to 5 of a read; None where the filter does not ask for it. Nothing of it is released before the
        ledger has acknowledged the entry."""
        asking = requester(caller)
        # 1. What is absent, and what no consent could open, is refused; each for the same work as the other, and as
        #    what is there and not covered: `row` is then another record's.
        subject = None if row is None else SubjectId(row.subject)
        if ground is None or ground.emergency is None:
            ground = await self._ground(caller, subject, record, purpose)
        standing = ground.standing
        concerns = ground.concerns(asking)
        if row is None or subject is None or standing is None or row.record != record or not concerns:
            await self._opening.glance(row)
            if row is None or standing is None or row.record != record:
                return self._refusal(caller, record, purpose, None, "no such record", like=subject)
            return self._refusal(caller, record, purpose, standing, "no consent names the caller")
        await self._require_current(caller, record, purpose, ground)
        # 2. Bytes against their CID, facts under the facts key. The index row was a hint.
        now = self._clock.now()
        request = AccessRequest(requester=asking, subject=subject, record=record, action=Action.READ, purpose=purpose)
        try:
            found = await self._opening.find(row)
        except (IntegrityError, UpstreamError) as error:
            refusal = self._refusal(caller, record, purpose, standing, "verification failed")
            if not policy.reaches(request, standing.grants, standing.epochs, ground.as_of, now, ground.emergency):
                return refusal
            if isinstance(error, IntegrityError):
                # What was tampered with is in the patient's log, too; the error then says so to the caller.
                await self._audit.append(refusal.event)
            raise
        if not in_period(found.known.facts.period, wanted):
            return None
        # 3. The decision, on verified facts.
        decided = policy.decide(
            request,
            found.known.decision_facts,
            standing.grants,
            standing.epochs,
            ground.as_of,
            now,
            ground.emergency,
        )
        if isinstance(decided, Deny):
            return self._refusal(caller, record, purpose, standing, decided.reason)
        # 4. The permit opens the key; 5. obligations are applied.
        content = self._opening.content(decided, found, now=now)
        if decided.obligations and not met_by(content, wanted):
            return None  # what is hidden answers no question either
        return self._release(caller, decided, found, content, row)

    def _refusal(
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

    def _release(self, caller: Caller, permit: Permit, found: Found, content: bytes, row: RecordRow) -> Answer:
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
            guards=guards(caller, permit.subject, version=permit.version, emergency=permit.emergency),
            receipt=receipt_text(self._deployment, event.decision, permit, found, row),
            release=release,
            leaf=found.known.leaf,
            octets=len(content),
            permit=permit,
            found=found,
        )

    async def gather_again(self, caller: Caller, entry: Stale | Taken) -> Caller:
        """Drops what was kept of the name that moved; the caller as it stands now."""
        if isinstance(entry, Taken):
            raise ConflictError("the same entry was written already")
        self._standings.forget(entry.name)
        if entry.name == caller.actor.id or entry.name in caller.organizations:
            return await self._identity.refreshed(caller)
        return caller
