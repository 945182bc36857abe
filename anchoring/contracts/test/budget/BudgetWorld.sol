// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {World} from "../World.sol";

/// @notice A gateway with one ledger and two accounts below it, one of them above the ledger's own limit.
abstract contract BudgetWorld is World {
    address internal constant OWNER = address(0x6A);
    address internal constant DEBTOR = address(0xDE);
    bytes32 internal constant POPULATION = keccak256("population");
    uint64 internal constant LIMIT = 10_000_000;
    uint64 internal constant DATASET_LIMIT = 3_000_000;
    uint64 internal constant GROUP_LIMIT = 12_000_000;
    /// @dev In ascending order.
    bytes32 internal constant DATASET = bytes32(uint256(0xDA7A));
    bytes32 internal constant GROUP = bytes32(uint256(0x60000));

    bytes32 internal gateway;
    bytes32 internal ledger;

    function setUp() public virtual override {
        super.setUp();
        vm.prank(OWNER);
        gateway = identity.registerGateway(0, "receipt key");
        ledger = _openLedger(LIMIT, DEBTOR);
        _openAccount(DATASET, DATASET_LIMIT);
        _openAccount(GROUP, GROUP_LIMIT);
    }

    function _openLedger(uint64 limit, address debtor) internal returns (bytes32) {
        vm.prank(OWNER);
        return budgets.openLedger(gateway, POPULATION, limit, debtor);
    }

    function _openAccount(bytes32 account, uint64 limit) internal {
        vm.prank(OWNER);
        budgets.openAccount(ledger, account, limit);
    }

    function _debit(bytes32[] memory accounts, uint64 amount, bytes32 ref) internal {
        vm.prank(DEBTOR);
        budgets.debit(ledger, accounts, amount, ref);
    }

    function _none() internal pure returns (bytes32[] memory) {
        return new bytes32[](0);
    }

    function _one(bytes32 account) internal pure returns (bytes32[] memory accounts) {
        accounts = new bytes32[](1);
        accounts[0] = account;
    }

    function _two(bytes32 first, bytes32 second) internal pure returns (bytes32[] memory accounts) {
        accounts = new bytes32[](2);
        (accounts[0], accounts[1]) = (first, second);
    }

    function _spent() internal view returns (uint64 spent) {
        (,,, spent) = budgets.ledgerOf(ledger);
    }

    function _spentOf(bytes32 account) internal view returns (uint64 spent) {
        (, spent) = budgets.accountOf(ledger, account);
    }
}
