"""Calls, gas estimates and logs of the embedded chain, through web3.py."""

from __future__ import annotations

import time

import pytest
from web3.exceptions import ContractCustomError, ContractLogicError

from tests.unit.anchoring.chain.embedded.client import RICH, ChainClient, stranger
from tests.unit.anchoring.chain.embedded.probe_contract import CUSTOM, NOTED, REASON


def _topic(number: int) -> str:
    return "0x" + number.to_bytes(32, "big").hex()


def _of(address: str) -> str:
    return "0x" + bytes.fromhex(address[2:]).rjust(32, b"\0").hex()


@pytest.fixture(scope="module")
def noted(client: ChainClient) -> tuple[str, int]:
    """A fresh probe with notes 1, 2, 3 (the third by another sender), and the block of the first."""
    probe = client.deploy_probe()
    first = client.note(probe, 1)["blockNumber"]
    client.note(probe, 2)
    client.note(probe, 3, stranger(910))
    return probe, first


def test_call_answers_for_past_blocks_too(client: ChainClient, noted: tuple[str, int]) -> None:
    probe, first = noted
    count = client.contract(probe).functions.count()
    assert count.call() == 3
    assert [count.call(block_identifier=first + each) for each in (-1, 0, 1, 2)] == [0, 1, 2, 3]
    assert int.from_bytes(client.web3.eth.get_storage_at(probe, 0, first), "big") == 1


def test_call_by_block_hash_answers_for_that_block(client: ChainClient, noted: tuple[str, int]) -> None:
    probe, first = noted
    block_hash = client.web3.eth.get_block(first)["hash"]
    assert client.contract(probe).functions.count().call(block_identifier=block_hash) == 1


def test_call_on_latest_sees_the_time_of_asking(client: ChainClient, noted: tuple[str, int]) -> None:
    probe, _ = noted
    time.sleep(1.1)
    functions = client.contract(probe).functions
    assert functions.time().call() in range(int(time.time()) - 1, int(time.time()) + 1)
    assert functions.time().call() > client.web3.eth.get_block("latest")["timestamp"]
    assert functions.height().call() == client.web3.eth.block_number
    assert functions.height().call(block_identifier="pending") == client.web3.eth.block_number + 1


def test_call_on_a_past_block_sees_its_time(client: ChainClient, noted: tuple[str, int]) -> None:
    probe, first = noted
    shown = client.contract(probe).functions.time().call(block_identifier=first)
    assert shown == client.web3.eth.get_block(first)["timestamp"]


def test_call_changes_nothing(client: ChainClient, noted: tuple[str, int]) -> None:
    probe, _ = noted
    client.contract(probe).functions.note(b"\7" * 32).call({"from": RICH.address})
    assert client.contract(probe).functions.count().call() == 3


def test_revert_carries_reason_and_data(client: ChainClient, noted: tuple[str, int]) -> None:
    call = {"to": noted[0], "data": client.contract(noted[0]).encode_abi("withReason")}
    for method in ("eth_call", "eth_estimateGas"):
        assert client.error(method, call) == {
            "code": 3, "message": "execution reverted: not now", "data": "0x" + REASON.hex(),
        }  # fmt: skip
    with pytest.raises(ContractLogicError, match="not now"):
        client.contract(noted[0]).functions.withReason().call()


def test_custom_error_reaches_web3(client: ChainClient, noted: tuple[str, int]) -> None:
    with pytest.raises(ContractCustomError) as refused:
        client.contract(noted[0]).functions.withCustom().call()
    assert refused.value.data == "0x" + CUSTOM.hex()


def test_revert_with_nothing_is_a_revert(client: ChainClient, noted: tuple[str, int]) -> None:
    call = {"to": noted[0], "data": client.contract(noted[0]).encode_abi("withNothing")}
    assert client.error("eth_call", call) == {"code": 3, "message": "execution reverted", "data": "0x"}


def test_reverted_transaction_is_mined_and_says_so(client: ChainClient, noted: tuple[str, int]) -> None:
    receipt = client.send(to=noted[0], data=client.contract(noted[0]).encode_abi("withReason"))
    assert receipt["status"] == 0
    assert list(receipt["logs"]) == []


