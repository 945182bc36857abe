"""Consent forms: a text that is agreed to with a consent, in versions, as the octets whose hash a patient signs. Pure.

A version is RFC 8785 text that holds title, number, publisher, languages and the hash of the version before; its
SHA-256 is the `termsHash` of consents. Versions are only ever added, so what was signed stays what it was.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from gateway import jsontext
from gateway.consent.languages import Language
from gateway.errors import CallerError, IntegrityError
from gateway.identity.model import Caller, Role
from gateway.ids import ActorId, FormId

LONGEST_TITLE = 200
LONGEST_TEXT = 50_000
MOST_VERSIONS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FormInput:
    """`form` None: a new one. `publisher` None: the caller's own. `texts`: Markdown or plain text by language."""

    form: FormId | None
    publisher: ActorId | None
    title: str
    texts: Mapping[Language, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormVersion:
    """A version as it was published. `octets`: what its hash is of; `previous`: the hash of the one before, or empty;
    `published_at` seconds since 1970."""

    form: FormId
    version: int
    publisher: ActorId
    title: str
    texts: Mapping[Language, str]
    previous: bytes
    published_at: int
    octets: bytes

    @property
    def hash(self) -> bytes:
        """The `termsHash` of consents that agree to it."""
        return hashlib.sha256(self.octets).digest()


class _Document(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", tag="consent-form", tag_field="kind"
):
    form: str
    previous: str
    published_at: int
    publisher: str
    texts: dict[Language, str]
    title: str
    version: int


def check(asked: FormInput) -> None:
    """What no form may be. Raises CallerError naming the field."""
    title = asked.title.strip()
    if not title or len(title) > LONGEST_TITLE or not title.isprintable():
        raise CallerError(f"1 to {LONGEST_TITLE} printable characters", field=("title",))
    if not asked.texts:
        raise CallerError("a text in one language at least", field=("texts",))
    for text in asked.texts.values():
        if not text.strip() or len(text) > LONGEST_TEXT:
            raise CallerError(f"1 to {LONGEST_TEXT} characters each", field=("texts",))
        if not all(character.isprintable() or character in "\n\t" for character in text):
            raise CallerError("printable characters, tabs and line ends", field=("texts",))


def may_publish(caller: Caller, publisher: ActorId) -> bool:
    """An organization for itself, and its data stewards for it."""
    own = Role.ORGANIZATION in caller.actor.roles and publisher == caller.actor.id
    return own or (Role.DATA_STEWARD in caller.actor.roles and publisher in caller.organizations)


def made(asked: FormInput, *, form: FormId, version: int, publisher: ActorId, previous: bytes, now: int) -> FormVersion:
    """The version that would be published."""
    title = asked.title.strip()
    octets = jsontext.canonical(
        {
            "form": form.hex(),
            "kind": "consent-form",
            "previous": previous.hex(),
            "publishedAt": now,
            "publisher": publisher.hex(),
            "texts": {language.value: text for language, text in asked.texts.items()},
            "title": title,
            "version": version,
        }
    )
    return read(octets)


def read(octets: bytes) -> FormVersion:
    """Raises IntegrityError for octets that no form has."""
    try:
        found = msgspec.json.decode(octets, type=_Document)
        return FormVersion(
            form=FormId(bytes.fromhex(found.form)),
            version=found.version,
            publisher=ActorId(bytes.fromhex(found.publisher)),
            title=found.title,
            texts=found.texts,
            previous=bytes.fromhex(found.previous),
            published_at=found.published_at,
            octets=octets,
        )
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise IntegrityError("a consent form is not of its form") from error
