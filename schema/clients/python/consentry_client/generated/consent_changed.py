from pydantic import Field

from .base_model import BaseModel
from .fragments import ConsentFields


class ConsentChanged(BaseModel):
    consent_changed: "ConsentChangedConsentChanged" = Field(alias="consentChanged")


ConsentChangedConsentChanged = ConsentFields
ConsentChanged.model_rebuild()
