"""Who could read what, as the decision itself answers it: asked ahead, for a patient who wants to know.

True here: every answer is `policy.decide` on verified facts, grants and epochs; nothing is told by rules of its own. An
organization stands for its members as far as its own roles go, and ANYONE for whoever is named nowhere. Pure.
Not done here: emergencies, which go past consents (the patient has a list of them).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gateway.consent import policy
from gateway.consent.model import (
    ANYONE,
    AccessRequest,
    Action,
    AsOf,
    Basis,
    DecisionFacts,
    Effect,
    Epochs,
    Grant,
    Permit,
    Purpose,
    Requester,
    SealedDeny,
    Terms,
)
from gateway.identity.model import Actor, Role
from gateway.ids import ActorId, ConsentId
from gateway.records.model import Barred, Sight

NOBODY = ActorId(b"\xff" * 32)
"""A name that no actor has: who is named nowhere."""
_DRAFTED = ConsentId(bytes(32))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """What decisions stand on when they are asked for ahead. `now`: seconds since 1970."""

    grants: tuple[Grant | SealedDeny, ...]
    epochs: Epochs
    as_of: AsOf
    now: float

    def with_draft(self, terms: Terms) -> "Ahead":
        """As if these terms were in force at this moment."""
        first = int(min(self.now, self.as_of.block_time))
        started = replace(terms, not_before=min(terms.not_before, first))
        drafted = Grant(consent=_DRAFTED, terms=started, confirmed=True, revoked=False)
        return replace(self, grants=(*self.grants, drafted))


def named(ahead: Ahead) -> frozenset[ActorId]:
    """Whom the consents name, ANYONE among them."""
    return frozenset(grant.terms.scope.grantee for grant in ahead.grants if isinstance(grant, Grant))


def viewer(actor: Actor | None, organizations: Iterable[ActorId] = ()) -> Requester:
    """An actor as a decision sees them; None: whoever is named nowhere, in any role but a patient's."""
    if actor is None:
        roles = frozenset(Role) - {Role.PATIENT, Role.REGISTRAR}
        return Requester(actor=NOBODY, key=b"", roles=roles, organizations=frozenset())
    own = {actor.id} if Role.ORGANIZATION in actor.roles else set()
    return Requester(actor=actor.id, key=actor.key, roles=actor.roles, organizations=frozenset((*organizations, *own)))


def purposes_for(asking: Requester, ahead: Ahead) -> tuple[Purpose, ...]:
    """For what some permit names the viewer."""
    names = {asking.actor, ANYONE, *asking.organizations}
    found = {
        purpose
        for grant in ahead.grants
        if isinstance(grant, Grant) and grant.terms.effect is Effect.PERMIT and grant.terms.scope.grantee in names
        for purpose in grant.terms.scope.purposes
    }
    return tuple(purpose for purpose in Purpose if purpose.value in found)


def permitted(
    asking: Requester, facts: DecisionFacts, ahead: Ahead, *, action: Action, purpose: Purpose
) -> Permit | None:
    """The decision's permit on a consent; None for a deny, and for the patient, who needs none."""
    request = AccessRequest(
        requester=asking, subject=facts.subject, record=facts.record, action=action, purpose=purpose
    )
    decided = policy.decide(request, facts, ahead.grants, ahead.epochs, ahead.as_of, ahead.now)
    return decided if isinstance(decided, Permit) and decided.basis is Basis.CONSENT else None


def sights(grantee: ActorId, asking: Requester, facts: DecisionFacts, ahead: Ahead) -> list[Sight]:
    """What a viewer may do with one record, for what, on which consent."""
    ends = {grant.consent: grant.ends for grant in ahead.grants if isinstance(grant, Grant)}
    return [
        Sight(
            grantee=grantee,
            action=action,
            purpose=purpose,
            consent=permit.consents[0],
            hidden=permit.obligations,
            until=ends[permit.consents[0]],
        )
        for action in Action
        for purpose in purposes_for(asking, ahead)
        if (permit := permitted(asking, facts, ahead, action=action, purpose=purpose)) is not None
    ]


def barred(facts: DecisionFacts, ahead: Ahead) -> list[Barred]:
    """The denies that reach one record, whomever they name. One whose scope cannot be opened bars everybody."""
    found: list[Barred] = []
    for grant in ahead.grants:
        if isinstance(grant, SealedDeny):
            found.append(Barred(grantee=ActorId(ANYONE), actions=(), purposes=(), consent=grant.consent))
            continue
        scope = grant.terms.scope
        asking = Requester(actor=scope.grantee, key=b"", roles=frozenset(), organizations=frozenset())
        pairs = [
            (action, purpose)
            for action in Action
            for purpose in Purpose
            if policy.denies(grant, _asked(asking, facts, action, purpose), facts, ahead.as_of, ahead.now)
        ]
        labels = frozenset(scope.labels)
        parts = any(inline & labels for inline in facts.inline.values())
        if pairs and (not labels or labels & facts.labels or parts):
            found.append(
                Barred(
                    grantee=scope.grantee,
                    actions=tuple(action for action in Action if any(one is action for one, _ in pairs)),
                    purposes=tuple(purpose for purpose in Purpose if any(one is purpose for _, one in pairs)),
                    consent=grant.consent,
                )
            )
    return found


def _asked(asking: Requester, facts: DecisionFacts, action: Action, purpose: Purpose) -> AccessRequest:
    return AccessRequest(requester=asking, subject=facts.subject, record=facts.record, action=action, purpose=purpose)


def readable(
    asking: Requester, each: Sequence[DecisionFacts], ahead: Ahead, *, purpose: Purpose
) -> list[Permit | None]:
    """For each record the permit to read it."""
    return [permitted(asking, facts, ahead, action=Action.READ, purpose=purpose) for facts in each]
