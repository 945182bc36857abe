// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IAnchorRegistry} from "../../src/interfaces/IAnchorRegistry.sol";
import {World} from "../World.sol";

abstract contract LogWorld is World {
    address internal constant OWNER = address(0x6A);
    address internal constant ANCHORER = address(0xA4);
    bytes32 internal constant WRITER = keccak256("writer");
    bytes32 internal constant KIND = "records";
    bytes32 internal constant MANIFEST = keccak256("manifest");

    bytes32 internal gateway;
    bytes32 internal log;

    function setUp() public virtual override {
        super.setUp();
        vm.prank(OWNER);
        gateway = identity.registerGateway(0, "receipt key");
        log = _open(ANCHORER);
    }

    function _open(address anchorer) internal returns (bytes32) {
        vm.prank(OWNER);
        return anchors.openLog(gateway, WRITER, KIND, anchorer);
    }

    function _anchor(bytes32 root, uint64 count) internal {
        vm.prank(ANCHORER);
        anchors.anchor(log, root, MANIFEST, count);
    }
}

contract OpenLogTest is LogWorld {
    function test_RefusesAnyoneButTheGatewaysOwner(address caller) external {
        vm.assume(caller != OWNER);
        vm.expectRevert(abi.encodeWithSelector(IAnchorRegistry.NotGatewayOwner.selector, gateway, caller));
        vm.prank(caller);
        anchors.openLog(gateway, WRITER, "audit", ANCHORER);
    }

    function test_RefusesNobodyAsAnchorer() external {
        vm.expectRevert(abi.encodeWithSelector(IAnchorRegistry.InvalidAnchorer.selector));
        vm.prank(OWNER);
        anchors.openLog(gateway, WRITER, "audit", address(0));
    }

    function test_TheSameAgainSucceedsWithoutAnEvent() external {
        vm.recordLogs();
        vm.assertEq(_open(ANCHORER), log);
        _assertNoEvent();
    }

    function test_RefusesAnOpenLogWithAnotherAnchorer() external {
        vm.expectRevert(abi.encodeWithSelector(IAnchorRegistry.LogTaken.selector, log));
        _open(STRANGER);
    }

    function test_Opens(bytes32 writer, bytes32 kind, address anchorer) external {
        vm.assume(anchorer != address(0) && writer != WRITER);
        bytes32 expected = keccak256(abi.encode(gateway, writer, kind));
        vm.expectEmit(address(anchors));
        emit IAnchorRegistry.LogOpened(expected, gateway, writer, kind, anchorer);
        vm.prank(OWNER);
        vm.assertEq(anchors.openLog(gateway, writer, kind, anchorer), expected);
        (bytes32 head, uint64 batches, uint64 leaves, address anchorerNow) = anchors.logState(expected);
        vm.assertTrue(head == 0 && batches == 0 && leaves == 0 && anchorerNow == anchorer);
    }
}

contract SetAnchorerTest is LogWorld {
    function test_RefusesAnyoneButTheGatewaysOwner(address caller) external {
        vm.assume(caller != OWNER);
        vm.expectRevert(abi.encodeWithSelector(IAnchorRegistry.NotGatewayOwner.selector, gateway, caller));
        vm.prank(caller);
        anchors.setAnchorer(log, caller);
    }

    function test_RefusesAnUnknownLog() external {
        vm.expectRevert(abi.encodeWithSelector(IAnchorRegistry.NotGatewayOwner.selector, bytes32(0), OWNER));
        vm.prank(OWNER);
        anchors.setAnchorer(keccak256("no log"), STRANGER);
    }

    function test_RefusesNobodyAsAnchorer() external {
        vm.expectRevert(abi.encodeWithSelector(IAnchorRegistry.InvalidAnchorer.selector));
        vm.prank(OWNER);
        anchors.setAnchorer(log, address(0));
    }

    function test_OnlyTheNextAnchorerAnchors() external {
        vm.expectEmit(address(anchors));
        emit IAnchorRegistry.AnchorerSet(log, STRANGER);
        vm.prank(OWNER);
        anchors.setAnchorer(log, STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IAnchorRegistry.NotAnchorer.selector, log, ANCHORER));
        _anchor("root", 1);
    }

    function test_TheSameAgainSucceedsWithoutAnEvent() external {
        vm.recordLogs();
        vm.prank(OWNER);
        anchors.setAnchorer(log, ANCHORER);
        _assertNoEvent();
    }
}