@pytest.mark.parametrize("function", ["note", "greedy", "count"])
def test_estimated_gas_suffices(client: ChainClient, noted: tuple[str, int], function: str) -> None:
    probe = client.deploy_probe()
    arguments = [b"\1" * 32] if function == "note" else []
    data = client.contract(probe).encode_abi(function, arguments)
    gas = client.web3.eth.estimate_gas({"from": RICH.address, "to": probe, "data": data})
    assert client.send(to=probe, data=data, gas=gas)["status"] == 1


def test_estimate_pays_the_floor_of_much_data(client: ChainClient) -> None:
    data = b"\1" * 5_000
    gas = client.web3.eth.estimate_gas({"to": RICH.address, "data": data})
    assert client.send(to=RICH.address, data=data, gas=gas)["status"] == 1
    assert gas == 21_000 + 40 * 5_000


def test_gas_limit_that_cannot_suffice_is_named(client: ChainClient, noted: tuple[str, int]) -> None:
    data = client.contract(noted[0]).encode_abi("note", [b"\1" * 32])
    error = client.error("eth_estimateGas", {"to": noted[0], "data": data, "gas": hex(25_000)})
    assert error["message"] == "gas required exceeds allowance (25000)"


def test_logs_are_found_by_event_and_topic(client: ChainClient, noted: tuple[str, int]) -> None:
    probe, first = noted
    event = client.contract(probe).events.Noted()
    assert [log["args"]["count"] for log in event.get_logs(from_block=first)] == [1, 2, 3]
    by_value = event.get_logs(from_block=0, argument_filters={"value": (2).to_bytes(32, "big")})
    assert [log["args"]["count"] for log in by_value] == [2]
    by_sender = event.get_logs(from_block=0, argument_filters={"sender": stranger(910).address})
    assert [log["blockNumber"] for log in by_sender] == [first + 2]


@pytest.mark.parametrize(("topics", "found"), [
    ([], [1, 2, 3]), (["0x" + NOTED.hex()], [1, 2, 3]), ([None, _topic(3)], [3]),
    ([None, [_topic(1), _topic(3)]], [1, 3]),
    ([[], None, _of(RICH.address)], [1, 2]), ([None, None, None], [1, 2, 3]), ([None, None, None, None], []),
    ([_topic(1)], []), ([None, [_topic(1), None]], [1, 2, 3]),
])  # fmt: skip
def test_topics_match_as_in_geth(
    client: ChainClient, noted: tuple[str, int], topics: list[object], found: list[int]
) -> None:
    probe, _ = noted
    logs = client.raw("eth_getLogs", {"fromBlock": "earliest", "address": [probe], "topics": topics})["result"]
    assert [int(log["data"], 16) for log in logs] == found


def test_logs_are_found_by_block_hash(client: ChainClient, noted: tuple[str, int]) -> None:
    probe, first = noted
    block = client.web3.eth.get_block(first + 1)
    (log,) = client.web3.eth.get_logs({"blockHash": block["hash"]})
    assert (log["address"], log["blockHash"], log["transactionHash"]) == (
        probe,
        block["hash"],
        block["transactions"][0],
    )
    assert (log["logIndex"], log["removed"]) == (0, False)


def test_logs_of_a_range_are_those_of_its_receipts(client: ChainClient, noted: tuple[str, int]) -> None:
    probe, first = noted
    logs = client.web3.eth.get_logs({"fromBlock": first, "toBlock": first + 2, "address": probe})
    receipts = [client.receipt(client.web3.eth.get_block(first + each)["transactions"][0]) for each in range(3)]
    assert logs == [log for receipt in receipts for log in receipt["logs"]]


def test_logs_beyond_the_head_are_none_yet(client: ChainClient, noted: tuple[str, int]) -> None:
    head = client.web3.eth.block_number
    assert client.raw("eth_getLogs", {"fromBlock": hex(head + 1), "toBlock": hex(head + 9)})["result"] == []


def test_logs_of_a_reversed_range_are_refused(client: ChainClient) -> None:
    assert client.error("eth_getLogs", {"fromBlock": "0x2", "toBlock": "0x1"})["code"] == -32602


def test_batch_is_answered_in_order(client: ChainClient) -> None:
    with client.web3.batch_requests() as batch:
        batch.add(client.web3.eth.get_block(0))
        batch.add(client.web3.eth.get_block("latest"))
        blocks = batch.execute()
    assert [block["number"] for block in blocks] == [0, client.web3.eth.block_number]
