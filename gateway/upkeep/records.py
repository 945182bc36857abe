"""Records from what the walk found and the batches placed, in the order of arrival; tickets for those in doubt."""

from anchoring.stores.columns import join_values
from gateway.ports.rows import RecordRow
from gateway.records.opening import leaf_values
from gateway.upkeep.filling import Filling, chunks
from gateway.upkeep.report import Progress, RebuildReport
from gateway.upkeep.scratch import FoundRecord, Scratch
from gateway.wiring.anchors import AnchorsPort

Rows = list[dict[str, object]]


async def restore_records(
    scratch: Scratch, filling: Filling, report: RebuildReport, anchors: AnchorsPort, progress: Progress
) -> None:
    """The latest version of each record stands in the place of its first."""
    places: dict[bytes, int] = {}
    versions: Rows = []
    waiting: Rows = []
    contents: dict[bytes, dict[str, object]] = {}
    for found in scratch.ordered():
        if found.content:
            contents[found.content] = {"digest": found.content, "record": found.record, "subject": found.subject}
        places.setdefault(found.record, len(places) + 1)
        versions.append({"record": found.record, "version": found.version, "digest": found.digest, "tree": found.tree})
        if found.state == "IN_DOUBT":
            waiting.append(_ticket(found, anchors))
    newest, tokens = _newest(scratch, places)
    for table, rows in (
        ("versions", versions),
        ("tickets", waiting),
        ("records", newest),
        ("tokens", tokens),
        ("contents", list(contents.values())),
        ("idempotency", _writes(scratch)),
    ):
        for part in chunks(rows):
            await filling.insert(table, part)
            progress("writing records", len(part))
    report.restored["versions"] += len(versions)
    report.restored["tickets"] += len(waiting)
    report.restored["records"] += len(newest)


def values_of(found: FoundRecord) -> tuple[bytes, ...]:
    """A version's leaf."""
    row = RecordRow(record=found.record, version=found.version, subject=found.subject, digest=found.digest)
    return leaf_values(row, found.content_commitment, found.facts_commitment)


def _newest(scratch: Scratch, places: dict[bytes, int]) -> tuple[Rows, Rows]:
    rows: Rows = []
    tokens: Rows = []
    for found in scratch.newest():
        rows.append(
            {
                "seq": places[found.record],
                "record": found.record,
                "subject": found.subject,
                "version": found.version,
                "digest": found.digest,
                "tree": found.tree,
            }
        )
        each = {found.tokens[at : at + 16] for at in range(0, len(found.tokens), 16)}
        tokens += [{"token": token, "record": found.record} for token in sorted(each)]
    return rows, tokens


def _writes(scratch: Scratch) -> Rows:
    return [
        {
            "key": key,
            "request": group[0].request,
            "result": b"".join(one.record + one.version.to_bytes(4, "big") for one in group),
        }
        for key, group in scratch.writes()
    ]


def _ticket(found: FoundRecord, anchors: AnchorsPort) -> dict[str, object]:
    values = values_of(found)
    return {
        "log": anchors.records_log,
        "leaf": anchors.leaf(values, kind="records"),
        "values_": join_values(values),
        "cid_digest": b"\x01\x70\x12\x20" + found.digest if found.tree else found.digest,
        "locator": found.locator,
        "batch": None,
    }
