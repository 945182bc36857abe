// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC7913SignatureVerifier} from "@openzeppelin/contracts/interfaces/IERC7913.sol";

import {IIdentityRegistry} from "../../src/interfaces/IIdentityRegistry.sol";
import {ISubjects} from "../../src/interfaces/ISubjects.sol";
import {World} from "../World.sol";

/// @notice Holds every signature valid.
contract YesVerifier is IERC7913SignatureVerifier {
    function verify(bytes calldata, bytes32, bytes calldata) external pure returns (bytes4) {
        return IERC7913SignatureVerifier.verify.selector;
    }
}

contract SignersTest is World {
    function test_OnlyTheAdminLetsEnrollersIn(address caller) external {
        vm.assume(caller != ADMIN);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, caller));
        vm.prank(caller);
        identity.setEnroller(caller, true);
    }

    function test_AnEnrollerLetOutEnrolsNoMore() external {
        vm.expectEmit(address(identity));
        emit IIdentityRegistry.EnrollerSet(ENROLLER, false);
        vm.prank(ADMIN);
        identity.setEnroller(ENROLLER, false);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotEnroller.selector, ENROLLER));
        _enrol();
    }

    function test_TheAdminIsNoEnroller() external {
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotEnroller.selector, ADMIN));
        vm.prank(ADMIN);
        consents.enrol(SUBJECT, _account(CONTROLLER_KEY), 0);
    }

    function test_OnlyTheAdminAllowsVerifiers(address caller) external {
        vm.assume(caller != ADMIN);
        address verifier = address(new YesVerifier());
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, caller));
        vm.prank(caller);
        identity.allowVerifier(verifier);
    }

    function test_AVerifierHasCode() external {
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.InvalidVerifier.selector, STRANGER));
        vm.prank(ADMIN);
        identity.allowVerifier(STRANGER);
    }

    function test_AVerifierSpeaksOnlyOnceAllowed(bytes32 digest, bytes calldata signature) external {
        address verifier = address(new YesVerifier());
        bytes memory signer = abi.encodePacked(verifier, "key");
        vm.assertFalse(identity.validSignature(signer, digest, signature));
        vm.prank(ADMIN);
        identity.allowVerifier(verifier);
        vm.assertTrue(identity.validSignature(signer, digest, signature));
    }

    function test_AVerifierWithoutAKeyIsNoSigner(bytes32 digest, bytes calldata signature) external {
        address verifier = address(new YesVerifier());
        vm.prank(ADMIN);
        identity.allowVerifier(verifier);
        vm.assertFalse(identity.validSignature(abi.encodePacked(verifier), digest, signature));
    }

    function test_WhatIsNoSignerSignsNothing(bytes calldata signer, bytes32 digest, bytes calldata signature)
        external
        view
    {
        vm.assertFalse(identity.validSignature(signer, digest, signature));
    }

    function test_AnAccountsSignatureIsValidForItsDigestAlone(bytes32 digest, bytes32 other) external view {
        vm.assume(digest != other);
        bytes memory signature = _sign(CONTROLLER_KEY, digest);
        vm.assertTrue(identity.validSignature(_account(CONTROLLER_KEY), digest, signature));
        vm.assertFalse(identity.validSignature(_account(CONTROLLER_KEY), other, signature));
    }
}
