"""A patient's wallet that speaks to the chain itself: no gateway is asked or told."""

from typing import Any, cast

from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from tests.journeys.people import Patient
from tests.servers.http import rpc

GAS = 300_000


def send(url: str, account: LocalAccount, *, to: str | None, data: bytes) -> dict[str, Any]:
    """Signs, sends, and waits for the receipt; at no fee where the chain takes none. Without `to`: makes a contract."""
    base_fee = int(rpc(url, "eth_getBlockByNumber", "latest", False).get("baseFeePerGas", "0x0"), 16)
    tip = 1 if base_fee else 0  # geth takes none without one
    raw = account.sign_transaction(
        {
            "type": 2,
            "chainId": int(rpc(url, "eth_chainId"), 16),
            "nonce": int(rpc(url, "eth_getTransactionCount", account.address, "pending"), 16),
            "gas": GAS,
            "maxFeePerGas": 2 * base_fee + tip,
            "maxPriorityFeePerGas": tip,
            "to": to or b"",
            "value": 0,
            "data": data,
        }
    ).raw_transaction
    sent = rpc(url, "eth_sendRawTransaction", "0x" + bytes(raw).hex())
    while (receipt := rpc(url, "eth_getTransactionReceipt", sent)) is None:
        pass
    return cast("dict[str, Any]", receipt)


def account_of(patient: Patient) -> LocalAccount:
    return patient.person.wallet._account


def revocation_call(patient: Patient, consent: str) -> bytes:
    """ConsentRegistry.revoke, with no signature: the sender is the controller."""
    subject, name = bytes.fromhex(patient.subject[2:]), bytes.fromhex(consent[2:])
    selector = keccak(b"revoke(bytes32,bytes32,bytes)")[:4]
    return selector + encode(["bytes32", "bytes32", "bytes"], [subject, name, b""])


def revocation_of_all_call(patient: Patient, epoch: int) -> bytes:
    """ConsentRegistry.revokeAll, with no signature."""
    selector = keccak(b"revokeAll(bytes32,uint64,bytes)")[:4]
    return selector + encode(["bytes32", "uint64", "bytes"], [bytes.fromhex(patient.subject[2:]), epoch, b""])
