// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IConsentRegistry} from "../../src/interfaces/IConsentRegistry.sol";
import {ISubjects} from "../../src/interfaces/ISubjects.sol";
import {SubjectWorld} from "./SubjectWorld.sol";

abstract contract GuardedWorld is SubjectWorld {
    function setUp() public virtual override {
        super.setUp();
        _register(REGISTRAR, REGISTRAR_KEY);
        _register(DOCTOR, DOCTOR_KEY);
        _setGuardians(_commitment(_guardianship()));
    }

    function _refuses(ISubjects.Proposal memory proposal, bytes4 selector) internal {
        vm.expectRevert(abi.encodeWithSelector(selector, SUBJECT));
        consents.proposeRecovery(SUBJECT, proposal);
    }

    function _refusesUnsigned(ISubjects.Proposal memory proposal, bytes32 digest) internal {
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSigned.selector, digest));
        consents.proposeRecovery(SUBJECT, proposal);
    }

    function _digestOf(ISubjects.Proposal memory proposal) internal view returns (bytes32) {
        return _recovery(proposal.controller, _attempt(), proposal.notAfter);
    }
}

contract ProposeRecoveryTest is GuardedWorld {
    function test_EnoughGuardiansPropose() external {
        ISubjects.Proposal memory proposal = _proposal(2, NEXT_KEY);
        uint64 readyAt = uint64(block.timestamp) + DELAY;
        vm.expectEmit(address(consents));
        emit ISubjects.RecoveryProposed(SUBJECT, proposal.controller, readyAt, false, 2);
        vm.prank(STRANGER);
        consents.proposeRecovery(SUBJECT, proposal);
        (bytes memory controller, uint64 due, bool unstoppable, bool objected) = consents.recoveryOf(SUBJECT);
        vm.assertEq(controller, proposal.controller);
        vm.assertTrue(due == readyAt && !unstoppable && !objected);
        _assertState(0, 2);
        vm.assertEq(consents.controllerOf(SUBJECT), _account(CONTROLLER_KEY));
    }

    function test_AnyEnoughOfThemDo() external {
        ISubjects.Proposal memory proposal = _proposal(2, NEXT_KEY);
        (proposal.who[0], proposal.who[1]) = (1, 2);
        bytes32 digest = _digestOf(proposal);
        proposal.signatures[0] = _sign(guardianKeys[1], digest);
        proposal.signatures[1] = _sign(guardianKeys[2], digest);
        consents.proposeRecovery(SUBJECT, proposal);
        (, uint64 readyAt,,) = consents.recoveryOf(SUBJECT);
        vm.assertTrue(readyAt != 0);
    }

    function test_AGuardianMayBeAP256Key() external {
        ISubjects.Guardianship memory named = _guardianship();
        named.signers[1] = _p256Signer(0x256);
        _setGuardians(_commitment(named));
        vm.warp(block.timestamp + DELAY);
        ISubjects.Proposal memory proposal = _proposal(2, NEXT_KEY);
        proposal.guardianship = named;
        (bytes32 r, bytes32 s) = _signP256(0x256, _digestOf(proposal));
        proposal.signatures[1] = abi.encodePacked(r, s);
        consents.proposeRecovery(SUBJECT, proposal);
    }

    function test_FewerThanTheThresholdCanDoNothing(uint8 count) external {
        _refuses(_proposal(count % 2, NEXT_KEY), ISubjects.NotEnoughGuardians.selector);
    }

    function test_ARegistrarDoesNotMakeUpForAGuardian() external {
        _refuses(_attested(_proposal(1, NEXT_KEY)), ISubjects.NotEnoughGuardians.selector);
    }

    function test_OneGuardianDoesNotCountTwice() external {
        ISubjects.Proposal memory proposal = _proposal(2, NEXT_KEY);
        proposal.who[1] = 0;
        proposal.signatures[1] = proposal.signatures[0];
        _refuses(proposal, ISubjects.NotEnoughGuardians.selector);
    }

    function test_OneKeyThatIsListedTwiceDoesNotCountTwice() external {
        ISubjects.Guardianship memory named = _guardianship();
        named.signers[1] = named.signers[0];
        _setGuardians(_commitment(named));
        vm.warp(block.timestamp + DELAY);
        ISubjects.Proposal memory proposal = _proposal(2, NEXT_KEY);
        proposal.guardianship = named;
        proposal.signatures[1] = proposal.signatures[0];
        _refuses(proposal, ISubjects.NotEnoughGuardians.selector);
    }

    function test_RefusesAPlaceThatIsNone() external {
        ISubjects.Proposal memory proposal = _proposal(2, NEXT_KEY);
        proposal.who[1] = 3;
        _refuses(proposal, ISubjects.NotEnoughGuardians.selector);
    }

    function test_RefusesMorePlacesThanSignatures() external {
        ISubjects.Proposal memory proposal = _proposal(2, NEXT_KEY);
        proposal.signatures = new bytes[](1);
        _refuses(proposal, ISubjects.NotEnoughGuardians.selector);
    }

    function test_RefusesMoreGuardiansThanThereAre() external {
        ISubjects.Proposal memory proposal = _proposal(3, NEXT_KEY);
        (proposal.who, proposal.signatures) = (new uint32[](4), new bytes[](4));
        _refuses(proposal, ISubjects.NotEnoughGuardians.selector);
    }

    function test_RefusesASignatureThatIsNoGuardians() external {
        ISubjects.Proposal memory proposal = _proposal(2, NEXT_KEY);
        bytes32 digest = _digestOf(proposal);
        proposal.signatures[1] = _sign(OTHER_KEY, digest);
        _refusesUnsigned(proposal, digest);
    }

    function test_RefusesWithoutTheNextControllersSignature() external {
        ISubjects.Proposal memory proposal = _proposal(2, NEXT_KEY);
        bytes32 digest = _digestOf(proposal);
        proposal.controllerSignature = proposal.signatures[0];
        _refusesUnsigned(proposal, digest);
    }

    function test_RefusesAControllerThatIsNoSigner() external {
        ISubjects.Proposal memory proposal = _proposal(2, NEXT_KEY);
        proposal.controller = "";
        vm.expectRevert(abi.encodeWithSelector(ISubjects.InvalidSigner.selector, bytes("")));
        consents.proposeRecovery(SUBJECT, proposal);
    }

    function test_RefusesOtherGuardiansThanNamed(uint8 change) external {
        ISubjects.Proposal memory proposal = _proposal(2, NEXT_KEY);
        if (change % 3 == 0) proposal.guardianship.threshold = 1;
        else if (change % 3 == 1) proposal.guardianship.salt = 0;
        else proposal.guardianship.signers[2] = _account(OTHER_KEY);
        _refuses(proposal, ISubjects.InvalidGuardianship.selector);
    }

    function test_RefusesAThresholdOfNone() external {
        ISubjects.Guardianship memory named = _guardianship();
        named.threshold = 0;
        _setGuardians(_commitment(named));
        vm.warp(block.timestamp + DELAY);
        ISubjects.Proposal memory proposal = _proposal(0, NEXT_KEY);
        proposal.guardianship = named;
        _refuses(proposal, ISubjects.InvalidGuardianship.selector);
    }

    function test_RefusesMoreThan16Guardians() external {
        ISubjects.Guardianship memory named = _guardianship();
        named.signers = new bytes[](17);
        _setGuardians(_commitment(named));
        vm.warp(block.timestamp + DELAY);
        ISubjects.Proposal memory proposal = _proposal(2, NEXT_KEY);
        proposal.guardianship = named;
        _refuses(proposal, ISubjects.InvalidGuardianship.selector);
    }

    function test_RefusesWhereThereAreNoGuardians() external {
        _setGuardians(0);
        vm.warp(block.timestamp + DELAY);
        _refuses(_proposal(3, NEXT_KEY), ISubjects.InvalidGuardianship.selector);
    }

    function test_RefusesSignaturesWhoseTimeIsOver() external {
        ISubjects.Proposal memory proposal = _proposal(2, NEXT_KEY);
        vm.warp(proposal.notAfter);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.ProposalExpired.selector, SUBJECT, proposal.notAfter));
        consents.proposeRecovery(SUBJECT, proposal);
    }

    function test_ACopySucceedsAndChangesNothing() external {
        _propose();
        ISubjects.Proposal memory proposal = _proposal(0, NEXT_KEY);
        vm.recordLogs();
        consents.proposeRecovery(SUBJECT, proposal);
        _assertNoEvent();
    }

    function test_RefusesAnotherWhileOneIsPending() external {
        _propose();
        _refuses(_proposal(3, OTHER_KEY), ISubjects.RecoveryPending.selector);
    }

    function test_RefusesAnErasedSubject() external {
        vm.prank(vm.addr(CONTROLLER_KEY));
        consents.erase(SUBJECT, "");
        _refuses(_proposal(3, NEXT_KEY), ISubjects.SubjectGone.selector);
    }

    function test_RefusesASubjectWithoutAController(bytes32 subject) external {
        vm.assume(subject != SUBJECT);
        ISubjects.Proposal memory proposal = _proposal(3, NEXT_KEY);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NoController.selector, subject));
        consents.proposeRecovery(subject, proposal);
    }

    function test_SignaturesForOneSubjectAreNoneForAnother() external {
        bytes32 other = keccak256("other subject");
        vm.prank(ENROLLER);
        consents.enrol(other, _account(CONTROLLER_KEY), 0);
        bytes32 guardians = _commitment(_guardianship());
        vm.prank(vm.addr(CONTROLLER_KEY));
        consents.setGuardians(other, guardians, "");
        ISubjects.Proposal memory proposal = _proposal(2, NEXT_KEY);
        vm.expectRevert();
        consents.proposeRecovery(other, proposal);
    }

    function test_SignaturesForAnotherChainAreRefused() external {
        ISubjects.Proposal memory proposal = _proposal(2, NEXT_KEY);
        vm.chainId(block.chainid + 1);
        _refusesUnsigned(proposal, _digestOf(proposal));
    }

    function test_ItCancelsAReplacementOfTheGuardians() external {
        _setGuardians(keccak256("a thief's"));
        vm.warp(block.timestamp + DELAY - 1);
        _propose();
        vm.warp(block.timestamp + DELAY);
        (bytes32 guardians, bytes32 next, uint64 nextAt) = consents.guardiansOf(SUBJECT);
        vm.assertEq(guardians, _commitment(_guardianship()));
        vm.assertTrue(next == 0 && nextAt == 0);
    }
}

