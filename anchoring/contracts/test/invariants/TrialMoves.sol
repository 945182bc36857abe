// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {TrialWorld} from "../trial/TrialWorld.sol";

/// @notice A sponsor, a recorder, and those who are neither, at one study; what was taken is written down beside. A
/// `whim` makes a move wrong, in one way or another, in few cases alone: else no campaign would come as far as results.
contract TrialMoves is TrialWorld {
    struct Version {
        bytes32 content;
        bytes32 reason;
    }

    struct Batch {
        bytes32 root;
        uint32 count;
    }

    uint256 public wronglyTaken;
    bool public isListed;
    bool public isFrozen;
    bool public isLocked;
    uint32 public enrolledUnder;
    uint64 public seq;
    Version[] private _versions;
    Batch[] private _batches;
    bytes32[] private _found;
    /// @dev Subjects of each stratum, in the order of their positions.
    bytes32[][2] private _subjects;

    function amendAs(uint8 whim, uint8 number, uint8 content) external {
        uint32 asked = uint32(_near(_versions.length + 1, whim, number));
        bool right = whim % 8 != 1;
        bool reasoned = (asked > 1) == (whim % 8 != 2);
        Version memory version = Version(bytes32(uint256(content % 4)), reasoned ? REASON : bytes32(0));
        bool due = right && !isLocked && asked == _versions.length + 1 && version.content != 0;
        due = due && reasoned == (asked > 1);
        bool stands = asked != 0 && asked <= _versions.length;
        if (stands) due = keccak256(abi.encode(version)) == keccak256(abi.encode(_versions[asked - 1]));
        bytes memory signature = _sign(_key(right), _version(study, asked, version.content, version.reason));
        try trials.recordProtocol(study, asked, version.content, version.reason, signature) {
            _judge(due);
            if (!stands) _versions.push(version);
        } catch {
            _judge(!due);
        }
    }

    function commitAs(uint8 whim) external {
        (bool right, bool another) = (whim % 8 != 1, whim % 8 == 2);
        bytes32 root = another ? keccak256("another list") : _root();
        bool due = isListed ? !another : right && enrolledUnder == 0 && !another;
        // A list that the tests have no proofs for is signed by nobody.
        bytes memory signature = _sign(_key(right && !another), _allocation(study, root, SIZE, SPONSOR));
        try trials.commitAllocation(study, root, SIZE, SPONSOR, signature) {
            _judge(due);
            isListed = true;
        } catch {
            _judge(!due);
        }
    }

    function enrolAs(uint8 whim, uint8 version) external {
        bool right = whim % 8 != 1;
        uint32 asked = uint32(_near(enrolledUnder == 0 ? _versions.length : enrolledUnder, whim, version));
        bool due = right && asked != 0 && asked == _versions.length && isListed;
        if (enrolledUnder != 0) due = asked == enrolledUnder;
        bytes memory signature = _sign(_key(right), _enrolment(study, asked, _root()));
        try trials.openEnrolment(study, asked, _root(), signature) {
            _judge(due);
            if (enrolledUnder == 0) enrolledUnder = asked;
        } catch {
            _judge(!due);
        }
    }

    /// @dev Subjects from a small set, so that some come twice; a place with the proof of its neighbour is not in the list.
    function assignAs(address caller, uint8 whim, uint8 subject, uint8 position) external {
        if (whim % 8 != 1) caller = RECORDER;
        bytes32 who = bytes32(uint256(subject % 12));
        uint32 of_ = subject / 12 % 2;
        uint32 asked = uint32(_near(_subjects[of_].length, whim, position) % 4);
        bool proven = whim % 8 != 2;
        (bool holds, bool same) = _holding(who, of_, asked);
        bool due = caller == RECORDER && enrolledUnder != 0 && !isFrozen && !isLocked && who != 0 && proven;
        due = due && asked == _subjects[of_].length;
        if (holds) due = caller == RECORDER && same;
        bytes32[] memory proof = _proof(of_, proven ? asked : (asked + 1) % 4);
        vm.prank(caller);
        try trials.assign(study, who, _place(of_, asked), proof) {
            _judge(due);
            if (!holds) _subjects[of_].push(who);
        } catch {
            _judge(!due);
        }
    }

    function recordAs(address caller, uint8 whim, uint8 root, uint8 count) external {
        if (whim % 8 != 1) caller = RECORDER;
        Batch memory asked = Batch(bytes32(uint256(root % 32)), count % 4);
        bool due = caller == RECORDER && enrolledUnder != 0 && !isFrozen && !isLocked;
        due = due && asked.root != 0 && asked.count != 0;
        (bool stands, bool same) = _recorded(asked);
        if (stands) due = caller == RECORDER && same;
        vm.prank(caller);
        try trials.recordData(study, asked.root, asked.count) {
            _judge(due);
            if (!stands) _batches.push(asked);
        } catch {
            _judge(!due);
        }
    }

    function freezeAs(uint8 whim, uint8 next) external {
        uint64 asked = uint64(_near(seq + 1, whim, next));
        (bool right, bool frozen) = (whim % 8 != 1, whim % 8 < 3);
        bool stands = asked != 0 && asked == seq && frozen == isFrozen;
        bool due = stands || right && !isLocked && asked == seq + 1;
        bytes memory signature = _sign(_key(right), _freeze(study, frozen, asked));
        try trials.setFrozen(study, frozen, asked, signature) {
            _judge(due);
            (isFrozen, seq) = (frozen, asked);
        } catch {
            _judge(!due);
        }
    }

    /// @dev Seldom rightly, so that a study lives before it is locked.
    function lockAs(uint8 whim, uint8 next) external {
        (bool right, bool another) = (whim % 8 == 3, whim % 8 == 2);
        (bytes32 head, uint64 records) = data();
        if (another) ++records;
        uint64 asked = uint64(_near(seq + 1, whim, next));
        bool due = !another && asked == seq + 1;
        if (!isLocked) due = due && right && enrolledUnder != 0;
        bytes memory signature = _sign(_key(right), _locking(study, head, records, assigned(), asked));
        try trials.lock(study, head, records, assigned(), asked, signature) {
            _judge(due);
            isLocked = true;
        } catch {
            _judge(!due);
        }
    }

    function publishAs(uint8 whim, uint8 number, uint8 content) external {
        bool right = whim % 8 != 1;
        uint32 asked = uint32(_near(_found.length + 1, whim, number));
        bytes32 said = bytes32(uint256(content % 4));
        bool due = right && isLocked && asked == _found.length + 1 && said != 0;
        bool stands = asked != 0 && asked <= _found.length;
        if (stands) due = said == _found[asked - 1];
        try trials.publishResults(study, asked, said, _sign(_key(right), _results(study, asked, said))) {
            _judge(due);
            if (!stands) _found.push(said);
        } catch {
            _judge(!due);
        }
    }

    function registry() external view returns (address, bytes32) {
        return (address(trials), study);
    }

    function versions() external view returns (Version[] memory) {
        return _versions;
    }

    function found() external view returns (bytes32[] memory) {
        return _found;
    }

    function batches() external view returns (uint256) {
        return _batches.length;
    }

    function subjectsOf(uint256 stratum) external view returns (bytes32[] memory) {
        return _subjects[stratum];
    }

    function assigned() public view returns (uint32) {
        return uint32(_subjects[0].length + _subjects[1].length);
    }

    /// @dev What the roots that were taken hash to, and over how many records they are.
    function data() public view returns (bytes32 head, uint64 records) {
        for (uint256 i = 0; i < _batches.length; ++i) {
            head = keccak256(abi.encode(head, _batches[i].root, _batches[i].count));
            records += _batches[i].count;
        }
    }

    function _judge(bool due) private {
        if (!due) ++wronglyTaken;
    }

    /// @dev What comes next, or any from 0 to one beyond it.
    function _near(uint256 next, uint8 whim, uint8 other) private pure returns (uint256) {
        return whim % 8 == 0 ? other % (next + 2) : next;
    }

    function _key(bool right) private pure returns (uint256) {
        return right ? SPONSOR_KEY : DOCTOR_KEY;
    }

    function _holding(bytes32 who, uint32 stratum, uint32 position) private view returns (bool holds, bool same) {
        for (uint256 i = 0; i < 2; ++i) {
            for (uint256 j = 0; j < _subjects[i].length; ++j) {
                if (_subjects[i][j] == who) return (true, i == stratum && j == position);
            }
        }
    }

    function _recorded(Batch memory asked) private view returns (bool stands, bool same) {
        for (uint256 i = 0; i < _batches.length; ++i) {
            if (_batches[i].root == asked.root) return (true, _batches[i].count == asked.count);
        }
    }
}
