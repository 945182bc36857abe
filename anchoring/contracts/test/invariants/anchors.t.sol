// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IAnchorRegistry} from "../../src/interfaces/IAnchorRegistry.sol";
import {Vm} from "../Vm.sol";
import {AnchorMoves} from "./AnchorMoves.sol";
import {Campaign} from "./Campaign.sol";

contract AnchorInvariants is Campaign {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    AnchorMoves private _made;
    IAnchorRegistry private _anchors;

    function setUp() external {
        _made = new AnchorMoves();
        _made.setUp();
        _anchors = IAnchorRegistry(_made.registry());
    }

    /// @dev One campaign judged three ways, rather than as many campaigns.
    function invariant_EveryLogIsWhatItsAnchorerSaid() external view {
        _theHeadIsTheFoldOfTheBatches();
        _everyRootStaysWhereItWasAnchored();
        _onlyTheAnchorerAnchorsAndOnlyTheOwnerReplacesIt();
    }

    function _theHeadIsTheFoldOfTheBatches() private view {
        for (uint256 which = 0; which < 2; ++which) {
            AnchorMoves.Batch[] memory batches = _made.batchesOf(which);
            bytes32 head;
            uint256 leaves;
            for (uint256 i = 0; i < batches.length; ++i) {
                head = keccak256(abi.encode(head, batches[i].root, batches[i].manifestDigest, batches[i].count));
                leaves += batches[i].count;
            }
            (bytes32 headNow, uint64 batchesNow, uint64 leavesNow,) = _anchors.logState(_made.logs(which));
            vm.assertEq(headNow, head);
            vm.assertEq(batchesNow, batches.length);
            vm.assertEq(leavesNow, leaves);
        }
    }

    function _everyRootStaysWhereItWasAnchored() private view {
        for (uint256 which = 0; which < 2; ++which) {
            AnchorMoves.Batch[] memory batches = _made.batchesOf(which);
            for (uint256 i = 0; i < batches.length; ++i) {
                (uint64 blockNumber, uint64 index) = _anchors.anchoredAt(_made.logs(which), batches[i].root);
                vm.assertEq(blockNumber, batches[i].blockNumber);
                vm.assertEq(index, i);
            }
        }
    }

    function _onlyTheAnchorerAnchorsAndOnlyTheOwnerReplacesIt() private view {
        vm.assertEq(_made.wronglyTaken(), 0);
        for (uint256 which = 0; which < 2; ++which) {
            (,,, address anchorer) = _anchors.logState(_made.logs(which));
            vm.assertEq(anchorer, _made.anchorerOf(which));
        }
    }

    function _target() internal view override returns (address) {
        return address(_made);
    }

    function _moves() internal pure override returns (bytes4[] memory moves) {
        moves = new bytes4[](3);
        moves[0] = AnchorMoves.anchorAs.selector;
        moves[1] = AnchorMoves.replaceAnchorerAs.selector;
        moves[2] = AnchorMoves.passBlocks.selector;
    }
}
