"""What people signed: consents, revocations and profiles against their sealed blocks."""

from typing import Any

from gateway import eip712, jsontext
from gateway.consent import messages
from gateway.crypto.model import ConsentFacts, DomainKind, ProfileFacts, actor_domain
from gateway.errors import ConsentryError
from gateway.ports.rows import NarrowingKind
from gateway.storage.model import Cid
from gateway.upkeep.checks.erased import is_erased
from gateway.upkeep.checks.named import Named
from gateway.upkeep.faults import Fault, Verdict
from gateway.upkeep.report import Progress
from gateway.upkeep.walk import Found, inspect
from gateway.wiring.looking import Looking, decode_args


async def check_documents(parts: Looking, verdict: Verdict, named: Named, progress: Progress) -> None:
    """Each consent and narrowing against its sealed, signed text."""
    for consent, subject, digest, _ in parts.survey.rows("consents"):
        progress("consents", 1)
        verdict.checked["consents"] += 1
        named.name(digest)
        what = f"consent 0x{consent.hex()}"
        facts = await _document(parts, verdict, digest, subject, what)
        if facts is not None:
            said = _said(parts, facts)
            if said is None or said[0] != "consents" or said[1] != consent or said[2] != subject:
                verdict.add(Fault.CONSENT_OTHER, what)
            await _check_signature(parts, verdict, facts, what)
    for kind, subject, target, digest, _ in parts.survey.rows("narrowings"):
        progress("narrowings", 1)
        verdict.checked["narrowings"] += 1
        if kind == NarrowingKind.ERASE:
            verdict.notes["erasures"] += 1  # its signed text stands in its certificate, not in a sealed block
            continue
        named.name(digest)
        what = f"revocation of 0x{target.hex()}"
        facts = await _document(parts, verdict, digest, subject, what)
        if facts is not None:
            if _said(parts, facts) != (NarrowingKind(kind).name, target, subject):
                verdict.add(Fault.NARROWING_OTHER, what)
            await _check_signature(parts, verdict, facts, what)


async def _document(parts: Looking, verdict: Verdict, digest: bytes, subject: bytes, what: str) -> ConsentFacts | None:
    found = await inspect(Cid.from_digest(digest), blocks=parts.blocks, keys=parts.keys)
    if isinstance(found, Found) and found.opened is None and await is_erased(parts, subject):
        verdict.notes["signed texts of erased patients"] += 1
        return None
    facts = found.opened.facts if isinstance(found, Found) and found.opened is not None else None
    if not isinstance(facts, ConsentFacts) or facts.subject != subject:
        verdict.add(Fault.CONSENT_BLOCK, what)
        return None
    return facts


def _said(parts: Looking, facts: ConsentFacts) -> tuple[str, bytes, bytes] | None:
    """(what it is, what it is about, whose it is) by the text; None for a text of another kind."""
    domain = parts.domain
    full: Any = jsontext.loads(facts.typed_data)
    try:
        match full.get("primaryType"):
            case "Consent":
                terms = messages.read_consent(full, domain)
                return "consents", eip712.digest(messages.consent_typed_data(terms, domain)), terms.subject
            case "Revocation":
                subject, consent = messages.read_revocation(full, domain)
                return NarrowingKind.REVOKE.name, consent, subject
            case "RevokeAll":
                subject, epoch = messages.read_revoke_all(full, domain)
                return NarrowingKind.REVOKE_ALL.name, epoch.to_bytes(32, "big"), subject
            case "DelegationEnd":
                subject, number = messages.read_delegation_end(full, domain)
                return NarrowingKind.DELEGATE.name, number.to_bytes(32, "big"), subject
            case _:
                return None
    except ConsentryError:
        return None


async def _check_signature(parts: Looking, verdict: Verdict, facts: ConsentFacts, what: str) -> None:
    """By a key that is or was the patient's controller, or a delegate's."""
    full: Any = jsontext.loads(facts.typed_data)
    digest = eip712.digest(full)
    signers = {
        value
        for _, _, args in parts.survey.rows("identity", subject=facts.subject)
        for name in ("controller", "delegate")
        if isinstance(value := decode_args(args).get(name), bytes) and value
    }
    if eip712.recover(digest, facts.signature) in signers:
        return
    for signer in signers:
        if await parts.valid_signature(signer, digest, facts.signature):
            return
    verdict.add(Fault.CONSENT_SIGNATURE, what)


async def check_stray_document(parts: Looking, verdict: Verdict, facts: ConsentFacts) -> None:
    """A signed document that no row names: lawful if it is a copy, or a permit that the chain has not got."""
    said = _said(parts, facts)
    if said is None:
        return
    kind, target, subject = said
    if kind == "consents":
        missing = parts.survey.one("consent", consent=target) is None
        if missing and parts.survey.one("granted", subject=subject, consent=target) is not None:
            verdict.add(Fault.CONSENT_MISSING, f"consent 0x{target.hex()}")
    elif parts.survey.one("narrowing", kind=int(NarrowingKind[kind]), subject=subject, target=target) is None:
        verdict.add(Fault.NARROWING_MISSING, f"revocation of 0x{target.hex()}")


async def check_profiles(parts: Looking, verdict: Verdict, named: Named, progress: Progress) -> None:
    """Each actor's sealed profile."""
    gone = set(await parts.store.destroyed())
    for actor, args in parts.survey.rows("profiles"):
        digest = decode_args(args).get("profileDigest")
        if not isinstance(digest, bytes) or not any(digest):
            continue
        progress("profiles", 1)
        verdict.checked["profiles"] += 1
        named.name(digest)
        found = await inspect(Cid.from_digest(digest), blocks=parts.blocks, keys=parts.keys)
        facts = found.opened.facts if isinstance(found, Found) and found.opened is not None else None
        key = found.key if isinstance(found, Found) else None
        mine = isinstance(facts, ProfileFacts) and facts.actor == actor
        if (DomainKind.ACTOR.value, actor) in gone:
            verdict.notes["profiles of erased patients"] += 1
        elif not mine or key is None or key.domain != actor_domain(actor):
            verdict.add(Fault.PROFILE_MISSING, f"actor 0x{actor.hex()}")
