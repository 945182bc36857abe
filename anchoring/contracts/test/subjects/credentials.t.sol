// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ISubjects} from "../../src/interfaces/ISubjects.sol";
import {SubjectWorld} from "./SubjectWorld.sol";

contract SetCredentialTest is SubjectWorld {
    function setUp() public override {
        super.setUp();
        _register(DOCTOR, DOCTOR_KEY);
    }

    function test_LinksAndCounts() external {
        bytes32 digest = _credential(DOCTOR, true);
        vm.expectEmit(address(consents));
        emit ISubjects.CredentialSet(SUBJECT, DOCTOR, true, 1);
        vm.prank(STRANGER);
        consents.setCredential(SUBJECT, DOCTOR, true, _sign(CONTROLLER_KEY, digest), _sign(DOCTOR_KEY, digest));
        vm.assertTrue(consents.isCredential(SUBJECT, DOCTOR));
        _assertState(0, 1);
    }

    function test_RefusesWithoutTheControllersSignature() external {
        bytes32 digest = _credential(DOCTOR, true);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, digest));
        consents.setCredential(SUBJECT, DOCTOR, true, _sign(DOCTOR_KEY, digest), _sign(DOCTOR_KEY, digest));
    }

    function test_RefusesToBindAnActorThatDidNotSign() external {
        bytes32 digest = _credential(DOCTOR, true);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSigned.selector, digest));
        consents.setCredential(SUBJECT, DOCTOR, true, _sign(CONTROLLER_KEY, digest), _sign(CONTROLLER_KEY, digest));
    }

    function test_RefusesAnUnknownActor(bytes32 actor) external {
        vm.assume(actor != DOCTOR);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.InvalidCredential.selector, actor));
        vm.prank(vm.addr(CONTROLLER_KEY));
        consents.setCredential(SUBJECT, actor, true, "", "");
    }

    function test_RefusesARemovedActor() external {
        vm.prank(ENROLLER);
        identity.removeActor(DOCTOR);
        bytes memory signature = _sign(DOCTOR_KEY, _credential(DOCTOR, true));
        vm.expectRevert(abi.encodeWithSelector(ISubjects.InvalidCredential.selector, DOCTOR));
        vm.prank(vm.addr(CONTROLLER_KEY));
        consents.setCredential(SUBJECT, DOCTOR, true, "", signature);
    }

    function test_TheSameAgainSucceedsWithoutAnEvent() external {
        _link(true);
        vm.recordLogs();
        consents.setCredential(SUBJECT, DOCTOR, true, "", "");
        _assertNoEvent();
    }

    function test_TheControllerAloneUnlinks() external {
        _link(true);
        bytes memory signature = _sign(CONTROLLER_KEY, _credential(DOCTOR, false));
        vm.expectEmit(address(consents));
        emit ISubjects.CredentialSet(SUBJECT, DOCTOR, false, 2);
        consents.setCredential(SUBJECT, DOCTOR, false, signature, "");
        vm.assertFalse(consents.isCredential(SUBJECT, DOCTOR));
    }

    function test_TheActorAloneUnlinksEvenWhileARecoveryIsPending() external {
        _link(true);
        _setGuardians(_commitment(_guardianship()));
        _propose();
        consents.setCredential(SUBJECT, DOCTOR, false, "", _sign(DOCTOR_KEY, _credential(DOCTOR, false)));
        vm.assertFalse(consents.isCredential(SUBJECT, DOCTOR));
    }

    function test_NobodyElseUnlinks(uint256 key) external {
        key = key % 1e30 + 1;
        vm.assume(key != CONTROLLER_KEY && key != DOCTOR_KEY);
        _link(true);
        bytes32 digest = _credential(DOCTOR, false);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, digest));
        consents.setCredential(SUBJECT, DOCTOR, false, _sign(key, digest), _sign(key, digest));
    }

    function test_ALinkDoesNotComeBackByItsOldSignatures() external {
        bytes32 digest = _credential(DOCTOR, true);
        _link(true);
        _link(false);
        vm.expectRevert(
            abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, _credential(DOCTOR, true))
        );
        consents.setCredential(SUBJECT, DOCTOR, true, _sign(CONTROLLER_KEY, digest), _sign(DOCTOR_KEY, digest));
    }

    function test_ALinkEndsWithItsControl() external {
        _link(true);
        _handOver(CONTROLLER_KEY, OTHER_KEY);
        vm.assertFalse(consents.isCredential(SUBJECT, DOCTOR));
        _handOver(OTHER_KEY, CONTROLLER_KEY);
        vm.assertFalse(consents.isCredential(SUBJECT, DOCTOR));
    }

    function test_AnUnsentLinkOfAFormerControlIsRefused() external {
        bytes32 digest = _credential(DOCTOR, true);
        _handOver(CONTROLLER_KEY, OTHER_KEY);
        _handOver(OTHER_KEY, CONTROLLER_KEY);
        vm.expectRevert(
            abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, _credential(DOCTOR, true))
        );
        consents.setCredential(SUBJECT, DOCTOR, true, _sign(CONTROLLER_KEY, digest), _sign(DOCTOR_KEY, digest));
    }

    function test_RefusesWhileARecoveryIsPending() external {
        _setGuardians(_commitment(_guardianship()));
        _propose();
        vm.expectRevert(abi.encodeWithSelector(ISubjects.RecoveryPending.selector, SUBJECT));
        consents.setCredential(SUBJECT, DOCTOR, true, "", "");
    }

    function test_RefusesAnErasedSubject() external {
        vm.prank(vm.addr(CONTROLLER_KEY));
        consents.erase(SUBJECT, "");
        vm.expectRevert(abi.encodeWithSelector(ISubjects.SubjectGone.selector, SUBJECT));
        consents.setCredential(SUBJECT, DOCTOR, true, "", "");
    }

    function test_RefusesASubjectWithoutAController(bytes32 subject) external {
        vm.assume(subject != SUBJECT);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NoController.selector, subject));
        consents.setCredential(subject, DOCTOR, true, "", "");
    }
}
