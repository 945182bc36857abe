// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {IIdentityRegistry} from "../interfaces/IIdentityRegistry.sol";

/// @notice Registrars' accounts, and the one verdict on signatures. The admin's whole power is here: it lets enrollers
/// in or out and adds verifiers, and touches no entry.
abstract contract Signers is IIdentityRegistry, EIP712, Ownable2Step {
    uint256 internal constant MAX_KEY_BYTES = 1024;
    uint256 private constant ADDRESS_BYTES = 20;

    /// @inheritdoc IIdentityRegistry
    mapping(address account => bool enrolling) public isEnroller;
    /// @inheritdoc IIdentityRegistry
    mapping(address verifier => bool allowed) public isVerifier;

    constructor(address admin, address[] memory enrollers, address[] memory verifiers)
        EIP712("Consentry", "1")
        Ownable(admin)
    {
        for (uint256 i = 0; i < enrollers.length; ++i) {
            _setEnroller(enrollers[i], true);
        }
        for (uint256 i = 0; i < verifiers.length; ++i) {
            _allowVerifier(verifiers[i]);
        }
    }

    modifier onlyEnroller() {
        require(isEnroller[msg.sender], NotEnroller(msg.sender));
        _;
    }

    /// @inheritdoc IIdentityRegistry
    function setEnroller(address enroller, bool enrolling) external onlyOwner {
        _setEnroller(enroller, enrolling);
    }

    /// @inheritdoc IIdentityRegistry
    function allowVerifier(address verifier) external onlyOwner {
        _allowVerifier(verifier);
    }

    /// @inheritdoc IIdentityRegistry
    function validSignature(bytes calldata signer, bytes32 digest, bytes calldata signature)
        external
        view
        returns (bool)
    {
        return _signed(signer, digest, signature);
    }

    /// @inheritdoc IIdentityRegistry
    function isSigner(bytes calldata signer) external view returns (bool) {
        return _isSigner(signer);
    }

    /// @dev Anything that is no signer has signed nothing.
    function _signed(bytes memory signer, bytes32 digest, bytes memory signature) internal view returns (bool) {
        return _isSigner(signer) && SignatureChecker.isValidSignatureNow(signer, digest, signature);
    }

    function _requireSigned(bytes memory signer, bytes32 digest, bytes memory signature) internal view {
        require(_signed(signer, digest, signature), NotSigned(digest));
    }

    function _requireSigner(bytes memory signer) internal view {
        require(_isSigner(signer), InvalidSigner(signer));
    }

    function _isSigner(bytes memory signer) private view returns (bool) {
        if (signer.length < ADDRESS_BYTES || signer.length > MAX_KEY_BYTES) return false;
        // forge-lint: disable-next-line(unsafe-typecast) the first 20 bytes are meant
        address account = address(bytes20(signer));
        return signer.length == ADDRESS_BYTES ? account != address(0) : isVerifier[account];
    }

    function _setEnroller(address enroller, bool enrolling) private {
        if (isEnroller[enroller] == enrolling) return;
        isEnroller[enroller] = enrolling;
        emit EnrollerSet(enroller, enrolling);
    }

    function _allowVerifier(address verifier) private {
        require(verifier.code.length != 0, InvalidVerifier(verifier));
        if (isVerifier[verifier]) return;
        isVerifier[verifier] = true;
        emit VerifierAllowed(verifier);
    }
}
