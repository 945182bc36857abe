// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IConsentRegistry} from "../../src/interfaces/IConsentRegistry.sol";
import {Vm} from "../Vm.sol";
import {Campaign} from "./Campaign.sol";
import {RecoveryMoves} from "./RecoveryMoves.sol";

contract RecoveryInvariants is Campaign {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    RecoveryMoves private _made;
    IConsentRegistry private _consents;
    bytes32 private _subject;

    function setUp() external {
        _made = new RecoveryMoves();
        _made.setUp();
        _consents = _made.registry();
        _subject = _made.subject();
    }

    /// @dev One campaign judged seven ways, rather than seven campaigns.
    function invariant_WhoeverStoleAKeyWinsNothingThatLasts() external view {
        _whatIsInForceIsWhatAControllerOrALiveDelegateSigned();
        _whatWasRevokedStaysRevoked();
        _nobodyActsInAnothersPlace();
        _everyEventCountsAndNothingGoesBack();
        _aControllerObjectsOnceInARecoverysHistory();
        _theGuardiansCannotBeReplacedWithinTheDelay();
        _delegatesAndCredentialsHoldUnderTheirControlAlone();
    }

    function _whatIsInForceIsWhatAControllerOrALiveDelegateSigned() private view {
        RecoveryMoves.Granted[] memory all = _made.granted();
        for (uint256 i = 0; i < all.length; ++i) {
            vm.assertTrue(_consents.inForce(_subject, all[i].consentId) == _made.isDue(i));
        }
    }

    function _whatWasRevokedStaysRevoked() private view {
        RecoveryMoves.Granted[] memory all = _made.granted();
        for (uint256 i = 0; i < all.length; ++i) {
            (IConsentRegistry.Status status,,,,,) = _consents.consentState(_subject, all[i].consentId);
            vm.assertTrue((status == IConsentRegistry.Status.REVOKED) == all[i].revoked);
        }
    }

    function _nobodyActsInAnothersPlace() private view {
        vm.assertEq(_made.wronglyTaken(), 0);
        vm.assertEq(_consents.controllerOf(_subject), _made.controllerNow());
    }

    function _everyEventCountsAndNothingGoesBack() private view {
        (uint64 epoch, uint64 seq) = _consents.subjectState(_subject);
        vm.assertEq(epoch, _made.epoch());
        vm.assertEq(seq, _made.events());
        vm.assertEq(_made.wentBack(), 0);
    }

    function _aControllerObjectsOnceInARecoverysHistory() private view {
        vm.assertTrue(_made.objections() <= 1);
        (, uint64 readyAt, bool unstoppable, bool objected) = _consents.recoveryOf(_subject);
        vm.assertTrue(objected == _made.objected());
        vm.assertTrue((readyAt != 0) == _made.pending());
        if (readyAt != 0) vm.assertTrue(unstoppable == objected && readyAt == _made.readyAt());
    }

    function _theGuardiansCannotBeReplacedWithinTheDelay() private view {
        vm.assertEq(_made.guardiansNow(), _made.named());
    }

    function _delegatesAndCredentialsHoldUnderTheirControlAlone() private view {
        for (uint32 number = 1; number <= _made.delegates(); ++number) {
            (,,, bool holds) = _consents.delegateOf(_subject, number);
            vm.assertTrue(holds == _made.holds(number));
        }
        vm.assertTrue(_consents.isCredential(_subject, _made.credential()) == _made.linked());
    }

    function _target() internal view override returns (address) {
        return address(_made);
    }

    function _moves() internal pure override returns (bytes4[] memory moves) {
        moves = new bytes4[](11);
        moves[0] = RecoveryMoves.grant.selector;
        moves[1] = RecoveryMoves.revoke.selector;
        moves[2] = RecoveryMoves.addDelegate.selector;
        moves[3] = RecoveryMoves.removeDelegate.selector;
        moves[4] = RecoveryMoves.setCredential.selector;
        moves[5] = RecoveryMoves.handOver.selector;
        moves[6] = RecoveryMoves.replaceGuardians.selector;
        moves[7] = RecoveryMoves.propose.selector;
        moves[8] = RecoveryMoves.object.selector;
        moves[9] = RecoveryMoves.finish.selector;
        moves[10] = RecoveryMoves.passTime.selector;
    }
}
