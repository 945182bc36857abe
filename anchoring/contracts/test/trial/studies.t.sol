// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IStudies} from "../../src/interfaces/IStudies.sol";
import {TrialWorld} from "./TrialWorld.sol";

contract OpenStudyTest is TrialWorld {
    bytes32 private constant NEXT = keccak256("salt of the next");

    function test_RefusesAnyoneButTheGatewaysOwner(address caller) external {
        vm.assume(caller != OWNER);
        bytes memory signature = _sign(SPONSOR_KEY, _opening(NEXT, gateway, 0));
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotGatewayOwner.selector, gateway, caller));
        vm.prank(caller);
        trials.openStudy(SPONSOR, NEXT, gateway, 0, caller, signature);
    }

    function test_RefusesNobodyAsRecorder() external {
        vm.expectRevert(abi.encodeWithSelector(IStudies.InvalidRecorder.selector));
        _openStudy(NEXT, 0, address(0));
    }

    function test_RefusesAnotherSigner(uint256 key) external {
        key = key % 1e30 + 1;
        vm.assume(key != SPONSOR_KEY);
        bytes32 digest = _opening(NEXT, gateway, 0);
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, SPONSOR, digest));
        vm.prank(OWNER);
        trials.openStudy(SPONSOR, NEXT, gateway, 0, RECORDER, _sign(key, digest));
    }

    function test_RefusesASponsorWhoIsNoActor() external {
        bytes32 nobody = keccak256("nobody");
        bytes memory signature = _sign(SPONSOR_KEY, _openingBy(nobody));
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, nobody, _openingBy(nobody)));
        vm.prank(OWNER);
        trials.openStudy(nobody, NEXT, gateway, 0, RECORDER, signature);
    }

    function test_RefusesASponsorWhoWasStruckOff() external {
        vm.prank(ENROLLER);
        identity.removeActor(SPONSOR);
        vm.expectRevert(
            abi.encodeWithSelector(IStudies.NotSigned.selector, SPONSOR, _opening(NEXT, gateway, STATISTICIAN))
        );
        _openStudy(NEXT, STATISTICIAN, RECORDER);
    }

    function test_RefusesWhatWasSignedForAnotherGatewayOrStatistician() external {
        vm.prank(STRANGER);
        bytes32 other = identity.registerGateway(0, "receipt key");
        bytes memory signature = _sign(SPONSOR_KEY, _opening(NEXT, gateway, 0));
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, SPONSOR, _opening(NEXT, other, 0)));
        vm.prank(STRANGER);
        trials.openStudy(SPONSOR, NEXT, other, 0, STRANGER, signature);
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, SPONSOR, _opening(NEXT, gateway, DOCTOR)));
        vm.prank(OWNER);
        trials.openStudy(SPONSOR, NEXT, gateway, DOCTOR, RECORDER, signature);
    }

    function test_TheSameAgainSucceedsWithoutAnEvent() external {
        vm.recordLogs();
        vm.prank(OWNER);
        vm.assertEq(trials.openStudy(SPONSOR, SALT, gateway, STATISTICIAN, RECORDER, ""), study);
        _assertNoEvent();
    }

    function test_RefusesAnOpenStudyWithAnotherStatisticianOrRecorder() external {
        vm.expectRevert(abi.encodeWithSelector(IStudies.StudyTaken.selector, study));
        _openStudy(SALT, DOCTOR, RECORDER);
        vm.expectRevert(abi.encodeWithSelector(IStudies.StudyTaken.selector, study));
        _openStudy(SALT, STATISTICIAN, STRANGER);
    }

    function test_RefusesAnOpenStudyForAnotherGateway() external {
        vm.prank(STRANGER);
        bytes32 other = identity.registerGateway(0, "receipt key");
        bytes memory signature = _sign(SPONSOR_KEY, _opening(SALT, other, STATISTICIAN));
        vm.expectRevert(abi.encodeWithSelector(IStudies.StudyTaken.selector, study));
        vm.prank(STRANGER);
        trials.openStudy(SPONSOR, SALT, other, STATISTICIAN, RECORDER, signature);
    }

    function test_AnothersStudyOfTheSameSaltIsAnother() external {
        bytes memory signature = _sign(SPONSOR_KEY, _opening(NEXT, gateway, 0));
        vm.prank(OWNER);
        bytes32 own = trials.openStudy(SPONSOR, NEXT, gateway, 0, RECORDER, signature);
        signature = _sign(DOCTOR_KEY, _openingBy(DOCTOR));
        vm.prank(OWNER);
        vm.assertTrue(trials.openStudy(DOCTOR, NEXT, gateway, 0, RECORDER, signature) != own);
    }

    function test_Opens(bytes32 salt, bytes32 statistician, address recorder) external {
        vm.assume(salt != SALT && recorder != address(0));
        bytes32 expected = keccak256(abi.encode(SPONSOR, salt));
        vm.expectEmit(address(trials));
        emit IStudies.StudyOpened(expected, gateway, SPONSOR, statistician, recorder);
        vm.assertEq(_openStudy(salt, statistician, recorder), expected);
        IStudies.Study memory found = trials.studyOf(expected);
        vm.assertTrue(found.sponsor == SPONSOR && found.gateway == gateway && found.statistician == statistician);
        vm.assertTrue(found.recorder == recorder && found.enrolledAt == 0 && found.lockedAt == 0);
    }

    function test_AnUnknownStudyIsAllZero(bytes32 unknown) external view {
        vm.assume(unknown != study);
        IStudies.Study memory none;
        vm.assertEq(keccak256(abi.encode(trials.studyOf(unknown))), keccak256(abi.encode(none)));
    }

    /// @dev Of the study NEXT, without a statistician.
    function _openingBy(bytes32 sponsor) private view returns (bytes32) {
        bytes32 typeHash = keccak256("Study(bytes32 sponsor,bytes32 salt,bytes32 gateway,bytes32 statistician)");
        return _trialDigest(abi.encode(typeHash, sponsor, NEXT, gateway, bytes32(0)));
    }
}

