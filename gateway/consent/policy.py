"""The one decision. Facts in, `Permit | Deny(reason)` out: no clock, no I/O, no log.

No grant: denied. Deny overrides permit. Ambiguous, stale, unknown, empty: denied, each with a reason of its own that
never leaves the service. A permit is read narrowly (all must be covered), a deny widely (anything touched is hit). An
open emergency goes past what is missing or stale, and past denies; never past a deny that names emergencies (`ETREAT`),
or that might: one whose scope cannot be opened.

A study's records are decided in that study: by a request that names it, on consents whose context it is, and within
what the study itself lets its people do. Such a request reaches no other record, and no other request reaches them, but
for the patient, who reads their own; custody and emergencies end at a study's door.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import product

from gateway.consent import studies
from gateway.consent.data_use import covers
from gateway.consent.model import (
    ANYONE,
    AccessRequest,
    Action,
    AsOf,
    Basis,
    Decision,
    DecisionFacts,
    Deny,
    Effect,
    Epochs,
    Grant,
    Mandate,
    OpenEmergency,
    Permit,
    Purpose,
    Requester,
    Scope,
    SealedDeny,
    StudyStanding,
    _Mint,
)
from gateway.identity.model import Reach, Role
from gateway.ids import ConsentId, SubjectId

PERMIT_SECONDS = 5.0
"""A permit opens a key for this long and no longer."""
RESEARCH = frozenset({Purpose.HRESCH, Purpose.CLINTRCH})
CARE = frozenset({Purpose.TREAT, Purpose.ETREAT, Purpose.PATRQT})
"""Purposes that a use of data (GA4GH DUO) says nothing about; of any other it may be the very point."""
SHORTEST_SIGNER = 20
"""Octets of an ERC-7913 signer, at least: what stands in for a changing key is shorter, and owns nothing."""
CLAIMS: dict[Role, frozenset[Purpose]] = {
    Role.PATIENT: frozenset({Purpose.PATRQT}),
    Role.CLINICIAN: frozenset({Purpose.TREAT, Purpose.ETREAT, Purpose.HOPERAT, Purpose.PUBHLTH, Purpose.CLINTRCH}),
    Role.ORGANIZATION: frozenset(Purpose) - {Purpose.PATRQT},
    Role.RESEARCHER: RESEARCH,
    Role.DATA_STEWARD: frozenset({Purpose.HRESCH, Purpose.HOPERAT}),
    Role.AUDITOR: frozenset({Purpose.HOPERAT, Purpose.CLINTRCH}),
    Role.DEVICE: frozenset({Purpose.TREAT, Purpose.ETREAT}),
    Role.PAYER: frozenset({Purpose.HPAYMT}),
    Role.REGISTRAR: frozenset({Purpose.HOPERAT}),
}
"""Which purposes a role may claim at all, before any consent is looked at."""
SKEW_SECONDS = 30
"""How far the clocks of two replicas may differ: one may be asked under an emergency that the other opened."""
_MINT = _Mint()
_NOTHING: frozenset[str] = frozenset()
_SEALED = "a deny stands whose scope cannot be opened"
_OTHER_RECORD = "the facts are of another record"
_OTHER_STUDY = "the record is not of the study that was asked in"
_PARTS = "parts are labelled beyond the consent"


def may_claim(roles: Iterable[Role], purpose: Purpose) -> bool:
    """Whether one of the roles may claim the purpose; who owns the record, or keeps it, claims none."""
    return _may_claim(frozenset(roles), purpose)


@lru_cache(maxsize=256)
def _may_claim(roles: frozenset[Role], purpose: Purpose) -> bool:
    """Whoever asks for many records asks the same of each."""
    return any(purpose in CLAIMS[role] for role in roles)


def owns(requester: Requester, epochs: Epochs) -> bool:
    """The requester is the patient: by the wallet that is the subject's controller, or as an actor that the controller
    linked. A controller that is no wallet signs texts and nothing else, whoever shows it."""
    if len(epochs.controller) < SHORTEST_SIGNER:
        return False
    by_wallet = len(epochs.controller) == SHORTEST_SIGNER and requester.key == epochs.controller
    return by_wallet or requester.actor in epochs.credentials


def keeps(requester: Requester, epochs: Epochs) -> bool:
    """The subject is in custody of the requester, or of an organization that the requester belongs to."""
    return (
        not epochs.controller
        and epochs.custodian is not None
        and (epochs.custodian == requester.actor or epochs.custodian in requester.organizations)
    )


def breaks_glass(requester: Requester, subject: SubjectId, emergency: OpenEmergency | None) -> bool:
    """The emergency is the requester's own, for this subject; only a clinician has one."""
    return (
        emergency is not None
        and emergency.clinician == requester.actor
        and emergency.subject == subject
        and Role.CLINICIAN in requester.roles
    )


