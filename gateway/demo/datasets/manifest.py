"""The manifest of an edition: what was made, out of what, for whom. Its text must be its paper's, to the octet."""

import hashlib
from typing import Any

import msgspec

from gateway import jsontext
from gateway.demo.client import shaped
from gateway.demo.datasets.answers import Opened
from gateway.demo.datasets.deciding import Asked
from gateway.demo.datasets.walk import Company
from gateway.demo.model import StepFailedError
from gateway.errors import CallerError

MANIFEST = "MANIFEST"
PATIENT = "Patient"
PERSON = ["Patient.id"]
"""What a column of pseudonyms of people is told from."""


class _Column(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    read_from: list[str]


class Table(msgspec.Struct, frozen=True):
    name: str
    resource: str
    rows: int
    columns: list[_Column]

    @property
    def person(self) -> str | None:
        """The column of pseudonyms of a table of people; None for any other table."""
        found = [one.name for one in self.columns if one.read_from == PERSON]
        return found[0] if found and self.resource == PATIENT else None


class _Listed(msgspec.Struct, frozen=True):
    """A file as the manifest names it; `sha256` without 0x."""

    name: str
    table: str
    rows: int
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """What of a manifest is checked here. `decision`: the SHA-256 of the decision's paper; `counts`: of people, few of
    them not counted."""

    release: str
    edition: int
    recipient: dict[str, str]
    decision: str
    request_digest: str
    counts: dict[str, Any]
    anonymity: dict[str, Any]
    tables: list[Table]
    files: list[_Listed]
    tombstones: list[str]

    @property
    def released(self) -> int:
        """People of whom rows left."""
        count = self.counts.get("released")
        return count if type(count) is int else 0

    @property
    def hides(self) -> bool:
        """Whether somebody who consented is in none of the rows."""
        return self.counts.get("suppressedAtMost") != 0


def read_manifest(opened: Opened, asked: Asked, company: Company) -> Manifest:
    paper = opened.dataset.last(MANIFEST)
    if "0x" + hashlib.sha256(opened.manifest.encode()).hexdigest() != paper.sha256:
        raise StepFailedError("the manifest is not the text of its paper")
    try:
        manifest = shaped(jsontext.loads(opened.manifest), Manifest)
    except CallerError as error:
        raise StepFailedError("the manifest is no JSON") from error
    recipient = {
        "actor": company.researcher.actor.removeprefix("0x"),
        "encryptionKey": company.key.public.hex(),
    }
    if manifest.release != asked.release.hex() or manifest.recipient != recipient:
        raise StepFailedError("the manifest names another release, recipient or key")
    if manifest.edition != opened.dataset.edition or manifest.tombstones != opened.dataset.tombstones:
        raise StepFailedError("the manifest is of another edition, or names other tombstones")
    listed = [(one.name, one.table, one.rows, one.size, "0x" + one.sha256) for one in manifest.files]
    if listed != [(one.name, one.table, one.rows, one.octets, one.sha256) for one in opened.dataset.files]:
        raise StepFailedError("the dataset's files are not those of the manifest")
    if {one.name for one in manifest.tables} != set(asked.tables):
        raise StepFailedError("the manifest names other tables than were asked for")
    return manifest
