// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IStudies} from "../../src/interfaces/IStudies.sol";
import {ITrialRegistry} from "../../src/interfaces/ITrialRegistry.sol";
import {World} from "../World.sol";

/// @notice A gateway with one study, opened by its sponsor, and a list of allocations for it: two strata of four places.
abstract contract TrialWorld is World {
    address internal constant OWNER = address(0x6A);
    address internal constant RECORDER = address(0x4EC);
    bytes32 internal constant SPONSOR = keccak256("sponsor");
    bytes32 internal constant STATISTICIAN = keccak256("statistician");
    uint256 internal constant SPONSOR_KEY = 0x590;
    uint256 internal constant STATISTICIAN_KEY = 0x57A;
    bytes32 internal constant SALT = keccak256("salt of the study");
    bytes32 internal constant CONTENT = keccak256("protocol");
    bytes32 internal constant REASON = keccak256("reason");
    bytes32 internal constant PATIENT = keccak256("salted patient");
    uint32 internal constant SIZE = 8;

    bytes32 internal gateway;
    bytes32 internal study;

    function setUp() public virtual override {
        super.setUp();
        _register(SPONSOR, SPONSOR_KEY);
        _register(STATISTICIAN, STATISTICIAN_KEY);
        _register(DOCTOR, DOCTOR_KEY);
        vm.prank(OWNER);
        gateway = identity.registerGateway(0, "receipt key");
        study = _openStudy(SALT, STATISTICIAN, RECORDER);
    }

    // What is done

    function _openStudy(bytes32 salt, bytes32 statistician, address recorder) internal returns (bytes32) {
        bytes memory signature = _sign(SPONSOR_KEY, _opening(salt, gateway, statistician));
        vm.prank(OWNER);
        return trials.openStudy(SPONSOR, salt, gateway, statistician, recorder, signature);
    }

    function _recordProtocol(uint32 number, bytes32 content, bytes32 reason) internal {
        bytes memory signature = _sign(SPONSOR_KEY, _version(study, number, content, reason));
        trials.recordProtocol(study, number, content, reason, signature);
    }

    function _commit(bytes32 root, uint32 size) internal {
        bytes memory signature = _sign(STATISTICIAN_KEY, _allocation(study, root, size, STATISTICIAN));
        trials.commitAllocation(study, root, size, STATISTICIAN, signature);
    }

    function _openEnrolment(uint32 version, bytes32 allocation) internal {
        bytes memory signature = _sign(SPONSOR_KEY, _enrolment(study, version, allocation));
        trials.openEnrolment(study, version, allocation, signature);
    }

    /// @dev Protocol, list and enrolment.
    function _begin() internal {
        _recordProtocol(1, CONTENT, 0);
        _commit(_root(), SIZE);
        _openEnrolment(1, _root());
    }

    function _assign(bytes32 subject, uint32 stratum, uint32 position) internal {
        ITrialRegistry.Place memory place = _place(stratum, position);
        bytes32[] memory proof = _proof(stratum, position);
        vm.prank(RECORDER);
        trials.assign(study, subject, place, proof);
    }

    function _recordData(bytes32 root, uint32 count) internal {
        vm.prank(RECORDER);
        trials.recordData(study, root, count);
    }

    function _setFrozen(bool frozen, uint64 seq) internal {
        trials.setFrozen(study, frozen, seq, _sign(SPONSOR_KEY, _freeze(study, frozen, seq)));
    }

    /// @dev As the data stand.
    function _lock() internal {
        IStudies.Study memory standing = _standing();
        _lockAs(standing.head, standing.records, standing.assigned, standing.seq + 1);
    }

    function _lockAs(bytes32 head, uint64 records, uint32 assigned, uint64 seq) internal {
        bytes memory signature = _sign(SPONSOR_KEY, _locking(study, head, records, assigned, seq));
        trials.lock(study, head, records, assigned, seq, signature);
    }

    function _publish(uint32 number, bytes32 content) internal {
        trials.publishResults(study, number, content, _sign(SPONSOR_KEY, _results(study, number, content)));
    }

    function _unblind(bytes32 subject, bytes32 reason, bytes32 by, uint256 key) internal {
        bytes memory signature = _sign(key, _unblinding(study, subject, reason, by));
        vm.prank(RECORDER);
        trials.recordUnblinding(study, subject, reason, by, signature);
    }

    function _standing() internal view returns (IStudies.Study memory) {
        return trials.studyOf(study);
    }

    // What is signed

    function _opening(bytes32 salt, bytes32 gateway_, bytes32 statistician) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("Study(bytes32 sponsor,bytes32 salt,bytes32 gateway,bytes32 statistician)");
        return _trialDigest(abi.encode(typeHash, SPONSOR, salt, gateway_, statistician));
    }

    function _enrolment(bytes32 of_, uint32 version, bytes32 allocation) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("Enrolment(bytes32 study,uint32 version,bytes32 allocation)");
        return _trialDigest(abi.encode(typeHash, of_, version, allocation));
    }

    function _version(bytes32 of_, uint32 number, bytes32 content, bytes32 reason) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("ProtocolVersion(bytes32 study,uint32 number,bytes32 content,bytes32 reason)");
        return _trialDigest(abi.encode(typeHash, of_, number, content, reason));
    }

    function _results(bytes32 of_, uint32 number, bytes32 content) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("Results(bytes32 study,uint32 number,bytes32 content)");
        return _trialDigest(abi.encode(typeHash, of_, number, content));
    }

    function _signing(bytes32 of_, bytes32 content, uint8 meaning, bytes32 signer, uint64 signedAt)
        internal
        view
        returns (bytes32)
    {
        bytes32 typeHash =
            keccak256("TrialSignature(bytes32 study,bytes32 content,uint8 meaning,bytes32 signer,uint64 signedAt)");
        return _trialDigest(abi.encode(typeHash, of_, content, meaning, signer, signedAt));
    }

    function _allocation(bytes32 of_, bytes32 root, uint32 size, bytes32 by) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("Allocation(bytes32 study,bytes32 root,uint32 size,bytes32 by)");
        return _trialDigest(abi.encode(typeHash, of_, root, size, by));
    }

    function _unblinding(bytes32 of_, bytes32 subject, bytes32 reason, bytes32 by) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("Unblinding(bytes32 study,bytes32 subject,bytes32 reason,bytes32 by)");
        return _trialDigest(abi.encode(typeHash, of_, subject, reason, by));
    }

    function _freeze(bytes32 of_, bool frozen, uint64 seq) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("Freeze(bytes32 study,bool frozen,uint64 seq)");
        return _trialDigest(abi.encode(typeHash, of_, frozen, seq));
    }

    function _locking(bytes32 of_, bytes32 head, uint64 records, uint32 assigned, uint64 seq)
        internal
        view
        returns (bytes32)
    {
        bytes32 typeHash = keccak256("Lock(bytes32 study,bytes32 head,uint64 records,uint32 assigned,uint64 seq)");
        return _trialDigest(abi.encode(typeHash, of_, head, records, assigned, seq));
    }

    function _trialDigest(bytes memory encoded) internal view returns (bytes32) {
        return _digest(address(trials), keccak256(encoded));
    }

    // The list: its tree is full, so that a node's sibling is one bit away

    function _place(uint32 stratum, uint32 position) internal pure returns (ITrialRegistry.Place memory) {
        return ITrialRegistry.Place(stratum, position, keccak256(abi.encode("salted arm", stratum, position)));
    }

    function _root() internal pure returns (bytes32) {
        return _levels()[3][0];
    }

    function _proof(uint32 stratum, uint32 position) internal pure returns (bytes32[] memory proof) {
        bytes32[][4] memory levels = _levels();
        uint256 leaf = stratum * 4 + position;
        proof = new bytes32[](3);
        for (uint256 level = 0; level < 3; ++level) {
            proof[level] = levels[level][(leaf >> level) ^ 1];
        }
    }

    function _levels() private pure returns (bytes32[][4] memory levels) {
        levels[0] = new bytes32[](SIZE);
        for (uint32 i = 0; i < SIZE; ++i) {
            levels[0][i] = keccak256(bytes.concat(keccak256(abi.encode(_place(i / 4, i % 4)))));
        }
        for (uint256 level = 1; level < 4; ++level) {
            levels[level] = new bytes32[](SIZE >> level);
            for (uint256 i = 0; i < SIZE >> level; ++i) {
                levels[level][i] = _parent(levels[level - 1][2 * i], levels[level - 1][2 * i + 1]);
            }
        }
    }

    function _parent(bytes32 one, bytes32 other) private pure returns (bytes32) {
        return one < other ? keccak256(bytes.concat(one, other)) : keccak256(bytes.concat(other, one));
    }
}
