"""Where a part of a resource comes from, for what it refers to."""

from dataclasses import dataclass

from gateway.consent.model import Purpose
from gateway.ids import SubjectId
from schema.parts import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Whose record the part is in, for what purpose it was released, and the whole resource."""

    subject: SubjectId
    purpose: Purpose
    root: Tree
