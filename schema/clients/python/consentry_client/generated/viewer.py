from typing import Optional

from .base_model import BaseModel
from .fragments import ActorFields


class Viewer(BaseModel):
    viewer: Optional["ViewerViewer"]


class ViewerViewer(ActorFields):
    organizations: list["ViewerViewerOrganizations"]


ViewerViewerOrganizations = ActorFields
Viewer.model_rebuild()
ViewerViewer.model_rebuild()
