// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IBudgetLedger} from "../../src/interfaces/IBudgetLedger.sol";
import {Vm} from "../Vm.sol";
import {BudgetMoves} from "./BudgetMoves.sol";
import {Campaign} from "./Campaign.sol";

contract BudgetInvariants is Campaign {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    BudgetMoves private _made;
    IBudgetLedger private _budgets;

    function setUp() external {
        _made = new BudgetMoves();
        _made.setUp();
        _budgets = IBudgetLedger(_made.registry());
    }

    /// @dev One campaign judged four ways, rather than as many campaigns.
    function invariant_EveryLedgerIsTheSumOfItsDebits() external view {
        for (uint256 which = 0; which < 2; ++which) {
            BudgetMoves.Debit[] memory debits = _made.debitsOf(which);
            _theLedgerSpentWhatWasDebitedAndNoMoreThanItsLimit(which, debits);
            _soDidEachAccount(which, debits);
            _everyDebitStandsUnderAReferenceOfItsOwn(which, debits);
        }
        vm.assertEq(_made.wronglyTaken(), 0);
    }

    function _theLedgerSpentWhatWasDebitedAndNoMoreThanItsLimit(uint256 which, BudgetMoves.Debit[] memory debits)
        private
        view
    {
        uint256 sum;
        for (uint256 i = 0; i < debits.length; ++i) {
            sum += debits[i].amount;
        }
        (, address debtor, uint64 limit, uint64 spent) = _budgets.ledgerOf(_made.ledgers(which));
        vm.assertEq(spent, sum);
        vm.assertEq(limit, _made.limits(which));
        vm.assertTrue(spent <= limit);
        vm.assertEq(debtor, _made.debtorOf(which));
    }

    function _soDidEachAccount(uint256 which, BudgetMoves.Debit[] memory debits) private view {
        for (uint256 account = 0; account < 3; ++account) {
            uint256 sum;
            for (uint256 i = 0; i < debits.length; ++i) {
                for (uint256 j = 0; j < debits[i].accounts.length; ++j) {
                    if (debits[i].accounts[j] == _made.accountAt(account)) sum += debits[i].amount;
                }
            }
            (uint64 limit, uint64 spent) = _budgets.accountOf(_made.ledgers(which), _made.accountAt(account));
            vm.assertEq(spent, sum);
            vm.assertEq(limit, _made.accountLimits(account));
            vm.assertTrue(spent <= limit);
        }
    }

    function _everyDebitStandsUnderAReferenceOfItsOwn(uint256 which, BudgetMoves.Debit[] memory debits) private view {
        for (uint256 i = 0; i < debits.length; ++i) {
            bytes32 digest = keccak256(abi.encode(debits[i].amount, debits[i].accounts));
            vm.assertEq(_budgets.debitOf(_made.ledgers(which), debits[i].ref), digest);
            for (uint256 j = i + 1; j < debits.length; ++j) {
                vm.assertTrue(debits[i].ref != debits[j].ref);
            }
        }
    }

    function _target() internal view override returns (address) {
        return address(_made);
    }

    function _moves() internal pure override returns (bytes4[] memory moves) {
        moves = new bytes4[](4);
        moves[0] = BudgetMoves.debitAs.selector;
        moves[1] = BudgetMoves.repeat.selector;
        moves[2] = BudgetMoves.replaceDebtorAs.selector;
        moves[3] = BudgetMoves.raiseAs.selector;
    }
}
