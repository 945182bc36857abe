// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IConsentRegistry} from "../../src/interfaces/IConsentRegistry.sol";
import {ISubjects} from "../../src/interfaces/ISubjects.sol";
import {ConsentWorld} from "./ConsentWorld.sol";

contract RevokeTest is ConsentWorld {
    function test_RefusesAnotherSigner(uint256 key) external {
        key = key % 1e30 + 1;
        vm.assume(key != CONTROLLER_KEY);
        bytes32 consentId = _grant(PERMIT);
        bytes32 digest = _revocation(consentId);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, digest));
        consents.revoke(SUBJECT, consentId, _sign(key, digest));
    }

    function test_ARepeatedRevocationSucceedsAndChangesNothing() external {
        bytes32 consentId = _grant(PERMIT);
        _revoke(consentId);
        vm.recordLogs();
        vm.prank(STRANGER);
        consents.revoke(SUBJECT, consentId, "");
        _assertNoEvent();
        _assertState(0, 2);
    }

    function test_RevokesForGood(bool deny) external {
        bytes32 consentId = _grant(deny ? DENY : PERMIT);
        bytes memory signature = _sign(CONTROLLER_KEY, _revocation(consentId));
        vm.expectEmit(address(consents));
        emit IConsentRegistry.ConsentRevoked(SUBJECT, consentId, 2);
        vm.prank(STRANGER);
        consents.revoke(SUBJECT, consentId, signature);
        vm.assertFalse(consents.inForce(SUBJECT, consentId));
        _assertState(0, 2);
    }

    function test_BarsWhatIsUnknown(bytes32 consentId) external {
        _revoke(consentId);
        (IConsentRegistry.Status status,,,,,) = consents.consentState(SUBJECT, consentId);
        vm.assertTrue(status == IConsentRegistry.Status.REVOKED);
        _assertState(0, 1);
    }

    function test_TakesTheControllersOwnCallWithoutASignature() external {
        bytes32 consentId = _grant(PERMIT);
        vm.prank(vm.addr(CONTROLLER_KEY));
        consents.revoke(SUBJECT, consentId, "");
        vm.assertFalse(consents.inForce(SUBJECT, consentId));
    }

    function test_OneSubjectCannotRevokeAnothers() external {
        bytes32 consentId = _grant(PERMIT);
        bytes32 other = keccak256("other subject");
        vm.prank(ENROLLER);
        consents.enrol(other, _account(OTHER_KEY), 0);
        vm.prank(vm.addr(OTHER_KEY));
        consents.revoke(other, consentId, "");
        vm.assertTrue(consents.inForce(SUBJECT, consentId));
    }

    function test_AFormerControllerRevokesNothing() external {
        bytes32 consentId = _grant(DENY);
        _handOver(CONTROLLER_KEY, OTHER_KEY);
        bytes32 digest = _revocation(consentId);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, digest));
        consents.revoke(SUBJECT, consentId, _sign(CONTROLLER_KEY, digest));
    }

    function test_TheNextControllerEndsAnInheritedDeny() external {
        bytes32 consentId = _grant(DENY);
        _handOver(CONTROLLER_KEY, OTHER_KEY);
        consents.revoke(SUBJECT, consentId, _sign(OTHER_KEY, _revocation(consentId)));
        vm.assertFalse(consents.inForce(SUBJECT, consentId));
    }
}

contract RevokeAllTest is ConsentWorld {
    function test_EndsPermitsAndCounts() external {
        bytes32 consentId = _grant(PERMIT);
        bytes memory signature = _sign(CONTROLLER_KEY, _revokeAll(0));
        vm.expectEmit(address(consents));
        emit IConsentRegistry.AllConsentsRevoked(SUBJECT, 1, 2);
        vm.prank(STRANGER);
        consents.revokeAll(SUBJECT, 0, signature);
        vm.assertFalse(consents.inForce(SUBJECT, consentId));
        _assertState(1, 2);
    }

    function test_EndsNoDeny() external {
        bytes32 consentId = _grant(DENY);
        _revokeAllNow();
        vm.assertTrue(consents.inForce(SUBJECT, consentId));
    }

    function test_ACopySucceedsAndChangesNothing() external {
        bytes memory signature = _sign(CONTROLLER_KEY, _revokeAll(0));
        consents.revokeAll(SUBJECT, 0, signature);
        vm.recordLogs();
        consents.revokeAll(SUBJECT, 0, signature);
        _assertNoEvent();
        _assertState(1, 1);
    }

    function test_ACopyEndsNoPermitOfTheNextEpoch() external {
        bytes memory signature = _sign(CONTROLLER_KEY, _revokeAll(0));
        consents.revokeAll(SUBJECT, 0, signature);
        bytes32 consentId = _grant(PERMIT);
        consents.revokeAll(SUBJECT, 0, signature);
        vm.assertTrue(consents.inForce(SUBJECT, consentId));
    }

    function test_AnEpochThatIsOverIsSuccessWithoutAnEvent(bool handedOver, bytes calldata noise) external {
        if (handedOver) _handOver(CONTROLLER_KEY, OTHER_KEY);
        else _revokeAllNow();
        vm.recordLogs();
        consents.revokeAll(SUBJECT, 0, noise);
        _assertNoEvent();
        _assertState(1, 1);
    }

    function test_RefusesALaterEpoch(uint64 epoch) external {
        vm.assume(epoch != 0);
        bytes memory signature = _sign(CONTROLLER_KEY, _revokeAll(epoch));
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.WrongEpoch.selector, SUBJECT, 0));
        consents.revokeAll(SUBJECT, epoch, signature);
    }

    function test_RefusesAnotherSigner() external {
        bytes32 digest = _revokeAll(0);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, digest));
        consents.revokeAll(SUBJECT, 0, _sign(OTHER_KEY, digest));
    }

    function test_TakesTheControllersOwnCallWithoutASignature() external {
        vm.prank(vm.addr(CONTROLLER_KEY));
        consents.revokeAll(SUBJECT, 0, "");
        _assertState(1, 1);
    }
}
