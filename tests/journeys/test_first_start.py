"""Starting: what a first start makes and says; what is wrong stops it by name, with an exit code."""

import re
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.demo.wallet import Wallet
from tests.journeys import documents
from tests.journeys.gateway_process import GatewayProcess, run_command, variables
from tests.journeys.people import Door, sign_in
from tests.journeys.sites import Servers
from tests.servers.anvil import running_anvil
from tests.servers.prepared import COMMAND, REPOSITORY
from tests.servers.process import free_port

SECRET_FILES = ("passphrase", "root.key", "receipt.key", "registrar.key", "relay.key", "anchor.key", "gateway.salt")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    gateway = GatewayProcess(tmp_path_factory.mktemp("first"), {}, fresh=True)
    try:
        yield gateway.start()
    finally:
        gateway.stop()


def refused(settings: dict[str, str], *words: str) -> str:
    """What a command says that must not start."""
    code, said = run_command(*(words or ("serve",)), settings={"PORT": "0", **settings})
    assert code not in (0, -9, -15), said
    assert "Traceback" not in said
    return said


def test_a_first_start_says_what_to_do_next(first: GatewayProcess) -> None:
    for words in (f"{first.base}/graphql", "Made on this first start", "registrar.key", "consentry demo --url"):
        assert words in first.text


@pytest.mark.parametrize("name", SECRET_FILES)
def test_secrets_are_for_their_owner_alone(first: GatewayProcess, name: str) -> None:
    assert stat.S_IMODE((first.data / name).stat().st_mode) == 0o600


def test_nothing_in_the_data_folder_is_for_others(first: GatewayProcess) -> None:
    open_to_others = [path for path in first.data.rglob("*") if path.stat().st_mode & 0o077 and path.is_file()]
    assert open_to_others == []
    assert stat.S_IMODE(first.data.stat().st_mode) == 0o700


def test_the_registrars_key_of_the_first_start_signs_in(first: GatewayProcess) -> None:
    registrar = sign_in(Door(first.base), Wallet.of_hex(first.registrar_key))
    assert registrar.ask(documents.VIEWER).value["roles"] == ["REGISTRAR"]


def test_every_part_is_ready(first: GatewayProcess) -> None:
    status, said = first.ready()
    assert status == 200
    assert set(said["parts"].values()) == {"ok"}


def test_a_folder_is_served_once(first: GatewayProcess) -> None:
    said = refused({"DATA_DIR": str(first.data)})
    assert "consentry: " in said
    assert Door(first.base).ask(documents.VIEWER).status == 200


def test_named_registrars_are_registrars_and_no_key_is_made(tmp_path: Path) -> None:
    wallets = [Wallet.new(), Wallet.new()]
    named = '["' + '","'.join(wallet.address for wallet in wallets) + '"]'
    gateway = GatewayProcess(tmp_path, {"REGISTRARS": named})
    try:
        gateway.start()
        for wallet in wallets:
            asked = {"input": {}}
            assert sign_in(Door(gateway.base), wallet).ask(documents.ENROL, asked).value["subject"]
        assert not (gateway.data / "registrar.key").exists()
    finally:
        gateway.stop()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "70000"),
        ("REGISTRARS", '["0x12"]'),
        ("REGISTRARS", "nobody"),
        ("CHAIN_URL", "ws://127.0.0.1:1"),
        ("IPFS_URL", "/ip4/127.0.0.1/tcp/5001"),
        ("WORKER", "upstairs"),
        ("BATCH_SIZE", "0"),
        ("SESSION_MINUTES", "forever"),
        ("CHAIN_ID", "-1"),
        ("LOG_LEVEL", "loud"),
        ("TRUSTED_DOCUMENTS", "/nowhere/documents.json"),
        ("TRUSTED_DOCUMENTS_ONLY", "true"),
        ("INSTANCE", "a b"),
        ("CHAIN_PROFILE", "dogecoin"),
        ("DATABASE_URL", "mysql://127.0.0.1/x"),
        ("DATABASE_URL", "nonsense"),
        ("REDIS_URL", "http://127.0.0.1:1"),
        ("DATA_DIRECTORY", "/nowhere"),
        ("PASSPHRASE", "secret-that-must-not-be-shown"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(tmp_path: Path, name: str, value: str) -> None:
    said = refused({"DATA_DIR": str(tmp_path / "data"), name: value})
    assert f"CONSENTRY_{name}" in said
    assert "secret-that-must-not-be-shown" not in said
    assert "Traceback" not in said


def test_a_wrong_setting_in_a_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "consentry.toml").write_text("batch_size = 'many'\n")
    settings = {"DATA_DIR": str(tmp_path / "data")}
    assert "BATCH_SIZE" in refused(settings, "serve", "--config", str(tmp_path / "consentry.toml"))
    assert "consentry" in refused(settings, "serve", "--config", str(tmp_path / "none.toml"))


