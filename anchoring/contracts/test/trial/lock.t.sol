// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IStudies} from "../../src/interfaces/IStudies.sol";
import {TrialWorld} from "./TrialWorld.sol";

contract SetFrozenTest is TrialWorld {
    function test_RefusesAnUnknownStudy() external {
        bytes32 unknown = keccak256("no study");
        vm.expectRevert(abi.encodeWithSelector(IStudies.NoStudy.selector, unknown));
        trials.setFrozen(unknown, true, 1, "");
    }

    function test_RefusesAnyNumberButTheNext(bool frozen, uint64 seq) external {
        _setFrozen(true, 1);
        vm.assume(seq != 2 && !(seq == 1 && frozen));
        vm.expectRevert(abi.encodeWithSelector(IStudies.WrongSeq.selector, study, 2));
        _setFrozen(frozen, seq);
    }

    function test_RefusesAnotherSigner(uint256 key) external {
        key = key % 1e30 + 1;
        vm.assume(key != SPONSOR_KEY);
        bytes32 digest = _freeze(study, true, 1);
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, SPONSOR, digest));
        trials.setFrozen(study, true, 1, _sign(key, digest));
    }

    function test_RefusesWhatWasSignedForAnotherStudyStateOrNumber() external {
        bytes32 expected = _freeze(study, true, 1);
        bytes32[3] memory others =
            [_freeze(keccak256("another"), true, 1), _freeze(study, false, 1), _freeze(study, true, 2)];
        for (uint256 i = 0; i < others.length; ++i) {
            bytes memory signature = _sign(SPONSOR_KEY, others[i]);
            vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, SPONSOR, expected));
            trials.setFrozen(study, true, 1, signature);
        }
    }

    function test_AFreezeThatWasUndoneIsNotReplayed() external {
        _setFrozen(true, 1);
        _setFrozen(false, 2);
        vm.expectRevert(abi.encodeWithSelector(IStudies.WrongSeq.selector, study, 3));
        _setFrozen(true, 1);
        vm.assertFalse(_standing().frozen);
    }

    function test_RefusesAThawAfterTheLock() external {
        _begin();
        _setFrozen(true, 1);
        _lock();
        vm.expectRevert(abi.encodeWithSelector(IStudies.StudyLocked.selector, study));
        _setFrozen(false, 2);
    }

    function test_StandsOnAnyonesRelay(address relayer, bool frozen) external {
        bytes memory signature = _sign(SPONSOR_KEY, _freeze(study, frozen, 1));
        vm.expectEmit(address(trials));
        emit IStudies.FreezeSet(study, frozen, 1);
        vm.prank(relayer);
        trials.setFrozen(study, frozen, 1, signature);
        vm.assertTrue(_standing().frozen == frozen && _standing().seq == 1);
    }

    function test_TheSameAgainSucceedsWithoutAnEventThoughTheDataAreLocked() external {
        _begin();
        _setFrozen(true, 1);
        _lock();
        vm.recordLogs();
        trials.setFrozen(study, true, 1, "");
        _assertNoEvent();
    }

    function test_TheBeginningIsNoThaw() external {
        vm.expectRevert(abi.encodeWithSelector(IStudies.WrongSeq.selector, study, 1));
        _setFrozen(false, 0);
    }
}

