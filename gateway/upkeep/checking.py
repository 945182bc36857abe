"""The checks of `verify`, one function a part. Each reads rows as they stream and blocks as they are named."""

import hashlib
from typing import Any, Protocol

from gateway import eip712, jsontext
from gateway.audit.rules import GENESIS, entry_hash
from gateway.consent import messages
from gateway.crypto.envelope import key_named_by
from gateway.crypto.model import ConsentFacts, DomainKind, ProfileFacts, RecordFacts, actor_domain
from gateway.errors import ConsentryError, IntegrityError
from gateway.ports.rows import NarrowingKind, RecordRow
from gateway.records.opening import leaf_values, search_tokens
from gateway.storage.model import Cid, Codec
from gateway.storage.segments import cid_of
from gateway.upkeep.batches import own_logs
from gateway.upkeep.faults import Fault, Verdict
from gateway.upkeep.report import Progress
from gateway.upkeep.walk import Damaged, Foreign, Found, inspect, segment_of, whole
from gateway.wiring.looking import Looking, decode_args, encode_args, leaf_of, root_of, split_values
from gateway.wiring.upkeep import folded, read


class Names(Protocol):
    """Where checks leave what rows name."""

    def name(self, digest: bytes) -> None: ...

    def anchor(self, log: bytes, root: bytes, place: bytes) -> None: ...

    def anchored(self, log: bytes, root: bytes) -> bytes | None: ...


async def check_events(parts: Looking, verdict: Verdict, named: Names, progress: Progress) -> None:
    """The chain's events against the indexed ones, and each log's batches folded to its head."""
    cursor = parts.survey.one("cursor")
    heads: dict[bytes, bytes] = {}
    owned: set[bytes] = set()
    async for first, last, events in parts.chain_events(upto=0 if cursor is None else int(cursor[0])):
        rows = {(row[7], row[8]): row for row in parts.survey.rows("events", first=first, last=last)}
        owned |= set(own_logs(events, parts.gateway))
        for event in events:
            progress("events", 1)
            verdict.checked["events"] += 1
            row = rows.pop((event.block_hash, event.log_index), None)
            mine = (event.contract, event.name, *(*event.keys, None, None, None)[:3], encode_args(event.args))
            where = f"{event.name} in block {event.block_number}"
            if row is None:
                verdict.add(Fault.EVENT_MISSING, where)
            elif (*row[:5], encode_args(decode_args(row[5]))) != mine or row[9] != event.transaction:
                verdict.add(Fault.EVENT_FORGED, where)
            if event.name == "Anchored" and event.keys[0] in owned:
                log, args = event.keys[0], event.args
                root, digest, count = args["root"], args["manifestDigest"], args["count"]
                if not (isinstance(root, bytes) and isinstance(digest, bytes) and isinstance(count, int)):
                    raise IntegrityError("an Anchored event of another form")
                before = heads.get(log, bytes(32))
                heads[log] = folded(before, root=root, manifest_digest=digest, count=count)
                if heads[log] != args["head"]:
                    verdict.add(Fault.HEAD_BROKEN, f"log 0x{log.hex()} in block {event.block_number}")
                named.anchor(log, root, event.block_number.to_bytes(8, "big") + event.block_hash + event.transaction)
                if parts.survey.one("batch", log=log, root=root) is None:
                    verdict.add(Fault.BATCH_UNKNOWN, f"root 0x{root.hex()}")
        for row in rows.values():
            verdict.add(Fault.EVENT_FORGED, f"{row[1]} in block {row[6]}")


