"""Each real server starts, answers one real call, and keeps what it is meant to keep."""

import hashlib
import json
import subprocess
import time
from pathlib import Path

import psycopg
import pytest
import redis
import yaml

from tests.servers.anvil import STATE_INTERVAL_SECONDS, running_anvil
from tests.servers.chain import Chain
from tests.servers.geth import running_geth
from tests.servers.http import post, post_file, rpc
from tests.servers.kubo import Kubo, running_kubo
from tests.servers.postgres import Postgres, running_postgres
from tests.servers.process import ServerFailed, ServerProcess
from tests.servers.pytest_fixtures import require_program
from tests.servers.redis import Redis, running_redis

pytestmark = pytest.mark.services

_COMPOSE = Path(__file__).resolve().parents[2] / "docker-compose.yml"
_BLOCK = b"one block of bytes that nobody else has"
_PUT = "/api/v0/block/put?cid-codec=raw&mhtype=sha2-256&pin=true"
_ACCOUNT = "0x00000000000000000000000000000000c0ffee01"
_ETHER = 10**18


def _put_block(kubo: Kubo, content: bytes) -> str:
    key: str = json.loads(post_file(kubo.url + _PUT, content))["Key"]
    return key


def _get_block(kubo: Kubo, cid: str) -> bytes:
    return post(f"{kubo.url}/api/v0/block/get?arg={cid}&offline=true")


def _balance(chain: Chain) -> int:
    return int(rpc(chain.url, "eth_getBalance", _ACCOUNT, "latest"), 16)


def _height(chain: Chain) -> int:
    return int(rpc(chain.url, "eth_blockNumber"), 16)


def _hash_of(chain: Chain, number: int) -> str:
    return str(rpc(chain.url, "eth_getBlockByNumber", hex(number), False)["hash"])


def test_kubo_gives_back_the_block_that_was_put(kubo: Kubo) -> None:
    assert _get_block(kubo, _put_block(kubo, _BLOCK)) == _BLOCK


def test_kubo_names_a_raw_block_by_its_sha256(kubo: Kubo) -> None:
    cid = _put_block(kubo, _BLOCK)
    answer = post(f"{kubo.url}/api/v0/cid/format?arg={cid}&f=%25D&b=base16")
    assert json.loads(answer)["Formatted"] == hashlib.sha256(_BLOCK).hexdigest()


def test_kubo_has_no_peers_and_no_swarm_listeners(kubo: Kubo) -> None:
    peers = json.loads(post(f"{kubo.url}/api/v0/swarm/peers"))["Peers"]
    listeners = json.loads(post(f"{kubo.url}/api/v0/swarm/addrs/local"))["Strings"]
    assert (peers or [], listeners or []) == ([], [])


def test_kubo_keeps_a_pinned_block_when_killed_and_started_again(tmp_path: Path) -> None:
    require_program("ipfs")
    with running_kubo(tmp_path / "repo") as kubo:
        cid = _put_block(kubo, _BLOCK)
        kubo.process.kill()
        kubo.process.start()
        pins = json.loads(post(f"{kubo.url}/api/v0/pin/ls?arg={cid}"))["Keys"]
        assert (_get_block(kubo, cid), list(pins)) == (_BLOCK, [cid])


def test_kubo_keeps_a_block_across_two_runs_on_one_folder(tmp_path: Path) -> None:
    require_program("ipfs")
    with running_kubo(tmp_path / "repo") as first:
        cid = _put_block(first, _BLOCK)
    with running_kubo(tmp_path / "repo") as second:
        assert _get_block(second, cid) == _BLOCK


def test_the_node_in_docker_compose_is_set_up_like_the_tested_one(kubo: Kubo, tmp_path: Path) -> None:
    script = yaml.safe_load(_COMPOSE.read_text())["configs"]["kubo_private"]["content"].replace("$$", "$")
    ipfs = require_program("ipfs")
    environment = {"IPFS_PATH": str(tmp_path), "PATH": f"{ipfs.parent}:/usr/bin:/bin"}
    for command in ([str(ipfs), "init", "--empty-repo"], ["sh", "-c", script]):
        subprocess.run(command, env=environment, check=True, capture_output=True)
    composed, tested = (json.loads((repo / "config").read_text()) for repo in (tmp_path, kubo.data_dir))
    for config in (composed, tested):
        del config["Identity"], config["Addresses"]["API"]
    # `ipfs init --profile=test` writes these two for loopback; without routing they mean nothing.
    tested["Routing"].pop("LoopbackAddressesOnLanDHT", None)
    assert composed == tested


def test_anvil_tells_its_chain_id(anvil: Chain) -> None:
    assert int(rpc(anvil.url, "eth_chainId"), 16) == anvil.chain_id == 31_337


def test_anvil_funds_an_address_by_what_was_asked(anvil: Chain) -> None:
    before = _balance(anvil)
    anvil.fund(_ACCOUNT, _ETHER)
    assert _balance(anvil) - before == _ETHER


def test_anvil_keeps_what_is_older_than_its_interval_when_killed(tmp_path: Path) -> None:
    require_program("anvil")
    with running_anvil(tmp_path) as anvil:
        anvil.fund(_ACCOUNT, _ETHER)
        height = _height(anvil)
        time.sleep(2.0 * STATE_INTERVAL_SECONDS)
        anvil.process.kill()
        anvil.process.start()
        assert (_balance(anvil), _height(anvil)) == (_ETHER, height)


