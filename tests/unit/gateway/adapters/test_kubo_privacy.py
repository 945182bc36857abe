"""A node is private only if every way to find others is off; what is not set counts as Kubo's public default."""

import copy

import pytest

from gateway.adapters.kubo import KuboStore
from gateway.adapters.kubo_privacy import public_signs
from gateway.errors import SettingsError

PRIVATE = {
    "Routing": {"Type": "none", "DelegatedRouters": []},
    "Bootstrap": [],
    "Discovery": {"MDNS": {"Enabled": False}},
    "AutoConf": {"Enabled": False},
}
IDENTITY = {"Addresses": ["/ip4/10.1.2.3/tcp/4001/p2p/12D3KooW"]}
PEERS = {"Peers": [{"Addr": "/ip4/10.1.2.4/tcp/4001", "Peer": "12D3KooX"}]}


def test_a_node_that_looks_for_nobody_is_private() -> None:
    assert public_signs(PRIVATE, IDENTITY, PEERS) == []


def test_a_node_without_listeners_and_peers_is_private() -> None:
    assert public_signs(PRIVATE, {"Addresses": None}, {"Peers": None}) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("Routing", "Type"), "auto"),
        (("Routing", "Type"), "dhtclient"),
        (("Routing", "Type"), None),
        (("Routing",), None),
        (("Routing", "DelegatedRouters"), ["https://router.example"]),
        (("Bootstrap",), ["auto"]),
        (("Bootstrap",), ["/dnsaddr/bootstrap.example"]),
        (("Discovery", "MDNS", "Enabled"), True),
        (("Discovery",), {}),
        (("AutoConf", "Enabled"), True),
        (("AutoConf",), {}),
    ],
)
def test_each_way_to_find_others_is_one_sign(path: tuple[str, ...], value: object) -> None:
    config = copy.deepcopy(PRIVATE)
    node = config
    for name in path[:-1]:
        node = node[name]
    node[path[-1]] = value
    assert len(public_signs(config, IDENTITY, PEERS)) == 1


@pytest.mark.parametrize("transport", ["udp/4001/quic-v1", "udp/4001/quic-v1/webtransport", "udp/4001/webrtc-direct"])
def test_listening_on_a_transport_without_swarm_keys_is_a_sign(transport: str) -> None:
    assert public_signs(PRIVATE, {"Addresses": [f"/ip4/0.0.0.0/{transport}"]}, PEERS)


def test_a_peer_on_a_transport_without_swarm_keys_is_a_sign() -> None:
    assert public_signs(PRIVATE, IDENTITY, {"Peers": [{"Addr": "/ip4/192.0.2.1/udp/4001/quic-v1"}]})


def test_an_empty_configuration_is_public() -> None:
    assert len(public_signs({}, {}, {})) == 2


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:5001",
        "ftp://127.0.0.1:5001",
        "127.0.0.1:5001",
        "http://",
        "http://user@127.0.0.1:5001",
        "http://127.0.0.1:5001/other",
        "http://127.0.0.1:5001/?a=b",
        "http://127.0.0.1:99999",
    ],
)
def test_another_kind_of_url_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(SettingsError):
        KuboStore(url)
