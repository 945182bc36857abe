"""Lists that people have of others' patients, and the key that an event names, as a column of its own.

What stands already is listed by the gateways, once they run. Written once: a migration that has shipped is never
edited; the next change is the next file.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_UNLISTED = sa.text("listed = 0")


def upgrade() -> None:
    """All or nothing: the caller holds the transaction."""
    op.create_table(
        "listings",
        sa.Column("token", sa.LargeBinary(length=16), nullable=False),
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("name", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("token", name="pk_listings"),
    )
    op.create_index("ix_listings_subject", "listings", ["subject"], unique=False)
    for table, columns in (("consents", ["seq"]), ("papers", ["subject", "name"])):
        op.add_column(table, sa.Column("listed", sa.SmallInteger(), server_default="0", nullable=False))
        op.create_index(
            f"ix_{table}_unlisted", table, columns, unique=False, sqlite_where=_UNLISTED, postgresql_where=_UNLISTED
        )
    op.add_column("chain_events", sa.Column("signer", sa.LargeBinary(), nullable=True))
    _fill_signers()
    op.create_index("ix_chain_events_signer", "chain_events", ["signer", "key1"], unique=False)


def _fill_signers() -> None:
    events = sa.table(
        "chain_events", *(sa.column(name) for name in ("block_hash", "log_index", "name", "args", "signer"))
    )
    naming = events.c.name.in_(("SubjectEnrolled", "CustodyEnded", "ControllerChanged", "DelegateAdded"))
    connection = op.get_bind()
    rows = connection.execute(sa.select(events.c.block_hash, events.c.log_index, events.c.args).where(naming)).all()
    found = [
        {"hash": block_hash, "index": log_index, "key": bytes.fromhex(signer[2:])}
        for block_hash, log_index, args in rows
        for signer in [json.loads(args).get("controller") or json.loads(args).get("delegate") or ""]
        if signer.startswith("0x") and len(signer) > 2
    ]
    if found:
        here = (events.c.block_hash == sa.bindparam("hash"), events.c.log_index == sa.bindparam("index"))
        connection.execute(sa.update(events).where(*here).values(signer=sa.bindparam("key")), found)
