// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {IConsentRegistry} from "../interfaces/IConsentRegistry.sol";
import {IIdentityRegistry} from "../interfaces/IIdentityRegistry.sol";
import {ISubjects} from "../interfaces/ISubjects.sol";

/// @notice Patients and who controls them. A registrar enrols one and ends custody; control over a subject that has a
/// controller passes on only by that controller's signature, or by a recovery.
abstract contract Subjects is IConsentRegistry, EIP712 {
    /// @dev Enrolled once it has a controller or a custodian; never both. The first slot is all that a grant, a
    /// revocation and a RevokeAll of a wallet touch; a wallet makes it nonzero from the enrolment on.
    /// @param wallet The controller, if it is an account; else zero, and `key` holds it.
    struct Subject {
        address wallet;
        uint32 epoch;
        uint32 seq;
        bool recovering;
        bool erased;
        uint64 control;
        uint64 nonce;
        bytes32 custodian;
        bytes key;
    }

    uint256 private constant ADDRESS_BYTES = 20;
    uint256 private constant MAX_SUBJECTS = 256;

    bytes32 private constant CUSTODY_TYPEHASH = keccak256("Custody(bytes32 subject,bytes controller)");
    bytes32 private constant CONTROLLER_CHANGE_TYPEHASH =
        keccak256("ControllerChange(bytes32 subject,bytes controller,uint64 control)");

    /// @inheritdoc ISubjects
    IIdentityRegistry public immutable identity;

    mapping(bytes32 subject => Subject) internal _subjects;

    constructor(IIdentityRegistry identity_) EIP712("Consentry", "1") {
        identity = identity_;
    }

    modifier onlyEnroller() {
        require(identity.isEnroller(msg.sender), NotEnroller(msg.sender));
        _;
    }

    /// @inheritdoc ISubjects
    function enrol(bytes32 subject, bytes calldata controller, bytes32 custodian) external onlyEnroller {
        // Check
        require(subject != 0, InvalidSubject());
        Subject storage entry = _subjects[subject];
        if (isSubject(subject)) {
            bool same = keccak256(_controller(entry)) == keccak256(controller) && entry.custodian == custodian;
            require(same, SubjectTaken(subject));
            return;
        }
        if (controller.length == 0) {
            require(identity.isActor(custodian), InvalidCustodian(custodian));
        } else {
            _requireSigner(controller);
            require(custodian == 0, InvalidCustodian(custodian));
        }

        // Effect
        _setController(entry, controller);
        entry.custodian = custodian;
        emit SubjectEnrolled(subject, custodian, msg.sender, controller);
    }

    /// @inheritdoc ISubjects
    function endCustody(bytes32 subject, bytes calldata controller, bytes calldata controllerSignature)
        external
        onlyEnroller
    {
        // Check
        Subject storage entry = _subjects[subject];
        require(entry.custodian != 0, NotInCustody(subject));
        require(!entry.erased, SubjectGone(subject));
        _requireSigner(controller);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(CUSTODY_TYPEHASH, subject, keccak256(controller))));
        _requireSigned(controller, digest, controllerSignature);

        // Effect
        entry.custodian = 0;
        uint64 seq = _passControl(entry, controller);
        emit CustodyEnded(subject, controller, entry.control, seq);
    }

    /// @inheritdoc ISubjects
    function changeController(
        bytes32 subject,
        bytes calldata controller,
        bytes calldata signature,
        bytes calldata controllerSignature
    ) external {
        // Check
        Subject storage entry = _controlled(subject);
        if (keccak256(_controller(entry)) == keccak256(controller)) return;
        _requireFree(subject, entry);
        _requireSigner(controller);
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(CONTROLLER_CHANGE_TYPEHASH, subject, keccak256(controller), entry.control))
        );
        _requireController(subject, entry, digest, signature);
        _requireSigned(controller, digest, controllerSignature);

        // Effect
        uint64 seq = _passControl(entry, controller);
        emit ControllerChanged(subject, controller, entry.control, seq);
    }

    /// @inheritdoc ISubjects
    function controllerOf(bytes32 subject) external view returns (bytes memory) {
        return _controller(_subjects[subject]);
    }

    /// @inheritdoc ISubjects
    function custodianOf(bytes32 subject) external view returns (bytes32) {
        return _subjects[subject].custodian;
    }

    /// @inheritdoc ISubjects
    function subjectStates(bytes32[] calldata subjects)
        external
        view
        returns (uint64[] memory epochs, uint64[] memory seqs)
    {
        uint256 count = subjects.length;
        require(count <= MAX_SUBJECTS, TooManySubjects(count));
        epochs = new uint64[](count);
        seqs = new uint64[](count);
        for (uint256 i = 0; i < count; ++i) {
            (epochs[i], seqs[i]) = subjectState(subjects[i]);
        }
    }

    /// @inheritdoc ISubjects
    function subjectState(bytes32 subject) public view returns (uint64 epoch, uint64 seq) {
        Subject storage entry = _subjects[subject];
        return (entry.epoch, entry.seq);
    }

    /// @inheritdoc ISubjects
    function isSubject(bytes32 subject) public view returns (bool) {
        Subject storage entry = _subjects[subject];
        return _hasController(entry) || entry.custodian != 0;
    }

    /// @dev Ends the epoch, every delegation and every credential. Returns the new seq.
    function _passControl(Subject storage entry, bytes memory controller) internal returns (uint64 seq) {
        _setController(entry, controller);
        ++entry.control;
        ++entry.nonce;
        ++entry.epoch;
        return ++entry.seq;
    }

    /// @dev A subject that has a controller and was not erased.
    function _controlled(bytes32 subject) internal view returns (Subject storage entry) {
        entry = _subjects[subject];
        require(_hasController(entry), NoController(subject));
    }

    function _requireFree(bytes32 subject, Subject storage entry) internal view {
        require(!entry.erased, SubjectGone(subject));
        require(!entry.recovering, RecoveryPending(subject));
    }

    function _requireController(bytes32 subject, Subject storage entry, bytes32 digest, bytes calldata signature)
        internal
        view
    {
        require(_signedByController(entry, digest, signature), NotSignedByController(subject, digest));
    }

    /// @dev A wallet's word needs no other registry. An empty signature is tried on a contract wallet too: some keep
    /// their approvals on chain. False in custody and for an unknown subject.
    function _signedByController(Subject storage entry, bytes32 digest, bytes calldata signature)
        internal
        view
        returns (bool)
    {
        address wallet = entry.wallet;
        if (wallet == address(0)) return identity.validSignature(entry.key, digest, signature);
        if (signature.length == 0 && msg.sender == wallet) return true;
        return SignatureChecker.isValidSignatureNowCalldata(wallet, digest, signature);
    }

    function _requireSigned(bytes memory signer, bytes32 digest, bytes calldata signature) internal view {
        require(identity.validSignature(signer, digest, signature), NotSigned(digest));
    }

    function _requireSigner(bytes calldata signer) internal view {
        require(identity.isSigner(signer), InvalidSigner(signer));
    }

    function _controller(Subject storage entry) internal view returns (bytes memory) {
        return entry.wallet == address(0) ? entry.key : abi.encodePacked(entry.wallet);
    }

    function _hasController(Subject storage entry) private view returns (bool) {
        return entry.wallet != address(0) || entry.key.length != 0;
    }

    function _setController(Subject storage entry, bytes memory controller) private {
        bool isWallet = controller.length == ADDRESS_BYTES;
        // forge-lint: disable-next-line(unsafe-typecast) 20 bytes are an address
        entry.wallet = isWallet ? address(bytes20(controller)) : address(0);
        entry.key = isWallet ? bytes("") : controller;
    }
}
