"""Sealed blocks that wait for IPFS."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """All or nothing: the caller holds the transaction."""
    op.create_table(
        "unpinned",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("block", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_unpinned"),
    )