async def check_batches(parts: Looking, verdict: Verdict, named: Names, progress: Progress) -> None:
    """Leaves, root, manifest, call and place of each batch; of audit batches the segment."""
    for row in parts.survey.rows("batches"):
        number, log, root, digest, cid, count, state, _, block, block_hash, transaction, data, _ = row
        what = f"batch {number} with root 0x{root.hex()}"
        progress("batches", 1)
        verdict.checked["batches"] += 1
        tickets = list(parts.survey.rows("tickets of batch", batch=number))
        if len(tickets) != count:
            verdict.add(Fault.BATCH_COUNT, what)
        if root_of([ticket[0] for ticket in tickets]) != root:
            verdict.add(Fault.BATCH_ROOT, what)
        wanted = parts.registries.anchor(log=log, root=root, manifest_digest=digest, count=count)
        if data != wanted.data:
            verdict.add(Fault.BATCH_CALL, what)
        if state in ("ANCHORED", "FINAL"):
            place = named.anchored(log, root)
            said = (block or 0).to_bytes(8, "big") + (block_hash or b"") + (transaction or b"")
            if place != said:
                verdict.add(Fault.BATCH_PLACE, what)
        await _check_manifest(parts, verdict, named, log=log, digest=digest, cid=cid, tickets=tickets, what=what)


async def _check_manifest(
    parts: Looking,
    verdict: Verdict,
    named: Names,
    *,
    log: bytes,
    digest: bytes,
    cid: str,
    tickets: list[tuple[Any, ...]],
    what: str,
) -> None:
    try:
        name = Cid.parse(cid)
        named.name(name.digest)
        content = await whole(name, parts.blocks)
    except ConsentryError:
        verdict.add(Fault.MANIFEST_MISSING, what)
        return
    try:
        manifest = read(content)
        entries = {(leaf, block, locator) for leaf, block, locator in manifest.entries}
    except IntegrityError:
        entries, manifest = set(), None
    rows = {(leaf, block, locator) for leaf, _, block, locator in tickets}
    if manifest is None or manifest.log != log or entries != rows or hashlib.sha256(content).digest() != digest:
        verdict.add(Fault.MANIFEST_OTHER, what)
    if tickets and len(split_values(tickets[0][1])) == 3:
        await _check_segment(parts, verdict, named, tickets=tickets, what=what)


async def _check_segment(
    parts: Looking, verdict: Verdict, named: Names, *, tickets: list[tuple[Any, ...]], what: str
) -> None:
    blocks = [ticket[2] for ticket in tickets if ticket[2]]
    if not blocks:
        verdict.add(Fault.SEGMENT_MISSING, what)
        return
    try:
        cid = cid_of(blocks[0])
        named.name(cid.digest)
        segment = await segment_of(cid, blocks=parts.blocks, keys=parts.keys)
    except ConsentryError:
        verdict.add(Fault.SEGMENT_MISSING, what)
        return
    leaves = {leaf_of((one.writer, one.seq.to_bytes(8, "big"), one.hash)) for one in segment.entries}
    if leaves != {ticket[0] for ticket in tickets}:
        verdict.add(Fault.SEGMENT_OTHER, what)
        return
    for one in segment.entries:
        row = parts.survey.one("entry", writer=one.writer, seq=one.seq)
        if row is None or row[0] != one.hash:
            verdict.add(Fault.ENTRY_MISSING, f"entry {one.seq} of writer 0x{one.writer.hex()}")


async def check_audit(parts: Looking, verdict: Verdict, named: Names, progress: Progress) -> None:
    """Each instance's chain of hashes, life after life."""
    for (writer,) in parts.survey.rows("strays"):
        verdict.add(Fault.LIFE_MISSING, f"writer 0x{writer.hex()}")
    before: dict[bytes, bytes] = {}
    for writer, instance, _ in parts.survey.rows("lives"):
        number = 0
        for row in parts.survey.rows("entries", writer=writer):
            progress("audit entries", 1)
            verdict.checked["audit entries"] += 1
            names = ("writer", "seq", "decision", "previous", "hash", "public", "private", "subject_token")
            entry: dict[str, Any] = dict(zip((*names, "receipt_digest"), row, strict=True))
            own = entry.pop("hash")
            what = f"entry {entry['seq']} of writer 0x{writer.hex()}"
            if entry["seq"] != number + 1:
                verdict.add(Fault.ENTRY_GAP, what)
            elif entry["previous"] != before.get(instance, GENESIS):
                verdict.add(Fault.ENTRY_BROKEN, what)
            if entry_hash(**entry) != own:
                verdict.add(Fault.ENTRY_EDITED, what)
            leaf = leaf_of((writer, entry["seq"].to_bytes(8, "big"), own))
            log = parts.audit_log(instance)
            if leaf is None or parts.survey.one("ticket", leaf=leaf, log=log) is None:
                verdict.add(Fault.ENTRY_UNTICKETED, what)
            number, before[instance] = entry["seq"], own


