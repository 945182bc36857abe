"""Consent forms from their sealed blocks, in the order of publishing. A version goes to IPFS once it is durable, so
each that is there was acknowledged."""

from gateway.consent import forms
from gateway.upkeep.report import RebuildReport
from gateway.upkeep.scratch import Scratch


def restore_forms(scratch: Scratch, report: RebuildReport) -> list[dict[str, object]]:
    """Rows of the table; of two blocks of one version, which hold the same, the first by digest."""
    rows: dict[tuple[bytes, int], dict[str, object]] = {}
    found = [(forms.read(one.octets), one.digest) for one in scratch.forms()]
    for made, digest in sorted(found, key=lambda one: (one[0].published_at, one[0].form, one[0].version)):
        named = {"form": made.form, "version": made.version, "publisher": made.publisher}
        rows.setdefault((made.form, made.version), {**named, "hash": made.hash, "digest": digest})
    report.restored["forms"] += len(rows)
    return list(rows.values())
