"""What a resource says about itself, as decisions and rules take it.

True here: shapes only. Not done here: reading them from a resource (`fhir`), labels by rule (`rules`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """UTC instants, both included; `EARLIEST` and `LATEST` stand for an open end."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> tuple[float, float]:
        """Seconds since 1970, also before it."""
        return (self.start - _EPOCH).total_seconds(), (self.end - _EPOCH).total_seconds()

    @staticmethod
    def around(spans: Iterable["Span"]) -> "Span | None":
        """The smallest span that holds all of `spans`."""
        every = list(spans)
        if not every:
            return None
        return Span(start=min(span.start for span in every), end=max(span.end for span in every))


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPart:
    """A part inside a resource with labels of its own. `pointer`: RFC 6901."""

    pointer: str
    labels: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceFacts:
    """What a decision and a label need to know.

    `codes`: `system|code` of what the resource and its contained resources are about; a permit is matched on these.
    `mentioned`: `system|code` of every coding that stands anywhere; rules, and denies, are matched on these.
    `period`: the whole clinical period, UTC, both ends included; None when no date is given.
    `security_labels`: codes of `meta.security`. `parts`: contained resources and elements with labels of their own.
    `has_unreadable`: attachments, or free text alone, that no rule can read.
    """

    resource_type: str
    codes: tuple[str, ...]
    mentioned: tuple[str, ...]
    period: Span | None
    contained_types: frozenset[str]
    security_labels: frozenset[str]
    parts: tuple[LabelledPart, ...]
    subject_references: tuple[str, ...]
    has_unreadable: bool

    @property
    def inline_labels(self) -> frozenset[str]:
        return frozenset(label for part in self.parts for label in part.labels)

    @property
    def subject_reference(self) -> str | None:
        """The only one; None when there is none, or more than one."""
        return self.subject_references[0] if len(self.subject_references) == 1 else None