contract AnchorTest is LogWorld {
    function test_RefusesAnyoneButTheAnchorer(address caller) external {
        vm.assume(caller != ANCHORER);
        vm.expectRevert(abi.encodeWithSelector(IAnchorRegistry.NotAnchorer.selector, log, caller));
        vm.prank(caller);
        anchors.anchor(log, "root", MANIFEST, 1);
    }

    function test_RefusesAnUnknownLog(bytes32 unknown) external {
        vm.assume(unknown != log);
        vm.expectRevert(abi.encodeWithSelector(IAnchorRegistry.NotAnchorer.selector, unknown, ANCHORER));
        vm.prank(ANCHORER);
        anchors.anchor(unknown, "root", MANIFEST, 1);
    }

    function test_RefusesTheZeroRoot() external {
        vm.expectRevert(abi.encodeWithSelector(IAnchorRegistry.EmptyBatch.selector, log));
        _anchor(0, 1);
    }

    function test_RefusesABatchWithoutLeaves() external {
        vm.expectRevert(abi.encodeWithSelector(IAnchorRegistry.EmptyBatch.selector, log));
        _anchor("root", 0);
    }

    function test_RefusesARootItHolds() external {
        _anchor("root", 1);
        vm.expectRevert(abi.encodeWithSelector(IAnchorRegistry.AlreadyAnchored.selector, log, bytes32("root")));
        _anchor("root", 1);
    }

    function test_RefusesMoreLeavesThanALogCounts() external {
        _anchor("root", type(uint48).max);
        vm.expectRevert(abi.encodeWithSelector(SafeCast.SafeCastOverflowedUintDowncast.selector, 48, uint256(1) << 48));
        _anchor("next", 1);
    }

    function test_AnotherLogTakesTheSameRoot() external {
        _anchor("root", 1);
        vm.prank(OWNER);
        bytes32 other = anchors.openLog(gateway, WRITER, "audit", ANCHORER);
        vm.prank(ANCHORER);
        anchors.anchor(other, "root", MANIFEST, 1);
        (uint64 blockNumber,) = anchors.anchoredAt(other, "root");
        vm.assertEq(blockNumber, block.number);
    }

    function test_RecordsCountsAndAdvancesTheHead(bytes32 root, bytes32 manifestDigest, uint32 count) external {
        vm.assume(root != 0 && root != "first" && count != 0);
        _anchor("first", 7);
        bytes32 head = keccak256(abi.encode(bytes32(0), bytes32("first"), MANIFEST, uint64(7)));
        head = keccak256(abi.encode(head, root, manifestDigest, uint64(count)));
        vm.roll(1234);
        vm.expectEmit(address(anchors));
        emit IAnchorRegistry.Anchored(log, 1, root, manifestDigest, count, head);
        vm.prank(ANCHORER);
        anchors.anchor(log, root, manifestDigest, count);

        (bytes32 headNow, uint64 batches, uint64 leaves,) = anchors.logState(log);
        vm.assertTrue(headNow == head && batches == 2 && leaves == uint64(count) + 7);
        (uint64 blockNumber, uint64 index) = anchors.anchoredAt(log, root);
        vm.assertTrue(blockNumber == 1234 && index == 1);
    }
}

contract VerifyTest is LogWorld {
    bytes32 private _leaf;
    bytes32 private _root;
    bytes32[] private _proof;

    /// @dev Four double-hashed leaves, pairs sorted, as StandardMerkleTree.
    function setUp() public override {
        super.setUp();
        bytes32[4] memory leaves;
        for (uint256 i = 0; i < 4; ++i) {
            leaves[i] = keccak256(bytes.concat(keccak256(abi.encode(i))));
        }
        _leaf = leaves[2];
        bytes32 left = _pair(leaves[0], leaves[1]);
        _proof.push(leaves[3]);
        _proof.push(left);
        _root = _pair(left, _pair(leaves[2], leaves[3]));
        _anchor(_root, 4);
    }

    function test_BelievesAProofToAnAnchoredRoot() external view {
        vm.assertTrue(anchors.verify(log, _root, _leaf, _proof));
    }

    function test_BelievesNoOtherLeaf(bytes32 leaf) external view {
        vm.assume(leaf != _leaf);
        vm.assertFalse(anchors.verify(log, _root, leaf, _proof));
    }

    function test_BelievesNoRootOfAnotherLog(bytes32 other) external view {
        vm.assume(other != log);
        vm.assertFalse(anchors.verify(other, _root, _leaf, _proof));
    }

    function test_BelievesNoRootThatIsNotAnchored(bytes32 leaf) external view {
        vm.assume(leaf != _root);
        vm.assertFalse(anchors.verify(log, leaf, leaf, new bytes32[](0)));
    }

    function test_BelievesNoProofOfOver64Steps() external {
        bytes32[] memory proof = new bytes32[](65);
        bytes32 root = _leaf;
        for (uint256 i = 0; i < 65; ++i) {
            root = _pair(root, proof[i]);
        }
        _anchor(root, 1);
        vm.assertFalse(anchors.verify(log, root, _leaf, proof));
    }

    function _pair(bytes32 a, bytes32 b) private pure returns (bytes32) {
        return a < b ? keccak256(bytes.concat(a, b)) : keccak256(bytes.concat(b, a));
    }
}
