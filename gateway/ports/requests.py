"""Rows of requests for consent: keyed tokens and a sealed text, so that nobody learns from them who asked whom; and of
the forms that are agreed to."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """A request for consent. `subject`, `asker`, `pair`: keyed tokens, by which it is found and counted; `sealed`: who
    asks whom for what, and why. Times are seconds since 1970, and hints: what counts is sealed. `seq`: the ledger
    assigns it (0: not yet stored)."""

    request: bytes
    subject: bytes
    asker: bytes
    pair: bytes
    asked_at: int
    expires_at: int
    sealed: bytes = field(repr=False)
    withdrawn: bool = False
    declined: bool = False
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestWithdrawn:
    """A conflict where it is withdrawn already, or gone."""

    request: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDeclined:
    """A conflict where it is declined already, or gone."""

    request: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsOver:
    """Takes an asker's requests out of the index that ended before `before`."""

    asker: bytes
    before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FormRow:
    """A version of a consent form. `hash`: SHA-256 of its octets, which consents are signed with; `digest`: the sealed
    block that holds them. `seq`: the ledger assigns it (0: not yet stored)."""

    form: bytes
    version: int
    publisher: bytes
    hash: bytes
    digest: bytes
    seq: int = 0
