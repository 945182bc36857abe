// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ISubjects} from "../interfaces/ISubjects.sol";
import {Subjects} from "./Subjects.sol";

/// @notice The end of a subject, and what gateways certify to have destroyed.
abstract contract Erasures is Subjects {
    struct Certificate {
        bytes32 digest;
        bool isFinal;
    }

    bytes32 private constant ERASURE_TYPEHASH = keccak256("Erasure(bytes32 subject,uint64 epoch)");

    mapping(bytes32 subject => mapping(bytes32 gateway => Certificate)) private _certificates;

    /// @inheritdoc ISubjects
    function erase(bytes32 subject, bytes calldata signature) external {
        // Check
        Subject storage entry = _subjects[subject];
        if (entry.erased) return;
        _requireFree(subject, entry);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(ERASURE_TYPEHASH, subject, entry.epoch)));
        if (entry.custodian == 0) {
            _requireController(subject, entry, digest, signature);
        } else {
            (bytes memory key,,, bool removed) = identity.actorState(entry.custodian);
            bool signed = !removed && identity.validSignature(key, digest, signature);
            require(signed, NotSignedByController(subject, digest));
        }

        // Effect
        entry.erased = true;
        uint64 epoch = ++entry.epoch;
        emit SubjectErased(subject, epoch, ++entry.seq);
    }

    /// @inheritdoc ISubjects
    function certifyErasure(bytes32 subject, bytes32 gateway, bytes32 certificate, bool isFinal) external {
        // Check
        require(msg.sender == identity.gatewayOwner(gateway), NotGatewayOwner(gateway, msg.sender));
        require(_subjects[subject].erased, NotErased(subject));
        Certificate storage last = _certificates[subject][gateway];
        if (last.digest == certificate && last.isFinal == isFinal) return;
        require(!last.isFinal, CertificateFinal(subject, gateway));

        // Effect
        (last.digest, last.isFinal) = (certificate, isFinal);
        emit ErasureCertified(subject, gateway, certificate, isFinal);
    }

    /// @inheritdoc ISubjects
    function isErased(bytes32 subject) external view returns (bool) {
        return _subjects[subject].erased;
    }

    /// @inheritdoc ISubjects
    function erasureCertificate(bytes32 subject, bytes32 gateway)
        external
        view
        returns (bytes32 certificate, bool isFinal)
    {
        Certificate storage last = _certificates[subject][gateway];
        return (last.digest, last.isFinal);
    }
}