contract PendingRecoveryTest is GuardedWorld {
    bytes32 private _before;

    function setUp() public override {
        super.setUp();
        _before = _grant(PERMIT);
        _addDelegate(DELEGATE_KEY);
        _propose();
    }

    function test_NoPermitIsTaken() external {
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        terms.scopeHash = keccak256("another scope");
        bytes memory signature = _sign(CONTROLLER_KEY, _consentId(terms));
        vm.expectRevert(abi.encodeWithSelector(ISubjects.RecoveryPending.selector, SUBJECT));
        consents.grant(terms, 0, signature);
        signature = _sign(DELEGATE_KEY, _consentId(terms));
        vm.expectRevert(abi.encodeWithSelector(ISubjects.RecoveryPending.selector, SUBJECT));
        consents.grant(terms, 1, signature);
    }

    function test_PermitsOfBeforeStayAndAreRevoked() external {
        vm.assertTrue(consents.inForce(SUBJECT, _before));
        _revoke(_before);
        vm.assertFalse(consents.inForce(SUBJECT, _before));
    }

    function test_DeniesAreTaken() external {
        vm.assertTrue(consents.inForce(SUBJECT, _grant(DENY)));
    }

    function test_AllCanBeRevoked() external {
        _revokeAllNow();
        vm.assertFalse(consents.inForce(SUBJECT, _before));
    }

    function test_TheControllerDoesNotChange() external {
        bytes memory next = _account(OTHER_KEY);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.RecoveryPending.selector, SUBJECT));
        consents.changeController(SUBJECT, next, "", "");
    }

    function test_TheGuardiansDoNotChange() external {
        vm.expectRevert(abi.encodeWithSelector(ISubjects.RecoveryPending.selector, SUBJECT));
        consents.setGuardians(SUBJECT, keccak256("a thief's"), "");
    }

    function test_NothingIsErased() external {
        vm.expectRevert(abi.encodeWithSelector(ISubjects.RecoveryPending.selector, SUBJECT));
        vm.prank(vm.addr(CONTROLLER_KEY));
        consents.erase(SUBJECT, "");
    }
}

