"""What a consent says, in plain words: part of what is signed, so that a patient can read it in a wallet; and what a
delegation says, beside what is signed.

The same terms and name give the same text. What others chose the words of (names, codes, contexts) is quoted unless it
is one plain word, so nothing of it can pass for a sentence of ours. Not done here: any check of the terms.
"""

import json
import re
from datetime import UTC, datetime

from gateway.consent.model import ANYONE, NO_END, Effect, Limits, Terms

_PLAIN = re.compile(r"[A-Za-z0-9:/.|_#-]*[A-Za-z0-9]")
_VERBS = {"READ": "read", "WRITE": "add to and amend"}
_REASONS = {
    "TREAT": "treatment",
    "ETREAT": "emergency treatment",
    "HPAYMT": "payment",
    "HOPERAT": "health-care operations",
    "HRESCH": "research",
    "CLINTRCH": "a clinical trial",
    "PATRQT": "the patient's own request",
    "PUBHLTH": "public health",
}


def statement(terms: Terms, grantee_name: str | None) -> str:
    """Plain words for the whole scope. `grantee_name`: as registered, None for anyone."""
    scope = terms.scope
    who = "anyone" if scope.grantee == ANYONE else f"{_name(grantee_name)} ({_short(scope.grantee)})"
    verbs = " and ".join(_VERBS[action] for action in scope.actions)
    reasons = ", ".join(_REASONS[purpose] for purpose in scope.purposes)
    lead = "I allow" if terms.effect is Effect.PERMIT else "I forbid"
    parts = [f"{lead} {who} to {verbs} my records for {reasons}."]
    for title, items in (
        ("Only these kinds", map(_shown, scope.resource_types)),
        ("Only these codes", map(_shown, scope.codes)),
        ("Only what these wrote", map(_short, scope.authors)),
        ("Only these records", map(_short, scope.records)),
        ("For these uses of data", map(_shown, scope.data_use)),
    ):
        listed = ", ".join(items)
        if listed:
            parts.append(f"{title}: {listed}.")
    if scope.labels:
        word = "Sensitive records included" if terms.effect is Effect.PERMIT else "Only records marked"
        parts.append(f"{word}: {', '.join(map(_shown, scope.labels))}.")
    elif terms.effect is Effect.PERMIT:
        parts.append("No sensitive records.")
    if scope.data_from or scope.data_to:
        parts.append(f"About care from {scope.data_from or 'the beginning'} to {scope.data_to or 'today and later'}.")
    if scope.context:
        parts.append(f"In this context: {_quoted(scope.context)}.")
    if any(scope.terms_hash):
        parts.append(f"Under the terms {_hex(scope.terms_hash)}.")
    end = "until I revoke it" if terms.not_after >= NO_END else f"to {time_text(_moment(terms.not_after))}"
    parts.append(f"Valid from {time_text(_moment(terms.not_before))} {end}.")
    return " ".join(parts)


def delegation_statement(limits: Limits, name: str | None, *, not_after: int) -> str:
    """Plain words for what a delegate may. `name`: as registered."""
    verbs = " and ".join(_VERBS[action] for action in limits.actions)
    reasons = ", ".join(_REASONS[purpose] for purpose in limits.purposes)
    kinds = ", ".join(map(_shown, limits.resource_types))
    labels = ", ".join(map(_shown, limits.labels))
    parts = [
        f"I let {_name(name)} ({_short(limits.actor)}) consent in my name.",
        f"They may allow others, never themselves, to {verbs} my records for {reasons}.",
        f"Only these kinds: {kinds}." if kinds else "",
        f"Sensitive records included: {labels}." if labels else "No sensitive records.",
        f"What they allow ends by {time_text(_moment(limits.permits_until))}, and whenever this ends.",
        "They may forbid, too; what they forbid stands until I revoke it." if limits.denies else "They may not forbid.",
        "They see my consents and my access log." if limits.lists else "They see of my consents what they signed.",
        f"Valid to {time_text(_moment(not_after))}, or until one of us ends it.",
    ]
    return " ".join(part for part in parts if part)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(min(seconds, 253_402_300_799), UTC)


def time_text(moment: datetime | None) -> str:
    """RFC 3339 in UTC, milliseconds where there are any; empty for none."""
    if moment is None:
        return ""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").replace(".000Z", "Z")


def _name(name: str | None) -> str:
    return _quoted(name) if name else "somebody unnamed"


def _short(raw: bytes) -> str:
    return _hex(raw)[:10] + "…"


def _shown(item: str) -> str:
    return item if _PLAIN.fullmatch(item) else _quoted(item)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()
