"""Erasures, and how far each has come."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """All or nothing: the caller holds the transaction."""
    op.create_table(
        "erasures",
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("call", sa.LargeBinary(), nullable=False),
        sa.Column("shredded_at", sa.BigInteger(), nullable=False),
        sa.Column("key_epoch", sa.LargeBinary(), nullable=False),
        sa.Column("domains", sa.Integer(), nullable=False),
        sa.Column("blocks", sa.Integer(), nullable=False),
        sa.Column("final_at", sa.BigInteger(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("certify_call", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_erasures"),
    )
    op.create_index("ix_erasures_state", "erasures", ["state"], unique=False)
