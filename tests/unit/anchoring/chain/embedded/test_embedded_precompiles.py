"""The precompiles that a start leaves for later answer as py-evm's own, and cost a start nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from anchoring.chain.embedded.late import NAMES, PACKAGE
from tests.unit.anchoring.chain.embedded.client import ChainClient

# The generators and the encodings are those of EIP-2537: 64 bytes a coordinate, G2's in two halves.
_G1 = (
    "17f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb",
    "08b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1",
)
_G2 = (
    "024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8",
    "13e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e",
    "0ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801",
    "0606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be",
)
_P = 0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB
"""The field's modulus."""


def _point(*coordinates: str) -> str:
    return "".join(one.rjust(128, "0") for one in coordinates)


def _negated(point: tuple[str, str]) -> str:
    return _point(point[0], f"{_P - int(point[1], 16):096x}")


G1, G2, NONE, FALSE, TRUE = _point(*_G1), _point(*_G2), "", "0" * 64, "0" * 63 + "1"
ONE = "0" * 63 + "1"

ANSWERS = {
    "sum of a point and its opposite": ("0b", G1 + _negated(_G1), "0" * 256),
    "one times a point": ("0c", G1 + ONE, G1),
    "sum with no point, of G2": ("0d", G2 + "0" * 512, G2),
    "one times a point of G2": ("0e", G2 + ONE, G2),
    "pairing of one pair": ("0f", G1 + G2, FALSE),
    "pairing with no point": ("0f", G1 + "0" * 512, TRUE),
}


@pytest.mark.parametrize("named", ANSWERS)
def test_a_precompile_answers_as_eip_2537_says(client: ChainClient, named: str) -> None:
    number, given, expected = ANSWERS[named]
    answer = client.raw("eth_call", {"to": "0x" + number.rjust(40, "0"), "data": "0x" + given})
    assert answer.get("result") == "0x" + expected


@pytest.mark.parametrize("number", ["10", "11"])
def test_a_field_element_is_mapped_into_its_curves_group(client: ChainClient, number: str) -> None:
    element = "7".rjust(128, "0") * (1 if number == "10" else 2)
    mapped = client.raw("eth_call", {"to": "0x" + number.rjust(40, "0"), "data": "0x" + element})["result"]
    # What is outside of the group is refused by the multiplication.
    times = {"to": "0x" + {"10": "0c", "11": "0e"}[number].rjust(40, "0"), "data": mapped + ONE}
    assert client.raw("eth_call", times)["result"] == mapped
    assert int(mapped, 16) != 0


@pytest.mark.parametrize("number", range(0x0B, 0x12))
def test_what_is_malformed_is_refused_by_each(client: ChainClient, number: int) -> None:
    assert "error" in client.raw("eth_call", {"to": f"0x{number:040x}", "data": "0x01"})


def test_gas_is_what_eip_2537_says(client: ChainClient) -> None:
    call = {"to": "0x" + "0b".rjust(40, "0"), "data": "0x" + G1 + "0" * 256}
    spent = int(client.raw("eth_estimateGas", call)["result"], 16)
    assert spent >= 21_000 + 375
    assert "error" in client.raw("eth_call", {**call, "gas": hex(spent - 1)})


def test_a_start_does_not_load_them() -> None:
    """And what stands in is under every name that py-evm takes from there."""
    asked = f"""
import sys
from anchoring.chain.embedded.late import stand_in
stand_in()
from eth.vm.forks.prague.computation import PRAGUE_PRECOMPILES
standing = [one.__module__ for one in PRAGUE_PRECOMPILES.values() if one.__module__.startswith("anchoring.")]
print(len(standing), "py_ecc.optimized_bls12_381" in sys.modules)
import importlib
del sys.modules[{PACKAGE!r}]
own = importlib.import_module({PACKAGE!r})
print(sorted(name for name in vars(own) if name.startswith("bls12_") and callable(getattr(own, name))))
"""
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60)
    counted, named = said.stdout.splitlines()
    assert counted == f"{len(NAMES)} False"
    assert named == str(sorted(NAMES))
