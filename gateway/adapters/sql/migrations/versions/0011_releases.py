"""Releases of de-identified data: how far each has come, its papers, what was gathered for it; privacy budgets and the
answers that were paid by them.

Written once: a migration that has shipped is never edited; the next change is the next file.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """All or nothing: the caller holds the transaction."""
    op.create_table(
        "releases",
        sa.Column("seq", _COUNTER, nullable=False),
        sa.Column("release", sa.LargeBinary(length=16), nullable=False),
        sa.Column("requester", sa.LargeBinary(length=16), nullable=False),
        sa.Column("stage", sa.SmallInteger(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.LargeBinary(length=32), nullable=False),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.Column("kept", sa.BigInteger(), nullable=False),
        sa.Column("builder", sa.LargeBinary(length=32), nullable=False),
        sa.Column("held_until", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_releases"),
        sa.UniqueConstraint("release", name="uq_releases_release"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_releases_stage", "releases", ["stage"], unique=False)
    op.create_index("ix_releases_requester_seq", "releases", ["requester", "seq"], unique=False)
    op.create_table(
        "release_papers",
        sa.Column("release", sa.LargeBinary(length=16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("release", "number", name="pk_release_papers"),
    )
    op.create_table(
        "release_segments",
        sa.Column("release", sa.LargeBinary(length=16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("release", "number", name="pk_release_segments"),
    )
    op.create_table(
        "release_people",
        sa.Column("release", sa.LargeBinary(length=16), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("release", "edition", name="pk_release_people"),
    )
    op.create_table(
        "budgets",
        sa.Column("account", sa.LargeBinary(length=32), nullable=False),
        sa.Column("most", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", name="pk_budgets"),
    )
    op.create_table(
        "answers",
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("call", sa.LargeBinary(length=16), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_answers"),
    )
