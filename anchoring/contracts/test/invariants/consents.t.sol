// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IConsentRegistry} from "../../src/interfaces/IConsentRegistry.sol";
import {Vm} from "../Vm.sol";
import {Campaign} from "./Campaign.sol";
import {ConsentMoves} from "./ConsentMoves.sol";

contract ConsentInvariants is Campaign {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    ConsentMoves private _made;
    IConsentRegistry private _consents;
    bytes32 private _subject;

    function setUp() external {
        _made = new ConsentMoves();
        _made.setUp();
        _consents = IConsentRegistry(_made.registry());
        _subject = _made.subject();
    }

    /// @dev One campaign judged four ways, rather than as many campaigns.
    function invariant_WhatTheControllersSignedStandsAndNothingElse() external view {
        _whatIsInForceIsWhatTheControllersSigned();
        _whatWasRevokedStaysRevoked();
        _theSequenceCountsEveryEvent();
        _nobodyButTheControllerHandsControlOver();
    }

    function _whatIsInForceIsWhatTheControllersSigned() private view {
        ConsentMoves.Expected[] memory all = _made.expected();
        for (uint256 i = 0; i < all.length; ++i) {
            IConsentRegistry.ConsentTerms memory terms = all[i].terms;
            bool inWindow = block.timestamp >= terms.notBefore && block.timestamp < terms.notAfter;
            bool inEpoch = terms.effect == 1 || terms.epoch == _made.epoch();
            bool due = all[i].granted && !all[i].revoked && inWindow && inEpoch;
            vm.assertTrue(_consents.inForce(_subject, all[i].consentId) == due);
        }
    }

    function _whatWasRevokedStaysRevoked() private view {
        ConsentMoves.Expected[] memory all = _made.expected();
        for (uint256 i = 0; i < all.length; ++i) {
            (IConsentRegistry.Status status,,,,,) = _consents.consentState(_subject, all[i].consentId);
            vm.assertTrue((status == IConsentRegistry.Status.REVOKED) == all[i].revoked);
        }
    }

    function _theSequenceCountsEveryEvent() private view {
        (uint64 epoch, uint64 seq) = _consents.subjectState(_subject);
        vm.assertEq(seq, _made.events());
        vm.assertEq(epoch, _made.epoch());
    }

    function _nobodyButTheControllerHandsControlOver() private view {
        vm.assertEq(_made.controllerNow(), _made.controller());
        vm.assertEq(_made.wronglyTaken(), 0);
    }

    function _target() internal view override returns (address) {
        return address(_made);
    }

    function _moves() internal pure override returns (bytes4[] memory moves) {
        moves = new bytes4[](6);
        moves[0] = ConsentMoves.grant.selector;
        moves[1] = ConsentMoves.revoke.selector;
        moves[2] = ConsentMoves.revokeAll.selector;
        moves[3] = ConsentMoves.handOver.selector;
        moves[4] = ConsentMoves.enrollerTriesToTakeOver.selector;
        moves[5] = ConsentMoves.passTime.selector;
    }
}
