"""The tables of anchoring.

Written once: a migration that has shipped is never edited; the next change is the next file.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """All or nothing: the caller holds the transaction."""
    _accounts()
    _calls()
    _chain_blocks()
    _chain_cursor()
    _chain_events()
    _batches()
    _tickets()


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("address", name="pk_accounts"),
    )


def _calls() -> None:
    op.create_table(
        "calls",
        sa.Column("seq", _COUNTER, autoincrement=True, nullable=False),
        sa.Column("call", sa.LargeBinary(length=16), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("contract", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), server_default="INTENDED", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("nonce", sa.BigInteger(), nullable=True),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("transaction", sa.LargeBinary(length=32), nullable=True),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_calls"),
        sa.UniqueConstraint("call", name="uq_calls_call"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_calls_block_number", "calls", ["block_number"], unique=False)
    op.create_index("ix_calls_lane_state", "calls", ["lane", "state", "priority", "seq"], unique=False)


def _chain_blocks() -> None:
    op.create_table(
        "chain_blocks",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("parent", sa.LargeBinary(length=32), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_chain_blocks"),
    )
    op.create_index("ix_chain_blocks_number", "chain_blocks", ["number"], unique=False)


def _chain_cursor() -> None:
    op.create_table(
        "chain_cursor",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_chain_cursor"),
    )


def _chain_events() -> None:
    op.create_table(
        "chain_events",
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("contract", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key1", sa.LargeBinary(length=32), nullable=True),
        sa.Column("key2", sa.LargeBinary(length=32), nullable=True),
        sa.Column("key3", sa.LargeBinary(length=32), nullable=True),
        sa.Column("args", sa.Text(), nullable=False),
        sa.Column("transaction", sa.LargeBinary(length=32), nullable=False),
        sa.Column("orphaned_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("block_hash", "log_index", name="pk_chain_events"),
    )
    op.create_index("ix_chain_events_block_number", "chain_events", ["block_number", "log_index"], unique=False)
    op.create_index(
        "ix_chain_events_orphaned_at",
        "chain_events",
        ["orphaned_at"],
        unique=False,
        sqlite_where=sa.text("orphaned_at is not null"),
        postgresql_where=sa.text("orphaned_at is not null"),
    )
    op.create_index("ix_chain_events_key1", "chain_events", ["key1", "contract"], unique=False)
    op.create_index("ix_chain_events_key2", "chain_events", ["key2", "contract"], unique=False)
    op.create_index("ix_chain_events_key3", "chain_events", ["key3", "contract"], unique=False)


def _batches() -> None:
    op.create_table(
        "batches",
        sa.Column("id", _COUNTER, autoincrement=True, nullable=False),
        sa.Column("log", sa.LargeBinary(length=32), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("manifest_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("manifest_cid", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("call", sa.LargeBinary(length=16), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("transaction", sa.LargeBinary(length=32), nullable=True),
        sa.ForeignKeyConstraint(["call"], ["calls.call"], name="fk_batches_call"),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
        sa.UniqueConstraint("log", "root", name="uq_batches_log_root"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_batches_call", "batches", ["call"], unique=False)
    op.create_index("ix_batches_state", "batches", ["state", "id"], unique=False)


def _tickets() -> None:
    op.create_table(
        "tickets",
        sa.Column("seq", _COUNTER, autoincrement=True, nullable=False),
        sa.Column("log", sa.LargeBinary(length=32), nullable=False),
        sa.Column("leaf", sa.LargeBinary(length=32), nullable=False),
        sa.Column("values_", sa.LargeBinary(), nullable=False),
        sa.Column("cid_digest", sa.LargeBinary(), nullable=False),
        sa.Column("locator", sa.LargeBinary(), nullable=False),
        sa.Column("batch", _COUNTER, nullable=True),
        sa.ForeignKeyConstraint(["batch"], ["batches.id"], name="fk_tickets_batch"),
        sa.PrimaryKeyConstraint("seq", name="pk_tickets"),
        sa.UniqueConstraint("leaf", "log", name="uq_tickets_leaf_log"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tickets_batch", "tickets", ["batch", "log", "seq"], unique=False)
