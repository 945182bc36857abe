// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IEmergencyRegistry} from "./interfaces/IEmergencyRegistry.sol";
import {IIdentityRegistry} from "./interfaces/IIdentityRegistry.sol";

/// @title Accesses in an emergency
/// @notice `IEmergencyRegistry` says what holds.
contract EmergencyRegistry is IEmergencyRegistry {
    /// @dev Opened once it has an end, closed once it has a review.
    struct Emergency {
        uint64 blockNumber;
        uint64 expiresAt;
        bytes32 review;
    }

    uint256 private constant LONGEST = 24 hours;

    /// @inheritdoc IEmergencyRegistry
    IIdentityRegistry public immutable identity;
    /// @inheritdoc IEmergencyRegistry
    mapping(bytes32 commitment => Emergency) public emergencyState;

    constructor(IIdentityRegistry identity_) {
        identity = identity_;
    }

    modifier onlyEnroller() {
        require(identity.isEnroller(msg.sender), NotEnroller(msg.sender));
        _;
    }

    /// @inheritdoc IEmergencyRegistry
    function openEmergency(bytes32 commitment, uint64 expiresAt) external onlyEnroller {
        // Check
        require(commitment != 0, InvalidCommitment());
        Emergency storage entry = emergencyState[commitment];
        if (entry.expiresAt != 0) {
            require(entry.expiresAt == expiresAt, EmergencyTaken(commitment));
            return;
        }
        require(expiresAt != 0 && expiresAt <= block.timestamp + LONGEST, TooLong(expiresAt));

        // Effect
        (entry.blockNumber, entry.expiresAt) = (uint64(block.number), expiresAt);
        emit EmergencyOpened(commitment, expiresAt);
    }

    /// @inheritdoc IEmergencyRegistry
    function closeEmergency(bytes32 commitment, bytes32 review) external onlyEnroller {
        // Check
        Emergency storage entry = emergencyState[commitment];
        require(entry.expiresAt != 0, NoEmergency(commitment));
        require(review != 0, InvalidCommitment());
        if (entry.review != 0) {
            require(entry.review == review, AlreadyClosed(commitment));
            return;
        }

        // Effect
        entry.review = review;
        emit EmergencyClosed(commitment, review);
    }
}
