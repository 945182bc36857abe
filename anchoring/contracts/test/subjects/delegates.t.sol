// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IConsentRegistry} from "../../src/interfaces/IConsentRegistry.sol";
import {ISubjects} from "../../src/interfaces/ISubjects.sol";
import {SubjectWorld} from "./SubjectWorld.sol";

contract AddDelegateTest is SubjectWorld {
    function test_AddsAndCounts() external {
        uint64 notAfter = uint64(block.timestamp + 1 days);
        bytes memory delegate = _account(DELEGATE_KEY);
        bytes memory signature = _sign(CONTROLLER_KEY, _delegation(delegate, LIMITS, notAfter));
        vm.expectEmit(address(consents));
        emit ISubjects.DelegateAdded(SUBJECT, 1, delegate, LIMITS, notAfter, 1);
        vm.prank(STRANGER);
        vm.assertEq(consents.addDelegate(SUBJECT, delegate, LIMITS, notAfter, signature), 1);
        (bytes memory named, bytes32 limits, uint64 until, bool holds) = consents.delegateOf(SUBJECT, 1);
        vm.assertEq(named, delegate);
        vm.assertTrue(limits == LIMITS && until == notAfter && holds);
        _assertState(0, 1);
    }

    function test_NumbersRise() external {
        vm.assertEq(_addDelegate(DELEGATE_KEY), 1);
        vm.assertEq(_addDelegate(OTHER_KEY), 2);
        _removeDelegate(2);
        vm.assertEq(_addDelegate(OTHER_KEY), 3);
    }

    function test_ACopySucceedsAndChangesNothing() external {
        _addDelegate(DELEGATE_KEY);
        _addDelegate(OTHER_KEY);
        vm.recordLogs();
        uint64 notAfter = uint64(block.timestamp + 365 days);
        vm.assertEq(consents.addDelegate(SUBJECT, _account(DELEGATE_KEY), LIMITS, notAfter, ""), 1);
        _assertNoEvent();
    }

    function test_ADelegateThatWasRemovedDoesNotComeBackByTheOldSignature() external {
        uint64 notAfter = uint64(block.timestamp + 365 days);
        bytes memory delegate = _account(DELEGATE_KEY);
        bytes memory signature = _sign(CONTROLLER_KEY, _delegation(delegate, LIMITS, notAfter));
        _addDelegate(DELEGATE_KEY);
        _removeDelegate(1);
        bytes32 digest = _delegation(delegate, LIMITS, notAfter);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, digest));
        consents.addDelegate(SUBJECT, delegate, LIMITS, notAfter, signature);
    }

    function test_RefusesAnotherSigner(uint256 key) external {
        key = key % 1e30 + 1;
        vm.assume(key != CONTROLLER_KEY);
        bytes32 digest = _delegation(_account(DELEGATE_KEY), LIMITS, 1);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, digest));
        consents.addDelegate(SUBJECT, _account(DELEGATE_KEY), LIMITS, 1, _sign(key, digest));
    }

    function test_RefusesADelegateThatIsNoSigner() external {
        vm.expectRevert(abi.encodeWithSelector(ISubjects.InvalidSigner.selector, bytes("")));
        consents.addDelegate(SUBJECT, "", LIMITS, 1, "");
    }

    function test_ADelegateAddsNone() external {
        _addDelegate(DELEGATE_KEY);
        bytes32 digest = _delegation(_account(OTHER_KEY), LIMITS, 1);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, digest));
        consents.addDelegate(SUBJECT, _account(OTHER_KEY), LIMITS, 1, _sign(DELEGATE_KEY, digest));
    }

    function test_RefusesWhileARecoveryIsPending() external {
        _setGuardians(_commitment(_guardianship()));
        _propose();
        vm.expectRevert(abi.encodeWithSelector(ISubjects.RecoveryPending.selector, SUBJECT));
        consents.addDelegate(SUBJECT, _account(DELEGATE_KEY), LIMITS, 1, "");
    }

    function test_RefusesAnErasedSubject() external {
        vm.prank(vm.addr(CONTROLLER_KEY));
        consents.erase(SUBJECT, "");
        vm.expectRevert(abi.encodeWithSelector(ISubjects.SubjectGone.selector, SUBJECT));
        consents.addDelegate(SUBJECT, _account(DELEGATE_KEY), LIMITS, 1, "");
    }
}

