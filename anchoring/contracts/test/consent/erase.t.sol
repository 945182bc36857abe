// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IConsentRegistry} from "../../src/interfaces/IConsentRegistry.sol";
import {ISubjects} from "../../src/interfaces/ISubjects.sol";
import {ConsentWorld} from "./ConsentWorld.sol";

abstract contract ErasureWorld is ConsentWorld {
    address internal constant OWNER = address(0x0A);

    function _erasure(bytes32 subject, uint64 epoch) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("Erasure(bytes32 subject,uint64 epoch)");
        return _digest(address(consents), keccak256(abi.encode(typeHash, subject, epoch)));
    }

    function _erase() internal {
        (uint64 epoch,) = consents.subjectState(SUBJECT);
        consents.erase(SUBJECT, _sign(CONTROLLER_KEY, _erasure(SUBJECT, epoch)));
    }

    function _gateway() internal returns (bytes32) {
        vm.prank(OWNER);
        return identity.registerGateway(keccak256("salt"), "receipt key");
    }
}

contract EraseTest is ErasureWorld {
    bytes32 private constant NEWBORN = keccak256("newborn");

    function test_ErasesForGoodAndCounts() external {
        bytes32 permit = _grant(PERMIT);
        bytes memory signature = _sign(CONTROLLER_KEY, _erasure(SUBJECT, 0));
        vm.expectEmit(address(consents));
        emit ISubjects.SubjectErased(SUBJECT, 1, 2);
        vm.prank(STRANGER);
        consents.erase(SUBJECT, signature);
        vm.assertTrue(consents.isErased(SUBJECT));
        vm.assertFalse(consents.inForce(SUBJECT, permit));
        _assertState(1, 2);
    }

    function test_ARepeatedErasureSucceedsAndChangesNothing() external {
        _erase();
        vm.recordLogs();
        vm.prank(STRANGER);
        consents.erase(SUBJECT, "");
        _assertNoEvent();
        _assertState(1, 1);
    }

    function test_RefusesAnotherSigner(uint256 key) external {
        key = key % 1e30 + 1;
        vm.assume(key != CONTROLLER_KEY);
        bytes32 digest = _erasure(SUBJECT, 0);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, digest));
        consents.erase(SUBJECT, _sign(key, digest));
        vm.assertFalse(consents.isErased(SUBJECT));
    }

    function test_RefusesASignatureOfAnEndedEpoch() external {
        bytes memory signature = _sign(CONTROLLER_KEY, _erasure(SUBJECT, 0));
        _revokeAllNow();
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, _erasure(SUBJECT, 1)));
        consents.erase(SUBJECT, signature);
    }

    function test_TakesTheControllersOwnCallWithoutASignature() external {
        vm.prank(vm.addr(CONTROLLER_KEY));
        consents.erase(SUBJECT, "");
        vm.assertTrue(consents.isErased(SUBJECT));
    }

    function test_TakesNoGrantAnyMore() external {
        _erase();
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        bytes memory signature = _sign(CONTROLLER_KEY, _consentId(terms));
        vm.expectRevert(abi.encodeWithSelector(ISubjects.SubjectGone.selector, SUBJECT));
        consents.grant(terms, 0, signature);
    }

    function test_TakesARevocationStill() external {
        bytes32 deny = _grant(DENY);
        _erase();
        _revoke(deny);
        vm.assertFalse(consents.inForce(SUBJECT, deny));
    }

    function test_InCustodyTheCustodianErases() external {
        _inCustody();
        consents.erase(NEWBORN, _sign(ORG_KEY, _erasure(NEWBORN, 0)));
        vm.assertTrue(consents.isErased(NEWBORN));
    }

    function test_InCustodyNobodyElseErases() external {
        _inCustody();
        bytes32 digest = _erasure(NEWBORN, 0);
        bytes memory another = _sign(DOCTOR_KEY, digest);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, NEWBORN, digest));
        consents.erase(NEWBORN, another);
        vm.prank(ENROLLER);
        identity.removeActor(ORG);
        bytes memory removed = _sign(ORG_KEY, digest);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, NEWBORN, digest));
        consents.erase(NEWBORN, removed);
    }

    function test_WhatNobodyEnrolledCannotBeErased() external {
        bytes32 nobody = keccak256("nobody");
        bytes memory signature = _sign(CONTROLLER_KEY, _erasure(nobody, 0));
        vm.expectRevert();
        consents.erase(nobody, signature);
        vm.assertFalse(consents.isErased(nobody));
    }

    function _inCustody() private {
        _register(ORG, ORG_KEY);
        vm.prank(ENROLLER);
        consents.enrol(NEWBORN, "", ORG);
    }
}

contract CertifyErasureTest is ErasureWorld {
    bytes32 private constant FIRST = keccak256("first certificate");
    bytes32 private constant LAST = keccak256("last certificate");

    function test_RefusesAnyoneButTheOwner(address caller) external {
        vm.assume(caller != OWNER);
        bytes32 gateway = _gateway();
        _erase();
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotGatewayOwner.selector, gateway, caller));
        vm.prank(caller);
        consents.certifyErasure(SUBJECT, gateway, FIRST, true);
    }

    function test_RefusesForASubjectThatWasNotErased() external {
        bytes32 gateway = _gateway();
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotErased.selector, SUBJECT));
        vm.prank(OWNER);
        consents.certifyErasure(SUBJECT, gateway, FIRST, true);
    }

    function test_RecordsALaterCertificateInPlaceOfAnEarlier() external {
        bytes32 gateway = _gateway();
        _erase();
        _certify(gateway, FIRST, false);
        vm.expectEmit(address(consents));
        emit ISubjects.ErasureCertified(SUBJECT, gateway, LAST, true);
        _certify(gateway, LAST, true);
        (bytes32 certificate, bool isFinal) = consents.erasureCertificate(SUBJECT, gateway);
        vm.assertEq(certificate, LAST);
        vm.assertTrue(isFinal);
    }

    function test_TheSameAgainChangesNothing(bool isFinal) external {
        bytes32 gateway = _gateway();
        _erase();
        _certify(gateway, FIRST, isFinal);
        vm.recordLogs();
        _certify(gateway, FIRST, isFinal);
        _assertNoEvent();
    }

    function test_AFinalCertificateStays(bool isFinal) external {
        bytes32 gateway = _gateway();
        _erase();
        _certify(gateway, FIRST, true);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.CertificateFinal.selector, SUBJECT, gateway));
        vm.prank(OWNER);
        consents.certifyErasure(SUBJECT, gateway, LAST, isFinal);
    }

    function _certify(bytes32 gateway, bytes32 certificate, bool isFinal) private {
        vm.prank(OWNER);
        consents.certifyErasure(SUBJECT, gateway, certificate, isFinal);
    }
}
