"""A study's journal inside a gateway: entries that are made durable with an audit entry, as a service does it."""

import asyncio
import time
from collections.abc import Sequence

from gateway import jsontext
from gateway.audit.model import Outcome
from gateway.audit.service import Event
from gateway.ids import ActorId, SubjectId
from gateway.ports.ledger import Appended, Taken
from gateway.ports.trials import StudyEntryKind
from gateway.trials.journal import Entry, Head, Journal, NewEntry
from gateway.trials.links import digest_of
from tests.attacks.inside import Inside

STUDY = bytes.fromhex("5d" * 32)
PATIENCE = 60.0


def journal_of(running: Inside) -> Journal:
    """Over the very parts that this gateway keeps releases with."""
    kept = running.gateway.releases._papers
    return Journal(documents=kept._documents, index=kept._index, anchors=kept._anchors, keys=kept._keys)


def captured(number: int, subject: SubjectId | None) -> NewEntry:
    """A value of a form, with a salt of its own."""
    octets = jsontext.canonical({"item": "VS.SYSBP", "salt": f"{number:032x}", "value": str(110 + number)})
    return NewEntry(kind=StudyEntryKind.CAPTURE, octets=octets, subject=subject)


async def append(running: Inside, sponsor: ActorId, added: Sequence[NewEntry], *, study: bytes = STUDY) -> Head:
    """Durable and pinned; begun again at the new head where somebody else was quicker."""
    journal, audit = journal_of(running), running.gateway.releases._audit
    while True:
        rows, sealed, head = await journal.rows(study, sponsor, await journal.head(study), added)
        event = Event(
            decision=audit.new_decision(),
            at=time.time(),
            actor=sponsor,
            outcome=Outcome.PERMITTED,
            action="ENTER_STUDY",
            digest=digest_of(added[-1].octets),
        )
        written = await audit.append(event, rows=rows)
        if isinstance(written, Appended):
            await journal.pin(sealed)
            return head
        assert written == Taken(table="study_entries")


async def anchored(running: Inside, *, study: bytes = STUDY) -> tuple[Entry, ...]:
    """All entries, once each is on chain."""
    journal = journal_of(running)
    async with asyncio.timeout(PATIENCE):
        while True:
            entries = await journal.read(study, limit=1000)
            if all(one.proof is not None for one in await journal.anchored(study, entries)):
                return entries
            await asyncio.sleep(0.1)
