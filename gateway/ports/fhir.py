"""Validation of FHIR R4 resources, off the event loop."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirIssue:
    """`index` of the resource in the call; `path` FHIRPath-like, never a value; `message` names the rule."""

    index: int
    path: str
    message: str


class FhirValidation(Protocol):
    async def check(self, resources: Sequence[bytes]) -> tuple[FhirIssue, ...]:
        """The first issue of each invalid resource; empty when all are valid R4. UpstreamError when the validator
        died (it is started again)."""
        ...

    async def close(self) -> None: ...
