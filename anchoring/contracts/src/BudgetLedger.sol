// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IBudgetLedger} from "./interfaces/IBudgetLedger.sol";
import {IIdentityRegistry} from "./interfaces/IIdentityRegistry.sol";

/// @title Privacy budgets of populations
/// @notice `IBudgetLedger` says what holds.
contract BudgetLedger is IBudgetLedger {
    /// @dev One slot. Open once it has a limit; never spent beyond it, so that what is left is never negative.
    struct Budget {
        uint64 limit;
        uint64 spent;
    }

    /// @dev Three slots; a debit reads the second and writes the third. Open once it has a debtor.
    struct Ledger {
        bytes32 gateway;
        address debtor;
        Budget total;
    }

    uint256 private constant MAX_ACCOUNTS = 4;

    /// @inheritdoc IBudgetLedger
    IIdentityRegistry public immutable identity;

    mapping(bytes32 ledger => Ledger) private _ledgers;
    /// @inheritdoc IBudgetLedger
    mapping(bytes32 ledger => mapping(bytes32 account => Budget)) public accountOf;
    /// @inheritdoc IBudgetLedger
    mapping(bytes32 ledger => mapping(bytes32 ref => bytes32 digest)) public debitOf;

    constructor(IIdentityRegistry identity_) {
        identity = identity_;
    }

    /// @inheritdoc IBudgetLedger
    function openLedger(bytes32 gateway, bytes32 population, uint64 limit, address debtor)
        external
        returns (bytes32 ledger)
    {
        // Check
        _requireGatewayOwner(gateway);
        require(debtor != address(0), InvalidDebtor());
        require(limit != 0, InvalidLimit());
        ledger = keccak256(abi.encode(gateway, population));
        Ledger storage entry = _ledgers[ledger];
        if (entry.debtor != address(0)) {
            require(entry.total.limit == limit && entry.debtor == debtor, LedgerTaken(ledger));
            return ledger;
        }

        // Effect
        (entry.gateway, entry.debtor, entry.total.limit) = (gateway, debtor, limit);
        emit LedgerOpened(ledger, gateway, population, limit, debtor);
    }

    /// @inheritdoc IBudgetLedger
    function setDebtor(bytes32 ledger, address debtor) external {
        // Check
        Ledger storage entry = _ledgers[ledger];
        _requireGatewayOwner(entry.gateway);
        require(debtor != address(0), InvalidDebtor());
        if (entry.debtor == debtor) return;

        // Effect
        entry.debtor = debtor;
        emit DebtorSet(ledger, debtor);
    }

    /// @inheritdoc IBudgetLedger
    function openAccount(bytes32 ledger, bytes32 account, uint64 limit) external {
        // Check
        _requireGatewayOwner(_ledgers[ledger].gateway);
        require(limit != 0, InvalidLimit());
        Budget storage entry = accountOf[ledger][account];
        if (entry.limit != 0) {
            require(entry.limit == limit, AccountTaken(ledger, account));
            return;
        }

        // Effect
        entry.limit = limit;
        emit AccountOpened(ledger, account, limit);
    }

    /// @inheritdoc IBudgetLedger
    function debit(bytes32 ledger, bytes32[] calldata accounts, uint64 amount, bytes32 ref) external {
        // Check
        Ledger storage entry = _ledgers[ledger];
        require(msg.sender == entry.debtor, NotDebtor(ledger, msg.sender));
        bytes32 digest = keccak256(abi.encode(amount, accounts));
        bytes32 standing = debitOf[ledger][ref];
        if (standing != 0) {
            require(standing == digest, DebitTaken(ledger, ref));
            return;
        }
        require(amount != 0, InvalidAmount());
        uint64 left = _left(entry.total);
        require(amount <= left, LedgerExhausted(ledger, left));
        _requireRoom(ledger, accounts, amount);

        // Effect
        debitOf[ledger][ref] = digest;
        entry.total.spent += amount;
        for (uint256 i = 0; i < accounts.length; ++i) {
            accountOf[ledger][accounts[i]].spent += amount;
        }
        emit Debited(ledger, ref, amount, accounts);
    }

    /// @inheritdoc IBudgetLedger
    function ledgerOf(bytes32 ledger)
        external
        view
        returns (bytes32 gateway, address debtor, uint64 limit, uint64 spent)
    {
        Ledger storage entry = _ledgers[ledger];
        return (entry.gateway, entry.debtor, entry.total.limit, entry.total.spent);
    }

    function _requireRoom(bytes32 ledger, bytes32[] calldata accounts, uint64 amount) private view {
        require(accounts.length <= MAX_ACCOUNTS, TooManyAccounts(accounts.length));
        for (uint256 i = 0; i < accounts.length; ++i) {
            bytes32 account = accounts[i];
            require(i == 0 || accounts[i - 1] < account, AccountsUnordered(ledger, account));
            Budget storage entry = accountOf[ledger][account];
            require(entry.limit != 0, NoAccount(ledger, account));
            uint64 left = _left(entry);
            require(amount <= left, AccountExhausted(ledger, account, left));
        }
    }

    function _left(Budget storage budget) private view returns (uint64) {
        return budget.limit - budget.spent;
    }

    function _requireGatewayOwner(bytes32 gateway) private view {
        require(msg.sender == identity.gatewayOwner(gateway), NotGatewayOwner(gateway, msg.sender));
    }
}
