// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IConsentRegistry} from "./IConsentRegistry.sol";

/// @title What a consent covers, for contracts that are shown its scope
/// @notice The consent registry knows hashes of scopes alone; this reads a scope and asks the registry whether the
/// consent to it is in force. It holds nothing and records nothing.
interface IScopeReader {
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

    /// @notice Where it asks what is in force; fixed.
    function consents() external view returns (IConsentRegistry);

    /// @notice EIP-712 struct hash of a scope, version 1.
    function scopeHashOf(Scope calldata scope) external pure returns (bytes32 scopeHash);

    /// @notice Whether a permit is in force and its scope names the grantee (itself, its organization, or anyone), the
    /// action, the purpose, and the resource type (or leaves types open).
    /// @dev Necessary, not sufficient: a scope's codes, labels, authors, records, data period and data use are for the
    /// reader of the record to check, a deny of the same subject overrides, and so do the limits of a delegate who
    /// granted. False for a deny, for another version of scope and for lists of more than 256 items.
    function covers(IConsentRegistry.ConsentTerms calldata terms, Scope calldata scope, Request calldata request)
        external
        view
        returns (bool);
}
