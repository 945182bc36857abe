"""What is to be signed, and what comes back signed: EIP-712 JSON either way. Nothing here reads it."""

from typing import Annotated, Protocol

import strawberry

from gateway.errors import CallerError
from gateway.identity import model
from schema.context import TypedData
from schema.errors import Refusal
from schema.scalars import Hex, Json


@strawberry.type(
    description="typedData is EIP-712 JSON, ready for eth_signTypedData_v4; id is what it will be known by (for a "
    "consent, its consentId)."
)
class Draft:
    id: Hex
    typed_data: Json


class Signed(Protocol):
    """Any input with signed EIP-712 JSON."""

    typed_data: Json


@strawberry.input
class SignedInput:
    typed_data: Json
    signature: Hex


DraftResult = Annotated[Draft | Refusal, strawberry.union("DraftResult")]


def to_draft(draft: model.Draft) -> Draft:
    return Draft(id=Hex(draft.id), typed_data=Json(dict(draft.typed_data)))


def typed_data_of(input: "Signed") -> TypedData:
    """The signed EIP-712 JSON. Raises CallerError where it is no object; the service checks the rest."""
    if not isinstance(input.typed_data, dict):
        raise CallerError("typedData is a JSON object", field=("typedData",))
    return input.typed_data
