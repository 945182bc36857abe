"""What a study says in words: in several languages, and under other systems' names."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """`language`: BCP 47, empty if not said. `media_type`: of the text (ODM 2.0)."""

    language: str = ""
    text: str
    media_type: str = "text/plain"


Texts = tuple[Translation, ...]


def said(texts: Texts, language: str) -> str:
    """The text in a language, else in one without, else the first; empty texts are passed over, and so is layout."""
    ranked = sorted(texts, key=lambda one: (one.language != language, one.language != ""))
    return next((" ".join(one.text.split()) for one in ranked if one.text.strip()), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """What another system, `context`, calls it."""

    context: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """`context`: the language it is in, None if not said."""

    context: str | None
    code: str
