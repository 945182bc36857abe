"""The tables of the gateway.

Written once: a migration that has shipped is never edited; the next change is the next file.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """All or nothing: the caller holds the transaction."""
    _challenges()
    _consents()
    _entries()
    _epochs()
    _idempotency()
    _meta()
    _narrowings()
    _records()
    _sessions()
    _tokens()
    _versions()
    _writers()


def _challenges() -> None:
    op.create_table(
        "challenges",
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("message_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("nonce", name="pk_challenges"),
    )
    op.create_index("ix_challenges_expires_at", "challenges", ["expires_at"], unique=False)


def _consents() -> None:
    op.create_table(
        "consents",
        sa.Column("seq", _COUNTER, autoincrement=True, nullable=False),
        sa.Column("consent", sa.LargeBinary(length=32), nullable=False),
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("call", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_consents"),
        sa.UniqueConstraint("consent", name="uq_consents_consent"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_consents_subject_seq", "consents", ["subject", "seq"], unique=False)


def _entries() -> None:
    op.create_table(
        "entries",
        sa.Column("id", _COUNTER, autoincrement=True, nullable=False),
        sa.Column("writer", sa.LargeBinary(length=32), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("decision", sa.LargeBinary(length=16), nullable=False),
        sa.Column("previous", sa.LargeBinary(length=32), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("private", sa.LargeBinary(), nullable=False),
        sa.Column("subject_token", sa.LargeBinary(), nullable=False),
        sa.Column("receipt_digest", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_entries"),
        sa.UniqueConstraint("writer", "seq", name="uq_entries_writer_seq"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_entries_subject_token_id", "entries", ["subject_token", "id"], unique=False)
    op.create_index("ix_entries_decision", "entries", ["decision"], unique=False)


def _epochs() -> None:
    op.create_table(
        "epochs",
        sa.Column("name", sa.LargeBinary(length=32), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_epochs"),
    )


def _idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_idempotency"),
    )


def _meta() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )


def _narrowings() -> None:
    op.create_table(
        "narrowings",
        sa.Column("seq", _COUNTER, autoincrement=True, nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("target", sa.LargeBinary(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("call", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_narrowings"),
        sa.UniqueConstraint("subject", "kind", "target", name="uq_narrowings_subject_kind_target"),
        sqlite_autoincrement=True,
    )


def _records() -> None:
    op.create_table(
        "records",
        sa.Column("seq", _COUNTER, autoincrement=True, nullable=False),
        sa.Column("record", sa.LargeBinary(length=16), nullable=False),
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("tree", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_records"),
        sa.UniqueConstraint("record", name="uq_records_record"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_records_subject_seq", "records", ["subject", "seq"], unique=False)


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("token_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("actor", sa.LargeBinary(length=32), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_digest", name="pk_sessions"),
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"], unique=False)


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("record", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("token", "record", name="pk_tokens"),
    )
    op.create_index("ix_tokens_record", "tokens", ["record"], unique=False)


def _versions() -> None:
    op.create_table(
        "versions",
        sa.Column("record", sa.LargeBinary(length=16), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("tree", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("record", "version", name="pk_versions"),
    )


def _writers() -> None:
    op.create_table(
        "writers",
        sa.Column("id", _COUNTER, autoincrement=True, nullable=False),
        sa.Column("writer", sa.LargeBinary(length=32), nullable=False),
        sa.Column("instance", sa.LargeBinary(length=32), nullable=False),
        sa.Column("previous", sa.LargeBinary(length=32), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("checks", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_writers"),
        sa.UniqueConstraint("writer", name="uq_writers_writer"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_writers_instance_id", "writers", ["instance", "id"], unique=False)
