from typing import Literal, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import (
    RefusalFields,
    SessionFields,
    SessionFieldsActor,  # noqa: F401
)


class RefreshSession(BaseModel):
    refresh_session: Union[
        "RefreshSessionRefreshSessionSession", "RefreshSessionRefreshSessionRefusal"
    ] = Field(alias="refreshSession", discriminator="typename__")


class RefreshSessionRefreshSessionSession(SessionFields):
    typename__: Literal["Session"] = Field(alias="__typename")


class RefreshSessionRefreshSessionRefusal(RefusalFields):
    typename__: Literal["Refusal"] = Field(alias="__typename")


RefreshSession.model_rebuild()
