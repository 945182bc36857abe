// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {Scopes} from "./Scopes.sol";
import {IConsentRegistry} from "./interfaces/IConsentRegistry.sol";
import {IIdentityRegistry} from "./interfaces/IIdentityRegistry.sol";

/// @title What patients consented to, by their own signature
/// @notice `IConsentRegistry` says what holds.
contract ConsentRegistry is IConsentRegistry, EIP712 {
    using Scopes for Scope;

    /// @dev One slot. The scope and the rest of the terms are in the id alone.
    struct Standing {
        Status status;
        uint8 effect;
        uint64 notBefore;
        uint64 notAfter;
        uint64 epoch;
    }

    /// @dev One slot. What the registry counts itself; the identity registry counts changes of control.
    /// @param events Grants, revocations and RevokeAlls.
    /// @param revokeAlls RevokeAlls alone.
    /// @param lastEnded The epoch that the last of them ended.
    struct Tally {
        uint64 events;
        uint64 revokeAlls;
        uint64 lastEnded;
    }

    struct Certificate {
        bytes32 digest;
        bool isFinal;
    }

    uint8 private constant PERMIT = 0;
    uint8 private constant DENY = 1;
    uint64 private constant NO_END = type(uint64).max;
    uint256 private constant MAX_CONSENT_TYPES = 16;
    uint256 private constant MAX_SUBJECTS = 256;

    bytes32 private constant REVOCATION_TYPEHASH = keccak256("Revocation(bytes32 subject,bytes32 consentId)");
    bytes32 private constant REVOKE_ALL_TYPEHASH = keccak256("RevokeAll(bytes32 subject,uint64 epoch)");

    bytes32 private constant ERASURE_TYPEHASH = keccak256("Erasure(bytes32 subject,uint64 epoch)");

    /// @inheritdoc IConsentRegistry
    IIdentityRegistry public immutable identity;
    /// @inheritdoc IConsentRegistry
    mapping(bytes32 typeHash => bool taken) public isConsentType;
    /// @inheritdoc IConsentRegistry
    mapping(bytes32 subject => mapping(bytes32 consentId => Standing)) public consentState;

    /// @inheritdoc IConsentRegistry
    mapping(bytes32 subject => bool erased) public isErased;

    mapping(bytes32 subject => Tally) private _tallies;
    mapping(bytes32 subject => mapping(bytes32 gateway => Certificate)) private _certificates;

    constructor(IIdentityRegistry identity_, bytes32[] memory consentTypeHashes) EIP712("Consentry", "1") {
        identity = identity_;
        uint256 count = consentTypeHashes.length;
        require(count != 0 && count <= MAX_CONSENT_TYPES, InvalidConsentTypes());
        for (uint256 i = 0; i < count; ++i) {
            require(consentTypeHashes[i] != 0, InvalidConsentTypes());
            isConsentType[consentTypeHashes[i]] = true;
        }
    }

    /// @inheritdoc IConsentRegistry
    function grant(ConsentTerms calldata terms, bytes calldata signature) external returns (bytes32 consentId) {
        // Check
        _requireWellFormed(terms);
        require(!isErased[terms.subject], SubjectGone(terms.subject));
        consentId = consentIdOf(terms);
        Standing storage standing = consentState[terms.subject][consentId];
        Status status = standing.status;
        require(status != Status.REVOKED, ConsentBarred(terms.subject, consentId));
        if (status == Status.GRANTED && terms.effect == DENY) return consentId;
        (uint64 epoch, uint64 seq) = subjectState(terms.subject);
        require(terms.epoch == epoch, WrongEpoch(terms.subject, epoch));
        if (status == Status.GRANTED) return consentId;
        _requireController(terms.subject, consentId, signature);

        // Effect
        consentState[terms.subject][consentId] = Standing({
            status: Status.GRANTED,
            effect: terms.effect,
            notBefore: terms.notBefore,
            notAfter: terms.notAfter,
            epoch: terms.epoch
        });
        ++_tallies[terms.subject].events;
        _emitGranted(terms, consentId, seq + 1);
    }

    /// @inheritdoc IConsentRegistry
    function revoke(bytes32 subject, bytes32 consentId, bytes calldata signature) external {
        // Check
        Standing storage standing = consentState[subject][consentId];
        if (standing.status == Status.REVOKED) return;
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(REVOCATION_TYPEHASH, subject, consentId)));
        _requireController(subject, digest, signature);

        // Effect
        standing.status = Status.REVOKED;
        ++_tallies[subject].events;
        (, uint64 seq) = subjectState(subject);
        emit ConsentRevoked(subject, consentId, seq);
    }

    /// @inheritdoc IConsentRegistry
    function revokeAll(bytes32 subject, uint64 epoch, bytes calldata signature) external {
        // Check
        Tally storage tally = _tallies[subject];
        (uint64 current, uint64 seq) = subjectState(subject);
        if (tally.revokeAlls != 0 && tally.lastEnded == epoch) return;
        require(epoch == current, WrongEpoch(subject, current));
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(REVOKE_ALL_TYPEHASH, subject, epoch)));
        _requireController(subject, digest, signature);

        // Effect
        ++tally.events;
        ++tally.revokeAlls;
        tally.lastEnded = epoch;
        emit AllConsentsRevoked(subject, epoch + 1, seq + 1);
    }

    /// @inheritdoc IConsentRegistry
    function erase(bytes32 subject, bytes calldata signature) external {
        // Check
        if (isErased[subject]) return;
        (uint64 epoch, uint64 seq) = subjectState(subject);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(ERASURE_TYPEHASH, subject, epoch)));
        bytes32 custodian = identity.custodianOf(subject);
        if (custodian == 0) {
            _requireController(subject, digest, signature);
        } else {
            (bytes memory key,,, bool removed) = identity.actorState(custodian);
            bool signed = !removed && identity.validSignature(key, digest, signature);
            require(signed, NotSignedByController(subject, digest));
        }

        // Effect
        isErased[subject] = true;
        Tally storage tally = _tallies[subject];
        ++tally.events;
        ++tally.revokeAlls;
        tally.lastEnded = epoch;
        emit SubjectErased(subject, epoch + 1, seq + 1);
    }

    /// @inheritdoc IConsentRegistry
    function certifyErasure(bytes32 subject, bytes32 gateway, bytes32 certificate, bool isFinal) external {
        // Check
        address owner = identity.gatewayOwner(gateway);
        require(msg.sender == owner, IIdentityRegistry.NotGatewayOwner(gateway, msg.sender));
        require(isErased[subject], NotErased(subject));
        Certificate storage last = _certificates[subject][gateway];
        if (last.digest == certificate && last.isFinal == isFinal) return;
        require(!last.isFinal, CertificateFinal(subject, gateway));

        // Effect
        (last.digest, last.isFinal) = (certificate, isFinal);
        emit ErasureCertified(subject, gateway, certificate, isFinal);
    }

    /// @inheritdoc IConsentRegistry
    function erasureCertificate(bytes32 subject, bytes32 gateway)
        external
        view
        returns (bytes32 certificate, bool isFinal)
    {
        Certificate storage last = _certificates[subject][gateway];
        return (last.digest, last.isFinal);
    }

    /// @inheritdoc IConsentRegistry
    function inForce(bytes32 subject, bytes32 consentId) public view returns (bool) {
        Standing memory standing = consentState[subject][consentId];
        if (standing.status != Status.GRANTED) return false;
        if (block.timestamp < standing.notBefore || block.timestamp >= standing.notAfter) return false;
        if (standing.effect == DENY) return true;
        (uint64 epoch,) = subjectState(subject);
        return standing.epoch == epoch;
    }

    /// @inheritdoc IConsentRegistry
    function covers(ConsentTerms calldata terms, Scope calldata scope, Request calldata request)
        external
        view
        returns (bool)
    {
        if (terms.effect != PERMIT || terms.typeHash != Scopes.CONSENT_TYPEHASH) return false;
        if (!scope.isBounded() || terms.scopeHash != scope.hash()) return false;
        if (!inForce(terms.subject, consentIdOf(terms))) return false;
        return _isGrantee(scope.grantee, request.grantee) && scope.names(request);
    }

    /// @inheritdoc IConsentRegistry
    function subjectStates(bytes32[] calldata subjects)
        external
        view
        returns (uint64[] memory epochs, uint64[] memory seqs)
    {
        uint256 count = subjects.length;
        require(count <= MAX_SUBJECTS, TooManySubjects(count));
        epochs = new uint64[](count);
        seqs = new uint64[](count);
        for (uint256 i = 0; i < count; ++i) {
            (epochs[i], seqs[i]) = subjectState(subjects[i]);
        }
    }

    /// @inheritdoc IConsentRegistry
    function subjectState(bytes32 subject) public view returns (uint64 epoch, uint64 seq) {
        Tally memory tally = _tallies[subject];
        uint64 controllerSeq = identity.controllerSeq(subject);
        return (tally.revokeAlls + controllerSeq, tally.events + controllerSeq);
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

    /// @inheritdoc IConsentRegistry
    function scopeHashOf(Scope calldata scope) external pure returns (bytes32 scopeHash) {
        return scope.hash();
    }

    function _requireWellFormed(ConsentTerms calldata terms) private view {
        require(isConsentType[terms.typeHash], UnknownConsentType(terms.typeHash));
        require(terms.effect == PERMIT || terms.effect == DENY, InvalidEffect(terms.effect));
        bool ends = terms.effect == DENY || terms.notAfter != NO_END;
        require(terms.notBefore < terms.notAfter && ends, InvalidWindow(terms.notBefore, terms.notAfter));
    }

    /// @dev An empty signature is tried on a contract wallet too: some keep their approvals on chain.
    function _requireController(bytes32 subject, bytes32 digest, bytes calldata signature) private view {
        if (signature.length == 0 && _isController(subject, msg.sender)) return;
        require(identity.signedByController(subject, digest, signature), NotSignedByController(subject, digest));
    }

    function _isController(bytes32 subject, address account) private view returns (bool) {
        return keccak256(identity.controllerOf(subject)) == keccak256(abi.encodePacked(account));
    }

    function _isGrantee(bytes32 named, bytes32 asking) private view returns (bool) {
        if (!identity.isActor(asking)) return false;
        return named == 0 || named == asking || identity.isMember(named, asking);
    }

    function _emitGranted(ConsentTerms calldata terms, bytes32 consentId, uint64 seq) private {
        emit ConsentGranted(
            terms.subject,
            consentId,
            terms.typeHash,
            terms.effect,
            terms.scopeHash,
            terms.notBefore,
            terms.notAfter,
            terms.epoch,
            seq
        );
    }
}
