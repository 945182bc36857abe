from typing import Literal, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import DraftFields, RefusalFields


class DraftConsent(BaseModel):
    draft_consent: Union[
        "DraftConsentDraftConsentDraft", "DraftConsentDraftConsentRefusal"
    ] = Field(alias="draftConsent", discriminator="typename__")


class DraftConsentDraftConsentDraft(DraftFields):
    typename__: Literal["Draft"] = Field(alias="__typename")


class DraftConsentDraftConsentRefusal(RefusalFields):
    typename__: Literal["Refusal"] = Field(alias="__typename")


DraftConsent.model_rebuild()
