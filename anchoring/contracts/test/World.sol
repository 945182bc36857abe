// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {AnchorRegistry} from "../src/AnchorRegistry.sol";
import {BudgetLedger} from "../src/BudgetLedger.sol";
import {ConsentRegistry} from "../src/ConsentRegistry.sol";
import {EmergencyRegistry} from "../src/EmergencyRegistry.sol";
import {IdentityRegistry} from "../src/IdentityRegistry.sol";
import {ScopeReader} from "../src/ScopeReader.sol";
import {TrialRegistry} from "../src/TrialRegistry.sol";
import {Vm} from "./Vm.sol";

/// @notice The registries as they are deployed, one enroller, and keys to sign with. Type strings and domain are
/// written out here a second time, so that a slip in the contracts shows.
abstract contract World {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    string internal constant CONSENT_TYPE =
        "Consent(bytes32 subject,uint8 effect,Scope scope,uint64 notBefore,uint64 notAfter,uint64 epoch)Scope(bytes32 grantee,string[] actions,string[] purposes,string[] resourceTypes,string[] codes,string[] labels,bytes32[] authors,bytes16[] records,string dataFrom,string dataTo,string[] dataUse,string context,bytes32 termsHash,bytes32 salt,string statement)";
    bytes32 internal constant SUBJECT = keccak256("subject");
    bytes32 internal constant ORG = keccak256("organization");
    bytes32 internal constant DOCTOR = keccak256("doctor");
    /// @dev Order of the curve's group (SEC 2, section 2.4.2).
    uint256 internal constant P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551;
    uint64 internal constant DELAY = 7 days;
    uint256 internal constant CONTROLLER_KEY = 0xC0;
    uint256 internal constant OTHER_KEY = 0xD0;
    uint256 internal constant ORG_KEY = 0xE0;
    uint256 internal constant DOCTOR_KEY = 0xF0;
    address internal constant ADMIN = address(0xAD);
    address internal constant ENROLLER = address(0xE1);
    address internal constant STRANGER = address(0x57);

    IdentityRegistry internal identity;
    ConsentRegistry internal consents;
    AnchorRegistry internal anchors;
    EmergencyRegistry internal emergencies;
    BudgetLedger internal budgets;
    ScopeReader internal reader;
    TrialRegistry internal trials;
    address internal p256;
    address internal webAuthn;

    function setUp() public virtual {
        vm.warp(1_800_000_000);
        vm.roll(1000);
        p256 = vm.deployCode("abi/ERC7913P256Verifier.json");
        webAuthn = vm.deployCode("abi/ERC7913WebAuthnVerifier.json");
        address[] memory enrollers = new address[](1);
        enrollers[0] = ENROLLER;
        address[] memory verifiers = new address[](2);
        (verifiers[0], verifiers[1]) = (p256, webAuthn);
        identity = new IdentityRegistry(ADMIN, enrollers, verifiers);
        bytes32[] memory types = new bytes32[](1);
        types[0] = keccak256(bytes(CONSENT_TYPE));
        consents = new ConsentRegistry(identity, types, DELAY);
        anchors = new AnchorRegistry(identity);
        emergencies = new EmergencyRegistry(identity);
        budgets = new BudgetLedger(identity);
        reader = new ScopeReader(consents);
        trials = new TrialRegistry(identity);
    }

    function _enrol() internal {
        vm.prank(ENROLLER);
        consents.enrol(SUBJECT, _account(CONTROLLER_KEY), 0);
    }

    function _register(bytes32 actor, uint256 key) internal {
        vm.prank(ENROLLER);
        identity.registerActor(actor, _account(key), 1, keccak256("profile"), "");
    }

    /// @dev A 20-byte signer.
    function _account(uint256 key) internal pure returns (bytes memory) {
        return abi.encodePacked(vm.addr(key));
    }

    function _p256Signer(uint256 key) internal view returns (bytes memory) {
        (uint256 x, uint256 y) = vm.publicKeyP256(key);
        return abi.encodePacked(p256, x, y);
    }

    function _sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev Low-s, as OpenZeppelin's P256 asks.
    function _signP256(uint256 key, bytes32 digest) internal pure returns (bytes32 r, bytes32 s) {
        (r, s) = vm.signP256(key, digest);
        if (uint256(s) > P256_N / 2) s = bytes32(P256_N - uint256(s));
    }

    function _digest(address registry, bytes32 structHash) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Consentry"),
                keccak256("1"),
                block.chainid,
                registry
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    /// @dev A struct's digest in the consent registry's domain.
    function _consentDigest(bytes memory encoded) internal view returns (bytes32) {
        return _digest(address(consents), keccak256(encoded));
    }

    function _controllerChange(bytes memory controller, uint64 control) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("ControllerChange(bytes32 subject,bytes controller,uint64 control)");
        return _consentDigest(abi.encode(typeHash, SUBJECT, keccak256(controller), control));
    }

    /// @dev Hands SUBJECT over to the account of `to`.
    function _handOver(uint256 from, uint256 to) internal {
        bytes memory next = _account(to);
        bytes32 digest = _controllerChange(next, _control());
        consents.changeController(SUBJECT, next, _sign(from, digest), _sign(to, digest));
    }

    function _control() internal view returns (uint64 control) {
        (control,,) = consents.controlState(SUBJECT);
    }

    function _nonce() internal view returns (uint64 nonce) {
        (, nonce,) = consents.controlState(SUBJECT);
    }

    function _assertNoEvent() internal {
        vm.assertEq(vm.getRecordedLogs().length, 0);
    }
}
