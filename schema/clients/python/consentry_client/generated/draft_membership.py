from typing import Literal, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import DraftFields, RefusalFields


class DraftMembership(BaseModel):
    draft_membership: Union[
        "DraftMembershipDraftMembershipDraft", "DraftMembershipDraftMembershipRefusal"
    ] = Field(alias="draftMembership", discriminator="typename__")


class DraftMembershipDraftMembershipDraft(DraftFields):
    typename__: Literal["Draft"] = Field(alias="__typename")


class DraftMembershipDraftMembershipRefusal(RefusalFields):
    typename__: Literal["Refusal"] = Field(alias="__typename")


DraftMembership.model_rebuild()