def concerned_until(
    requester: Requester,
    grants: Iterable[Grant | SealedDeny],
    epochs: Epochs,
    emergency: OpenEmergency | None = None,
    *,
    study: StudyStanding | None = None,
    block_time: int,
    now: float,
) -> float:
    """Seconds since 1970 before which some decision on this subject could permit, with no event in between: of what
    names the requester the last to end. 0: none could now; infinity for those who need no permit, and for what stays
    readable in a study. `study`: where one is asked in."""
    reach = requester.reach
    if study is not None:
        return _concerned_in(study, requester, grants, epochs, block_time=block_time, now=now)
    if owns(requester, epochs) and _leaves(reach, Action, (Purpose.PATRQT,)):
        return float("inf")
    if keeps(requester, epochs) and _leaves(reach, (Action.WRITE,), Purpose):
        return float("inf")
    ends = [
        grant.ends
        for grant in grants
        if type(grant) is Grant
        and lets_in(grant, requester, epochs, block_time=block_time, now=now)
        and _leaves(reach, grant.terms.scope.actions, grant.terms.scope.purposes)
    ]
    broken = emergency is not None and breaks_glass(requester, epochs.subject, emergency)
    if emergency is not None and broken and _leaves(reach, Action, (Purpose.ETREAT,)):
        ends.append(emergency.expires_at if max(now, block_time) < emergency.expires_at else 0)
    return max(ends, default=0.0)


def _concerned_in(
    study: StudyStanding,
    requester: Requester,
    grants: Iterable[Grant | SealedDeny],
    epochs: Epochs,
    *,
    block_time: int,
    now: float,
) -> float:
    """As `concerned_until`, in a study: by its consents alone, and within what it lets the requester do."""
    if not may_claim(requester.roles, studies.PURPOSE):
        return 0.0
    actions = [
        action
        for action in Action
        if studies.refusal(study, action) is None and _leaves(requester.reach, (action,), (studies.PURPOSE,))
    ]
    return max(
        (
            stands_until(grant, study, action, requester, epochs, block_time=block_time, now=now)
            for grant in grants
            if type(grant) is Grant and studies.PURPOSE in grant.terms.scope.purposes
            for action in actions
            if action in grant.terms.scope.actions
        ),
        default=0.0,
    )


def may_concern(
    requester: Requester,
    grants: Iterable[Grant | SealedDeny],
    epochs: Epochs,
    emergency: OpenEmergency | None = None,
    *,
    study: StudyStanding | None = None,
    block_time: int,
    now: float,
) -> bool:
    """Whether any decision on this subject could permit. False: deny before anything is fetched. Time is judged as
    permits have it."""
    return concerned_until(requester, grants, epochs, emergency, study=study, block_time=block_time, now=now) > 0.0


def reaches(
    request: AccessRequest,
    grants: Iterable[Grant | SealedDeny],
    epochs: Epochs,
    as_of: AsOf,
    now: float,
    emergency: OpenEmergency | None = None,
) -> bool:
    """Whether, for all that is known without the record's facts, a decision on it could permit. Who is told that a
    record cannot be opened is told that it exists: nobody is whom no fact could have let in."""
    asking = request.requester
    if not within_scopes(request, epochs, (None,)):
        return False
    if request.study is not None and _refused_in(request.study, request) is not None:
        return False
    if request.study is None and _needs_no_consent(asking, epochs, emergency):
        return True
    if not may_claim(asking.roles, request.purpose):
        return False
    return any(
        type(grant) is Grant
        and _stands(grant, request, epochs, as_of, now)
        and request.action in grant.terms.scope.actions
        and request.purpose in grant.terms.scope.purposes
        and (not grant.terms.scope.records or request.record in grant.terms.scope.records)
        for grant in grants
    )


