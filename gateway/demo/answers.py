"""The shapes of the gateway's answers: what is not of these shapes is refused before it is used.

Hex stays text here; `model.octets` reads it where it is needed. Content is JSON whose numbers keep their text.
"""

from typing import Any

import msgspec


class _Answer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """GraphQL names are in camel case; what was not asked for here is ignored."""


class Challenge(_Answer, frozen=True):
    message: str


class ActorAnswer(_Answer, frozen=True):
    id: str
    actor: str
    address: str
    name: str | None


class SessionAnswer(_Answer, frozen=True):
    access_token: str
    actor: ActorAnswer


class PatientAnswer(_Answer, frozen=True):
    id: str
    subject: str


class StoredAnswer(_Answer, frozen=True):
    id: str
    version: int
    cid: str


class ImportedAnswer(_Answer, frozen=True):
    records: list[StoredAnswer]


class DraftAnswer(_Answer, frozen=True):
    id: str
    typed_data: dict[str, Any]


class ConsentAnswer(_Answer, frozen=True):
    consent_id: str
    status: str
    transaction_hash: str | None


class Proof(_Answer, frozen=True):
    """AnchorProof."""

    log: str
    leaf_encoding: list[str]
    leaf_values: list[str]
    path: list[str]
    root: str
    chain_id: int
    contract: str
    transaction_hash: str
    block_number: int


class Anchor(_Answer, frozen=True):
    status: str
    proof: Proof | None = None

    @property
    def is_on_chain(self) -> bool:
        return self.status in ("ANCHORED", "FINAL")


class Receipt(_Answer, frozen=True):
    """DecisionReceipt. `payload` is the exact text that was signed."""

    consent_id: str | None
    purpose: str
    as_of_block: int
    obligations: list[str]
    payload: str
    signer: str
    signature: str


class Named(_Answer, frozen=True):
    id: str
    name: str | None = None


class Labelled(_Answer, frozen=True):
    id: str
    labels: list[str]


class AnchoredId(_Answer, frozen=True):
    id: str
    anchor: Anchor


class ReadRecord(_Answer, frozen=True):
    """A record as its reader sees it; `content` is a JSON value of `gateway.jsontext`."""

    id: str
    version: int
    resource_type: str
    labels: list[str]
    content: Any
    content_salt: str | None
    cid: str
    author: Named
    anchor: Anchor
    receipt: Receipt


class AccessEvent(_Answer, frozen=True):
    at: str
    action: str
    purpose: str | None
    outcome: str
    record_id: str | None
    actor: Named | None