def test_a_trusted_document_that_is_not_valid_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "documents.json").write_text('{"nothing-1": "{ nothing }"}')
    said = refused({"DATA_DIR": str(tmp_path / "data"), "TRUSTED_DOCUMENTS": str(tmp_path / "documents.json")})
    assert "trusted document nothing-1" in said
    assert "Traceback" not in said


def test_a_data_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "CONSENTRY_DATA_DIR" in refused({"DATA_DIR": str(tmp_path / "file" / "data")})


def test_a_port_in_use_is_refused_by_name(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert "CONSENTRY_PORT" in refused({"DATA_DIR": str(tmp_path / "data"), "PORT": port}, "serve")


def test_a_lost_passphrase_is_named(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path, {})
    gateway.start()
    gateway.stop()
    kept = (gateway.data / "passphrase").read_bytes()
    (gateway.data / "passphrase").unlink()
    assert "passphrase" in refused({"DATA_DIR": str(gateway.data)})
    (gateway.data / "passphrase").touch(mode=0o600)
    (gateway.data / "passphrase").write_bytes(b"another passphrase\n")
    assert "passphrase" in refused({"DATA_DIR": str(gateway.data)})
    (gateway.data / "passphrase").write_bytes(kept)
    gateway.start()
    gateway.stop()


def test_any_free_port_is_taken_for_0(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path, {})
    gateway.start()
    gateway.stop()
    with subprocess.Popen(
        [*COMMAND, "serve", "--port", "0"],
        env=variables({"DATA_DIR": str(gateway.data)}),
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        base = next(match[1] for line in process.stdout if (match := re.search(r"GraphQL at (http\S+)/graphql", line)))
        assert not base.endswith(":0")
        assert sign_in(Door(base), Wallet.of_hex(gateway.registrar_key)).name == "Registrar"
        process.terminate()
        assert process.wait(40) == 0


def test_help_explains_every_command() -> None:
    code, said = run_command("--help", settings={})
    assert code == 0
    for name in ("serve", "worker", "deploy", "demo", "settings", "blocks"):
        assert name in said


@pytest.mark.services
def test_a_chain_without_the_contracts_is_refused(servers: Servers, tmp_path: Path) -> None:
    said = refused(servers.settings() | {"DATA_DIR": str(tmp_path / "data")})
    assert "consentry deploy" in said


@pytest.mark.services
def test_another_chain_than_last_time_is_refused(servers: Servers, tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path, servers.settings())
    assert run_command("deploy", "--fund", settings=gateway.settings)[0] == 0
    gateway.start()
    gateway.stop()
    with running_anvil() as other:
        said = refused(gateway.settings | {"CHAIN_URL": other.url, "PORT": "0"})
    assert "chain" in said
    gateway.start()
    gateway.stop()


@pytest.mark.services
def test_a_second_deployment_keeps_the_first(servers: Servers, tmp_path: Path) -> None:
    settings = servers.settings() | {"DATA_DIR": str(tmp_path / "data")}
    said = [run_command("deploy", "--fund", settings=settings) for _ in range(2)]
    assert [code for code, _ in said] == [0, 0]
    assert said[0][1].splitlines()[-4:] == said[1][1].splitlines()[-4:]


@pytest.mark.services
@pytest.mark.parametrize(
    ("name", "words"), [("CHAIN_URL", "chain"), ("IPFS_URL", "IPFS"), ("DATABASE_URL", "database")]
)
def test_a_part_that_is_down_is_named(servers: Servers, tmp_path: Path, name: str, words: str) -> None:
    gateway = GatewayProcess(tmp_path, servers.settings())
    assert run_command("deploy", "--fund", settings=gateway.settings)[0] == 0
    nobody = f"127.0.0.1:{free_port()}"
    url = f"postgresql+psycopg://consentry@{nobody}/x" if name == "DATABASE_URL" else f"http://{nobody}"
    assert words in refused(gateway.settings | {name: url})


@pytest.mark.services
def test_redis_that_is_down_is_told_by_readiness_and_hinders_no_start(servers: Servers, tmp_path: Path) -> None:
    settings = servers.settings() | {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    gateway = GatewayProcess(tmp_path, settings)
    assert run_command("deploy", "--fund", settings=gateway.settings)[0] == 0
    try:
        gateway.start()
        status, said = gateway.ready()
        assert (status, said["parts"]["bus"]) == (503, "UNAVAILABLE")
        assert sign_in(Door(gateway.base), Wallet.of_hex(gateway.registrar_key)).name == "Registrar"
    finally:
        gateway.stop()
