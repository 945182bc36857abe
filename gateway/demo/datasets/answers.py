"""The shapes of the gateway's answers about datasets; see `gateway.demo.answers`."""

from typing import Any

import msgspec

from gateway.demo.answers import Anchor, Named
from gateway.demo.model import StepFailedError


class _Answer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """GraphQL names are in camel case; what was not asked for here is ignored."""


class Paper(_Answer, frozen=True):
    """DatasetPaper. `text`: to the octet; None where it is not for the asker."""

    number: int
    kind: str
    sha256: str
    text: str | None
    anchor: Anchor


class File(_Answer, frozen=True):
    """DatasetFile. `sha256` and `size`: of the sealed octets."""

    name: str
    table: str
    rows: int
    size: Any
    sha256: str
    path: str

    @property
    def octets(self) -> int:
        return int(number(self.size))


class Profile(_Answer, frozen=True):
    name: str
    departures: list[str]
    definition: Any


class Progress(_Answer, frozen=True):
    """How far a dataset has come."""

    id: str
    state: str
    edition: int
    progress: Any
    failed: list[str]

    @property
    def hundredths(self) -> int:
        return int(100 * number(self.progress))


class Dataset(Progress, frozen=True):
    """A dataset as its recipient or a steward is shown it."""

    title: str
    tables: Any
    tombstones: list[str]
    profile: Profile
    requester: Named
    papers: list[Paper]
    files: list[File]

    def last(self, kind: str) -> Paper:
        """The newest paper of a kind. Raises StepFailedError."""
        for paper in reversed(self.papers):
            if paper.kind == kind:
                return paper
        raise StepFailedError(f"the dataset has no paper of the kind {kind}")


class Opened(_Answer, frozen=True):
    """OpenedDataset. `manifest`: RFC 8785 text; the rest 0x hex."""

    manifest: str
    wrapped_key: str
    gateway_half: str
    dataset: Dataset


class Report(_Answer, frozen=True):
    html: str


class Used(_Answer, frozen=True):
    """PatientDataset."""

    dataset_id: str
    title: str
    state: str
    withdrawn: bool
    requester: Named


def number(value: object) -> float:
    """A JSON number. Raises StepFailedError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise StepFailedError("the gateway answers with something that is no number")
