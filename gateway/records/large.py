"""What a resource says of its large content: a Binary without `data`, and an extension that commits to the octets.

The extension stands in the resource, so the anchored commitment of the resource vouches for it, and with it for each
chunk (`gateway.crypto.chunktree`). Only an upload makes it, and an amendment keeps it as it is. Pure.
"""

import re

from gateway.crypto.chunks import CHUNK_SIZE
from gateway.crypto.model import LargeFacts
from gateway.errors import CallerError
from gateway.jsontext import JsonValue

EXTENSION = "urn:consentry:large-content"
MOST_TYPE = 127
_WORD = r"[A-Za-z0-9!#$&^_.+-]{1,64}"
_TYPE = re.compile(rf'{_WORD}/{_WORD}(; ?{_WORD}=({_WORD}|"[A-Za-z0-9 !#$&^_.+/:=-]*"))*')


def checked_type(text: str) -> str:
    """A media type (RFC 9110, section 8.3.1) that is safe in a header. CallerError naming `contentType`."""
    if len(text) > MOST_TYPE or not _TYPE.fullmatch(text):
        raise CallerError("a media type, as application/dicom", field=("contentType",))
    return text


def binary_of(content_type: str, large: LargeFacts) -> dict[str, JsonValue]:
    """The resource of large content. Sizes are texts: FHIR's integers end at 2^31."""
    told: dict[str, str] = {
        "size": str(large.size),
        "chunkSize": str(CHUNK_SIZE),
        "commitment": "0x" + large.commitment.hex(),
        "salt": "0x" + large.salt.hex(),
    }
    parts: list[JsonValue] = [{"url": name, "valueString": text} for name, text in told.items()]
    return {
        "resourceType": "Binary",
        "meta": {"extension": [{"url": EXTENSION, "extension": parts}]},
        "contentType": content_type,
    }


def told_of(resource: dict[str, JsonValue]) -> list[JsonValue]:
    """The extensions of large content in a resource, as they stand there."""
    meta = resource.get("meta")
    found = meta.get("extension") if isinstance(meta, dict) else None
    if not isinstance(found, list):
        return []
    return [one for one in found if isinstance(one, dict) and one.get("url") == EXTENSION]


def require_told(resource: dict[str, JsonValue], large: LargeFacts | None, at: tuple[str, ...]) -> None:
    """A resource tells of the large content that is there, and of no other. CallerError naming the extension."""
    told = told_of(resource)
    wanted = [] if large is None else told_of(binary_of("", large))
    if told != wanted:
        raise CallerError("an upload alone says what the large content is", field=(*at, "meta", "extension"))
    if large is not None and ("data" in resource or not isinstance(resource.get("contentType"), str)):
        raise CallerError("the content of this record is an upload's", field=(*at, "data"))
    if large is not None:
        checked_type(str(resource["contentType"]))
