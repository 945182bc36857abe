// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IEmergencyRegistry} from "../../src/interfaces/IEmergencyRegistry.sol";
import {World} from "../World.sol";

contract EmergencyTest is World {
    bytes32 private constant COMMITMENT = keccak256("salted emergency");
    bytes32 private constant REVIEW = keccak256("salted review");

    function test_RecordsAnOpening() external {
        uint64 expiresAt = uint64(block.timestamp) + 24 hours;
        vm.expectEmit(address(emergencies));
        emit IEmergencyRegistry.EmergencyOpened(COMMITMENT, expiresAt);
        _open(expiresAt);
        _assertState(uint64(block.number), expiresAt, 0);
    }

    function test_RecordsAnOpeningThatComesLate(uint64 expiresAt) external {
        vm.assume(expiresAt != 0 && expiresAt <= block.timestamp);
        _open(expiresAt);
        _assertState(uint64(block.number), expiresAt, 0);
    }

    function test_OnlyEnrollersOpenAndClose(address caller) external {
        vm.assume(caller != ENROLLER);
        vm.expectRevert(abi.encodeWithSelector(IEmergencyRegistry.NotEnroller.selector, caller));
        vm.prank(caller);
        emergencies.openEmergency(COMMITMENT, 1);
        _open(1);
        vm.expectRevert(abi.encodeWithSelector(IEmergencyRegistry.NotEnroller.selector, caller));
        vm.prank(caller);
        emergencies.closeEmergency(COMMITMENT, REVIEW);
    }

    function test_RefusesLongerThanADay(uint64 expiresAt) external {
        vm.assume(expiresAt > block.timestamp + 24 hours);
        vm.expectRevert(abi.encodeWithSelector(IEmergencyRegistry.TooLong.selector, expiresAt));
        _open(expiresAt);
    }

    function test_RefusesOneWithoutAnEnd() external {
        vm.expectRevert(abi.encodeWithSelector(IEmergencyRegistry.TooLong.selector, 0));
        _open(0);
    }

    function test_RefusesTheEmptyCommitment() external {
        vm.expectRevert(abi.encodeWithSelector(IEmergencyRegistry.InvalidCommitment.selector));
        vm.prank(ENROLLER);
        emergencies.openEmergency(0, 1);
    }

    function test_ACopiedOpeningSucceedsAndChangesNothing() external {
        _open(5);
        vm.roll(block.number + 1);
        vm.recordLogs();
        _open(5);
        _assertNoEvent();
        _assertState(uint64(block.number - 1), 5, 0);
    }

    function test_RefusesAnotherEndForTheSame() external {
        _open(5);
        vm.expectRevert(abi.encodeWithSelector(IEmergencyRegistry.EmergencyTaken.selector, COMMITMENT));
        _open(6);
    }

    function test_RecordsAReview() external {
        _open(5);
        vm.expectEmit(address(emergencies));
        emit IEmergencyRegistry.EmergencyClosed(COMMITMENT, REVIEW);
        _close(REVIEW);
        _assertState(uint64(block.number), 5, REVIEW);
    }

    function test_RefusesToCloseWhatWasNotOpened() external {
        vm.expectRevert(abi.encodeWithSelector(IEmergencyRegistry.NoEmergency.selector, COMMITMENT));
        _close(REVIEW);
    }

    function test_RefusesTheEmptyReview() external {
        _open(5);
        vm.expectRevert(abi.encodeWithSelector(IEmergencyRegistry.InvalidCommitment.selector));
        _close(0);
    }

    function test_ACopiedReviewSucceedsAndChangesNothing() external {
        _open(5);
        _close(REVIEW);
        vm.recordLogs();
        _close(REVIEW);
        _assertNoEvent();
    }

    function test_AReviewIsNotReplaced() external {
        _open(5);
        _close(REVIEW);
        vm.expectRevert(abi.encodeWithSelector(IEmergencyRegistry.AlreadyClosed.selector, COMMITMENT));
        _close(keccak256("another review"));
    }

    function _open(uint64 expiresAt) private {
        vm.prank(ENROLLER);
        emergencies.openEmergency(COMMITMENT, expiresAt);
    }

    function _close(bytes32 review) private {
        vm.prank(ENROLLER);
        emergencies.closeEmergency(COMMITMENT, review);
    }

    function _assertState(uint64 blockNumber, uint64 expiresAt, bytes32 review) private view {
        (uint64 number, uint64 end, bytes32 found) = emergencies.emergencyState(COMMITMENT);
        vm.assertEq(number, blockNumber);
        vm.assertEq(end, expiresAt);
        vm.assertEq(found, review);
    }
}
