// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IStudies} from "../../src/interfaces/IStudies.sol";
import {ITrialRegistry} from "../../src/interfaces/ITrialRegistry.sol";
import {TrialWorld} from "./TrialWorld.sol";

contract AssignTest is TrialWorld {
    function test_RefusesAnyoneButTheRecorder(address caller) external {
        vm.assume(caller != RECORDER);
        _begin();
        ITrialRegistry.Place memory place = _place(0, 0);
        bytes32[] memory proof = _proof(0, 0);
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotRecorder.selector, study, caller));
        vm.prank(caller);
        trials.assign(study, PATIENT, place, proof);
    }

    function test_RefusesAnUnknownStudy() external {
        study = keccak256("no study");
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotRecorder.selector, study, RECORDER));
        _assign(PATIENT, 0, 0);
    }

    function test_RefusesASubjectBeforeEnrolmentIsOpen() external {
        _recordProtocol(1, CONTENT, 0);
        _commit(_root(), SIZE);
        vm.expectRevert(abi.encodeWithSelector(IStudies.EnrolmentNotOpen.selector, study));
        _assign(PATIENT, 0, 0);
    }

    function test_RefusesASubjectWhileFrozenAndTakesItAfterwards() external {
        _begin();
        _setFrozen(true, 1);
        vm.expectRevert(abi.encodeWithSelector(IStudies.StudyFrozen.selector, study));
        _assign(PATIENT, 0, 0);
        _setFrozen(false, 2);
        _assign(PATIENT, 0, 0);
        vm.assertEq(_standing().assigned, 1);
    }

    function test_RefusesASubjectAfterTheLock() external {
        _begin();
        _lock();
        vm.expectRevert(abi.encodeWithSelector(IStudies.StudyLocked.selector, study));
        _assign(PATIENT, 0, 0);
    }

    function test_RefusesNobody() external {
        _begin();
        vm.expectRevert(abi.encodeWithSelector(IStudies.InvalidDigest.selector, study));
        _assign(0, 0, 0);
    }

    function test_RefusesEveryoneWhereNoListWasCommitted() external {
        _recordProtocol(1, CONTENT, 0);
        _openEnrolment(1, 0);
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.AllocationExhausted.selector, study));
        _assign(PATIENT, 0, 0);
    }

    function test_RefusesMoreSubjectsThanTheListIsFor() external {
        _recordProtocol(1, CONTENT, 0);
        _commit(_root(), 1);
        _openEnrolment(1, _root());
        _assign(PATIENT, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.AllocationExhausted.selector, study));
        _assign(keccak256("another"), 0, 1);
    }

    function test_NoArmIsPassedOver(uint32 position) external {
        position %= 4;
        vm.assume(position != 1);
        _begin();
        _assign(PATIENT, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.WrongPosition.selector, study, 0, 1));
        _assign(keccak256("another"), 0, position);
    }

    function test_RefusesAnotherArmThanTheListHas(bytes32 arm) external {
        ITrialRegistry.Place memory place = _place(0, 0);
        vm.assume(arm != place.arm);
        place.arm = arm;
        _refusesAsNotAllocated(place, _proof(0, 0));
    }

    function test_RefusesTheNextPlaceWithTheArmOfALaterOne() external {
        ITrialRegistry.Place memory place = _place(0, 1);
        place.position = 0;
        _refusesAsNotAllocated(place, _proof(0, 1));
    }

    function test_RefusesAPlaceOfAStratumThatTheListHasNot() external {
        _refusesAsNotAllocated(ITrialRegistry.Place(7, 0, _place(0, 0).arm), _proof(0, 0));
    }

    function test_RefusesAnInnerNodeAsALeaf() external {
        bytes32[] memory proof = new bytes32[](2);
        (proof[0], proof[1]) = (_proof(0, 0)[1], _proof(0, 0)[2]);
        _refusesAsNotAllocated(_place(0, 0), proof);
    }

    function test_TakesAProofOf32AndRefusesOneOf33() external {
        (bytes32 root, bytes32[] memory proof) = _chain(32);
        _beginWith(root);
        vm.prank(RECORDER);
        trials.assign(study, PATIENT, _place(0, 0), proof);
        study = _openStudy("another", STATISTICIAN, RECORDER);
        (root, proof) = _chain(33);
        _beginWith(root);
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.NotAllocated.selector, study, 0, 0));
        vm.prank(RECORDER);
        trials.assign(study, PATIENT, _place(0, 0), proof);
    }

    function test_TakesTheNextPlaceOfAStratum() external {
        _begin();
        _assign(keccak256("first"), 1, 0);
        vm.expectEmit(address(trials));
        emit ITrialRegistry.SubjectAssigned(study, PATIENT, 1, 1, _place(1, 1).arm);
        _assign(PATIENT, 1, 1);
        _assertPlace(PATIENT, 1, 1, uint64(block.number));
        vm.assertTrue(trials.nextPosition(study, 1) == 2 && trials.nextPosition(study, 0) == 0);
        vm.assertEq(_standing().assigned, 2);
    }

    function test_EveryPlaceIsTakenOnce() external {
        _begin();
        for (uint32 i = 0; i < SIZE; ++i) {
            _assign(keccak256(abi.encode(i)), i % 2, i / 2);
        }
        for (uint32 i = 0; i < SIZE; ++i) {
            _assertPlace(keccak256(abi.encode(i)), i % 2, i / 2, uint64(block.number));
        }
        vm.assertTrue(_standing().assigned == SIZE && trials.nextPosition(study, 0) == 4);
    }

    function test_TheSameAgainSucceedsWithoutAnEventThoughTheDataAreLocked() external {
        _begin();
        _assign(PATIENT, 0, 0);
        _lock();
        vm.roll(block.number + 1);
        vm.recordLogs();
        _assign(PATIENT, 0, 0);
        _assertNoEvent();
        _assertPlace(PATIENT, 0, 0, uint64(block.number - 1));
        vm.assertEq(_standing().assigned, 1);
    }

    function test_ASubjectGetsNoSecondPlace() external {
        _begin();
        _assign(PATIENT, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.AssignmentTaken.selector, study, PATIENT));
        _assign(PATIENT, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.AssignmentTaken.selector, study, PATIENT));
        _assign(PATIENT, 1, 0);
        ITrialRegistry.Place memory place = _place(0, 0);
        place.arm = keccak256("another");
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.AssignmentTaken.selector, study, PATIENT));
        vm.prank(RECORDER);
        trials.assign(study, PATIENT, place, new bytes32[](0));
    }

    function _refusesAsNotAllocated(ITrialRegistry.Place memory place, bytes32[] memory proof) private {
        _begin();
        vm.expectRevert(
            abi.encodeWithSelector(ITrialRegistry.NotAllocated.selector, study, place.stratum, place.position)
        );
        vm.prank(RECORDER);
        trials.assign(study, PATIENT, place, proof);
    }

    function _beginWith(bytes32 root) private {
        _recordProtocol(1, CONTENT, 0);
        _commit(root, SIZE);
        _openEnrolment(1, root);
    }

    /// @dev A root so far above the first place of the first stratum.
    function _chain(uint256 length) private pure returns (bytes32 root, bytes32[] memory proof) {
        proof = new bytes32[](length);
        root = keccak256(bytes.concat(keccak256(abi.encode(_place(0, 0)))));
        for (uint256 i = 0; i < length; ++i) {
            root = keccak256(bytes.concat(bytes32(0), root));
        }
    }

    function _assertPlace(bytes32 subject, uint32 stratum, uint32 position, uint64 blockNumber) private view {
        (bytes32 arm, uint32 stratumNow, uint32 positionNow, uint32 unblindings, uint64 numberNow) =
            trials.assignmentOf(study, subject);
        vm.assertTrue(arm == _place(stratum, position).arm && unblindings == 0);
        vm.assertTrue(stratumNow == stratum && positionNow == position && numberNow == blockNumber);
    }
}
