"""What the gateway refuses, and what this client does not sign. Masked errors of the gateway are
`GraphQLClientGraphQLMultiError`, with a correlation id in their extensions."""

from typing import TypeVar

from .generated.enums import RefusalCode
from .generated.fragments import RefusalFields

_Found = TypeVar("_Found")


class RefusedError(Exception):
    """The gateway's Refusal. `field`: where in the input. `decision_id`: the audit entry, where a decision was made."""

    def __init__(self, refusal: RefusalFields) -> None:
        place = f" ({'.'.join(refusal.field)})" if refusal.field else ""
        super().__init__(f"{refusal.code.value}: {refusal.message}{place}")
        self.code = refusal.code
        self.message = refusal.message
        self.field = tuple(refusal.field or ())
        self.decision_id = refusal.decision_id
        self.correlation_id = refusal.correlation_id


class NotSignedError(Exception):
    """What the gateway drafted is not what was asked for, so nothing was signed."""


def answered(found: _Found | RefusalFields) -> _Found:
    """The answer. Raises RefusedError."""
    if isinstance(found, RefusalFields):
        raise RefusedError(found)
    return found


def session_ended() -> RefusedError:
    return RefusedError(
        RefusalFields(
            code=RefusalCode.UNAUTHENTICATED,
            message="the session has ended",
            field=None,
            decisionId=None,
            correlationId=None,
        )
    )
