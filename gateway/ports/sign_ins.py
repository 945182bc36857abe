"""Rows of the index that say who is signed in: none of them can be rebuilt, and none names a person."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRotated:
    """Another token in place of `before`, which is kept as spent until `ends_at`. A conflict where `before` is not the
    session's."""

    session: bytes
    before: bytes
    token_digest: bytes
    expires_at: int
    spent_at: int
    ends_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded:
    """One session, if it is the actor's. Nothing happens where there is none."""

    session: bytes
    actor: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherSessionsEnded:
    """Every session of an actor but one (empty: of no exception), and every bearer token that was issued until now."""

    actor: bytes
    session: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsEnded:
    """Every session of an actor, and every bearer token that was issued until now."""

    actor: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRow:
    """Somebody at an identity provider who stands for an actor. `name`: a keyed token of issuer and subject; `sealed`:
    what the actor signed, under the actor's key. Bearer tokens issued at `not_before` or earlier (seconds since 1970)
    count for nothing."""

    name: bytes
    actor: bytes
    sealed: bytes
    not_before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityUnlinked:
    """Takes one of an actor's own away; nothing happens where there is none."""

    name: bytes
    actor: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitiesForgotten:
    """Takes all of an actor's away."""

    actor: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SpentToken:
    """A token that gave way to another, and the session that it was of: one that stands."""

    session: bytes
    actor: bytes
    spent_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """A session: SHA-256 of its present access token, never the token. Times are seconds since 1970: the token is good
    until `expires_at`, others may follow it until `ends_at`. `label`: the device's name, sealed under the actor's key,
    or empty. `mark`: keyed, over what must not be edited. `seq` orders an actor's sessions; the index assigns it (0:
    not yet stored)."""

    session: bytes
    token_digest: bytes
    actor: bytes
    opened_at: int
    expires_at: int
    ends_at: int
    label: bytes = b""
    mark: bytes = b""
    rotations: int = 0
    seq: int = 0
