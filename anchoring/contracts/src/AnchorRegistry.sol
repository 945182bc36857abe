// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IAnchorRegistry} from "./interfaces/IAnchorRegistry.sol";
import {IIdentityRegistry} from "./interfaces/IIdentityRegistry.sol";

/// @title Logs of Merkle roots
/// @notice `IAnchorRegistry` says what holds.
contract AnchorRegistry is IAnchorRegistry {
    /// @dev Three slots; an anchoring writes the last two. Open once it has an anchorer.
    struct Log {
        bytes32 gateway;
        bytes32 head;
        address anchorer;
        uint48 batches;
        uint48 leaves;
    }

    struct Anchoring {
        uint64 blockNumber;
        uint64 index;
    }

    uint256 private constant MAX_PROOF = 64;

    /// @inheritdoc IAnchorRegistry
    IIdentityRegistry public immutable identity;

    mapping(bytes32 log => Log) private _logs;
    /// @inheritdoc IAnchorRegistry
    mapping(bytes32 log => mapping(bytes32 root => Anchoring)) public anchoredAt;

    constructor(IIdentityRegistry identity_) {
        identity = identity_;
    }

    /// @inheritdoc IAnchorRegistry
    function openLog(bytes32 gateway, bytes32 writer, bytes32 kind, address anchorer) external returns (bytes32 log) {
        // Check
        _requireGatewayOwner(gateway);
        require(anchorer != address(0), InvalidAnchorer());
        log = keccak256(abi.encode(gateway, writer, kind));
        Log storage entry = _logs[log];
        if (entry.anchorer != address(0)) {
            require(entry.anchorer == anchorer, LogTaken(log));
            return log;
        }

        // Effect
        entry.gateway = gateway;
        entry.anchorer = anchorer;
        emit LogOpened(log, gateway, writer, kind, anchorer);
    }

    /// @inheritdoc IAnchorRegistry
    function setAnchorer(bytes32 log, address anchorer) external {
        // Check
        Log storage entry = _logs[log];
        _requireGatewayOwner(entry.gateway);
        require(anchorer != address(0), InvalidAnchorer());
        if (entry.anchorer == anchorer) return;

        // Effect
        entry.anchorer = anchorer;
        emit AnchorerSet(log, anchorer);
    }

    /// @inheritdoc IAnchorRegistry
    function anchor(bytes32 log, bytes32 root, bytes32 manifestDigest, uint64 count) external {
        // Check
        Log storage entry = _logs[log];
        require(msg.sender == entry.anchorer, NotAnchorer(log, msg.sender));
        require(root != 0 && count != 0, EmptyBatch(log));
        require(anchoredAt[log][root].blockNumber == 0, AlreadyAnchored(log, root));

        // Effect
        uint48 index = entry.batches;
        bytes32 head = keccak256(abi.encode(entry.head, root, manifestDigest, count));
        entry.head = head;
        entry.batches = index + 1;
        entry.leaves = SafeCast.toUint48(uint256(entry.leaves) + count);
        anchoredAt[log][root] = Anchoring({blockNumber: uint64(block.number), index: index});
        emit Anchored(log, index, root, manifestDigest, count, head);
    }

    /// @inheritdoc IAnchorRegistry
    function logState(bytes32 log)
        external
        view
        returns (bytes32 head, uint64 batches, uint64 leaves, address anchorer)
    {
        Log storage entry = _logs[log];
        return (entry.head, entry.batches, entry.leaves, entry.anchorer);
    }

    /// @inheritdoc IAnchorRegistry
    function verify(bytes32 log, bytes32 root, bytes32 leaf, bytes32[] calldata proof) external view returns (bool) {
        if (anchoredAt[log][root].blockNumber == 0 || proof.length > MAX_PROOF) return false;
        return MerkleProof.verifyCalldata(proof, root, leaf);
    }

    function _requireGatewayOwner(bytes32 gateway) private view {
        require(msg.sender == identity.gatewayOwner(gateway), NotGatewayOwner(gateway, msg.sender));
    }
}
