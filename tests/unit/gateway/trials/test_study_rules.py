"""Each rule of a study, by whom and by which field it refuses."""

from typing import Any

import pytest

from gateway.consent.model import StudyRole, StudyState
from gateway.errors import CallerError, ConflictError, ConsentryError, DeniedError
from gateway.identity.model import Role
from gateway.trials import acts, rules
from gateway.trials.standing import Delegation, Study
from tests.unit.gateway.trials.deeds import (
    BOARD,
    COORDINATOR,
    ELSEWHERE,
    INVESTIGATOR,
    MONITOR,
    NOW,
    OTHER,
    ROOT,
    SPONSOR,
    STATISTICIAN,
    STRANGER,
    SUBJECT,
    chain,
    drawn,
    study,
    who,
)

FROZEN, LOCKED, PLANNED = StudyState.FROZEN, StudyState.LOCKED, StudyState.PLANNED
FORM = acts.SignedForm("0a" * 16, 1, "", "")


def planned(**changed: Any) -> Study:
    return study(state=PLANNED, was_open=False, **changed)


ALLOWED: tuple[tuple[Any, bytes, Study], ...] = (
    (acts.Protocol, SPONSOR, study()),
    (acts.Define, SPONSOR, study()),
    (acts.Describe, SPONSOR, study()),
    (acts.Terms, SPONSOR, study()),
    (acts.Site, SPONSOR, study()),
    (acts.Delegate, SPONSOR, study()),
    (acts.Enrol, INVESTIGATOR, study()),
    (acts.Enrol, COORDINATOR, study()),
    (acts.Withdraw, COORDINATOR, study()),
    (acts.Allocate, SPONSOR, planned(allocation=None)),
    (acts.Allocate, STATISTICIAN, planned(allocation=None)),
    (acts.Open, SPONSOR, planned()),
    (acts.Freeze, SPONSOR, study()),
    (acts.Lock, SPONSOR, study(state=FROZEN)),
    (acts.Publish, SPONSOR, study(state=LOCKED)),
    (acts.Sign, INVESTIGATOR, study()),
    (acts.Sign, INVESTIGATOR, study(state=LOCKED)),
    (acts.Unblind, INVESTIGATOR, study()),
    (acts.Unblind, BOARD, study()),
)


@pytest.mark.parametrize(("kind", "by", "there"), ALLOWED)
def test_what_is_allowed(kind: Any, by: bytes, there: Study) -> None:
    rules.check(there, drawn(kind, by), who(by))


@pytest.mark.parametrize(("kind", "by", "there"), ALLOWED)
def test_a_stranger_and_an_unknown_study_are_denied_alike(kind: Any, by: bytes, there: Study) -> None:
    for found in (there, None):
        with pytest.raises(DeniedError):
            rules.check(found, drawn(kind, STRANGER), who(STRANGER))


