// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IConsentRegistry} from "../../src/interfaces/IConsentRegistry.sol";
import {World} from "../World.sol";

/// @notice SUBJECT enrolled under CONTROLLER_KEY, and terms to sign.
abstract contract ConsentWorld is World {
    uint8 internal constant PERMIT = 0;
    uint8 internal constant DENY = 1;

    function setUp() public virtual override {
        super.setUp();
        _enrol();
    }

    function _terms(uint8 effect) internal view returns (IConsentRegistry.ConsentTerms memory) {
        (uint64 epoch,) = consents.subjectState(SUBJECT);
        return IConsentRegistry.ConsentTerms({
            typeHash: keccak256(bytes(CONSENT_TYPE)),
            subject: SUBJECT,
            effect: effect,
            scopeHash: keccak256("scope"),
            notBefore: uint64(block.timestamp),
            notAfter: effect == DENY ? type(uint64).max : uint64(block.timestamp + 30 days),
            epoch: epoch
        });
    }

    function _consentId(IConsentRegistry.ConsentTerms memory terms) internal view returns (bytes32) {
        return _digest(
            address(consents),
            keccak256(
                abi.encode(
                    keccak256(bytes(CONSENT_TYPE)),
                    terms.subject,
                    terms.effect,
                    terms.scopeHash,
                    terms.notBefore,
                    terms.notAfter,
                    terms.epoch
                )
            )
        );
    }

    function _revocation(bytes32 consentId) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("Revocation(bytes32 subject,bytes32 consentId)");
        return _digest(address(consents), keccak256(abi.encode(typeHash, SUBJECT, consentId)));
    }

    function _revokeAll(uint64 epoch) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("RevokeAll(bytes32 subject,uint64 epoch)");
        return _digest(address(consents), keccak256(abi.encode(typeHash, SUBJECT, epoch)));
    }

    function _grant(uint8 effect) internal returns (bytes32 consentId) {
        IConsentRegistry.ConsentTerms memory terms = _terms(effect);
        return consents.grant(terms, 0, _sign(CONTROLLER_KEY, _consentId(terms)));
    }

    function _revoke(bytes32 consentId) internal {
        consents.revoke(SUBJECT, consentId, _sign(CONTROLLER_KEY, _revocation(consentId)));
    }

    function _revokeAllNow() internal {
        (uint64 epoch,) = consents.subjectState(SUBJECT);
        consents.revokeAll(SUBJECT, epoch, _sign(CONTROLLER_KEY, _revokeAll(epoch)));
    }

    function _assertState(uint64 epoch, uint64 seq) internal view {
        (uint64 epochNow, uint64 seqNow) = consents.subjectState(SUBJECT);
        vm.assertEq(epochNow, epoch);
        vm.assertEq(seqNow, seq);
    }
}
