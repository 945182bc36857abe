from typing import Literal, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import EndedSessionsFields, RefusalFields


class SignOut(BaseModel):
    sign_out: Union["SignOutSignOutEndedSessions", "SignOutSignOutRefusal"] = Field(
        alias="signOut", discriminator="typename__"
    )


class SignOutSignOutEndedSessions(EndedSessionsFields):
    typename__: Literal["EndedSessions"] = Field(alias="__typename")


class SignOutSignOutRefusal(RefusalFields):
    typename__: Literal["Refusal"] = Field(alias="__typename")


SignOut.model_rebuild()
