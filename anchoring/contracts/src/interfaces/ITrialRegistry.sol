// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IStudies} from "./IStudies.sol";

/// @title Clinical trials, so that none can be told otherwise afterwards
/// @notice What was planned stands before the first subject; who gets which arm follows a list that was fixed before;
/// data stop at a lock, and results come after it. Studies and their data stand here too (`IStudies`). Everything is
/// digests, salted commitments and random names: nothing here is personal.
interface ITrialRegistry is IStudies {
    /// @notice Why somebody signed (21 CFR 11.50(a)(3)); VERIFIED: compared with the source.
    enum Meaning {
        AUTHORED,
        REVIEWED,
        APPROVED,
        RESPONSIBLE,
        VERIFIED
    }

    /// @notice A place in the list of allocations.
    /// @param position Counts a stratum's places from 0.
    /// @param arm Commits to the arm.
    struct Place {
        uint32 stratum;
        uint32 position;
        bytes32 arm;
    }

    // Documents

    /// @notice A version of the protocol stands, for good.
    event ProtocolRecorded(bytes32 indexed study, uint32 number, bytes32 content, bytes32 reason);
    /// @notice Results were published.
    event ResultsPublished(bytes32 indexed study, uint32 number, bytes32 content);
    /// @notice An actor signed a document or data of a study.
    event SignatureRecorded(
        bytes32 indexed study, bytes32 indexed content, Meaning meaning, bytes32 signer, uint64 signedAt
    );

    /// @notice Another version of the protocol has this number.
    error ProtocolTaken(bytes32 study, uint32 number);
    /// @notice An amendment has a reason, the first version none.
    error InvalidReason(bytes32 study, uint32 number);
    /// @notice Results come after the lock.
    error StudyNotLocked(bytes32 study);
    /// @notice Other results have this number.
    error ResultsTaken(bytes32 study, uint32 number);
    /// @notice A signature has a time, at most ten minutes ahead of the block's.
    error InvalidTime(uint64 signedAt);
    /// @notice The signer signed this with this meaning at another time.
    error SignatureTaken(bytes32 study, bytes32 content, bytes32 signer);

    /// @notice Records a version of the protocol; none after the lock. The sponsor signs
    /// `ProtocolVersion(bytes32 study,uint32 number,bytes32 content,bytes32 reason)`.
    /// @param number From 1, without a gap.
    /// @param content Digest of protocol, endpoints and analysis plan, not zero.
    /// @param reason Digest of why it was amended; zero for the first version alone.
    function recordProtocol(bytes32 study, uint32 number, bytes32 content, bytes32 reason, bytes calldata signature)
        external;

    /// @notice Publishes results; none before the lock. The sponsor signs
    /// `Results(bytes32 study,uint32 number,bytes32 content)`.
    /// @param number From 1, without a gap.
    /// @param content Their digest, not zero.
    function publishResults(bytes32 study, uint32 number, bytes32 content, bytes calldata signature) external;

    /// @notice Records an actor's signature, before the lock and after. The actor signs
    /// `TrialSignature(bytes32 study,bytes32 content,uint8 meaning,bytes32 signer,uint64 signedAt)`. Once for each content,
    /// meaning and signer.
    /// @param content Digest of what is signed, not zero.
    /// @param signedAt When the signer says to have signed: Unix time, seconds.
    function recordSignature(
        bytes32 study,
        bytes32 content,
        Meaning meaning,
        bytes32 signer,
        uint64 signedAt,
        bytes calldata signature
    ) external;

    /// @notice A version of the protocol, its block and that block's time; all zero for none.
    function protocolOf(bytes32 study, uint32 number)
        external
        view
        returns (bytes32 content, bytes32 reason, uint64 blockNumber, uint64 recordedAt);

    /// @notice Results, their block and that block's time; all zero for none.
    function resultsOf(bytes32 study, uint32 number)
        external
        view
        returns (bytes32 content, uint64 blockNumber, uint64 recordedAt);

