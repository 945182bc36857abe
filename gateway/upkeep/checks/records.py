"""Records: each version's block, facts and leaf; each record's versions, head and tokens; each write's key."""

from typing import Any

from anchoring.model import LogKind, kind_of
from gateway.crypto.envelope import key_named_by
from gateway.crypto.model import RecordFacts
from gateway.errors import IntegrityError
from gateway.ports.rows import RecordRow
from gateway.records.opening import leaf_values, named_tokens, search_tokens
from gateway.storage.model import Cid, Codec
from gateway.upkeep.checks.contents import check_content
from gateway.upkeep.checks.erased import is_erased
from gateway.upkeep.checks.named import Named
from gateway.upkeep.faults import Fault, Verdict
from gateway.upkeep.report import Progress
from gateway.upkeep.walk import Damaged, Foreign, Piece, inspect
from gateway.wiring.looking import Looking, leaf_of, split_values


async def check_records(parts: Looking, verdict: Verdict, named: Named, progress: Progress) -> None:
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
        await _check_version(parts, verdict, named, row, before, what)
    for record, _, version, digest, _ in parts.survey.rows("records"):
        found = parts.survey.one("version", record=record, version=version)
        newer = parts.survey.one("version", record=record, version=version + 1)
        if found is None or found[0] != digest or newer is not None:
            verdict.add(Fault.HEAD_OTHER, f"record {record.hex()}")


async def _check_version(
    parts: Looking,
    verdict: Verdict,
    named: Named,
    row: tuple[Any, ...],
    before: tuple[bytes, int, bytes] | None,
    what: str,
) -> None:
    record, version, digest, tree, subject, head, _ = row
    cid = Cid.from_digest(digest, codec=Codec.DAG_PB if tree else Codec.RAW)
    found = await inspect(cid, blocks=parts.blocks, keys=parts.keys)
    if isinstance(found, Damaged):
        missing = found.why == "pinned, and not there"
        verdict.add(Fault.BLOCK_MISSING if missing else Fault.BLOCK_DAMAGED, what)
        return
    if isinstance(found, Foreign | Piece):
        verdict.add(Fault.BLOCK_FOREIGN, what)
        return
    if found.opened is None or found.key is None:
        if await is_erased(parts, subject):
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
    if facts.large is not None:
        await check_content(parts, verdict, named, record, subject, facts.large, what)
    values = leaf_values(made, facts.content_commitment, found.opened.commitment)
    _check_ticket(parts, verdict, leaf_of(values), made, found.located.locator, what)
    if version == head:
        tokens = {token for (token,) in parts.survey.rows("tokens", record=record)}
        # Rows of before tokens were filled up have those that are named alone.
        if tokens not in (set(search_tokens(found.key, facts)), named_tokens(found.key, facts)):
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


async def check_tickets(parts: Looking, verdict: Verdict, named: Named, progress: Progress) -> None:
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
        elif kind_of(found) is LogKind.STUDIES:
            row = parts.survey.one("study entry", study=found[0], number=int.from_bytes(found[1], "big"))
            if row is None or row[0] != found[2]:
                verdict.add(Fault.TICKET_STRAY, f"entry {int.from_bytes(found[1], 'big')} of study {found[0].hex()}")
        elif len(found) == 4:
            if parts.survey.one("release paper", release=found[0], number=int.from_bytes(found[1], "big")) is None:
                verdict.add(Fault.TICKET_STRAY, f"a paper of release {found[0].hex()}")
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
