"""A web3.py client of the embedded chain, as a stranger would write it: no code of ours on this side."""

from __future__ import annotations

from typing import Any

import httpx
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from hexbytes import HexBytes
from web3 import Web3
from web3.contract import Contract
from web3.types import TxReceipt

from tests.unit.anchoring.chain.embedded.probe_contract import ABI, creation_code

CHAIN_ID = 20_261
RICH: LocalAccount = Account.from_key(b"\x11" * 32)


class ChainClient:
    """web3.py for what it can say, plain HTTP for what it would not."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.web3 = Web3(Web3.HTTPProvider(url))

    def raw(self, method: str, *params: Any) -> dict[str, Any]:
        """The whole JSON-RPC answer to one request."""
        answer = httpx.post(self.url, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, timeout=30)
        assert answer.status_code == 200
        return dict(answer.json())

    def error(self, method: str, *params: Any) -> dict[str, Any]:
        """The error of a request that must be refused."""
        answer = self.raw(method, *params)
        assert "error" in answer, answer
        return dict(answer["error"])

    def sign(self, account: LocalAccount = RICH, **fields: Any) -> bytes:
        """A signed transaction; every field has a sensible value unless given."""
        if fields.get("type") == 0:
            fields = {
                name: value for name, value in fields.items() if name != "type"
            }  # eth-account tells it by the fee
        elif "gasPrice" not in fields:
            fields = {"maxFeePerGas": 0, "maxPriorityFeePerGas": 0, **fields}
        fields = {"to": "0x" + "42" * 20, "value": 0, "gas": 100_000, "chainId": CHAIN_ID, "data": b"", **fields}
        if fields["to"] is None:
            del fields["to"]
        if fields["chainId"] is None:
            del fields["chainId"]
        if "nonce" not in fields:
            fields["nonce"] = self.nonce(account)
        return bytes(account.sign_transaction(fields).raw_transaction)

    def send(self, account: LocalAccount = RICH, **fields: Any) -> TxReceipt:
        """Sign, send, and the receipt, which is there at once."""
        return self.receipt(self.web3.eth.send_raw_transaction(self.sign(account, **fields)))

    def receipt(self, transaction_hash: HexBytes) -> TxReceipt:
        return self.web3.eth.get_transaction_receipt(transaction_hash)

    def nonce(self, account: LocalAccount = RICH) -> int:
        return self.web3.eth.get_transaction_count(account.address)

    def refusal(self, raw: bytes) -> str:
        """The text with which a signed transaction is refused."""
        return str(self.error("eth_sendRawTransaction", "0x" + raw.hex())["message"])

    def deploy_probe(self) -> ChecksumAddress:
        address = self.send(to=None, data=creation_code(), gas=1_000_000)["contractAddress"]
        assert address is not None
        return address

    def contract(self, address: str) -> Contract:
        return self.web3.eth.contract(Web3.to_checksum_address(address), abi=ABI)

    def note(self, address: str, value: int, account: LocalAccount = RICH) -> TxReceipt:
        data = self.contract(address).encode_abi("note", [value.to_bytes(32, "big")])
        return self.send(account, to=address, data=data)


def stranger(seed: int) -> LocalAccount:
    """A wallet that nobody ever gave anything."""
    account: LocalAccount = Account.from_key(seed.to_bytes(32, "big"))
    return account
