// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IStudies} from "../../src/interfaces/IStudies.sol";
import {ITrialRegistry} from "../../src/interfaces/ITrialRegistry.sol";
import {TrialWorld} from "./TrialWorld.sol";

contract RecordSignatureTest is TrialWorld {
    ITrialRegistry.Meaning private constant APPROVED = ITrialRegistry.Meaning.APPROVED;

    function test_RefusesAnUnknownStudy() external {
        bytes32 unknown = keccak256("no study");
        vm.expectRevert(abi.encodeWithSelector(IStudies.NoStudy.selector, unknown));
        trials.recordSignature(unknown, CONTENT, APPROVED, DOCTOR, 1, "");
    }

    function test_RefusesNoContent() external {
        vm.expectRevert(abi.encodeWithSelector(IStudies.InvalidDigest.selector, study));
        _signAs(DOCTOR_KEY, 0, APPROVED, 1);
    }

    function test_RefusesNoTime() external {
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.InvalidTime.selector, 0));
        _signAs(DOCTOR_KEY, CONTENT, APPROVED, 0);
    }

    function test_RefusesATimeThatIsNotYet(uint64 signedAt) external {
        vm.assume(signedAt > block.timestamp + 10 minutes);
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.InvalidTime.selector, signedAt));
        _signAs(DOCTOR_KEY, CONTENT, APPROVED, signedAt);
    }

    function test_TakesAClockThatIsTenMinutesAhead() external {
        uint64 signedAt = uint64(block.timestamp + 10 minutes);
        _signAs(DOCTOR_KEY, CONTENT, APPROVED, signedAt);
        (uint64 found,) = trials.signatureOf(study, CONTENT, APPROVED, DOCTOR);
        vm.assertEq(found, signedAt);
    }

    function test_RefusesAMeaningThatThereIsNot() external {
        bytes memory signature = _sign(DOCTOR_KEY, _signing(study, CONTENT, 5, DOCTOR, 1));
        bytes memory call = abi.encodeWithSelector(
            ITrialRegistry.recordSignature.selector, study, CONTENT, uint8(5), DOCTOR, uint64(1), signature
        );
        (bool taken,) = address(trials).call(call);
        vm.assertFalse(taken);
    }

    function test_RefusesAnotherSigner(uint256 key) external {
        key = key % 1e30 + 1;
        vm.assume(key != DOCTOR_KEY);
        bytes32 digest = _signing(study, CONTENT, 2, DOCTOR, 1);
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, DOCTOR, digest));
        _signAs(key, CONTENT, APPROVED, 1);
    }

    function test_RefusesWhatWasSignedForAnotherStudyContentMeaningSignerOrTime() external {
        bytes32 expected = _signing(study, CONTENT, 2, DOCTOR, 7);
        bytes32[5] memory others = [
            _signing(keccak256("another"), CONTENT, 2, DOCTOR, 7),
            _signing(study, keccak256("another"), 2, DOCTOR, 7),
            _signing(study, CONTENT, 1, DOCTOR, 7),
            _signing(study, CONTENT, 2, SPONSOR, 7),
            _signing(study, CONTENT, 2, DOCTOR, 8)
        ];
        for (uint256 i = 0; i < others.length; ++i) {
            bytes memory signature = _sign(DOCTOR_KEY, others[i]);
            vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, DOCTOR, expected));
            trials.recordSignature(study, CONTENT, APPROVED, DOCTOR, 7, signature);
        }
    }

    function test_StandsWithItsBlockOnAnyonesRelay(address relayer, uint8 meaning, bytes32 content, uint64 signedAt)
        external
    {
        vm.assume(content != 0 && signedAt != 0 && signedAt <= block.timestamp);
        meaning = meaning % 5;
        bytes memory signature = _sign(DOCTOR_KEY, _signing(study, content, meaning, DOCTOR, signedAt));
        vm.expectEmit(address(trials));
        emit ITrialRegistry.SignatureRecorded(study, content, ITrialRegistry.Meaning(meaning), DOCTOR, signedAt);
        vm.prank(relayer);
        trials.recordSignature(study, content, ITrialRegistry.Meaning(meaning), DOCTOR, signedAt, signature);
        (uint64 found, uint64 blockNumber) = trials.signatureOf(study, content, ITrialRegistry.Meaning(meaning), DOCTOR);
        vm.assertTrue(found == signedAt && blockNumber == block.number);
    }

    function test_EachMeaningAndSignerIsASignatureOfItsOwn() external {
        _signAs(DOCTOR_KEY, CONTENT, APPROVED, 7);
        _signAs(DOCTOR_KEY, CONTENT, ITrialRegistry.Meaning.REVIEWED, 8);
        bytes memory signature = _sign(SPONSOR_KEY, _signing(study, CONTENT, 2, SPONSOR, 9));
        trials.recordSignature(study, CONTENT, APPROVED, SPONSOR, 9, signature);
        (uint64 approved,) = trials.signatureOf(study, CONTENT, APPROVED, DOCTOR);
        (uint64 reviewed,) = trials.signatureOf(study, CONTENT, ITrialRegistry.Meaning.REVIEWED, DOCTOR);
        (uint64 sponsors,) = trials.signatureOf(study, CONTENT, APPROVED, SPONSOR);
        vm.assertTrue(approved == 7 && reviewed == 8 && sponsors == 9);
    }

    function test_IsTakenAfterTheLock() external {
        _begin();
        _lock();
        _signAs(DOCTOR_KEY, CONTENT, APPROVED, 7);
        (uint64 found,) = trials.signatureOf(study, CONTENT, APPROVED, DOCTOR);
        vm.assertEq(found, 7);
    }

    function test_TheSameAgainSucceedsWithoutAnEventThoughTheSignerWasStruckOff() external {
        _signAs(DOCTOR_KEY, CONTENT, APPROVED, 7);
        vm.prank(ENROLLER);
        identity.removeActor(DOCTOR);
        vm.recordLogs();
        trials.recordSignature(study, CONTENT, APPROVED, DOCTOR, 7, "");
        _assertNoEvent();
    }

    function test_RefusesTheSameWithAnotherTime() external {
        _signAs(DOCTOR_KEY, CONTENT, APPROVED, 7);
        vm.expectRevert(abi.encodeWithSelector(ITrialRegistry.SignatureTaken.selector, study, CONTENT, DOCTOR));
        _signAs(DOCTOR_KEY, CONTENT, APPROVED, 8);
    }

    function test_ARotatedKeySignsAndItsPredecessorNoMore() external {
        bytes32 rotation = keccak256("KeyRotation(bytes32 actor,bytes key,uint64 epoch)");
        bytes memory key = _p256Signer(OTHER_KEY);
        bytes32 digest = _digest(address(identity), keccak256(abi.encode(rotation, DOCTOR, keccak256(key), uint64(0))));
        (bytes32 r, bytes32 s) = _signP256(OTHER_KEY, digest);
        identity.rotateKey(DOCTOR, key, _sign(DOCTOR_KEY, digest), abi.encodePacked(r, s));
        bytes32 signed = _signing(study, CONTENT, 2, DOCTOR, 7);
        vm.expectRevert(abi.encodeWithSelector(IStudies.NotSigned.selector, DOCTOR, signed));
        _signAs(DOCTOR_KEY, CONTENT, APPROVED, 7);
        (r, s) = _signP256(OTHER_KEY, signed);
        trials.recordSignature(study, CONTENT, APPROVED, DOCTOR, 7, abi.encodePacked(r, s));
        (uint64 found,) = trials.signatureOf(study, CONTENT, APPROVED, DOCTOR);
        vm.assertEq(found, 7);
    }

    function test_RefusesASignatureForAnotherChain() external {
        bytes memory signature = _sign(DOCTOR_KEY, _signing(study, CONTENT, 2, DOCTOR, 7));
        vm.chainId(block.chainid + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IStudies.NotSigned.selector, DOCTOR, _signing(study, CONTENT, 2, DOCTOR, 7))
        );
        trials.recordSignature(study, CONTENT, APPROVED, DOCTOR, 7, signature);
    }

    /// @dev DOCTOR's, by whoever has this key.
    function _signAs(uint256 key, bytes32 content, ITrialRegistry.Meaning meaning, uint64 signedAt) private {
        bytes memory signature = _sign(key, _signing(study, content, uint8(meaning), DOCTOR, signedAt));
        trials.recordSignature(study, content, meaning, DOCTOR, signedAt, signature);
    }
}
