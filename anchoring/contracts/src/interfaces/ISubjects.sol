// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IIdentityRegistry} from "./IIdentityRegistry.sol";

/// @title Patients: who controls a subject, and who helps when a key is lost
/// @notice A registrar's enroller opens a subject and ends its custody; from then on only the controller's signature
/// passes control on, or enough guardians after a delay. `seq` counts every event of a subject after its enrolment,
/// certificates apart; `epoch` counts RevokeAll, changes of control and erasure; `control` counts changes of control
/// alone, and every delegate and credential ends with it. What already stands as asked is success without an event.
/// @dev EIP-712 domain: name "Consentry", version "1", this chain, the consent registry. In place of a signature the
/// controller may itself be the caller, with an empty one.
interface ISubjects {
    /// @notice Where it is asked who is who; fixed.
    function identity() external view returns (IIdentityRegistry);

    // Control

    /// @notice A subject was enrolled, under its controller or in custody.
    event SubjectEnrolled(
        bytes32 indexed subject, bytes32 indexed custodian, address indexed enroller, bytes controller
    );
    /// @notice A subject in custody got its controller.
    event CustodyEnded(bytes32 indexed subject, bytes controller, uint64 control, uint64 seq);
    /// @notice Control passed on, by the controller's own signature or by a finished recovery.
    event ControllerChanged(bytes32 indexed subject, bytes controller, uint64 control, uint64 seq);

    /// @notice The caller enrols for no registrar.
    error NotEnroller(address caller);
    /// @notice The zero id names nobody.
    error InvalidSubject();
    /// @notice The subject is enrolled with other values.
    error SubjectTaken(bytes32 subject);
    /// @notice A subject without a controller needs a registered custodian, one with a controller has none.
    error InvalidCustodian(bytes32 custodian);
    /// @notice The subject is unknown or has a controller.
    error NotInCustody(bytes32 subject);
    /// @notice The subject is unknown or in custody.
    error NoController(bytes32 subject);
    /// @notice The subject was erased.
    error SubjectGone(bytes32 subject);
    /// @notice Neither a nonzero 20-byte address nor an allowed verifier with a key of at most 1,024 bytes in all.
    error InvalidSigner(bytes signer);
    /// @notice The one who has to sign `digest` has not.
    error NotSigned(bytes32 digest);
    /// @notice The subject's present controller neither signed `digest` nor is the caller.
    error NotSignedByController(bytes32 subject, bytes32 digest);

    /// @notice Enrols a new subject. Enrollers only. An empty controller puts it in the custody of an organization.
    function enrol(bytes32 subject, bytes calldata controller, bytes32 custodian) external;

    /// @notice Ends custody. Enrollers only; the controller-to-be signs
    /// `Custody(bytes32 subject,bytes controller)`.
    function endCustody(bytes32 subject, bytes calldata controller, bytes calldata controllerSignature) external;

    /// @notice Hands a subject over. Both the present and the next controller sign
    /// `ControllerChange(bytes32 subject,bytes controller,uint64 control)` with the present `control`; the next one so
    /// that nobody is locked out by a mistyped key. Refused while a recovery is pending.
    function changeController(
        bytes32 subject,
        bytes calldata controller,
        bytes calldata signature,
        bytes calldata controllerSignature
    ) external;

    /// @notice The subject's controller; empty in custody or if unknown.
    function controllerOf(bytes32 subject) external view returns (bytes memory);

    /// @notice The organization that has the subject in custody; zero if none.
    function custodianOf(bytes32 subject) external view returns (bytes32);

    /// @notice Whether the subject is enrolled.
    function isSubject(bytes32 subject) external view returns (bool);

    /// @notice What the next signatures must name: how often control changed; the nonce of credentials, delegates and
    /// guardians (each takes one, and so does a change of control); the number of the next recovery.
    function controlState(bytes32 subject) external view returns (uint64 control, uint64 nonce, uint64 attempt);

    /// @notice A subject's epoch and sequence; both 0 for an unknown one.
    function subjectState(bytes32 subject) external view returns (uint64 epoch, uint64 seq);

    /// @notice `subjectState` of up to 256 subjects, in their order.
    function subjectStates(bytes32[] calldata subjects)
        external
        view
        returns (uint64[] memory epochs, uint64[] memory seqs);

