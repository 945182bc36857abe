// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IStudies} from "../interfaces/IStudies.sol";
import {Studies} from "./Studies.sol";

/// @notice What was captured, in an order that shows a gap, up to a lock that nobody undoes.
abstract contract TrialData is Studies {
    /// @dev One slot. Stands once it has a count.
    struct Batch {
        uint64 blockNumber;
        uint32 index;
        uint32 count;
    }

    bytes32 private constant FREEZE_TYPEHASH = keccak256("Freeze(bytes32 study,bool frozen,uint64 seq)");
    bytes32 private constant LOCK_TYPEHASH =
        keccak256("Lock(bytes32 study,bytes32 head,uint64 records,uint32 assigned,uint64 seq)");

    /// @inheritdoc IStudies
    mapping(bytes32 study => mapping(bytes32 root => Batch)) public dataOf;

    /// @inheritdoc IStudies
    function recordData(bytes32 study, bytes32 root, uint32 count) external {
        // Check
        Study storage entry = _recorded(study);
        Batch storage batch = dataOf[study][root];
        if (batch.count != 0) {
            require(batch.count == count, DataTaken(study, root));
            return;
        }
        _requireUnderWay(study, entry);
        require(root != 0 && count != 0, EmptyBatch(study));

        // Effect
        uint32 index = entry.batches;
        bytes32 head = keccak256(abi.encode(entry.head, root, count));
        entry.head = head;
        entry.batches = index + 1;
        entry.records += count;
        (batch.blockNumber, batch.index, batch.count) = (uint64(block.number), index, count);
        emit DataRecorded(study, index, root, count, head);
    }

    /// @inheritdoc IStudies
    function setFrozen(bytes32 study, bool frozen, uint64 seq, bytes calldata signature) external {
        // Check
        Study storage entry = _known(study);
        if (seq != 0 && seq == entry.seq && frozen == entry.frozen) return;
        _requireUnlocked(study, entry);
        require(seq == entry.seq + 1, WrongSeq(study, entry.seq + 1));
        _requireSponsor(entry, keccak256(abi.encode(FREEZE_TYPEHASH, study, frozen, seq)), signature);

        // Effect
        (entry.frozen, entry.seq) = (frozen, seq);
        emit FreezeSet(study, frozen, seq);
    }

    /// @inheritdoc IStudies
    function lock(bytes32 study, bytes32 head, uint64 records, uint32 assigned, uint64 seq, bytes calldata signature)
        external
    {
        // Check
        Study storage entry = _known(study);
        bool same = entry.head == head && entry.records == records && entry.assigned == assigned;
        if (entry.lockedAt != 0) {
            require(same && seq == entry.seq + 1, StudyLocked(study));
            return;
        }
        require(entry.enrolledAt != 0, EnrolmentNotOpen(study));
        require(seq == entry.seq + 1, WrongSeq(study, entry.seq + 1));
        require(same, WrongData(study, entry.head, entry.records, entry.assigned));
        bytes32 structHash = keccak256(abi.encode(LOCK_TYPEHASH, study, head, records, assigned, seq));
        _requireSponsor(entry, structHash, signature);

        // Effect
        entry.lockedAt = SafeCast.toUint48(block.number);
        emit DataLocked(study, head, records, assigned);
    }
}
