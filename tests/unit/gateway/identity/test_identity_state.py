"""Who is who on chain, while some of it is young and some of it was taken away by a reorg."""

from typing import Any

import pytest

from gateway.errors import IntegrityError
from gateway.identity.model import Role
from gateway.identity.state import (
    NOBODY,
    ActorState,
    fold_actor,
    fold_memberships,
    fold_subject,
    membership_seq,
)
from gateway.ids import ActorId, SubjectId
from gateway.ports.rows import EventRow
from tests.unit.gateway.consent.events import HEAD, confirmed, event

ACTOR, ORG, SUBJECT = ActorId(b"a" * 32), ActorId(b"o" * 32), SubjectId(b"s" * 32)
KEY, KEY2, KEY3 = b"1" * 20, b"2" * 20, b"3" * 20
NEW = HEAD
ENROLLER = bytes(32)


def registered(**more: Any) -> EventRow:
    plain: dict[str, Any] = {"key": KEY, "roles": 4, "profileDigest": b"p" * 32, "encryptionKey": b"", **more}
    return event("ActorRegistered", ACTOR, **plain)


def actor(*events: EventRow) -> ActorState:
    found = fold_actor(ACTOR, events, confirmed)
    assert found is not None
    return found


def member(not_after: int, seq: int, **more: Any) -> EventRow:
    return event("MembershipSet", ORG, ACTOR, role=0, notAfter=not_after, seq=seq, epoch=seq, **more)


def until(*events: EventRow) -> int | None:
    found = fold_memberships(ACTOR, events, confirmed)
    return found[0].not_after if found else None


def enrolled(controller: bytes = KEY, custodian: bytes = bytes(32), **more: Any) -> EventRow:
    return event("SubjectEnrolled", SUBJECT, custodian, ENROLLER, controller=controller, **more)


def changed(controller: bytes, control: int, name: str = "ControllerChanged", **more: Any) -> EventRow:
    return event(name, SUBJECT, controller=controller, control=control, seq=control, **more)


def controller(*events: EventRow) -> tuple[bytes, bytes | None] | None:
    found = fold_subject(SUBJECT, events, confirmed)
    return None if found is None else (found.controller, found.custodian)


def test_an_actor_is_there_once_confirmed() -> None:
    assert actor(registered()).roles == {Role.CLINICIAN}
    assert fold_actor(ACTOR, [registered(block=NEW)], confirmed) is None


def test_an_actor_whose_registration_left_the_chain_is_none() -> None:
    assert fold_actor(ACTOR, [registered(orphaned=True)], confirmed) is None


@pytest.mark.parametrize("how", [{"block": NEW}, {"orphaned": True}, {}])
def test_a_removed_actor_is_gone_at_first_sight_and_after_a_reorg(how: Any) -> None:
    assert fold_actor(ACTOR, [registered(), event("ActorRemoved", ACTOR, epoch=1, **how)], confirmed) is None


def test_a_rotated_key_acts_once_confirmed_and_until_then_none_does() -> None:
    old = event("KeyRotated", ACTOR, key=KEY2, epoch=1)
    young = event("KeyRotated", ACTOR, key=KEY3, epoch=2, block=NEW)
    assert (actor(registered(), old).key, actor(registered(), old, young).key) == (KEY2, NOBODY)


def test_a_key_that_was_rotated_away_does_not_come_back_with_a_reorg() -> None:
    assert actor(registered(), event("KeyRotated", ACTOR, key=KEY2, epoch=1, orphaned=True)).key == NOBODY


def test_a_rotation_that_came_back_counts_as_it_stands() -> None:
    lost = event("KeyRotated", ACTOR, key=KEY2, epoch=1, orphaned=True)
    assert actor(registered(), event("KeyRotated", ACTOR, key=KEY2, epoch=1, block=12), lost).key == KEY2


def test_roles_are_lost_at_once_and_won_once_confirmed() -> None:
    young = event("RolesChanged", ACTOR, roles=16, epoch=1, block=NEW)
    both = event("RolesChanged", ACTOR, roles=4 | 16, epoch=1, block=NEW)
    assert (actor(registered(), young).roles, actor(registered(), both).roles) == (frozenset(), {Role.CLINICIAN})


def test_roles_that_were_lost_stay_lost_after_a_reorg() -> None:
    assert actor(registered(), event("RolesChanged", ACTOR, roles=16, epoch=1, orphaned=True)).roles == frozenset()


