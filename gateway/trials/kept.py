"""Which forms of a subject a study keeps, by the entries of its journal: their places, versions and commitments, never
what they say."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from gateway.ids import RecordId, SubjectId
from gateway.ports.trials import StudyEntryKind
from gateway.trials import acts
from gateway.trials.journal import MOST, Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptForm:
    """A version of a form of a subject. `number`: of the entry that tells of it."""

    record: RecordId
    version: int
    digest: bytes
    content: bytes
    event: str
    event_repeat_key: str | None
    form: str
    form_repeat_key: str | None
    definition: int
    by: bytes
    at: int
    reason: str
    number: int


async def captures(journal: Journal, study: bytes, subject: SubjectId) -> AsyncIterator[KeptForm]:
    """Each version of each form, in the order in which they came. Nothing of a subject who was erased."""
    after = -1
    kinds = (StudyEntryKind.CAPTURE,)
    while entries := await journal.read(study, after=after, limit=MOST, kinds=kinds, subject=subject):
        after = entries[-1].number
        for entry in entries:
            act = None if entry.octets is None else acts.read_entry(entry.octets).act
            if isinstance(act, acts.Capture):
                for one in act.forms:
                    yield _kept(one, act, entry.number)


async def newest(journal: Journal, study: bytes, subject: SubjectId) -> tuple[KeptForm, ...]:
    """The newest version of each form, in the order in which the forms came first."""
    found: dict[bytes, KeptForm] = {}
    async for one in captures(journal, study, subject):
        found[one.record] = one
    return tuple(found.values())


def _kept(one: acts.CapturedVersion, act: acts.Capture, number: int) -> KeptForm:
    return KeptForm(
        record=RecordId(bytes.fromhex(one.record)),
        version=one.version,
        digest=bytes.fromhex(one.digest),
        content=bytes.fromhex(one.content),
        event=one.event,
        event_repeat_key=one.event_repeat_key,
        form=one.form,
        form_repeat_key=one.form_repeat_key,
        definition=act.definition,
        by=bytes.fromhex(act.by),
        at=act.at,
        reason=act.reason,
        number=number,
    )
