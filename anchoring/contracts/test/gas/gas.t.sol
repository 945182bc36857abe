// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IConsentRegistry} from "../../src/interfaces/IConsentRegistry.sol";
import {ConsentWorld} from "../consent/ConsentWorld.sol";

/// @notice What a wallet's word, a batch and a debit cost as whole transactions: 21,000, calldata by EIP-2028 and EIP-7623, and
/// the call with every account and slot cold (`isolate` in foundry.toml). Ceilings are bar B23's.
contract GasTest is ConsentWorld {
    address private constant ANCHORER = address(0xA4C);

    event log_named_uint(string key, uint256 val);

    function test_AWalletsFirstGrantTakesAtMost75000() external {
        _assertAtMost("first grant", _gasOfGrant(), 75_000);
    }

    function test_AWalletsLaterGrantTakesAtMost75000() external {
        _grant(DENY);
        _assertAtMost("later grant", _gasOfGrant(), 75_000);
    }

    function test_ARevocationTakesAtMost46000() external {
        bytes32 consentId = _grant(PERMIT);
        bytes memory signature = _sign(CONTROLLER_KEY, _revocation(consentId));
        consents.revoke(SUBJECT, consentId, signature);
        _assertAtMost("revocation", vm.lastCallGas().gasTotalUsed, 46_000);
    }

    function test_AllAtOnceTakesAtMost42000() external {
        _grant(PERMIT);
        bytes memory signature = _sign(CONTROLLER_KEY, _revokeAll(0));
        consents.revokeAll(SUBJECT, 0, signature);
        _assertAtMost("all at once", vm.lastCallGas().gasTotalUsed, 42_000);
    }

    function test_ABatchOf1024AfterTheFirstTakesAtMost60000() external {
        bytes32 gateway = identity.registerGateway(keccak256("salt"), "receipt key");
        bytes32 log = anchors.openLog(gateway, keccak256("writer"), "records", ANCHORER);
        vm.prank(ANCHORER);
        anchors.anchor(log, keccak256("first root"), keccak256("first manifest"), 1024);
        vm.prank(ANCHORER);
        anchors.anchor(log, keccak256("root"), keccak256("manifest"), 1024);
        _assertAtMost("batch of 1,024", vm.lastCallGas().gasTotalUsed, 60_000);
    }

    function test_ADebitOfTwoAccountsAfterTheFirstTakesAtMost75000() external {
        bytes32 gateway = identity.registerGateway(keccak256("salt"), "receipt key");
        bytes32 ledger = budgets.openLedger(gateway, keccak256("population"), 10_000_000, ANCHORER);
        bytes32[] memory accounts = new bytes32[](2);
        (accounts[0], accounts[1]) = (keccak256("group"), keccak256("data set"));
        if (accounts[0] > accounts[1]) (accounts[0], accounts[1]) = (accounts[1], accounts[0]);
        budgets.openAccount(ledger, accounts[0], 1_000_000);
        budgets.openAccount(ledger, accounts[1], 1_000_000);
        vm.prank(ANCHORER);
        budgets.debit(ledger, accounts, 100_000, keccak256("first"));
        vm.prank(ANCHORER);
        budgets.debit(ledger, accounts, 100_000, keccak256("second"));
        _assertAtMost("debit of two accounts", vm.lastCallGas().gasTotalUsed, 75_000);
    }

    function _gasOfGrant() private returns (uint256) {
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        bytes memory signature = _sign(CONTROLLER_KEY, _consentId(terms));
        consents.grant(terms, 0, signature);
        return vm.lastCallGas().gasTotalUsed;
    }

    function _assertAtMost(string memory what, uint256 gas, uint256 ceiling) private {
        emit log_named_uint(what, gas);
        vm.assertTrue(gas > 21_000 && gas <= ceiling);
    }
}