contract SetRecorderTest is TrialWorld {
    function test_RefusesAnyoneButTheGatewaysOwner(address caller) external {
        vm.assume(caller != OWNER);
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotGatewayOwner.selector, gateway, caller));
        vm.prank(caller);
        trials.setRecorder(study, caller);
    }

    function test_RefusesAnUnknownStudy() external {
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotGatewayOwner.selector, bytes32(0), OWNER));
        vm.prank(OWNER);
        trials.setRecorder(keccak256("no study"), STRANGER);
    }

    function test_RefusesNobodyAsRecorder() external {
        vm.expectRevert(abi.encodeWithSelector(IStudies.InvalidRecorder.selector));
        vm.prank(OWNER);
        trials.setRecorder(study, address(0));
    }

    function test_TheSameAgainSucceedsWithoutAnEvent() external {
        vm.recordLogs();
        vm.prank(OWNER);
        trials.setRecorder(study, RECORDER);
        _assertNoEvent();
    }

    function test_OnlyTheNextRecorderRecords() external {
        _begin();
        vm.expectEmit(address(trials));
        emit IStudies.RecorderSet(study, STRANGER);
        vm.prank(OWNER);
        trials.setRecorder(study, STRANGER);
        vm.prank(STRANGER);
        trials.recordData(study, "root", 1);
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotRecorder.selector, study, RECORDER));
        _recordData("next root", 1);
    }
}

contract OpenEnrolmentTest is TrialWorld {
    function test_RefusesAnUnknownStudy() external {
        bytes32 unknown = keccak256("no study");
        vm.expectRevert(abi.encodeWithSelector(IStudies.NoStudy.selector, unknown));
        trials.openEnrolment(unknown, 0, 0, "");
    }

    function test_RefusesAStudyWithoutAProtocol(uint32 version) external {
        vm.expectRevert(abi.encodeWithSelector(IStudies.WrongNumber.selector, study, 0));
        _openEnrolment(version, 0);
    }

    function test_RefusesAnyVersionButTheNewest(uint32 version) external {
        vm.assume(version != 2);
        _recordProtocol(1, CONTENT, 0);
        _recordProtocol(2, CONTENT, REASON);
        vm.expectRevert(abi.encodeWithSelector(IStudies.WrongNumber.selector, study, 2));
        _openEnrolment(version, 0);
    }

    function test_RefusesAnotherListThanTheCommittedOne(bytes32 allocation) external {
        vm.assume(allocation != _root());
        _recordProtocol(1, CONTENT, 0);
        _commit(_root(), SIZE);
        vm.expectRevert(abi.encodeWithSelector(IStudies.WrongAllocation.selector, study, _root()));
        _openEnrolment(1, allocation);
    }

    function test_ARelayerCannotOpenItBeforeTheListThatTheSponsorNamed() external {
        _recordProtocol(1, CONTENT, 0);
        vm.expectRevert(abi.encodeWithSelector(IStudies.WrongAllocation.selector, study, bytes32(0)));
        _openEnrolment(1, _root());
    }

    function test_RefusesAnotherSigner(uint256 key) external {
        key = key % 1e30 + 1;
        vm.assume(key != SPONSOR_KEY);
        _recordProtocol(1, CONTENT, 0);
        bytes32 digest = _enrolment(study, 1, 0);
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, SPONSOR, digest));
        trials.openEnrolment(study, 1, 0, _sign(key, digest));
    }

    function test_RefusesWhatWasSignedForAnotherStudy() external {
        _recordProtocol(1, CONTENT, 0);
        bytes memory signature = _sign(SPONSOR_KEY, _enrolment(keccak256("another"), 1, 0));
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, SPONSOR, _enrolment(study, 1, 0)));
        trials.openEnrolment(study, 1, 0, signature);
    }

    function test_OpensOnAnyonesRelay(address relayer) external {
        _recordProtocol(1, CONTENT, 0);
        _commit(_root(), SIZE);
        bytes memory signature = _sign(SPONSOR_KEY, _enrolment(study, 1, _root()));
        vm.expectEmit(address(trials));
        emit IStudies.EnrolmentOpened(study, 1, _root());
        vm.prank(relayer);
        trials.openEnrolment(study, 1, _root(), signature);
        vm.assertTrue(_standing().enrolledAt == block.number && _standing().enrolledUnder == 1);
    }

    function test_TheSameAgainSucceedsWithoutAnEventThoughTheProtocolWasAmended() external {
        _begin();
        _recordProtocol(2, CONTENT, REASON);
        vm.roll(block.number + 1);
        vm.recordLogs();
        trials.openEnrolment(study, 1, _root(), "");
        _assertNoEvent();
        vm.assertTrue(_standing().enrolledAt == block.number - 1 && _standing().enrolledUnder == 1);
    }

    function test_OpensOnceOnly() external {
        _begin();
        _recordProtocol(2, CONTENT, REASON);
        vm.expectRevert(abi.encodeWithSelector(IStudies.EnrolmentIsOpen.selector, study));
        _openEnrolment(2, _root());
        vm.expectRevert(abi.encodeWithSelector(IStudies.EnrolmentIsOpen.selector, study));
        _openEnrolment(1, 0);
    }
}
