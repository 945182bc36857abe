// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IConsentRegistry} from "../../src/interfaces/IConsentRegistry.sol";
import {ISubjects} from "../../src/interfaces/ISubjects.sol";
import {World} from "../World.sol";

contract EnrolTest is World {
    function test_RefusesAnyoneButEnrollers(address caller) external {
        vm.assume(caller != ENROLLER);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotEnroller.selector, caller));
        vm.prank(caller);
        consents.enrol(SUBJECT, _account(CONTROLLER_KEY), 0);
    }

    function test_RefusesTheZeroSubject() external {
        vm.expectRevert(abi.encodeWithSelector(ISubjects.InvalidSubject.selector));
        vm.prank(ENROLLER);
        consents.enrol(0, _account(CONTROLLER_KEY), 0);
    }

    function test_TheSameAgainSucceedsWithoutAnEvent() external {
        _enrol();
        vm.recordLogs();
        _enrol();
        _assertNoEvent();
    }

    function test_AnEnrollerCannotReplaceAController(bytes calldata controller, bytes32 custodian) external {
        vm.assume(keccak256(controller) != keccak256(_account(CONTROLLER_KEY)));
        _enrol();
        vm.expectRevert(abi.encodeWithSelector(ISubjects.SubjectTaken.selector, SUBJECT));
        vm.prank(ENROLLER);
        consents.enrol(SUBJECT, controller, custodian);
    }

    function test_RefusesAControllerThatIsNoSigner(bytes calldata controller) external {
        vm.assume(controller.length != 0 && controller.length != 20);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.InvalidSigner.selector, controller));
        vm.prank(ENROLLER);
        consents.enrol(SUBJECT, controller, 0);
    }

    function test_RefusesTheZeroAddressAsController() external {
        vm.expectRevert(abi.encodeWithSelector(ISubjects.InvalidSigner.selector, new bytes(20)));
        vm.prank(ENROLLER);
        consents.enrol(SUBJECT, new bytes(20), 0);
    }

    function test_RefusesAKeyOfOver1024Bytes() external {
        bytes memory controller = abi.encodePacked(p256, new bytes(1005));
        vm.expectRevert(abi.encodeWithSelector(ISubjects.InvalidSigner.selector, controller));
        vm.prank(ENROLLER);
        consents.enrol(SUBJECT, controller, 0);
    }

    function test_RefusesCustodyByNobodyRegistered(bytes32 custodian) external {
        vm.expectRevert(abi.encodeWithSelector(ISubjects.InvalidCustodian.selector, custodian));
        vm.prank(ENROLLER);
        consents.enrol(SUBJECT, "", custodian);
    }

    function test_RefusesACustodianBesideAController() external {
        _register(ORG, ORG_KEY);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.InvalidCustodian.selector, ORG));
        vm.prank(ENROLLER);
        consents.enrol(SUBJECT, _account(CONTROLLER_KEY), ORG);
    }

    function test_EnrolsUnderAController() external {
        vm.expectEmit(address(consents));
        emit ISubjects.SubjectEnrolled(SUBJECT, 0, ENROLLER, _account(CONTROLLER_KEY));
        _enrol();
        vm.assertTrue(consents.isSubject(SUBJECT));
        vm.assertEq(consents.controllerOf(SUBJECT), _account(CONTROLLER_KEY));
        vm.assertEq(_control(), 0);
    }

    function test_EnrolsIntoCustody() external {
        _register(ORG, ORG_KEY);
        vm.prank(ENROLLER);
        consents.enrol(SUBJECT, "", ORG);
        vm.assertTrue(consents.isSubject(SUBJECT));
        vm.assertEq(consents.controllerOf(SUBJECT), "");
        vm.assertEq(consents.custodianOf(SUBJECT), ORG);
    }
}

