"""What the index asks of its tables, in the SQL that SQLite and PostgreSQL share; `?` stands for each value."""

PRESENT = (
    "select r.record, r.version, r.subject, r.digest, r.tree, r.seq,"
    " (select max(v.version) from versions v where v.record = r.record) from records r"
)
HEAD = PRESENT + " where r.record = ?"
NEAREST = PRESENT + " where r.record >= ? order by r.record limit 1"
NEAREST_SUBJECT = "select key1 from chain_events where key1 >= ? and name = 'SubjectEnrolled' order by key1 limit 1"
NAMED = (
    "select n.token, n.record, n.version, n.subject, n.digest, n.tree, n.seq,"
    " (select max(v.version) from versions v where v.record = n.record) from"
    " (select t.token, r.*, row_number() over (partition by t.token order by r.seq desc) as place"
    " from tokens t join records r on r.record = t.record where r.subject = ? and t.token in ({marks})) n"
    " where n.place <= ? order by n.token, n.seq desc"
)
SPAN = (
    "select (select seq from records where subject = ? order by seq limit 1),"
    " (select seq from records where subject = ? order by seq desc limit 1)"
)
VERSION = (
    "select v.record, v.version, r.subject, v.digest, v.tree, r.seq from versions v"
    " join records r on r.record = v.record"
    " where v.record = ? and v.version = ?"
)
ENTRIES = (
    "select id, writer, seq, decision, previous, hash, public, private, subject_token, receipt_digest from entries"
    " where subject_token = ? and id > ? and id < ? order by id"
)
ENTRY = (
    "select id, writer, seq, decision, previous, hash, public, private, subject_token, receipt_digest from entries"
    " where decision = ?"
)
ENTRIES_OF = (
    "select id, writer, seq, decision, previous, hash, public, private, subject_token, receipt_digest from entries"
    " where writer = ? and seq between ? and ? order by seq"
)
LIFE = "select instance, previous, started_at from writers where writer = ?"
EVENTS = (
    "select contract, name, key1, key2, key3, args, block_number, block_hash, log_index, transaction_, orphaned_at"
    " from chain_events where contract = ? and (key1 = ? or key2 = ? or key3 = ?) order by block_number, log_index"
).replace("transaction_", '"transaction"')
EMERGENCY = "select e.emergency, e.digest, e.decision, e.call, e.opened_at, e.expires_at, e.seq from emergencies e"
COUNT = "select count(*) from emergencies e"
MARKED = " join emergency_tokens t on t.emergency = e.emergency where t.token = ?"
UNREVIEWED = "not exists (select 1 from emergency_steps s where s.emergency = e.emergency and s.step = ?)"
FORM = "select form, version, publisher, hash, digest, seq from forms"
RELEASE = (
    "select release, requester, stage, edition, cursor, looked_at, kept, builder, held_until, expires_at, seq"
    " from releases"
)
RELEASE_PAPERS = "select release, number, kind, digest from release_papers where release = ? order by number"
RELEASE_SEGMENTS = "select number, root from release_segments where release = ? order by number"
STUDY_ENTRIES = (
    "select e.study, e.number, e.kind, e.about, e.entry, e.digest, p.entry from study_entries e"
    " left join study_entries p on p.study = e.study and p.number = e.number - 1"
    " where e.study = ? and e.number > ?{only} order by e.number limit ?"
)
STUDY_HEAD = "select number, entry from study_entries where study = ? order by number desc limit 1"
# From name to name by the primary key: `distinct` would walk every entry.
STUDIES = (
    "with recursive s (study) as ("
    "select (select study from study_entries where study > ? order by study limit 1) union all"
    " select (select e.study from study_entries e where e.study > s.study order by e.study limit 1)"
    " from s where s.study is not null) select study from s where study is not null limit ?"
)
BUDGETS = "select account, most, spent from budgets where account in ({marks})"
ANSWER = "select key, call, sealed from answers where key = ?"
SUBJECTS = (
    "select distinct key1 from chain_events where name = 'SubjectEnrolled' and orphaned_at is null and key1 > ?"
    " order by key1 limit ?"
)
REQUEST = "select request, subject, asker, pair, asked_at, expires_at, sealed, withdrawn, declined, seq from requests"
CONTROLLERS = (
    "select 1 from chain_events where name in ('SubjectEnrolled', 'CustodyEnded', 'ControllerChanged')"
    " and args like ? limit 1"
)
RECOVERING = (
    "select distinct p.key1 from chain_events p where p.name = 'RecoveryProposed' and p.orphaned_at is null"
    " and not exists (select 1 from chain_events l where l.key1 = p.key1 and l.orphaned_at is null"
    " and l.name in ('ControllerChanged', 'SubjectErased') and (l.block_number > p.block_number"
    " or (l.block_number = p.block_number and l.log_index > p.log_index)))"
)
CONSENT = "select consent, subject, digest, call from consents"
UNLISTED_CONSENTS = "select seq, consent, subject, digest, call from consents where listed = 0 and seq > ? order by seq"
UNLISTED_PAPERS = (
    "select subject, name, digest from papers where listed = 0 and (subject, name) > (?, ?) order by subject, name"
)
LISTINGS = "select token, subject, name from listings where token in ({marks})"
HELD_BY = (
    "select key1 from chain_events where signer = ? and {bound}"
    " union select key1 from chain_events where key2 = ? and contract = 'ConsentRegistry' and name = 'CredentialSet'"
    " and {bound} order by key1{down} limit ?"
)
# Sign-ins that nobody finished go with the next that somebody begins or ends, sessions that are over too.
SPEND = "delete from challenges where nonce = ? and message_digest = ? and expires_at > ?"
SWEEP = "delete from challenges where nonce in (select nonce from challenges where expires_at <= ? limit 50)"
SWEEP_SESSIONS = (
    "delete from sessions where token_digest in (select token_digest from sessions where expires_at <= ? limit 50)"
)
SWEEP_SPENT = (
    "delete from spent_tokens where token_digest in (select token_digest from spent_tokens where ends_at <= ? limit 50)"
)
SESSION = (
    "select session, token_digest, actor, opened_at, expires_at, ends_at, label, mark, rotations, seq from sessions"
)
STANDING = "select token_digest from sessions where token_digest in ("
IDENTITY = "select name, actor, sealed, not_before from identities"
SPENT = (
    "select t.session, s.actor, t.spent_at from spent_tokens t join sessions s on s.session = t.session"
    " where t.token_digest = ?"
)
ERASURE = (
    "select subject, state, begun_at, request, signature, call, shredded_at, key_epoch, domains, blocks, final_at,"
    " certificate, certify_call from erasures"
)
BLOCKS = (
    "select v.digest, v.tree from versions v join records r on r.record = v.record where r.subject = ?"
    " union select digest, 0 from consents where subject = ?"
    # An erasure's narrowing names no block.
    " union select digest, 0 from narrowings where subject = ? and kind <> 4"
    " union select digest, 0 from papers where subject = ?"
    " union select digest, 1 from contents where subject = ?"
)
UPLOAD = "select upload, subject, owner, slot, size, sealed, expires_at, record from uploads"
PARTS = "select number, digests, sealed from upload_parts where upload = ? order by number"
# Unfinished ones alone hold a slot.
UPLOADS_OPEN = "select coalesce(sum(size), 0) from uploads where slot is not null"
PARTS_OF = "select p.digests from upload_parts p join uploads u on u.upload = p.upload where u.subject = ?"
