// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IStudies} from "../../src/interfaces/IStudies.sol";
import {ITrialRegistry} from "../../src/interfaces/ITrialRegistry.sol";
import {TrialWorld} from "./TrialWorld.sol";

contract PublishResultsTest is TrialWorld {
    bytes32 private constant FOUND = keccak256("results");

    function test_RefusesAnUnknownStudy() external {
        bytes32 unknown = keccak256("no study");
        vm.expectRevert(abi.encodeWithSelector(IStudies.NoStudy.selector, unknown));
        trials.publishResults(unknown, 1, FOUND, "");
    }

    function test_RefusesResultsBeforeTheLock() external {
        _begin();
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.StudyNotLocked.selector, study));
        _publish(1, FOUND);
    }

    function test_RefusesAnyNumberButTheNext(uint32 number) external {
        vm.assume(number != 1);
        _begin();
        _lock();
        vm.expectRevert(abi.encodeWithSelector(IStudies.WrongNumber.selector, study, 1));
        _publish(number, FOUND);
    }

    function test_RefusesNoContent() external {
        _begin();
        _lock();
        vm.expectRevert(abi.encodeWithSelector(IStudies.InvalidDigest.selector, study));
        _publish(1, 0);
    }

    function test_RefusesAnotherSigner(uint256 key) external {
        key = key % 1e30 + 1;
        vm.assume(key != SPONSOR_KEY);
        _begin();
        _lock();
        bytes32 digest = _results(study, 1, FOUND);
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, SPONSOR, digest));
        trials.publishResults(study, 1, FOUND, _sign(key, digest));
    }

    function test_RefusesWhatWasSignedForAnotherStudyNumberOrContent() external {
        _begin();
        _lock();
        bytes32 expected = _results(study, 1, FOUND);
        bytes32[3] memory others = [
            _results(keccak256("another"), 1, FOUND),
            _results(study, 2, FOUND),
            _results(study, 1, keccak256("another"))
        ];
        for (uint256 i = 0; i < others.length; ++i) {
            bytes memory signature = _sign(SPONSOR_KEY, others[i]);
            vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, SPONSOR, expected));
            trials.publishResults(study, 1, FOUND, signature);
        }
    }

    function test_StandWithTheirBlockAndTimeOnAnyonesRelay(address relayer) external {
        _begin();
        _lock();
        _publish(1, FOUND);
        bytes32 corrected = keccak256("corrected");
        bytes memory signature = _sign(SPONSOR_KEY, _results(study, 2, corrected));
        vm.expectEmit(address(trials));
        emit ITrialRegistry.ResultsPublished(study, 2, corrected);
        vm.prank(relayer);
        trials.publishResults(study, 2, corrected, signature);
        (bytes32 content, uint64 blockNumber, uint64 recordedAt) = trials.resultsOf(study, 2);
        vm.assertTrue(content == corrected && blockNumber == block.number && recordedAt == block.timestamp);
        (content,,) = trials.resultsOf(study, 1);
        vm.assertTrue(content == FOUND && _standing().results == 2);
    }

    function test_TheSameAgainSucceedsWithoutAnEvent() external {
        _begin();
        _lock();
        _publish(1, FOUND);
        _publish(2, keccak256("corrected"));
        vm.recordLogs();
        trials.publishResults(study, 1, FOUND, "");
        _assertNoEvent();
    }

    function test_ResultsNeverChange() external {
        _begin();
        _lock();
        _publish(1, FOUND);
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.ResultsTaken.selector, study, 1));
        _publish(1, keccak256("another"));
    }
}
