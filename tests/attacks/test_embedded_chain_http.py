"""Getting round the embedded chain's door: hostile JSON, parameters, HTTP, browsers and endless executions."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from anchoring.chain.embedded.process import EmbeddedChainProcess
from tests.unit.anchoring.chain.embedded.client import CHAIN_ID, RICH, ChainClient

JSON_TYPE = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedChainProcess]:
    path = tmp_path_factory.mktemp("attacked") / "chain.db"
    process = EmbeddedChainProcess.start(data=path, chain_id=CHAIN_ID, funded=[RICH.address])
    yield process
    process.stop()


@pytest.fixture(scope="module")
def client(chain: EmbeddedChainProcess) -> ChainClient:
    return ChainClient(chain.url)


@pytest.fixture
def unchanged(client: ChainClient) -> Iterator[None]:
    """What is attempted must leave the head where it was."""
    before = client.web3.eth.get_block("latest")["hash"]
    yield
    assert client.web3.eth.get_block("latest")["hash"] == before


# -- JSON-RPC


def _post(client: ChainClient, body: bytes, **headers: str) -> httpx.Response:
    return httpx.post(client.url, content=body, headers={**JSON_TYPE, **headers}, timeout=30)


@pytest.mark.parametrize("body", [
    b"", b"{", b"[", b"nul", b"\xff\xfe", b'{"jsonrpc":"2.0",}', b"NaN", b'{"a":"\xed\xa0\x80"}',
    b"[" * 5_000 + b"]" * 5_000, b"1" * 400_000,
    b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId"} x', b"1" * 400_000 + b"x",
])  # fmt: skip
def test_malformed_json_is_a_parse_error(client: ChainClient, body: bytes) -> None:
    answer = _post(client, body)
    assert answer.status_code == 200
    assert (answer.json()["error"]["code"], answer.json()["id"]) == (-32700, None)


@pytest.mark.parametrize("body", [
    b"null", b"1", b'"x"', b"true", b"{}", b"[]", b'{"jsonrpc":"1.0","id":1,"method":"eth_chainId"}',
    b'{"jsonrpc":"2.0","id":1,"method":7}', b'{"jsonrpc":"2.0","id":1}', b"1e9",
])  # fmt: skip
def test_what_is_no_request_is_an_invalid_request(client: ChainClient, body: bytes) -> None:
    answer = _post(client, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (200, -32600)


@pytest.mark.parametrize(
    "method", ["eth_nothing", "", "__class__", "call", "evm_mine", "debug_setHead", "consentry_fund", "x" * 10_000]
)
def test_unknown_method_is_not_found(client: ChainClient, method: str) -> None:
    error = client.error(method)
    assert error["code"] == -32601
    assert len(error["message"]) < 200


@pytest.mark.parametrize(("method", "params"), [
    ("eth_getBalance", []), ("eth_getBalance", ["0x12"]), ("eth_getBalance", ["0x" + "g" * 40]),
    ("eth_getBalance", [None]),
    ("eth_getBalance", ["0x" + "42" * 20, "soon"]), ("eth_getBalance", ["0x" + "42" * 20, "0x01"]),
    ("eth_getBalance", ["0x" + "42" * 20, {"blockHash": 1}]), ("eth_getBalance", ["0x" + "42" * 20, {}]),
    ("eth_getBalance", ["0x" + "42" * 20, {"blockNumber": {"blockNumber": "0x1"}}]),
    ("eth_getBalance", ["0x" + "42" * 20, "latest", 1]), ("eth_getBalance", {"address": "0x" + "42" * 20}),
    ("eth_getStorageAt", ["0x" + "42" * 20, "0x" + "1" * 65]), ("eth_call", [[]]), ("eth_call", [{"to": 1}]),
    ("eth_call", [{"gas": "0x1" + "0" * 16}]), ("eth_call", [{"value": "0x1" + "0" * 64}]),
    ("eth_call", [{"data": "0x1"}]),
    ("eth_call", [{"data": "0x11", "input": "0x22"}]), ("eth_call", [{"accessList": [1]}]), ("eth_getLogs", [[]]),
    ("eth_getLogs", [{"topics": ["0x12"]}]), ("eth_getLogs", [{"address": 1}]), ("eth_getLogs", [{"topics": {}}]),
    ("eth_getLogs", [{"blockHash": "0x" + "11" * 32, "fromBlock": "0x0"}]), ("eth_getLogs", [{"fromBlock": 1}]),
    ("eth_sendRawTransaction", ["0x0"]), ("eth_sendRawTransaction", [1]), ("eth_getBlockByNumber", [1.5, False]),
    ("eth_getBlockByNumber", ["latest", "yes"]), ("eth_getBlockByHash", ["latest"]),
    ("eth_getTransactionByHash", ["0x12"]),
    ("eth_feeHistory", ["many", "latest"]), ("eth_feeHistory", [True, "latest"]), ("eth_chainId", [1]),
])  # fmt: skip
def test_wrong_parameters_are_invalid_params(client: ChainClient, unchanged: None, method: str, params: Any) -> None:
    answer = _post(client, json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()).json()
    assert answer["error"]["code"] == -32602


@pytest.mark.parametrize(("method", "params"), [
    ("eth_getBalance", ["0x" + "42" * 20, "0xffffff"]), ("eth_call", [{"value": "0x1"}]),
    ("eth_call", [{"gas": "0x1"}]),
    ("eth_getBalance", ["0x" + "42" * 20, {"blockHash": "0x" + "11" * 32}]), ("eth_getLogs", [{"topics": [None] * 5}]),
    ("eth_getLogs", [{"blockHash": "0x" + "11" * 32}]), ("eth_getLogs", [{"address": ["0x" + "42" * 20] * 1_001}]),
    ("eth_feeHistory", ["0x1", "latest", [50] * 101]), ("eth_estimateGas", [{"data": "0xfe"}]),
    ("eth_call", [{"data": "0xfe"}]),
    ("eth_call", [{"data": "0x" + "00" * 49_153}]),
])  # fmt: skip
def test_impossible_questions_are_refused_without_a_defect(
    client: ChainClient, unchanged: None, method: str, params: list[Any]
) -> None:
    assert client.error(method, *params)["code"] == -32000


def test_batch_over_the_bound_is_refused_whole(client: ChainClient) -> None:
    one = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}
    assert len(_post(client, json.dumps([one] * 100).encode()).json()) == 100
    assert _post(client, json.dumps([one] * 101).encode()).json()["error"]["message"] == "batch too large"


def test_bad_part_of_a_batch_spoils_no_other(client: ChainClient) -> None:
    good = {"jsonrpc": "2.0", "id": "a", "method": "eth_chainId"}
    answers = _post(client, json.dumps([good, 1, [good], {**good, "method": "no"}, good]).encode()).json()
    assert [answer.get("error", {}).get("code") for answer in answers] == [None, -32600, -32600, -32601, None]


def test_notification_is_not_answered(client: ChainClient) -> None:
    assert _post(client, b'{"jsonrpc":"2.0","method":"eth_chainId"}').content == b""


def test_endless_execution_ends_and_others_are_served_after_it(client: ChainClient) -> None:
    probe = client.deploy_probe()
    call = {"to": probe, "data": client.contract(probe).encode_abi("forever")}
    assert client.error("eth_call", call)["message"] == "execution aborted (timeout = 5s)"
    assert client.web3.eth.block_number > 0


def test_deepest_recursion_does_not_break_the_process(client: ChainClient) -> None:
    probe = client.deploy_probe()
    call = {"to": probe, "data": client.contract(probe).encode_abi("downward"), "gas": hex(50_000_000)}
    assert int(client.raw("eth_call", call)["result"], 16) == 1
    receipt = client.send(to=probe, data=call["data"], gas=16_777_216)
    assert receipt["status"] == 1


# -- HTTP


def test_body_over_the_bound_is_refused(client: ChainClient) -> None:
    assert _post(client, b" " * (1024 * 1024 + 1)).status_code == 413
    endless = httpx.post(client.url, content=(b" " * 65_536 for _ in range(17)), headers=JSON_TYPE, timeout=30)
    assert endless.status_code == 413


@pytest.mark.parametrize(("method", "headers", "status"), [
    ("POST", {"host": "evil.example"}, 403), ("POST", {"host": "127.0.0.1.evil.example:80"}, 403), ("GET", {}, 405),
    ("POST", {"host": "localhost:1"}, 200), ("OPTIONS", {"origin": "https://evil.example"}, 405), ("PUT", {}, 405),
    ("POST", {"content-type": "text/plain"}, 415), ("POST", {"content-type": "application/x-www-form-urlencoded"}, 415),
])  # fmt: skip
def test_browser_cannot_be_made_to_call(client: ChainClient, method: str, headers: dict[str, str], status: int) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
    answer = httpx.request(method, client.url, content=body, headers={**JSON_TYPE, **headers})
    assert answer.status_code == status
    assert not any(name.startswith("access-control") for name in answer.headers)


@pytest.mark.parametrize("sent", [
    b"\0\0\0\0\r\n\r\n", b"GET\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n", b"x" * 40_000,
    b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked, gzip\r\n\r\n",
])  # fmt: skip
def test_what_is_no_http_is_refused_and_closed(client: ChainClient, chain: EmbeddedChainProcess, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", chain.port), timeout=10) as raw:
        raw.sendall(sent)
        answer = raw.recv(4_096)
    assert b" 4" in answer[:16] or b" 5" in answer[:16]
    assert b"Traceback" not in answer
    assert client.web3.is_connected()


def test_half_sent_requests_do_not_keep_others_out(client: ChainClient, chain: EmbeddedChainProcess) -> None:
    held = [socket.create_connection(("127.0.0.1", chain.port), timeout=10) for _ in range(50)]
    for each in held:
        each.sendall(
            b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{"
        )
    assert client.web3.eth.chain_id == CHAIN_ID
    for each in held:
        each.close()


def test_only_the_loopback_address_listens(chain: EmbeddedChainProcess) -> None:
    port = f"{chain.port:04X}"
    listening = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{chain.pid}/net/{table}").read_text().splitlines()[1:]
        if line.split()[1].endswith(":" + port) and line.split()[3] == "0A"
    ]
    assert listening == ["0100007F:" + port]
