from typing import Literal, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import (
    RefusalFields,
    SessionFields,
    SessionFieldsActor,  # noqa: F401
)


class SignIn(BaseModel):
    sign_in: Union["SignInSignInSession", "SignInSignInRefusal"] = Field(
        alias="signIn", discriminator="typename__"
    )


class SignInSignInSession(SessionFields):
    typename__: Literal["Session"] = Field(alias="__typename")


class SignInSignInRefusal(RefusalFields):
    typename__: Literal["Refusal"] = Field(alias="__typename")


SignIn.model_rebuild()
