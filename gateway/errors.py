"""The error tree, drawn by blame: the caller, a decision, the data, or something we depend on.

Messages carry ids and field names, never health data. Foreign exceptions stop at the adapter that met them.
"""

import traceback
from pathlib import PurePath
from typing import ClassVar


class ConsentryError(Exception):
    """Root of every expected failure; `code` is a RefusalCode of the public schema."""

    code: ClassVar[str] = "UNAVAILABLE"

    def __init__(self, message: str, *, field: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class CallerError(ConsentryError):
    """The request is wrong; `field` is the path of the input field that is."""

    code = "INVALID"


class UnauthenticatedError(CallerError):
    """No valid token, or a sign-in that does not hold."""

    code = "UNAUTHENTICATED"


class ConflictError(CallerError):
    """What the caller assumed about the present state is not so."""

    code = "CONFLICT"


class LimitError(CallerError):
    """More than the published limits allow."""

    code = "LIMIT"


class DeniedError(ConsentryError):
    """A decision said no. `reason` stays inside; outside, absent and forbidden look alike."""

    code = "NOT_PERMITTED"

    def __init__(self, reason: str, *, decision_id: bytes | None = None) -> None:
        super().__init__("not permitted")
        self.reason = reason
        self.decision_id = decision_id


class StaleError(ConsentryError):
    """The index lags behind the chain by more than the bound: nothing is decided until it has caught up."""

    code = "STALE"


class IntegrityError(ConsentryError):
    """Bytes, proofs or signatures are not what was anchored. Nothing of them was released."""

    code = "INTEGRITY"


class UpstreamError(ConsentryError):
    """Something we depend on (IPFS, chain, database, redis, vault) is down, slow or refuses."""

    code = "UNAVAILABLE"


class BlockMissingError(UpstreamError):
    """The block store answers, and does not hold this block."""


class SettingsError(ConsentryError):
    """A setting is wrong: start-up stops, naming it."""

    code = "INVALID"


def frames_of(error: BaseException) -> list[str]:
    """Where it was raised, innermost last: names of files and lines alone, because a message may quote a resource."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{PurePath(frame.filename).name}:{frame.lineno}" for frame in frames][-12:]
