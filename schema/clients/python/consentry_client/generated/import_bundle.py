from typing import Literal, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import (
    ImportedBundleFields,
    ImportedBundleFieldsRecords,  # noqa: F401
    RefusalFields,
)


class ImportBundle(BaseModel):
    import_bundle: Union[
        "ImportBundleImportBundleImportedBundle", "ImportBundleImportBundleRefusal"
    ] = Field(alias="importBundle", discriminator="typename__")


class ImportBundleImportBundleImportedBundle(ImportedBundleFields):
    typename__: Literal["ImportedBundle"] = Field(alias="__typename")


class ImportBundleImportBundleRefusal(RefusalFields):
    typename__: Literal["Refusal"] = Field(alias="__typename")


ImportBundle.model_rebuild()
