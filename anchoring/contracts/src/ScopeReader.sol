// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Scopes} from "./Scopes.sol";
import {IConsentRegistry} from "./interfaces/IConsentRegistry.sol";
import {IIdentityRegistry} from "./interfaces/IIdentityRegistry.sol";
import {IScopeReader} from "./interfaces/IScopeReader.sol";

/// @title What a consent covers, for contracts that are shown its scope
/// @notice `IScopeReader` says what holds. It stands beside the consent registry, whose code has no room left for it.
contract ScopeReader is IScopeReader {
    using Scopes for Scope;

    uint8 private constant PERMIT = 0;

    /// @inheritdoc IScopeReader
    IConsentRegistry public immutable consents;

    constructor(IConsentRegistry consents_) {
        consents = consents_;
    }

    /// @inheritdoc IScopeReader
    function covers(IConsentRegistry.ConsentTerms calldata terms, Scope calldata scope, Request calldata request)
        external
        view
        returns (bool)
    {
        if (terms.effect != PERMIT || terms.typeHash != Scopes.CONSENT_TYPEHASH) return false;
        if (!scope.isBounded() || terms.scopeHash != scope.hash()) return false;
        if (!consents.inForce(terms.subject, consents.consentIdOf(terms))) return false;
        return _isGrantee(scope.grantee, request.grantee) && scope.names(request);
    }

    /// @inheritdoc IScopeReader
    function scopeHashOf(Scope calldata scope) external pure returns (bytes32 scopeHash) {
        return scope.hash();
    }

    function _isGrantee(bytes32 named, bytes32 asking) private view returns (bool) {
        IIdentityRegistry identity = consents.identity();
        if (!identity.isActor(asking)) return false;
        return named == 0 || named == asking || identity.isMember(named, asking);
    }
}
