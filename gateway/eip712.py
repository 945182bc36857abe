"""EIP-712 digests and wallet signatures, with the contract's own verdict: low s, 65 bytes, v of 27 or 28.

eth-account hashes; it recovers high-s signatures too, which OpenZeppelin's ECDSA refuses, so the form is checked first
(EIP-2). What is no plain wallet (ERC-1271, ERC-7913) is not judged here: the registry is asked.
"""

from collections.abc import Mapping
from typing import Any

from coincurve import PublicKey
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""Half the order of secp256k1 (SEC 2): the largest s that ECDSA.sol takes."""
DOMAIN_TYPE = (
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
)


def domain(*, chain_id: int, contract: str) -> dict[str, Any]:
    """The EIP-712 domain of a registry of ours."""
    return {"name": "Consentry", "version": "1", "chainId": chain_id, "verifyingContract": contract}


def typed_data(
    primary: str,
    types: Mapping[str, tuple[tuple[str, str], ...]],
    message: Mapping[str, Any],
    domain: Mapping[str, Any],
) -> dict[str, Any]:
    """EIP-712 JSON, ready for eth_signTypedData_v4. `types`: struct name -> ((field name, type), …)."""
    return {
        "types": {
            "EIP712Domain": [dict(field) for field in DOMAIN_TYPE],
            **{name: [{"name": field, "type": kind} for field, kind in fields] for name, fields in types.items()},
        },
        "primaryType": primary,
        "domain": dict(domain),
        "message": dict(message),
    }


def digest(full: Mapping[str, Any]) -> bytes:
    """keccak-256(0x19 0x01 ‖ domain separator ‖ struct hash), 32 bytes."""
    signable = encode_typed_data(full_message=dict(full))
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def struct_hash(full: Mapping[str, Any]) -> bytes:
    """hashStruct of the message, 32 bytes."""
    return bytes(encode_typed_data(full_message=dict(full)).body)


def encode_type(primary: str, types: Mapping[str, tuple[tuple[str, str], ...]]) -> str:
    """encodeType: the primary struct, then those it refers to, sorted by name."""
    others = sorted(name for name in types if name != primary)
    return "".join(
        f"{name}({','.join(f'{kind} {field}' for field, kind in types[name])})" for name in [primary, *others]
    )


def type_hash(primary: str, types: Mapping[str, tuple[tuple[str, str], ...]]) -> bytes:
    return keccak(text=encode_type(primary, types))


def recover(digest: bytes, signature: bytes) -> bytes | None:
    """The 20-byte address that signed, or None for any form that the contract would refuse."""
    if len(signature) != 65 or signature[64] not in (27, 28):
        return None
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if not (0 < s <= HALF_ORDER) or r == 0:
        return None
    try:
        key = PublicKey.from_signature_and_message(signature[:64] + bytes([signature[64] - 27]), digest, hasher=None)
    except Exception as error:  # noqa: BLE001 - coincurve raises bare Exception and ValueError for points off the curve
        del error
        return None
    return keccak(key.format(compressed=False)[1:])[12:]


def personal_digest(message: str) -> bytes:
    """EIP-191 version 0x45, as `personal_sign` hashes it."""
    data = message.encode()
    return keccak(b"\x19Ethereum Signed Message:\n" + str(len(data)).encode() + data)


def address_text(raw: bytes) -> str:
    """EIP-55. Of a longer ERC-7913 signer: the last 20 bytes of its keccak-256."""
    return to_checksum_address(raw if len(raw) == 20 else keccak(raw)[12:])