contract ObjectToRecoveryTest is GuardedWorld {
    function test_TheControllerObjects() external {
        _propose();
        bytes memory signature = _sign(CONTROLLER_KEY, _objection(0));
        vm.expectEmit(address(consents));
        emit ISubjects.RecoveryObjected(SUBJECT, 3);
        vm.prank(STRANGER);
        consents.objectToRecovery(SUBJECT, signature);
        (bytes memory controller, uint64 readyAt,, bool objected) = consents.recoveryOf(SUBJECT);
        vm.assertTrue(controller.length == 0 && readyAt == 0 && objected);
        vm.assertTrue(consents.inForce(SUBJECT, _grant(PERMIT)));
    }

    function test_RefusesAnotherSigner(uint256 key) external {
        key = key % 1e30 + 1;
        vm.assume(key != CONTROLLER_KEY);
        _propose();
        bytes32 digest = _objection(0);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, digest));
        consents.objectToRecovery(SUBJECT, _sign(key, digest));
    }

    function test_RefusesAnObjectionToAnotherAttempt(uint64 attempt) external {
        vm.assume(attempt != 0);
        _propose();
        bytes memory signature = _sign(CONTROLLER_KEY, _objection(attempt));
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, _objection(0)));
        consents.objectToRecovery(SUBJECT, signature);
    }

    function test_RefusesWhereNothingIsPending() external {
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NoRecovery.selector, SUBJECT));
        consents.objectToRecovery(SUBJECT, "");
    }

    function test_ACopySucceedsAndChangesNothing() external {
        _propose();
        _object();
        vm.recordLogs();
        consents.objectToRecovery(SUBJECT, "");
        _assertNoEvent();
    }

    function test_RefusesWhatIsReady() external {
        _propose();
        vm.warp(block.timestamp + DELAY);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.Unstoppable.selector, SUBJECT));
        consents.objectToRecovery(SUBJECT, "");
    }

    function test_TheLastSecondCounts() external {
        _propose();
        vm.warp(block.timestamp + DELAY - 1);
        _object();
        vm.assertFalse(_isPending());
    }

    function test_OnceIsAll() external {
        _propose();
        _object();
        consents.proposeRecovery(SUBJECT, _proposal(3, NEXT_KEY));
        vm.expectRevert(abi.encodeWithSelector(ISubjects.Unstoppable.selector, SUBJECT));
        consents.objectToRecovery(SUBJECT, "");
    }

    function test_AHandOverGivesNoSecondObjection() external {
        _propose();
        _object();
        _handOver(CONTROLLER_KEY, OTHER_KEY);
        consents.proposeRecovery(SUBJECT, _proposal(3, NEXT_KEY));
        bytes memory signature = _sign(OTHER_KEY, _objection(1));
        vm.expectRevert(abi.encodeWithSelector(ISubjects.Unstoppable.selector, SUBJECT));
        consents.objectToRecovery(SUBJECT, signature);
    }

    function test_OtherGuardiansGiveNoSecondObjection() external {
        _propose();
        _object();
        bytes32 guardians = _commitment(_guardianship());
        _setGuardians(keccak256("others"));
        vm.warp(block.timestamp + DELAY);
        _setGuardians(guardians);
        vm.warp(block.timestamp + DELAY);
        _refuses(_proposal(2, NEXT_KEY), ISubjects.AttestationNeeded.selector);
        consents.proposeRecovery(SUBJECT, _proposal(3, NEXT_KEY));
        vm.expectRevert(abi.encodeWithSelector(ISubjects.Unstoppable.selector, SUBJECT));
        consents.objectToRecovery(SUBJECT, "");
    }

    function test_AHandOverDoesNotSpoilTheGuardiansSignatures() external {
        ISubjects.Proposal memory proposal = _proposal(2, NEXT_KEY);
        _handOver(CONTROLLER_KEY, OTHER_KEY);
        consents.proposeRecovery(SUBJECT, proposal);
        vm.assertTrue(_isPending());
    }

    function test_AThiefHasTheDelayAgainToReplaceGuardians() external {
        _setGuardians(keccak256("a thief's"));
        _propose();
        _object();
        vm.warp(block.timestamp + DELAY);
        consents.proposeRecovery(SUBJECT, _proposal(3, NEXT_KEY));
        vm.assertTrue(_isPending());
    }

    function test_AFinishedRecoveryGivesTheNextControllerAnObjection() external {
        _propose();
        _object();
        consents.proposeRecovery(SUBJECT, _proposal(3, NEXT_KEY));
        _finish();
        consents.proposeRecovery(SUBJECT, _proposal(2, OTHER_KEY));
        consents.objectToRecovery(SUBJECT, _sign(NEXT_KEY, _objection(2)));
        vm.assertFalse(_isPending());
    }

    function _isPending() private view returns (bool) {
        (, uint64 readyAt,,) = consents.recoveryOf(SUBJECT);
        return readyAt != 0;
    }
}

