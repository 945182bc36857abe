// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Credentials} from "./consent/Credentials.sol";
import {Delegates} from "./consent/Delegates.sol";
import {Erasures} from "./consent/Erasures.sol";
import {Recoveries} from "./consent/Recoveries.sol";
import {Subjects} from "./consent/Subjects.sol";
import {IConsentRegistry} from "./interfaces/IConsentRegistry.sol";
import {IIdentityRegistry} from "./interfaces/IIdentityRegistry.sol";

/// @title What patients consented to, by their own signature
/// @notice `IConsentRegistry` says what holds.
contract ConsentRegistry is Credentials, Delegates, Recoveries, Erasures {
    /// @dev One slot. The scope and the rest of the terms are in the id alone.
    struct Standing {
        Status status;
        uint8 effect;
        uint64 notBefore;
        uint64 notAfter;
        uint64 epoch;
        uint32 delegate;
    }

    uint8 private constant PERMIT = 0;
    uint8 private constant DENY = 1;
    uint64 private constant NO_END = type(uint64).max;
    uint256 private constant MAX_CONSENT_TYPES = 16;

    bytes32 private constant REVOCATION_TYPEHASH = keccak256("Revocation(bytes32 subject,bytes32 consentId)");
    bytes32 private constant REVOKE_ALL_TYPEHASH = keccak256("RevokeAll(bytes32 subject,uint64 epoch)");

    /// @inheritdoc IConsentRegistry
    mapping(bytes32 typeHash => bool taken) public isConsentType;
    /// @inheritdoc IConsentRegistry
    mapping(bytes32 subject => mapping(bytes32 consentId => Standing)) public consentState;

    /// @param consentTypeHashes EIP-712 type hashes of the consents that are taken.
    /// @param recoveryDelay_ Seconds.
    constructor(IIdentityRegistry identity_, bytes32[] memory consentTypeHashes, uint64 recoveryDelay_)
        Subjects(identity_)
        Recoveries(recoveryDelay_)
    {
        uint256 count = consentTypeHashes.length;
        require(count != 0 && count <= MAX_CONSENT_TYPES, InvalidConsentTypes());
        for (uint256 i = 0; i < count; ++i) {
            require(consentTypeHashes[i] != 0, InvalidConsentTypes());
            isConsentType[consentTypeHashes[i]] = true;
        }
    }

    /// @inheritdoc IConsentRegistry
    function grant(ConsentTerms calldata terms, uint32 delegate, bytes calldata signature)
        external
        returns (bytes32 consentId)
    {
        // Check
        _requireWellFormed(terms);
        consentId = consentIdOf(terms);
        Subject storage entry = _subjects[terms.subject];
        Standing storage standing = consentState[terms.subject][consentId];
        require(standing.status != Status.REVOKED, ConsentBarred(terms.subject, consentId));
        if (_stands(terms, entry, standing, delegate)) return consentId;
        require(!entry.erased, SubjectGone(terms.subject));
        require(terms.epoch == entry.epoch, WrongEpoch(terms.subject, entry.epoch));
        require(terms.effect == DENY || !entry.recovering, RecoveryPending(terms.subject));
        if (delegate == 0) {
            _requireController(terms.subject, entry, consentId, signature);
        } else {
            bool signed = _signedByDelegate(terms.subject, delegate, consentId, signature);
            require(signed, NotDelegate(terms.subject, delegate));
        }

        // Effect
        consentState[terms.subject][consentId] = Standing({
            status: Status.GRANTED,
            effect: terms.effect,
            notBefore: terms.notBefore,
            notAfter: terms.notAfter,
            epoch: entry.epoch,
            delegate: delegate
        });
        _emitGranted(terms, consentId, delegate, ++entry.seq);
    }

    /// @inheritdoc IConsentRegistry
    function revoke(bytes32 subject, bytes32 consentId, bytes calldata signature) external {
        // Check
        Subject storage entry = _subjects[subject];
        Standing storage standing = consentState[subject][consentId];
        if (standing.status == Status.REVOKED) return;
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(REVOCATION_TYPEHASH, subject, consentId)));
        uint32 delegate = standing.delegate;
        if (delegate == 0 || !_signedByDelegate(subject, delegate, digest, signature)) {
            _requireController(subject, entry, digest, signature);
        }

        // Effect
        standing.status = Status.REVOKED;
        emit ConsentRevoked(subject, consentId, ++entry.seq);
    }

    /// @inheritdoc IConsentRegistry
    function revokeAll(bytes32 subject, uint64 epoch, bytes calldata signature) external {
        // Check
        Subject storage entry = _subjects[subject];
        uint64 current = entry.epoch;
        if (epoch < current) return;
        require(epoch == current, WrongEpoch(subject, current));
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(REVOKE_ALL_TYPEHASH, subject, epoch)));
        _requireController(subject, entry, digest, signature);

        // Effect
        uint64 next = ++entry.epoch;
        emit AllConsentsRevoked(subject, next, ++entry.seq);
    }

    /// @inheritdoc IConsentRegistry
    function inForce(bytes32 subject, bytes32 consentId) external view returns (bool) {
        Standing memory standing = consentState[subject][consentId];
        if (standing.status != Status.GRANTED) return false;
        if (block.timestamp < standing.notBefore || block.timestamp >= standing.notAfter) return false;
        if (standing.effect == DENY) return true;
        return standing.epoch == _subjects[subject].epoch && _isBacked(subject, standing.delegate);
    }

    /// @inheritdoc IConsentRegistry
    function consentIdOf(ConsentTerms calldata terms) public view returns (bytes32 consentId) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    terms.typeHash,
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

    function _requireWellFormed(ConsentTerms calldata terms) private view {
        require(isConsentType[terms.typeHash], UnknownConsentType(terms.typeHash));
        require(terms.effect == PERMIT || terms.effect == DENY, InvalidEffect(terms.effect));
        bool ends = terms.effect == DENY || terms.notAfter != NO_END;
        require(terms.notBefore < terms.notAfter && ends, InvalidWindow(terms.notBefore, terms.notAfter));
    }

    /// @dev Whether there is nothing to record. The controller's word replaces a delegate's within its epoch, so that
    /// no delegate keeps a hand on what the controller signed. Refuses a permit that was granted and ended.
    function _stands(ConsentTerms calldata terms, Subject storage entry, Standing storage standing, uint32 delegate)
        private
        view
        returns (bool)
    {
        if (standing.status != Status.GRANTED) return false;
        bool current = terms.epoch == entry.epoch;
        if (delegate == 0 && standing.delegate != 0 && current) return false;
        if (terms.effect == DENY) return true;
        require(current, WrongEpoch(terms.subject, entry.epoch));
        require(_isBacked(terms.subject, standing.delegate), NotDelegate(terms.subject, standing.delegate));
        return true;
    }

    function _isBacked(bytes32 subject, uint32 delegate) private view returns (bool) {
        return delegate == 0 || _holds(subject, delegate);
    }

    function _emitGranted(ConsentTerms calldata terms, bytes32 consentId, uint32 delegate, uint64 seq) private {
        emit ConsentGranted(
            terms.subject,
            consentId,
            terms.typeHash,
            terms.effect,
            terms.scopeHash,
            terms.notBefore,
            terms.notAfter,
            terms.epoch,
            delegate,
            seq
        );
    }
}
