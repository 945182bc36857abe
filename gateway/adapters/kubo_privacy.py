"""Whether a Kubo node is part of the public network, judged by what its RPC shows.

The RPC shows no swarm key. What it shows is every way in which a node finds others, and which transports it listens
on: QUIC, WebTransport and WebRTC have no swarm keys, so a node that listens on one has none in force. A node that
looks for nobody and listens on TCP alone passes; that its key is there is the operator's to see to.
Source: Kubo's docs/config.md and docs/experimental-features.md (private networks).
"""

from collections.abc import Iterator, Mapping
from typing import Final

_KEYLESS: Final = ("/quic", "/webtransport", "/webrtc")
_PUBLIC_AUTOCONF: Final = (None, "", "auto", "https://conf.ipfs-mainnet.org/autoconf.json")


def public_signs(
    config: Mapping[str, object], identity: Mapping[str, object], peers: Mapping[str, object]
) -> list[str]:
    """Reasons to call it public, by setting name; empty for a private node. Answers of config/show, id, swarm/peers.

    A setting that is absent counts as Kubo's default: public, but for Bootstrap (nobody) and AutoConf (too old for it).
    """
    return list(_signs(config, identity, peers))


def _signs(config: Mapping[str, object], identity: Mapping[str, object], peers: Mapping[str, object]) -> Iterator[str]:
    if _at(config, "Routing", "Type") != "none":
        yield "Routing.Type is not none"
    if _at(config, "Routing", "DelegatedRouters"):
        yield "Routing.DelegatedRouters is not empty"
    if _at(config, "Bootstrap"):
        yield "Bootstrap is not empty"
    if _at(config, "Discovery", "MDNS", "Enabled") is not False:
        yield "Discovery.MDNS.Enabled is not false"
    has_autoconf = "AutoConf" in config and _at(config, "AutoConf", "Enabled") is not False
    if has_autoconf and _at(config, "AutoConf", "URL") in _PUBLIC_AUTOCONF:
        yield "AutoConf.Enabled is not false"
    if any(_is_keyless(address) for address in _list(identity.get("Addresses"))):
        yield "it listens on a transport that has no swarm key"
    if any(_is_keyless(_at(peer, "Addr")) for peer in _list(peers.get("Peers"))):
        yield "it is connected to a peer without a swarm key"


def _is_keyless(address: object) -> bool:
    return isinstance(address, str) and any(name in address for name in _KEYLESS)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _at(value: object, *path: str) -> object:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
