"""What an operator may choose about the front door."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class WebOptions:
    """`cors_origins`, `socket_origins`: exact origins (`https://clinic.example`), none by default; a page of the
    gateway's own origin always may. `rate`: requests a second for each actor, or for each address of those not signed
    in; None: no limit. `request_seconds` bounds reading a body, `answer_seconds` all else that an answer takes (imports
    and waiting for a block of the chain aside). `most_underway` requests are served at once, beside them
    `most_transfers` of large content, `transfers_each` of one actor, and `sockets_each` sockets of one peer, each with
    `socket_operations`, and `actor_operations` on all sockets of one actor; more are refused with LIMIT.
    `trusted_documents`: identifier -> document; with `trusted_only` no other is
    taken."""

    max_body_bytes: int = 16 * 1024 * 1024
    max_answer_bytes: int = 64 * 1024 * 1024
    max_message_bytes: int = 1024 * 1024
    request_seconds: float = 30.0
    answer_seconds: float = 4.5
    most_underway: int = 64
    most_transfers: int = 16
    transfers_each: int = 4
    console: bool = True
    introspection: bool = True
    cors_origins: tuple[str, ...] = ()
    socket_origins: tuple[str, ...] = ()
    socket_init_seconds: float = 10.0
    socket_operations: int = 32
    sockets_each: int = 64
    actor_operations: int = 256
    socket_check_seconds: float = 15.0
    rate: float | None = 50.0
    burst: int = 200
    access_log: bool = True
    trusted_documents: Mapping[str, str] = field(default_factory=dict, repr=False)
    trusted_only: bool = False
