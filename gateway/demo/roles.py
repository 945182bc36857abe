"""Who takes part: a registrar, a clinician, a stranger, and a patient for each bundle, each with a key of its own."""

from dataclasses import dataclass, field

from gateway.demo import documents
from gateway.demo.answers import ActorAnswer, Challenge, SessionAnswer
from gateway.demo.client import Gateway
from gateway.demo.model import Deployment, StepFailedError
from gateway.demo.signing import check_sign_in, encryption_key_text
from gateway.demo.wallet import Wallet
from gateway.jsontext import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A signed-in actor. `actor`: the 32-byte name on chain, 0x hex; `id`: its global id."""

    wallet: Wallet = field(repr=False)
    token: str = field(repr=False)
    id: str
    actor: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Those who are the same for every bundle."""

    registrar: Person
    clinician: Person
    stranger: Person


def assemble(gateway: Gateway, deployment: Deployment, *, registrar_key: str) -> Cast:
    """Signs the registrar in and registers the rest. Raises WrongCallError, StepFailedError."""
    registrar = sign_in(gateway, deployment, wallet=Wallet.of_hex(registrar_key))
    return Cast(
        registrar=registrar,
        clinician=register(gateway, deployment, registrar=registrar, role="CLINICIAN", name="Dr. Demo Clinician"),
        stranger=register(gateway, deployment, registrar=registrar, role="CLINICIAN", name="Dr. Demo Stranger"),
    )


def register(
    gateway: Gateway,
    deployment: Deployment,
    *,
    registrar: Person,
    role: str,
    name: str,
    encryption_key: bytes | None = None,
    wallet: Wallet | None = None,
) -> Person:
    """A new actor, signed in, with a new key or that of `wallet`. `encryption_key`: X25519, 32 bytes, bound to the
    actor's own key."""
    wallet = wallet or Wallet.new()
    said: dict[str, JsonValue] = {"key": wallet.signer, "roles": [role], "name": name}
    if encryption_key is not None:
        text = encryption_key_text(signer=wallet.signer, encryption_key=encryption_key, deployment=deployment)
        said["encryptionKey"] = "0x" + encryption_key.hex()
        said["encryptionKeySignature"] = wallet.sign_typed_data(text)
    made = gateway.result(documents.REGISTER, {"input": said}, ActorAnswer, token=registrar.token)
    person = sign_in(gateway, deployment, wallet=wallet)
    if person.actor != made.actor:
        raise StepFailedError("the key signs in as another actor than was registered")
    return person


def sign_in(gateway: Gateway, deployment: Deployment, *, wallet: Wallet) -> Person:
    """EIP-4361: asks for a challenge, looks at it, signs it, gets a token."""
    challenge = gateway.result(documents.CHALLENGE, {"address": wallet.address}, Challenge)
    check_sign_in(challenge.message, base=gateway.base, address=wallet.address, chain_id=deployment.chain_id)
    session = gateway.result(
        documents.SIGN_IN,
        {"input": {"message": challenge.message, "signature": wallet.sign_text(challenge.message)}},
        SessionAnswer,
    )
    if session.actor.address != wallet.address:
        raise StepFailedError("the gateway signed us in as somebody else")
    return Person(
        wallet=wallet,
        token=session.access_token,
        id=session.actor.id,
        actor=session.actor.actor,
        name=session.actor.name or "",
    )
