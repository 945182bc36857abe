from typing import Literal, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import DraftFields, RefusalFields


class DraftRevocationOfAll(BaseModel):
    draft_revocation_of_all: Union[
        "DraftRevocationOfAllDraftRevocationOfAllDraft",
        "DraftRevocationOfAllDraftRevocationOfAllRefusal",
    ] = Field(alias="draftRevocationOfAll", discriminator="typename__")


class DraftRevocationOfAllDraftRevocationOfAllDraft(DraftFields):
    typename__: Literal["Draft"] = Field(alias="__typename")


class DraftRevocationOfAllDraftRevocationOfAllRefusal(RefusalFields):
    typename__: Literal["Refusal"] = Field(alias="__typename")


DraftRevocationOfAll.model_rebuild()
