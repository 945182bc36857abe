// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IIdentityRegistry} from "./IIdentityRegistry.sol";

/// @title Privacy budgets of populations
/// @notice What may ever be told of a population under differential privacy, and what of it is spent, in millionths of
/// epsilon. A ledger is one population's of one gateway; accounts below it bound a data set or a group of researchers.
/// Limits are a promise to the patients: what is open never gets another limit, and nothing that was spent is ever given
/// back. Accounts' limits may together exceed their ledger's, which bounds the total. Names are random or hashes; nothing
/// here is personal.
interface IBudgetLedger {
    /// @notice A gateway opened a population's ledger.
    event LedgerOpened(
        bytes32 indexed ledger, bytes32 indexed gateway, bytes32 indexed population, uint64 limit, address debtor
    );
    /// @notice A ledger is debited by another account on chain from now on.
    event DebtorSet(bytes32 indexed ledger, address debtor);
    /// @notice An account was opened below a ledger.
    event AccountOpened(bytes32 indexed ledger, bytes32 indexed account, uint64 limit);
    /// @notice The ledger and each of these accounts have spent `amount` more.
    event Debited(bytes32 indexed ledger, bytes32 indexed ref, uint64 amount, bytes32[] accounts);

    /// @notice The caller does not own the ledger's gateway, or there is no such gateway or ledger.
    error NotGatewayOwner(bytes32 gateway, address caller);
    /// @notice The zero account debits nothing.
    error InvalidDebtor();
    /// @notice A limit is at least one millionth.
    error InvalidLimit();
    /// @notice The ledger is open with another limit or debtor.
    error LedgerTaken(bytes32 ledger);
    /// @notice The account is open with another limit.
    error AccountTaken(bytes32 ledger, bytes32 account);
    /// @notice The caller does not debit this ledger, or there is none.
    error NotDebtor(bytes32 ledger, address caller);
    /// @notice A debit takes at least one millionth.
    error InvalidAmount();
    /// @notice What stands under this reference has another amount or other accounts.
    error DebitTaken(bytes32 ledger, bytes32 ref);
    /// @notice A debit names at most four accounts.
    error TooManyAccounts(uint256 count);
    /// @notice Accounts are named in ascending order, each once.
    error AccountsUnordered(bytes32 ledger, bytes32 account);
    /// @notice The ledger has no such account.
    error NoAccount(bytes32 ledger, bytes32 account);
    /// @notice The ledger has only this much left.
    error LedgerExhausted(bytes32 ledger, uint64 left);
    /// @notice The account has only this much left.
    error AccountExhausted(bytes32 ledger, bytes32 account, uint64 left);

    /// @notice Where it is asked who owns a gateway; fixed.
    function identity() external view returns (IIdentityRegistry);

    /// @notice Opens a ledger, named keccak256(abi.encode(gateway, population)). The gateway's owner only. The same again
    /// is success without an event. The limit is for good.
    /// @param limit Millionths of epsilon, not 0.
    /// @param debtor Who alone debits it, not 0.
    function openLedger(bytes32 gateway, bytes32 population, uint64 limit, address debtor)
        external
        returns (bytes32 ledger);

    /// @notice Gives a ledger another debtor. The gateway's owner only. The same again is success without an event.
    function setDebtor(bytes32 ledger, address debtor) external;

    /// @notice Opens an account below a ledger. The gateway's owner only. The same again is success without an event. The
    /// limit is for good.
    /// @param limit Millionths of epsilon, not 0.
    function openAccount(bytes32 ledger, bytes32 account, uint64 limit) external;

    /// @notice Spends from a ledger and from accounts below it, all or none. The ledger's debtor only. The same again is
    /// success without an event, and spends nothing.
    /// @param accounts At most four, open in this ledger, in ascending order, each once; none for the ledger alone.
    /// @param amount Millionths of epsilon, not 0, at most what the ledger and each account have left.
    /// @param ref What it is for: a name that the debtor gives once.
    function debit(bytes32 ledger, bytes32[] calldata accounts, uint64 amount, bytes32 ref) external;

    /// @notice A ledger's gateway, debtor, limit, and what is spent of it; all zero for an unknown one.
    function ledgerOf(bytes32 ledger)
        external
        view
        returns (bytes32 gateway, address debtor, uint64 limit, uint64 spent);

    /// @notice An account's limit, and what is spent of it; both zero for an unknown one.
    function accountOf(bytes32 ledger, bytes32 account) external view returns (uint64 limit, uint64 spent);

    /// @notice keccak256(abi.encode(amount, accounts)) of what stands under a reference; zero if nothing does.
    function debitOf(bytes32 ledger, bytes32 ref) external view returns (bytes32 digest);
}
