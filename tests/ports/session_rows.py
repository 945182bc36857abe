"""Sessions for the suites of ports."""

import secrets

from gateway.ports.sign_ins import SessionRow


def session_row(*, actor: bytes | None = None, expires_at: int = 2_000, ends_at: int | None = None) -> SessionRow:
    """One that nothing else is known of."""
    return SessionRow(
        session=secrets.token_bytes(16),
        token_digest=secrets.token_bytes(32),
        actor=secrets.token_bytes(32) if actor is None else actor,
        opened_at=1,
        expires_at=expires_at,
        ends_at=expires_at if ends_at is None else ends_at,
        label=secrets.token_bytes(40),
        mark=secrets.token_bytes(16),
    )
