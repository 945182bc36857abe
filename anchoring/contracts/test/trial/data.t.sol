// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IStudies} from "../../src/interfaces/IStudies.sol";
import {TrialWorld} from "./TrialWorld.sol";

contract RecordDataTest is TrialWorld {
    bytes32 private constant ROOT = keccak256("root");

    function test_RefusesAnyoneButTheRecorder(address caller) external {
        vm.assume(caller != RECORDER);
        _begin();
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotRecorder.selector, study, caller));
        vm.prank(caller);
        trials.recordData(study, ROOT, 1);
    }

    function test_RefusesAnyoneButTheRecorderWhatStandsToo() external {
        _begin();
        _recordData(ROOT, 1);
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotRecorder.selector, study, OWNER));
        vm.prank(OWNER);
        trials.recordData(study, ROOT, 1);
    }

    function test_RefusesAnUnknownStudy() external {
        study = keccak256("no study");
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotRecorder.selector, study, RECORDER));
        _recordData(ROOT, 1);
    }

    function test_RefusesDataBeforeEnrolmentIsOpen() external {
        _recordProtocol(1, CONTENT, 0);
        vm.expectRevert(abi.encodeWithSelector(IStudies.EnrolmentNotOpen.selector, study));
        _recordData(ROOT, 1);
    }

    function test_RefusesDataWhileFrozenAndTakesThemAfterwards() external {
        _begin();
        _setFrozen(true, 1);
        vm.expectRevert(abi.encodeWithSelector(IStudies.StudyFrozen.selector, study));
        _recordData(ROOT, 1);
        _setFrozen(false, 2);
        _recordData(ROOT, 1);
        vm.assertEq(_standing().batches, 1);
    }

    function test_RefusesDataAfterTheLock(bytes32 root, uint32 count) external {
        _begin();
        _lock();
        vm.expectRevert(abi.encodeWithSelector(IStudies.StudyLocked.selector, study));
        _recordData(root, count);
    }

    function test_RefusesNoRootAndNoRecords() external {
        _begin();
        vm.expectRevert(abi.encodeWithSelector(IStudies.EmptyBatch.selector, study));
        _recordData(0, 1);
        vm.expectRevert(abi.encodeWithSelector(IStudies.EmptyBatch.selector, study));
        _recordData(ROOT, 0);
    }

    function test_TakesDataWhereNothingIsAllocated() external {
        _recordProtocol(1, CONTENT, 0);
        _openEnrolment(1, 0);
        _recordData(ROOT, 1);
        vm.assertEq(_standing().records, 1);
    }

    function test_TheHeadRollsOverEveryRoot(bytes32[4] calldata roots, uint32[4] calldata counts) external {
        _begin();
        bytes32 head;
        uint64 records;
        for (uint32 i = 0; i < 4; ++i) {
            bytes32 root = keccak256(abi.encode(i, roots[i]));
            uint32 count = counts[i] == 0 ? 1 : counts[i];
            head = keccak256(abi.encode(head, root, count));
            records += count;
            vm.expectEmit(address(trials));
            emit IStudies.DataRecorded(study, i, root, count, head);
            _recordData(root, count);
            (uint64 blockNumber, uint32 index, uint32 found) = trials.dataOf(study, root);
            vm.assertTrue(blockNumber == block.number && index == i && found == count);
        }
        vm.assertTrue(_standing().head == head && _standing().records == records && _standing().batches == 4);
    }

    function test_TheSameAgainSucceedsWithoutAnEventThoughTheDataAreLocked() external {
        _begin();
        _recordData(ROOT, 7);
        bytes32 head = _standing().head;
        _lock();
        vm.recordLogs();
        _recordData(ROOT, 7);
        _assertNoEvent();
        vm.assertTrue(_standing().head == head && _standing().records == 7 && _standing().batches == 1);
    }

    function test_RefusesARootAgainWithAnotherCount(uint32 count) external {
        vm.assume(count != 7);
        _begin();
        _recordData(ROOT, 7);
        vm.expectRevert(abi.encodeWithSelector(IStudies.DataTaken.selector, study, ROOT));
        _recordData(ROOT, count);
    }

    function test_AnotherStudyTakesTheSameRoot() external {
        _begin();
        _recordData(ROOT, 7);
        bytes32 first = study;
        study = _openStudy("another", STATISTICIAN, RECORDER);
        _begin();
        _recordData(ROOT, 9);
        vm.assertTrue(_standing().records == 9 && trials.studyOf(first).records == 7);
    }
}
