"""The in-memory world's noised numbers: the clinician may ask, and the patient as if they did research. Each call is in
its log; what is asked is parsed as the service does."""

from dataclasses import dataclass
from typing import Any, Final

from gateway.errors import DeniedError, LimitError
from gateway.identity.model import Caller
from gateway.ids import ActorId
from gateway.releases.aggregate import Count, Mean, Sum, parse_aggregate
from gateway.releases.aggregates import NoisedAnswer, ToldAnswer

LEFT: Final = 1_900_000
QUESTION: Final[dict[str, Any]] = {
    "purpose": "HRESCH",
    "dataUse": ["DUO:0000042"],
    "measure": {"kind": "count"},
    "epsilon": 0.1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregates:
    """Behind `Services.aggregates`. A mean is of too few; whatever costs all of an epsilon has spent the budget."""

    calls: list[tuple[str, Caller | None]]
    received: list[Any]
    researchers: tuple[ActorId, ...]

    async def ask(self, caller: Caller, asked: Any, /) -> ToldAnswer:
        self.calls.append(("ask_aggregate", caller))
        self.received.append(asked)
        if caller.actor.id not in self.researchers:
            raise DeniedError("not a purpose of the caller's roles")
        request = parse_aggregate(asked)
        if request.epsilon == 1_000_000:
            raise LimitError("the privacy budget is spent: nothing more is told of this")
        match request.measure:
            case Count():
                answer = NoisedAnswer(24.0, None, request.epsilon)
            case Sum():
                answer = NoisedAnswer(-1234.5, None, request.epsilon)
            case Mean():
                answer = NoisedAnswer(None, None, request.epsilon)
            case _:
                answer = NoisedAnswer(None, (13, 0, 11), request.epsilon)
        return ToldAnswer(answer=answer, left=LEFT)
