// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IIdentityRegistry} from "../interfaces/IIdentityRegistry.sol";
import {Signers} from "./Signers.sol";

/// @notice Gateways and the keys of their receipts. A key's time is kept, so that old receipts still verify and none
/// can be dated after its key was replaced.
abstract contract Gateways is Signers {
    struct Gateway {
        address owner;
        bytes32 receiptKeyHash;
    }

    /// @dev Blocks: current from `since` on, replaced in `until`.
    struct Term {
        uint64 since;
        uint64 until;
    }

    mapping(bytes32 gateway => Gateway) private _gateways;
    mapping(bytes32 gateway => mapping(bytes32 keyHash => Term)) private _terms;

    /// @inheritdoc IIdentityRegistry
    function registerGateway(bytes32 salt, bytes calldata receiptKey) external returns (bytes32 gateway) {
        // Check
        gateway = keccak256(abi.encode(msg.sender, salt));
        Gateway storage entry = _gateways[gateway];
        bytes32 keyHash = keccak256(receiptKey);
        if (entry.owner != address(0)) {
            require(entry.receiptKeyHash == keyHash, GatewayTaken(gateway));
            return gateway;
        }
        _requireReceiptKey(gateway, receiptKey);

        // Effect
        entry.owner = msg.sender;
        entry.receiptKeyHash = keyHash;
        _terms[gateway][keyHash].since = uint64(block.number);
        emit GatewayRegistered(gateway, msg.sender, salt, receiptKey);
    }

    /// @inheritdoc IIdentityRegistry
    function setReceiptKey(bytes32 gateway, bytes calldata receiptKey) external {
        // Check
        Gateway storage entry = _gateways[gateway];
        require(msg.sender == entry.owner, NotGatewayOwner(gateway, msg.sender));
        bytes32 keyHash = keccak256(receiptKey);
        if (entry.receiptKeyHash == keyHash) return;
        _requireReceiptKey(gateway, receiptKey);
        require(_terms[gateway][keyHash].since == 0, ReceiptKeyRetired(gateway, keyHash));

        // Effect
        _terms[gateway][entry.receiptKeyHash].until = uint64(block.number);
        _terms[gateway][keyHash].since = uint64(block.number);
        entry.receiptKeyHash = keyHash;
        emit ReceiptKeyChanged(gateway, receiptKey);
    }

    /// @inheritdoc IIdentityRegistry
    function gatewayOwner(bytes32 gateway) external view returns (address) {
        return _gateways[gateway].owner;
    }

    /// @inheritdoc IIdentityRegistry
    function receiptKeySince(bytes32 gateway, bytes32 keyHash) external view returns (uint64 blockNumber) {
        return _terms[gateway][keyHash].since;
    }

    /// @inheritdoc IIdentityRegistry
    function receiptKeyUntil(bytes32 gateway, bytes32 keyHash) external view returns (uint64 blockNumber) {
        return _terms[gateway][keyHash].until;
    }

    function _requireReceiptKey(bytes32 gateway, bytes calldata receiptKey) private pure {
        require(receiptKey.length != 0 && receiptKey.length <= MAX_KEY_BYTES, InvalidReceiptKey(gateway));
    }
}
