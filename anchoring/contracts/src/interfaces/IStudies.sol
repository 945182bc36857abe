// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IIdentityRegistry} from "./IIdentityRegistry.sol";

/// @title Studies: who decides, who records, and what was recorded until the lock
/// @notice The sponsor decides by signature, which anybody may relay; the recorder, an account of the study's gateway,
/// tells what happened. What already stands as asked is success without an event, so a copied or repeated transaction
/// harms nobody.
/// @dev Whoever signs is an actor of the identity registry, not removed, and signs with its present key. EIP-712 domain:
/// name "Consentry", version "1", this chain, this contract. Blocks are numbers of this chain's blocks.
interface IStudies {
    /// @notice A study as it stands; all zero for an unknown one.
    /// @param sponsor The actor whose signature decides.
    /// @param gateway Whose owner appoints the recorder.
    /// @param statistician The actor who may commit the allocation in the sponsor's place; zero if none.
    /// @param recorder The account that alone assigns subjects and records data and unblindings.
    /// @param enrolledAt The block in which enrolment opened; 0 before.
    /// @param lockedAt The block in which the data were locked; 0 before.
    /// @param allocation The root of the list of allocations; zero while there is none.
    /// @param size How many subjects the list is for.
    /// @param assigned How many subjects have their place in the list.
    /// @param unblindings How often an arm was told to somebody in an emergency.
    /// @param batches How many roots of data there are.
    /// @param records How many records those roots are over.
    /// @param frozen Whether nobody is assigned and no data are taken for now.
    /// @param head What all roots of data hash to; zero before the first.
    /// @param versions The number of the newest version of the protocol; 0 before the first.
    /// @param results The number of the newest results; 0 before the first.
    /// @param enrolledUnder The version of the protocol that stood when enrolment opened.
    /// @param seq The number of the last freeze or thaw.
    struct Study {
        bytes32 sponsor;
        bytes32 gateway;
        bytes32 statistician;
        address recorder;
        uint48 enrolledAt;
        uint48 lockedAt;
        bytes32 allocation;
        uint32 size;
        uint32 assigned;
        uint32 unblindings;
        uint32 batches;
        uint64 records;
        bool frozen;
        bytes32 head;
        uint32 versions;
        uint32 results;
        uint32 enrolledUnder;
        uint64 seq;
    }

    /// @notice The study is not known.
    error NoStudy(bytes32 study);
    /// @notice The actor is unknown or removed, or has not signed `digest`.
    error NotSigned(bytes32 actor, bytes32 digest);
    /// @notice Zero commits to nothing.
    error InvalidDigest(bytes32 study);
    /// @notice The next number is `expected`.
    error WrongNumber(bytes32 study, uint32 expected);
    /// @notice The data are locked, for good.
    error StudyLocked(bytes32 study);

    /// @notice Where it is asked who is who; fixed.
    function identity() external view returns (IIdentityRegistry);

    /// @notice All of a study in one answer.
    function studyOf(bytes32 study) external view returns (Study memory);

    // Studies

    /// @notice A gateway opened a study in its sponsor's name.
    event StudyOpened(
        bytes32 indexed study, bytes32 indexed gateway, bytes32 sponsor, bytes32 statistician, address recorder
    );
    /// @notice Another account records from now on.
    event RecorderSet(bytes32 indexed study, address recorder);
    /// @notice Enrolment opened: from now on subjects are assigned and data taken.
    event EnrolmentOpened(bytes32 indexed study, uint32 version, bytes32 allocation);

    /// @notice The caller does not own the study's gateway, or there is no such gateway or study.
    error NotGatewayOwner(bytes32 gateway, address caller);
    /// @notice The zero account records nothing.
    error InvalidRecorder();
    /// @notice The study is open with another gateway, statistician or recorder.
    error StudyTaken(bytes32 study);
    /// @notice The caller does not record for this study, or there is none.
    error NotRecorder(bytes32 study, address caller);
    /// @notice Enrolment is open already: for a list of allocations it is too late, and it opens once.
    error EnrolmentIsOpen(bytes32 study);
    /// @notice Enrolment is not open yet.
    error EnrolmentNotOpen(bytes32 study);
    /// @notice Another list of allocations stands, or none.
    error WrongAllocation(bytes32 study, bytes32 allocation);

    /// @notice Opens a study, named keccak256(abi.encode(sponsor, salt)), so that nobody can take it. The gateway's owner
    /// only; the sponsor signs `Study(bytes32 sponsor,bytes32 salt,bytes32 gateway,bytes32 statistician)`.
    /// @param statistician May commit the allocation in the sponsor's place; zero for nobody.
    /// @param recorder The gateway's account for this study, not 0.
    function openStudy(
        bytes32 sponsor,
        bytes32 salt,
        bytes32 gateway,
        bytes32 statistician,
        address recorder,
        bytes calldata signature
    ) external returns (bytes32 study);

    /// @notice Gives a study another recorder. Its gateway's owner only.
    function setRecorder(bytes32 study, address recorder) external;

    /// @notice Opens enrolment, once. The sponsor signs `Enrolment(bytes32 study,uint32 version,bytes32 allocation)`.
    /// @param version The newest version of the protocol: one must stand.
    /// @param allocation The root of the list of allocations; zero where nothing is allocated, and then never is.
    function openEnrolment(bytes32 study, uint32 version, bytes32 allocation, bytes calldata signature) external;

    // Data

    /// @notice Data were recorded; `index` counts a study's roots from 0, `head` is the study's after it.
    event DataRecorded(bytes32 indexed study, uint32 index, bytes32 root, uint32 count, bytes32 head);
    /// @notice Assignments and data are stopped, or go on.
    event FreezeSet(bytes32 indexed study, bool frozen, uint64 seq);
    /// @notice The data are locked, for good.
    event DataLocked(bytes32 indexed study, bytes32 head, uint64 records, uint32 assigned);

    /// @notice A batch has a nonzero root and at least one record.
    error EmptyBatch(bytes32 study);
    /// @notice The study has this root with another count.
    error DataTaken(bytes32 study, bytes32 root);
    /// @notice Assignments and data are stopped for now.
    error StudyFrozen(bytes32 study);
    /// @notice The next sequence number is `expected`.
    error WrongSeq(bytes32 study, uint64 expected);
    /// @notice The data stand otherwise.
    error WrongData(bytes32 study, bytes32 head, uint64 records, uint32 assigned);

    /// @notice Records data. The recorder only, while enrolment is open and nothing frozen or locked.
    /// @dev head = keccak256(abi.encode(head, root, count)), from zero.
    /// @param root Over `count` records, at least one; a study takes a root once.
    function recordData(bytes32 study, bytes32 root, uint32 count) external;

    /// @notice Stops assignments and data, or lets them go on; not after the lock. The sponsor signs
    /// `Freeze(bytes32 study,bool frozen,uint64 seq)`.
    /// @param seq The last one plus one.
    function setFrozen(bytes32 study, bool frozen, uint64 seq, bytes calldata signature) external;

    /// @notice Locks the data, for good. The sponsor signs
    /// `Lock(bytes32 study,bytes32 head,uint64 records,uint32 assigned,uint64 seq)`.
    /// @param head As it stands, and so `records` and `assigned`.
    /// @param seq That of the next freeze: one that comes before the lock takes back what was signed.
    function lock(bytes32 study, bytes32 head, uint64 records, uint32 assigned, uint64 seq, bytes calldata signature)
        external;

    /// @notice The block of a root, its index and over how many records it is; all zero for none.
    function dataOf(bytes32 study, bytes32 root) external view returns (uint64 blockNumber, uint32 index, uint32 count);
}
