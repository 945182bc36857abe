"""What a consent says, in plain words: part of what is signed, so that a patient can read it in a wallet; and what a
delegation says, beside what is signed.

The same terms, name and language give the same text. What others chose the words of (names, codes, contexts) is quoted
unless it is one plain word, so nothing of it can pass for a sentence of ours. Not done here: any check of the terms.
"""

import json
import re
from datetime import UTC, datetime

from gateway.consent.languages import WORDS, Language, Words
from gateway.consent.model import ANYONE, NO_END, Effect, Limits, Terms

_PLAIN = re.compile(r"[A-Za-z0-9:/.|_#-]*[A-Za-z0-9]")


def statement(terms: Terms, grantee_name: str | None, language: Language = Language.EN) -> str:
    """Plain words for the whole scope. `grantee_name`: as registered, None for anyone."""
    scope, words = terms.scope, WORDS[language]
    permit = terms.effect is Effect.PERMIT
    verbs = words.allow_verbs if permit else words.forbid_verbs
    lead = words.allow if permit else words.forbid
    who = words.anyone if scope.grantee == ANYONE else _who(words, grantee_name, scope.grantee)
    reasons = ", ".join(words.purposes[purpose] for purpose in scope.purposes)
    parts = [lead.format(who=who, verbs=words.joined.join(verbs[action] for action in scope.actions), reasons=reasons)]
    for sentence, items in (
        (words.kinds, map(_shown, scope.resource_types)),
        (words.codes, map(_shown, scope.codes)),
        (words.authors, map(_short, scope.authors)),
        (words.records, map(_short, scope.records)),
        (words.uses, map(_shown, scope.data_use)),
    ):
        listed = ", ".join(items)
        if listed:
            parts.append(sentence.format(items=listed))
    if scope.labels:
        sentence = words.sensitive if permit else words.marked
        parts.append(sentence.format(items=", ".join(map(_shown, scope.labels))))
    elif permit:
        parts.append(words.nothing_sensitive)
    if scope.data_from or scope.data_to:
        start, end = scope.data_from or words.beginning, scope.data_to or words.open_end
        parts.append(words.period.format(start=start, end=end))
    if scope.context:
        parts.append(words.context.format(items=_quoted(scope.context)))
    if any(scope.terms_hash):
        parts.append(words.terms.format(items=_hex(scope.terms_hash)))
    valid = words.valid_until_revoked if terms.not_after >= NO_END else words.valid_to
    parts.append(valid.format(start=time_text(_moment(terms.not_before)), end=time_text(_moment(terms.not_after))))
    return " ".join(parts)


def delegation_statement(limits: Limits, name: str | None, *, not_after: int, language: Language = Language.EN) -> str:
    """Plain words for what a delegate may. `name`: as registered."""
    words = WORDS[language]
    verbs = words.joined.join(words.allow_verbs[action] for action in limits.actions)
    reasons = ", ".join(words.purposes[purpose] for purpose in limits.purposes)
    kinds = ", ".join(map(_shown, limits.resource_types))
    labels = ", ".join(map(_shown, limits.labels))
    parts = [
        words.delegate.format(who=_who(words, name, limits.actor)),
        words.may_allow.format(verbs=verbs, reasons=reasons),
        words.kinds.format(items=kinds) if kinds else "",
        words.sensitive.format(items=labels) if labels else words.nothing_sensitive,
        words.allowed_ends.format(end=time_text(_moment(limits.permits_until))),
        words.may_forbid if limits.denies else words.may_not_forbid,
        words.sees_all if limits.lists else words.sees_own,
        words.delegation_valid.format(end=time_text(_moment(not_after))),
    ]
    return " ".join(part for part in parts if part)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(min(seconds, 253_402_300_799), UTC)


def time_text(moment: datetime | None) -> str:
    """RFC 3339 in UTC, milliseconds where there are any; empty for none."""
    if moment is None:
        return ""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").replace(".000Z", "Z")


def _who(words: Words, name: str | None, actor: bytes) -> str:
    return f"{_quoted(name) if name else words.nameless} ({_short(actor)})"


def _short(raw: bytes) -> str:
    return _hex(raw)[:10] + "…"


def _shown(item: str) -> str:
    return item if _PLAIN.fullmatch(item) else _quoted(item)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()