    /// @notice When an actor says to have signed, and the block that has the signature; both zero for none.
    function signatureOf(bytes32 study, bytes32 content, Meaning meaning, bytes32 signer)
        external
        view
        returns (uint64 signedAt, uint64 blockNumber);

    // Allocation

    /// @notice The list of allocations is fixed, for good.
    event AllocationCommitted(bytes32 indexed study, bytes32 root, uint32 size, bytes32 by);
    /// @notice A subject got a place in the list.
    event SubjectAssigned(bytes32 indexed study, bytes32 indexed subject, uint32 stratum, uint32 position, bytes32 arm);
    /// @notice A subject's arm was told to an actor in an emergency.
    event SubjectUnblinded(bytes32 indexed study, bytes32 indexed subject, bytes32 reason, bytes32 by);

    /// @notice Neither the study's sponsor nor its statistician.
    error NotAllocator(bytes32 study, bytes32 actor);
    /// @notice A list has a root and is for at least one subject.
    error InvalidAllocation(bytes32 study);
    /// @notice Another list stands.
    error AllocationTaken(bytes32 study);
    /// @notice As many subjects are assigned as the list is for; none, if there is no list.
    error AllocationExhausted(bytes32 study);
    /// @notice The subject has another place.
    error AssignmentTaken(bytes32 study, bytes32 subject);
    /// @notice The stratum's next position is `expected`: none is passed over.
    error WrongPosition(bytes32 study, uint32 stratum, uint32 expected);
    /// @notice The proof does not lead from this place to the list's root.
    error NotAllocated(bytes32 study, uint32 stratum, uint32 position);
    /// @notice The subject has no place in the list.
    error NotAssigned(bytes32 study, bytes32 subject);
    /// @notice The actor was told this subject's arm before, for another reason.
    error UnblindingTaken(bytes32 study, bytes32 subject, bytes32 by);

    /// @notice Fixes the list of allocations, before enrolment opens. The sponsor or the statistician signs
    /// `Allocation(bytes32 study,bytes32 root,uint32 size,bytes32 by)`.
    /// @param root Of OpenZeppelin's StandardMerkleTree over (uint32 stratum, uint32 position, bytes32 arm).
    /// @param size For how many subjects, not 0.
    /// @param by Who signs.
    function commitAllocation(bytes32 study, bytes32 root, uint32 size, bytes32 by, bytes calldata signature) external;

    /// @notice Gives a subject the next place of a stratum. The recorder only, while enrolment is open and nothing frozen
    /// or locked.
    /// @param subject Salted commitment to the subject, not zero.
    /// @param proof Sorted pairs, at most 32.
    function assign(bytes32 study, bytes32 subject, Place calldata place, bytes32[] calldata proof) external;

    /// @notice Records that a subject's arm was told to an actor in an emergency, frozen or not, not after the lock. The
    /// recorder only; the actor signs `Unblinding(bytes32 study,bytes32 subject,bytes32 reason,bytes32 by)`.
    /// @param reason Digest of why, not zero.
    /// @param by Who was told. The first reason stands: they know it from then on.
    function recordUnblinding(bytes32 study, bytes32 subject, bytes32 reason, bytes32 by, bytes calldata signature)
        external;

    /// @notice The position that a stratum's next subject gets; all before it are taken.
    function nextPosition(bytes32 study, uint32 stratum) external view returns (uint32 position);

    /// @notice A subject's place, how often its arm was told, and the block of its assignment; all zero for none.
    function assignmentOf(bytes32 study, bytes32 subject)
        external
        view
        returns (bytes32 arm, uint32 stratum, uint32 position, uint32 unblindings, uint64 blockNumber);

    /// @notice Why an actor was told a subject's arm, and the block that has it; both zero for never.
    function unblindingOf(bytes32 study, bytes32 subject, bytes32 by)
        external
        view
        returns (bytes32 reason, uint64 blockNumber);
}
