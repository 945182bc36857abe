// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IIdentityRegistry} from "../interfaces/IIdentityRegistry.sol";
import {Actors} from "./Actors.sol";

/// @notice Patients. A registrar enrols one and ends custody; control over a subject that has a controller passes on
/// only by that controller's signature.
abstract contract Subjects is Actors {
    /// @dev Enrolled once it has either a controller or a custodian; never both.
    struct Subject {
        bytes controller;
        bytes32 custodian;
        uint64 controllerSeq;
    }

    bytes32 private constant CUSTODY_TYPEHASH = keccak256("Custody(bytes32 subject,bytes controller)");
    bytes32 private constant CONTROLLER_CHANGE_TYPEHASH =
        keccak256("ControllerChange(bytes32 subject,bytes controller,uint64 seq)");

    mapping(bytes32 subject => Subject) private _subjects;

    /// @inheritdoc IIdentityRegistry
    function enrol(bytes32 subject, bytes calldata controller, bytes32 custodian) external onlyEnroller {
        // Check
        require(subject != 0, InvalidSubject());
        Subject storage entry = _subjects[subject];
        if (isSubject(subject)) {
            bool same = keccak256(entry.controller) == keccak256(controller) && entry.custodian == custodian;
            require(same, SubjectTaken(subject));
            return;
        }
        if (controller.length == 0) {
            require(isActor(custodian), InvalidCustodian(custodian));
        } else {
            _requireSigner(controller);
            require(custodian == 0, InvalidCustodian(custodian));
        }

        // Effect
        entry.controller = controller;
        entry.custodian = custodian;
        emit SubjectEnrolled(subject, custodian, msg.sender, controller);
    }

    /// @inheritdoc IIdentityRegistry
    function endCustody(bytes32 subject, bytes calldata controller, bytes calldata controllerSignature)
        external
        onlyEnroller
    {
        // Check
        Subject storage entry = _subjects[subject];
        require(entry.custodian != 0, NotInCustody(subject));
        _requireSigner(controller);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(CUSTODY_TYPEHASH, subject, keccak256(controller))));
        _requireSigned(controller, digest, controllerSignature);

        // Effect
        entry.custodian = 0;
        entry.controller = controller;
        emit CustodyEnded(subject, controller, ++entry.controllerSeq);
    }

    /// @inheritdoc IIdentityRegistry
    function changeController(
        bytes32 subject,
        bytes calldata controller,
        bytes calldata signature,
        bytes calldata controllerSignature
    ) external {
        // Check
        Subject storage entry = _subjects[subject];
        require(entry.controller.length != 0, NoController(subject));
        if (keccak256(entry.controller) == keccak256(controller)) return;
        _requireSigner(controller);
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(CONTROLLER_CHANGE_TYPEHASH, subject, keccak256(controller), entry.controllerSeq))
        );
        _requireSigned(entry.controller, digest, signature);
        _requireSigned(controller, digest, controllerSignature);

        // Effect
        entry.controller = controller;
        emit ControllerChanged(subject, controller, ++entry.controllerSeq);
    }

    /// @inheritdoc IIdentityRegistry
    function controllerOf(bytes32 subject) external view returns (bytes memory) {
        return _subjects[subject].controller;
    }

    /// @inheritdoc IIdentityRegistry
    function controllerSeq(bytes32 subject) external view returns (uint64) {
        return _subjects[subject].controllerSeq;
    }

    /// @inheritdoc IIdentityRegistry
    function custodianOf(bytes32 subject) external view returns (bytes32) {
        return _subjects[subject].custodian;
    }

    /// @inheritdoc IIdentityRegistry
    function isSubject(bytes32 subject) public view returns (bool) {
        Subject storage entry = _subjects[subject];
        return entry.controller.length != 0 || entry.custodian != 0;
    }

    /// @inheritdoc IIdentityRegistry
    function signedByController(bytes32 subject, bytes32 digest, bytes calldata signature)
        external
        view
        returns (bool)
    {
        return _signed(_subjects[subject].controller, digest, signature);
    }
}