    /// @notice More subjects than one call may ask about.
    error TooManySubjects(uint256 count);

    // Credentials

    /// @notice An actor is from now on, or no longer, the patient when it signs in.
    event CredentialSet(bytes32 indexed subject, bytes32 indexed actor, bool linked, uint64 seq);

    /// @notice The actor is not registered, or removed.
    error InvalidCredential(bytes32 actor);

    /// @notice Links or unlinks an actor by which the patient signs in. Controller and actor both sign
    /// `Credential(bytes32 subject,bytes32 actor,bool linked,uint64 nonce)`, so that nobody is bound to a subject that
    /// they do not know; either alone unlinks, the controller not while a recovery is pending.
    function setCredential(
        bytes32 subject,
        bytes32 actor,
        bool linked,
        bytes calldata signature,
        bytes calldata actorSignature
    ) external;

    /// @notice Whether the present controller has linked the actor.
    function isCredential(bytes32 subject, bytes32 actor) external view returns (bool);

    // Delegates

    /// @notice A delegate may grant within limits that the salted hash `limits` commits to, and revoke what they signed.
    event DelegateAdded(
        bytes32 indexed subject, uint32 number, bytes delegate, bytes32 limits, uint64 notAfter, uint64 seq
    );
    /// @notice A delegate may no more, and permits that they signed are no longer in force.
    event DelegateRemoved(bytes32 indexed subject, uint32 number, uint64 seq);

    /// @notice There is no such delegate, or no longer.
    error NotDelegate(bytes32 subject, uint32 number);

    /// @notice Adds a delegate; the controller signs
    /// `Delegation(bytes32 subject,bytes delegate,bytes32 limits,uint64 notAfter,uint64 nonce)`. Numbers count from 1
    /// and never come back.
    /// @param delegate ERC-7913 signer.
    /// @param notAfter Unix time, seconds; the delegation holds before it.
    function addDelegate(
        bytes32 subject,
        bytes calldata delegate,
        bytes32 limits,
        uint64 notAfter,
        bytes calldata signature
    ) external returns (uint32 number);

    /// @notice Ends a delegation, for good. The controller or the delegate signs
    /// `DelegationEnd(bytes32 subject,uint32 number)`.
    function removeDelegate(bytes32 subject, uint32 number, bytes calldata signature) external;

    /// @notice A delegate as added, and whether the delegation holds now; empty for an unknown number.
    function delegateOf(bytes32 subject, uint32 number)
        external
        view
        returns (bytes memory delegate, bytes32 limits, uint64 notAfter, bool holds);

    // Guardians and recovery

    /// @notice Who the guardians are: shown only when they act.
    /// @param signers ERC-7913 signers, at most 16, none twice.
    /// @param threshold How many of them propose a recovery.
    struct Guardianship {
        bytes[] signers;
        uint32 threshold;
        bytes32 salt;
    }

    /// @notice A registrar who saw the patient in person. Zero where there is none.
    /// @param signature The registrar's key over `Attestation(bytes32 subject,bytes controller,uint64 attempt)`.
    struct Attestation {
        bytes32 registrar;
        bytes signature;
    }

    /// @notice What guardians propose. They and the next controller sign
    /// `Recovery(bytes32 subject,bytes controller,uint64 attempt,uint64 notAfter)`.
    /// @param notAfter Unix time, seconds; the signatures are good before it.
    /// @param who Places of the signing guardians in the guardianship, ascending.
    struct Proposal {
        bytes controller;
        uint64 notAfter;
        Guardianship guardianship;
        uint32[] who;
        bytes[] signatures;
        bytes controllerSignature;
        Attestation attestation;
    }

    /// @notice Guardians were named: keccak256(abi.encode(signers, threshold, salt)). They hold from `effectiveAt` on;
    /// until then, and if a recovery is proposed before it, those before them.
    event GuardiansSet(bytes32 indexed subject, bytes32 guardians, uint64 effectiveAt, uint64 seq);
    /// @notice Guardians proposed a controller. No permit is taken until this is finished or objected to.
    event RecoveryProposed(bytes32 indexed subject, bytes controller, uint64 readyAt, bool unstoppable, uint64 seq);
    /// @notice The controller objected, which it can once until a recovery was finished.
    event RecoveryObjected(bytes32 indexed subject, uint64 seq);

