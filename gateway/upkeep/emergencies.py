"""Emergencies from their sealed statements: what the patient was told of comes back, in the order of the telling.

A statement alone proves nothing, for it is sealed before it is acknowledged; the entry in the patient's log, written
with it, does. One whose entry was in the tail that is lost with the database is opened again by its clinician. What the
chain has not got yet of those that come back is relayed again.
"""

import json
from collections.abc import Sequence

from anchoring.model import Event
from gateway.audit.service import read_note
from gateway.crypto.audit_keys import AuditKeys
from gateway.emergency import rules
from gateway.emergency.model import Opening
from gateway.emergency.openings import tokens_of
from gateway.emergency.service import END, OPEN, REVIEW
from gateway.errors import IntegrityError
from gateway.ports.clock import SystemEntropy
from gateway.ports.index import Index
from gateway.ports.rows import EmergencyStep
from gateway.upkeep.filling import Filling
from gateway.upkeep.report import RebuildReport
from gateway.upkeep.scratch import FoundStatement, Scratch
from gateway.wiring.upkeep import Upkeep

Rows = list[dict[str, object]]
_OPENED, _CLOSED = _EVENTS = ("EmergencyOpened", "EmergencyClosed")
_SCAN = 500
_NEWEST = 2**62


async def restore_emergencies(
    parts: Upkeep, scratch: Scratch, filling: Filling, report: RebuildReport, events: Sequence[Event]
) -> None:
    """In the order of opening. Audit entries must be back already."""
    keys = AuditKeys(parts.keys, SystemEntropy())
    said: dict[str, list[FoundStatement]] = {"open": [], "end": [], "review": []}
    for found in scratch.statements():
        said[str(json.loads(found.octets).get("kind"))].append(found)
    openings = {rules.commit(found.salt, found.octets): found for found in said["open"]}
    notes = {subject: await _notes(parts.index, keys, subject) for subject in {one.subject for one in said["open"]}}
    on_chain = {(event.name, event.keys[0]): event for event in events if event.name in _EVENTS}
    rows: dict[str, Rows] = {"emergencies": [], "emergency_tokens": [], "emergency_steps": []}
    told = {name: note for name, found in openings.items() if (note := notes[found.subject].get((OPEN, name)))}
    if len(told) < len(openings):
        report.dropped["emergencies that nobody was told of"] += len(openings) - len(told)
    for name in sorted(told, key=lambda name: told[name][0]):
        found = openings[name]
        opening = rules.read_opening(found.octets)
        call = parts.port.open_emergency(commitment=name, expires_at=opening.expires_at)
        await filling.intend(call, event=on_chain.get((_OPENED, name)))
        rows["emergencies"].append(_row(name, found, opening, told[name][1], call.call))
        rows["emergency_tokens"] += [{"token": token, "emergency": name} for token in tokens_of(keys, opening)]
        report.restored["emergencies"] += 1
    closed = {name: event.args.get("review") for (kind, name), event in on_chain.items() if kind == _CLOSED}
    steps = [(EmergencyStep.END, END, found) for found in said["end"]]
    # Of two reviews the one that the chain names goes first; a step that was not acknowledged is in no log.
    reviews = sorted(said["review"], key=lambda one: rules.commit(one.salt, one.octets) not in closed.values())
    for step, action, found in [*steps, *((EmergencyStep.REVIEW, REVIEW, one) for one in reviews)]:
        read = rules.read_ending if step is EmergencyStep.END else rules.read_review
        name = read(found.octets).emergency
        taken = any((row["emergency"], row["step"]) == (name, int(step)) for row in rows["emergency_steps"])
        if name in told and not taken and (action, name) in notes[openings[name].subject]:
            row = {"emergency": name, "step": int(step), "digest": found.digest, "call": b""}
            if step is EmergencyStep.REVIEW:
                review = rules.commit(found.salt, found.octets)
                call = parts.port.close_emergency(commitment=name, review=review)
                await filling.intend(call, event=on_chain.get((_CLOSED, name)))
                row["call"] = call.call
            rows["emergency_steps"].append(row)
    for table, made in rows.items():
        await filling.insert(table, made)


async def _notes(index: Index, keys: AuditKeys, subject: bytes) -> dict[tuple[str, bytes], tuple[int, bytes]]:
    """(action, emergency) -> (row id, decision), of all that a patient's log says of emergencies."""
    token = await keys.subject_token(subject)
    notes: dict[tuple[str, bytes], tuple[int, bytes]] = {}
    before = _NEWEST
    while token is not None:
        page = await index.entries(token, before=before, limit=_SCAN)
        for row, stored in page:
            try:
                action, permitted, emergency = read_note(
                    keys.open_public(stored.public),
                    await keys.open_private(subject, stored.private, context=stored.decision),
                )
            except IntegrityError:
                continue  # an entry under a key that is no more, or of somebody else: no note of ours
            if permitted and emergency:
                notes[action, emergency] = (row, stored.decision)
        if len(page) < _SCAN:
            break
        before = page[-1][0]
    return notes


def _row(name: bytes, found: FoundStatement, opening: Opening, decision: bytes, call: bytes) -> dict[str, object]:
    return {
        "emergency": name,
        "digest": found.digest,
        "decision": decision,
        "call": call,
        "opened_at": opening.opened_at,
        "expires_at": opening.expires_at,
    }
