// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ISubjects} from "../interfaces/ISubjects.sol";
import {Subjects} from "./Subjects.sol";

/// @notice Guardians, and how they give a subject another controller. A thief with the controller's key has one
/// objection in all, and no way to take the guardians away in less than the delay; guardians fewer than their threshold,
/// and a registrar without them, have nothing.
abstract contract Recoveries is Subjects {
    /// @dev `next` holds from `nextAt` on, which is 0 where there is none.
    struct Guardians {
        bytes32 current;
        bytes32 next;
        uint64 nextAt;
    }

    /// @dev The pending recovery, or what became of the last.
    /// @param attempts Proposals so far: the pending one's number plus one.
    /// @param objected The one objection was made since a recovery was last finished.
    struct Recovery {
        bytes controller;
        uint64 readyAt;
        uint64 attempts;
        bool unstoppable;
        bool objected;
        bool finished;
    }

    uint64 private constant MAX_DELAY = 365 days;
    uint256 private constant MAX_GUARDIANS = 16;
    /// @dev Of an actor's roles in the identity registry.
    uint32 private constant REGISTRAR = 1;

    bytes32 private constant GUARDIANS_TYPEHASH =
        keccak256("Guardians(bytes32 subject,bytes32 guardians,uint64 nonce)");
    bytes32 private constant RECOVERY_TYPEHASH =
        keccak256("Recovery(bytes32 subject,bytes controller,uint64 attempt,uint64 notAfter)");
    bytes32 private constant ATTESTATION_TYPEHASH =
        keccak256("Attestation(bytes32 subject,bytes controller,uint64 attempt)");
    bytes32 private constant OBJECTION_TYPEHASH = keccak256("Objection(bytes32 subject,uint64 attempt)");

    /// @inheritdoc ISubjects
    uint64 public immutable recoveryDelay;

    mapping(bytes32 subject => Guardians) private _guardians;
    mapping(bytes32 subject => Recovery) private _recoveries;

    constructor(uint64 recoveryDelay_) {
        require(recoveryDelay_ != 0 && recoveryDelay_ <= MAX_DELAY, InvalidDelay(recoveryDelay_));
        recoveryDelay = recoveryDelay_;
    }

    /// @inheritdoc ISubjects
    function setGuardians(bytes32 subject, bytes32 guardians, bytes calldata signature) external {
        // Check
        Subject storage entry = _controlled(subject);
        (bytes32 current, bytes32 next, uint64 nextAt) = guardiansOf(subject);
        if (guardians == (nextAt == 0 ? current : next)) return;
        _requireFree(subject, entry);
        bytes32 structHash = keccak256(abi.encode(GUARDIANS_TYPEHASH, subject, guardians, entry.nonce));
        _requireController(subject, entry, _hashTypedDataV4(structHash), signature);

        // Effect
        bool atOnce = current == 0 || guardians == current;
        uint64 effectiveAt = uint64(block.timestamp) + (atOnce ? 0 : recoveryDelay);
        _guardians[subject] =
            atOnce ? Guardians(guardians, 0, 0) : Guardians({current: current, next: guardians, nextAt: effectiveAt});
        ++entry.nonce;
        emit GuardiansSet(subject, guardians, effectiveAt, ++entry.seq);
    }

    /// @inheritdoc ISubjects
    function proposeRecovery(bytes32 subject, Proposal calldata proposal) external {
        // Check
        Subject storage entry = _controlled(subject);
        Recovery storage recovery = _recoveries[subject];
        if (entry.recovering && keccak256(recovery.controller) == keccak256(proposal.controller)) return;
        _requireFree(subject, entry);
        require(block.timestamp < proposal.notAfter, ProposalExpired(subject, proposal.notAfter));
        (bytes32 guardians,,) = guardiansOf(subject);
        _requireProposal(subject, proposal, guardians, recovery);

        // Effect
        uint64 readyAt = uint64(block.timestamp) + recoveryDelay;
        entry.recovering = true;
        _guardians[subject] = Guardians({current: guardians, next: 0, nextAt: 0});
        (recovery.controller, recovery.readyAt) = (proposal.controller, readyAt);
        (recovery.unstoppable, recovery.finished) = (recovery.objected, false);
        ++recovery.attempts;
        emit RecoveryProposed(subject, proposal.controller, readyAt, recovery.objected, ++entry.seq);
    }

    /// @inheritdoc ISubjects
    function objectToRecovery(bytes32 subject, bytes calldata signature) external {
        // Check
        Subject storage entry = _subjects[subject];
        Recovery storage recovery = _recoveries[subject];
        if (!entry.recovering) {
            require(recovery.objected, NoRecovery(subject));
            return;
        }
        require(!recovery.unstoppable && block.timestamp < recovery.readyAt, Unstoppable(subject));
        bytes32 structHash = keccak256(abi.encode(OBJECTION_TYPEHASH, subject, recovery.attempts - 1));
        _requireController(subject, entry, _hashTypedDataV4(structHash), signature);

        // Effect
        entry.recovering = false;
        recovery.objected = true;
        emit RecoveryObjected(subject, ++entry.seq);
    }

    /// @inheritdoc ISubjects
    function finishRecovery(bytes32 subject, uint64 attempt) external {
        // Check
        Subject storage entry = _subjects[subject];
        Recovery storage recovery = _recoveries[subject];
        require(recovery.attempts != 0 && attempt == recovery.attempts - 1, NoRecovery(subject));
        if (!entry.recovering) {
            require(recovery.finished, NoRecovery(subject));
            return;
        }
        require(block.timestamp >= recovery.readyAt, NotReady(subject, recovery.readyAt));

        // Effect
        entry.recovering = false;
        (recovery.objected, recovery.finished) = (false, true);
        uint64 seq = _passControl(entry, recovery.controller);
        emit ControllerChanged(subject, recovery.controller, entry.control, seq);
    }

    /// @inheritdoc ISubjects
    function recoveryOf(bytes32 subject)
        external
        view
        returns (bytes memory controller, uint64 readyAt, bool unstoppable, bool objected)
    {
        Recovery storage recovery = _recoveries[subject];
        if (!_subjects[subject].recovering) return ("", 0, false, recovery.objected);
        return (recovery.controller, recovery.readyAt, recovery.unstoppable, recovery.objected);
    }

    /// @inheritdoc ISubjects
    function controlState(bytes32 subject) external view returns (uint64 control, uint64 nonce, uint64 attempt) {
        Subject storage entry = _subjects[subject];
        return (entry.control, entry.nonce, _recoveries[subject].attempts);
    }

    /// @inheritdoc ISubjects
    function guardiansOf(bytes32 subject) public view returns (bytes32 guardians, bytes32 next, uint64 nextAt) {
        Guardians storage named = _guardians[subject];
        if (named.nextAt != 0 && block.timestamp >= named.nextAt) return (named.next, 0, 0);
        return (named.current, named.next, named.nextAt);
    }

    /// @dev The next controller and enough guardians signed; after an objection all of them, or a registrar besides.
    function _requireProposal(bytes32 subject, Proposal calldata proposal, bytes32 guardians, Recovery storage recovery)
        private
        view
    {
        bytes32 controllerHash = keccak256(proposal.controller);
        uint64 attempt = recovery.attempts;
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(RECOVERY_TYPEHASH, subject, controllerHash, attempt, proposal.notAfter))
        );
        _requireSigner(proposal.controller);
        _requireSigned(proposal.controller, digest, proposal.controllerSignature);
        bytes32[] memory signed = _requireGuardians(subject, proposal, guardians, digest);
        if (!recovery.objected || signed.length == proposal.guardianship.signers.length) return;
        digest = _hashTypedDataV4(keccak256(abi.encode(ATTESTATION_TYPEHASH, subject, controllerHash, attempt)));
        _requireAttested(subject, proposal.attestation, digest, signed);
    }

    /// @dev Returns the hashes of those who signed, none twice.
    function _requireGuardians(bytes32 subject, Proposal calldata proposal, bytes32 guardians, bytes32 digest)
        private
        view
        returns (bytes32[] memory signed)
    {
        Guardianship calldata all = proposal.guardianship;
        bool known = keccak256(abi.encode(all.signers, all.threshold, all.salt)) == guardians;
        bool usable = all.threshold != 0 && all.signers.length <= MAX_GUARDIANS;
        require(known && usable, InvalidGuardianship(subject));
        uint256 count = proposal.who.length;
        bool enough = count >= all.threshold && count <= all.signers.length && count == proposal.signatures.length;
        require(enough, NotEnoughGuardians(subject));
        signed = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint32 place = proposal.who[i];
            require(place < all.signers.length, NotEnoughGuardians(subject));
            bytes calldata signer = all.signers[place];
            signed[i] = keccak256(signer);
            for (uint256 j = 0; j < i; ++j) {
                require(signed[j] != signed[i], NotEnoughGuardians(subject));
            }
            _requireSigned(signer, digest, proposal.signatures[i]);
        }
    }

    /// @dev By a registered registrar who is not one of the guardians that sign.
    function _requireAttested(
        bytes32 subject,
        Attestation calldata attestation,
        bytes32 digest,
        bytes32[] memory signed
    ) private view {
        (bytes memory key, uint32 roles,, bool removed) = identity.actorState(attestation.registrar);
        require(roles & REGISTRAR != 0 && !removed, AttestationNeeded(subject));
        for (uint256 i = 0; i < signed.length; ++i) {
            require(signed[i] != keccak256(key), AttestationNeeded(subject));
        }
        _requireSigned(key, digest, attestation.signature);
    }
}