    /// @notice A delay is between a second and a year.
    error InvalidDelay(uint64 delay);
    /// @notice A recovery is pending: the present controller only revokes.
    error RecoveryPending(bytes32 subject);
    /// @notice No recovery is pending.
    error NoRecovery(bytes32 subject);
    /// @notice The pending recovery cannot be objected to (any more).
    error Unstoppable(bytes32 subject);
    /// @notice The recovery can be finished from `readyAt` on.
    error NotReady(bytes32 subject, uint64 readyAt);
    /// @notice The signatures were good before `notAfter`.
    error ProposalExpired(bytes32 subject, uint64 notAfter);
    /// @notice Not the subject's guardians, or a guardianship that cannot be used.
    error InvalidGuardianship(bytes32 subject);
    /// @notice Too few guardians signed, or one twice, or places out of order.
    error NotEnoughGuardians(bytes32 subject);
    /// @notice The controller has objected: all guardians, or a registrar besides, must sign.
    error AttestationNeeded(bytes32 subject);

    /// @notice Names the guardians; zero for none. The controller signs
    /// `Guardians(bytes32 subject,bytes32 guardians,uint64 nonce)`. The first hold at once, others after the delay.
    function setGuardians(bytes32 subject, bytes32 guardians, bytes calldata signature) external;

    /// @notice Proposes a controller. Anyone may send it. Cancels a replacement of the guardians that is under way.
    function proposeRecovery(bytes32 subject, Proposal calldata proposal) external;

    /// @notice Ends a pending recovery before it is ready. The present controller signs
    /// `Objection(bytes32 subject,uint64 attempt)` with the pending one's number.
    function objectToRecovery(bytes32 subject, bytes calldata signature) external;

    /// @notice Gives control to the proposed controller. Anyone may send it, once it is ready. Names the attempt, so that
    /// no two recoveries' calls are the same.
    function finishRecovery(bytes32 subject, uint64 attempt) external;

    /// @notice Seconds from a proposal to its end, and until other guardians hold; fixed.
    function recoveryDelay() external view returns (uint64);

    /// @notice The guardians that hold now; those that come after them, from `nextAt` on (0 where none do).
    function guardiansOf(bytes32 subject) external view returns (bytes32 guardians, bytes32 next, uint64 nextAt);

    /// @notice The pending recovery (`readyAt` 0 and an empty controller where none is), and whether the one objection
    /// was made.
    function recoveryOf(bytes32 subject)
        external
        view
        returns (bytes memory controller, uint64 readyAt, bool unstoppable, bool objected);

    // Erasure

    /// @notice The subject takes nothing any more but revocations.
    event SubjectErased(bytes32 indexed subject, uint64 epoch, uint64 seq);
    /// @notice A gateway certifies what it destroyed; `isFinal` once the last backup is gone.
    event ErasureCertified(bytes32 indexed subject, bytes32 indexed gateway, bytes32 certificate, bool isFinal);

    /// @notice The caller does not own the gateway, or there is none.
    error NotGatewayOwner(bytes32 gateway, address caller);
    /// @notice The subject was not erased.
    error NotErased(bytes32 subject);
    /// @notice The gateway's last word was said.
    error CertificateFinal(bytes32 subject, bytes32 gateway);

    /// @notice Erases a subject, for good. The controller signs `Erasure(bytes32 subject,uint64 epoch)`; in custody the
    /// custodian's key does. Refused while a recovery is pending.
    function erase(bytes32 subject, bytes calldata signature) external;

    /// @notice Records a gateway's certificate. The gateway's owner only.
    function certifyErasure(bytes32 subject, bytes32 gateway, bytes32 certificate, bool isFinal) external;

    /// @notice Whether the subject was erased.
    function isErased(bytes32 subject) external view returns (bool);

    /// @notice A gateway's certificate; zero if it gave none.
    function erasureCertificate(bytes32 subject, bytes32 gateway)
        external
        view
        returns (bytes32 certificate, bool isFinal);
}