contract EndCustodyTest is World {
    function setUp() public override {
        super.setUp();
        _register(ORG, ORG_KEY);
        vm.prank(ENROLLER);
        consents.enrol(SUBJECT, "", ORG);
    }

    function test_RefusesAnyoneButEnrollers() external {
        bytes memory signature = _sign(CONTROLLER_KEY, _custody(_account(CONTROLLER_KEY)));
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotEnroller.selector, STRANGER));
        vm.prank(STRANGER);
        consents.endCustody(SUBJECT, _account(CONTROLLER_KEY), signature);
    }

    function test_RefusesASubjectThatIsNotInCustody(bytes32 subject) external {
        vm.assume(subject != SUBJECT);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotInCustody.selector, subject));
        vm.prank(ENROLLER);
        consents.endCustody(subject, _account(CONTROLLER_KEY), "");
    }

    function test_RefusesWithoutTheControllersSignature() external {
        bytes32 digest = _custody(_account(CONTROLLER_KEY));
        bytes memory signature = _sign(OTHER_KEY, digest);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSigned.selector, digest));
        vm.prank(ENROLLER);
        consents.endCustody(SUBJECT, _account(CONTROLLER_KEY), signature);
    }

    function test_RefusesAControllerThatIsNoSigner() external {
        vm.expectRevert(abi.encodeWithSelector(ISubjects.InvalidSigner.selector, bytes("")));
        vm.prank(ENROLLER);
        consents.endCustody(SUBJECT, "", "");
    }

    function test_GivesControlAndCounts() external {
        bytes memory controller = _account(CONTROLLER_KEY);
        bytes memory signature = _sign(CONTROLLER_KEY, _custody(controller));
        vm.expectEmit(address(consents));
        emit ISubjects.CustodyEnded(SUBJECT, controller, 1, 1);
        vm.prank(ENROLLER);
        consents.endCustody(SUBJECT, controller, signature);
        vm.assertEq(consents.controllerOf(SUBJECT), controller);
        vm.assertEq(consents.custodianOf(SUBJECT), 0);
        (uint64 epoch, uint64 seq) = consents.subjectState(SUBJECT);
        vm.assertTrue(epoch == 1 && seq == 1);
    }

    function test_RefusesAnErasedSubject() external {
        bytes32 digest =
            _consentDigest(abi.encode(keccak256("Erasure(bytes32 subject,uint64 epoch)"), SUBJECT, uint64(0)));
        consents.erase(SUBJECT, _sign(ORG_KEY, digest));
        bytes memory signature = _sign(CONTROLLER_KEY, _custody(_account(CONTROLLER_KEY)));
        vm.expectRevert(abi.encodeWithSelector(ISubjects.SubjectGone.selector, SUBJECT));
        vm.prank(ENROLLER);
        consents.endCustody(SUBJECT, _account(CONTROLLER_KEY), signature);
    }

    function test_EndsOnce() external {
        bytes memory controller = _account(CONTROLLER_KEY);
        bytes memory signature = _sign(CONTROLLER_KEY, _custody(controller));
        vm.prank(ENROLLER);
        consents.endCustody(SUBJECT, controller, signature);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotInCustody.selector, SUBJECT));
        vm.prank(ENROLLER);
        consents.endCustody(SUBJECT, controller, signature);
    }

    function _custody(bytes memory controller) private view returns (bytes32) {
        bytes32 typeHash = keccak256("Custody(bytes32 subject,bytes controller)");
        return _digest(address(consents), keccak256(abi.encode(typeHash, SUBJECT, keccak256(controller))));
    }
}

contract ChangeControllerTest is World {
    bytes private _next;
    bytes32 private _change;

    function setUp() public override {
        super.setUp();
        _enrol();
        _next = _account(OTHER_KEY);
        _change = _controllerChange(_next, 0);
    }

    function test_RefusesASubjectInCustody() external {
        _register(ORG, ORG_KEY);
        bytes32 newborn = keccak256("newborn");
        vm.prank(ENROLLER);
        consents.enrol(newborn, "", ORG);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NoController.selector, newborn));
        consents.changeController(newborn, _next, "", "");
    }

    function test_RefusesAnUnknownSubject(bytes32 subject) external {
        vm.assume(subject != SUBJECT);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NoController.selector, subject));
        consents.changeController(subject, _next, "", "");
    }

    function test_ACopySucceedsAndChangesNothing() external {
        _handOver(CONTROLLER_KEY, OTHER_KEY);
        vm.recordLogs();
        consents.changeController(SUBJECT, _next, "", "");
        _assertNoEvent();
        vm.assertEq(_control(), 1);
    }

    function test_RefusesANextControllerThatIsNoSigner() external {
        vm.expectRevert(abi.encodeWithSelector(ISubjects.InvalidSigner.selector, bytes("")));
        consents.changeController(SUBJECT, "", "", "");
    }

    function test_AnEnrollerCannotHandOver() external {
        _expectNotByController();
        vm.prank(ENROLLER);
        consents.changeController(SUBJECT, _next, _sign(OTHER_KEY, _change), _sign(OTHER_KEY, _change));
    }

    function test_RefusesWithoutTheNextControllersSignature() external {
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSigned.selector, _change));
        consents.changeController(SUBJECT, _next, _sign(CONTROLLER_KEY, _change), _sign(CONTROLLER_KEY, _change));
    }

    function test_RefusesTheSignatureOfAFormerHandingOver() external {
        _handOver(CONTROLLER_KEY, OTHER_KEY);
        _handOver(OTHER_KEY, CONTROLLER_KEY);
        vm.expectRevert(
            abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, _controllerChange(_next, 2))
        );
        consents.changeController(SUBJECT, _next, _sign(CONTROLLER_KEY, _change), _sign(OTHER_KEY, _change));
    }

    function test_PassesControlOnAndCounts() external {
        vm.expectEmit(address(consents));
        emit ISubjects.ControllerChanged(SUBJECT, _next, 1, 1);
        vm.prank(STRANGER);
        consents.changeController(SUBJECT, _next, _sign(CONTROLLER_KEY, _change), _sign(OTHER_KEY, _change));
        vm.assertEq(consents.controllerOf(SUBJECT), _next);
    }

    function test_PassesControlOnToAP256Key() external {
        bytes memory next = _p256Signer(0x256);
        bytes32 digest = _controllerChange(next, 0);
        (bytes32 r, bytes32 s) = _signP256(0x256, digest);
        consents.changeController(SUBJECT, next, _sign(CONTROLLER_KEY, digest), abi.encodePacked(r, s));
        vm.assertEq(consents.controllerOf(SUBJECT), next);
    }

    function _expectNotByController() private {
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, _change));
    }
}
