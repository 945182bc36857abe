// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IStudies} from "../../src/interfaces/IStudies.sol";
import {ITrialRegistry} from "../../src/interfaces/ITrialRegistry.sol";
import {TrialWorld} from "./TrialWorld.sol";

contract CommitAllocationTest is TrialWorld {
    bytes32 private constant ROOT = keccak256("root");

    function test_RefusesAnUnknownStudy() external {
        bytes32 unknown = keccak256("no study");
        vm.expectRevert(abi.encodeWithSelector(IStudies.NoStudy.selector, unknown));
        trials.commitAllocation(unknown, ROOT, SIZE, SPONSOR, "");
    }

    function test_RefusesAListOnceEnrolmentIsOpen() external {
        _recordProtocol(1, CONTENT, 0);
        _openEnrolment(1, 0);
        vm.expectRevert(abi.encodeWithSelector(IStudies.EnrolmentIsOpen.selector, study));
        _commit(ROOT, SIZE);
    }

    function test_RefusesNoRootAndNoSubjects() external {
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.InvalidAllocation.selector, study));
        _commit(0, SIZE);
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.InvalidAllocation.selector, study));
        _commit(ROOT, 0);
    }

    function test_RefusesAnyoneButSponsorAndStatistician() external {
        bytes memory signature = _sign(DOCTOR_KEY, _allocation(study, ROOT, SIZE, DOCTOR));
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.NotAllocator.selector, study, DOCTOR));
        trials.commitAllocation(study, ROOT, SIZE, DOCTOR, signature);
    }

    function test_WhereThereIsNoStatisticianNobodySignsInTheirPlace() external {
        study = _openStudy("another", 0, RECORDER);
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.NotAllocator.selector, study, STATISTICIAN));
        _commit(ROOT, SIZE);
        bytes32 digest = _allocation(study, ROOT, SIZE, 0);
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, bytes32(0), digest));
        trials.commitAllocation(study, ROOT, SIZE, 0, "");
    }

    function test_RefusesAnotherSigner(uint256 key) external {
        key = key % 1e30 + 1;
        vm.assume(key != STATISTICIAN_KEY);
        bytes32 digest = _allocation(study, ROOT, SIZE, STATISTICIAN);
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, STATISTICIAN, digest));
        trials.commitAllocation(study, ROOT, SIZE, STATISTICIAN, _sign(key, digest));
    }

    function test_RefusesWhatWasSignedForAnotherStudyRootSizeOrSigner() external {
        bytes32 expected = _allocation(study, ROOT, SIZE, STATISTICIAN);
        bytes32[4] memory others = [
            _allocation(keccak256("another"), ROOT, SIZE, STATISTICIAN),
            _allocation(study, keccak256("another"), SIZE, STATISTICIAN),
            _allocation(study, ROOT, SIZE + 1, STATISTICIAN),
            _allocation(study, ROOT, SIZE, SPONSOR)
        ];
        for (uint256 i = 0; i < others.length; ++i) {
            bytes memory signature = _sign(STATISTICIAN_KEY, others[i]);
            vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, STATISTICIAN, expected));
            trials.commitAllocation(study, ROOT, SIZE, STATISTICIAN, signature);
        }
    }

    function test_StandsByTheStatisticiansWordOnAnyonesRelay(address relayer, bytes32 root, uint32 size) external {
        vm.assume(root != 0 && size != 0);
        bytes memory signature = _sign(STATISTICIAN_KEY, _allocation(study, root, size, STATISTICIAN));
        vm.expectEmit(address(trials));
        emit ITrialRegistry.AllocationCommitted(study, root, size, STATISTICIAN);
        vm.prank(relayer);
        trials.commitAllocation(study, root, size, STATISTICIAN, signature);
        vm.assertTrue(_standing().allocation == root && _standing().size == size);
    }

    function test_StandsByTheSponsorsWord() external {
        bytes memory signature = _sign(SPONSOR_KEY, _allocation(study, ROOT, SIZE, SPONSOR));
        vm.expectEmit(address(trials));
        emit ITrialRegistry.AllocationCommitted(study, ROOT, SIZE, SPONSOR);
        trials.commitAllocation(study, ROOT, SIZE, SPONSOR, signature);
    }

    function test_TheSameAgainSucceedsWithoutAnEventThoughEnrolmentIsOpen() external {
        _begin();
        vm.recordLogs();
        trials.commitAllocation(study, _root(), SIZE, SPONSOR, "");
        _assertNoEvent();
    }

    function test_AListNeverChanges() external {
        _commit(ROOT, SIZE);
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.AllocationTaken.selector, study));
        _commit(keccak256("another"), SIZE);
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.AllocationTaken.selector, study));
        _commit(ROOT, SIZE + 1);
    }
}