def test_anvil_starts_from_the_file_before_where_accounts_are_not_those_of_the_last_block(tmp_path: Path) -> None:
    require_program("anvil")
    with running_anvil(tmp_path) as anvil:
        anvil.fund(_ACCOUNT, _ETHER)
        height = _height(anvil)
        time.sleep(3 * STATE_INTERVAL_SECONDS)
        anvil.process.kill()
        state = tmp_path / "state.json"
        found = json.loads(state.read_text())
        found["accounts"][_ACCOUNT.lower()]["balance"] = hex(7 * _ETHER)
        state.write_text(json.dumps(found))
        anvil.process.start()
        assert (_balance(anvil), _height(anvil)) == (_ETHER, height)


def test_anvil_is_the_same_chain_however_often_it_is_killed(tmp_path: Path) -> None:
    require_program("anvil")
    with running_anvil(tmp_path) as anvil:
        anvil.fund(_ACCOUNT, _ETHER)
        genesis = _hash_of(anvil, 0)
        for _ in range(6):
            time.sleep(1.5 * STATE_INTERVAL_SECONDS)
            anvil.process.kill()
            anvil.process.start()
            assert (_hash_of(anvil, 0), _balance(anvil)) == (genesis, _ETHER)


def test_anvil_goes_on_from_a_state_that_a_kill_tore(tmp_path: Path) -> None:
    require_program("anvil")
    with running_anvil(tmp_path) as anvil:
        anvil.fund(_ACCOUNT, _ETHER)
        genesis, height = _hash_of(anvil, 0), _height(anvil)
        time.sleep(2.0 * STATE_INTERVAL_SECONDS)
        anvil.process.kill()
        state = tmp_path / "state.json"
        state.write_bytes(state.read_bytes()[:-100])
        anvil.process.start()
        assert (_hash_of(anvil, 0), _height(anvil)) == (genesis, height)


def test_geth_tells_its_chain_id(geth: Chain) -> None:
    assert int(rpc(geth.url, "eth_chainId"), 16) == geth.chain_id == 1_337


def test_geth_funds_an_address_by_what_was_asked(geth: Chain) -> None:
    before = _balance(geth)
    geth.fund(_ACCOUNT, _ETHER)
    assert _balance(geth) - before == _ETHER


def test_geth_goes_on_from_its_last_block_after_a_restart(tmp_path: Path) -> None:
    require_program("geth")
    with running_geth(tmp_path / "data") as geth:
        geth.fund(_ACCOUNT, _ETHER)
        height = _height(geth)
        geth.process.restart()
        geth.fund(_ACCOUNT, _ETHER)
        assert (_balance(geth), _height(geth)) == (2 * _ETHER, height + 1)


def test_geth_keeps_its_last_block_when_killed_at_once(tmp_path: Path) -> None:
    require_program("geth")
    with running_geth(tmp_path / "data") as geth:
        geth.fund(_ACCOUNT, _ETHER)
        height = _height(geth)
        geth.process.kill()
        geth.process.start()
        assert (_balance(geth), _height(geth)) == (_ETHER, height)


def test_geth_that_is_not_durable_goes_back_to_genesis_when_killed(tmp_path: Path) -> None:
    require_program("geth")
    with running_geth(tmp_path / "data", durable=False) as geth:
        geth.fund(_ACCOUNT, _ETHER)
        geth.process.kill()
        geth.process.start()
        assert _height(geth) == 0


def test_postgres_gives_each_asker_an_empty_database_of_its_own(postgres: Postgres) -> None:
    one, other = postgres.fresh_database(), postgres.fresh_database()
    with psycopg.connect(postgres.dsn(one)) as connection:
        connection.execute("CREATE TABLE held (n int)")
    with psycopg.connect(postgres.dsn(other)) as connection:
        assert connection.execute("SELECT to_regclass('held')").fetchone() == (None,)


def test_postgres_keeps_a_committed_row_when_killed() -> None:
    require_program("postgres")
    require_program("initdb")
    with running_postgres() as postgres:
        with psycopg.connect(postgres.dsn()) as connection:
            connection.execute("CREATE TABLE held (n int)")
            connection.execute("INSERT INTO held VALUES (7)")
        postgres.process.kill()
        postgres.process.start()
        with psycopg.connect(postgres.dsn()) as connection:
            assert connection.execute("SELECT n FROM held").fetchall() == [(7,)]


def test_redis_answers_a_set_and_a_get(redis_server: Redis) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.set("held", b"7")
        assert client.get("held") == b"7"


def test_redis_forgets_everything_when_restarted() -> None:
    require_program("redis-server")
    with running_redis() as server, redis.Redis.from_url(server.url) as client:
        client.set("held", b"7")
        server.process.restart()
        assert client.get("held") is None


def test_a_suspended_server_does_not_answer_until_it_is_resumed() -> None:
    require_program("redis-server")
    with running_redis() as server:
        server.process.suspend()
        with redis.Redis.from_url(server.url, socket_timeout=0.3, retry=None) as client:
            with pytest.raises(redis.exceptions.TimeoutError):
                client.ping()
            server.process.resume()
            assert client.ping()


def test_a_server_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    process = ServerProcess(["sh", "-c", "echo no such luck; exit 3"], log=tmp_path / "log", answers=lambda: False)
    with pytest.raises(ServerFailed, match=r"ended with 3: no such luck"):
        process.start()
