// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IIdentityRegistry} from "./IIdentityRegistry.sol";

/// @title Logs of Merkle roots
/// @notice Each log is one writer's of one gateway, and takes roots from its anchorer only. A rolling head makes a gap
/// or a reordering show. The registry knows nothing of what the leaves are.
interface IAnchorRegistry {
    /// @notice A gateway opened a log.
    event LogOpened(
        bytes32 indexed log, bytes32 indexed gateway, bytes32 indexed writer, bytes32 kind, address anchorer
    );
    /// @notice A log takes roots from another account from now on.
    event AnchorerSet(bytes32 indexed log, address anchorer);
    /// @notice A batch was anchored; `index` counts a log's batches from 0, `head` is the log's after it.
    event Anchored(
        bytes32 indexed log, uint64 indexed index, bytes32 root, bytes32 manifestDigest, uint64 count, bytes32 head
    );

    /// @notice The caller does not own the log's gateway, or there is no such gateway or log.
    error NotGatewayOwner(bytes32 gateway, address caller);
    /// @notice The zero account anchors nothing.
    error InvalidAnchorer();
    /// @notice The log is open with another anchorer.
    error LogTaken(bytes32 log);
    /// @notice The caller does not anchor this log, or there is none.
    error NotAnchorer(bytes32 log, address caller);
    /// @notice A batch has a nonzero root and at least one leaf.
    error EmptyBatch(bytes32 log);
    /// @notice The log holds this root.
    error AlreadyAnchored(bytes32 log, bytes32 root);

    /// @notice Where this registry asks who is who; fixed.
    function identity() external view returns (IIdentityRegistry);

    /// @notice Opens a log, named keccak256(abi.encode(gateway, writer, kind)). The gateway's owner only. The same
    /// again is success without an event.
    function openLog(bytes32 gateway, bytes32 writer, bytes32 kind, address anchorer) external returns (bytes32 log);

    /// @notice Gives a log another anchorer. The gateway's owner only.
    function setAnchorer(bytes32 log, address anchorer) external;

    /// @notice Anchors a batch of `count` leaves. The log's anchorer only.
    /// @dev head = keccak256(abi.encode(head, root, manifestDigest, count)), from zero.
    function anchor(bytes32 log, bytes32 root, bytes32 manifestDigest, uint64 count) external;

    /// @notice A log's head, how many batches and leaves it holds, and its anchorer; all zero for an unknown one.
    function logState(bytes32 log) external view returns (bytes32 head, uint64 batches, uint64 leaves, address anchorer);

    /// @notice The block and index of a root in a log; block 0 if it holds none such.
    function anchoredAt(bytes32 log, bytes32 root) external view returns (uint64 blockNumber, uint64 index);

    /// @notice Whether the log holds the root and the proof (sorted pairs, at most 64) leads from the leaf to it.
    /// @param leaf Double-hashed, as OpenZeppelin's StandardMerkleTree does.
    function verify(bytes32 log, bytes32 root, bytes32 leaf, bytes32[] calldata proof) external view returns (bool);
}
