// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IIdentityRegistry} from "../../src/interfaces/IIdentityRegistry.sol";
import {World} from "../World.sol";

contract RegisterActorTest is World {
    function test_RefusesAnyoneButEnrollers(address caller) external {
        vm.assume(caller != ENROLLER);
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.NotEnroller.selector, caller));
        vm.prank(caller);
        identity.registerActor(DOCTOR, _account(DOCTOR_KEY), 1, 0, "");
    }

    function test_RefusesTheZeroActor() external {
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.InvalidActor.selector));
        vm.prank(ENROLLER);
        identity.registerActor(0, _account(DOCTOR_KEY), 1, 0, "");
    }

    function test_TheSameAgainSucceedsWithoutAnEvent() external {
        _register(DOCTOR, DOCTOR_KEY);
        vm.recordLogs();
        _register(DOCTOR, DOCTOR_KEY);
        _assertNoEvent();
    }

    function test_RefusesARegisteredActorWithAnotherKey() external {
        _register(DOCTOR, DOCTOR_KEY);
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.ActorTaken.selector, DOCTOR));
        _register(DOCTOR, OTHER_KEY);
    }

    function test_RefusesARegisteredActorWithAnotherEncryptionKey() external {
        _register(DOCTOR, DOCTOR_KEY);
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.ActorTaken.selector, DOCTOR));
        vm.prank(ENROLLER);
        identity.registerActor(DOCTOR, _account(DOCTOR_KEY), 1, keccak256("profile"), hex"01");
    }

    function test_ARemovedActorDoesNotComeBack() external {
        _register(DOCTOR, DOCTOR_KEY);
        vm.prank(ENROLLER);
        identity.removeActor(DOCTOR);
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.ActorTaken.selector, DOCTOR));
        _register(DOCTOR, DOCTOR_KEY);
    }

    function test_RefusesAKeyThatIsNoSigner(bytes calldata key) external {
        vm.assume(key.length != 20);
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.InvalidSigner.selector, key));
        vm.prank(ENROLLER);
        identity.registerActor(DOCTOR, key, 1, 0, "");
    }

    function test_RefusesAnotherActorsKey() external {
        _register(DOCTOR, DOCTOR_KEY);
        bytes32 keyHash = keccak256(_account(DOCTOR_KEY));
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.KeyTaken.selector, keyHash, DOCTOR));
        _register(ORG, DOCTOR_KEY);
    }

    function test_RefusesAnEncryptionKeyOfOver1024Bytes() external {
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.InvalidEncryptionKey.selector, DOCTOR));
        vm.prank(ENROLLER);
        identity.registerActor(DOCTOR, _account(DOCTOR_KEY), 1, 0, new bytes(1025));
    }

    function test_Registers(uint32 roles, bytes32 profileDigest) external {
        bytes memory key = _account(DOCTOR_KEY);
        vm.expectEmit(address(identity));
        emit IIdentityRegistry.ActorRegistered(DOCTOR, ENROLLER, key, roles, profileDigest, hex"aabb");
        vm.prank(ENROLLER);
        identity.registerActor(DOCTOR, key, roles, profileDigest, hex"aabb");
        (bytes memory keyNow, uint32 rolesNow, uint64 epoch, bool removed) = identity.actorState(DOCTOR);
        vm.assertEq(keyNow, key);
        vm.assertTrue(rolesNow == roles && epoch == 0 && !removed);
        vm.assertEq(identity.actorOfKey(keccak256(key)), DOCTOR);
    }
}

abstract contract ActorWorld is World {
    function setUp() public virtual override {
        super.setUp();
        _register(DOCTOR, DOCTOR_KEY);
    }

    function _assertEpoch(bytes32 actor, uint64 expected) internal view {
        (,, uint64 epoch,) = identity.actorState(actor);
        vm.assertEq(epoch, expected);
    }

    function _remove() internal {
        vm.prank(ENROLLER);
        identity.removeActor(DOCTOR);
    }
}