def test_roles_given_by_a_reorged_word_are_not_given() -> None:
    lost = event("RolesChanged", ACTOR, roles=4 | 16, epoch=1, orphaned=True)
    assert actor(registered(), lost).roles == {Role.CLINICIAN}


def test_an_organizations_epoch_counts_its_memberships() -> None:
    joined = event("MembershipSet", ACTOR, ORG, role=0, notAfter=9, seq=1, epoch=1)
    assert actor(registered(), joined).epoch == 1


def test_an_actor_is_settled_once_all_is_confirmed() -> None:
    young = event("ProfileChanged", ACTOR, profileDigest=b"q" * 32, encryptionKey=b"", epoch=1, block=NEW)
    assert (actor(registered()).settled, actor(registered(), young).settled) == (True, False)


def test_another_actors_events_are_not_counted() -> None:
    assert actor(registered(), event("ActorRemoved", ORG, epoch=1)).key == KEY


def test_an_event_without_its_arguments_is_refused() -> None:
    with pytest.raises(IntegrityError):
        actor(registered(), event("RolesChanged", ACTOR, epoch=1))


def test_a_membership_counts_once_confirmed() -> None:
    assert (until(member(100, 1)), until(member(100, 1, block=NEW)), until(member(100, 1, orphaned=True))) == (
        100,
        None,
        None,
    )


def test_a_membership_is_cut_short_at_first_sight_and_after_a_reorg() -> None:
    assert until(member(100, 1), member(50, 2, block=NEW)) == 50
    assert until(member(100, 1), member(50, 2, orphaned=True)) == 50


def test_a_membership_is_lengthened_once_confirmed() -> None:
    assert until(member(100, 1), member(200, 2, block=NEW)) == 100
    assert until(member(100, 1), member(200, 2)) == 200


def test_a_young_widening_does_not_undo_a_young_narrowing() -> None:
    assert until(member(100, 1), member(50, 2, block=NEW), member(200, 3, block=NEW)) == 50


def test_a_confirmed_word_replaces_an_older_narrowing() -> None:
    assert until(member(100, 1), member(0, 2), member(200, 3)) == 200


def test_the_end_of_a_membership_outlives_a_reorg_that_puts_it_behind_its_end() -> None:
    lost_end = member(0, 2, block=11, orphaned=True)
    assert until(lost_end, member(100, 1, block=12)) == 0


def test_a_membership_that_was_never_confirmed_gives_nothing_when_cut_short() -> None:
    assert until(member(100, 1, block=NEW), member(50, 2, block=NEW)) is None


def test_organizations_are_told_apart() -> None:
    other = event("MembershipSet", b"x" * 32, ACTOR, role=0, notAfter=7, seq=1, epoch=1)
    found = fold_memberships(ACTOR, [member(100, 1), other], confirmed)
    assert {one.organization: one.not_after for one in found} == {ORG: 100, b"x" * 32: 7}


def test_the_sequence_of_a_pair_is_the_chains() -> None:
    events = [member(100, 1), member(50, 2, block=NEW), member(70, 3, orphaned=True)]
    assert (membership_seq(ORG, ACTOR, events), membership_seq(ACTOR, ORG, events)) == (2, 0)


def test_a_subject_is_there_once_confirmed() -> None:
    assert (controller(enrolled()), controller(enrolled(block=NEW)), controller(enrolled(orphaned=True))) == (
        (KEY, None),
        None,
        None,
    )


def test_a_subject_without_a_controller_is_its_custodians() -> None:
    assert controller(enrolled(b"", ORG)) == (b"", ORG)


@pytest.mark.parametrize("name", ["ControllerChanged", "CustodyEnded"])
def test_a_new_controller_acts_once_confirmed_and_until_then_nobody(name: str) -> None:
    assert controller(enrolled(), changed(KEY2, 1, name)) == (KEY2, None)
    assert controller(enrolled(), changed(KEY2, 1, name, block=NEW)) == (NOBODY, None)


def test_a_controller_that_was_replaced_does_not_come_back_with_a_reorg() -> None:
    assert controller(enrolled(), changed(KEY2, 1, orphaned=True)) == (NOBODY, None)


def test_custody_that_was_ended_does_not_come_back_with_a_reorg() -> None:
    assert controller(enrolled(b"", ORG), changed(KEY2, 1, "CustodyEnded", orphaned=True)) == (NOBODY, None)


def test_a_change_that_came_back_counts_as_it_stands() -> None:
    assert controller(enrolled(), changed(KEY2, 1, block=12), changed(KEY2, 1, block=13, orphaned=True)) == (KEY2, None)