REFUSED: tuple[tuple[Any, bytes, dict[str, Any], Study, type[ConsentryError], tuple[str, ...]], ...] = (
    # form
    (acts.Site, SPONSOR, {"at": NOW - 86_401}, study(), CallerError, ("act", "at")),
    (acts.Site, SPONSOR, {"at": NOW + 61}, study(), CallerError, ("act", "at")),
    (acts.Site, SPONSOR, {"salt": "00"}, study(), CallerError, ("act", "salt")),
    (acts.Site, SPONSOR, {"study": "zz" * 32}, study(), CallerError, ("act", "study")),
    (acts.Site, SPONSOR, {"site": " 1"}, study(), CallerError, ("act", "site")),
    (acts.Site, SPONSOR, {"site": "a\u202eb"}, study(), CallerError, ("act", "site")),
    (acts.Site, SPONSOR, {"name": ""}, study(), CallerError, ("act", "name")),
    (acts.Site, SPONSOR, {"name": " " * 300 + "x"}, study(), CallerError, ("act", "name")),
    # whose
    (acts.Site, MONITOR, {}, study(), CallerError, ("act", "by")),
    (acts.Protocol, MONITOR, {}, study(), CallerError, ("act", "by")),
    (acts.Lock, INVESTIGATOR, {}, study(state=FROZEN), CallerError, ("act", "by")),
    (acts.Freeze, INVESTIGATOR, {}, study(), CallerError, ("act", "by")),
    (acts.Publish, STATISTICIAN, {}, study(state=LOCKED), CallerError, ("act", "by")),
    (acts.Allocate, INVESTIGATOR, {}, planned(allocation=None), CallerError, ("act", "by")),
    (acts.Enrol, MONITOR, {}, study(), CallerError, ("act", "site")),
    (acts.Enrol, ELSEWHERE, {}, study(), CallerError, ("act", "site")),
    (acts.Withdraw, MONITOR, {}, study(), CallerError, ("act", "subject")),
    (acts.Unblind, COORDINATOR, {}, study(), CallerError, ("act", "subject")),
    # order
    (acts.Protocol, SPONSOR, {"number": 3}, study(), ConflictError, ("act", "number")),
    (acts.Protocol, SPONSOR, {"reason": ""}, study(), CallerError, ("act", "reason")),
    (acts.Protocol, SPONSOR, {"number": 1}, study(protocols=[]), CallerError, ("act", "reason")),
    (acts.Terms, SPONSOR, {"terms": "22" * 32}, study(), CallerError, ("act", "terms")),
    (acts.Terms, SPONSOR, {"number": 1}, study(), ConflictError, ("act", "number")),
    (acts.Allocate, SPONSOR, {}, planned(), ConflictError, ("act",)),
    (acts.Allocate, SPONSOR, {}, study(allocation=None), ConflictError, ("act",)),
    (acts.Open, SPONSOR, {}, study(), ConflictError, ("act",)),
    (acts.Open, SPONSOR, {"version": 2}, planned(), CallerError, ("act", "version")),
    (acts.Open, SPONSOR, {"version": 0}, planned(protocols=[]), CallerError, ("act", "version")),
    (acts.Open, SPONSOR, {"allocation": "00" * 32}, planned(), CallerError, ("act", "allocation")),
    (acts.Enrol, INVESTIGATOR, {}, planned(), ConflictError, ("act",)),
    (acts.Enrol, INVESTIGATOR, {}, study(state=FROZEN), ConflictError, ("act",)),
    (acts.Enrol, INVESTIGATOR, {"site": "799"}, study(), CallerError, ("act", "site")),
    (acts.Enrol, INVESTIGATOR, {"key": "1001"}, study(), ConflictError, ("act", "key")),
    (acts.Enrol, INVESTIGATOR, {"subject": SUBJECT.hex()}, study(), ConflictError, ("act", "subject")),
    (acts.Freeze, SPONSOR, {"frozen": False}, study(), ConflictError, ("act", "frozen")),
    (acts.Freeze, SPONSOR, {}, study(state=FROZEN), ConflictError, ("act", "frozen")),
    (acts.Freeze, SPONSOR, {"seq": 2}, study(), ConflictError, ("act", "seq")),
    (acts.Freeze, SPONSOR, {"reason": ""}, study(), CallerError, ("act", "reason")),
    (acts.Lock, SPONSOR, {}, study(), ConflictError, ("act",)),
    (acts.Lock, SPONSOR, {}, planned(), ConflictError, ("act",)),
    (acts.Lock, SPONSOR, {"seq": 2}, study(state=FROZEN), ConflictError, ("act", "seq")),
    (acts.Publish, SPONSOR, {}, study(state=FROZEN), ConflictError, ("act",)),
    (acts.Publish, SPONSOR, {"number": 2}, study(state=LOCKED), ConflictError, ("act", "number")),
    (acts.Publish, SPONSOR, {"summary": "x" * 50_001}, study(state=LOCKED), CallerError, ("act", "summary")),
    (acts.Sign, INVESTIGATOR, {"forms": []}, study(), CallerError, ("act", "forms")),
    (acts.Sign, INVESTIGATOR, {"forms": [FORM] * 5_001}, study(), CallerError, ("act", "forms")),
    (acts.Sign, INVESTIGATOR, {"meaning": 5}, study(), CallerError, ("act", "meaning")),
    (acts.Sign, INVESTIGATOR, {"meaning": -1}, study(), CallerError, ("act", "meaning")),
    (acts.Unblind, INVESTIGATOR, {"name": "00" * 32}, study(), CallerError, ("act", "name")),
    (acts.Unblind, INVESTIGATOR, {}, study(assigned={}), ConflictError, ("act", "subject")),
    # delegations
    (acts.Delegate, SPONSOR, {"sites": ["799"]}, study(), CallerError, ("act", "sites", "0")),
    (acts.Delegate, SPONSOR, {"sites": ["701", "701"]}, study(), CallerError, ("act", "sites")),
    (acts.Delegate, SPONSOR, {"until": -1}, study(), CallerError, ("act", "until")),
    (acts.Delegate, SPONSOR, {"until": 2**63}, study(), CallerError, ("act", "until")),
    (
        acts.Delegate,
        SPONSOR,
        {"role": StudyRole.INSPECTOR, "until": NOW + 401 * 86_400},
        study(),
        CallerError,
        ("act", "until"),
    ),
    (acts.Delegate, INVESTIGATOR, {}, study(), CallerError, ("act", "by")),
    (
        acts.Delegate,
        INVESTIGATOR,
        {"role": StudyRole.COORDINATOR, "sites": ["702"]},
        study(),
        CallerError,
        ("act", "by"),
    ),
    (acts.Delegate, INVESTIGATOR, {"role": StudyRole.COORDINATOR, "sites": []}, study(), CallerError, ("act", "by")),
    (
        acts.Delegate,
        SPONSOR,
        {"role": StudyRole.SAFETY_BOARD, "actor": MONITOR.hex()},
        study(),
        CallerError,
        ("act", "role"),
    ),
    (acts.Delegate, SPONSOR, {"actor": BOARD.hex()}, study(), CallerError, ("act", "role")),
    (acts.Delegate, SPONSOR, {"actor": STATISTICIAN.hex()}, study(), CallerError, ("act", "role")),
    # what no client does
    (acts.RecordData, SPONSOR, {"first": 0, "count": 1, "root": "00" * 32}, study(), CallerError, ("act", "act")),
)


