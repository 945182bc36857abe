// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IIdentityRegistry} from "../interfaces/IIdentityRegistry.sol";
import {Signers} from "./Signers.sol";

/// @notice People, organizations and devices. A registrar opens, classes and strikes off; keys and profiles change only
/// by the actor's own signature.
abstract contract Actors is Signers {
    /// @dev Registered once it has a key. `profile` is keccak256(abi.encode(profileDigest, encryptionKey)).
    struct Actor {
        bytes key;
        bytes32 profile;
        uint32 roles;
        uint64 epoch;
        bool removed;
    }

    bytes32 private constant KEY_ROTATION_TYPEHASH = keccak256("KeyRotation(bytes32 actor,bytes key,uint64 epoch)");
    bytes32 private constant PROFILE_TYPEHASH =
        keccak256("Profile(bytes32 actor,bytes32 profileDigest,bytes encryptionKey,uint64 epoch)");

    mapping(bytes32 actor => Actor) private _actors;
    /// @dev Kept when a key is replaced: a key that spoke for one actor never speaks for another.
    mapping(bytes32 keyHash => bytes32 actor) private _actorOfKey;

    /// @inheritdoc IIdentityRegistry
    function registerActor(
        bytes32 actor,
        bytes calldata key,
        uint32 roles,
        bytes32 profileDigest,
        bytes calldata encryptionKey
    ) external onlyEnroller {
        // Check
        require(actor != 0, InvalidActor());
        _requireEncryptionKey(actor, encryptionKey);
        bytes32 profile = keccak256(abi.encode(profileDigest, encryptionKey));
        Actor storage entry = _actors[actor];
        if (entry.key.length != 0) {
            bool same = keccak256(entry.key) == keccak256(key) && entry.roles == roles && entry.profile == profile;
            require(same && !entry.removed, ActorTaken(actor));
            return;
        }
        _requireSigner(key);

        // Effect
        _bindKey(actor, key);
        entry.profile = profile;
        entry.roles = roles;
        emit ActorRegistered(actor, msg.sender, key, roles, profileDigest, encryptionKey);
    }

    /// @inheritdoc IIdentityRegistry
    function rotateKey(bytes32 actor, bytes calldata key, bytes calldata signature, bytes calldata keySignature)
        external
    {
        // Check
        Actor storage entry = _liveActor(actor);
        if (keccak256(entry.key) == keccak256(key)) return;
        _requireSigner(key);
        bytes32 digest =
            _hashTypedDataV4(keccak256(abi.encode(KEY_ROTATION_TYPEHASH, actor, keccak256(key), entry.epoch)));
        _requireSigned(entry.key, digest, signature);
        _requireSigned(key, digest, keySignature);

        // Effect
        _bindKey(actor, key);
        emit KeyRotated(actor, key, ++entry.epoch);
    }

    /// @inheritdoc IIdentityRegistry
    function setProfile(bytes32 actor, bytes32 profileDigest, bytes calldata encryptionKey, bytes calldata signature)
        external
    {
        // Check
        Actor storage entry = _liveActor(actor);
        _requireEncryptionKey(actor, encryptionKey);
        bytes32 profile = keccak256(abi.encode(profileDigest, encryptionKey));
        if (entry.profile == profile) return;
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(PROFILE_TYPEHASH, actor, profileDigest, keccak256(encryptionKey), entry.epoch))
        );
        _requireSigned(entry.key, digest, signature);

        // Effect
        entry.profile = profile;
        emit ProfileChanged(actor, profileDigest, encryptionKey, ++entry.epoch);
    }

    /// @inheritdoc IIdentityRegistry
    function setRoles(bytes32 actor, uint32 roles) external onlyEnroller {
        // Check
        Actor storage entry = _liveActor(actor);
        if (entry.roles == roles) return;

        // Effect
        entry.roles = roles;
        emit RolesChanged(actor, roles, ++entry.epoch);
    }

    /// @inheritdoc IIdentityRegistry
    function removeActor(bytes32 actor) external onlyEnroller {
        // Check
        Actor storage entry = _actors[actor];
        if (entry.removed) return;
        require(entry.key.length != 0, NotActor(actor));

        // Effect
        entry.removed = true;
        emit ActorRemoved(actor, ++entry.epoch);
    }

    /// @inheritdoc IIdentityRegistry
    function actorState(bytes32 actor)
        external
        view
        returns (bytes memory key, uint32 roles, uint64 epoch, bool removed)
    {
        Actor storage entry = _actors[actor];
        return (entry.key, entry.roles, entry.epoch, entry.removed);
    }

    /// @inheritdoc IIdentityRegistry
    function actorOfKey(bytes32 keyHash) external view returns (bytes32 actor) {
        actor = _actorOfKey[keyHash];
        if (!isActor(actor) || keccak256(_actors[actor].key) != keyHash) return 0;
    }

    /// @inheritdoc IIdentityRegistry
    function isActor(bytes32 actor) public view returns (bool) {
        Actor storage entry = _actors[actor];
        return entry.key.length != 0 && !entry.removed;
    }

    function _liveActor(bytes32 actor) internal view returns (Actor storage) {
        require(isActor(actor), NotActor(actor));
        return _actors[actor];
    }

    function _bindKey(bytes32 actor, bytes calldata key) private {
        bytes32 keyHash = keccak256(key);
        require(_actorOfKey[keyHash] == 0, KeyTaken(keyHash, _actorOfKey[keyHash]));
        _actorOfKey[keyHash] = actor;
        _actors[actor].key = key;
    }

    function _requireEncryptionKey(bytes32 actor, bytes calldata encryptionKey) private pure {
        require(encryptionKey.length <= MAX_KEY_BYTES, InvalidEncryptionKey(actor));
    }
}