contract RemoveDelegateTest is SubjectWorld {
    function setUp() public override {
        super.setUp();
        _addDelegate(DELEGATE_KEY);
    }

    function test_TheControllerRemoves() external {
        bytes memory signature = _sign(CONTROLLER_KEY, _delegationEnd(1));
        vm.expectEmit(address(consents));
        emit ISubjects.DelegateRemoved(SUBJECT, 1, 2);
        consents.removeDelegate(SUBJECT, 1, signature);
        (,,, bool holds) = consents.delegateOf(SUBJECT, 1);
        vm.assertFalse(holds);
        _assertState(0, 2);
    }

    function test_TheDelegateLeaves() external {
        consents.removeDelegate(SUBJECT, 1, _sign(DELEGATE_KEY, _delegationEnd(1)));
        (,,, bool holds) = consents.delegateOf(SUBJECT, 1);
        vm.assertFalse(holds);
    }

    function test_NobodyElseRemoves(uint256 key) external {
        key = key % 1e30 + 1;
        vm.assume(key != CONTROLLER_KEY && key != DELEGATE_KEY);
        bytes32 digest = _delegationEnd(1);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, digest));
        consents.removeDelegate(SUBJECT, 1, _sign(key, digest));
    }

    function test_ACopySucceedsAndChangesNothing() external {
        _removeDelegate(1);
        vm.recordLogs();
        consents.removeDelegate(SUBJECT, 1, "");
        _assertNoEvent();
    }

    function test_OneOfAFormerControlIsGoneAlready() external {
        _handOver(CONTROLLER_KEY, OTHER_KEY);
        vm.recordLogs();
        consents.removeDelegate(SUBJECT, 1, "");
        _assertNoEvent();
    }

    function test_RefusesAnUnknownNumber(uint32 number) external {
        vm.assume(number != 1);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotDelegate.selector, SUBJECT, number));
        consents.removeDelegate(SUBJECT, number, "");
    }

    function test_RemovesWhileARecoveryIsPending() external {
        _setGuardians(_commitment(_guardianship()));
        _propose();
        _removeDelegate(1);
        (,,, bool holds) = consents.delegateOf(SUBJECT, 1);
        vm.assertFalse(holds);
    }
}

