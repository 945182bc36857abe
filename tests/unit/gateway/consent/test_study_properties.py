"""What holds of every decision on a study's records, whatever is asked, recorded and consented to."""

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from gateway.consent.model import (
    ANYONE,
    AccessRequest,
    Action,
    DecisionFacts,
    Effect,
    Grant,
    Permit,
    Purpose,
    StudyRole,
    StudyStanding,
    StudyState,
)
from gateway.consent.policy import may_concern, reaches
from gateway.consent.studies import context_of
from gateway.identity.model import Role
from tests.unit.gateway.consent.cases import (
    DOCTOR,
    FORMER,
    HOSPITAL,
    INFORMED,
    NOW,
    OTHER_STUDY,
    SPONSOR,
    STUDY,
    UNKEPT,
    as_of,
    doctor,
    emergency,
    epochs,
    facts,
    in_study,
    informed,
    outcome,
    owner,
    request,
    with_scope,
)
from tests.unit.gateway.consent.test_decision_properties import grants, quick, records, shown_less_or_equal

INVESTIGATES, NOBODY = frozenset({StudyRole.INVESTIGATOR}), frozenset[StudyRole]()
HIV, EVERY_LABEL = frozenset({"HIV"}), ("HIV", "PSY", "SUD")


def mostly(right: Any, *others: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from((right,) * 9 * len(others) + others)


@st.composite
def consents(draw: st.DrawFn, effect: Effect | None = None) -> Grant:
    """For a study, some other study or none; most of them near to what permits in one."""
    context = draw(mostly(context_of(STUDY), context_of(OTHER_STUDY), "", "study:1"))
    version = draw(mostly(INFORMED, FORMER, UNKEPT, bytes(32)))
    if effect is Effect.DENY or draw(mostly(False, True)):
        found: Grant = with_scope(
            draw(grants(effect)),
            grantee=draw(st.sampled_from((SPONSOR, DOCTOR, HOSPITAL, ANYONE))),
            context=context,
            terms_hash=version,
            purposes=draw(st.sampled_from((("CLINTRCH",), ("CLINTRCH", "TREAT"), ("TREAT",)))),
        )
        return found
    return informed(
        context=context,
        terms_hash=version,
        labels=draw(mostly(EVERY_LABEL, ("HIV",), ())),
        grantee=draw(mostly(SPONSOR, DOCTOR)),
        revoked=draw(mostly(False, True)),
        epoch=draw(mostly(3, 2)),
        not_after=NOW + draw(mostly(5, 0)),
        consent=draw(st.binary(min_size=32, max_size=32)),
    )


@st.composite
def standings(draw: st.DrawFn) -> StudyStanding:
    return in_study(
        study=draw(mostly(STUDY, OTHER_STUDY)),
        roles=draw(mostly(INVESTIGATES, NOBODY, frozenset({StudyRole.MONITOR}))),
        state=draw(mostly(StudyState.OPEN, StudyState.LOCKED)),
        collects=draw(mostly(True, False)),
        terms=draw(mostly(INFORMED, FORMER, b"")),
    )


@st.composite
def questions(draw: st.DrawFn) -> AccessRequest:
    asking = doctor(roles=frozenset({Role.CLINICIAN, Role.ORGANIZATION}))
    return request(
        draw(mostly(asking, owner(roles=frozenset({Role.PATIENT, Role.CLINICIAN})))),
        action=draw(st.sampled_from(Action)),
        purpose=draw(mostly(Purpose.CLINTRCH, Purpose.TREAT, Purpose.ETREAT)),
        study=draw(st.one_of(st.none(), standings(), standings())),
    )


@st.composite
def recorded(draw: st.DrawFn) -> DecisionFacts:
    found: DecisionFacts = draw(records()) if draw(mostly(False, True)) else facts(labels=HIV)
    return structs.replace(found, study=draw(mostly(STUDY, OTHER_STUDY, b"")))


many = st.lists(consents(), max_size=5, unique_by=lambda grant: grant.consent)


def decided(held: list[Grant], asked: AccessRequest, about: DecisionFacts) -> Any:
    return outcome(held, asked=asked, about=about, broken=emergency())


@quick
@given(many, questions(), recorded())
def test_a_study_and_all_else_are_apart(held: Any, asked: Any, about: Any) -> None:
    if not isinstance(decided(held, asked, about), Permit):
        return
    if asked.study is None and about.study:
        assert (asked.action, asked.requester.key) == (Action.READ, epochs().controller)
    else:
        assert about.study == (b"" if asked.study is None else asked.study.study)


@quick
@given(many, questions(), recorded())
def test_in_a_study_no_other_consent_counts(held: Any, asked: Any, about: Any) -> None:
    if asked.study is None:
        return
    here = context_of(asked.study.study)
    own = [one for one in held if one.terms.effect is Effect.DENY or one.terms.scope.context == here]
    assert decided(held, asked, about) == decided(own, asked, about)


@quick
@given(many, questions(), recorded())
def test_outside_no_study_s_consent_counts(held: Any, asked: Any, about: Any) -> None:
    asked = structs.replace(asked, study=None)
    plain = [one for one in held if one.terms.scope.context in ("", "study:1")]
    assert decided(held, asked, about) == decided(plain, asked, about)


@quick
@given(many, questions(), recorded(), st.sampled_from(("revoked", "epoch", "not_after")))
def test_whatever_ends_nothing_is_collected_after_it(held: Any, asked: Any, about: Any, how: str) -> None:
    if asked.study is None:
        return
    over = {"revoked": {"revoked": True}, "epoch": {}, "not_after": {}}[how]
    ended = [
        replace(
            one,
            **over,
            terms=one.terms if how == "revoked" else replace(one.terms, **{how: 2 if how == "epoch" else NOW}),
        )
        for one in held
        if one.terms.effect is Effect.PERMIT
    ]
    found = decided(ended, asked, about)
    if isinstance(found, Permit):
        assert found.action is Action.READ
        (stood_on,) = (one for one in ended if one.consent == found.consents[0])
        assert stood_on.terms.scope.terms_hash in asked.study.kept


@quick
@given(many, consents(Effect.DENY), questions(), recorded())
def test_a_further_deny_never_shows_more_in_a_study(held: Any, further: Any, asked: Any, about: Any) -> None:
    assert shown_less_or_equal(decided([*held, further], asked, about), decided(held, asked, about))


@quick
@given(many, questions(), recorded())
def test_whoever_is_let_in_was_concerned(held: Any, asked: Any, about: Any) -> None:
    if isinstance(decided(held, asked, about), Permit):
        assert reaches(asked, held, epochs(), as_of(), NOW, emergency())
        assert may_concern(
            asked.requester, held, epochs(), emergency(), study=asked.study, block_time=as_of().block_time, now=NOW
        )


@quick
@given(many, standings(), recorded())
def test_less_of_a_standing_never_shows_more(held: Any, standing: Any, about: Any) -> None:
    asked = request(doctor(), purpose=Purpose.CLINTRCH, study=standing, action=Action.WRITE)
    for less in (
        {"roles": NOBODY},
        {"state": StudyState.LOCKED},
        {"collects": False},
        {"terms": b""},
    ):
        narrower = structs.replace(asked, study=replace(standing, **less))
        assert not isinstance(decided(held, narrower, about), Permit)
    reading = structs.replace(asked, action=Action.READ)
    for less in ({"roles": NOBODY}, {"all_terms": frozenset[bytes]()}):
        narrower = structs.replace(reading, study=replace(standing, **less))
        assert not isinstance(decided(held, narrower, about), Permit)


def test_of_all_these_some_are_let_in() -> None:
    """What holds of every permit would hold of none, too."""
    permitted: Counter[Action] = Counter()

    @settings(max_examples=300, deadline=None, database=None, derandomize=True)
    @given(many, questions(), recorded())
    def count(held: Any, asked: Any, about: Any) -> None:
        let_in = isinstance(decided(held, asked, about), Permit)
        permitted[asked.action] += let_in and asked.study is not None

    count()
    assert all(permitted[action] >= 10 for action in Action)