def decide(
    request: AccessRequest,
    facts: DecisionFacts,
    grants: Sequence[Grant | SealedDeny],
    epochs: Epochs,
    as_of: AsOf,
    now: float,
    emergency: OpenEmergency | None = None,
) -> Decision:
    """The decision on one record. `now`: seconds since 1970, the host's clock. `emergency`: the requester's open one
    for this subject; it counts only where an emergency is what was asked for."""
    # 1. What is about something else, or stale, decides nothing. An emergency stands on what is known here.
    if not request.subject == facts.subject == epochs.subject or request.record != facts.record:
        return Deny(reason=_OTHER_RECORD)
    if request.data_use and request.purpose not in RESEARCH:
        return Deny(reason="data are released for research alone")
    if facts.study != studies.name_of(request.study) and not _reads_own(request, epochs):
        return Deny(reason=_OTHER_STUDY)
    if request.study is not None and (refused := _refused_in(request.study, request)) is not None:
        return Deny(reason=refused)
    if not within_scopes(request, epochs, (facts.resource_type, *facts.contained_types)):
        return Deny(reason="the token's scopes do not reach this")
    if emergency is not None and not facts.study and _is_urgent(emergency, request, as_of, now):
        return _in_emergency(request, facts, grants, epochs, as_of, now, emergency)
    if not as_of.fresh:
        return Deny(reason="the index lags behind the chain")
    if epochs.stale:
        return Deny(reason="the subject's events do not add up")
    # 2. Patients have their own. A release of data is another thing, and so is what is done in a study: it stands on a
    #    consent to it, or not at all.
    if not request.data_use and request.study is None and owns(request.requester, epochs):
        return _permit(request, epochs, as_of, now, basis=Basis.OWN, consents=(), obligations=())
    # 3. In custody the enrolling organization appends, and nobody reads.
    if not epochs.controller:
        appends = request.action is Action.WRITE and request.record is None and request.study is None
        if not (appends and keeps(request.requester, epochs)):
            return Deny(reason="the subject is in custody")
        return _permit(request, epochs, as_of, now, basis=Basis.CUSTODY, consents=(), obligations=())
    # 4. A role bounds what may be claimed.
    if not may_claim(request.requester.roles, request.purpose):
        return Deny(reason="the role may not claim this purpose")
    # 5. Denies, read widely.
    hidden = _denied_parts(request, facts, grants, as_of, now)
    if isinstance(hidden, Deny):
        return hidden
    # 6. Permits, read narrowly; of several, the one that hides least.
    best: tuple[int, ConsentId, frozenset[str]] | None = None
    for grant in grants:
        # Of many consents most name others: that is looked at first.
        if (
            type(grant) is Grant
            and (request.study is not None or _names(grant.terms.scope, request.requester))
            and permits(grant, request, facts, epochs, as_of, now)
        ):
            parts = hidden | _unnamed_parts(grant.terms.scope, facts)
            if best is None or len(parts) < best[0]:
                best = (len(parts), grant.consent, parts)
                if parts == hidden:
                    break  # no consent hides less than the denies do
    if best is None:
        return Deny(reason="no consent covers this")
    if best[2] and request.action is Action.WRITE:
        return Deny(reason=_PARTS)
    return _permit(request, epochs, as_of, now, basis=Basis.CONSENT, consents=(best[1],), obligations=sorted(best[2]))


def _needs_no_consent(requester: Requester, epochs: Epochs, emergency: OpenEmergency | None) -> bool:
    """The patient, the custodian, or the clinician of an open emergency: none of them as such has a say in a study."""
    return (
        owns(requester, epochs)
        or keeps(requester, epochs)
        or (emergency is not None and breaks_glass(requester, epochs.subject, emergency))
    )


def _reads_own(request: AccessRequest, epochs: Epochs) -> bool:
    """Patients read their own, whatever study it is of."""
    return (
        request.study is None
        and not request.data_use
        and request.action is Action.READ
        and owns(request.requester, epochs)
    )