contract DelegatedGrantTest is SubjectWorld {
    function setUp() public override {
        super.setUp();
        _addDelegate(DELEGATE_KEY);
    }

    function test_ADelegateGrantsAndIsNamed() external {
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        bytes32 consentId = _consentId(terms);
        bytes memory signature = _sign(DELEGATE_KEY, consentId);
        vm.expectEmit(address(consents));
        emit IConsentRegistry.ConsentGranted(
            SUBJECT, consentId, terms.typeHash, PERMIT, terms.scopeHash, terms.notBefore, terms.notAfter, 0, 1, 2
        );
        consents.grant(terms, 1, signature);
        vm.assertTrue(consents.inForce(SUBJECT, consentId));
        (,,,,, uint32 delegate) = consents.consentState(SUBJECT, consentId);
        vm.assertEq(delegate, 1);
    }

    function test_RefusesAnyoneElsesSignature(uint256 key) external {
        key = key % 1e30 + 1;
        vm.assume(key != DELEGATE_KEY);
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        bytes memory signature = _sign(key, _consentId(terms));
        _expectNotDelegate(1);
        consents.grant(terms, 1, signature);
    }

    function test_RefusesAnUnknownNumber(uint32 number) external {
        vm.assume(number > 1);
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        bytes memory signature = _sign(DELEGATE_KEY, _consentId(terms));
        _expectNotDelegate(number);
        consents.grant(terms, number, signature);
    }

    function test_ADelegateIsNotTheController() external {
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        bytes memory signature = _sign(DELEGATE_KEY, _consentId(terms));
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, _consentId(terms)));
        consents.grant(terms, 0, signature);
    }

    function test_RemovalEndsPermitsAndNoDeny() external {
        (bytes32 permit, bytes32 deny) = (_grantBy(PERMIT), _grantBy(DENY));
        _removeDelegate(1);
        vm.assertFalse(consents.inForce(SUBJECT, permit));
        vm.assertTrue(consents.inForce(SUBJECT, deny));
    }

    function test_TimeEndsPermitsToo() external {
        bytes32 permit = _grantBy(PERMIT, 366 days);
        (,, uint64 notAfter,) = consents.delegateOf(SUBJECT, 1);
        vm.warp(notAfter - 1);
        vm.assertTrue(consents.inForce(SUBJECT, permit));
        vm.warp(notAfter);
        vm.assertFalse(consents.inForce(SUBJECT, permit));
    }

    function test_ARemovedDelegateGrantsNothing() external {
        _removeDelegate(1);
        IConsentRegistry.ConsentTerms memory terms = _terms(DENY);
        bytes memory signature = _sign(DELEGATE_KEY, _consentId(terms));
        _expectNotDelegate(1);
        consents.grant(terms, 1, signature);
    }

    function test_ADelegateOfAFormerControlGrantsNothing() external {
        _handOver(CONTROLLER_KEY, OTHER_KEY);
        _handOver(OTHER_KEY, CONTROLLER_KEY);
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        bytes memory signature = _sign(DELEGATE_KEY, _consentId(terms));
        _expectNotDelegate(1);
        consents.grant(terms, 1, signature);
    }

    function test_ADelegateRevokesWhatTheySigned(bool deny) external {
        bytes32 consentId = _grantBy(deny ? DENY : PERMIT);
        consents.revoke(SUBJECT, consentId, _sign(DELEGATE_KEY, _revocation(consentId)));
        vm.assertFalse(consents.inForce(SUBJECT, consentId));
    }

    function test_TheControllerRevokesWhatADelegateSigned() external {
        bytes32 consentId = _grantBy(PERMIT);
        _revoke(consentId);
        vm.assertFalse(consents.inForce(SUBJECT, consentId));
    }

    function test_ADelegateRevokesNothingElse() external {
        bytes32 consentId = _grant(DENY);
        bytes32 digest = _revocation(consentId);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, digest));
        consents.revoke(SUBJECT, consentId, _sign(DELEGATE_KEY, digest));
    }

    function test_ARemovedDelegateLiftsNoDenyOfTheirs() external {
        bytes32 consentId = _grantBy(DENY);
        _removeDelegate(1);
        bytes32 digest = _revocation(consentId);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, digest));
        consents.revoke(SUBJECT, consentId, _sign(DELEGATE_KEY, digest));
    }

    function test_AnotherDelegateLiftsNoDeny() external {
        _addDelegate(OTHER_KEY);
        bytes32 consentId = _grantBy(DENY);
        vm.recordLogs();
        consents.grant(_terms(DENY), 2, _sign(OTHER_KEY, consentId));
        _assertNoEvent();
        bytes32 digest = _revocation(consentId);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, digest));
        consents.revoke(SUBJECT, consentId, _sign(OTHER_KEY, digest));
    }

    function test_TheControllersWordReplacesADelegates(bool deny) external {
        uint8 effect = deny ? DENY : PERMIT;
        bytes32 consentId = _grantBy(effect);
        vm.assertEq(_grant(effect), consentId);
        _removeDelegate(1);
        vm.assertTrue(consents.inForce(SUBJECT, consentId));
        _assertState(0, 4);
    }

    function test_NoDelegatesWordReplacesTheControllers() external {
        bytes32 consentId = _grant(DENY);
        vm.recordLogs();
        consents.grant(_terms(DENY), 1, _sign(DELEGATE_KEY, consentId));
        _assertNoEvent();
        bytes32 digest = _revocation(consentId);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, digest));
        consents.revoke(SUBJECT, consentId, _sign(DELEGATE_KEY, digest));
    }

    function test_ACopiedGrantOfARemovedDelegateIsRefused() external {
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        bytes memory signature = _sign(DELEGATE_KEY, _consentId(terms));
        consents.grant(terms, 1, signature);
        _removeDelegate(1);
        _expectNotDelegate(1);
        consents.grant(terms, 1, signature);
    }

    function test_ADenyOfAFormerEpochStandsForTheControllerToo() external {
        IConsentRegistry.ConsentTerms memory terms = _terms(DENY);
        _grantBy(DENY);
        _revokeAllNow();
        vm.recordLogs();
        consents.grant(terms, 0, "");
        _assertNoEvent();
    }

    function test_ADelegateEndsNothingElse() external {
        bytes32 digest = _revokeAll(0);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, digest));
        consents.revokeAll(SUBJECT, 0, _sign(DELEGATE_KEY, digest));
    }

    function _grantBy(uint8 effect) private returns (bytes32) {
        return _grantBy(effect, 30 days);
    }

    function _grantBy(uint8 effect, uint64 time) private returns (bytes32) {
        IConsentRegistry.ConsentTerms memory terms = _terms(effect);
        if (effect == PERMIT) terms.notAfter = uint64(block.timestamp) + time;
        return consents.grant(terms, 1, _sign(DELEGATE_KEY, _consentId(terms)));
    }

    function _expectNotDelegate(uint32 number) private {
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotDelegate.selector, SUBJECT, number));
    }
}
