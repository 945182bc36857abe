from datetime import datetime
from typing import Literal, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import RefusalFields


class SignInChallenge(BaseModel):
    sign_in_challenge: Union[
        "SignInChallengeSignInChallengeSignInChallenge",
        "SignInChallengeSignInChallengeRefusal",
    ] = Field(alias="signInChallenge", discriminator="typename__")


class SignInChallengeSignInChallengeSignInChallenge(BaseModel):
    typename__: Literal["SignInChallenge"] = Field(alias="__typename")
    message: str
    expires_at: datetime = Field(alias="expiresAt")


class SignInChallengeSignInChallengeRefusal(RefusalFields):
    typename__: Literal["Refusal"] = Field(alias="__typename")


SignInChallenge.model_rebuild()
