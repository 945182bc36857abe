"""Workers: processes beside the gateway, or on other machines, that do the heavy part of a dataset build.

True here: a task is octets in and octets out, and doing it twice does no harm, so whoever loses a worker gives its task
to another. What a task holds (keys, rows) is in no name, no log line and no error's text. What the work raises of the
product's own tree comes back as it was; of all else come back the kind and the place.
Not done here: what is in a task, who made it, how long it may take; a caller that gives up leaves it to be dropped.
"""

from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from gateway import errors
from gateway.errors import ConsentryError, DeniedError, UpstreamError, frames_of

Work = Callable[[bytes], bytes]
"""A function of a module, which workers find by its name. It waits for nothing and keeps nothing."""
TRIES: Final = 3
"""Workers that may die of one task."""
_DONE, _FAILED = b"\x00", b"\x01"
_KINDS: Final = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, ConsentryError)
}


class Workers(Protocol):
    """In processes of this machine by default; a Dask cluster where there is one."""

    @property
    def size(self) -> int:
        """Tasks that are worth having under way at once; may change as workers come and go."""
        ...

    async def run(self, task: bytes) -> bytes:
        """The result. A worker that dies costs time: the task is given to another, a few times. UpstreamError when all
        of them died, when none is to be had, or where the work fails by a fault of its own; else what it raises."""
        ...

    async def close(self) -> None:
        """Tasks under way fail with UpstreamError, and so do later ones."""
        ...


class _Failure(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    kind: str
    message: str
    field: tuple[str, ...] = ()
    decision_id: bytes | None = None


_failure = msgspec.msgpack.Decoder(_Failure).decode


def outcome_of(work: Work, task: bytes) -> bytes:
    """What a worker sends back: the result, or what was raised, in a form that quotes nothing else. Raises nothing."""
    try:
        return _DONE + _done(work, task)
    except ConsentryError as error:
        return _FAILED + msgspec.msgpack.encode(_failure_of(error))


def result_of(outcome: bytes) -> bytes:
    """The result; raises what the work raised."""
    head, body = outcome[:1], outcome[1:]
    if head == _DONE:
        return body
    try:
        failure = _failure(body)
    except msgspec.DecodeError as error:
        raise UpstreamError("a worker answers in another form: it must run this gateway's version") from error
    raise _error_of(failure)


def _done(work: Work, task: bytes) -> bytes:
    try:
        return work(task)
    except ConsentryError:
        raise
    except BaseException as error:
        raise UpstreamError(f"a task's work failed: {type(error).__name__} at {' '.join(frames_of(error))}") from error


def _failure_of(error: ConsentryError) -> _Failure:
    # A kind that a domain derived comes back as the one of the tree that it was derived from.
    kind = next(one for one in type(error).__mro__ if one in _KINDS.values()).__name__
    if isinstance(error, DeniedError):
        return _Failure(kind=kind, message=error.reason, decision_id=error.decision_id)
    return _Failure(kind=kind, message=error.message, field=error.field)


def _error_of(failure: _Failure) -> ConsentryError:
    kind = _KINDS.get(failure.kind, UpstreamError)
    if issubclass(kind, DeniedError):
        return kind(failure.message, decision_id=failure.decision_id)
    return kind(failure.message, field=failure.field)
