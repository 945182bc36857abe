from typing import Literal, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import (
    RefusalFields,
    RevokedAllFields,
    RevokedAllFieldsPatient,  # noqa: F401
)


class RevokeAllConsents(BaseModel):
    revoke_all_consents: Union[
        "RevokeAllConsentsRevokeAllConsentsRevokedAll",
        "RevokeAllConsentsRevokeAllConsentsRefusal",
    ] = Field(alias="revokeAllConsents", discriminator="typename__")


class RevokeAllConsentsRevokeAllConsentsRevokedAll(RevokedAllFields):
    typename__: Literal["RevokedAll"] = Field(alias="__typename")


class RevokeAllConsentsRevokeAllConsentsRefusal(RefusalFields):
    typename__: Literal["Refusal"] = Field(alias="__typename")


RevokeAllConsents.model_rebuild()
