// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IStudies} from "../../src/interfaces/IStudies.sol";
import {ITrialRegistry} from "../../src/interfaces/ITrialRegistry.sol";
import {TrialWorld} from "./TrialWorld.sol";

contract RecordUnblindingTest is TrialWorld {
    function setUp() public override {
        super.setUp();
        _begin();
        _assign(PATIENT, 0, 0);
    }

    function test_RefusesAnyoneButTheRecorder(address caller) external {
        vm.assume(caller != RECORDER);
        bytes memory signature = _sign(DOCTOR_KEY, _unblinding(study, PATIENT, REASON, DOCTOR));
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotRecorder.selector, study, caller));
        vm.prank(caller);
        trials.recordUnblinding(study, PATIENT, REASON, DOCTOR, signature);
    }

    function test_RefusesASubjectWithoutAPlace(bytes32 subject) external {
        vm.assume(subject != PATIENT);
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.NotAssigned.selector, study, subject));
        _unblind(subject, REASON, DOCTOR, DOCTOR_KEY);
    }

    function test_RefusesNoReason() external {
        vm.expectRevert(abi.encodeWithSelector(IStudies.InvalidDigest.selector, study));
        _unblind(PATIENT, 0, DOCTOR, DOCTOR_KEY);
    }

    function test_RefusesAnotherSigner(uint256 key) external {
        key = key % 1e30 + 1;
        vm.assume(key != DOCTOR_KEY);
        bytes32 digest = _unblinding(study, PATIENT, REASON, DOCTOR);
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, DOCTOR, digest));
        _unblind(PATIENT, REASON, DOCTOR, key);
    }

    function test_RefusesWhatWasSignedForAnotherStudySubjectReasonOrActor() external {
        bytes32 expected = _unblinding(study, PATIENT, REASON, DOCTOR);
        bytes32[4] memory others = [
            _unblinding(keccak256("another"), PATIENT, REASON, DOCTOR),
            _unblinding(study, keccak256("another"), REASON, DOCTOR),
            _unblinding(study, PATIENT, keccak256("another"), DOCTOR),
            _unblinding(study, PATIENT, REASON, SPONSOR)
        ];
        for (uint256 i = 0; i < others.length; ++i) {
            bytes memory signature = _sign(DOCTOR_KEY, others[i]);
            vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, DOCTOR, expected));
            vm.prank(RECORDER);
            trials.recordUnblinding(study, PATIENT, REASON, DOCTOR, signature);
        }
    }

    function test_RefusesOneAfterTheLock() external {
        _lock();
        vm.expectRevert(abi.encodeWithSelector(IStudies.StudyLocked.selector, study));
        _unblind(PATIENT, REASON, DOCTOR, DOCTOR_KEY);
    }

    function test_StandsAndCountsThoughTheDataAreFrozen() external {
        _setFrozen(true, 1);
        vm.expectEmit(address(trials));
        emit ITrialRegistry.SubjectUnblinded(study, PATIENT, REASON, DOCTOR);
        _unblind(PATIENT, REASON, DOCTOR, DOCTOR_KEY);
        (bytes32 reason, uint64 blockNumber) = trials.unblindingOf(study, PATIENT, DOCTOR);
        vm.assertTrue(reason == REASON && blockNumber == block.number);
        _assertCounts(1);
    }

    function test_EachActorWhoIsToldCounts() external {
        _unblind(PATIENT, REASON, DOCTOR, DOCTOR_KEY);
        _unblind(PATIENT, REASON, SPONSOR, SPONSOR_KEY);
        _assertCounts(2);
    }

    function test_TheSameAgainSucceedsWithoutAnEventThoughTheDataAreLocked() external {
        _unblind(PATIENT, REASON, DOCTOR, DOCTOR_KEY);
        _lock();
        vm.recordLogs();
        vm.prank(RECORDER);
        trials.recordUnblinding(study, PATIENT, REASON, DOCTOR, "");
        _assertNoEvent();
        _assertCounts(1);
    }

    function test_TheFirstReasonStands() external {
        _unblind(PATIENT, REASON, DOCTOR, DOCTOR_KEY);
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.UnblindingTaken.selector, study, PATIENT, DOCTOR));
        _unblind(PATIENT, keccak256("another"), DOCTOR, DOCTOR_KEY);
    }

    function _assertCounts(uint32 count) private view {
        (,,, uint32 unblindings,) = trials.assignmentOf(study, PATIENT);
        vm.assertTrue(unblindings == count && _standing().unblindings == count);
    }
}
