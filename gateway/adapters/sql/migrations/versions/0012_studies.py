"""Journals of studies: the hashes of their entries, in order.

Written once: a migration that has shipped is never edited; the next change is the next file.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """All or nothing: the caller holds the transaction."""
    op.create_table(
        "study_entries",
        sa.Column("study", sa.LargeBinary(length=32), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("about", sa.LargeBinary(length=16), nullable=False),
        sa.Column("entry", sa.LargeBinary(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("study", "number", name="pk_study_entries"),
    )
    for column in ("kind", "about"):
        name = f"ix_study_entries_study_{column}_number"
        op.create_index(name, "study_entries", ["study", column, "number"], unique=False)
