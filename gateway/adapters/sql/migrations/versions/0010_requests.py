"""Requests for consent, and consent forms.

Written once: a migration that has shipped is never edited; the next change is the next file.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """All or nothing: the caller holds the transaction."""
    op.create_table(
        "requests",
        sa.Column("seq", _COUNTER, nullable=False),
        sa.Column("request", sa.LargeBinary(length=16), nullable=False),
        sa.Column("subject", sa.LargeBinary(length=16), nullable=False),
        sa.Column("asker", sa.LargeBinary(length=16), nullable=False),
        sa.Column("pair", sa.LargeBinary(length=16), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("withdrawn", sa.SmallInteger(), nullable=False),
        sa.Column("declined", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_requests"),
        sa.UniqueConstraint("request", name="uq_requests_request"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_requests_pair", "requests", ["pair"], unique=False)
    op.create_index("ix_requests_subject_seq", "requests", ["subject", "seq"], unique=False)
    op.create_index("ix_requests_asker_seq", "requests", ["asker", "seq"], unique=False)
    op.create_table(
        "forms",
        sa.Column("seq", _COUNTER, nullable=False),
        sa.Column("form", sa.LargeBinary(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("publisher", sa.LargeBinary(length=32), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_forms"),
        sa.UniqueConstraint("form", "version", name="uq_forms_form_version"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_forms_publisher", "forms", ["publisher"], unique=False)
    op.create_index("ix_forms_hash", "forms", ["hash"], unique=False)
