// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

// Deployed as OpenZeppelin wrote them; compiled here so that their bytecode is checked in and rebuilt with ours.
// solhint-disable no-unused-import
import {ERC7913P256Verifier} from "@openzeppelin/contracts/utils/cryptography/verifiers/ERC7913P256Verifier.sol";
import {
    ERC7913WebAuthnVerifier
} from "@openzeppelin/contracts/utils/cryptography/verifiers/ERC7913WebAuthnVerifier.sol";