def _refused_in(study: StudyStanding, request: AccessRequest) -> str | None:
    """Why nothing may be done in the study by this request, whatever the record and the consents are. What was
    collected of who left may stay with the study; it is in no release."""
    if request.purpose is not studies.PURPOSE:
        return "in a study there is one purpose"
    if request.data_use and not study.collects:
        return "who left the study is in no release of its data"
    return studies.refusal(study, request.action)


def within_scopes(request: AccessRequest, epochs: Epochs, types: Iterable[str | None]) -> bool:
    """Whether a bearer token's scopes leave room for the request on all of these types (None: on some). They only take
    away: every other rule follows. What patients do with their own is always their own request, but for a study's."""
    reach = request.requester.reach
    if reach is None:
        return True
    own = request.study is None and owns(request.requester, epochs)
    purpose = Purpose.PATRQT if own else request.purpose
    return all(reach.covers(request.action, purpose, one) for one in types)


def _leaves(reach: Reach | None, actions: Iterable[str], purposes: Iterable[str]) -> bool:
    """Whether a bearer token's scopes leave any of these actions for any of these purposes, on some type."""
    return reach is None or any(
        reach.covers(action, purpose, None) for action, purpose in product(tuple(actions), tuple(purposes))
    )


def _is_urgent(emergency: OpenEmergency, request: AccessRequest, as_of: AsOf, now: float) -> bool:
    """Asked for as an emergency, by its clinician, between its two ends by every clock that we have."""
    return (
        request.purpose is Purpose.ETREAT
        and breaks_glass(request.requester, request.subject, emergency)
        and emergency.opened_at - SKEW_SECONDS <= now
        and max(now, as_of.block_time) < emergency.expires_at
    )


def _in_emergency(
    request: AccessRequest,
    facts: DecisionFacts,
    grants: Iterable[Grant | SealedDeny],
    epochs: Epochs,
    as_of: AsOf,
    now: float,
    emergency: OpenEmergency,
) -> Decision:
    """All labels, past missing grants and past denies; not past those that name emergencies, nor past one that cannot
    be opened and so might. A deny for every purpose (none listed) names none."""
    naming = [
        grant for grant in grants if isinstance(grant, SealedDeny) or Purpose.ETREAT in grant.terms.scope.purposes
    ]
    hidden = _denied_parts(request, facts, naming, as_of, now)
    if isinstance(hidden, Deny):
        return hidden
    if hidden and request.action is Action.WRITE:
        return Deny(reason=_PARTS)
    return _permit(
        request,
        epochs,
        as_of,
        now,
        basis=Basis.EMERGENCY,
        consents=(),
        obligations=sorted(hidden),
        emergency=emergency,
    )


def permits(
    grant: Grant, request: AccessRequest, facts: DecisionFacts, epochs: Epochs, as_of: AsOf, now: float
) -> bool:
    """A PERMIT covers the whole record. Empty purposes or actions match nothing; unlisted labels are not covered."""
    terms, scope = grant.terms, grant.terms.scope
    if terms.subject != facts.subject:
        return False
    if not _stands(grant, request, epochs, as_of, now):
        return False
    if request.action not in scope.actions or request.purpose not in scope.purposes:
        return False
    if request.data_use:
        if not covers(scope.data_use, request.data_use):
            return False
    elif scope.data_use and request.purpose not in CARE:
        return False  # a data use is asked for by requests that declare one; this one does not
    types = scope.resource_types
    if types and not (facts.resource_type in types and facts.contained_types <= frozenset(types)):
        return False
    if scope.codes and not facts.codes & frozenset(scope.codes):
        return False
    if scope.authors and facts.author not in scope.authors:
        return False
    if scope.records and facts.record not in scope.records:
        return False
    return facts.labels <= frozenset(scope.labels) and _inside(scope, facts.period)


