// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IIdentityRegistry} from "./IIdentityRegistry.sol";

/// @title What patients consented to, by their own signature
/// @notice A consent is recorded only as its subject's controller signed it, and ends only by that controller's word.
/// The chain takes the hash of a scope, never the scope. What already stands as asked is success without an event, so a
/// copied or repeated transaction harms nobody.
/// @dev EIP-712 domain: name "Consentry", version "1", this chain, this contract. The digest of a consent is its id and
/// its replay guard; there is no nonce. In place of a signature the controller may itself be the caller, with an empty
/// one. `seq` counts every grant, revocation and epoch change; `epoch` counts RevokeAll and changes of control.
interface IConsentRegistry {
    /// @notice What the controller signs, with the scope as its EIP-712 struct hash.
    /// @param typeHash EIP-712 type hash of a version of
    /// `Consent(bytes32 subject,uint8 effect,Scope scope,uint64 notBefore,uint64 notAfter,uint64 epoch)Scope(...)`.
    /// @param effect 0 permits, 1 denies.
    /// @param notBefore Unix time, seconds; in force from it on.
    /// @param notAfter Unix time, seconds; in force before it. A deny without an end has the highest value.
    /// @param epoch The subject's epoch when it signed.
    struct ConsentTerms {
        bytes32 typeHash;
        bytes32 subject;
        uint8 effect;
        bytes32 scopeHash;
        uint64 notBefore;
        uint64 notAfter;
        uint64 epoch;
    }

    /// @notice Scope, version 1. `ARCHITECTURE.md` says how each list narrows.
    struct Scope {
        bytes32 grantee;
        string[] actions;
        string[] purposes;
        string[] resourceTypes;
        string[] codes;
        string[] labels;
        bytes32[] authors;
        bytes16[] records;
        string dataFrom;
        string dataTo;
        string[] dataUse;
        string context;
        bytes32 termsHash;
        bytes32 salt;
        string statement;
    }

    /// @notice What a contract asks of a consent.
    struct Request {
        bytes32 grantee;
        string action;
        string purpose;
        string resourceType;
    }

    /// @notice What became of a consent id. Revoked is for good, also when the revocation came before its grant.
    enum Status {
        NONE,
        GRANTED,
        REVOKED
    }

    /// @notice A consent was granted.
    event ConsentGranted(
        bytes32 indexed subject,
        bytes32 indexed consentId,
        bytes32 typeHash,
        uint8 effect,
        bytes32 scopeHash,
        uint64 notBefore,
        uint64 notAfter,
        uint64 epoch,
        uint64 seq
    );
    /// @notice A consent was revoked, or barred before its grant.
    event ConsentRevoked(bytes32 indexed subject, bytes32 indexed consentId, uint64 seq);
    /// @notice All permits of the epochs before `epoch` ended; denies stand.
    event AllConsentsRevoked(bytes32 indexed subject, uint64 epoch, uint64 seq);

    /// @notice The subject was erased, for good: it takes no grant any more.
    event SubjectErased(bytes32 indexed subject, uint64 epoch, uint64 seq);
    /// @notice A gateway certifies what it destroyed; `isFinal` once the last backup is gone.
    event ErasureCertified(bytes32 indexed subject, bytes32 indexed gateway, bytes32 certificate, bool isFinal);

    /// @notice The subject was erased.
    error SubjectGone(bytes32 subject);
    /// @notice The subject was not erased.
    error NotErased(bytes32 subject);
    /// @notice The gateway's certificate is final.
    error CertificateFinal(bytes32 subject, bytes32 gateway);
    /// @notice Not one of the type hashes that this registry was made with.
    error UnknownConsentType(bytes32 typeHash);
    /// @notice An effect is 0 (permit) or 1 (deny).
    error InvalidEffect(uint8 effect);
    /// @notice A window begins before it ends, and a permit's has an end.
    error InvalidWindow(uint64 notBefore, uint64 notAfter);
    /// @notice The subject's epoch is `current`.
    error WrongEpoch(bytes32 subject, uint64 current);
    /// @notice The consent was revoked, perhaps before its grant.
    error ConsentBarred(bytes32 subject, bytes32 consentId);
    /// @notice The subject's present controller neither signed `digest` nor is the caller.
    error NotSignedByController(bytes32 subject, bytes32 digest);
    /// @notice More subjects than one call may ask about.
    error TooManySubjects(uint256 count);
    /// @notice A registry knows 1 to 16 type hashes, none of them zero.
    error InvalidConsentTypes();