contract LockTest is TrialWorld {
    bytes32 private head;

    function setUp() public override {
        super.setUp();
        _begin();
        _assign(PATIENT, 0, 0);
        _recordData("root", 7);
        head = _standing().head;
    }

    function test_RefusesAnUnknownStudy() external {
        bytes32 unknown = keccak256("no study");
        vm.expectRevert(abi.encodeWithSelector(IStudies.NoStudy.selector, unknown));
        trials.lock(unknown, 0, 0, 0, 1, "");
    }

    function test_RefusesAStudyThatNeverBegan() external {
        study = _openStudy("another", STATISTICIAN, RECORDER);
        vm.expectRevert(abi.encodeWithSelector(IStudies.EnrolmentNotOpen.selector, study));
        _lockAs(0, 0, 0, 1);
    }

    function test_RefusesAnyNumberButTheNext(uint64 seq) external {
        vm.assume(seq != 1);
        vm.expectRevert(abi.encodeWithSelector(IStudies.WrongSeq.selector, study, 1));
        _lockAs(head, 7, 1, seq);
    }

    function test_RefusesAnotherHeadRecordsOrAssigned(bytes32 another, uint64 records, uint32 assigned) external {
        vm.assume(another != head && records != 7 && assigned != 1);
        bytes memory refusal = abi.encodeWithSelector(IStudies.WrongData.selector, study, head, 7, 1);
        vm.expectRevert(refusal);
        _lockAs(another, 7, 1, 1);
        vm.expectRevert(refusal);
        _lockAs(head, records, 1, 1);
        vm.expectRevert(refusal);
        _lockAs(head, 7, assigned, 1);
    }

    function test_WhatTheRecorderSlippedInBetweenIsNotLocked() external {
        bytes memory signature = _sign(SPONSOR_KEY, _locking(study, head, 7, 1, 1));
        _assign(keccak256("another"), 0, 1);
        vm.expectRevert(abi.encodeWithSelector(IStudies.WrongData.selector, study, head, 7, 2));
        trials.lock(study, head, 7, 1, 1, signature);
    }

    function test_AThawTakesBackALockThatWasSigned() external {
        bytes memory signature = _sign(SPONSOR_KEY, _locking(study, head, 7, 1, 1));
        _setFrozen(false, 1);
        vm.expectRevert(abi.encodeWithSelector(IStudies.WrongSeq.selector, study, 2));
        trials.lock(study, head, 7, 1, 1, signature);
    }

    function test_RefusesAnotherSigner(uint256 key) external {
        key = key % 1e30 + 1;
        vm.assume(key != SPONSOR_KEY);
        bytes32 digest = _locking(study, head, 7, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, SPONSOR, digest));
        trials.lock(study, head, 7, 1, 1, _sign(key, digest));
    }

    function test_RefusesWhatWasSignedForAnotherStudyHeadRecordsAssignedOrNumber() external {
        bytes32 expected = _locking(study, head, 7, 1, 1);
        bytes32[5] memory others = [
            _locking(keccak256("another"), head, 7, 1, 1),
            _locking(study, keccak256("another"), 7, 1, 1),
            _locking(study, head, 8, 1, 1),
            _locking(study, head, 7, 2, 1),
            _locking(study, head, 7, 1, 2)
        ];
        for (uint256 i = 0; i < others.length; ++i) {
            bytes memory signature = _sign(SPONSOR_KEY, others[i]);
            vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, SPONSOR, expected));
            trials.lock(study, head, 7, 1, 1, signature);
        }
    }

    function test_LocksOnAnyonesRelay(address relayer) external {
        _setFrozen(true, 1);
        bytes memory signature = _sign(SPONSOR_KEY, _locking(study, head, 7, 1, 2));
        vm.expectEmit(address(trials));
        emit IStudies.DataLocked(study, head, 7, 1);
        vm.prank(relayer);
        trials.lock(study, head, 7, 1, 2, signature);
        vm.assertEq(_standing().lockedAt, block.number);
    }

    function test_TheSameAgainSucceedsWithoutAnEvent() external {
        _lock();
        vm.roll(block.number + 1);
        vm.recordLogs();
        trials.lock(study, head, 7, 1, 1, "");
        _assertNoEvent();
        vm.assertEq(_standing().lockedAt, block.number - 1);
    }

    function test_NothingElseIsTheSame() external {
        _lock();
        bytes memory refusal = abi.encodeWithSelector(IStudies.StudyLocked.selector, study);
        vm.expectRevert(refusal);
        _lockAs(0, 7, 1, 1);
        vm.expectRevert(refusal);
        _lockAs(head, 8, 1, 1);
        vm.expectRevert(refusal);
        _lockAs(head, 7, 2, 1);
        vm.expectRevert(refusal);
        _lockAs(head, 7, 1, 2);
    }
}
