"""The tables that anchoring owns. Digests, ciphertext locators and transactions: no patient, no plain content.

The gateway's notary inserts tickets and calls, in the transaction of what they stand for; the worker alone moves them.
`seq` columns order by arrival. Times are seconds since 1970. Nothing here connects or migrates.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts a row id by itself only for a column declared INTEGER.
Sequence = BigInteger().with_variant(Integer, "sqlite")

calls = Table(
    "calls",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("call", LargeBinary(16), nullable=False, unique=True),
    Column("lane", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("contract", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("state", Text, nullable=False, server_default="INTENDED"),
    Column("error", Text),
    Column("nonce", BigInteger),
    Column("raw", LargeBinary),
    Column("transaction", LargeBinary(32)),
    Column("block_number", BigInteger),
    Column("block_hash", LargeBinary(32)),
    Column("created_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Index("ix_calls_lane_state", "lane", "state", "priority", "seq"),
    Index("ix_calls_block_number", "block_number"),
    sqlite_autoincrement=True,
)
"""Intended transactions. In a lane, lower `priority` first, then `seq`. `call` is the public name (16 random bytes)."""

batches = Table(
    "batches",
    metadata,
    Column("id", Sequence, primary_key=True, autoincrement=True),
    Column("log", LargeBinary(32), nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("manifest_digest", LargeBinary(32), nullable=False),
    Column("manifest_cid", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("call", LargeBinary(16), ForeignKey("calls.call")),
    Column("created_at", BigInteger, nullable=False),
    Column("block_number", BigInteger),
    Column("block_hash", LargeBinary(32)),
    Column("transaction", LargeBinary(32)),
    UniqueConstraint("log", "root"),
    Index("ix_batches_state", "state", "id"),
    Index("ix_batches_call", "call"),
    sqlite_autoincrement=True,
)
"""Closed batches; one that was ever broadcast is never re-cut."""

tickets = Table(
    "tickets",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("log", LargeBinary(32), nullable=False),
    Column("leaf", LargeBinary(32), nullable=False),
    Column("values_", LargeBinary, nullable=False),
    Column("cid_digest", LargeBinary, nullable=False),
    Column("locator", LargeBinary, nullable=False),
    Column("batch", Sequence, ForeignKey("batches.id")),
    UniqueConstraint("leaf", "log"),
    Index("ix_tickets_batch", "batch", "log", "seq"),
    sqlite_autoincrement=True,
)
"""Leaves on their way; `values_` is `columns.join_values`; `batch` null while queued (`cid_digest` and `locator` may be
empty: the block of audit entries is written when their batch closes, and the first of them names it)."""

accounts = Table(
    "accounts",
    metadata,
    Column("address", Text, primary_key=True),
    Column("nonce", BigInteger, nullable=False),
    Column("owner", Text),
    Column("lease_until", BigInteger),
)
"""Who may use an account's next nonce: one owner, by compare-and-swap, until its lease ends."""

chain_blocks = Table(
    "chain_blocks",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("number", BigInteger, nullable=False, index=True),
    Column("parent", LargeBinary(32), nullable=False),
    Column("timestamp", BigInteger, nullable=False),
)
"""Recent blocks of the canonical chain, to find the common ancestor after a reorg."""

chain_cursor = Table(
    "chain_cursor",
    metadata,
    Column("name", Text, primary_key=True),
    Column("block_number", BigInteger, nullable=False),
    Column("block_hash", LargeBinary(32), nullable=False),
)
"""How far each follower (`name`) has indexed."""

chain_events = Table(
    "chain_events",
    metadata,
    Column("block_hash", LargeBinary(32), primary_key=True),
    Column("log_index", Integer, primary_key=True, autoincrement=False),
    Column("block_number", BigInteger, nullable=False),
    Column("contract", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("key1", LargeBinary(32)),
    Column("key2", LargeBinary(32)),
    Column("key3", LargeBinary(32)),
    Column("args", Text, nullable=False),
    Column("transaction", LargeBinary(32), nullable=False),
    Column("orphaned_at", BigInteger),
    Column("signer", LargeBinary),
    Index("ix_chain_events_key1", "key1", "contract"),
    Index("ix_chain_events_key2", "key2", "contract"),
    Index("ix_chain_events_key3", "key3", "contract"),
    Index("ix_chain_events_name", "name"),
    Index("ix_chain_events_signer", "signer", "key1"),
    Index("ix_chain_events_block_number", "block_number", "log_index"),
    Index(
        "ix_chain_events_orphaned_at",
        "orphaned_at",
        sqlite_where=text("orphaned_at is not null"),
        postgresql_where=text("orphaned_at is not null"),
    ),
)
"""Contract events. `key1..3`: indexed topics after the first; `args`: `columns.encode_args`; `orphaned_at`: the head's
number when the block was first seen off the canonical chain (null: canonical); `signer`: the key that the event gives a
say, where it does."""