async def check_documents(parts: Looking, verdict: Verdict, named: Names, progress: Progress) -> None:
    """Each consent and narrowing against its sealed, signed text."""
    for consent, subject, digest, _ in parts.survey.rows("consents"):
        progress("consents", 1)
        verdict.checked["consents"] += 1
        named.name(digest)
        what = f"consent 0x{consent.hex()}"
        facts = await _document(parts, verdict, digest, subject, what)
        if facts is not None:
            said = _said(parts, facts)
            if said is None or said[0] != "consents" or said[1] != consent or said[2] != subject:
                verdict.add(Fault.CONSENT_OTHER, what)
            await _check_signature(parts, verdict, facts, what)
    for kind, subject, target, digest, _ in parts.survey.rows("narrowings"):
        progress("narrowings", 1)
        verdict.checked["narrowings"] += 1
        if kind == NarrowingKind.ERASE:
            verdict.notes["erasures"] += 1  # its signed text stands in its certificate, not in a sealed block
            continue
        named.name(digest)
        what = f"revocation of 0x{target.hex()}"
        facts = await _document(parts, verdict, digest, subject, what)
        if facts is not None:
            if _said(parts, facts) != (NarrowingKind(kind).name, target, subject):
                verdict.add(Fault.NARROWING_OTHER, what)
            await _check_signature(parts, verdict, facts, what)


async def _document(parts: Looking, verdict: Verdict, digest: bytes, subject: bytes, what: str) -> ConsentFacts | None:
    found = await inspect(Cid.from_digest(digest), blocks=parts.blocks, keys=parts.keys)
    if isinstance(found, Found) and found.opened is None and await _is_erased(parts, subject):
        verdict.notes["signed texts of erased patients"] += 1
        return None
    facts = found.opened.facts if isinstance(found, Found) and found.opened is not None else None
    if not isinstance(facts, ConsentFacts) or facts.subject != subject:
        verdict.add(Fault.CONSENT_BLOCK, what)
        return None
    return facts


def _said(parts: Looking, facts: ConsentFacts) -> tuple[str, bytes, bytes] | None:
    """(what it is, what it is about, whose it is) by the text; None for a text of another kind."""
    domain = parts.domain
    full: Any = jsontext.loads(facts.typed_data)
    try:
        match full.get("primaryType"):
            case "Consent":
                terms = messages.read_consent(full, domain)
                return "consents", eip712.digest(messages.consent_typed_data(terms, domain)), terms.subject
            case "Revocation":
                subject, consent = messages.read_revocation(full, domain)
                return NarrowingKind.REVOKE.name, consent, subject
            case "RevokeAll":
                subject, epoch = messages.read_revoke_all(full, domain)
                return NarrowingKind.REVOKE_ALL.name, epoch.to_bytes(32, "big"), subject
            case _:
                return None
    except ConsentryError:
        return None


async def _check_signature(parts: Looking, verdict: Verdict, facts: ConsentFacts, what: str) -> None:
    """By a key that is or was the patient's controller."""
    full: Any = jsontext.loads(facts.typed_data)
    digest = eip712.digest(full)
    signers = {
        value
        for _, _, args in parts.survey.rows("identity", subject=facts.subject)
        if isinstance(value := decode_args(args).get("controller"), bytes) and value
    }
    if eip712.recover(digest, facts.signature) in signers:
        return
    for signer in signers:
        if await parts.valid_signature(signer, digest, facts.signature):
            return
    verdict.add(Fault.CONSENT_SIGNATURE, what)


