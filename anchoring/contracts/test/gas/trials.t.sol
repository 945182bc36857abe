// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ITrialRegistry} from "../../src/interfaces/ITrialRegistry.sol";
import {TrialWorld} from "../trial/TrialWorld.sol";

/// @notice What each deed of a trial costs as a whole transaction, as `gas.t.sol` has it; signers are wallets.
contract TrialGasTest is TrialWorld {
    event log_named_uint(string key, uint256 val);

    function test_OpeningAStudyTakesAtMost145000() external {
        _openStudy("another", STATISTICIAN, RECORDER);
        _assertAtMost("open study", 145_000);
    }

    function test_AVersionOfTheProtocolTakesAtMost130000() external {
        _recordProtocol(1, CONTENT, 0);
        _recordProtocol(2, CONTENT, REASON);
        _assertAtMost("amendment", 130_000);
    }

    function test_AListTakesAtMost102000() external {
        _commit(_root(), SIZE);
        _assertAtMost("allocation", 102_000);
    }

    function test_OpeningEnrolmentTakesAtMost64000() external {
        _recordProtocol(1, CONTENT, 0);
        _commit(_root(), SIZE);
        _openEnrolment(1, _root());
        _assertAtMost("open enrolment", 64_000);
    }

    function test_ALaterAssignmentFromAListOfEightTakesAtMost96000() external {
        _begin();
        _assign(keccak256("first"), 0, 0);
        _assign(PATIENT, 0, 1);
        _assertAtMost("assignment", 96_000);
    }

    function test_ALaterRootOfDataTakesAtMost65000() external {
        _begin();
        _recordData("first", 7);
        _recordData("second", 7);
        _assertAtMost("data", 65_000);
    }

    function test_ASignatureTakesAtMost76000() external {
        bytes memory signature = _sign(DOCTOR_KEY, _signing(study, CONTENT, 2, DOCTOR, 7));
        trials.recordSignature(study, CONTENT, ITrialRegistry.Meaning.APPROVED, DOCTOR, 7, signature);
        _assertAtMost("signature", 76_000);
    }

    function test_AnUnblindingTakesAtMost110000() external {
        _begin();
        _assign(PATIENT, 0, 0);
        _unblind(PATIENT, REASON, DOCTOR, DOCTOR_KEY);
        _assertAtMost("unblinding", 110_000);
    }

    function test_AFreezeTakesAtMost64000() external {
        _begin();
        _setFrozen(true, 1);
        _assertAtMost("freeze", 64_000);
    }

    function test_ALockTakesAtMost65000() external {
        _begin();
        _recordData("first", 7);
        bytes32 head = _standing().head;
        _lockAs(head, 7, 0, 1);
        _assertAtMost("lock", 65_000);
    }

    function test_LaterResultsTakeAtMost105000() external {
        _begin();
        _lock();
        _publish(1, CONTENT);
        _publish(2, REASON);
        _assertAtMost("results", 105_000);
    }

    function _assertAtMost(string memory what, uint256 ceiling) private {
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        emit log_named_uint(what, gas);
        vm.assertTrue(gas > 21_000 && gas <= ceiling);
    }
}
