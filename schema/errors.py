"""What a client sees of a failure: a typed Refusal where the schema has one, else an error that says nothing inside.

True here: no text of an exception that we did not write for clients leaves, and none is logged; the log has the type's
name and the frames. Not done here: deciding which of the two a field answers with (schema.gates).
"""

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import strawberry
import structlog
from graphql import GraphQLError

from gateway.errors import CallerError, ConsentryError, DeniedError, frames_of
from gateway.ids import to_global

MESSAGE_CHARACTERS = 500
"""Messages of syntax and validation quote the document: no more of it than this goes back."""
TYPES_OF_SYSTEM = {
    "STALE": "the index is behind the chain; try again shortly",
    "INTEGRITY": "stored data failed verification; nothing of it was released",
    "UNAVAILABLE": "a part of the gateway is not available; try again shortly",
}
INTERNAL = "internal error"

CORRELATION: ContextVar[str] = ContextVar("correlation", default="none")
"""Of the operation that this task executes."""

_log = structlog.get_logger("schema")


@strawberry.enum
class RefusalCode(StrEnum):
    UNAUTHENTICATED = "UNAUTHENTICATED"
    NOT_PERMITTED = "NOT_PERMITTED"
    INVALID = "INVALID"
    CONFLICT = "CONFLICT"
    STALE = "STALE"
    INTEGRITY = "INTEGRITY"
    UNAVAILABLE = "UNAVAILABLE"
    LIMIT = "LIMIT"


@strawberry.type(description="NOT_PERMITTED answers alike for what is forbidden and what does not exist.")
class Refusal:
    code: RefusalCode
    message: str
    field: list[str] | None = None
    decision_id: strawberry.ID | None = None
    correlation_id: str | None = strawberry.field(
        default=None, description="Where a part of the gateway failed: what the operator's log calls this."
    )


def refuse(error: ConsentryError) -> Refusal:
    """An expected failure as a member of a result. A system's own words stay inside: they may name hosts or paths."""
    blamed_on_caller = isinstance(error, CallerError | DeniedError)
    decision = error.decision_id if isinstance(error, DeniedError) else None
    if not blamed_on_caller:
        report(error, correlation_id=CORRELATION.get())  # the caller is told its kind; the operator needs its place
    return Refusal(
        code=RefusalCode(error.code),
        message=error.message if blamed_on_caller else TYPES_OF_SYSTEM.get(error.code, INTERNAL),
        field=list(error.field) or None,
        decision_id=strawberry.ID(to_global("Decision", decision)) if decision is not None else None,
        correlation_id=None if blamed_on_caller else CORRELATION.get(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A request error: found before anything was executed. `code` is a RefusalCode."""

    code: str
    message: str

    def public(self) -> dict[str, Any]:
        return {"message": self.message[:MESSAGE_CHARACTERS], "extensions": {"code": self.code}}


class LimitFault(Exception):
    """The document or its variables pass a published limit."""


def public_error(error: GraphQLError, *, correlation_id: str) -> dict[str, Any]:
    """A GraphQL error as it goes out (GraphQL spec 7.1.2). What we did not expect is masked and logged."""
    cause = origin(error)
    if cause is None and error.path is not None and not error.message.startswith("Argument "):
        # While completing a value GraphQL quotes it: a leaf that we filled wrongly may be a patient's.
        cause = error
    shown: dict[str, Any] = {}
    if cause is None:
        shown["message"] = error.message[:MESSAGE_CHARACTERS]
        shown["extensions"] = {**(error.extensions or {}), "code": "INVALID"}
    elif isinstance(cause, CallerError | DeniedError):
        shown["message"] = cause.message[:MESSAGE_CHARACTERS]
        shown["extensions"] = {"code": cause.code, **({"field": list(cause.field)} if cause.field else {})}
    elif isinstance(cause, ConsentryError):
        report(cause, correlation_id=correlation_id)
        shown["message"] = TYPES_OF_SYSTEM.get(cause.code, INTERNAL)
        shown["extensions"] = {"code": cause.code, "correlationId": correlation_id}
    else:
        report(cause, correlation_id=correlation_id)
        shown["message"] = INTERNAL
        shown["extensions"] = {"code": "UNAVAILABLE", "correlationId": correlation_id}
    if error.locations:
        shown["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    if error.path:
        shown["path"] = list(error.path)
    return shown


def origin(error: GraphQLError) -> BaseException | None:
    """The exception under the wrappers; None where GraphQL itself speaks (syntax, validation, coercion)."""
    cause: BaseException | None = error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause


def report(cause: BaseException, *, correlation_id: str) -> None:
    """Type names and frames only: an exception's message may quote a resource, and a query may hold one."""
    below = cause.__cause__ or cause.__context__
    foreseen = isinstance(cause, ConsentryError)
    (_log.warning if foreseen else _log.error)(
        "a part failed" if foreseen else "unexpected failure",
        correlation_id=correlation_id,
        type=type(cause).__name__,
        cause=type(below).__name__ if below is not None else None,
        frames=frames_of(cause),
    )


def report_all(errors: Iterable[GraphQLError], *, correlation_id: str) -> None:
    for error in errors:
        cause = origin(error)
        if cause is not None and not isinstance(cause, CallerError | DeniedError):
            report(cause, correlation_id=correlation_id)