async def check_stray(parts: Looking, verdict: Verdict, digest: bytes, facts: object) -> None:
    """A signed document that no row names: lawful if it is a copy, or a permit that the chain has not got."""
    said = _said(parts, facts) if isinstance(facts, ConsentFacts) else None
    if said is None:
        return
    kind, target, subject = said
    if kind == "consents":
        missing = parts.survey.one("consent", consent=target) is None
        if missing and parts.survey.one("granted", subject=subject, consent=target) is not None:
            verdict.add(Fault.CONSENT_MISSING, f"consent 0x{target.hex()}")
    elif parts.survey.one("narrowing", kind=int(NarrowingKind[kind]), subject=subject, target=target) is None:
        verdict.add(Fault.NARROWING_MISSING, f"revocation of 0x{target.hex()}")


async def check_profiles(parts: Looking, verdict: Verdict, named: Names, progress: Progress) -> None:
    """Each actor's sealed profile."""
    gone = set(await parts.store.destroyed())
    for actor, args in parts.survey.rows("profiles"):
        digest = decode_args(args).get("profileDigest")
        if not isinstance(digest, bytes) or not any(digest):
            continue
        progress("profiles", 1)
        verdict.checked["profiles"] += 1
        named.name(digest)
        found = await inspect(Cid.from_digest(digest), blocks=parts.blocks, keys=parts.keys)
        facts = found.opened.facts if isinstance(found, Found) and found.opened is not None else None
        key = found.key if isinstance(found, Found) else None
        mine = isinstance(facts, ProfileFacts) and facts.actor == actor
        if (DomainKind.ACTOR.value, actor) in gone:
            verdict.notes["profiles of erased patients"] += 1
        elif not mine or key is None or key.domain != actor_domain(actor):
            verdict.add(Fault.PROFILE_MISSING, f"actor 0x{actor.hex()}")


async def check_records(parts: Looking, verdict: Verdict, named: Names, progress: Progress) -> None:
    """Each version's block, facts, leaf; each record's versions, head and tokens; each write's key."""
    last: tuple[bytes, int, bytes] | None = None
    for row in parts.survey.rows("versions"):
        record, version, digest, _, subject, head, head_digest = row
        what = f"record {record.hex()} version {version}"
        progress("versions", 1)
        verdict.checked["versions"] += 1
        named.name(digest)
        before = last if last is not None and last[0] == record else None
        if version != (1 if before is None else before[1] + 1):
            verdict.add(Fault.VERSION_GAP, what)
        last = (record, version, digest)
        if subject is None:
            verdict.add(Fault.HEAD_MISSING, what)
            continue
        if version == head and digest != head_digest:
            verdict.add(Fault.HEAD_OTHER, what)
        await _check_version(parts, verdict, row, before, what)
    for record, _, version, digest, _ in parts.survey.rows("records"):
        found = parts.survey.one("version", record=record, version=version)
        newer = parts.survey.one("version", record=record, version=version + 1)
        if found is None or found[0] != digest or newer is not None:
            verdict.add(Fault.HEAD_OTHER, f"record {record.hex()}")


