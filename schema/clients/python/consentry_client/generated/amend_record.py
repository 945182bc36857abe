from typing import Literal, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import (
    RefusalFields,
    StoredRecordFields,
    StoredRecordFieldsAnchor,  # noqa: F401
)


class AmendRecord(BaseModel):
    amend_record: Union[
        "AmendRecordAmendRecordStoredRecord", "AmendRecordAmendRecordRefusal"
    ] = Field(alias="amendRecord", discriminator="typename__")


class AmendRecordAmendRecordStoredRecord(StoredRecordFields):
    typename__: Literal["StoredRecord"] = Field(alias="__typename")


class AmendRecordAmendRecordRefusal(RefusalFields):
    typename__: Literal["Refusal"] = Field(alias="__typename")


AmendRecord.model_rebuild()
