from typing import Literal, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import (
    ConsentFields,
    ConsentFieldsGrantee,  # noqa: F401
    RefusalFields,
)


class RevokeConsent(BaseModel):
    revoke_consent: Union[
        "RevokeConsentRevokeConsentConsent", "RevokeConsentRevokeConsentRefusal"
    ] = Field(alias="revokeConsent", discriminator="typename__")


class RevokeConsentRevokeConsentConsent(ConsentFields):
    typename__: Literal["Consent"] = Field(alias="__typename")


class RevokeConsentRevokeConsentRefusal(RefusalFields):
    typename__: Literal["Refusal"] = Field(alias="__typename")


RevokeConsent.model_rebuild()
