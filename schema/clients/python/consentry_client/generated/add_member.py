from typing import Literal, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import ActorFields, RefusalFields


class AddMember(BaseModel):
    add_member: Union["AddMemberAddMemberActor", "AddMemberAddMemberRefusal"] = Field(
        alias="addMember", discriminator="typename__"
    )


class AddMemberAddMemberActor(ActorFields):
    typename__: Literal["Actor"] = Field(alias="__typename")


class AddMemberAddMemberRefusal(RefusalFields):
    typename__: Literal["Refusal"] = Field(alias="__typename")


AddMember.model_rebuild()
