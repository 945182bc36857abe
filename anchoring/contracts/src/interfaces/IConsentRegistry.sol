// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ISubjects} from "./ISubjects.sol";

/// @title What patients consented to, by their own signature
/// @notice A consent is recorded only as its subject's controller or delegate signed it, and ends only by the word of
/// one of the two. The chain takes the hash of a scope, never the scope. Subjects stand here too (`ISubjects`), so that
/// a wallet's grant asks one contract. What already stands as asked is success without an event, so a copied or repeated
/// transaction harms nobody.
/// @dev The digest of a consent is its id and its replay guard; there is no nonce.
interface IConsentRegistry is ISubjects {
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

    /// @notice What became of a consent id. Revoked is for good, also when the revocation came before its grant.
    enum Status {
        NONE,
        GRANTED,
        REVOKED
    }

    /// @notice A consent was granted: by the controller (`delegate` 0) or by that delegate. A controller may sign what a
    /// delegate granted before; then it stands by the controller's word.
    event ConsentGranted(
        bytes32 indexed subject,
        bytes32 indexed consentId,
        bytes32 typeHash,
        uint8 effect,
        bytes32 scopeHash,
        uint64 notBefore,
        uint64 notAfter,
        uint64 epoch,
        uint32 delegate,
        uint64 seq
    );
    /// @notice A consent was revoked, or barred before its grant.
    event ConsentRevoked(bytes32 indexed subject, bytes32 indexed consentId, uint64 seq);
    /// @notice All permits of the epochs before `epoch` ended; denies stand.
    event AllConsentsRevoked(bytes32 indexed subject, uint64 epoch, uint64 seq);

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
    /// @notice A registry knows 1 to 16 type hashes, none of them zero.
    error InvalidConsentTypes();

    /// @notice Records a consent in its subject's present epoch; while a recovery is pending, denies alone.
    /// @param delegate Who signed: 0 the controller, else the delegate of this number.
    /// @param signature Theirs over `consentIdOf(terms)`.
    function grant(ConsentTerms calldata terms, uint32 delegate, bytes calldata signature)
        external
        returns (bytes32 consentId);

    /// @notice Revokes a consent, or bars one that was not granted yet. The controller signs
    /// `Revocation(bytes32 subject,bytes32 consentId)`; so may the delegate who granted it, while they are one.
    function revoke(bytes32 subject, bytes32 consentId, bytes calldata signature) external;

    /// @notice Ends all permits of the subject, never a deny. The controller signs
    /// `RevokeAll(bytes32 subject,uint64 epoch)` with the present epoch. Where that epoch is over already, its permits are.
    function revokeAll(bytes32 subject, uint64 epoch, bytes calldata signature) external;

    /// @notice The EIP-712 digest of a consent.
    function consentIdOf(ConsentTerms calldata terms) external view returns (bytes32 consentId);

    /// @notice Whether consents of this EIP-712 type are taken.
    function isConsentType(bytes32 typeHash) external view returns (bool);

    /// @notice What was recorded of a consent; the terms are zero where only a revocation was.
    function consentState(bytes32 subject, bytes32 consentId)
        external
        view
        returns (Status status, uint8 effect, uint64 notBefore, uint64 notAfter, uint64 epoch, uint32 delegate);

    /// @notice Whether the consent is granted, not revoked, within its window by the block's time, and, a permit, of the
    /// subject's present epoch, and its delegate, if one signed, still is one.
    function inForce(bytes32 subject, bytes32 consentId) external view returns (bool);
}
