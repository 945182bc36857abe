"""Numbers without a data set: counts, sums, means and histograms of consented patients, noised and paid for.

True here: who is counted is decided as for a release, patient by patient, and stands in their log. An answer is durable
with the debit that pays for it before it is told; the same question on the same consents is told the same, and costs
nothing more. No count from 1 to 10 is told.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import msgspec

from gateway import jsontext
from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent import policy
from gateway.consent.names import guards_of
from gateway.deid.elements import refuse_unknown
from gateway.errors import DeniedError, LimitError, StaleError
from gateway.identity.model import Caller
from gateway.identity.service import Identity
from gateway.ids import ActorId, ReleaseId, SubjectId
from gateway.jsontext import JsonValue
from gateway.ports.clock import Clock
from gateway.ports.index import Index
from gateway.ports.ledger import Appended, Stale, Taken
from gateway.ports.releases import AnswerRow
from gateway.ports.sealing import SealingKeys
from gateway.releases.aggregate import (
    AggregateRequest,
    Count,
    Mean,
    Sum,
    bin_of,
    parse_aggregate,
    told,
)
from gateway.releases.budgets import Budgets
from gateway.releases.gathering import Gathering, Undertaking
from gateway.underway import aside

ACTION: Final = "AGGREGATE"
TRIES: Final = 5
AT_ONCE: Final = 64
LOOKED_AT_ONCE: Final = 500
MOST_AT_ONCE: Final = 4
"""Questions that are answered at a time."""
_ANSWER: Final = b"aggregate/answer"


class Noise(Protocol):
    """Draws it. `epsilon`: millionths."""

    def noised_count(self, count: int, *, epsilon: int) -> int: ...

    def noised_histogram(self, counts: Sequence[int], *, epsilon: int) -> tuple[int, ...]: ...

    def noised_sum(self, values: Sequence[float | None], *, low: float, high: float, epsilon: int) -> float: ...

    def noised_mean(self, values: Sequence[float | None], *, low: float, high: float, epsilon: int) -> float | None: ...


class NoisedAnswer(msgspec.Struct, frozen=True, array_like=True):
    """`value`: of a count, sum or mean, None for a sum or mean of too few; `counts`: of a histogram, bin by bin."""

    value: float | None
    counts: tuple[int, ...] | None
    epsilon: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldAnswer:
    """`epsilon`: millionths that it cost, when it was told first; `left`: of the budget that has least."""

    answer: NoisedAnswer
    left: int


_encode = msgspec.msgpack.Encoder().encode
_answer = msgspec.msgpack.Decoder(NoisedAnswer).decode


class Aggregates:
    """See the module."""

    def __init__(
        self,
        *,
        identity: Identity,
        audit: Audit,
        index: Index,
        keys: SealingKeys,
        gathering: Gathering,
        budgets: Budgets,
        noise: Noise,
        clock: Clock,
    ) -> None:
        self._identity = identity
        self._audit = audit
        self._index = index
        self._keys = keys
        self._gathering = gathering
        self._budgets = budgets
        self._noise = noise
        self._clock = clock
        self._asking: set[ActorId] = set()

    async def ask(self, caller: Caller, asked: JsonValue) -> ToldAnswer:
        """CallerError naming the member, DeniedError, LimitError where the budget is spent, StaleError."""
        request = parse_aggregate(asked)
        if not isinstance(request.measure, Count):
            refuse_unknown(request.measure.view, field=("aggregate", "measure", "view"))
        if caller.actor.id in self._asking or len(self._asking) >= MOST_AT_ONCE:
            raise LimitError("one question at a time, and few of all: everybody's consents are looked at for each")
        self._asking.add(caller.actor.id)
        try:
            return await self._ask(caller, request)
        finally:
            self._asking.discard(caller.actor.id)

    async def _ask(self, caller: Caller, request: AggregateRequest) -> ToldAnswer:
        async with aside():
            for _ in range(TRIES):
                if not policy.may_claim(caller.actor.roles, request.purpose):
                    raise await self._refused(caller, "not a purpose of the caller's roles")
                found = await self._asked(caller, request)
                if found is not None:
                    return found
                caller = await self._identity.refreshed(caller)
        raise StaleError("consents keep changing while they are counted; try again")

    async def _asked(self, caller: Caller, request: AggregateRequest) -> ToldAnswer | None:
        """None where something moved meanwhile."""
        undertaking = Undertaking(
            action=ACTION,
            release=ReleaseId(b""),
            request=request,
            keys=None,
            today=datetime.fromtimestamp(self._clock.now(), UTC).date(),
        )
        purse = await self._budgets.purse(group=_group_of(caller), dataset=_dataset_of(request), amount=request.epsilon)
        # 1. On which consents: the same question on the same ones was paid for.
        key, versions = await self._key(caller, undertaking, request)
        stored = await self._index.answer(key)
        if stored is not None:
            return await self._told(caller, stored, purse.left())
        if request.epsilon > purse.left():
            raise await self._spent(caller)
        # 2. The values of whom decisions let in; each patient's entry is durable before they are counted.
        values = await self._values(caller, undertaking)
        if await self._versions() != versions:
            return None
        # 3. Noise; then COMMIT POINT: the answer and its price are durable together, before it is told.
        answer = self._noised(request, values)
        rows, call = self._budgets.rows(purse, request.epsilon, ref=self._budgets.ref(key))
        row = AnswerRow(key=key, call=call.call, sealed=self._keys.seal_public(_encode(answer)))
        entry = await self._audit.append(
            self._event(caller, Outcome.PERMITTED, request), guards=guards_of(caller), rows=(*rows, row, call)
        )
        if isinstance(entry, Taken) and entry.table == "budgets":
            raise await self._spent(caller)
        if isinstance(entry, Appended):
            return await self._told(caller, row, purse.left() - request.epsilon, noted=True)
        return None

    async def _told(self, caller: Caller, row: AnswerRow, left: int, *, noted: bool = False) -> ToldAnswer:
        if not noted:
            entry = await self._audit.append(self._event(caller, Outcome.PERMITTED), guards=guards_of(caller))
            if isinstance(entry, Stale | Taken):
                raise StaleError("the caller's standing changed meanwhile; try again")
        await self._budgets.landed(row.call)
        return ToldAnswer(answer=_answer(self._keys.open_public(row.sealed)), left=left)

    async def _key(
        self, caller: Caller, undertaking: Undertaking, request: AggregateRequest
    ) -> tuple[bytes, dict[bytes, int]]:
        """A keyed name of the question and of every consent to this use, whatever the cohort: whether an answer costs
        anything must not tell who is in one. With it everybody's version, read before their consents were."""
        digest = hashlib.sha256(request.digest)
        versions = await self._versions()
        for subject in versions:
            consents = await self._gathering.consents_of(caller, undertaking, SubjectId(subject))
            if consents:
                digest.update(subject + len(consents).to_bytes(4, "big") + b"".join(consents))
        named = digest.digest() + _group_of(caller)
        return self._keys.mark(_ANSWER, named) + self._keys.mark(_ANSWER, named, b"2"), versions

    async def _versions(self) -> dict[bytes, int]:
        """Of everybody, in the order of their names: a consent that is given or taken moves it."""
        versions: dict[bytes, int] = {}
        after = b""
        while subjects := await self._index.subjects(after=after, limit=LOOKED_AT_ONCE):
            found = await self._index.versions_of(subjects)
            versions |= {subject: found[subject] for subject in subjects}
            after = subjects[-1]
        return versions

    async def _values(self, caller: Caller, undertaking: Undertaking) -> list[Any]:
        values: list[Any] = []
        after = b""
        while subjects := await self._index.subjects(after=after, limit=AT_ONCE):
            found = await self._gathering.gather(caller, undertaking, [SubjectId(one) for one in subjects])
            values += [person.rows[0][0][0] for person in found.people]
            after = subjects[-1]
        return values

    def _noised(self, request: AggregateRequest, values: Sequence[Any]) -> NoisedAnswer:
        measure, epsilon = request.measure, request.epsilon
        match measure:
            case Count():
                return NoisedAnswer(float(told(self._noise.noised_count(len(values), epsilon=epsilon))), None, epsilon)
            case Sum():
                # Half for how many have a value: a sum of few would be a count of few.
                half = epsilon // 2
                have = sum(value is not None for value in values)
                enough = told(self._noise.noised_count(have, epsilon=half)) > 0
                value = self._noise.noised_sum(values, low=measure.low, high=measure.high, epsilon=epsilon - half)
                return NoisedAnswer(value if enough else None, None, epsilon)
            case Mean():
                mean = self._noise.noised_mean(values, low=measure.low, high=measure.high, epsilon=epsilon)
                return NoisedAnswer(mean, None, epsilon)
            case _:
                counts = [0] * measure.size
                for value in values:
                    if value is not None:
                        counts[bin_of(measure, value)] += 1
                noised = self._noise.noised_histogram(counts, epsilon=epsilon)
                return NoisedAnswer(None, tuple(map(told, noised)), epsilon)

    def _event(
        self, caller: Caller, outcome: Outcome, request: AggregateRequest | None = None, reason: str = ""
    ) -> Event:
        return Event(
            decision=self._audit.new_decision(),
            at=self._clock.now(),
            actor=caller.actor.id,
            outcome=outcome,
            action=ACTION,
            purpose="" if request is None else request.purpose.value,
            digest=b"" if request is None else request.digest,
            reason=reason,
        )

    async def _refused(self, caller: Caller, reason: str) -> DeniedError:
        event = self._event(caller, Outcome.DENIED, reason=reason)
        await self._audit.append(event)
        return DeniedError(reason, decision_id=event.decision)

    async def _spent(self, caller: Caller) -> LimitError:
        await self._audit.append(self._event(caller, Outcome.DENIED, reason="the privacy budget is spent"))
        return LimitError("the privacy budget is spent: nothing more is told of this")


def _group_of(caller: Caller) -> ActorId:
    """Whose account is debited: the organization of who asks, or they themselves."""
    return min(caller.organizations, default=caller.actor.id)


def _dataset_of(request: AggregateRequest) -> bytes:
    """The same for the same cohort and use, whatever is asked of it."""
    cohort = request.cohort
    named: Any = {
        "purpose": request.purpose.value,
        "dataUse": sorted(request.data_use),
        "conditions": sorted(cohort.conditions),
        "codes": sorted(cohort.codes),
        "sexes": sorted(cohort.sexes),
        "ages": list(cohort.ages or ()),
        "dates": list(cohort.dates or ()),
    }
    return hashlib.sha256(jsontext.canonical(named)).digest()
