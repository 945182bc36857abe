"""Expected failures as HTTP says them, where no GraphQL does. What is forbidden and what is absent are one answer."""

from collections.abc import Callable
from typing import Any

from gateway.errors import CallerError, ConflictError, ConsentryError, DeniedError, LimitError, UnauthenticatedError
from gateway.ids import to_global
from gateway.web.access import RETRY
from gateway.web.replies import HeaderList

_TOLD = {
    "STALE": "the index is behind the chain; try again shortly",
    "INTEGRITY": "stored data failed verification; nothing of it was released",
    "UNAVAILABLE": "a part of the gateway is not available; try again shortly",
}


Report = Callable[[BaseException, str], None]
"""Tells the operator of a failure, under a correlation id."""


def is_callers(error: ConsentryError) -> bool:
    """Whether the caller, or a decision, is to blame: then there is nothing to tell an operator."""
    return isinstance(error, CallerError | DeniedError)


def failure_of(error: ConsentryError) -> tuple[int, dict[str, Any], HeaderList]:
    """Status, payload and headers. A system's own words stay inside."""
    extensions: dict[str, Any] = {"code": error.code}
    if error.field:
        extensions["field"] = list(error.field)
    headers: HeaderList = []
    match error:
        case UnauthenticatedError():
            status, headers = 401, [(b"www-authenticate", b"Bearer")]
        case DeniedError():
            status = 403
            if error.decision_id is not None:
                extensions["decisionId"] = to_global("Decision", error.decision_id)
        case ConflictError():
            status = 409
        case LimitError():
            status, headers = (413, []) if error.field == ("size",) else (429, RETRY)
        case CallerError():
            status = 400
        case _:
            status, headers = (502, []) if error.code == "INTEGRITY" else (503, RETRY)
    message = error.message if is_callers(error) else _TOLD.get(error.code, _TOLD["UNAVAILABLE"])
    return status, {"errors": [{"message": message, "extensions": extensions}]}, headers