def denies(grant: Grant, request: AccessRequest, facts: DecisionFacts, as_of: AsOf, now: float) -> bool:
    """A DENY touches the request: each non-empty criterion but `labels` intersects. Unconfirmed ones count. A record
    yet to be made is none of those that a deny names; what it is about may be."""
    terms, scope = grant.terms, grant.terms.scope
    if terms.effect is not Effect.DENY or grant.revoked or terms.subject != facts.subject:
        return False
    if not (terms.not_before <= max(now, as_of.block_time) and min(now, as_of.block_time) < terms.not_after):
        return False
    if not (_names(scope, request.requester) or _is_of_sponsor(scope, request.study)):
        return False
    if scope.context and not _reaches_study(scope.context, request.study):
        return False
    if scope.actions and request.action not in scope.actions:
        return False
    if scope.purposes and request.purpose not in scope.purposes:
        return False
    if scope.data_use and request.purpose in CARE:
        return False
    types = scope.resource_types
    if types and facts.resource_type not in types and not facts.contained_types & frozenset(types):
        return False
    if scope.codes and facts.mentioned.isdisjoint(scope.codes) and facts.codes.isdisjoint(scope.codes):
        return False
    if scope.authors and facts.author is not None and facts.author not in scope.authors:
        return False
    if scope.records and facts.record not in scope.records:
        return False
    return _touches(scope, facts.period)


def is_sealed_in_time(deny: SealedDeny, as_of: AsOf, now: float) -> bool:
    """Its window is read widely. What it denies is not known: in its time, everything."""
    return deny.not_before <= max(now, as_of.block_time) and min(now, as_of.block_time) < deny.not_after


def _denied_parts(
    request: AccessRequest, facts: DecisionFacts, grants: Iterable[Grant | SealedDeny], as_of: AsOf, now: float
) -> frozenset[str] | Deny:
    """Deny for the whole record, or the inline parts that some deny hits by their labels."""
    hidden: set[str] = set()
    for grant in grants:
        if isinstance(grant, SealedDeny):
            if is_sealed_in_time(grant, as_of, now):
                return Deny(reason=_SEALED)
        elif grant.terms.effect is Effect.DENY and denies(grant, request, facts, as_of, now):
            labels = frozenset(grant.terms.scope.labels)
            if not labels or labels & facts.labels:
                return Deny(reason="a deny covers this")
            hidden |= {part for part, inline in facts.inline.items() if inline & labels}
    return frozenset(hidden)


def _unnamed_parts(scope: Scope, facts: DecisionFacts) -> frozenset[str]:
    if not facts.inline:
        return _NOTHING
    labels = frozenset(scope.labels)
    return frozenset(part for part, inline in facts.inline.items() if not inline <= labels)


def _stands(grant: Grant, request: AccessRequest, epochs: Epochs, as_of: AsOf, now: float) -> bool:
    """A permit stands for whoever asks, where they ask, and in a study for what they would do. A release ends with its
    permit, whatever the study's terms let stay."""
    asking, study, block_time = request.requester, request.study, as_of.block_time
    if study is None:
        return lets_in(grant, asking, epochs, block_time=block_time, now=now)
    if request.data_use and not _is_in_force(grant, epochs, block_time=block_time, now=now):
        return False
    return stands_until(grant, study, request.action, asking, epochs, block_time=block_time, now=now) > 0.0


def lets_in(grant: Grant, requester: Requester, epochs: Epochs, *, block_time: int, now: float) -> bool:
    """A permit that stands, in its time, for the requester, and is not for a study (or any other context) alone."""
    return not grant.terms.scope.context and names_in_time(grant, requester, epochs, block_time=block_time, now=now)


def names_in_time(grant: Grant, requester: Requester, epochs: Epochs, *, block_time: int, now: float) -> bool:
    """A permit that stands, in its time, and names the requester, whatever its context is."""
    return (
        _has_begun(grant, block_time=block_time, now=now)
        and _is_in_force(grant, epochs, block_time=block_time, now=now)
        and _names(grant.terms.scope, requester)
        and not (grant.mandate is not None and _signed(grant.mandate, requester))
    )


