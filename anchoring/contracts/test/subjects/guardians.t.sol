// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ConsentRegistry} from "../../src/ConsentRegistry.sol";
import {ISubjects} from "../../src/interfaces/ISubjects.sol";
import {SubjectWorld} from "./SubjectWorld.sol";

contract SetGuardiansTest is SubjectWorld {
    bytes32 private constant FIRST = keccak256("first guardians");
    bytes32 private constant OTHERS = keccak256("other guardians");

    function test_TheFirstHoldAtOnce() external {
        bytes memory signature = _sign(CONTROLLER_KEY, _guardians(FIRST));
        vm.expectEmit(address(consents));
        emit ISubjects.GuardiansSet(SUBJECT, FIRST, uint64(block.timestamp), 1);
        vm.prank(STRANGER);
        consents.setGuardians(SUBJECT, FIRST, signature);
        _assertGuardians(FIRST, 0, 0);
        _assertState(0, 1);
    }

    function test_OthersHoldAfterTheDelayAndNotBefore() external {
        _setGuardians(FIRST);
        uint64 due = uint64(block.timestamp) + DELAY;
        bytes memory signature = _sign(CONTROLLER_KEY, _guardians(OTHERS));
        vm.expectEmit(address(consents));
        emit ISubjects.GuardiansSet(SUBJECT, OTHERS, due, 2);
        consents.setGuardians(SUBJECT, OTHERS, signature);
        _assertGuardians(FIRST, OTHERS, due);
        vm.warp(due - 1);
        _assertGuardians(FIRST, OTHERS, due);
        vm.warp(due);
        _assertGuardians(OTHERS, 0, 0);
    }

    function test_NoneHoldAfterTheDelayEither() external {
        _setGuardians(FIRST);
        _setGuardians(0);
        _assertGuardians(FIRST, 0, uint64(block.timestamp) + DELAY);
        vm.warp(block.timestamp + DELAY);
        _assertGuardians(0, 0, 0);
    }

    function test_ARepeatedReplacementDoesNotWaitLonger() external {
        _setGuardians(FIRST);
        _setGuardians(OTHERS);
        uint64 due = uint64(block.timestamp) + DELAY;
        vm.warp(block.timestamp + 1 days);
        vm.recordLogs();
        consents.setGuardians(SUBJECT, OTHERS, "");
        _assertNoEvent();
        _assertGuardians(FIRST, OTHERS, due);
    }

    function test_AnotherReplacementWaitsAnew() external {
        _setGuardians(FIRST);
        _setGuardians(OTHERS);
        vm.warp(block.timestamp + 1 days);
        _setGuardians(keccak256("third"));
        _assertGuardians(FIRST, keccak256("third"), uint64(block.timestamp) + DELAY);
    }

    function test_TheOnesThatHoldCancelAReplacement() external {
        _setGuardians(FIRST);
        _setGuardians(OTHERS);
        _setGuardians(FIRST);
        vm.warp(block.timestamp + DELAY);
        _assertGuardians(FIRST, 0, 0);
    }

    function test_AReplacementThatCameToHoldIsReplacedAfterTheDelay() external {
        _setGuardians(FIRST);
        _setGuardians(OTHERS);
        vm.warp(block.timestamp + DELAY);
        _setGuardians(FIRST);
        _assertGuardians(OTHERS, FIRST, uint64(block.timestamp) + DELAY);
    }

    function test_NoneAreSetTwice() external {
        vm.recordLogs();
        consents.setGuardians(SUBJECT, 0, "");
        _assertNoEvent();
    }

    function test_RefusesAnotherSigner(uint256 key) external {
        key = key % 1e30 + 1;
        vm.assume(key != CONTROLLER_KEY);
        bytes32 digest = _guardians(FIRST);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, digest));
        consents.setGuardians(SUBJECT, FIRST, _sign(key, digest));
    }

    function test_RefusesAnOldSignature() external {
        bytes memory signature = _sign(CONTROLLER_KEY, _guardians(FIRST));
        _setGuardians(FIRST);
        _setGuardians(OTHERS);
        vm.warp(block.timestamp + DELAY);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, _guardians(FIRST)));
        consents.setGuardians(SUBJECT, FIRST, signature);
    }

    function test_TheyStayThroughAHandOver() external {
        _setGuardians(FIRST);
        _handOver(CONTROLLER_KEY, OTHER_KEY);
        _assertGuardians(FIRST, 0, 0);
        _setGuardians(OTHERS, OTHER_KEY);
        _assertGuardians(FIRST, OTHERS, uint64(block.timestamp) + DELAY);
    }

    function test_RefusesAnErasedSubject() external {
        vm.prank(vm.addr(CONTROLLER_KEY));
        consents.erase(SUBJECT, "");
        vm.expectRevert(abi.encodeWithSelector(ISubjects.SubjectGone.selector, SUBJECT));
        consents.setGuardians(SUBJECT, FIRST, "");
    }

    function test_ADelayIsBetweenASecondAndAYear(uint64 delay) external {
        vm.assume(delay == 0 || delay > 365 days);
        bytes32[] memory types = new bytes32[](1);
        types[0] = keccak256("type");
        vm.expectRevert(abi.encodeWithSelector(ISubjects.InvalidDelay.selector, delay));
        new ConsentRegistry(identity, types, delay);
    }

    function _assertGuardians(bytes32 guardians, bytes32 next, uint64 nextAt) private view {
        (bytes32 guardiansNow, bytes32 nextNow, uint64 nextAtNow) = consents.guardiansOf(SUBJECT);
        vm.assertEq(guardiansNow, guardians);
        vm.assertEq(nextNow, next);
        vm.assertEq(nextAtNow, nextAt);
    }
}
