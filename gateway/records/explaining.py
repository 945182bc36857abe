"""A patient asks who may see what, and what a consent would change: facts are opened, contents are not.

The patient's own alone; all others hear what they would of a patient who does not exist. Each answer has an entry in
the log, and stands on the standing that the entry was written on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent import policy
from gateway.consent.messages import read_consent
from gateway.consent.model import ANYONE, ConsentInput, Effect, Permit, Purpose, Requester
from gateway.consent.names import guards_of, requester
from gateway.consent.service import Consents
from gateway.consent.standing import Standings
from gateway.emergency.grounds import Ground
from gateway.errors import DeniedError, LimitError, StaleError
from gateway.identity.model import Caller
from gateway.identity.service import Identity
from gateway.ids import ActorId, RecordId, SubjectId
from gateway.ports.clock import Clock
from gateway.ports.index import Index
from gateway.ports.ledger import Appended
from gateway.ports.rows import Guard
from gateway.records import outlook
from gateway.records.model import Effected, Explanation, Outlook, Preview, Reach, RecordFilter
from gateway.records.opening import Opening, filter_tokens
from gateway.records.outlook import Ahead
from gateway.records.reading import TRIES, Answer, Reading, Sighted

ACTION: Final = "EXPLAIN"
DECISIONS_CEILING: Final = 100_000
"""Decisions that are made ahead for one answer: some seconds of one core."""
SHOWN: Final = 100
_SCAN: Final = 128
_TURN: Final = 200
"""Decisions between two looks at what else there is to do."""
Found = TypeVar("Found")


class Explaining:
    """See the module."""

    def __init__(
        self,
        *,
        reading: Reading,
        identity: Identity,
        consents: Consents,
        standings: Standings,
        audit: Audit,
        index: Index,
        opening: Opening,
        clock: Clock,
    ) -> None:
        self._reading = reading
        self._identity = identity
        self._consents = consents
        self._standings = standings
        self._audit = audit
        self._index = index
        self._opening = opening
        self._clock = clock

    async def explain(self, caller: Caller, record: RecordId) -> Explanation:
        """Who may do what with the present version. DeniedError for all but its patient, and where there is none."""

        async def steps(caller: Caller) -> tuple[Explanation, Ground]:
            row = await self._index.nearest(record)
            seen = await self._reading.sight(caller, row, record, Purpose.PATRQT)
            if isinstance(seen, Answer):
                await self._audit.append(replace(seen.event, action=ACTION))
                raise DeniedError(seen.event.reason, decision_id=seen.event.decision)
            if seen is None:
                raise AssertionError("an empty filter leaves nothing out")
            ground = await self._own(caller, SubjectId(seen.row.subject), record)
            ahead, facts = _ahead(ground), seen.found.known.decision_facts
            viewers = await self._viewers(outlook.named(ahead))
            permitted = tuple(
                one for grantee, asking in viewers for one in outlook.sights(grantee, asking, facts, ahead)
            )
            barred = tuple(outlook.barred(facts, ahead))
            return Explanation(record=record, permitted=permitted, barred=barred), ground

        return await self._audited(caller, record, steps)

    async def who_can_see(self, caller: Caller, subject: SubjectId, *, filter: RecordFilter) -> Outlook:
        """Who may read how much of the patient's records now. LimitError where that takes too many decisions."""

        async def steps(caller: Caller) -> tuple[Outlook, Ground]:
            ground = await self._own(caller, subject, b"")
            ahead = _ahead(ground)
            seen = await self._seen(caller, subject, ground, filter)
            reaches = []
            for grantee, asking, purpose in await self._asked(outlook.named(ahead), ahead, seen):
                found = [permit for permit in await self._readable(asking, seen, ahead, purpose) if permit is not None]
                if found:
                    reaches.append(
                        Reach(
                            grantee=grantee,
                            purpose=purpose,
                            records=len(found),
                            redacted=sum(bool(permit.obligations) for permit in found),
                            consents=tuple(sorted({permit.consents[0] for permit in found})),
                        )
                    )
            return Outlook(records=len(seen), reaches=tuple(reaches)), ground

        return await self._audited(caller, b"", steps)

    async def preview(self, caller: Caller, consent: ConsentInput) -> Preview:
        """What the consent would change, were it in force now. Refused as its draft is."""

        async def steps(caller: Caller) -> tuple[Preview, Ground]:
            ground = await self._own(caller, consent.subject, b"")
            draft = await self._consents.draft(caller, consent)
            terms = read_consent(draft.typed_data, self._standings.domain)
            before = _ahead(ground)
            after = before.with_draft(terms)
            seen = await self._seen(caller, consent.subject, ground, RecordFilter())
            # A permit opens to whom it names; a deny may close to anybody who is named at all.
            who = {terms.scope.grantee} | (outlook.named(before) if terms.effect is Effect.DENY else set())
            effects, opened, closed = [], set[int](), set[int]()
            for grantee, asking, purpose in await self._asked(who, after, seen, times=2):
                old = await self._readable(asking, seen, before, purpose)
                new = await self._readable(asking, seen, after, purpose)
                opened |= {at for at in range(len(seen)) if old[at] is None and new[at] is not None}
                closed |= {at for at in range(len(seen)) if old[at] is not None and new[at] is None}
                counts = [sum(one is not None for one in each) for each in (old, new)]
                if any(counts):
                    effects.append(Effected(grantee=grantee, purpose=purpose, before=counts[0], after=counts[1]))
            newest = [RecordId(one.row.record) for one in seen]
            return (
                Preview(
                    statement=terms.scope.statement,
                    records=len(seen),
                    effects=tuple(effects),
                    opened=tuple(newest[at] for at in sorted(opened, reverse=True)[:SHOWN]),
                    closed=tuple(newest[at] for at in sorted(closed, reverse=True)[:SHOWN]),
                ),
                ground,
            )

        return await self._audited(caller, b"", steps)

    async def _audited(
        self, caller: Caller, record: bytes, steps: Callable[[Caller], Awaitable[tuple[Found, Ground]]]
    ) -> Found:
        """The answer, once its entry is durable on the very standing that it was given on."""
        for _ in range(TRIES):
            found, ground = await steps(caller)
            if ground.standing is None:
                raise AssertionError("the patient's own has a standing")
            epochs = ground.standing.epochs
            event = self._event(caller, epochs.subject, record, Outcome.PERMITTED, "")
            guards = (*guards_of(caller), Guard(name=epochs.subject, version=epochs.version))
            appended = await self._audit.append(event, guards=guards)
            if isinstance(appended, Appended):
                return found
            caller = await self._reading.gather_again(caller, appended)
        raise StaleError("the patient's records and consents keep changing; try again")

    async def _own(self, caller: Caller, subject: SubjectId, record: bytes) -> Ground:
        """What the patient's own records are decided on. DeniedError for all others, and where there is no patient."""
        ground = await self._reading.ground(caller, subject, record, Purpose.PATRQT)
        standing = ground.standing
        if standing is None or not policy.owns(requester(caller), standing.epochs):
            owner = None if standing is None else standing.subject.id
            event = self._event(caller, owner, record, Outcome.DENIED, "not the caller's own subject")
            await self._audit.append(event)
            raise DeniedError(event.reason, decision_id=event.decision)
        await self._reading.require_current(caller, record, Purpose.PATRQT, ground)
        return ground

    def _event(self, caller: Caller, subject: bytes | None, record: bytes, outcome: Outcome, reason: str) -> Event:
        return Event(
            decision=self._audit.new_decision(),
            at=self._clock.now(),
            actor=caller.actor.id,
            outcome=outcome,
            action=ACTION,
            purpose=Purpose.PATRQT.value,
            subject=subject,
            record=record,
            reason=reason,
            basis="own" if outcome is Outcome.PERMITTED else "",
        )

    async def _seen(self, caller: Caller, subject: SubjectId, ground: Ground, filter: RecordFilter) -> list[Sighted]:
        """The patient's records that the filter asks for, in the order of their first versions, contents unopened."""
        key = await self._opening.subject_key(subject)
        if key is None:
            return []
        found: list[Sighted] = []
        after, more, tokens = 0, True, filter_tokens(await self._opening.keys_of_all(subject), filter)
        while more:
            rows = await self._index.page(subject, after=after, limit=_SCAN, tokens=tokens)
            more = len(rows) == _SCAN
            for row in rows:
                after = row.seq
                one = await self._reading.sight(
                    caller, row, RecordId(row.record), Purpose.PATRQT, wanted=filter, ground=ground
                )
                if isinstance(one, Sighted):
                    found.append(one)
            if len(found) > DECISIONS_CEILING:
                raise _too_many()
            await asyncio.sleep(0)
        return found

    async def _viewers(self, names: Iterable[ActorId]) -> list[tuple[ActorId, Requester]]:
        """Those of them that are actors still, by their present roles and organizations."""
        found = []
        for name in sorted(names):
            if name == ANYONE:
                found.append((name, outlook.viewer(None)))
                continue
            actor = await self._identity.actor(name)
            if actor is not None:
                organizations = [one.id for one in await self._identity.organizations(name)]
                found.append((name, outlook.viewer(actor, organizations)))
        return found

    async def _asked(
        self, names: Iterable[ActorId], ahead: Ahead, seen: Sequence[Sighted], *, times: int = 1
    ) -> list[tuple[ActorId, Requester, Purpose]]:
        """Every question to ask of every record. Raises LimitError where they are too many."""
        asked = [
            (name, asking, purpose)
            for name, asking in await self._viewers(names)
            for purpose in outlook.purposes_for(asking, ahead)
        ]
        if len(asked) * len(seen) * times > DECISIONS_CEILING:
            raise _too_many()
        return asked

    async def _readable(
        self, asking: Requester, seen: Sequence[Sighted], ahead: Ahead, purpose: Purpose
    ) -> list[Permit | None]:
        found: list[Permit | None] = []
        for start in range(0, len(seen), _TURN):
            facts = [one.found.known.decision_facts for one in seen[start : start + _TURN]]
            found += outlook.readable(asking, facts, ahead, purpose=purpose)
            await asyncio.sleep(0)
        return found


def _ahead(ground: Ground) -> Ahead:
    if ground.standing is None:
        raise AssertionError("the patient's own has a standing")
    standing = ground.standing
    return Ahead(grants=standing.grants, epochs=standing.epochs, as_of=ground.as_of, now=ground.now)


def _too_many() -> LimitError:
    return LimitError("too many records and consents for one answer: name types, a code or dates", field=("filter",))
