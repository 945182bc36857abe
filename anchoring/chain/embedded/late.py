"""What a start leaves for later: the precompiles of BLS12-381 (EIP-2537), whose library computes tables for a quarter
of a second when it is imported, and which none of our contracts calls.

True here: whoever calls one runs py-evm's own function, imported at that moment; gas, result and refusal are its own.
py-evm names these functions in a table while it is imported, so what stands in for them has to be there before.
Not done here: anything in a process that does not run the chain.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from eth.abc import ComputationAPI

PACKAGE: Final = "eth.precompiles.bls12_381"
NAMES: Final = (
    "bls12_g1_add",
    "bls12_g1_msm",
    "bls12_g2_add",
    "bls12_g2_msm",
    "bls12_map_fp2_to_g2",
    "bls12_map_fp_to_g1",
    "bls12_pairing_check",
)


def stand_in() -> None:
    """Before py-evm is imported."""
    standing = ModuleType(PACKAGE)
    for name in NAMES:
        setattr(standing, name, _late(name, standing))
    sys.modules[PACKAGE] = standing


def _late(name: str, standing: ModuleType) -> Callable[[ComputationAPI], ComputationAPI]:
    def precompile(computation: ComputationAPI) -> ComputationAPI:
        if sys.modules.get(PACKAGE) is standing:
            del sys.modules[PACKAGE]
        own: Callable[[ComputationAPI], ComputationAPI] = getattr(importlib.import_module(PACKAGE), name)
        return own(computation)

    return precompile
