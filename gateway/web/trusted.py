"""Trusted documents: an operator's list of all that clients may ask, made when the clients were built.

Two forms are read: `{identifier: document}`, as code generators write it (Relay, GraphQL Code Generator), and Apollo's
persisted query manifest. Each document is known by its identifier there and by `sha256:` and the SHA-256 of its text.
Source: GraphQL over HTTP, appendix A.
"""

import hashlib
from pathlib import Path
from typing import Final

from gateway import jsontext
from gateway.errors import CallerError, SettingsError

APOLLO: Final = "apollo-persisted-query-manifest"
SHA256: Final = "sha256:"
SETTING: Final = "CONSENTRY_TRUSTED_DOCUMENTS"


def read_trusted(path: Path | None) -> dict[str, str]:
    """identifier -> document; none without a file. SettingsError names what is wrong."""
    if path is None:
        return {}
    try:
        found = jsontext.loads(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{SETTING}: cannot read the file ({error.strerror})") from error
    except CallerError as error:
        raise SettingsError(f"{SETTING}: not acceptable JSON: {error.message}") from error
    known: dict[str, str] = {}
    for name, text in _pairs(found):
        if not isinstance(name, str) or not isinstance(text, str) or not name:
            raise SettingsError(f"{SETTING}: identifiers and documents are texts")
        own = sha256_of(text)
        if name.startswith(SHA256) and name != own:
            raise SettingsError(f"{SETTING}: {name} is not the SHA-256 of its document")
        for identifier in (name, own):
            if known.setdefault(identifier, text) != text:
                raise SettingsError(f"{SETTING}: {identifier} stands for two documents")
    return known


def sha256_of(document: str) -> str:
    """The identifier of a document by its text."""
    return SHA256 + hashlib.sha256(document.encode()).hexdigest()


def _pairs(found: object) -> list[tuple[object, object]]:
    if isinstance(found, dict) and found.get("format") == APOLLO:
        operations = found.get("operations")
        if isinstance(operations, list) and all(isinstance(one, dict) for one in operations):
            return [(one.get("id"), one.get("body")) for one in operations]
    elif isinstance(found, dict):
        return list(found.items())
    raise SettingsError(f"{SETTING}: neither an object of documents nor a persisted query manifest")
