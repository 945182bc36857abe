// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ISubjects} from "../../src/interfaces/ISubjects.sol";
import {ConsentWorld} from "../consent/ConsentWorld.sol";

/// @notice SUBJECT with what its controller can name: credentials, delegates, and three guardians of whom two propose.
abstract contract SubjectWorld is ConsentWorld {
    uint256 internal constant DELEGATE_KEY = 0xDE;
    uint256 internal constant NEXT_KEY = 0x4E;
    uint256 internal constant REGISTRAR_KEY = 0x4E6;
    uint32 internal constant THRESHOLD = 2;
    uint64 internal constant SIGNED_FOR = 30 days;
    bytes32 internal constant REGISTRAR = keccak256("registrar");
    bytes32 internal constant LIMITS = keccak256("salted limits");
    bytes32 internal constant SALT = keccak256("guardians' salt");

    uint256[3] internal guardianKeys = [uint256(0x6A1), 0x6A2, 0x6A3];

    function _credential(bytes32 actor, bool linked) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("Credential(bytes32 subject,bytes32 actor,bool linked,uint64 nonce)");
        return _consentDigest(abi.encode(typeHash, SUBJECT, actor, linked, _nonce()));
    }

    function _link(bool linked) internal {
        bytes32 digest = _credential(DOCTOR, linked);
        consents.setCredential(SUBJECT, DOCTOR, linked, _sign(CONTROLLER_KEY, digest), _sign(DOCTOR_KEY, digest));
    }

    function _delegation(bytes memory delegate, bytes32 limits, uint64 notAfter) internal view returns (bytes32) {
        bytes32 typeHash =
            keccak256("Delegation(bytes32 subject,bytes delegate,bytes32 limits,uint64 notAfter,uint64 nonce)");
        return _consentDigest(abi.encode(typeHash, SUBJECT, keccak256(delegate), limits, notAfter, _nonce()));
    }

    function _addDelegate(uint256 key) internal returns (uint32) {
        uint64 notAfter = uint64(block.timestamp + 365 days);
        bytes32 digest = _delegation(_account(key), LIMITS, notAfter);
        return consents.addDelegate(SUBJECT, _account(key), LIMITS, notAfter, _sign(CONTROLLER_KEY, digest));
    }

    function _delegationEnd(uint32 number) internal view returns (bytes32) {
        return _consentDigest(abi.encode(keccak256("DelegationEnd(bytes32 subject,uint32 number)"), SUBJECT, number));
    }

    function _removeDelegate(uint32 number) internal {
        consents.removeDelegate(SUBJECT, number, _sign(CONTROLLER_KEY, _delegationEnd(number)));
    }

    function _guardianship() internal view returns (ISubjects.Guardianship memory named) {
        named.signers = new bytes[](3);
        for (uint256 i = 0; i < 3; ++i) {
            named.signers[i] = _account(guardianKeys[i]);
        }
        (named.threshold, named.salt) = (THRESHOLD, SALT);
    }

    function _commitment(ISubjects.Guardianship memory named) internal pure returns (bytes32) {
        return keccak256(abi.encode(named.signers, named.threshold, named.salt));
    }

    function _guardians(bytes32 guardians) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("Guardians(bytes32 subject,bytes32 guardians,uint64 nonce)");
        return _consentDigest(abi.encode(typeHash, SUBJECT, guardians, _nonce()));
    }

    function _setGuardians(bytes32 guardians) internal {
        _setGuardians(guardians, CONTROLLER_KEY);
    }

    function _setGuardians(bytes32 guardians, uint256 key) internal {
        consents.setGuardians(SUBJECT, guardians, _sign(key, _guardians(guardians)));
    }

    function _attempt() internal view returns (uint64 attempt) {
        (,, attempt) = consents.controlState(SUBJECT);
    }

    function _recovery(bytes memory controller, uint64 attempt, uint64 notAfter) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("Recovery(bytes32 subject,bytes controller,uint64 attempt,uint64 notAfter)");
        return _consentDigest(abi.encode(typeHash, SUBJECT, keccak256(controller), attempt, notAfter));
    }

    function _attestation(bytes memory controller, uint64 attempt) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("Attestation(bytes32 subject,bytes controller,uint64 attempt)");
        return _consentDigest(abi.encode(typeHash, SUBJECT, keccak256(controller), attempt));
    }

    function _objection(uint64 attempt) internal view returns (bytes32) {
        return _consentDigest(abi.encode(keccak256("Objection(bytes32 subject,uint64 attempt)"), SUBJECT, attempt));
    }

    /// @dev Signed by the first `count` guardians and by the account of `to`.
    function _proposal(uint256 count, uint256 to) internal view returns (ISubjects.Proposal memory proposal) {
        proposal.controller = _account(to);
        proposal.notAfter = uint64(block.timestamp) + SIGNED_FOR;
        proposal.guardianship = _guardianship();
        bytes32 digest = _recovery(proposal.controller, _attempt(), proposal.notAfter);
        proposal.who = new uint32[](count);
        proposal.signatures = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            proposal.who[i] = uint32(i);
            proposal.signatures[i] = _sign(guardianKeys[i], digest);
        }
        proposal.controllerSignature = _sign(to, digest);
    }

    function _attested(ISubjects.Proposal memory proposal) internal view returns (ISubjects.Proposal memory) {
        bytes memory signature = _sign(REGISTRAR_KEY, _attestation(proposal.controller, _attempt()));
        proposal.attestation = ISubjects.Attestation({registrar: REGISTRAR, signature: signature});
        return proposal;
    }

    function _propose() internal {
        consents.proposeRecovery(SUBJECT, _proposal(THRESHOLD, NEXT_KEY));
    }

    function _object() internal {
        consents.objectToRecovery(SUBJECT, _sign(CONTROLLER_KEY, _objection(_attempt() - 1)));
    }

    function _finish() internal {
        vm.warp(block.timestamp + DELAY);
        consents.finishRecovery(SUBJECT, _attempt() - 1);
    }
}
