// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ISubjects} from "../interfaces/ISubjects.sol";
import {Subjects} from "./Subjects.sol";

/// @notice Who else may grant for a patient: a parent, a carer. A delegation holds under the control that made it, until
/// its time or its removal.
abstract contract Delegates is Subjects {
    struct Delegation {
        bytes delegate;
        bytes32 limits;
        uint64 notAfter;
        uint64 control;
        bool removed;
    }

    bytes32 private constant DELEGATION_TYPEHASH =
        keccak256("Delegation(bytes32 subject,bytes delegate,bytes32 limits,uint64 notAfter,uint64 nonce)");
    bytes32 private constant DELEGATION_END_TYPEHASH = keccak256("DelegationEnd(bytes32 subject,uint32 number)");

    mapping(bytes32 subject => mapping(uint32 number => Delegation)) private _delegations;
    mapping(bytes32 subject => uint32 count) private _counts;
    /// @dev The newest number under which the same was asked for, so that a copy is known. `asked` is
    /// keccak256(abi.encode(control, delegate, limits, notAfter)).
    mapping(bytes32 subject => mapping(bytes32 asked => uint32 number)) private _numbers;

    /// @inheritdoc ISubjects
    function addDelegate(
        bytes32 subject,
        bytes calldata delegate,
        bytes32 limits,
        uint64 notAfter,
        bytes calldata signature
    ) external returns (uint32 number) {
        // Check
        Subject storage entry = _controlled(subject);
        bytes32 asked = keccak256(abi.encode(entry.control, delegate, limits, notAfter));
        number = _numbers[subject][asked];
        if (number != 0 && !_delegations[subject][number].removed) return number;
        _requireFree(subject, entry);
        _requireSigner(delegate);
        bytes32 structHash =
            keccak256(abi.encode(DELEGATION_TYPEHASH, subject, keccak256(delegate), limits, notAfter, entry.nonce));
        _requireController(subject, entry, _hashTypedDataV4(structHash), signature);

        // Effect
        number = ++_counts[subject];
        _numbers[subject][asked] = number;
        _delegations[subject][number] = Delegation(delegate, limits, notAfter, entry.control, false);
        ++entry.nonce;
        emit DelegateAdded(subject, number, delegate, limits, notAfter, ++entry.seq);
    }

    /// @inheritdoc ISubjects
    function removeDelegate(bytes32 subject, uint32 number, bytes calldata signature) external {
        // Check
        Subject storage entry = _subjects[subject];
        Delegation storage delegation = _delegations[subject][number];
        require(delegation.delegate.length != 0, NotDelegate(subject, number));
        if (delegation.removed || delegation.control != entry.control) return;
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(DELEGATION_END_TYPEHASH, subject, number)));
        if (!identity.validSignature(delegation.delegate, digest, signature)) {
            _requireController(subject, entry, digest, signature);
        }

        // Effect
        delegation.removed = true;
        emit DelegateRemoved(subject, number, ++entry.seq);
    }

    /// @inheritdoc ISubjects
    function delegateOf(bytes32 subject, uint32 number)
        external
        view
        returns (bytes memory delegate, bytes32 limits, uint64 notAfter, bool holds)
    {
        Delegation storage delegation = _delegations[subject][number];
        return (delegation.delegate, delegation.limits, delegation.notAfter, _holds(subject, number));
    }

    function _signedByDelegate(bytes32 subject, uint32 number, bytes32 digest, bytes calldata signature)
        internal
        view
        returns (bool)
    {
        return _holds(subject, number)
            && identity.validSignature(_delegations[subject][number].delegate, digest, signature);
    }

    function _holds(bytes32 subject, uint32 number) internal view returns (bool) {
        Delegation storage delegation = _delegations[subject][number];
        return !delegation.removed && block.timestamp < delegation.notAfter
            && delegation.control == _subjects[subject].control;
    }
}
