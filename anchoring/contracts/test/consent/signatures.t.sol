// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";

import {IConsentRegistry} from "../../src/interfaces/IConsentRegistry.sol";
import {ISubjects} from "../../src/interfaces/ISubjects.sol";
import {ConsentWorld} from "./ConsentWorld.sol";

/// @notice A contract wallet that approves digests on chain, with an empty signature.
contract ApprovingWallet is IERC1271 {
    mapping(bytes32 digest => bool) private _approved;

    function approve(bytes32 digest) external {
        _approved[digest] = true;
    }

    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        return _approved[digest] ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}

contract SignaturesTest is ConsentWorld {
    uint256 private constant SECP256K1_N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    IConsentRegistry.ConsentTerms private _asked;
    bytes32 private _id;

    function setUp() public override {
        super.setUp();
        _asked = _terms(PERMIT);
        _id = _consentId(_asked);
    }

    function test_RefusesAHighS() external {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(CONTROLLER_KEY, _id);
        bytes32 highS = bytes32(SECP256K1_N - uint256(s));
        _refuses(abi.encodePacked(r, highS, v == 27 ? 28 : 27));
    }

    function test_RefusesEveryLengthBut65(uint8 length) external {
        vm.assume(length != 65);
        bytes memory signature = new bytes(length);
        bytes memory whole = _sign(CONTROLLER_KEY, _id);
        for (uint256 i = 0; i < length && i < 65; ++i) {
            signature[i] = whole[i];
        }
        _refuses(signature);
    }

    function test_RefusesAVOtherThan27And28(uint8 v) external {
        vm.assume(v != 27 && v != 28);
        (, bytes32 r, bytes32 s) = vm.sign(CONTROLLER_KEY, _id);
        _refuses(abi.encodePacked(r, s, v));
    }

    function test_RefusesAnyFlippedBit(uint16 bit) external {
        bytes memory signature = _sign(CONTROLLER_KEY, _id);
        uint256 position = uint256(bit) % (65 * 8);
        signature[position / 8] ^= bytes1(uint8(1 << (position % 8)));
        _refuses(signature);
    }

    function test_RefusesASignatureForAnotherChain() external {
        bytes memory signature = _sign(CONTROLLER_KEY, _id);
        vm.chainId(block.chainid + 1);
        bytes32 digest = _consentId(_asked);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, digest));
        consents.grant(_asked, 0, signature);
    }

    function test_RefusesASignatureForAnotherRegistry() external {
        bytes32 structHash = keccak256(
            abi.encode(
                _asked.typeHash,
                _asked.subject,
                _asked.effect,
                _asked.scopeHash,
                _asked.notBefore,
                _asked.notAfter,
                _asked.epoch
            )
        );
        _refuses(_sign(CONTROLLER_KEY, _digest(address(identity), structHash)));
    }

    function test_RefusesARevocationAsAGrant() external {
        _refuses(_sign(CONTROLLER_KEY, _revocation(_id)));
    }

    function test_RefusesAWrongSignatureFromTheControllerItself() external {
        bytes memory signature = _sign(OTHER_KEY, _id);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, _id));
        vm.prank(vm.addr(CONTROLLER_KEY));
        consents.grant(_asked, 0, signature);
    }

    function test_TakesWhatAContractWalletApproves() external {
        ApprovingWallet wallet = new ApprovingWallet();
        vm.etch(vm.addr(CONTROLLER_KEY), address(wallet).code);
        ApprovingWallet(vm.addr(CONTROLLER_KEY)).approve(_id);
        _takes("");
    }

    function test_RefusesWhatAContractWalletDoesNotApprove() external {
        vm.etch(vm.addr(CONTROLLER_KEY), address(new ApprovingWallet()).code);
        _refuses(_sign(CONTROLLER_KEY, _id));
    }

    function test_TakesALowSSignatureByP256() external {
        _controlBy(_p256Signer(0x256));
        (bytes32 r, bytes32 s) = _signP256(0x256, _id);
        _takes(abi.encodePacked(r, s));
    }

    function test_RefusesAHighSSignatureByP256() external {
        _controlBy(_p256Signer(0x256));
        (bytes32 r, bytes32 s) = _signP256(0x256, _id);
        _refuses(abi.encodePacked(r, P256_N - uint256(s)));
    }

    function test_RefusesAnotherKeysSignatureByP256() external {
        _controlBy(_p256Signer(0x256));
        (bytes32 r, bytes32 s) = _signP256(0x257, _id);
        _refuses(abi.encodePacked(r, s));
    }

    function test_RefusesATruncatedSignatureByP256(uint8 length) external {
        vm.assume(length < 64);
        _controlBy(_p256Signer(0x256));
        (bytes32 r, bytes32 s) = _signP256(0x256, _id);
        bytes memory whole = abi.encodePacked(r, s);
        bytes memory signature = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            signature[i] = whole[i];
        }
        _refuses(signature);
    }

    function test_TakesAPasskeysAssertion() external {
        _controlBy(_passkey());
        _takes(_assertion(_id, 0x05));
    }

    function test_RefusesAPasskeysAssertionOverAnotherDigest() external {
        _controlBy(_passkey());
        _refuses(_assertion(keccak256("another"), 0x05));
    }

    function test_RefusesAPasskeysAssertionWithoutUserVerification() external {
        _controlBy(_passkey());
        _refuses(_assertion(_id, 0x01));
    }

    function test_RefusesBytesThatAreNoAssertion(bytes calldata noise) external {
        _controlBy(_passkey());
        _refuses(noise);
    }

    function _takes(bytes memory signature) private {
        vm.prank(STRANGER);
        consents.grant(_asked, 0, signature);
        vm.assertTrue(consents.inForce(_asked.subject, _id));
    }

    function _refuses(bytes memory signature) private {
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, _asked.subject, _id));
        vm.prank(STRANGER);
        consents.grant(_asked, 0, signature);
    }

    /// @dev A new subject under this signer, and its terms asked for.
    function _controlBy(bytes memory signer) private {
        _asked.subject = keccak256(signer);
        vm.prank(ENROLLER);
        consents.enrol(_asked.subject, signer, 0);
        _id = _consentId(_asked);
    }

    function _passkey() private view returns (bytes memory) {
        (uint256 x, uint256 y) = vm.publicKeyP256(0x9a55);
        return abi.encodePacked(webAuthn, x, y);
    }

    /// @dev OpenZeppelin's WebAuthnAuth, its members encoded one by one: r, s, where the challenge and the type stand in the
    /// client data, authenticator data, client data.
    /// @param flags 0x01 user present, 0x04 user verified.
    function _assertion(bytes32 digest, uint8 flags) private pure returns (bytes memory) {
        string memory clientData = string.concat(
            '{"type":"webauthn.get","challenge":"',
            Base64.encodeURL(abi.encodePacked(digest)),
            '","origin":"https://consent.example"}'
        );
        bytes memory authenticatorData = abi.encodePacked(sha256("consent.example"), flags, uint32(1));
        bytes32 signed = sha256(abi.encodePacked(authenticatorData, sha256(bytes(clientData))));
        (bytes32 r, bytes32 s) = _signP256(0x9a55, signed);
        return abi.encode(r, s, uint256(23), uint256(1), authenticatorData, clientData);
    }
}
