"""docker-compose.yml and Dockerfile are pinned, private, without secrets, and in step with the servers of the tests."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

_REPOSITORY = Path(__file__).resolve().parents[2]
_PINS = _REPOSITORY / "tests" / "servers" / "pins"
_COMPOSE: dict[str, Any] = yaml.safe_load((_REPOSITORY / "docker-compose.yml").read_text())
_SERVICES: dict[str, dict[str, Any]] = _COMPOSE["services"]
_DOCKERFILE = (_REPOSITORY / "Dockerfile").read_text()


def _tag(service: str) -> str:
    return str(_SERVICES[service]["image"].rsplit(":", 1)[1])


def _pinned_go_version(module: str, path: str) -> str:
    found = re.search(rf"{re.escape(path)} (v\S+)", (_PINS / module / "go.mod").read_text())
    assert found is not None
    return found.group(1)


def test_every_part_is_there() -> None:
    assert set(_SERVICES) == {"deploy", "gateway", "worker", "kubo", "anvil", "geth", "postgres", "redis"}


@pytest.mark.parametrize("service", _SERVICES)
def test_every_image_is_pinned_to_a_full_version(service: str) -> None:
    assert re.fullmatch(r"v?\d+\.\d+(\.\d+)?(-[a-z]+)?", _tag(service))


def test_every_base_image_names_a_version() -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", _DOCKERFILE, re.M))
    bases = set(re.findall(r"^FROM (\S+)", _DOCKERFILE, re.M)) - stages
    assert [base for base in bases if not re.search(r":\d", base)] == []


@pytest.mark.parametrize("service", _SERVICES)
def test_every_mounted_volume_is_declared(service: str) -> None:
    named = {mount.split(":")[0] for mount in _SERVICES[service].get("volumes", [])}
    assert named <= set(_COMPOSE["volumes"])


def test_every_declared_volume_is_mounted() -> None:
    mounted = {mount.split(":")[0] for service in _SERVICES.values() for mount in service.get("volumes", [])}
    assert mounted == set(_COMPOSE["volumes"])


@pytest.mark.parametrize("service", _SERVICES)
def test_every_dependency_exists(service: str) -> None:
    assert set(_SERVICES[service].get("depends_on", {})) <= set(_SERVICES)


@pytest.mark.parametrize("service", _SERVICES)
def test_a_service_in_a_profile_is_never_a_required_dependency(service: str) -> None:
    optional = {name for name, other in _SERVICES.items() if "profiles" in other}
    needed = _SERVICES[service].get("depends_on", {})
    assert [name for name in optional & set(needed) if needed[name].get("required", True)] == []


@pytest.mark.parametrize("service", _SERVICES)
def test_nothing_is_published_but_on_loopback(service: str) -> None:
    assert [port for port in _SERVICES[service].get("ports", []) if not str(port).startswith("127.0.0.1:")] == []


def test_only_the_gateway_is_published() -> None:
    assert [name for name, service in _SERVICES.items() if "ports" in service] == ["gateway"]


@pytest.mark.parametrize("service", sorted(set(_SERVICES) - {"deploy", "gateway", "worker"}))
def test_a_part_is_on_the_network_without_a_way_out(service: str) -> None:
    assert (list(_SERVICES[service]["networks"]), _COMPOSE["networks"]["inside"]["internal"]) == (["inside"], True)


def test_nothing_serves_before_the_contracts_are_deployed() -> None:
    for name in ("gateway", "worker"):
        assert _SERVICES[name]["depends_on"]["deploy"] == {"condition": "service_completed_successfully"}


def test_gateway_and_worker_share_their_settings() -> None:
    assert _SERVICES["gateway"]["environment"] == _SERVICES["worker"]["environment"]


def test_gateway_and_worker_share_their_image_and_data() -> None:
    shared = ("image", "build", "volumes", "secrets")
    gateway, worker = _SERVICES["gateway"], _SERVICES["worker"]
    assert [gateway[part] for part in shared] == [worker[part] for part in shared]


@pytest.mark.parametrize("service", ["gateway", "worker"])
def test_settings_name_every_part(service: str) -> None:
    settings = _SERVICES[service]["environment"]
    wanted = {"DATA_DIR", "DATABASE_URL", "REDIS_URL", "IPFS_URL", "CHAIN_URL", "HOST", "PORT"}
    assert {f"CONSENTRY_{name}" for name in wanted} <= set(settings)


@pytest.mark.parametrize("service", sorted(set(_SERVICES) - {"deploy", "worker"}))
def test_every_server_tells_its_health(service: str) -> None:
    assert _SERVICES[service]["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("service", _SERVICES)
def test_no_secret_stands_in_the_environment(service: str) -> None:
    settings = _SERVICES[service].get("environment", {})
    secret = [name for name in settings if re.search("PASSWORD|SECRET|KEY|TOKEN", name) and not name.endswith("_FILE")]
    with_password = [name for name, value in settings.items() if re.search(r"://[^/@]*:[^/@]*@", str(value))]
    assert secret + with_password == []


def test_every_secret_is_a_file() -> None:
    assert [name for name, secret in _COMPOSE["secrets"].items() if set(secret) != {"file"}] == []


@pytest.mark.parametrize("service", _SERVICES)
def test_every_used_secret_and_config_is_declared(service: str) -> None:
    secrets = set(_SERVICES[service].get("secrets", []))
    configs = {config["source"] for config in _SERVICES[service].get("configs", [])}
    assert secrets <= set(_COMPOSE["secrets"])
    assert configs <= set(_COMPOSE["configs"])


def test_kubo_is_the_version_that_is_tested() -> None:
    assert _tag("kubo") == _pinned_go_version("kubo", "github.com/ipfs/kubo")


def test_geth_is_the_version_that_is_tested() -> None:
    assert _tag("geth") == _pinned_go_version("geth", "github.com/ethereum/go-ethereum")


def test_anvil_is_the_version_that_is_tested() -> None:
    pinned = json.loads((_PINS / "npm" / "package.json").read_text())["dependencies"]
    assert _tag("anvil") == pinned["@foundry-rs/anvil-linux-amd64"]


def test_kubo_runs_in_a_private_swarm_without_telemetry() -> None:
    settings = _SERVICES["kubo"]["environment"]
    assert (settings["LIBP2P_FORCE_PNET"], settings["IPFS_TELEMETRY"]) == ("1", "off")
    assert settings["IPFS_SWARM_KEY_FILE"] == "/run/secrets/swarm_key"


def test_libraries_are_installed_by_hash_alone() -> None:
    for lock in ("requirements-build.lock", "requirements.lock"):
        assert re.search(rf"pip install --require-hashes [^\n]*-r {re.escape(lock)}", _DOCKERFILE)


def test_the_gateway_image_runs_as_its_own_user() -> None:
    stages = _DOCKERFILE.split("\nFROM ")
    assert re.findall(r"^USER (\S+)$", stages[-1], re.M) == ["consentry"]


def test_no_image_runs_on_as_root() -> None:
    final = [stage for stage in _DOCKERFILE.split("\nFROM ")[1:] if "ENTRYPOINT" in stage]
    assert [stage.splitlines()[0] for stage in final if not re.search(r"^USER ", stage, re.M)] == []


def test_the_entry_point_hands_the_password_to_libpq_alone(tmp_path: Path) -> None:
    script = re.search(r"<<'SCRIPT' \S+\n(.*?)\nSCRIPT\n", _DOCKERFILE, re.S)
    assert script is not None
    (tmp_path / "password").write_text("a:b\\c\n")
    passfile = tmp_path / "pgpass"
    answer = subprocess.run(
        ["sh", "-c", script.group(1), "with-postgres-password", "echo", "started"],
        env={**os.environ, "POSTGRES_PASSWORD_FILE": str(tmp_path / "password"), "PGPASSFILE": str(passfile)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert (answer.stdout, passfile.read_text(), passfile.stat().st_mode & 0o777) == (
        "started\n",
        "*:*:*:*:a\\:b\\\\c\n",
        0o600,
    )