contract SecondProposalTest is GuardedWorld {
    function setUp() public override {
        super.setUp();
        _propose();
        _object();
    }

    function test_EnoughGuardiansAreNotEnoughAnyMore() external {
        _refuses(_proposal(2, NEXT_KEY), ISubjects.AttestationNeeded.selector);
    }

    function test_TheSignaturesOfTheFirstAreSpent() external {
        ISubjects.Proposal memory proposal = _proposal(3, NEXT_KEY);
        bytes32 old = _recovery(proposal.controller, 0, proposal.notAfter);
        for (uint256 i = 0; i < 3; ++i) {
            proposal.signatures[i] = _sign(guardianKeys[i], old);
        }
        _refusesUnsigned(proposal, _digestOf(proposal));
    }

    function test_AllGuardiansCannotBeStopped() external {
        ISubjects.Proposal memory proposal = _proposal(3, NEXT_KEY);
        vm.expectEmit(address(consents));
        emit ISubjects.RecoveryProposed(SUBJECT, proposal.controller, uint64(block.timestamp) + DELAY, true, 4);
        consents.proposeRecovery(SUBJECT, proposal);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.Unstoppable.selector, SUBJECT));
        consents.objectToRecovery(SUBJECT, "");
        _finish();
        vm.assertEq(consents.controllerOf(SUBJECT), proposal.controller);
    }

    function test_EnoughGuardiansAndARegistrarCannotBeStopped() external {
        consents.proposeRecovery(SUBJECT, _attested(_proposal(2, NEXT_KEY)));
        (,, bool unstoppable,) = consents.recoveryOf(SUBJECT);
        vm.assertTrue(unstoppable);
    }

    function test_RefusesAnAttestationByNoRegistrar() external {
        vm.prank(ENROLLER);
        identity.setRoles(REGISTRAR, 2);
        _refuses(_attested(_proposal(2, NEXT_KEY)), ISubjects.AttestationNeeded.selector);
    }

    function test_RefusesAnAttestationByARemovedRegistrar() external {
        vm.prank(ENROLLER);
        identity.removeActor(REGISTRAR);
        _refuses(_attested(_proposal(2, NEXT_KEY)), ISubjects.AttestationNeeded.selector);
    }

    function test_RefusesAnAttestationThatTheRegistrarDidNotSign() external {
        ISubjects.Proposal memory proposal = _attested(_proposal(2, NEXT_KEY));
        bytes32 digest = _attestation(proposal.controller, _attempt());
        proposal.attestation.signature = _sign(OTHER_KEY, digest);
        _refusesUnsigned(proposal, digest);
    }

    function test_RefusesAnAttestationToAnotherController() external {
        ISubjects.Proposal memory proposal = _attested(_proposal(2, NEXT_KEY));
        proposal.attestation.signature = _sign(REGISTRAR_KEY, _attestation(_account(OTHER_KEY), _attempt()));
        _refusesUnsigned(proposal, _attestation(proposal.controller, _attempt()));
    }

    function test_RefusesAGuardiansSignatureAsAnAttestation() external {
        ISubjects.Proposal memory proposal = _attested(_proposal(2, NEXT_KEY));
        proposal.attestation.signature = _sign(REGISTRAR_KEY, _digestOf(proposal));
        _refusesUnsigned(proposal, _attestation(proposal.controller, _attempt()));
    }

    function test_RefusesAnAttestationByOneOfTheGuardians() external {
        ISubjects.Guardianship memory named = _guardianship();
        named.signers[1] = _account(REGISTRAR_KEY);
        guardianKeys[1] = REGISTRAR_KEY;
        _setGuardians(_commitment(named));
        vm.warp(block.timestamp + DELAY);
        _refuses(_attested(_proposal(2, NEXT_KEY)), ISubjects.AttestationNeeded.selector);
    }
}

