// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IIdentityRegistry} from "../interfaces/IIdentityRegistry.sol";
import {IStudies} from "../interfaces/IStudies.sol";
import {ITrialRegistry} from "../interfaces/ITrialRegistry.sol";

/// @notice How a study begins, and who may do what in it; the other rooms stand on this one.
abstract contract Studies is ITrialRegistry, EIP712 {
    bytes32 private constant STUDY_TYPEHASH =
        keccak256("Study(bytes32 sponsor,bytes32 salt,bytes32 gateway,bytes32 statistician)");
    bytes32 private constant ENROLMENT_TYPEHASH =
        keccak256("Enrolment(bytes32 study,uint32 version,bytes32 allocation)");

    /// @inheritdoc IStudies
    IIdentityRegistry public immutable identity;

    /// @dev Eight slots; known once it has a sponsor. An assignment reads 3 to 5, data 3, 5 and 6.
    mapping(bytes32 study => Study) internal _studies;

    constructor(IIdentityRegistry identity_) EIP712("Consentry", "1") {
        identity = identity_;
    }

    /// @inheritdoc IStudies
    function openStudy(
        bytes32 sponsor,
        bytes32 salt,
        bytes32 gateway,
        bytes32 statistician,
        address recorder,
        bytes calldata signature
    ) external returns (bytes32 study) {
        // Check
        _requireGatewayOwner(gateway);
        require(recorder != address(0), InvalidRecorder());
        study = keccak256(abi.encode(sponsor, salt));
        Study storage entry = _studies[study];
        if (entry.sponsor != 0) {
            bool same = entry.gateway == gateway && entry.statistician == statistician && entry.recorder == recorder;
            require(same, StudyTaken(study));
            return study;
        }
        _requireSigned(sponsor, keccak256(abi.encode(STUDY_TYPEHASH, sponsor, salt, gateway, statistician)), signature);

        // Effect
        (entry.sponsor, entry.gateway, entry.statistician) = (sponsor, gateway, statistician);
        entry.recorder = recorder;
        emit StudyOpened(study, gateway, sponsor, statistician, recorder);
    }

    /// @inheritdoc IStudies
    function setRecorder(bytes32 study, address recorder) external {
        // Check
        Study storage entry = _studies[study];
        _requireGatewayOwner(entry.gateway);
        require(recorder != address(0), InvalidRecorder());
        if (entry.recorder == recorder) return;

        // Effect
        entry.recorder = recorder;
        emit RecorderSet(study, recorder);
    }

    /// @inheritdoc IStudies
    function openEnrolment(bytes32 study, uint32 version, bytes32 allocation, bytes calldata signature) external {
        // Check
        Study storage entry = _known(study);
        if (entry.enrolledAt != 0) {
            require(entry.enrolledUnder == version && entry.allocation == allocation, EnrolmentIsOpen(study));
            return;
        }
        require(version != 0 && version == entry.versions, WrongNumber(study, entry.versions));
        require(allocation == entry.allocation, WrongAllocation(study, entry.allocation));
        _requireSponsor(entry, keccak256(abi.encode(ENROLMENT_TYPEHASH, study, version, allocation)), signature);

        // Effect
        entry.enrolledAt = SafeCast.toUint48(block.number);
        entry.enrolledUnder = version;
        emit EnrolmentOpened(study, version, allocation);
    }

    /// @inheritdoc IStudies
    function studyOf(bytes32 study) external view returns (Study memory) {
        return _studies[study];
    }

    function _known(bytes32 study) internal view returns (Study storage entry) {
        entry = _studies[study];
        require(entry.sponsor != 0, NoStudy(study));
    }

    /// @dev The study, if the caller records for it.
    function _recorded(bytes32 study) internal view returns (Study storage entry) {
        entry = _studies[study];
        require(msg.sender == entry.recorder, NotRecorder(study, msg.sender));
    }

    /// @dev Whether subjects are assigned and data taken now.
    function _requireUnderWay(bytes32 study, Study storage entry) internal view {
        require(entry.enrolledAt != 0, EnrolmentNotOpen(study));
        _requireUnlocked(study, entry);
        require(!entry.frozen, StudyFrozen(study));
    }

    function _requireUnlocked(bytes32 study, Study storage entry) internal view {
        require(entry.lockedAt == 0, StudyLocked(study));
    }

    function _requireSponsor(Study storage entry, bytes32 structHash, bytes calldata signature) internal view {
        _requireSigned(entry.sponsor, structHash, signature);
    }

    function _requireSigned(bytes32 actor, bytes32 structHash, bytes calldata signature) internal view {
        bytes32 digest = _hashTypedDataV4(structHash);
        (bytes memory key,,, bool removed) = identity.actorState(actor);
        require(!removed && identity.validSignature(key, digest, signature), NotSigned(actor, digest));
    }

    function _requireGatewayOwner(bytes32 gateway) private view {
        require(msg.sender == identity.gatewayOwner(gateway), NotGatewayOwner(gateway, msg.sender));
    }
}
