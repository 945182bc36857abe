// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IIdentityRegistry} from "../interfaces/IIdentityRegistry.sol";
import {Actors} from "./Actors.sol";

/// @notice Who belongs to an organization, by the organization's own signature; no registrar has a say.
abstract contract Memberships is Actors {
    struct Membership {
        uint8 role;
        uint64 notAfter;
        uint64 seq;
    }

    bytes32 private constant MEMBERSHIP_TYPEHASH =
        keccak256("Membership(bytes32 org,bytes32 member,uint8 role,uint64 notAfter,uint64 seq)");

    /// @inheritdoc IIdentityRegistry
    mapping(bytes32 org => mapping(bytes32 member => Membership)) public membership;

    /// @inheritdoc IIdentityRegistry
    function setMembership(
        bytes32 org,
        bytes32 member,
        uint8 role,
        uint64 notAfter,
        uint64 seq,
        bytes calldata signature
    ) external {
        // Check
        Membership storage last = membership[org][member];
        if (seq != 0 && seq == last.seq && role == last.role && notAfter == last.notAfter) return;
        Actor storage entry = _liveActor(org);
        _liveActor(member);
        require(seq == last.seq + 1, WrongSeq(org, member, last.seq + 1));
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(MEMBERSHIP_TYPEHASH, org, member, role, notAfter, seq)));
        _requireSigned(entry.key, digest, signature);

        // Effect
        membership[org][member] = Membership({role: role, notAfter: notAfter, seq: seq});
        emit MembershipSet(org, member, role, notAfter, seq, ++entry.epoch);
    }

    /// @inheritdoc IIdentityRegistry
    function isMember(bytes32 org, bytes32 member) external view returns (bool) {
        return block.timestamp < membership[org][member].notAfter && isActor(org) && isActor(member);
    }
}
