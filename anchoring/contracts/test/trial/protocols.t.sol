// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IStudies} from "../../src/interfaces/IStudies.sol";
import {ITrialRegistry} from "../../src/interfaces/ITrialRegistry.sol";
import {TrialWorld} from "./TrialWorld.sol";

contract RecordProtocolTest is TrialWorld {
    function test_RefusesAnUnknownStudy() external {
        bytes32 unknown = keccak256("no study");
        vm.expectRevert(abi.encodeWithSelector(IStudies.NoStudy.selector, unknown));
        trials.recordProtocol(unknown, 1, CONTENT, 0, "");
    }

    function test_RefusesAnyNumberButTheNext(uint32 number) external {
        _recordProtocol(1, CONTENT, 0);
        vm.assume(number != 1 && number != 2);
        vm.expectRevert(abi.encodeWithSelector(IStudies.WrongNumber.selector, study, 2));
        _recordProtocol(number, CONTENT, REASON);
    }

    function test_RefusesNoContent() external {
        vm.expectRevert(abi.encodeWithSelector(IStudies.InvalidDigest.selector, study));
        _recordProtocol(1, 0, 0);
    }

    function test_RefusesAnAmendmentWithoutAReason() external {
        _recordProtocol(1, CONTENT, 0);
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.InvalidReason.selector, study, 2));
        _recordProtocol(2, CONTENT, 0);
    }

    function test_RefusesAReasonForTheFirst() external {
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.InvalidReason.selector, study, 1));
        _recordProtocol(1, CONTENT, REASON);
    }

    function test_RefusesAnotherSigner(uint256 key) external {
        key = key % 1e30 + 1;
        vm.assume(key != SPONSOR_KEY);
        bytes32 digest = _version(study, 1, CONTENT, 0);
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, SPONSOR, digest));
        trials.recordProtocol(study, 1, CONTENT, 0, _sign(key, digest));
    }

    function test_RefusesWhatWasSignedForAnotherStudyNumberContentOrReason() external {
        _recordProtocol(1, CONTENT, 0);
        bytes32 expected = _version(study, 2, CONTENT, REASON);
        bytes32[4] memory others = [
            _version(keccak256("another"), 2, CONTENT, REASON),
            _version(study, 3, CONTENT, REASON),
            _version(study, 2, keccak256("another"), REASON),
            _version(study, 2, CONTENT, keccak256("another"))
        ];
        for (uint256 i = 0; i < others.length; ++i) {
            bytes memory signature = _sign(SPONSOR_KEY, others[i]);
            vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, SPONSOR, expected));
            trials.recordProtocol(study, 2, CONTENT, REASON, signature);
        }
    }

    function test_RefusesAnAmendmentAfterTheLock() external {
        _begin();
        _lock();
        vm.expectRevert(abi.encodeWithSelector(IStudies.StudyLocked.selector, study));
        _recordProtocol(2, CONTENT, REASON);
    }

    function test_StandsWithItsBlockAndTimeOnAnyonesRelay(address relayer, bytes32 content) external {
        vm.assume(content != 0);
        bytes memory signature = _sign(SPONSOR_KEY, _version(study, 1, content, 0));
        vm.expectEmit(address(trials));
        emit ITrialRegistry.ProtocolRecorded(study, 1, content, 0);
        vm.prank(relayer);
        trials.recordProtocol(study, 1, content, 0, signature);
        _assertVersion(1, content, 0, uint64(block.number));
        vm.assertEq(_standing().versions, 1);
    }

    function test_AnAmendmentLeavesWhatStood() external {
        _begin();
        vm.roll(block.number + 1);
        bytes32 amended = keccak256("amended");
        _recordProtocol(2, amended, REASON);
        _assertVersion(1, CONTENT, 0, uint64(block.number - 1));
        _assertVersion(2, amended, REASON, uint64(block.number));
        vm.assertTrue(_standing().versions == 2 && _standing().enrolledUnder == 1);
    }

    function test_TheSameAgainSucceedsWithoutAnEventThoughTheDataAreLocked() external {
        _begin();
        _lock();
        vm.recordLogs();
        trials.recordProtocol(study, 1, CONTENT, 0, "");
        _assertNoEvent();
    }

    function test_AVersionNeverChanges() external {
        _recordProtocol(1, CONTENT, 0);
        _recordProtocol(2, CONTENT, REASON);
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.ProtocolTaken.selector, study, 2));
        _recordProtocol(2, keccak256("another"), REASON);
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.ProtocolTaken.selector, study, 2));
        _recordProtocol(2, CONTENT, keccak256("another"));
    }

    function _assertVersion(uint32 number, bytes32 content, bytes32 reason, uint64 blockNumber) private view {
        (bytes32 contentNow, bytes32 reasonNow, uint64 numberNow, uint64 recordedAt) = trials.protocolOf(study, number);
        vm.assertTrue(contentNow == content && reasonNow == reason);
        vm.assertTrue(numberNow == blockNumber && recordedAt == block.timestamp);
    }
}
