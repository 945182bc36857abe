// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Gateways} from "./identity/Gateways.sol";
import {Memberships} from "./identity/Memberships.sol";
import {Signers} from "./identity/Signers.sol";

/// @title Who is who, by random names and keys
/// @notice One contract of three rooms: gateways, actors and memberships. `IIdentityRegistry` says what holds.
contract IdentityRegistry is Gateways, Memberships {
    /// @param admin May let enrollers in or out and allow verifiers; nothing else.
    /// @param enrollers Relay accounts that act for registrars.
    /// @param verifiers ERC-7913 verifier contracts, deployed before.
    constructor(address admin, address[] memory enrollers, address[] memory verifiers)
        Signers(admin, enrollers, verifiers)
    {}
}
