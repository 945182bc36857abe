"""How a study stands after its entries, whatever was erased, cut short or hidden."""

from collections.abc import Sequence
from typing import Any

import pytest

from gateway.consent.model import StudyRole, StudyState
from gateway.errors import IntegrityError
from gateway.ports.trials import STANDING
from gateway.trials import acts
from gateway.trials.journal import Entry
from gateway.trials.standing import Study, fold
from tests.unit.gateway.trials.deeds import INVESTIGATOR, NOW, ROOT, SPONSOR, STUDY, SUBJECT, chain, drawn

ROAD = (
    drawn(acts.Register),
    drawn(acts.Protocol, number=1, reason=""),
    drawn(acts.Site, site="701"),
    drawn(acts.Delegate, actor=INVESTIGATOR.hex(), role=StudyRole.INVESTIGATOR, sites=[]),
    drawn(acts.Allocate),
    drawn(acts.Open),
    drawn(acts.Enrol, subject=SUBJECT.hex(), key="1"),
    drawn(acts.Assign, subject=SUBJECT.hex(), name="0e" * 32, stratum=0, position=4, arm="0f" * 32, path=[]),
    drawn(acts.Unblind),
)


def entries(road: Sequence[Any], *, erased: frozenset[int] = frozenset(), hidden: int = -1) -> list[Entry]:
    found, standing = [], -1
    for number, act in enumerate(road):
        kind = acts.KINDS[type(act)]
        octets = None if number in erased else acts.octets_of(acts.Done(act=act))
        if number != hidden:
            found.append(
                Entry(study=STUDY, number=number, kind=kind, entry=b"", previous=b"", octets=octets, standing=standing)
            )
        standing = number if kind in STANDING else standing
    return found


def folded(road: Sequence[Any], **how: Any) -> Study:
    study = Study(study=STUDY, chain=chain())
    fold(study, entries(road, **how))
    return study


def test_the_whole_road() -> None:
    study = folded(ROAD)
    assert (study.sponsor, study.state, study.opened_under) == (SPONSOR, StudyState.OPEN, 1)
    assert study.subjects[SUBJECT].key == "1"
    assert study.assigned[SUBJECT].position == 4
    assert study.unblinded == {SUBJECT: {SPONSOR}}
    assert study.allocation is not None
    assert study.allocation.root == ROOT
    assert study.entered.keys() == {drawn(acts.Site).salt}


def test_in_parts_or_at_once_is_the_same() -> None:
    study = Study(study=STUDY, chain=chain())
    for one in entries(ROAD):
        fold(study, (one,))
    assert study == folded(ROAD)


def test_who_was_erased_is_in_no_study() -> None:
    study = folded(ROAD, erased=frozenset({6, 7, 8}))
    assert (study.subjects, study.keys, study.assigned, study.unblinded) == ({}, {}, {}, {})
    assert study.number == study.moved == 8


@pytest.mark.parametrize("number", range(1, len(ROAD) - 1))
def test_what_is_hidden_is_missed_by_what_follows(number: int) -> None:
    with pytest.raises(IntegrityError):
        folded(ROAD, hidden=number)


def test_the_narrower_of_journal_and_chain_counts() -> None:
    study = folded(ROAD)
    for changed, state in (
        ({"is_open": False}, StudyState.PLANNED),
        ({"is_frozen": True}, StudyState.FROZEN),
        ({"is_locked": True}, StudyState.LOCKED),
    ):
        study.chain = chain(**changed)
        assert study.state is state
    study.chain = None
    assert study.state is StudyState.PLANNED
    assert folded((*ROAD, drawn(acts.Freeze))).state is StudyState.FROZEN
    assert folded((*ROAD, drawn(acts.Lock))).state is StudyState.LOCKED


def test_a_freeze_of_before_outlives_the_opening() -> None:
    road = (*ROAD[:5], drawn(acts.Freeze), drawn(acts.Open))
    assert folded(road).state is StudyState.FROZEN
    assert folded((*road, drawn(acts.Freeze, frozen=False))).state is StudyState.OPEN
    assert folded((*ROAD[:5], drawn(acts.Freeze), drawn(acts.Freeze, frozen=False))).noted is StudyState.PLANNED


def test_roots_that_were_refused_are_replaced_by_those_that_begin_there() -> None:
    def root(first: int, count: int, octet: str) -> Any:
        return drawn(acts.RecordData, first=first, count=count, root=octet * 32)

    study = folded((*ROAD, root(0, 4, "01"), root(4, 3, "02"), root(4, 6, "03")))
    assert study.roots == [(b"\x01" * 32, 4), (b"\x03" * 32, 6)]
    assert study.recorded == 10


def test_withdrawn_is_who_was_not_enrolled_since() -> None:
    away = drawn(acts.Withdraw)
    assert folded((*ROAD, away)).subjects[SUBJECT].withdrawn_at == NOW
    assert folded((*ROAD, away, ROAD[6])).subjects[SUBJECT].withdrawn_at == 0


def test_roles_are_of_sites_and_times() -> None:
    study = folded((*ROAD, drawn(acts.Delegate, actor=INVESTIGATOR.hex(), sites=["701"])))
    assert study.roles_of((INVESTIGATOR,), site="701", now=NOW) == {StudyRole.INVESTIGATOR, StudyRole.MONITOR}
    assert study.roles_of((INVESTIGATOR,), site="702", now=NOW) == {StudyRole.INVESTIGATOR}
    assert study.roles_of((INVESTIGATOR,), site=None, now=NOW + 10) == frozenset()
    assert study.roles_of((SPONSOR,), site="702", now=NOW) == {StudyRole.SPONSOR}
