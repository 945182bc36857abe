"""Erasures: whoever the chain says is erased has no keys left here, and a certificate that the chain names."""

import hashlib

from gateway.crypto.model import DomainKind
from gateway.errors import ConsentryError
from gateway.ports.rows import ErasureState
from gateway.storage.model import Cid
from gateway.upkeep.checks.named import Named
from gateway.upkeep.faults import Fault, Verdict
from gateway.upkeep.report import Progress
from gateway.upkeep.walk import whole
from gateway.wiring.looking import Looking, decode_args

_NOT_DESTROYED = (ErasureState.REFUSED, ErasureState.BEGUN)


async def check_erasures(parts: Looking, verdict: Verdict, named: Named, progress: Progress) -> None:
    """By the chain's events: an index that says nothing of an erasure hides none."""
    for (subject,) in parts.survey.rows("erased on chain"):
        progress("erasures", 1)
        verdict.checked["erasures"] += 1
        what = f"subject 0x{subject.hex()}"
        row = parts.survey.one("erasure", subject=subject)
        state = None if row is None else ErasureState(row[0])
        if row is None or state in _NOT_DESTROYED:
            verdict.notes["erasures that are not carried out here yet"] += 1
            continue
        if subject in await parts.store.domains(DomainKind.SUBJECT.value):
            verdict.add(Fault.ERASURE_UNDONE, what)
        if state in (ErasureState.CERTIFIED, ErasureState.FINAL):
            final = state is ErasureState.FINAL
            await _check_certificate(parts, verdict, named, subject=subject, digest=row[1], final=final, what=what)


async def _check_certificate(
    parts: Looking, verdict: Verdict, named: Named, *, subject: bytes, digest: bytes, final: bool, what: str
) -> None:
    """The newest that the chain has, and the row's: one, but where a restored index erased again: the chain then
    keeps the first final one."""
    said = [
        (args["certificate"], bool(args["isFinal"]))
        for gateway, raw in parts.survey.rows("certificates", subject=subject)
        if gateway == parts.gateway and (args := decode_args(raw))
    ]
    newest = said[-1][0] if said else None
    sound = isinstance(newest, bytes) and final is said[-1][1] and (final or newest == digest)
    for one in {digest, newest}:
        sound = sound and isinstance(one, bytes) and await _is_there(parts, named, one)
    if not sound:
        verdict.add(Fault.ERASURE_UNCERTIFIED, what)


async def _is_there(parts: Looking, named: Named, digest: bytes) -> bool:
    named.name(digest)
    try:
        return hashlib.sha256(await whole(Cid.from_digest(digest), parts.blocks)).digest() == digest
    except ConsentryError:
        return False
