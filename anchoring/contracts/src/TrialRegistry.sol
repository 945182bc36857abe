// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IIdentityRegistry} from "./interfaces/IIdentityRegistry.sol";
import {Allocations} from "./trial/Allocations.sol";
import {Documents} from "./trial/Documents.sol";
import {Studies} from "./trial/Studies.sol";
import {TrialData} from "./trial/TrialData.sol";

/// @title Clinical trials, so that none can be told otherwise afterwards
/// @notice One contract of three rooms upon studies: documents, allocations and data. `ITrialRegistry` says what holds.
contract TrialRegistry is Documents, Allocations, TrialData {
    constructor(IIdentityRegistry identity_) Studies(identity_) {}
}
