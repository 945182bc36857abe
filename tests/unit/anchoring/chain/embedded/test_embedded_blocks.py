"""Transactions, blocks and receipts of the embedded chain, through web3.py."""

from __future__ import annotations

import time

import pytest
import rlp
from eth_utils.crypto import keccak
from web3.exceptions import BlockNotFound, TransactionNotFound

from tests.unit.anchoring.chain.embedded.client import CHAIN_ID, RICH, ChainClient, stranger
from tests.unit.anchoring.chain.embedded.probe_contract import creation_code

HEADER_FIELDS = (
    "parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "difficulty",
    "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce", "baseFeePerGas", "withdrawalsRoot",
    "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash",
)  # fmt: skip
QUANTITIES = frozenset(
    {"difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas", "blobGasUsed", "excessBlobGas"}
)


def test_chain_names_itself(client: ChainClient) -> None:
    assert client.web3.eth.chain_id == CHAIN_ID
    assert client.web3.net.version == str(CHAIN_ID)
    assert client.web3.client_version.startswith("consentry-embedded/py-evm-")
    assert client.web3.eth.syncing is False
    assert list(client.web3.eth.accounts) == []


def test_genesis_funds_the_named_account_alone(client: ChainClient) -> None:
    assert client.web3.eth.get_balance(RICH.address, 0) == 10**24
    assert client.web3.eth.get_balance(stranger(901).address, 0) == 0


def test_each_transaction_is_mined_in_a_block_of_its_own(client: ChainClient) -> None:
    first = client.send()
    second = client.send()
    assert second["blockNumber"] == first["blockNumber"] + 1 == client.web3.eth.block_number
    block = client.web3.eth.get_block(second["blockNumber"])
    assert list(block["transactions"]) == [second["transactionHash"]]
    assert block["parentHash"] == first["blockHash"]


@pytest.mark.parametrize(
    "fields",
    [
        {"type": 0, "gasPrice": 5},
        {"type": 1, "gasPrice": 5, "accessList": [{"address": "0x" + "42" * 20, "storageKeys": ["0x" + "07" * 32]}]},
        {"type": 2, "maxFeePerGas": 5},
    ],
)
def test_transaction_reads_back_as_it_was_signed(client: ChainClient, fields: dict[str, object]) -> None:
    receipt = client.send(value=3, data=b"\x01", **fields)
    back = client.web3.eth.get_transaction(receipt["transactionHash"])
    assert (back["type"], back["value"], bytes(back["input"]), back["from"]) == (
        fields["type"],
        3,
        b"\x01",
        RICH.address,
    )
    assert back["chainId"] == CHAIN_ID
    assert receipt["status"] == 1
    assert receipt["effectiveGasPrice"] == fields.get("gasPrice", 0)


def test_wallet_without_money_can_send(client: ChainClient, probe: str) -> None:
    patient = stranger(902)
    assert client.note(probe, 5, patient)["status"] == 1
    assert client.web3.eth.get_balance(patient.address) == 0


def test_fees_are_and_stay_zero(client: ChainClient) -> None:
    assert client.web3.eth.gas_price == 0
    assert client.web3.eth.max_priority_fee == 0
    history = client.web3.eth.fee_history(2, "latest", [50])
    assert history["baseFeePerGas"] == [0, 0, 0]
    assert history["reward"] == [[0], [0]]


def test_fullest_possible_block_leaves_the_base_fee_at_zero(client: ChainClient, probe: str) -> None:
    receipt = client.send(to=probe, data=client.contract(probe).encode_abi("downward"), gas=16_777_216)
    assert receipt["status"] == 1
    burnt = client.send(to=None, data=bytes.fromhex("fe"), gas=16_777_216)
    assert (burnt["status"], burnt["gasUsed"]) == (0, 16_777_216)
    client.send()
    assert client.web3.eth.get_block("latest")["baseFeePerGas"] == 0


def test_block_hash_follows_from_the_fields_shown(client: ChainClient) -> None:
    client.send()
    shown = client.raw("eth_getBlockByNumber", "latest", False)["result"]
    fields = [
        rlp.sedes.big_endian_int.serialize(int(shown[name], 16))
        if name in QUANTITIES
        else bytes.fromhex(shown[name][2:])
        for name in HEADER_FIELDS
    ]
    assert "0x" + keccak(rlp.encode(fields)).hex() == shown["hash"]


def test_tags_name_the_head_and_genesis(client: ChainClient) -> None:
    head = client.send()["blockNumber"]
    for tag in ("latest", "pending", "safe", "finalized"):
        assert client.web3.eth.get_block(tag)["number"] == head
    assert client.web3.eth.get_block("earliest")["number"] == 0


def test_block_can_be_shown_with_its_transactions(client: ChainClient) -> None:
    receipt = client.send()
    block = client.web3.eth.get_block(receipt["blockHash"], full_transactions=True)
    assert block["transactions"][0]["hash"] == receipt["transactionHash"]


def test_block_receipts_are_those_of_its_transactions(client: ChainClient, probe: str) -> None:
    receipt = client.note(probe, 9)
    assert client.raw("eth_getBlockReceipts", hex(receipt["blockNumber"]))["result"] == [
        client.raw("eth_getTransactionReceipt", receipt["transactionHash"].to_0x_hex())["result"]
    ]


def test_unknown_block_and_transaction_are_null(client: ChainClient) -> None:
    with pytest.raises(BlockNotFound):
        client.web3.eth.get_block(10**9)
    with pytest.raises(BlockNotFound):
        client.web3.eth.get_block("0x" + "77" * 32)
    with pytest.raises(TransactionNotFound):
        client.web3.eth.get_transaction("0x" + "77" * 32)
    assert client.raw("eth_getTransactionReceipt", "0x" + "77" * 32)["result"] is None


def test_created_contract_has_its_code_and_address(client: ChainClient) -> None:
    nonce = client.nonce()
    receipt = client.send(to=None, data=creation_code(), gas=1_000_000)
    address = receipt["contractAddress"]
    assert address is not None
    assert bytes.fromhex(address[2:]) == keccak(rlp.encode([bytes.fromhex(RICH.address[2:]), nonce]))[12:]
    assert creation_code().endswith(bytes(client.web3.eth.get_code(address)))


def test_block_time_does_not_outrun_the_clock(client: ChainClient) -> None:
    before = int(time.time())
    for _ in range(5):
        client.send()
    assert before <= client.web3.eth.get_block("latest")["timestamp"] <= int(time.time())


def test_nonce_counts_and_pending_equals_latest(client: ChainClient) -> None:
    sender = stranger(903)
    client.send(sender)
    assert client.web3.eth.get_transaction_count(sender.address, "latest") == 1
    assert client.web3.eth.get_transaction_count(sender.address, "pending") == 1
    assert client.web3.eth.get_transaction_count(sender.address, 0) == 0
