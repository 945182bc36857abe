// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {ITrialRegistry} from "../interfaces/ITrialRegistry.sol";
import {Studies} from "./Studies.sol";

/// @notice Who got which place of a list that nobody could change, in an order that nobody could choose.
abstract contract Allocations is Studies {
    /// @dev Two slots. Stands once it has a block.
    struct Assignment {
        bytes32 arm;
        uint32 stratum;
        uint32 position;
        uint32 unblindings;
        uint64 blockNumber;
    }

    /// @dev Stands once it has a reason.
    struct Unblinding {
        bytes32 reason;
        uint64 blockNumber;
    }

    uint256 private constant MAX_PROOF = 32;

    bytes32 private constant ALLOCATION_TYPEHASH =
        keccak256("Allocation(bytes32 study,bytes32 root,uint32 size,bytes32 by)");
    bytes32 private constant UNBLINDING_TYPEHASH =
        keccak256("Unblinding(bytes32 study,bytes32 subject,bytes32 reason,bytes32 by)");

    /// @inheritdoc ITrialRegistry
    mapping(bytes32 study => mapping(uint32 stratum => uint32 position)) public nextPosition;
    /// @inheritdoc ITrialRegistry
    mapping(bytes32 study => mapping(bytes32 subject => Assignment)) public assignmentOf;
    /// @inheritdoc ITrialRegistry
    mapping(bytes32 study => mapping(bytes32 subject => mapping(bytes32 by => Unblinding))) public unblindingOf;

    /// @inheritdoc ITrialRegistry
    function commitAllocation(bytes32 study, bytes32 root, uint32 size, bytes32 by, bytes calldata signature) external {
        // Check
        Study storage entry = _known(study);
        if (entry.allocation != 0) {
            require(entry.allocation == root && entry.size == size, AllocationTaken(study));
            return;
        }
        require(entry.enrolledAt == 0, EnrolmentIsOpen(study));
        require(root != 0 && size != 0, InvalidAllocation(study));
        require(by == entry.sponsor || by == entry.statistician, NotAllocator(study, by));
        _requireSigned(by, keccak256(abi.encode(ALLOCATION_TYPEHASH, study, root, size, by)), signature);

        // Effect
        (entry.allocation, entry.size) = (root, size);
        emit AllocationCommitted(study, root, size, by);
    }

    /// @inheritdoc ITrialRegistry
    function assign(bytes32 study, bytes32 subject, Place calldata place, bytes32[] calldata proof) external {
        // Check
        Study storage entry = _recorded(study);
        Assignment storage own = assignmentOf[study][subject];
        if (own.blockNumber != 0) {
            bool same = own.stratum == place.stratum && own.position == place.position && own.arm == place.arm;
            require(same, AssignmentTaken(study, subject));
            return;
        }
        _requireUnderWay(study, entry);
        require(subject != 0, InvalidDigest(study));
        require(entry.assigned < entry.size, AllocationExhausted(study));
        uint32 next = nextPosition[study][place.stratum];
        require(place.position == next, WrongPosition(study, place.stratum, next));
        require(_isAllocated(entry.allocation, place, proof), NotAllocated(study, place.stratum, next));

        // Effect
        nextPosition[study][place.stratum] = next + 1;
        ++entry.assigned;
        own.arm = place.arm;
        (own.stratum, own.position, own.blockNumber) = (place.stratum, next, uint64(block.number));
        emit SubjectAssigned(study, subject, place.stratum, next, place.arm);
    }

    /// @inheritdoc ITrialRegistry
    function recordUnblinding(bytes32 study, bytes32 subject, bytes32 reason, bytes32 by, bytes calldata signature)
        external
    {
        // Check
        Study storage entry = _recorded(study);
        Unblinding storage told = unblindingOf[study][subject][by];
        if (told.reason != 0) {
            require(told.reason == reason, UnblindingTaken(study, subject, by));
            return;
        }
        _requireUnlocked(study, entry);
        Assignment storage own = assignmentOf[study][subject];
        require(own.blockNumber != 0, NotAssigned(study, subject));
        require(reason != 0, InvalidDigest(study));
        _requireSigned(by, keccak256(abi.encode(UNBLINDING_TYPEHASH, study, subject, reason, by)), signature);

        // Effect
        (told.reason, told.blockNumber) = (reason, uint64(block.number));
        ++own.unblindings;
        ++entry.unblindings;
        emit SubjectUnblinded(study, subject, reason, by);
    }

    function _isAllocated(bytes32 root, Place calldata place, bytes32[] calldata proof) private pure returns (bool) {
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(place.stratum, place.position, place.arm))));
        return proof.length <= MAX_PROOF && MerkleProof.verifyCalldata(proof, root, leaf);
    }
}