contract FinishRecoveryTest is GuardedWorld {
    function test_AnyoneFinishesWhatIsReady() external {
        _propose();
        vm.warp(block.timestamp + DELAY);
        vm.expectEmit(address(consents));
        emit ISubjects.ControllerChanged(SUBJECT, _account(NEXT_KEY), 1, 3);
        vm.prank(STRANGER);
        consents.finishRecovery(SUBJECT, 0);
        vm.assertEq(consents.controllerOf(SUBJECT), _account(NEXT_KEY));
        _assertState(1, 3);
        (bytes memory controller, uint64 readyAt,, bool objected) = consents.recoveryOf(SUBJECT);
        vm.assertTrue(controller.length == 0 && readyAt == 0 && !objected);
    }

    function test_RefusesWhatIsNotReady(uint64 time) external {
        time = time % DELAY;
        _propose();
        uint64 readyAt = uint64(block.timestamp) + DELAY;
        vm.warp(block.timestamp + time);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotReady.selector, SUBJECT, readyAt));
        consents.finishRecovery(SUBJECT, 0);
    }

    function test_RefusesWhereNothingIsPending(bytes32 subject, uint64 attempt) external {
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NoRecovery.selector, subject));
        consents.finishRecovery(subject, attempt);
    }

    function test_RefusesAnotherAttemptThanThePendingOne(uint64 attempt) external {
        vm.assume(attempt != 0);
        _propose();
        vm.warp(block.timestamp + DELAY);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NoRecovery.selector, SUBJECT));
        consents.finishRecovery(SUBJECT, attempt);
    }

    function test_RefusesWhatWasObjectedTo() external {
        _propose();
        _object();
        vm.warp(block.timestamp + DELAY);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NoRecovery.selector, SUBJECT));
        consents.finishRecovery(SUBJECT, 0);
    }

    function test_ACopySucceedsAndChangesNothing() external {
        _propose();
        _finish();
        vm.recordLogs();
        consents.finishRecovery(SUBJECT, 0);
        _assertNoEvent();
    }

    function test_TheOldKeysPermitsDelegatesAndCredentialsEnd() external {
        bytes32 permit = _grant(PERMIT);
        _addDelegate(DELEGATE_KEY);
        _link(true);
        _propose();
        _finish();
        vm.assertFalse(consents.inForce(SUBJECT, permit));
        (,,, bool holds) = consents.delegateOf(SUBJECT, 1);
        vm.assertFalse(holds);
        vm.assertFalse(consents.isCredential(SUBJECT, DOCTOR));
    }

    function test_TheOldKeySignsNothingMore() external {
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        terms.epoch = 1;
        bytes32 consentId = _consentId(terms);
        _propose();
        _finish();
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, consentId));
        consents.grant(terms, 0, _sign(CONTROLLER_KEY, consentId));
    }

    function test_GivesControlToAP256Key() external {
        bytes memory next = _p256Signer(0x256);
        ISubjects.Proposal memory proposal = _proposal(2, NEXT_KEY);
        proposal.controller = next;
        bytes32 digest = _digestOf(proposal);
        proposal.signatures[0] = _sign(guardianKeys[0], digest);
        proposal.signatures[1] = _sign(guardianKeys[1], digest);
        (bytes32 r, bytes32 s) = _signP256(0x256, digest);
        proposal.controllerSignature = abi.encodePacked(r, s);
        consents.proposeRecovery(SUBJECT, proposal);
        _finish();
        vm.assertEq(consents.controllerOf(SUBJECT), next);
    }

    function test_TheGuardiansStay() external {
        _propose();
        _finish();
        (bytes32 guardians,,) = consents.guardiansOf(SUBJECT);
        vm.assertEq(guardians, _commitment(_guardianship()));
    }
}
