// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ITrialRegistry} from "../interfaces/ITrialRegistry.sol";
import {Studies} from "./Studies.sol";

/// @notice What was planned, what was found, and who put their name to what.
abstract contract Documents is Studies {
    /// @dev Stands once it has content.
    struct Version {
        bytes32 content;
        bytes32 reason;
        uint64 blockNumber;
        uint64 recordedAt;
    }

    struct Result {
        bytes32 content;
        uint64 blockNumber;
        uint64 recordedAt;
    }

    /// @dev Stands once it has a time.
    struct Signature {
        uint64 signedAt;
        uint64 blockNumber;
    }

    bytes32 private constant PROTOCOL_TYPEHASH =
        keccak256("ProtocolVersion(bytes32 study,uint32 number,bytes32 content,bytes32 reason)");
    bytes32 private constant RESULTS_TYPEHASH = keccak256("Results(bytes32 study,uint32 number,bytes32 content)");
    bytes32 private constant SIGNATURE_TYPEHASH =
        keccak256("TrialSignature(bytes32 study,bytes32 content,uint8 meaning,bytes32 signer,uint64 signedAt)");
    /// @dev The signer's clock may be ahead of a block's, which is as old as the block's beginning.
    uint64 private constant AHEAD = 10 minutes;

    /// @inheritdoc ITrialRegistry
    mapping(bytes32 study => mapping(uint32 number => Version)) public protocolOf;
    /// @inheritdoc ITrialRegistry
    mapping(bytes32 study => mapping(uint32 number => Result)) public resultsOf;
    /// @inheritdoc ITrialRegistry
    mapping(
        bytes32 study => mapping(bytes32 content => mapping(Meaning meaning => mapping(bytes32 signer => Signature)))
    ) public signatureOf;

    /// @inheritdoc ITrialRegistry
    function recordProtocol(bytes32 study, uint32 number, bytes32 content, bytes32 reason, bytes calldata signature)
        external
    {
        // Check
        Study storage entry = _known(study);
        Version storage version = protocolOf[study][number];
        if (version.content != 0) {
            require(version.content == content && version.reason == reason, ProtocolTaken(study, number));
            return;
        }
        _requireUnlocked(study, entry);
        require(number == entry.versions + 1, WrongNumber(study, entry.versions + 1));
        require(content != 0, InvalidDigest(study));
        require((reason == 0) == (number == 1), InvalidReason(study, number));
        _requireSponsor(entry, keccak256(abi.encode(PROTOCOL_TYPEHASH, study, number, content, reason)), signature);

        // Effect
        entry.versions = number;
        (version.content, version.reason) = (content, reason);
        (version.blockNumber, version.recordedAt) = (uint64(block.number), uint64(block.timestamp));
        emit ProtocolRecorded(study, number, content, reason);
    }

    /// @inheritdoc ITrialRegistry
    function publishResults(bytes32 study, uint32 number, bytes32 content, bytes calldata signature) external {
        // Check
        Study storage entry = _known(study);
        Result storage result = resultsOf[study][number];
        if (result.content != 0) {
            require(result.content == content, ResultsTaken(study, number));
            return;
        }
        require(entry.lockedAt != 0, StudyNotLocked(study));
        require(number == entry.results + 1, WrongNumber(study, entry.results + 1));
        require(content != 0, InvalidDigest(study));
        _requireSponsor(entry, keccak256(abi.encode(RESULTS_TYPEHASH, study, number, content)), signature);

        // Effect
        entry.results = number;
        result.content = content;
        (result.blockNumber, result.recordedAt) = (uint64(block.number), uint64(block.timestamp));
        emit ResultsPublished(study, number, content);
    }

    /// @inheritdoc ITrialRegistry
    function recordSignature(
        bytes32 study,
        bytes32 content,
        Meaning meaning,
        bytes32 signer,
        uint64 signedAt,
        bytes calldata signature
    ) external {
        // Check
        _known(study);
        Signature storage last = signatureOf[study][content][meaning][signer];
        if (last.signedAt != 0) {
            require(last.signedAt == signedAt, SignatureTaken(study, content, signer));
            return;
        }
        require(content != 0, InvalidDigest(study));
        require(signedAt != 0 && signedAt <= block.timestamp + AHEAD, InvalidTime(signedAt));
        _requireSigned(
            signer, keccak256(abi.encode(SIGNATURE_TYPEHASH, study, content, meaning, signer, signedAt)), signature
        );

        // Effect
        (last.signedAt, last.blockNumber) = (signedAt, uint64(block.number));
        emit SignatureRecorded(study, content, meaning, signer, signedAt);
    }
}
