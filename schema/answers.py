"""What goes out: data and public errors, never larger than the published bound.

True here: an answer that would be too large is refused before it is written, so that one field under many names does
not multiply what was opened once; an answer of few fields cannot be, by what was opened for it, and is not measured.
Not done here: executing, and writing.
"""

from dataclasses import dataclass
from typing import Any

from graphql import ExecutionResult

from gateway import jsontext
from gateway.underway import MIB, Allowance
from schema.documents import RefusedRequest
from schema.errors import public_error
from schema.limits import Survey

MOST_ERRORS = 100
"""Of one answer: what failed in more places is told of these."""
OTHER_OCTETS = 2 * MIB
"""A field that shows nothing of a record comes to less: the longest are the statement of a consent that names all that
it may, and the text of a form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`payload`: `data` (where something was executed) and `errors`, ready to be written as JSON."""

    payload: dict[str, Any]
    executed: bool
    well_formed: bool = True
    """False where the request names no operation that can run here."""
    needs_post: bool = False
    """True where GET asked for what only POST may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What an answer's size is judged by. `most`: octets; `followed`: those that references came to."""

    most: int
    allowance: Allowance
    survey: Survey
    followed: int = 0

    def is_passed_by(self, data: Any) -> bool:
        """Whether the JSON of it has more octets."""
        # Each field shows a part of a record once at most, whatever lists it is in.
        opened = (self.allowance.octets + self.followed) * self.survey.fields
        if opened + self.survey.cost * OTHER_OCTETS <= self.most:
            return False
        return octets_of(data, self.most) > self.most


def to_answer(result: ExecutionResult, *, correlation_id: str, bound: Bound | None = None) -> Answer:
    """A result without data whose errors have no path comes from coercing variables: nothing was executed."""
    if bound is not None and bound.is_passed_by(result.data):
        error = {"message": f"an answer has at most {bound.most // MIB} MiB", "extensions": {"code": "LIMIT"}}
        return Answer(payload={"data": None, "errors": [error]}, executed=True)
    if not result.errors:
        return Answer(payload={"data": result.data}, executed=True)
    errors = [public_error(error, correlation_id=correlation_id) for error in result.errors[:MOST_ERRORS]]
    if result.data is None and all(error.path is None for error in result.errors):
        return Answer(payload={"errors": errors}, executed=False)
    return Answer(payload={"data": result.data, "errors": errors}, executed=True)


def octets_of(data: Any, most: int) -> int:
    """Of its JSON text, about (names once each, without their escapes); counted no further than past `most`."""
    octets, waiting = 0, [data]
    while waiting and octets <= most:
        value = waiting.pop()
        if type(value) is dict:
            octets += 2 + sum(map(len, value)) + 4 * len(value)
            waiting += value.values()
        elif type(value) is list:
            octets += 2 + len(value)
            waiting += value
        elif type(value) is str and len(value) < OTHER_OCTETS and value.isascii():
            octets += len(value) + 2
        else:
            octets += len(jsontext.dumps(value))
    return octets


def refusal(refused: RefusedRequest) -> Answer:
    return Answer(payload={"errors": refused.errors}, executed=False, well_formed=refused.well_formed)


def timed_out(correlation_id: str) -> Answer:
    error = {
        "message": "the request took too long",
        "extensions": {"code": "UNAVAILABLE", "correlationId": correlation_id},
    }
    return Answer(payload={"data": None, "errors": [error]}, executed=True)
