// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {LogWorld} from "../anchor/anchor.t.sol";

/// @notice Anchorers, and those who are none, at two logs; what was taken is written down beside.
contract AnchorMoves is LogWorld {
    struct Batch {
        bytes32 root;
        bytes32 manifestDigest;
        uint64 count;
        uint64 blockNumber;
    }

    bytes32[2] public logs;
    address[2] public anchorerOf;
    Batch[][2] private _batches;
    uint256 public wronglyTaken;

    function setUp() public override {
        super.setUp();
        logs[0] = log;
        vm.prank(OWNER);
        logs[1] = anchors.openLog(gateway, WRITER, "audit", STRANGER);
        (anchorerOf[0], anchorerOf[1]) = (ANCHORER, STRANGER);
    }

    /// @dev Roots from a small set, so that some come twice.
    function anchorAs(address caller, bool right, uint8 which, uint8 root, bytes32 manifestDigest, uint32 count)
        external
    {
        uint256 place = which % 2;
        if (right) caller = anchorerOf[place];
        bool due = caller == anchorerOf[place] && root != 0 && count != 0 && !_holds(place, bytes32(uint256(root)));
        vm.prank(caller);
        try anchors.anchor(logs[place], bytes32(uint256(root)), manifestDigest, count) {
            if (!due) ++wronglyTaken;
            _batches[place].push(Batch(bytes32(uint256(root)), manifestDigest, count, uint64(block.number)));
        } catch {
            if (due) ++wronglyTaken;
        }
    }

    function replaceAnchorerAs(address caller, bool right, uint8 which, address next) external {
        uint256 place = which % 2;
        if (right) caller = OWNER;
        vm.prank(caller);
        try anchors.setAnchorer(logs[place], next) {
            if (caller != OWNER) ++wronglyTaken;
            anchorerOf[place] = next;
        } catch {}
    }

    function passBlocks(uint8 blocks) external {
        vm.roll(block.number + blocks);
    }

    function registry() external view returns (address) {
        return address(anchors);
    }

    function batchesOf(uint256 which) external view returns (Batch[] memory) {
        return _batches[which];
    }

    function _holds(uint256 which, bytes32 root) private view returns (bool) {
        for (uint256 i = 0; i < _batches[which].length; ++i) {
            if (_batches[which][i].root == root) return true;
        }
        return false;
    }
}
