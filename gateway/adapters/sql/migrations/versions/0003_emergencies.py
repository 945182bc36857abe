"""Emergency accesses: what finds them, and what came after.

Written once: a migration that has shipped is never edited; the next change is the next file.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """All or nothing: the caller holds the transaction."""
    op.create_table(
        "emergencies",
        sa.Column("seq", _COUNTER, autoincrement=True, nullable=False),
        sa.Column("emergency", sa.LargeBinary(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("decision", sa.LargeBinary(length=16), nullable=False),
        sa.Column("call", sa.LargeBinary(length=16), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_emergencies"),
        sa.UniqueConstraint("emergency", name="uq_emergencies_emergency"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_emergencies_opened_at", "emergencies", ["opened_at"], unique=False)
    op.create_table(
        "emergency_tokens",
        sa.Column("token", sa.LargeBinary(length=16), nullable=False),
        sa.Column("emergency", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("token", "emergency", name="pk_emergency_tokens"),
    )
    op.create_table(
        "emergency_steps",
        sa.Column("emergency", sa.LargeBinary(length=32), nullable=False),
        sa.Column("step", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("call", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("emergency", "step", name="pk_emergency_steps"),
    )
