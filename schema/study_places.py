"""How studies' services call what a client gave under another name: where in the input a refusal is."""

from collections.abc import Mapping
from typing import Final

GIVEN: Final[Mapping[str, tuple[str, ...]]] = {
    "study": ("studyId",),
    "subject": ("patientId",),
    "record": ("recordId",),
    "actor": ("actorId",),
    "statistician": ("statisticianId",),
    "consent": ("patientId",),
    "terms": ("formHash",),
    "sha256": ("document",),
}
