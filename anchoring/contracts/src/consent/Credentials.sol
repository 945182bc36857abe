// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ISubjects} from "../interfaces/ISubjects.sol";
import {Subjects} from "./Subjects.sol";

/// @notice By which actors a patient signs in. A link holds under the control that made it, and no longer.
abstract contract Credentials is Subjects {
    /// @dev `control` is the subject's when it was linked, plus one; 0 while it is not.
    mapping(bytes32 subject => mapping(bytes32 actor => uint64 control)) private _linked;

    bytes32 private constant CREDENTIAL_TYPEHASH =
        keccak256("Credential(bytes32 subject,bytes32 actor,bool linked,uint64 nonce)");

    /// @inheritdoc ISubjects
    function setCredential(
        bytes32 subject,
        bytes32 actor,
        bool linked,
        bytes calldata signature,
        bytes calldata actorSignature
    ) external {
        // Check
        Subject storage entry = _controlled(subject);
        if (isCredential(subject, actor) == linked) return;
        bytes32 digest =
            _hashTypedDataV4(keccak256(abi.encode(CREDENTIAL_TYPEHASH, subject, actor, linked, entry.nonce)));
        (bytes memory key,,, bool removed) = identity.actorState(actor);
        bool leaves = !linked && identity.validSignature(key, digest, actorSignature);
        if (!leaves) {
            _requireFree(subject, entry);
            _requireController(subject, entry, digest, signature);
        }
        if (linked) {
            require(key.length != 0 && !removed, InvalidCredential(actor));
            _requireSigned(key, digest, actorSignature);
        }

        // Effect
        _linked[subject][actor] = linked ? entry.control + 1 : 0;
        ++entry.nonce;
        emit CredentialSet(subject, actor, linked, ++entry.seq);
    }

    /// @inheritdoc ISubjects
    function isCredential(bytes32 subject, bytes32 actor) public view returns (bool) {
        return _linked[subject][actor] == _subjects[subject].control + 1;
    }
}
