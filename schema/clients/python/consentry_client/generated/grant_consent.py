from typing import Literal, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import (
    ConsentFields,
    ConsentFieldsGrantee,  # noqa: F401
    RefusalFields,
)


class GrantConsent(BaseModel):
    grant_consent: Union[
        "GrantConsentGrantConsentConsent", "GrantConsentGrantConsentRefusal"
    ] = Field(alias="grantConsent", discriminator="typename__")


class GrantConsentGrantConsentConsent(ConsentFields):
    typename__: Literal["Consent"] = Field(alias="__typename")


class GrantConsentGrantConsentRefusal(RefusalFields):
    typename__: Literal["Refusal"] = Field(alias="__typename")


GrantConsent.model_rebuild()
