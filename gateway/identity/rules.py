"""What people and organizations sign about who they are: the sign-in message (EIP-4361), memberships and encryption
keys (EIP-712). Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway import eip712
from gateway.errors import CallerError
from gateway.ids import ActorId

MEMBERSHIP_TYPES = {
    "Membership": (
        ("org", "bytes32"),
        ("member", "bytes32"),
        ("role", "uint8"),
        ("notAfter", "uint64"),
        ("seq", "uint64"),
    )
}
IDENTITY_TYPES = {
    "IdentityLink": (
        ("actor", "bytes32"),
        ("issuer", "string"),
        ("subject", "string"),
        ("notAfter", "uint64"),
    )
}
ENCRYPTION_KEY_TYPES = {"EncryptionKey": (("key", "bytes"), ("encryptionKey", "bytes32"))}
_SIGN_IN = re.compile(
    r"\A[^\s]{1,255} wants you to sign in with your Ethereum account:\n(?P<address>0x[0-9a-fA-F]{40})\n\n"
    r"Sign in to Consentry\.\n\nURI: \S{1,512}\nVersion: 1\nChain ID: \d{1,20}\nNonce: (?P<nonce>[0-9a-f]{32})\n"
    r"Issued At: \S{20,30}\nExpiration Time: (?P<ends>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\Z",
    re.ASCII,
)
LONGEST_MESSAGE = 2048
LONGEST_DEVICE = 64


def sign_in_message(
    *, domain: str, uri: str, address: bytes, chain_id: int, nonce: str, issued: datetime, expires: datetime
) -> str:
    """EIP-4361, the only form that this gateway issues and takes back."""
    return (
        f"{domain} wants you to sign in with your Ethereum account:\n{eip712.address_text(address)}\n\n"
        f"Sign in to Consentry.\n\nURI: {uri}\nVersion: 1\nChain ID: {chain_id}\nNonce: {nonce}\n"
        f"Issued At: {_time(issued)}\nExpiration Time: {_time(expires)}"
    )


def address_of(signer: bytes) -> bytes:
    """The 20 bytes that stand for an ERC-7913 signer in an EIP-4361 message: a wallet's own address."""
    return bytes.fromhex(eip712.address_text(signer)[2:])


def read_sign_in(message: str) -> tuple[bytes, str, datetime]:
    """(20-byte address, nonce, expiration). Raises CallerError: whether it is ours and unspent is checked elsewhere."""
    found = _SIGN_IN.match(message) if len(message) <= LONGEST_MESSAGE else None
    if found is None:
        raise CallerError("not a sign-in message of this gateway", field=("message",))
    try:
        ends = datetime.fromisoformat(found["ends"])
    except ValueError as error:  # no such day
        raise CallerError("not a sign-in message of this gateway", field=("message",)) from error
    return bytes.fromhex(found["address"][2:]), found["nonce"], ends


def check_device(device: str) -> None:
    """Raises CallerError for what is no name of a device."""
    if not device.strip() or len(device) > LONGEST_DEVICE or not device.isprintable():
        raise CallerError(f"1 to {LONGEST_DEVICE} printable characters", field=("device",))


def pad_device(device: str) -> bytes:
    """All names of devices are as long as each other, once sealed."""
    octets = device.encode()
    return len(octets).to_bytes(2, "big") + octets.ljust(4 * LONGEST_DEVICE, b"\x00")


def unpad_device(padded: bytes) -> str:
    size = int.from_bytes(padded[:2], "big")
    return padded[2 : 2 + size].decode()


def membership_typed_data(
    *, org: ActorId, member: ActorId, not_after: int, seq: int, domain: Mapping[str, Any]
) -> dict[str, Any]:
    message = {"org": "0x" + org.hex(), "member": "0x" + member.hex(), "role": 0, "notAfter": not_after, "seq": seq}
    return eip712.typed_data("Membership", MEMBERSHIP_TYPES, message, domain)


def read_membership(typed_data: Mapping[str, Any]) -> tuple[ActorId, ActorId, int, int]:
    """(organization, member, notAfter, seq). Raises CallerError naming the field."""
    message = typed_data.get("message")
    if typed_data.get("primaryType") != "Membership" or not isinstance(message, Mapping):
        raise CallerError("not a membership", field=("typedData", "primaryType"))
    if message.keys() != {name for name, _ in MEMBERSHIP_TYPES["Membership"]}:
        raise CallerError("members are missing, or there are others", field=("typedData", "message"))
    if _integer(message, "role") != 0:
        raise CallerError("no such role", field=("typedData", "message", "role"))
    return (
        ActorId(_id(message, "org")),
        ActorId(_id(message, "member")),
        _integer(message, "notAfter"),
        _integer(message, "seq"),
    )


def identity_typed_data(
    *, actor: ActorId, issuer: str, subject: str, not_after: int, domain: Mapping[str, Any]
) -> dict[str, Any]:
    """What an actor signs: whom an identity provider calls `subject` may read and write records as this actor."""
    message = {"actor": "0x" + actor.hex(), "issuer": issuer, "subject": subject, "notAfter": not_after}
    return eip712.typed_data("IdentityLink", IDENTITY_TYPES, message, domain)


def read_identity(typed_data: Mapping[str, Any]) -> tuple[ActorId, str, str, int]:
    """(actor, issuer, subject, notAfter). Raises CallerError naming the field."""
    message = typed_data.get("message")
    if typed_data.get("primaryType") != "IdentityLink" or not isinstance(message, Mapping):
        raise CallerError("not a link of an identity", field=("typedData", "primaryType"))
    if message.keys() != {name for name, _ in IDENTITY_TYPES["IdentityLink"]}:
        raise CallerError("members are missing, or there are others", field=("typedData", "message"))
    issuer, subject = message["issuer"], message["subject"]
    if not isinstance(issuer, str) or not isinstance(subject, str):
        raise CallerError("not text", field=("typedData", "message"))
    return ActorId(_id(message, "actor")), issuer, subject, _integer(message, "notAfter")


def encryption_key_typed_data(*, key: bytes, encryption_key: bytes, domain: Mapping[str, Any]) -> dict[str, Any]:
    """What binds an X25519 key to the signer that it belongs to."""
    message = {"key": "0x" + key.hex(), "encryptionKey": "0x" + encryption_key.hex()}
    return eip712.typed_data("EncryptionKey", ENCRYPTION_KEY_TYPES, message, domain)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _id(message: Mapping[str, Any], name: str) -> bytes:
    value = message.get(name)
    if isinstance(value, str) and re.fullmatch(r"0x[0-9a-fA-F]{64}", value):
        return bytes.fromhex(value[2:])
    raise CallerError("not 32 bytes of hexadecimal", field=("typedData", "message", name))


def _integer(message: Mapping[str, Any], name: str) -> int:
    value = message.get(name)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 20:
        value = int(value)
    if type(value) is int and 0 <= value < 2**64:
        return value
    raise CallerError("not an unsigned integer", field=("typedData", "message", name))