contract RotateKeyTest is ActorWorld {
    bytes private _next;
    bytes32 private _rotation;

    function setUp() public override {
        super.setUp();
        _next = _account(OTHER_KEY);
        _rotation = _rotationOf(_next, 0);
    }

    function test_RefusesARemovedActor() external {
        _remove();
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.NotActor.selector, DOCTOR));
        _rotate();
    }

    function test_ACopySucceedsAndChangesNothing() external {
        _rotate();
        vm.recordLogs();
        _rotate();
        _assertNoEvent();
        _assertEpoch(DOCTOR, 1);
    }

    function test_RefusesAnotherActorsKey() external {
        _register(ORG, OTHER_KEY);
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.KeyTaken.selector, keccak256(_next), ORG));
        _rotate();
    }

    function test_RefusesTheActorsFormerKey() external {
        _rotate();
        bytes memory former = _account(DOCTOR_KEY);
        bytes32 digest = _rotationOf(former, 1);
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.KeyTaken.selector, keccak256(former), DOCTOR));
        identity.rotateKey(DOCTOR, former, _sign(OTHER_KEY, digest), _sign(DOCTOR_KEY, digest));
    }

    function test_AnEnrollerCannotRotate() external {
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.NotSigned.selector, _rotation));
        vm.prank(ENROLLER);
        identity.rotateKey(DOCTOR, _next, _sign(OTHER_KEY, _rotation), _sign(OTHER_KEY, _rotation));
    }

    function test_NobodyBindsAKeyThatIsNotTheirs() external {
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.NotSigned.selector, _rotation));
        identity.rotateKey(DOCTOR, _next, _sign(DOCTOR_KEY, _rotation), _sign(DOCTOR_KEY, _rotation));
    }

    function test_RefusesASignatureOfAnotherEpoch() external {
        vm.prank(ENROLLER);
        identity.setRoles(DOCTOR, 7);
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.NotSigned.selector, _rotationOf(_next, 1)));
        _rotate();
    }

    function test_TheNextKeySpeaksAndTheFormerDoesNot() external {
        vm.expectEmit(address(identity));
        emit IIdentityRegistry.KeyRotated(DOCTOR, _next, 1);
        _rotate();
        vm.assertEq(identity.actorOfKey(keccak256(_next)), DOCTOR);
        vm.assertEq(identity.actorOfKey(keccak256(_account(DOCTOR_KEY))), 0);
        _assertEpoch(DOCTOR, 1);
    }

    function _rotate() private {
        identity.rotateKey(DOCTOR, _next, _sign(DOCTOR_KEY, _rotation), _sign(OTHER_KEY, _rotation));
    }

    function _rotationOf(bytes memory key, uint64 epoch) private view returns (bytes32) {
        bytes32 typeHash = keccak256("KeyRotation(bytes32 actor,bytes key,uint64 epoch)");
        return _digest(address(identity), keccak256(abi.encode(typeHash, DOCTOR, keccak256(key), epoch)));
    }
}

contract SetProfileTest is ActorWorld {
    function test_RefusesAnyOtherSigner() external {
        bytes32 digest = _profile(0);
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.NotSigned.selector, digest));
        vm.prank(ENROLLER);
        identity.setProfile(DOCTOR, keccak256("new"), hex"cc", _sign(OTHER_KEY, digest));
    }

    function test_ChangesAndCountsOnce() external {
        bytes memory signature = _sign(DOCTOR_KEY, _profile(0));
        vm.expectEmit(address(identity));
        emit IIdentityRegistry.ProfileChanged(DOCTOR, keccak256("new"), hex"cc", 1);
        identity.setProfile(DOCTOR, keccak256("new"), hex"cc", signature);
        vm.recordLogs();
        identity.setProfile(DOCTOR, keccak256("new"), hex"cc", signature);
        _assertNoEvent();
        _assertEpoch(DOCTOR, 1);
    }

    function test_RefusesAnEncryptionKeyOfOver1024Bytes() external {
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.InvalidEncryptionKey.selector, DOCTOR));
        identity.setProfile(DOCTOR, 0, new bytes(1025), "");
    }

    function test_RefusesARemovedActor() external {
        _remove();
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.NotActor.selector, DOCTOR));
        identity.setProfile(DOCTOR, 0, "", "");
    }

    function _profile(uint64 epoch) private view returns (bytes32) {
        bytes32 typeHash = keccak256("Profile(bytes32 actor,bytes32 profileDigest,bytes encryptionKey,uint64 epoch)");
        bytes32 structHash = keccak256(abi.encode(typeHash, DOCTOR, keccak256("new"), keccak256(hex"cc"), epoch));
        return _digest(address(identity), structHash);
    }
}

contract SetRolesTest is ActorWorld {
    function test_RefusesAnyoneButEnrollers() external {
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.NotEnroller.selector, STRANGER));
        vm.prank(STRANGER);
        identity.setRoles(DOCTOR, 2);
    }

    function test_RefusesAnUnknownActor(bytes32 actor) external {
        vm.assume(actor != DOCTOR);
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.NotActor.selector, actor));
        vm.prank(ENROLLER);
        identity.setRoles(actor, 2);
    }

    function test_ChangesAndCountsOnce() external {
        vm.expectEmit(address(identity));
        emit IIdentityRegistry.RolesChanged(DOCTOR, 2, 1);
        vm.prank(ENROLLER);
        identity.setRoles(DOCTOR, 2);
        vm.recordLogs();
        vm.prank(ENROLLER);
        identity.setRoles(DOCTOR, 2);
        _assertNoEvent();
        _assertEpoch(DOCTOR, 1);
    }
}

contract RemoveActorTest is ActorWorld {
    function test_RefusesAnyoneButEnrollers() external {
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.NotEnroller.selector, STRANGER));
        vm.prank(STRANGER);
        identity.removeActor(DOCTOR);
    }

    function test_RefusesAnUnknownActor() external {
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.NotActor.selector, ORG));
        vm.prank(ENROLLER);
        identity.removeActor(ORG);
    }

    function test_RemovesAndCountsOnce() external {
        vm.expectEmit(address(identity));
        emit IIdentityRegistry.ActorRemoved(DOCTOR, 1);
        _remove();
        vm.recordLogs();
        _remove();
        _assertNoEvent();
        _assertEpoch(DOCTOR, 1);
        vm.assertFalse(identity.isActor(DOCTOR));
    }

    function test_ARemovedActorsKeySpeaksForNobody() external {
        _remove();
        vm.assertEq(identity.actorOfKey(keccak256(_account(DOCTOR_KEY))), 0);
        bytes32 keyHash = keccak256(_account(DOCTOR_KEY));
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.KeyTaken.selector, keyHash, DOCTOR));
        _register(ORG, DOCTOR_KEY);
    }
}
