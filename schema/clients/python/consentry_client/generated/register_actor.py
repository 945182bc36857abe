from typing import Literal, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import ActorFields, RefusalFields


class RegisterActor(BaseModel):
    register_actor: Union[
        "RegisterActorRegisterActorActor", "RegisterActorRegisterActorRefusal"
    ] = Field(alias="registerActor", discriminator="typename__")


class RegisterActorRegisterActorActor(ActorFields):
    typename__: Literal["Actor"] = Field(alias="__typename")


class RegisterActorRegisterActorRefusal(RefusalFields):
    typename__: Literal["Refusal"] = Field(alias="__typename")


RegisterActor.model_rebuild()
