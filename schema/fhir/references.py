"""What a reference inside a resource comes to: another record, under a decision of its own, or a refusal.

True here: what is not there, what is forbidden and what names no record of the patient's are the same NOT_PERMITTED;
of a reference into the resource itself (`#id`) what was released is shown, and nothing is looked up. References of a
request are asked for together (`RequestContext.references`), the same one once; but each time that one is followed,
back to itself too, what it comes to counts anew. Not done here: finding and deciding (the service), and how much may
be asked for (schema.context, schema.extents).
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from gateway import jsontext
from gateway.consent.model import Purpose
from gateway.errors import ConsentryError, DeniedError, IntegrityError
from gateway.ids import ActorId, SubjectId
from gateway.records.model import Reference, Released
from schema.errors import Refusal
from schema.gates import outcome
from schema.parts import Part, ResolveInfo, Tree
from schema.records import Record, to_record

LONGEST = 2_048
"""Characters of a reference that is looked up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Whose record the part is in, who wrote it, for what purpose it was released, and the whole resource, which was
    `size` octets of text."""

    subject: SubjectId
    author: ActorId
    purpose: Purpose
    root: Tree
    size: int


def part_of(record: Record) -> Part:
    """The resource of a released record."""
    tree = jsontext.loads(record.text)
    if not isinstance(tree, dict):
        raise IntegrityError("what was released is no resource")
    origin = Origin(
        subject=record.about,
        author=record.written_by,
        purpose=record.receipt.purpose,
        root=tree,
        size=len(record.text),
    )
    return Part(tree, origin)


def resolve_record(part: Part, info: ResolveInfo) -> Awaitable[Record | Refusal] | None:
    """`Reference.record`: None where the part names nothing, or something inside its own resource."""
    text = _text(part)
    return None if text is None or text.startswith("#") else _record(part.origin, text, info)


def resolve_resource(part: Part, info: ResolveInfo) -> Awaitable[Part | Refusal] | None:
    """`Reference.resource`: None where the part names nothing."""
    text = _text(part)
    if text is None:
        return None
    return outcome(_contained(part, text, info)) if text.startswith("#") else _resource(part.origin, text, info)


def _text(part: Part) -> str | None:
    text = part.value.get("reference")
    return text if type(text) is str else None


def _record(origin: Origin, text: str, info: ResolveInfo) -> Awaitable[Record | Refusal]:
    # Noted now, not when it is awaited: all of a page's are then asked for in one go.
    group = (origin.subject, origin.purpose)
    waiting = info.context.references.get(group, Reference(text=text[:LONGEST], author=origin.author))

    async def steps() -> Record:
        found: Released | ConsentryError = await waiting
        if isinstance(found, ConsentryError):
            raise found
        info.context.follow(len(found.content))
        return to_record(found)

    return outcome(steps())


def _resource(origin: Origin, text: str, info: ResolveInfo) -> Awaitable[Part | Refusal]:
    waiting = _record(origin, text, info)

    async def steps() -> Part | Refusal:
        found = await waiting
        return found if isinstance(found, Refusal) else part_of(found)

    return steps()


async def _contained(part: Part, text: str, info: ResolveInfo) -> Part:
    info.context.follow(part.origin.size)
    root: Tree = part.origin.root
    if text == "#":
        return Part(root, part.origin)
    inside: Any = root.get("contained")
    for one in inside if type(inside) is list else ():
        if type(one) is dict and one.get("id") == text[1:]:
            return Part(one, part.origin)
    raise DeniedError("nothing of that name is contained")
