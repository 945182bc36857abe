from typing import Literal, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import DraftFields, RefusalFields


class DraftRevocation(BaseModel):
    draft_revocation: Union[
        "DraftRevocationDraftRevocationDraft", "DraftRevocationDraftRevocationRefusal"
    ] = Field(alias="draftRevocation", discriminator="typename__")


class DraftRevocationDraftRevocationDraft(DraftFields):
    typename__: Literal["Draft"] = Field(alias="__typename")


class DraftRevocationDraftRevocationRefusal(RefusalFields):
    typename__: Literal["Refusal"] = Field(alias="__typename")


DraftRevocation.model_rebuild()
