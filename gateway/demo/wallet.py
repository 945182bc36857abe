"""A key of one's own: the only signer in this package, and the only place where eth-account enters."""

from collections.abc import Mapping
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from gateway.demo.model import WrongCallError


class Wallet:
    """A secp256k1 key, as a browser wallet holds one. It signs what it is given: `signing` looks first."""

    __slots__ = ("_account",)

    def __init__(self, account: LocalAccount) -> None:
        self._account = account

    @classmethod
    def new(cls) -> "Wallet":
        return cls(Account.create())

    @classmethod
    def of_hex(cls, key: str) -> "Wallet":
        """Of 32 bytes as hex. Raises WrongCallError without quoting the key."""
        try:
            return cls(Account.from_key(key.strip()))
        except Exception as error:  # noqa: BLE001 - eth-keys raises its own, ValueError and binascii's; any may quote the key
            del error
        raise WrongCallError("the registrar's key is not 32 bytes of hexadecimal")

    @property
    def address(self) -> str:
        """EIP-55."""
        return str(self._account.address)

    @property
    def signer(self) -> str:
        """ERC-7913 form of a plain wallet: its 20-byte address, lower case."""
        return self.address.lower()

    def sign_text(self, message: str) -> str:
        """EIP-191 version 0x45 (`personal_sign`), 65 bytes as 0x hex."""
        return "0x" + bytes(self._account.sign_message(encode_defunct(text=message)).signature).hex()

    def sign_typed_data(self, full: Mapping[str, Any]) -> str:
        """`eth_signTypedData_v4`, 65 bytes as 0x hex."""
        return "0x" + bytes(self._account.sign_message(encode_typed_data(full_message=dict(full))).signature).hex()

    def signed(self, full: Mapping[str, Any], signature: str) -> bool:
        """Whether a signature over typed data is this key's. Ours say the same each time (RFC 6979)."""
        return self.sign_typed_data(full) == signature.lower()


def typed_data_digest(full: Mapping[str, Any]) -> str:
    """The EIP-712 digest that a signature is over, 0x hex."""
    signable = encode_typed_data(full_message=dict(full))
    return "0x" + keccak(b"\x19" + signable.version + signable.header + signable.body).hex()