    /// @notice Where this registry asks who is who; fixed.
    function identity() external view returns (IIdentityRegistry);

    /// @notice Records a consent in its subject's present epoch.
    /// @param signature The controller's over `consentIdOf(terms)`.
    function grant(ConsentTerms calldata terms, bytes calldata signature) external returns (bytes32 consentId);

    /// @notice Revokes a consent, or bars one that was not granted yet. The controller signs
    /// `Revocation(bytes32 subject,bytes32 consentId)`.
    function revoke(bytes32 subject, bytes32 consentId, bytes calldata signature) external;

    /// @notice Ends all permits of the subject, never a deny. The controller signs
    /// `RevokeAll(bytes32 subject,uint64 epoch)` with the present epoch. The same again is success.
    function revokeAll(bytes32 subject, uint64 epoch, bytes calldata signature) external;

    /// @notice Erases a subject, for good. The controller signs `Erasure(bytes32 subject,uint64 epoch)` with the present
    /// epoch; in custody the custodian's key does. The same again is success.
    function erase(bytes32 subject, bytes calldata signature) external;

    /// @notice Records a gateway's certificate. The gateway's owner only.
    function certifyErasure(bytes32 subject, bytes32 gateway, bytes32 certificate, bool isFinal) external;

    /// @notice Whether the subject was erased.
    function isErased(bytes32 subject) external view returns (bool);

    /// @notice A gateway's certificate; zero if it gave none.
    function erasureCertificate(bytes32 subject, bytes32 gateway)
        external
        view
        returns (bytes32 certificate, bool isFinal);

    /// @notice The EIP-712 digest of a consent.
    function consentIdOf(ConsentTerms calldata terms) external view returns (bytes32 consentId);

    /// @notice EIP-712 struct hash of a scope, version 1.
    function scopeHashOf(Scope calldata scope) external pure returns (bytes32 scopeHash);

    /// @notice Whether consents of this EIP-712 type are taken.
    function isConsentType(bytes32 typeHash) external view returns (bool);

    /// @notice A subject's epoch and sequence; both 0 for an unknown one.
    function subjectState(bytes32 subject) external view returns (uint64 epoch, uint64 seq);

    /// @notice `subjectState` of up to 256 subjects, in their order.
    function subjectStates(bytes32[] calldata subjects)
        external
        view
        returns (uint64[] memory epochs, uint64[] memory seqs);

    /// @notice What was recorded of a consent; the terms are zero where only a revocation was.
    function consentState(bytes32 subject, bytes32 consentId)
        external
        view
        returns (Status status, uint8 effect, uint64 notBefore, uint64 notAfter, uint64 epoch);

    /// @notice Whether the consent is granted, not revoked, within its window by the block's time, and, a permit, of the
    /// subject's present epoch.
    function inForce(bytes32 subject, bytes32 consentId) external view returns (bool);

    /// @notice Whether a permit is in force and its scope names the grantee (itself, its organization, or anyone), the
    /// action, the purpose, and the resource type (or leaves types open).
    /// @dev Necessary, not sufficient: a scope's codes, labels, authors, records, data period and data use are for the
    /// reader of the record to check, and a deny of the same subject overrides. False for a deny, for another version
    /// of scope and for lists of more than 256 items.
    function covers(ConsentTerms calldata terms, Scope calldata scope, Request calldata request)
        external
        view
        returns (bool);
}