@pytest.mark.parametrize(("kind", "by", "members", "there", "error", "field"), REFUSED)
def test_what_is_refused_by_its_field(
    kind: Any, by: bytes, members: dict[str, Any], there: Study, error: type[ConsentryError], field: tuple[str, ...]
) -> None:
    with pytest.raises(error) as refused:
        rules.check(there, drawn(kind, by, **members), who(by))
    assert (type(refused.value), refused.value.field) == (error, field)


@pytest.mark.parametrize("kind", [kind for kind in acts.SIGNED if kind not in (acts.Register, acts.Publish, acts.Sign)])
def test_a_locked_study_takes_nothing_else(kind: Any) -> None:
    with pytest.raises(ConflictError):
        rules.check(study(state=LOCKED), drawn(kind), who(SPONSOR))


def test_the_very_lock_is_taken_where_the_chain_alone_has_it() -> None:
    cut = study(state=FROZEN, chain=chain(is_frozen=True, is_locked=True))
    rules.check(cut, drawn(acts.Lock), who(SPONSOR))
    with pytest.raises(ConflictError):
        rules.check(cut, drawn(acts.Site), who(SPONSOR))


def test_another_actors_act_is_refused_before_all_else() -> None:
    with pytest.raises(CallerError) as refused:
        rules.check(None, drawn(acts.Site, SPONSOR), who(STRANGER))
    assert refused.value.field == ("act", "by")


def test_a_delegation_that_is_over_gives_nothing() -> None:
    there = study()
    key = (INVESTIGATOR, StudyRole.INVESTIGATOR)
    there.delegations[key] = Delegation(actor=INVESTIGATOR, role=key[1], sites=frozenset(), until=NOW, by=SPONSOR)
    with pytest.raises(DeniedError):
        rules.check(there, drawn(acts.Enrol, INVESTIGATOR), who(INVESTIGATOR))


def test_an_investigator_changes_no_coordinator_of_other_sites() -> None:
    there, key = study(), (STRANGER, StudyRole.COORDINATOR)
    act = drawn(acts.Delegate, INVESTIGATOR, role=StudyRole.COORDINATOR)
    for sites, refused in ((frozenset({"702"}), True), (frozenset(), True), (frozenset({"701"}), False)):
        there.delegations[key] = Delegation(actor=STRANGER, role=key[1], sites=sites, until=NOW + 9, by=SPONSOR)
        if not refused:
            rules.check(there, act, who(INVESTIGATOR))
            continue
        with pytest.raises(CallerError) as told:
            rules.check(there, act, who(INVESTIGATOR))
        assert told.value.field == ("act", "actor")


def test_only_an_organization_registers_and_once() -> None:
    organization = who(SPONSOR, roles=frozenset({Role.ORGANIZATION}))
    rules.check(None, drawn(acts.Register), organization)
    with pytest.raises(ConflictError):
        rules.check(study(), drawn(acts.Register), organization)
    with pytest.raises(DeniedError):
        rules.check(None, drawn(acts.Register), who(SPONSOR))


def test_a_subject_of_another_site_is_nobody() -> None:
    for kind in (acts.Withdraw, acts.Sign, acts.Unblind):
        with pytest.raises(DeniedError):
            rules.check(study(), drawn(kind, ELSEWHERE), who(ELSEWHERE))
        with pytest.raises(DeniedError):
            rules.check(study(), drawn(kind, INVESTIGATOR, subject=OTHER.hex()), who(INVESTIGATOR))


def test_a_list_that_nobody_committed_to_is_named_by_zeros() -> None:
    rules.check(planned(allocation=None), drawn(acts.Open, allocation="00" * 32), who(SPONSOR))
    with pytest.raises(CallerError):
        rules.check(planned(allocation=None), drawn(acts.Open, allocation=ROOT.hex()), who(SPONSOR))
