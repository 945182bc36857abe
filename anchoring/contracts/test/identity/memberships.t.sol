// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IIdentityRegistry} from "../../src/interfaces/IIdentityRegistry.sol";
import {World} from "../World.sol";

abstract contract MembershipWorld is World {
    uint64 internal constant END = 1_900_000_000;

    function setUp() public override {
        super.setUp();
        _register(ORG, ORG_KEY);
        _register(DOCTOR, DOCTOR_KEY);
    }

    function _membership(uint8 role, uint64 notAfter, uint64 seq) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("Membership(bytes32 org,bytes32 member,uint8 role,uint64 notAfter,uint64 seq)");
        return _digest(address(identity), keccak256(abi.encode(typeHash, ORG, DOCTOR, role, notAfter, seq)));
    }

    function _set(uint8 role, uint64 notAfter, uint64 seq) internal {
        bytes memory signature = _sign(ORG_KEY, _membership(role, notAfter, seq));
        vm.prank(STRANGER);
        identity.setMembership(ORG, DOCTOR, role, notAfter, seq, signature);
    }
}

contract SetMembershipTest is MembershipWorld {
    function test_ACopySucceedsAndChangesNothing() external {
        _set(3, END, 1);
        vm.recordLogs();
        _set(3, END, 1);
        _assertNoEvent();
    }

    function test_RefusesARemovedOrganization() external {
        vm.prank(ENROLLER);
        identity.removeActor(ORG);
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.NotActor.selector, ORG));
        identity.setMembership(ORG, DOCTOR, 3, END, 1, "");
    }

    function test_RefusesAnUnknownMember(bytes32 member) external {
        vm.assume(member != ORG && member != DOCTOR);
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.NotActor.selector, member));
        identity.setMembership(ORG, member, 3, END, 1, "");
    }

    function test_RefusesAnyOtherSequence(uint64 seq) external {
        vm.assume(seq != 2);
        _set(3, END, 1);
        bytes memory signature = _sign(ORG_KEY, _membership(4, END, seq));
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.WrongSeq.selector, ORG, DOCTOR, 2));
        identity.setMembership(ORG, DOCTOR, 4, END, seq, signature);
    }

    function test_SequenceZeroSetsNothing() external {
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.WrongSeq.selector, ORG, DOCTOR, 1));
        identity.setMembership(ORG, DOCTOR, 0, 0, 0, "");
    }

    function test_AnEndedMembershipIsNotReplayed() external {
        _set(3, END, 1);
        _set(3, 1, 2);
        bytes memory signature = _sign(ORG_KEY, _membership(3, END, 1));
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.WrongSeq.selector, ORG, DOCTOR, 3));
        identity.setMembership(ORG, DOCTOR, 3, END, 1, signature);
    }

    function test_NeitherMemberNorEnrollerSignsForTheOrganization() external {
        bytes32 digest = _membership(3, END, 1);
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.NotSigned.selector, digest));
        vm.prank(ENROLLER);
        identity.setMembership(ORG, DOCTOR, 3, END, 1, _sign(DOCTOR_KEY, digest));
    }

    function test_SetsAndCounts(uint8 role, uint64 notAfter) external {
        bytes memory signature = _sign(ORG_KEY, _membership(role, notAfter, 1));
        vm.expectEmit(address(identity));
        emit IIdentityRegistry.MembershipSet(ORG, DOCTOR, role, notAfter, 1, 1);
        identity.setMembership(ORG, DOCTOR, role, notAfter, 1, signature);
        (uint8 roleNow, uint64 notAfterNow, uint64 seq) = identity.membership(ORG, DOCTOR);
        vm.assertTrue(roleNow == role && notAfterNow == notAfter && seq == 1);
        (,, uint64 epoch,) = identity.actorState(ORG);
        vm.assertEq(epoch, 1);
    }
}

contract IsMemberTest is MembershipWorld {
    function test_HoldsBeforeNotAfter() external {
        _set(3, END, 1);
        vm.warp(END - 1);
        vm.assertTrue(identity.isMember(ORG, DOCTOR));
        vm.warp(END);
        vm.assertFalse(identity.isMember(ORG, DOCTOR));
    }

    function test_EndsByANotAfterInThePast() external {
        _set(3, END, 1);
        _set(3, 1, 2);
        vm.assertFalse(identity.isMember(ORG, DOCTOR));
    }

    function test_EndsWithTheOrganization() external {
        _set(3, END, 1);
        vm.prank(ENROLLER);
        identity.removeActor(ORG);
        vm.assertFalse(identity.isMember(ORG, DOCTOR));
    }

    function test_EndsWithTheMember() external {
        _set(3, END, 1);
        vm.prank(ENROLLER);
        identity.removeActor(DOCTOR);
        vm.assertFalse(identity.isMember(ORG, DOCTOR));
    }
}
