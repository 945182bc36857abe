// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IStudies} from "../../src/interfaces/IStudies.sol";
import {ITrialRegistry} from "../../src/interfaces/ITrialRegistry.sol";
import {Vm} from "../Vm.sol";
import {Campaign} from "./Campaign.sol";
import {TrialMoves} from "./TrialMoves.sol";

contract TrialInvariants is Campaign {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    TrialMoves private _made;
    ITrialRegistry private _trials;
    bytes32 private _study;

    function setUp() external {
        _made = new TrialMoves();
        _made.setUp();
        address registry;
        (registry, _study) = _made.registry();
        _trials = ITrialRegistry(registry);
    }

    /// @dev One campaign judged five ways, rather than as many campaigns.
    function invariant_AStudyIsWhatWasTakenInItsOrder() external view {
        IStudies.Study memory study = _trials.studyOf(_study);
        _everyVersionStandsAsItWasRecorded(study);
        _placesOfAStratumAreTakenOnceAndWithoutAGap(study);
        _theDataAreWhatWasRecordedBeforeTheLock(study);
        _resultsStandAfterTheLockAlone(study);
        vm.assertEq(study.seq, _made.seq());
        vm.assertTrue(study.frozen == _made.isFrozen());
        vm.assertEq(_made.wronglyTaken(), 0);
    }

    function _everyVersionStandsAsItWasRecorded(IStudies.Study memory study) private view {
        TrialMoves.Version[] memory versions = _made.versions();
        vm.assertEq(study.versions, versions.length);
        vm.assertEq(study.enrolledUnder, _made.enrolledUnder());
        for (uint32 i = 0; i < versions.length; ++i) {
            (bytes32 content, bytes32 reason,,) = _trials.protocolOf(_study, i + 1);
            vm.assertTrue(content == versions[i].content && reason == versions[i].reason);
        }
    }

    function _placesOfAStratumAreTakenOnceAndWithoutAGap(IStudies.Study memory study) private view {
        for (uint32 stratum = 0; stratum < 2; ++stratum) {
            bytes32[] memory subjects = _made.subjectsOf(stratum);
            vm.assertEq(_trials.nextPosition(_study, stratum), subjects.length);
            for (uint32 i = 0; i < subjects.length; ++i) {
                (, uint32 stratumNow, uint32 position,, uint64 blockNumber) = _trials.assignmentOf(_study, subjects[i]);
                vm.assertTrue(stratumNow == stratum && position == i && blockNumber != 0);
            }
        }
        vm.assertEq(study.assigned, _made.assigned());
        vm.assertTrue(study.assigned <= study.size);
        vm.assertTrue(study.assigned == 0 || study.enrolledAt != 0);
    }

    function _theDataAreWhatWasRecordedBeforeTheLock(IStudies.Study memory study) private view {
        (bytes32 head, uint64 records) = _made.data();
        vm.assertEq(study.head, head);
        vm.assertEq(study.records, records);
        vm.assertEq(study.batches, _made.batches());
        vm.assertTrue((study.lockedAt != 0) == _made.isLocked());
        vm.assertTrue(study.batches == 0 || study.enrolledAt != 0);
    }

    function _resultsStandAfterTheLockAlone(IStudies.Study memory study) private view {
        bytes32[] memory found = _made.found();
        vm.assertEq(study.results, found.length);
        vm.assertTrue(found.length == 0 || study.lockedAt != 0);
        for (uint32 i = 0; i < found.length; ++i) {
            (bytes32 content,,) = _trials.resultsOf(_study, i + 1);
            vm.assertEq(content, found[i]);
        }
    }

    function _target() internal view override returns (address) {
        return address(_made);
    }

    function _moves() internal pure override returns (bytes4[] memory moves) {
        moves = new bytes4[](8);
        moves[0] = TrialMoves.amendAs.selector;
        moves[1] = TrialMoves.commitAs.selector;
        moves[2] = TrialMoves.enrolAs.selector;
        moves[3] = TrialMoves.assignAs.selector;
        moves[4] = TrialMoves.recordAs.selector;
        moves[5] = TrialMoves.freezeAs.selector;
        moves[6] = TrialMoves.lockAs.selector;
        moves[7] = TrialMoves.publishAs.selector;
    }
}
