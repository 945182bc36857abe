// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IIdentityRegistry} from "../../src/interfaces/IIdentityRegistry.sol";
import {World} from "../World.sol";

abstract contract GatewayWorld is World {
    address internal constant OWNER = address(0x6A);
    bytes32 internal constant SALT = keccak256("salt");

    function _register(bytes memory receiptKey) internal returns (bytes32) {
        vm.prank(OWNER);
        return identity.registerGateway(SALT, receiptKey);
    }
}

contract RegisterGatewayTest is GatewayWorld {
    function test_TheSameAgainSucceedsWithoutAnEvent() external {
        bytes32 gateway = _register("first");
        vm.recordLogs();
        vm.assertEq(_register("first"), gateway);
        _assertNoEvent();
    }

    function test_RefusesAnotherKey() external {
        bytes32 gateway = _register("first");
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.GatewayTaken.selector, gateway));
        _register("second");
    }

    function test_RefusesAnEmptyReceiptKey() external {
        bytes32 gateway = keccak256(abi.encode(OWNER, SALT));
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.InvalidReceiptKey.selector, gateway));
        _register("");
    }

    function test_RefusesAReceiptKeyOfOver1024Bytes() external {
        bytes32 gateway = keccak256(abi.encode(OWNER, SALT));
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.InvalidReceiptKey.selector, gateway));
        _register(new bytes(1025));
    }

    function test_RegistersUnderANameThatOnlyTheCallerCanMake(address owner, bytes32 salt) external {
        vm.assume(owner != address(0) && owner != STRANGER);
        bytes32 gateway = keccak256(abi.encode(owner, salt));
        vm.prank(STRANGER);
        vm.assertTrue(identity.registerGateway(salt, "first") != gateway);
        vm.expectEmit(address(identity));
        emit IIdentityRegistry.GatewayRegistered(gateway, owner, salt, "first");
        vm.prank(owner);
        vm.assertEq(identity.registerGateway(salt, "first"), gateway);
        vm.assertEq(identity.gatewayOwner(gateway), owner);
        vm.assertEq(identity.receiptKeySince(gateway, keccak256("first")), block.number);
    }
}

contract SetReceiptKeyTest is GatewayWorld {
    bytes32 private _gateway;

    function setUp() public override {
        super.setUp();
        _gateway = _register("first");
    }

    function test_RefusesAnyoneButTheOwner(address caller) external {
        vm.assume(caller != OWNER);
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.NotGatewayOwner.selector, _gateway, caller));
        vm.prank(caller);
        identity.setReceiptKey(_gateway, "second");
    }

    function test_RefusesAnUnknownGateway(bytes32 gateway) external {
        vm.assume(gateway != _gateway);
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.NotGatewayOwner.selector, gateway, OWNER));
        vm.prank(OWNER);
        identity.setReceiptKey(gateway, "second");
    }

    function test_TheSameAgainSucceedsWithoutAnEvent() external {
        vm.recordLogs();
        _set("first");
        _assertNoEvent();
    }

    function test_ARetiredKeyDoesNotComeBack() external {
        _set("second");
        vm.expectRevert(
            abi.encodeWithSelector(IIdentityRegistry.ReceiptKeyRetired.selector, _gateway, keccak256("first"))
        );
        _set("first");
    }

    function test_KeepsTheBlocksOfBothKeys() external {
        vm.roll(2000);
        vm.expectEmit(address(identity));
        emit IIdentityRegistry.ReceiptKeyChanged(_gateway, "second");
        _set("second");
        vm.assertEq(identity.receiptKeySince(_gateway, keccak256("first")), 1000);
        vm.assertEq(identity.receiptKeyUntil(_gateway, keccak256("first")), 2000);
        vm.assertEq(identity.receiptKeySince(_gateway, keccak256("second")), 2000);
        vm.assertEq(identity.receiptKeyUntil(_gateway, keccak256("second")), 0);
    }

    function _set(bytes memory receiptKey) private {
        vm.prank(OWNER);
        identity.setReceiptKey(_gateway, receiptKey);
    }
}
