"""Emergencies: each row against its sealed statement, its patient's own log, and what the chain has of it."""

from dataclasses import dataclass, field
from typing import Final

from gateway.audit.service import read_note
from gateway.crypto.audit_keys import AuditKeys
from gateway.crypto.model import StatementFacts
from gateway.emergency import rules
from gateway.emergency.model import Opening
from gateway.emergency.openings import tokens_of
from gateway.emergency.service import END, OPEN, REVIEW
from gateway.errors import IntegrityError
from gateway.ports.clock import SystemEntropy
from gateway.ports.rows import EmergencyStep
from gateway.storage.model import Cid
from gateway.upkeep.checks.named import Named
from gateway.upkeep.faults import Fault, Verdict
from gateway.upkeep.report import Progress
from gateway.upkeep.walk import Found, inspect
from gateway.wiring.looking import Looking, decode_args

_STEPS: Final = {EmergencyStep.END: END, EmergencyStep.REVIEW: REVIEW}


@dataclass(slots=True)
class _Logs:
    """What patients' own logs tell of emergencies; each log is read once."""

    parts: Looking
    keys: AuditKeys
    _told: dict[bytes, dict[tuple[str, bytes], set[bytes]]] = field(default_factory=dict)

    async def decisions(self, subject: bytes, action: str, emergency: bytes) -> set[bytes]:
        """Of the permitted entries that tell of it."""
        if subject not in self._told:
            self._told[subject] = await self._read(subject)
        return self._told[subject].get((action, emergency), set())

    async def _read(self, subject: bytes) -> dict[tuple[str, bytes], set[bytes]]:
        told: dict[tuple[str, bytes], set[bytes]] = {}
        token = await self.keys.subject_token(subject)
        for decision, public, private in self.parts.survey.rows("log of patient", token=token or b""):
            try:
                opened = await self.keys.open_private(subject, private, context=decision)
                action, permitted, emergency = read_note(self.keys.open_public(public), opened)
            except IntegrityError:
                continue  # an entry that does not open is a fault of the audit's own
            if permitted and emergency:
                told.setdefault((action, emergency), set()).add(decision)
        return told


async def check_emergencies(parts: Looking, verdict: Verdict, named: Named, progress: Progress) -> None:
    """Openings, how they ended, and their reviews."""
    keys = AuditKeys(parts.keys, SystemEntropy())
    logs = _Logs(parts, keys)
    for name, digest, decision, call, opened_at, expires_at in parts.survey.rows("emergencies"):
        progress("emergencies", 1)
        verdict.checked["emergencies"] += 1
        named.name(digest)
        what = f"emergency 0x{name.hex()}"
        facts = await _statement(parts, verdict, digest, what)
        opening = None if facts is None else _opening(facts)
        if facts is None or opening is None:
            if facts is not None:
                verdict.add(Fault.EMERGENCY_OTHER, what)
            continue
        tokens = {token for (token,) in parts.survey.rows("emergency tokens", emergency=name)}
        wanted = parts.registries.open_emergency(commitment=name, expires_at=opening.expires_at).call
        said = (rules.commit(facts.salt, facts.octets), opening.opened_at, opening.expires_at, wanted)
        if said != (name, opened_at, expires_at, call) or tokens != set(tokens_of(keys, opening)):
            verdict.add(Fault.EMERGENCY_OTHER, what)
        if decision not in await logs.decisions(opening.subject, OPEN, name):
            verdict.add(Fault.EMERGENCY_UNTOLD, what)
        review = await _check_steps(parts, verdict, named, logs, name, opening)
        for event, args in parts.survey.rows("emergency events", emergency=name):
            has = decode_args(args)
            ours = has["expiresAt"] == opening.expires_at if event == "EmergencyOpened" else has["review"] == review
            if not ours:
                verdict.add(Fault.EMERGENCY_CHAIN, what)


async def check_stray_statement(parts: Looking, verdict: Verdict, facts: StatementFacts) -> None:
    """A statement that no row names: lawful if nobody was told of it."""
    logs = _Logs(parts, AuditKeys(parts.keys, SystemEntropy()))
    opening = _opening(facts)
    if opening is not None:
        name = rules.commit(facts.salt, facts.octets)
        told = await logs.decisions(opening.subject, OPEN, name)
        if told and parts.survey.one("emergency", emergency=name) is None:
            verdict.add(Fault.EMERGENCY_MISSING, f"emergency 0x{name.hex()}")
        return
    for step, action in _STEPS.items():
        of = _emergency_of(facts, step)
        told = set() if of is None else await logs.decisions(facts.subject, action, of)
        if of and told and parts.survey.one("emergency step", emergency=of, step=int(step)) is None:
            verdict.add(Fault.EMERGENCY_MISSING, f"{step.name.lower()} of emergency 0x{of.hex()}")


async def _check_steps(
    parts: Looking, verdict: Verdict, named: Named, logs: _Logs, name: bytes, opening: Opening
) -> bytes | None:
    """The commitment of its review, if there is one."""
    review: bytes | None = None
    for kind, digest, call in parts.survey.rows("emergency steps", emergency=name):
        step = EmergencyStep(kind)
        what = f"{step.name.lower()} of emergency 0x{name.hex()}"
        named.name(digest)
        facts = await _statement(parts, verdict, digest, what)
        if facts is None:
            continue
        wanted = b""
        if step is EmergencyStep.REVIEW:
            review = rules.commit(facts.salt, facts.octets)
            wanted = parts.registries.close_emergency(commitment=name, review=review).call
        if (facts.subject, _emergency_of(facts, step), wanted) != (opening.subject, name, call):
            verdict.add(Fault.EMERGENCY_OTHER, what)
        if not await logs.decisions(opening.subject, _STEPS[step], name):
            verdict.add(Fault.EMERGENCY_UNTOLD, what)
    return review


async def _statement(parts: Looking, verdict: Verdict, digest: bytes, what: str) -> StatementFacts | None:
    found = await inspect(Cid.from_digest(digest), blocks=parts.blocks, keys=parts.keys)
    facts = found.opened.facts if isinstance(found, Found) and found.opened is not None else None
    if isinstance(facts, StatementFacts):
        return facts
    verdict.add(Fault.EMERGENCY_BLOCK, what)
    return None


def _opening(facts: StatementFacts) -> Opening | None:
    """None for a text that no opening has, or one of another patient than its key's."""
    try:
        opening = rules.read_opening(facts.octets)
    except IntegrityError:
        return None
    return opening if opening.subject == facts.subject else None


def _emergency_of(facts: StatementFacts, step: EmergencyStep) -> bytes | None:
    read = rules.read_ending if step is EmergencyStep.END else rules.read_review
    try:
        return read(facts.octets).emergency
    except IntegrityError:
        return None
