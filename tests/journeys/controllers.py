"""Patients under every kind of key: a wallet, a contract wallet (ERC-1271), a P-256 key, a passkey. They sign in by
another key, which theirs has linked."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from eth_account import Account

from gateway.demo.wallet import Wallet, typed_data_digest
from tests.journeys import documents
from tests.journeys.keys import P256Key, SoftPasskey
from tests.journeys.people import Answer, Patient, Person
from tests.journeys.sites import Site
from tests.journeys.wallets import send

SIGNING_RP = "signing.localhost"
# Returns ERC-1271's word where ecrecover of (hash, signature of 65 bytes) is the owner between the two parts.
_BEFORE_OWNER = bytes.fromhex("60043560005260a43560f81c602052606435604052608435606052602060806080600060015afa5073")
_AFTER_OWNER = bytes.fromhex("60805114631626ba7e0260e01b60005260206000f3")


class Key(Protocol):
    """What controls a patient. `signer`: ERC-7913, 0x hex."""

    @property
    def signer(self) -> str: ...
    def sign_typed_data(self, full: Mapping[str, Any]) -> str: ...


class ContractWallet:
    """A contract that takes its owner's signatures for its own."""

    def __init__(self, site: Site) -> None:
        self._owner = Account.create()
        if site.servers is not None:
            site.servers.chain.fund(self._owner.address, 10**18)
        code = _BEFORE_OWNER + bytes.fromhex(self._owner.address[2:]) + _AFTER_OWNER
        creation = bytes([0x60, len(code), 0x80, 0x60, 0x0B, 0x60, 0, 0x39, 0x60, 0, 0xF3]) + code
        receipt = send(site.gateway.rpc, self._owner, to=None, data=creation)
        assert int(receipt["status"], 16) == 1
        self.signer = str(receipt["contractAddress"]).lower()

    def sign_typed_data(self, full: Mapping[str, Any]) -> str:
        digest = bytes.fromhex(typed_data_digest(full)[2:])
        return "0x" + bytes(self._owner.unsafe_sign_hash(digest).signature).hex()


def verifier(site: Site, kind: str) -> bytes:
    found = json.loads((site.gateway.data / "deployment.json").read_text())
    return bytes.fromhex(found[f"{kind}_verifier"][2:])


def passkey(site: Site, rp_id: str = SIGNING_RP) -> SoftPasskey:
    return SoftPasskey(verifier(site, "webauthn"), rp_id=rp_id)


KINDS: Mapping[str, Callable[[Site], Key]] = {
    "wallet": lambda site: Wallet.new(),
    "contract wallet": ContractWallet,
    "p256": lambda site: P256Key(verifier(site, "p256")),
    "passkey": passkey,
}


@dataclass(frozen=True, slots=True)
class Hand:
    """Signs in with one key and signs texts with another."""

    wallet: Wallet
    key: Key

    @property
    def signer(self) -> str:
        return self.wallet.signer

    @property
    def address(self) -> str:
        return self.wallet.address

    def sign_text(self, message: str) -> str:
        return self.wallet.sign_text(message)

    def sign_typed_data(self, full: Mapping[str, Any]) -> str:
        return self.key.sign_typed_data(full)


def enrolled(site: Site, key: Key) -> Patient:
    """A patient under this key, and a person who says that it is they, not linked yet."""
    person = site.crowd.register("PATIENT", "Keyed Patient")
    made = site.crowd.registrar.ask(documents.ENROL, {"input": {"controller": key.signer}}).value
    handed = replace(person, wallet=cast("Wallet", Hand(person.wallet, key)))
    return Patient(person=handed, id=made["id"], subject=made["subject"])


def draft_link(asker: Person, patient: str, actor: str, *, linked: bool = True) -> Answer:
    return asker.ask(documents.DRAFT_CREDENTIAL, {"input": {"patientId": patient, "actorId": actor, "linked": linked}})


def submit_link(asker: Person, typed: Mapping[str, Any], *, signature: str, actor_signature: str) -> Answer:
    given = {"typedData": typed, "signature": signature, "actorSignature": actor_signature}
    return asker.ask(documents.SET_CREDENTIAL, {"input": given})


def link(patient: Patient, *, linked: bool = True) -> Answer:
    """Signed by both."""
    hand = cast("Hand", patient.person.wallet)
    typed = draft_link(patient.person, patient.id, patient.person.id, linked=linked).value["typedData"]
    return submit_link(
        patient.person,
        typed,
        signature=hand.key.sign_typed_data(typed),
        actor_signature=hand.wallet.sign_typed_data(typed),
    )
