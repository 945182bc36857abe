"""What the terms of a consent may be, and how they are drafted. Pure."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from gateway.consent import studies
from gateway.consent.languages import Language
from gateway.consent.model import ANYONE, NO_END, Action, ConsentInput, Effect, Purpose, Scope, Terms
from gateway.consent.wording import statement as statement
from gateway.consent.wording import time_text
from gateway.errors import CallerError, ConflictError
from gateway.identity.control import Recovery

MOST_ITEMS = 256
LONGEST_TEXT = 512
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")


def check_terms(terms: Terms) -> None:
    """What no consent may be, whoever signed it."""
    scope = terms.scope
    if not terms.not_before < terms.not_after:
        raise CallerError("notAfter must be later than notBefore", field=("notAfter",))
    if terms.effect is Effect.PERMIT and terms.not_after >= NO_END:
        raise CallerError("a permit must have an end", field=("notAfter",))
    if not scope.actions or not set(scope.actions) <= {action.value for action in Action}:
        raise CallerError("name at least one action", field=("actions",))
    if not scope.purposes or not set(scope.purposes) <= {purpose.value for purpose in Purpose}:
        raise CallerError("name at least one purpose", field=("purposes",))
    if terms.effect is Effect.PERMIT and scope.grantee == ANYONE:
        raise CallerError("a permit must name its grantee", field=("granteeId",))
    start, end = _instant(scope.data_from, "dataFrom"), _instant(scope.data_to, "dataTo")
    if start is not None and end is not None and end < start:
        raise CallerError("dataTo must not be earlier than dataFrom", field=("dataTo",))


def check_context(terms: Terms) -> None:
    """What no new consent may be: for something that no decision knows, or for a study and something else besides. What
    was granted is read whatever its context says: a permit then permits nothing, and a deny hits."""
    if not terms.scope.context:
        return
    if studies.study_in(terms.scope.context) is None:
        raise CallerError("a context is a study's, as drafts have it", field=("context",))
    if terms.scope.purposes != (studies.PURPOSE.value,):
        raise CallerError("a consent for a study is for CLINTRCH alone", field=("purposes",))


def draft_terms(wanted: ConsentInput, *, epoch: int, now: int, salt: bytes, grantee_name: str | None) -> Terms:
    """The terms that a patient is asked to sign. Raises CallerError naming the input field."""
    if wanted.effect is Effect.PERMIT and wanted.not_after is None:
        raise CallerError("a permit must have an end", field=("notAfter",))
    for field, texts in (
        ("resourceTypes", wanted.resource_types),
        ("codes", wanted.codes),
        ("labels", wanted.labels),
        ("dataUse", wanted.data_use),
    ):
        bounded(texts, field)
    not_before = now if wanted.not_before is None else int(wanted.not_before.timestamp())
    not_after = NO_END if wanted.not_after is None else int(wanted.not_after.timestamp())
    for field, items in (("authorIds", wanted.authors), ("recordIds", wanted.records)):
        if len(items) > MOST_ITEMS:
            raise CallerError(f"at most {MOST_ITEMS} items", field=(field,))
    if not_before < 0 or not_after < 0:
        raise CallerError("earlier than 1970", field=("notBefore",))
    if wanted.terms_hash is not None and len(wanted.terms_hash) != 32:
        raise CallerError("32 bytes", field=("termsHash",))
    bare = Scope(
        grantee=wanted.grantee,
        actions=_unique(action.value for action in wanted.actions),
        purposes=_unique(purpose.value for purpose in wanted.purposes),
        resource_types=_unique(wanted.resource_types),
        codes=_unique(wanted.codes),
        labels=_unique(wanted.labels),
        authors=tuple(dict.fromkeys(wanted.authors)),
        records=tuple(dict.fromkeys(wanted.records)),
        data_from=_time(wanted.data_from, "dataFrom"),
        data_to=_time(wanted.data_to, "dataTo"),
        data_use=_unique(wanted.data_use),
        context="" if wanted.study is None else studies.context_of(wanted.study),
        terms_hash=wanted.terms_hash or bytes(32),
        salt=salt,
        statement="",
    )
    terms = Terms(
        subject=wanted.subject,
        effect=wanted.effect,
        scope=bare,
        not_before=not_before,
        not_after=not_after,
        epoch=epoch,
    )
    check_terms(terms)
    check_context(terms)
    return replace(terms, scope=replace(bare, statement=statement(terms, grantee_name, wanted.language)))


def says_what_it_does(terms: Terms, grantee_name: str | None) -> bool:
    """Whether the signed statement is that of the scope, in one of the languages."""
    return any(statement(terms, grantee_name, language) == terms.scope.statement for language in Language)


def require_free(recovery: Recovery | None) -> None:
    """While a recovery is pending the present controller revokes and denies, and nothing else (ISubjects). Raises
    ConflictError."""
    if recovery is not None:
        raise ConflictError(
            "a recovery is pending: until it is over this patient's key revokes, denies, and objects to it once",
            field=("typedData",),
        )


def bounded(texts: Sequence[str], field: str) -> None:
    if len(texts) > MOST_ITEMS:
        raise CallerError(f"at most {MOST_ITEMS} items", field=(field,))
    for text in texts:
        if not text or len(text) > LONGEST_TEXT or not text.isprintable():
            raise CallerError(f"1 to {LONGEST_TEXT} printable characters each", field=(field,))


def _time(moment: datetime | None, field: str) -> str:
    try:
        return time_text(moment)
    except OverflowError as error:  # the year 1, or 9999, of a zone
        raise CallerError("not a time of the calendar in UTC", field=(field,)) from error


def _instant(text: str, field: str) -> datetime | None:
    if not text:
        return None
    try:
        if _TIME.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError as error:
        raise CallerError("not a time of the calendar", field=(field,)) from error
    raise CallerError("not an RFC 3339 time in UTC", field=(field,))


def _unique(items: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))
