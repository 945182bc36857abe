// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IScopeReader} from "./interfaces/IScopeReader.sol";

/// @notice Scope, version 1: its EIP-712 types and hash, and what it names.
library Scopes {
    string private constant SCOPE_TYPE = "Scope(bytes32 grantee,string[] actions,string[] purposes,string[] resourceTypes,"
        "string[] codes,string[] labels,"
        "bytes32[] authors,bytes16[] records,string dataFrom,string dataTo,string[] dataUse,string context,"
        "bytes32 termsHash,bytes32 salt,string statement)";
    bytes32 private constant SCOPE_TYPEHASH = keccak256(bytes(SCOPE_TYPE));

    /// @dev Type hash of the consents whose scope this library hashes.
    bytes32 internal constant CONSENT_TYPEHASH = keccak256(
        bytes.concat(
            "Consent(bytes32 subject,uint8 effect,Scope scope,uint64 notBefore,uint64 notAfter,uint64 epoch)",
            bytes(SCOPE_TYPE)
        )
    );

    uint256 private constant MAX_ITEMS = 256;

    /// @dev EIP-712 hashStruct; a list is the hash of its members' encodings.
    function hash(IScopeReader.Scope calldata scope) internal pure returns (bytes32) {
        bytes memory criteria = abi.encode(
            SCOPE_TYPEHASH,
            scope.grantee,
            _hash(scope.actions),
            _hash(scope.purposes),
            _hash(scope.resourceTypes),
            _hash(scope.codes),
            _hash(scope.labels),
            keccak256(abi.encodePacked(scope.authors)),
            keccak256(abi.encodePacked(scope.records))
        );
        bytes memory terms = abi.encode(
            keccak256(bytes(scope.dataFrom)),
            keccak256(bytes(scope.dataTo)),
            _hash(scope.dataUse),
            keccak256(bytes(scope.context)),
            scope.termsHash,
            scope.salt,
            keccak256(bytes(scope.statement))
        );
        return keccak256(bytes.concat(criteria, terms));
    }

    /// @dev Whether every list is short enough to be walked.
    function isBounded(IScopeReader.Scope calldata scope) internal pure returns (bool) {
        return scope.actions.length <= MAX_ITEMS && scope.purposes.length <= MAX_ITEMS
            && scope.resourceTypes.length <= MAX_ITEMS && scope.codes.length <= MAX_ITEMS
            && scope.labels.length <= MAX_ITEMS && scope.dataUse.length <= MAX_ITEMS
            && scope.authors.length <= MAX_ITEMS && scope.records.length <= MAX_ITEMS;
    }

    /// @dev Actions and purposes name exactly and are never open; no resource type means all.
    function names(IScopeReader.Scope calldata scope, IScopeReader.Request calldata request)
        internal
        pure
        returns (bool)
    {
        return _has(scope.actions, request.action) && _has(scope.purposes, request.purpose)
            && (scope.resourceTypes.length == 0 || _has(scope.resourceTypes, request.resourceType));
    }

    function _has(string[] calldata list, string calldata item) private pure returns (bool) {
        bytes32 wanted = keccak256(bytes(item));
        for (uint256 i = 0; i < list.length; ++i) {
            if (keccak256(bytes(list[i])) == wanted) return true;
        }
        return false;
    }

    function _hash(string[] calldata list) private pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](list.length);
        for (uint256 i = 0; i < list.length; ++i) {
            hashes[i] = keccak256(bytes(list[i]));
        }
        return keccak256(abi.encodePacked(hashes));
    }
}
