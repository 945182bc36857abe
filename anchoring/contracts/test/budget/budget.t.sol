// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IBudgetLedger} from "../../src/interfaces/IBudgetLedger.sol";
import {BudgetWorld} from "./BudgetWorld.sol";

contract OpenLedgerTest is BudgetWorld {
    function test_RefusesAnyoneButTheGatewaysOwner(address caller) external {
        vm.assume(caller != OWNER);
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.NotGatewayOwner.selector, gateway, caller));
        vm.prank(caller);
        budgets.openLedger(gateway, "another", LIMIT, DEBTOR);
    }

    function test_RefusesNobodyAsDebtor() external {
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.InvalidDebtor.selector));
        vm.prank(OWNER);
        budgets.openLedger(gateway, "another", LIMIT, address(0));
    }

    function test_RefusesNoLimit() external {
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.InvalidLimit.selector));
        vm.prank(OWNER);
        budgets.openLedger(gateway, "another", 0, DEBTOR);
    }

    function test_TheSameAgainSucceedsWithoutAnEvent() external {
        _debit(_none(), 7, "ref");
        vm.recordLogs();
        vm.assertEq(_openLedger(LIMIT, DEBTOR), ledger);
        _assertNoEvent();
        vm.assertEq(_spent(), 7);
    }

    function test_ALimitNeverChanges(uint64 limit) external {
        vm.assume(limit != 0 && limit != LIMIT);
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.LedgerTaken.selector, ledger));
        _openLedger(limit, DEBTOR);
    }

    function test_RefusesAnOpenLedgerWithAnotherDebtor() external {
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.LedgerTaken.selector, ledger));
        _openLedger(LIMIT, STRANGER);
    }

    function test_Opens(bytes32 population, uint64 limit, address debtor) external {
        vm.assume(population != POPULATION && limit != 0 && debtor != address(0));
        bytes32 expected = keccak256(abi.encode(gateway, population));
        vm.expectEmit(address(budgets));
        emit IBudgetLedger.LedgerOpened(expected, gateway, population, limit, debtor);
        vm.prank(OWNER);
        vm.assertEq(budgets.openLedger(gateway, population, limit, debtor), expected);
        (bytes32 gatewayNow, address debtorNow, uint64 limitNow, uint64 spent) = budgets.ledgerOf(expected);
        vm.assertTrue(gatewayNow == gateway && debtorNow == debtor && limitNow == limit && spent == 0);
    }

    function test_AnotherGatewaysLedgerOfThePopulationIsAnother() external {
        vm.prank(STRANGER);
        bytes32 other = identity.registerGateway(0, "receipt key");
        vm.prank(STRANGER);
        vm.assertTrue(budgets.openLedger(other, POPULATION, LIMIT, DEBTOR) != ledger);
    }
}

contract SetDebtorTest is BudgetWorld {
    function test_RefusesAnyoneButTheGatewaysOwner(address caller) external {
        vm.assume(caller != OWNER);
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.NotGatewayOwner.selector, gateway, caller));
        vm.prank(caller);
        budgets.setDebtor(ledger, caller);
    }

    function test_RefusesAnUnknownLedger() external {
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.NotGatewayOwner.selector, bytes32(0), OWNER));
        vm.prank(OWNER);
        budgets.setDebtor(keccak256("no ledger"), STRANGER);
    }

    function test_RefusesNobodyAsDebtor() external {
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.InvalidDebtor.selector));
        vm.prank(OWNER);
        budgets.setDebtor(ledger, address(0));
    }

    function test_TheSameAgainSucceedsWithoutAnEvent() external {
        vm.recordLogs();
        vm.prank(OWNER);
        budgets.setDebtor(ledger, DEBTOR);
        _assertNoEvent();
    }

    function test_OnlyTheNextDebtorDebits() external {
        _debit(_none(), 7, "ref");
        vm.expectEmit(address(budgets));
        emit IBudgetLedger.DebtorSet(ledger, STRANGER);
        vm.prank(OWNER);
        budgets.setDebtor(ledger, STRANGER);
        vm.prank(STRANGER);
        budgets.debit(ledger, _none(), 1, "next");
        (bytes32 gatewayNow, address debtor, uint64 limit, uint64 spent) = budgets.ledgerOf(ledger);
        vm.assertTrue(gatewayNow == gateway && debtor == STRANGER && limit == LIMIT && spent == 8);
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.NotDebtor.selector, ledger, DEBTOR));
        _debit(_none(), 1, "last");
    }
}

contract OpenAccountTest is BudgetWorld {
    function test_RefusesAnyoneButTheGatewaysOwner(address caller) external {
        vm.assume(caller != OWNER);
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.NotGatewayOwner.selector, gateway, caller));
        vm.prank(caller);
        budgets.openAccount(ledger, "another", 1);
    }

    function test_RefusesAnUnknownLedger() external {
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.NotGatewayOwner.selector, bytes32(0), OWNER));
        vm.prank(OWNER);
        budgets.openAccount(keccak256("no ledger"), DATASET, 1);
    }

    function test_RefusesNoLimit() external {
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.InvalidLimit.selector));
        _openAccount("another", 0);
    }

    function test_TheSameAgainSucceedsWithoutAnEvent() external {
        _debit(_one(DATASET), 7, "ref");
        vm.recordLogs();
        _openAccount(DATASET, DATASET_LIMIT);
        _assertNoEvent();
        vm.assertEq(_spentOf(DATASET), 7);
    }

    function test_ALimitNeverChanges(uint64 limit) external {
        vm.assume(limit != 0 && limit != DATASET_LIMIT);
        vm.expectRevert(abi.encodeWithSelector(IBudgetLedger.AccountTaken.selector, ledger, DATASET));
        _openAccount(DATASET, limit);
    }

    function test_OpensThoughItsLimitIsAboveTheLedgers(bytes32 account, uint64 limit) external {
        vm.assume(account != DATASET && account != GROUP && limit != 0);
        vm.expectEmit(address(budgets));
        emit IBudgetLedger.AccountOpened(ledger, account, limit);
        _openAccount(account, limit);
        (uint64 limitNow, uint64 spent) = budgets.accountOf(ledger, account);
        vm.assertTrue(limitNow == limit && spent == 0);
    }
}
