// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {BudgetWorld} from "../budget/BudgetWorld.sol";

/// @notice Debtors, owners, and those who are neither, at two ledgers with the same three accounts; what was taken is
/// written down beside.
contract BudgetMoves is BudgetWorld {
    struct Debit {
        bytes32 ref;
        uint64 amount;
        bytes32[] accounts;
    }

    uint64[2] public limits = [uint64(1000), 60];
    uint64[3] public accountLimits = [uint64(400), 700, 2000];
    bytes32[2] public ledgers;
    address[2] public debtorOf;
    uint256 public wronglyTaken;
    Debit[][2] private _debits;

    function setUp() public override {
        super.setUp();
        for (uint256 which = 0; which < 2; ++which) {
            debtorOf[which] = which == 0 ? DEBTOR : STRANGER;
            vm.prank(OWNER);
            ledgers[which] = budgets.openLedger(gateway, bytes32(which), limits[which], debtorOf[which]);
            for (uint256 i = 0; i < 3; ++i) {
                vm.prank(OWNER);
                budgets.openAccount(ledgers[which], accountAt(i), accountLimits[i]);
            }
        }
    }

    /// @dev References from a small set, so that some come twice; accounts by the bits of a number.
    function debitAs(address caller, bool right, uint8 which, uint8 named, uint8 amount, uint8 ref) external {
        uint256 place = which % 2;
        if (right) caller = debtorOf[place];
        Debit memory asked = Debit(bytes32(uint256(ref % 32)), amount % 128, _accounts(named));
        bool due = caller == debtorOf[place] && asked.amount != 0 && _hasRoom(place, asked);
        (bool holds, bool same) = _standing(place, asked);
        if (holds) due = caller == debtorOf[place] && same;
        vm.prank(caller);
        try budgets.debit(ledgers[place], asked.accounts, asked.amount, asked.ref) {
            if (!due) ++wronglyTaken;
            if (!holds) _debits[place].push(asked);
        } catch {
            if (due) ++wronglyTaken;
        }
    }

    function repeat(uint8 which, uint8 number) external {
        uint256 place = which % 2;
        if (_debits[place].length == 0) return;
        Debit memory again = _debits[place][number % _debits[place].length];
        vm.prank(debtorOf[place]);
        budgets.debit(ledgers[place], again.accounts, again.amount, again.ref);
    }

    function replaceDebtorAs(address caller, bool right, uint8 which, address next) external {
        uint256 place = which % 2;
        if (right) caller = OWNER;
        bool due = caller == OWNER && next != address(0);
        vm.prank(caller);
        try budgets.setDebtor(ledgers[place], next) {
            if (!due) ++wronglyTaken;
            debtorOf[place] = next;
        } catch {
            if (due) ++wronglyTaken;
        }
    }

    /// @dev Nothing that is open takes another limit, whoever asks.
    function raiseAs(address caller, bool right, uint8 which, uint8 account, uint64 limit) external {
        uint256 place = which % 2;
        if (right) caller = OWNER;
        if (limit != limits[place]) {
            vm.prank(caller);
            try budgets.openLedger(gateway, bytes32(place), limit, debtorOf[place]) {
                ++wronglyTaken;
            } catch {}
        }
        if (limit == accountLimits[account % 3]) return;
        vm.prank(caller);
        try budgets.openAccount(ledgers[place], accountAt(account % 3), limit) {
            ++wronglyTaken;
        } catch {}
    }

    function registry() external view returns (address) {
        return address(budgets);
    }

    function debitsOf(uint256 which) external view returns (Debit[] memory) {
        return _debits[which];
    }

    function accountAt(uint256 i) public pure returns (bytes32) {
        return bytes32(i + 1);
    }

    function _accounts(uint8 named) private pure returns (bytes32[] memory accounts) {
        accounts = new bytes32[]((named & 1) + ((named >> 1) & 1) + ((named >> 2) & 1));
        uint256 count;
        for (uint256 i = 0; i < 3; ++i) {
            if ((named >> i) & 1 == 1) accounts[count++] = accountAt(i);
        }
    }

    function _hasRoom(uint256 which, Debit memory asked) private view returns (bool) {
        uint256 spent = asked.amount;
        uint256[3] memory spentOf;
        for (uint256 i = 0; i < asked.accounts.length; ++i) {
            spentOf[uint256(asked.accounts[i]) - 1] = asked.amount;
        }
        for (uint256 i = 0; i < _debits[which].length; ++i) {
            Debit storage one = _debits[which][i];
            spent += one.amount;
            for (uint256 j = 0; j < one.accounts.length; ++j) {
                spentOf[uint256(one.accounts[j]) - 1] += one.amount;
            }
        }
        for (uint256 i = 0; i < asked.accounts.length; ++i) {
            uint256 account = uint256(asked.accounts[i]) - 1;
            if (spentOf[account] > accountLimits[account]) return false;
        }
        return spent <= limits[which];
    }

    function _standing(uint256 which, Debit memory asked) private view returns (bool holds, bool same) {
        for (uint256 i = 0; i < _debits[which].length; ++i) {
            Debit memory one = _debits[which][i];
            if (one.ref == asked.ref) return (true, keccak256(abi.encode(one)) == keccak256(abi.encode(asked)));
        }
    }
}
