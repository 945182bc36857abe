"""What opens a hash on chain, and events by their name.

Written once: a migration that has shipped is never edited; the next change is the next file.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """All or nothing: the caller holds the transaction."""
    op.create_table(
        "papers",
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("name", sa.LargeBinary(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("subject", "name", name="pk_papers"),
    )
    op.create_index("ix_chain_events_name", "chain_events", ["name"], unique=False)