def stands_until(
    grant: Grant,
    study: StudyStanding,
    action: Action,
    requester: Requester,
    epochs: Epochs,
    *,
    block_time: int,
    now: float,
) -> float:
    """Seconds since 1970 until when a permit stands in a study for the action; 0: it does not. Its grantee is the
    sponsor, who stands for all of the study's people. Data are collected under the version of the informed consent that
    is collected under now; they are read under any version; and where a version says that what was collected stays, a
    permit that named it goes on to let read, though it ended, for ever."""
    scope = grant.terms.scope
    if scope.context != studies.context_of(study.study) or not _is_of_sponsor(scope, study):
        return 0.0
    if not _has_begun(grant, block_time=block_time, now=now):
        return 0.0
    if grant.mandate is not None and _signed(grant.mandate, requester):
        return 0.0
    in_force = grant.ends if _is_in_force(grant, epochs, block_time=block_time, now=now) else 0.0
    if action is Action.WRITE:
        return in_force if study.terms and scope.terms_hash == study.terms else 0.0
    if scope.terms_hash not in study.all_terms:
        return 0.0
    return float("inf") if scope.terms_hash in study.kept else in_force


def _has_begun(grant: Grant, *, block_time: int, now: float) -> bool:
    """A permit that is confirmed, and whose time has come by both clocks."""
    terms = grant.terms
    return terms.effect is Effect.PERMIT and grant.confirmed and terms.not_before <= min(now, block_time)


def _is_in_force(grant: Grant, epochs: Epochs, *, block_time: int, now: float) -> bool:
    """Nothing ended it; its window is read narrowly: both clocks must lie in it."""
    return not grant.revoked and grant.terms.epoch == epochs.epoch and max(now, block_time) < grant.ends


def _signed(mandate: Mandate, requester: Requester) -> bool:
    """The requester is the delegate: by name or by key, whatever organization or second account the permit names."""
    return mandate.limits.actor == requester.actor or mandate.signer == requester.key


def _is_of_sponsor(scope: Scope, study: StudyStanding | None) -> bool:
    """Whoever has a role in a study acts in it as one of the sponsor's."""
    return study is not None and scope.grantee == study.sponsor


def _reaches_study(context: str, study: StudyStanding | None) -> bool:
    """A deny for one study is for that study. What a context of another form means is not known: it hits."""
    named = studies.study_in(context)
    return named is None or named == studies.name_of(study)


def _names(scope: Scope, requester: Requester) -> bool:
    return scope.grantee in (requester.actor, ANYONE) or scope.grantee in requester.organizations


def _inside(scope: Scope, period: tuple[float, float] | None) -> bool:
    """The whole clinical period lies in the scope's; without a date it is not covered."""
    if not scope.data_from and not scope.data_to:
        return True
    if period is None:
        return False
    start, end = bounds(scope)
    # A period that its author wrote the wrong way round is still the span between its two ends.
    return start <= min(period) and max(period) <= end


def _touches(scope: Scope, period: tuple[float, float] | None) -> bool:
    """The clinical period meets the scope's; without a date it meets any."""
    if period is None or (not scope.data_from and not scope.data_to):
        return True
    start, end = bounds(scope)
    return min(period) <= end and start <= max(period)


def bounds(scope: Scope) -> tuple[float, float]:
    """The data period in seconds since 1970, unbounded sides as infinities."""
    start = _seconds(scope.data_from) if scope.data_from else float("-inf")
    end = _seconds(scope.data_to) if scope.data_to else float("inf")
    return start, end


@lru_cache(maxsize=4096)
def _seconds(text: str) -> float:
    """RFC 3339, which `rules.check_terms` has demanded. Parsed once: a scope is decided on again and again."""
    return datetime.fromisoformat(text).timestamp()


def _permit(
    request: AccessRequest,
    epochs: Epochs,
    as_of: AsOf,
    now: float,
    *,
    basis: Basis,
    consents: tuple[ConsentId, ...],
    obligations: Collection[str],
    emergency: OpenEmergency | None = None,
) -> Permit:
    expires = now + PERMIT_SECONDS
    return Permit(
        mint=_MINT,
        action=request.action,
        basis=basis,
        subject=request.subject,
        record=request.record,
        requester=request.requester.actor,
        purpose=Purpose.PATRQT if basis is Basis.OWN else request.purpose,
        consents=consents,
        obligations=tuple(obligations),
        epoch=epochs.epoch,
        seq=epochs.seq,
        version=epochs.version,
        as_of=as_of,
        decided_at=now,
        expires=expires if emergency is None else min(expires, emergency.expires_at),
        emergency=emergency,
        study=request.study,
    )
