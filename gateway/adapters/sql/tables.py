"""The tables that the gateway owns. A thief of them learns no health data; all can be rebuilt but what signs people in,
and requests for consent.

`id` and `seq` order by arrival. Rows of `entries` are only ever inserted. Nothing here connects or migrates.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
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
Counter = BigInteger().with_variant(Integer, "sqlite")

epochs = Table(
    "epochs",
    metadata,
    Column("name", LargeBinary(32), primary_key=True),
    Column("version", BigInteger, nullable=False),
)
"""Guard versions. A missing name has version 0; a row is never deleted."""

records = Table(
    "records",
    metadata,
    Column("seq", Counter, primary_key=True, autoincrement=True),
    Column("record", LargeBinary(16), nullable=False, unique=True),
    Column("subject", LargeBinary(32), nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("tree", SmallInteger, nullable=False),
    Index("ix_records_subject_seq", "subject", "seq"),
    sqlite_autoincrement=True,
)
"""The latest version of each record, in its first version's place. `tree` 1: the digest is of a dag-pb root."""

versions = Table(
    "versions",
    metadata,
    Column("record", LargeBinary(16), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("tree", SmallInteger, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("token", LargeBinary, primary_key=True),
    Column("record", LargeBinary(16), primary_key=True),
    Index("ix_tokens_record", "record"),
)
"""Blind-index tokens of each record's latest version."""

idempotency = Table(
    "idempotency",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("request", LargeBinary, nullable=False),
    Column("result", LargeBinary, nullable=False),
)

consents = Table(
    "consents",
    metadata,
    Column("seq", Counter, primary_key=True, autoincrement=True),
    Column("consent", LargeBinary(32), nullable=False, unique=True),
    Column("subject", LargeBinary(32), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("call", LargeBinary(16), nullable=False),
    Column("listed", SmallInteger, nullable=False, server_default="0"),
    Index("ix_consents_subject_seq", "subject", "seq"),
    Index("ix_consents_unlisted", "seq", sqlite_where=text("listed = 0"), postgresql_where=text("listed = 0")),
    sqlite_autoincrement=True,
)
"""`listed` 1: whoever it names has it in their list (`listings`), or it names nobody who has one."""

listings = Table(
    "listings",
    metadata,
    Column("token", LargeBinary(16), primary_key=True),
    Column("subject", LargeBinary(32), nullable=False, index=True),
    Column("name", LargeBinary(32), nullable=False),
)
"""Places in people's lists: consents by whom they name, papers of guardians by each. A token is keyed by whose list it
is and by the place in it, so it compares with no other."""

narrowings = Table(
    "narrowings",
    metadata,
    Column("seq", Counter, primary_key=True, autoincrement=True),
    Column("kind", Integer, nullable=False),
    Column("subject", LargeBinary(32), nullable=False),
    Column("target", LargeBinary(32), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("call", LargeBinary(16), nullable=False),
    UniqueConstraint("subject", "kind", "target"),
    sqlite_autoincrement=True,
)

emergencies = Table(
    "emergencies",
    metadata,
    Column("seq", Counter, primary_key=True, autoincrement=True),
    Column("emergency", LargeBinary(32), nullable=False, unique=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("decision", LargeBinary(16), nullable=False),
    Column("call", LargeBinary(16), nullable=False),
    Column("opened_at", BigInteger, nullable=False, index=True),
    Column("expires_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
"""Broken glass, by the commitment on chain. Whose, by whom and why stands in the sealed block."""

emergency_tokens = Table(
    "emergency_tokens",
    metadata,
    Column("token", LargeBinary(16), primary_key=True),
    Column("emergency", LargeBinary(32), primary_key=True),
)

emergency_steps = Table(
    "emergency_steps",
    metadata,
    Column("emergency", LargeBinary(32), primary_key=True),
    Column("step", SmallInteger, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("call", LargeBinary(16), nullable=False),
)
"""How one ended, and its review: once each."""
papers = Table(
    "papers",
    metadata,
    Column("subject", LargeBinary(32), primary_key=True),
    Column("name", LargeBinary(32), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("listed", SmallInteger, nullable=False, server_default="0"),
    Index(
        "ix_papers_unlisted", "subject", "name", sqlite_where=text("listed = 0"), postgresql_where=text("listed = 0")
    ),
)
"""Sealed blocks that open a hash on chain: delegates' limits, guardians. `name`: that hash, which is salted."""
requests = Table(
    "requests",
    metadata,
    Column("seq", Counter, primary_key=True, autoincrement=True),
    Column("request", LargeBinary(16), nullable=False, unique=True),
    Column("subject", LargeBinary(16), nullable=False),
    Column("asker", LargeBinary(16), nullable=False),
    Column("pair", LargeBinary(16), nullable=False, index=True),
    Column("asked_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("withdrawn", SmallInteger, nullable=False),
    Column("declined", SmallInteger, nullable=False),
    Index("ix_requests_subject_seq", "subject", "seq"),
    Index("ix_requests_asker_seq", "asker", "seq"),
    sqlite_autoincrement=True,
)
"""Requests for consent: keyed tokens, and what is asked of whom, sealed under the patient's key. Not rebuilt: they
confer nothing."""
forms = Table(
    "forms",
    metadata,
    Column("seq", Counter, primary_key=True, autoincrement=True),
    Column("form", LargeBinary(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("publisher", LargeBinary(32), nullable=False, index=True),
    Column("hash", LargeBinary(32), nullable=False, index=True),
    Column("digest", LargeBinary(32), nullable=False),
    UniqueConstraint("form", "version"),
    sqlite_autoincrement=True,
)
"""Versions of consent forms, which hold nothing of a patient: appended to, never changed."""
releases = Table(
    "releases",
    metadata,
    Column("seq", Counter, primary_key=True, autoincrement=True),
    Column("release", LargeBinary(16), nullable=False, unique=True),
    Column("requester", LargeBinary(16), nullable=False),
    Column("stage", SmallInteger, nullable=False, index=True),
    Column("edition", Integer, nullable=False),
    Column("cursor", LargeBinary(32), nullable=False),
    Column("looked_at", BigInteger, nullable=False),
    Column("kept", BigInteger, nullable=False),
    Column("builder", LargeBinary(32), nullable=False),
    Column("held_until", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("ix_releases_requester_seq", "requester", "seq"),
    sqlite_autoincrement=True,
)
"""Releases of data and how far they have come: what is asked for, and what left, stands in their papers."""
release_papers = Table(
    "release_papers",
    metadata,
    Column("release", LargeBinary(16), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("kind", SmallInteger, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
)
"""Request, decision, manifests and end of each release, as sealed blocks."""
release_segments = Table(
    "release_segments",
    metadata,
    Column("release", LargeBinary(16), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("root", LargeBinary, nullable=False),
)
"""Rows gathered for a release, sealed under its own key. Not rebuilt: a build begins anew."""
release_people = Table(
    "release_people",
    metadata,
    Column("release", LargeBinary(16), primary_key=True),
    Column("edition", Integer, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)
"""Whose rows left with each edition, as keyed tokens under the gateway's log key. Not rebuilt."""
budgets = Table(
    "budgets",
    metadata,
    Column("account", LargeBinary(32), primary_key=True),
    Column("most", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
)
"""Privacy budgets, in millionths of epsilon; the chain has them, too, and the larger figure counts. Not rebuilt."""
answers = Table(
    "answers",
    metadata,
    Column("key", LargeBinary(32), primary_key=True),
    Column("call", LargeBinary(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
"""Noised answers that were paid for: the same question on the same consents is told the same. Not rebuilt."""
study_entries = Table(
    "study_entries",
    metadata,
    Column("study", LargeBinary(32), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", SmallInteger, nullable=False),
    Column("about", LargeBinary(16), nullable=False),
    Column("entry", LargeBinary(32), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Index("ix_study_entries_study_kind_number", "study", "kind", "number"),
    Index("ix_study_entries_study_about_number", "study", "about", "number"),
)
"""The journal of each study: hashes of its entries in order, appended to, never changed. `about`: a keyed token of a
subject in this study. An erasure leaves them: what was said lies in sealed blocks, whose key is gone."""
erasures = Table(
    "erasures",
    metadata,
    Column("subject", LargeBinary(32), primary_key=True),
    Column("state", SmallInteger, nullable=False, index=True),
    Column("begun_at", BigInteger, nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("call", LargeBinary, nullable=False),
    Column("shredded_at", BigInteger, nullable=False),
    Column("key_epoch", LargeBinary, nullable=False),
    Column("domains", Integer, nullable=False),
    Column("blocks", Integer, nullable=False),
    Column("final_at", BigInteger, nullable=False),
    Column("certificate", LargeBinary, nullable=False),
    Column("certify_call", LargeBinary, nullable=False),
)
"""How far each erasure has come. What it holds of a patient stands on chain, too: a random name and an epoch."""

unpinned = Table(
    "unpinned",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("block", LargeBinary, nullable=False),
)
"""Sealed blocks of what came into force while IPFS may have been away; gone once they are pinned."""

contents = Table(
    "contents",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("record", LargeBinary(16), nullable=False),
    Column("subject", LargeBinary(32), nullable=False, index=True),
)
"""Roots of the trees that hold records' large content: what an erasure unpins once the facts no longer open."""

uploads = Table(
    "uploads",
    metadata,
    Column("upload", LargeBinary(16), primary_key=True),
    Column("subject", LargeBinary(32), nullable=False, index=True),
    Column("owner", LargeBinary(16), nullable=False),
    Column("slot", Integer),
    Column("size", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("record", LargeBinary, nullable=False),
    UniqueConstraint("owner", "slot"),
)
"""Large content on its way in. `owner`: a keyed token of the actor, who has so many slots; a finished one has given its
slot back and names its `record`."""

upload_parts = Table(
    "upload_parts",
    metadata,
    Column("upload", LargeBinary(16), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("digests", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
"""How far an upload has come, appended to: the CIDs' digests of sealed chunks that are durable, and what is sealed of
them."""

writers = Table(
    "writers",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("writer", LargeBinary(32), nullable=False, unique=True),
    Column("instance", LargeBinary(32), nullable=False),
    Column("previous", LargeBinary(32), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("checks", BigInteger, nullable=False, server_default="0"),
    Index("ix_writers_instance_id", "instance", "id"),
    sqlite_autoincrement=True,
)
"""The lives of notaries. `previous`: hash of the instance's newest entry when this life began (zeros: none).
`checks` goes up with each check, for only a row that changes proves that rows can be written."""

entries = Table(
    "entries",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("writer", LargeBinary(32), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("decision", LargeBinary(16), nullable=False),
    Column("previous", LargeBinary(32), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("public", LargeBinary, nullable=False),
    Column("private", LargeBinary, nullable=False),
    Column("subject_token", LargeBinary, nullable=False),
    Column("receipt_digest", LargeBinary(32), nullable=False),
    UniqueConstraint("writer", "seq"),
    Index("ix_entries_subject_token_id", "subject_token", "id"),
    Index("ix_entries_decision", "decision"),
    sqlite_autoincrement=True,
)
"""The audit log: one hash chain a writer, from `seq` 1 without a gap."""

challenges = Table(
    "challenges",
    metadata,
    Column("nonce", Text, primary_key=True),
    Column("message_digest", LargeBinary(32), nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)
"""Unspent sign-in challenges; spending one deletes it."""

sessions = Table(
    "sessions",
    metadata,
    Column("seq", Counter, primary_key=True),
    Column("session", LargeBinary(16), nullable=False, unique=True),
    Column("token_digest", LargeBinary(32), nullable=False, unique=True),
    Column("actor", LargeBinary(32), nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("ends_at", BigInteger, nullable=False),
    Column("label", LargeBinary, nullable=False),
    Column("mark", LargeBinary(16), nullable=False),
    Column("rotations", Integer, nullable=False),
    Index("ix_sessions_actor_seq", "actor", "seq"),
    sqlite_autoincrement=True,
)

spent_tokens = Table(
    "spent_tokens",
    metadata,
    Column("token_digest", LargeBinary(32), primary_key=True),
    Column("session", LargeBinary(16), nullable=False),
    Column("spent_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False, index=True),
)
"""Tokens that gave way to others, for as long as their session may last: one that is shown again ends it."""

identities = Table(
    "identities",
    metadata,
    Column("name", LargeBinary(16), primary_key=True),
    Column("actor", LargeBinary(32), nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("not_before", BigInteger, nullable=False),
)
"""Who at an identity provider stands for which actor: keyed tokens, and what the actor signed, sealed."""

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
"""What is pinned at first start (chain id, genesis, registries …)."""
