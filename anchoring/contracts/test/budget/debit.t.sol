// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IBudgetLedger} from "../../src/interfaces/IBudgetLedger.sol";
import {BudgetWorld} from "./BudgetWorld.sol";

contract DebitTest is BudgetWorld {
    function test_RefusesAnyoneButTheDebtor(address caller) external {
        vm.assume(caller != DEBTOR);
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.NotDebtor.selector, ledger, caller));
        vm.prank(caller);
        budgets.debit(ledger, _none(), 1, "ref");
    }

    function test_RefusesAnyoneButTheDebtorWhatStandsToo() external {
        _debit(_none(), 1, "ref");
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.NotDebtor.selector, ledger, OWNER));
        vm.prank(OWNER);
        budgets.debit(ledger, _none(), 1, "ref");
    }

    function test_RefusesAnUnknownLedger(bytes32 unknown) external {
        vm.assume(unknown != ledger);
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.NotDebtor.selector, unknown, DEBTOR));
        vm.prank(DEBTOR);
        budgets.debit(unknown, _none(), 1, "ref");
    }

    function test_RefusesNoAmount() external {
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.InvalidAmount.selector));
        _debit(_one(DATASET), 0, "ref");
    }

    function test_TakesFourAccounts() external {
        _debit(_several(4), 5, "ref");
        vm.assertEq(_spentOf(bytes32(uint256(4))), 5);
    }

    function test_RefusesMoreThanFourAccounts() external {
        bytes32[] memory accounts = _several(5);
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.TooManyAccounts.selector, 5));
        _debit(accounts, 5, "ref");
    }

    function test_RefusesAnAccountTwice() external {
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.AccountsUnordered.selector, ledger, DATASET));
        _debit(_two(DATASET, DATASET), 1, "ref");
    }

    function test_RefusesAccountsOutOfOrder() external {
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.AccountsUnordered.selector, ledger, DATASET));
        _debit(_two(GROUP, DATASET), 1, "ref");
    }

    function test_RefusesAnAccountThatIsNotOpen(bytes32 account) external {
        vm.assume(account != DATASET && account != GROUP);
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.NoAccount.selector, ledger, account));
        _debit(_one(account), 1, "ref");
    }

    function test_RefusesAnAccountOfAnotherLedger() external {
        vm.prank(OWNER);
        bytes32 other = budgets.openLedger(gateway, "another", LIMIT, DEBTOR);
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.NoAccount.selector, other, DATASET));
        vm.prank(DEBTOR);
        budgets.debit(other, _one(DATASET), 1, "ref");
    }

    function test_RefusesMoreThanTheLedgerHasLeft(uint64 amount) external {
        vm.assume(amount >= LIMIT);
        _debit(_none(), 1, "first");
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.LedgerExhausted.selector, ledger, LIMIT - 1));
        _debit(_one(GROUP), amount, "ref");
    }

    function test_RefusesMoreThanAnAccountHasLeftAndSpendsNothing() external {
        _debit(_one(DATASET), 1, "first");
        uint64 left = DATASET_LIMIT - 1;
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.AccountExhausted.selector, ledger, DATASET, left));
        _debit(_two(DATASET, GROUP), DATASET_LIMIT, "ref");
        vm.assertTrue(_spent() == 1 && _spentOf(DATASET) == 1 && _spentOf(GROUP) == 0);
        vm.assertEq(budgets.debitOf(ledger, "ref"), 0);
    }

    function test_WhatIsLeftOfAnAccountCanBeSpent() external {
        _debit(_one(DATASET), 1, "first");
        _debit(_one(DATASET), DATASET_LIMIT - 1, "ref");
        vm.assertEq(_spentOf(DATASET), DATASET_LIMIT);
    }

    function test_TheSameAgainSucceedsWithoutAnEventThoughNothingIsLeft(uint64 amount) external {
        amount = 1 + amount % LIMIT;
        _debit(_one(GROUP), amount, "ref");
        if (amount < LIMIT) _debit(_none(), LIMIT - amount, "rest");
        vm.recordLogs();
        _debit(_one(GROUP), amount, "ref");
        _assertNoEvent();
        vm.assertTrue(_spent() == LIMIT && _spentOf(GROUP) == amount);
    }

    function test_RefusesAnotherAmountUnderTheSameReference(uint64 amount) external {
        vm.assume(amount != 7);
        _debit(_one(GROUP), 7, "ref");
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.DebitTaken.selector, ledger, bytes32("ref")));
        _debit(_one(GROUP), amount, "ref");
    }

    function test_RefusesOtherAccountsUnderTheSameReference() external {
        _debit(_one(GROUP), 7, "ref");
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.DebitTaken.selector, ledger, bytes32("ref")));
        _debit(_two(DATASET, GROUP), 7, "ref");
    }

    function test_AnotherLedgerTakesTheSameReference() external {
        _debit(_none(), 7, "ref");
        vm.prank(OWNER);
        bytes32 other = budgets.openLedger(gateway, "another", LIMIT, DEBTOR);
        vm.prank(DEBTOR);
        budgets.debit(other, _none(), 9, "ref");
        vm.assertEq(budgets.debitOf(other, "ref"), keccak256(abi.encode(uint64(9), _none())));
        vm.assertEq(_spent(), 7);
    }

    function test_SpendsFromTheLedgerAndEachAccount(uint64 amount, bytes32 ref) external {
        vm.assume(ref != "first");
        amount = 1 + amount % (DATASET_LIMIT - 3);
        _debit(_one(DATASET), 3, "first");
        bytes32[] memory accounts = _two(DATASET, GROUP);
        vm.expectEmit(address(budgets));
        emit IBudgetLedger.Debited(ledger, ref, amount, accounts);
        _debit(accounts, amount, ref);
        vm.assertTrue(_spent() == amount + 3 && _spentOf(DATASET) == amount + 3 && _spentOf(GROUP) == amount);
        vm.assertEq(budgets.debitOf(ledger, ref), keccak256(abi.encode(amount, accounts)));
    }

    function test_WhatIsSpentNeverExceedsALimit(uint64[8] calldata amounts, uint8 named) external {
        uint256 taken;
        for (uint256 i = 0; i < amounts.length; ++i) {
            uint64 amount = amounts[i] % (LIMIT / 2);
            bytes32[] memory accounts = (named >> i) & 1 == 1 ? _two(DATASET, GROUP) : _one(GROUP);
            vm.prank(DEBTOR);
            try budgets.debit(ledger, accounts, amount, bytes32(i)) {
                taken += amount;
            } catch {}
        }
        vm.assertEq(_spent(), taken);
        vm.assertEq(_spentOf(GROUP), taken);
        vm.assertTrue(_spent() <= LIMIT && _spentOf(DATASET) <= DATASET_LIMIT);
    }

    /// @dev The accounts 1 to `count`, open.
    function _several(uint256 count) private returns (bytes32[] memory accounts) {
        accounts = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            accounts[i] = bytes32(i + 1);
            _openAccount(accounts[i], LIMIT);
        }
    }
}