async def _check_version(
    parts: Looking, verdict: Verdict, row: tuple[Any, ...], before: tuple[bytes, int, bytes] | None, what: str
) -> None:
    record, version, digest, tree, subject, head, _ = row
    cid = Cid.from_digest(digest, codec=Codec.DAG_PB if tree else Codec.RAW)
    found = await inspect(cid, blocks=parts.blocks, keys=parts.keys)
    if isinstance(found, Damaged):
        missing = found.why == "pinned, and not there"
        verdict.add(Fault.BLOCK_MISSING if missing else Fault.BLOCK_DAMAGED, what)
        return
    if isinstance(found, Foreign):
        verdict.add(Fault.BLOCK_FOREIGN, what)
        return
    if found.opened is None or found.key is None:
        if await _is_erased(parts, subject):
            verdict.notes["versions of erased patients"] += 1
        else:
            verdict.add(Fault.KEY_MISSING, what)
        return
    facts = found.opened.facts
    if not isinstance(facts, RecordFacts) or (found.located.record, found.located.version) != (record, version):
        verdict.add(Fault.BLOCK_OTHER, what)
        return
    if facts.subject != subject:
        verdict.add(Fault.SUBJECT_OTHER, what)
        return
    if before is not None and facts.previous != before[2]:
        verdict.add(Fault.PREVIOUS_OTHER, what)
    made = RecordRow(record=record, version=version, subject=subject, digest=digest, tree=bool(tree))
    values = leaf_values(made, facts.content_commitment, found.opened.commitment)
    _check_ticket(parts, verdict, leaf_of(values), made, found.located.locator, what)
    if version == head:
        tokens = {token for (token,) in parts.survey.rows("tokens", record=record)}
        if tokens != set(search_tokens(found.key, facts)):
            verdict.add(Fault.TOKENS_OTHER, what)
    if facts.idempotency:
        key = parts.survey.one("idempotent", key=facts.idempotency)
        mine = record + version.to_bytes(4, "big")
        if key is None or key[0] != facts.request or key[1][20 * facts.place : 20 * facts.place + 20] != mine:
            verdict.add(Fault.REQUEST_OTHER, what)


def _check_ticket(
    parts: Looking, verdict: Verdict, leaf: bytes | None, row: RecordRow, locator: bytes, what: str
) -> None:
    rows = [] if leaf is None else list(parts.survey.rows("leaf", leaf=leaf))
    if not rows:
        verdict.add(Fault.TICKET_MISSING, what)
        return
    block = b"\x01\x70\x12\x20" + row.digest if row.tree else row.digest
    if any((ticket[0], ticket[1]) != (block, locator) for ticket in rows):
        verdict.add(Fault.TICKET_OTHER, what)


async def check_tickets(parts: Looking, verdict: Verdict, named: Names, progress: Progress) -> None:
    """Each leaf against its values, and each record's leaf against its version."""
    for number, _, leaf, values, _, locator, _ in parts.survey.rows("tickets"):
        progress("leaves", 1)
        verdict.checked["leaves"] += 1
        found = split_values(values)
        if not found:
            verdict.notes["leaves whose block was erased"] += 1
        elif leaf_of(found) != leaf:
            verdict.add(Fault.LEAF_OTHER, f"leaf {number}")
        elif len(found) == 5:
            row = parts.survey.one("version", record=found[0], version=int.from_bytes(found[1], "big"))
            if row is None and await _is_shredded(parts, locator):
                verdict.notes["leaves of erased patients"] += 1
            elif row is None:
                verdict.add(Fault.TICKET_STRAY, f"record {found[0].hex()} version {int.from_bytes(found[1], 'big')}")
        else:
            row = parts.survey.one("entry", writer=found[0], seq=int.from_bytes(found[1], "big"))
            if row is None or row[0] != found[2]:
                verdict.add(Fault.ENTRY_MISSING, f"entry {int.from_bytes(found[1], 'big')} of 0x{found[0].hex()}")


async def _is_shredded(parts: Looking, locator: bytes) -> bool:
    """Whether the key that a leaf's block was sealed under is no more, where keys were destroyed at all. A row that was
    only deleted has its key still."""
    try:
        key_id = key_named_by(locator, parts.keys.log)
    except IntegrityError:
        return False
    return bool(await parts.store.destroyed()) and await parts.store.by_id(key_id) is None


async def _is_erased(parts: Looking, subject: bytes) -> bool:
    return (DomainKind.SUBJECT.value, subject) in set(await parts.store.destroyed())
