"""The logical content of an index: all that a rebuild must bring back, in an order and a form that do not depend on how
the rows got there. Left out: guard versions, leases, sessions, challenges, times of writing, numbers of rows (their
order counts), and calls that are on their way."""

from collections.abc import Iterable
from typing import Any

from tests.ports.databases import query

REBUILT = "the last life, which a rebuild began"
QUERIES = {
    "records in order": "select record, subject, version, digest, tree from records order by seq",
    "versions": "select record, version, digest, tree from versions order by record, version",
    "tokens": "select token, record from tokens order by token, record",
    "idempotency": "select key, request, result from idempotency order by key",
    "consents in order": "select consent, subject, digest, call from consents order by seq",
    "narrowings": "select kind, subject, target, digest, call from narrowings order by subject, kind, target",
    "places in lists": "select token from listings order by token",
    "what is listed": "select subject, name from listings order by subject, name",
    "papers": "select name, subject, digest from papers order by subject, name",
    "forms in order": "select form, version, publisher, hash, digest from forms order by seq",
    "emergencies in order": "select emergency, digest, decision, call, opened_at, expires_at from emergencies"
    " order by seq",
    "emergency tokens": "select token, emergency from emergency_tokens order by token, emergency",
    "emergency steps": "select emergency, step, digest, call from emergency_steps order by emergency, step",
    "lives in order": "select writer, instance, previous, started_at from writers w"
    " where exists (select 1 from entries e where e.writer = w.writer) order by id",
    "entries": "select id, writer, seq, decision, previous, hash, public, private, subject_token, receipt_digest"
    " from entries order by id",
    "tickets": "select t.log, t.leaf, t.values_, t.cid_digest, t.locator, b.root from tickets t"
    " left join batches b on b.id = t.batch order by t.log, t.leaf",
    "batches": "select b.log, b.root, b.manifest_digest, b.manifest_cid, b.count, b.call, b.block_number, b.block_hash,"
    ' b."transaction" from batches b order by b.log, b.root',
    "calls": 'select call, lane, contract, data, state, "transaction", block_number, block_hash from calls'
    " where state = 'LANDED' and lane = 'relay' order by call",
    "events": "select contract, name, key1, key2, key3, args, block_number, block_hash, log_index,"
    ' "transaction" from chain_events where orphaned_at is null order by block_number, log_index',
}


def dump(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Each part's rows."""
    return {name: [tuple(map(plain, row)) for row in query(url, sql)] for name, sql in QUERIES.items()}


def plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def differing(before: dict[str, list[tuple[Any, ...]]], after: dict[str, list[tuple[Any, ...]]]) -> list[str]:
    """The parts that are not alike, and how: what a rebuild must not have changed, lost or added. The one entry that
    declares it, with its life and its leaf, is left out of `after`."""
    declared = after["lives in order"][-1][0]
    kept = dict(after)
    kept["lives in order"] = after["lives in order"][:-1]
    kept["entries"] = [row for row in after["entries"] if row[1] != declared]
    kept["tickets"] = [row for row in after["tickets"] if row[2][1:33] != declared]
    assert len(after["entries"]) - len(kept["entries"]) == len(after["tickets"]) - len(kept["tickets"]) == 1
    return [f"{name}: {_how(before[name], kept[name])}" for name in QUERIES if before[name] != kept[name]]


def _how(before: Iterable[Any], after: Iterable[Any]) -> str:
    one, other = list(before), list(after)
    lost, new = [row for row in one if row not in other], [row for row in other if row not in one]
    return f"{len(one)} became {len(other)}; gone {lost[:2]}, new {new[:2]}" if lost or new else "another order"
