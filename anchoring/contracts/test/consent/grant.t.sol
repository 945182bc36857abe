// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IConsentRegistry} from "../../src/interfaces/IConsentRegistry.sol";
import {ISubjects} from "../../src/interfaces/ISubjects.sol";
import {ConsentWorld} from "./ConsentWorld.sol";

contract GrantTest is ConsentWorld {
    function test_RefusesAnUnknownType(bytes32 typeHash) external {
        vm.assume(typeHash != keccak256(bytes(CONSENT_TYPE)));
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        terms.typeHash = typeHash;
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.UnknownConsentType.selector, typeHash));
        consents.grant(terms, 0, "");
    }

    function test_RefusesAnEffectThatIsNeitherPermitNorDeny(uint8 effect) external {
        vm.assume(effect > DENY);
        IConsentRegistry.ConsentTerms memory terms = _terms(effect);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.InvalidEffect.selector, effect));
        consents.grant(terms, 0, "");
    }

    function test_RefusesAWindowThatEndsBeforeItBegins(uint64 notBefore, uint64 notAfter) external {
        vm.assume(notAfter <= notBefore);
        IConsentRegistry.ConsentTerms memory terms = _terms(DENY);
        (terms.notBefore, terms.notAfter) = (notBefore, notAfter);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.InvalidWindow.selector, notBefore, notAfter));
        consents.grant(terms, 0, "");
    }

    function test_RefusesAPermitWithoutAnEnd() external {
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        terms.notAfter = type(uint64).max;
        vm.expectRevert(
            abi.encodeWithSelector(IConsentRegistry.InvalidWindow.selector, terms.notBefore, terms.notAfter)
        );
        consents.grant(terms, 0, "");
    }

    function test_RefusesAnotherEpoch(uint64 epoch) external {
        vm.assume(epoch != 0);
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        terms.epoch = epoch;
        bytes memory signature = _sign(CONTROLLER_KEY, _consentId(terms));
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.WrongEpoch.selector, SUBJECT, 0));
        consents.grant(terms, 0, signature);
    }

    function test_RefusesWhatWasRevoked() external {
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        bytes32 consentId = _grant(PERMIT);
        _revoke(consentId);
        bytes memory signature = _sign(CONTROLLER_KEY, consentId);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.ConsentBarred.selector, SUBJECT, consentId));
        consents.grant(terms, 0, signature);
    }

    function test_RefusesWhatWasRevokedBeforeItsGrant() external {
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        bytes32 consentId = _consentId(terms);
        _revoke(consentId);
        bytes memory signature = _sign(CONTROLLER_KEY, consentId);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.ConsentBarred.selector, SUBJECT, consentId));
        consents.grant(terms, 0, signature);
    }

    function test_ACopiedGrantSucceedsAndChangesNothing() external {
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        bytes memory signature = _sign(CONTROLLER_KEY, _consentId(terms));
        vm.prank(STRANGER);
        bytes32 first = consents.grant(terms, 0, signature);
        vm.recordLogs();
        vm.assertEq(consents.grant(terms, 0, signature), first);
        _assertNoEvent();
        _assertState(0, 1);
    }

    function test_RefusesAPermitWhoseEpochEndedSinceItsGrant() external {
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        _grant(PERMIT);
        _revokeAllNow();
        bytes memory signature = _sign(CONTROLLER_KEY, _consentId(terms));
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.WrongEpoch.selector, SUBJECT, 1));
        consents.grant(terms, 0, signature);
    }

    function test_ADenyStandsWhateverTheEpoch() external {
        IConsentRegistry.ConsentTerms memory terms = _terms(DENY);
        bytes32 consentId = _grant(DENY);
        _revokeAllNow();
        vm.recordLogs();
        vm.assertEq(consents.grant(terms, 0, ""), consentId);
        _assertNoEvent();
    }

    function test_RefusesAnotherSigner(uint256 key) external {
        key = key % 1e30 + 1;
        vm.assume(key != CONTROLLER_KEY);
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        bytes memory signature = _sign(key, _consentId(terms));
        _expectNotSigned(_consentId(terms));
        consents.grant(terms, 0, signature);
    }

    function test_RefusesASignatureOverOtherTerms(IConsentRegistry.ConsentTerms memory other) external {
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        vm.assume(_consentId(other) != _consentId(terms));
        bytes memory signature = _sign(CONTROLLER_KEY, _consentId(other));
        _expectNotSigned(_consentId(terms));
        consents.grant(terms, 0, signature);
    }

    function test_RefusesAnEmptySignatureFromAnyoneElse(address sender) external {
        vm.assume(sender != vm.addr(CONTROLLER_KEY));
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        _expectNotSigned(_consentId(terms));
        vm.prank(sender);
        consents.grant(terms, 0, "");
    }

    function test_RefusesASubjectInCustody() external {
        _register(ORG, ORG_KEY);
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        terms.subject = keccak256("newborn");
        vm.prank(ENROLLER);
        consents.enrol(terms.subject, "", ORG);
        bytes32 digest = _consentId(terms);
        bytes memory signature = _sign(ORG_KEY, digest);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, terms.subject, digest));
        consents.grant(terms, 0, signature);
    }

    function test_RefusesAnUnknownSubject(bytes32 subject) external {
        vm.assume(subject != SUBJECT);
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        terms.subject = subject;
        bytes32 digest = _consentId(terms);
        bytes memory signature = _sign(CONTROLLER_KEY, digest);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, subject, digest));
        consents.grant(terms, 0, signature);
    }

    function test_RecordsWhatTheControllerSigned(bytes32 scopeHash, uint64 notBefore, uint64 notAfter, bool deny)
        external
    {
        vm.assume(notBefore < notAfter && (deny || notAfter != type(uint64).max));
        IConsentRegistry.ConsentTerms memory terms = _terms(deny ? DENY : PERMIT);
        (terms.scopeHash, terms.notBefore, terms.notAfter) = (scopeHash, notBefore, notAfter);
        bytes32 consentId = _consentId(terms);
        bytes memory signature = _sign(CONTROLLER_KEY, consentId);
        vm.expectEmit(address(consents));
        emit IConsentRegistry.ConsentGranted(
            SUBJECT, consentId, terms.typeHash, terms.effect, scopeHash, notBefore, notAfter, 0, 0, 1
        );
        vm.prank(STRANGER);
        vm.assertEq(consents.grant(terms, 0, signature), consentId);

        _assertState(0, 1);
        (IConsentRegistry.Status status, uint8 effect, uint64 from, uint64 to, uint64 epoch, uint32 delegate) =
            consents.consentState(SUBJECT, consentId);
        vm.assertTrue(status == IConsentRegistry.Status.GRANTED && effect == terms.effect);
        vm.assertTrue(from == notBefore && to == notAfter && epoch == 0 && delegate == 0);
    }

    function test_TakesTheControllersOwnCallWithoutASignature() external {
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        vm.prank(vm.addr(CONTROLLER_KEY));
        bytes32 consentId = consents.grant(terms, 0, "");
        vm.assertTrue(consents.inForce(SUBJECT, consentId));
    }

    function test_TheIdIsTheDigestThatWalletsShow(IConsentRegistry.ConsentTerms memory terms) external view {
        terms.typeHash = keccak256(bytes(CONSENT_TYPE));
        vm.assertEq(consents.consentIdOf(terms), _consentId(terms));
    }

    function _expectNotSigned(bytes32 digest) private {
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, digest));
    }
}
