// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IIdentityRegistry} from "./IIdentityRegistry.sol";

/// @title Accesses in an emergency
/// @notice That one was opened, until when, and how it was reviewed. Who, whom and why are behind the salted
/// commitment. An opening that reaches the chain after its end is taken too: a dead chain hinders no emergency.
interface IEmergencyRegistry {
    /// @notice An emergency access was opened.
    event EmergencyOpened(bytes32 indexed commitment, uint64 expiresAt);
    /// @notice A reviewer closed one; `review` commits to what they found.
    event EmergencyClosed(bytes32 indexed commitment, bytes32 review);

    /// @notice The caller enrols for no registrar.
    error NotEnroller(address caller);
    /// @notice Zero commits to nothing.
    error InvalidCommitment();
    /// @notice An emergency lasts at most 24 hours.
    error TooLong(uint64 expiresAt);
    /// @notice This one was opened with another end.
    error EmergencyTaken(bytes32 commitment);
    /// @notice None was opened with this commitment.
    error NoEmergency(bytes32 commitment);
    /// @notice It was closed with another review.
    error AlreadyClosed(bytes32 commitment);

    /// @notice Where it is asked who enrols; fixed.
    function identity() external view returns (IIdentityRegistry);

    /// @notice Records an opening. Enrollers only; the same again is success without an event.
    /// @param expiresAt Unix time, seconds; not 0, at most 24 hours ahead.
    function openEmergency(bytes32 commitment, uint64 expiresAt) external;

    /// @notice Records the review, not zero. Enrollers only; the same again is success without an event.
    function closeEmergency(bytes32 commitment, bytes32 review) external;

    /// @notice An emergency's block, end and review; all zero for an unknown one, the last while it is open.
    function emergencyState(bytes32 commitment)
        external
        view
        returns (uint64 blockNumber, uint64 expiresAt, bytes32 review);
}
