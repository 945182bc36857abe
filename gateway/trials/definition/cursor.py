"""An element while it is read: what was asked of it, and what is left.

True here: nothing of an element is lost in silence. Whoever read what it has a place for takes the rest as `kept`, or
says by `nothing_more` that there is no rest, which refuses one by name.
"""

from enum import StrEnum
from typing import Final, NoReturn, TypeVar

from gateway.errors import CallerError
from gateway.trials.definition.elements import LANGUAGE, NOTHING_KEPT, ODM_2_0, Element, Kept, clark, split
from gateway.trials.definition.grammar import Edition, check, rules
from gateway.trials.definition.texts import Alias, Texts, Translation

_Choice = TypeVar("_Choice", bound=StrEnum)
_MOST_DIGITS: Final = 9
_MEDIA_TYPE: Final = clark(ODM_2_0, "Type")


class Cursor:
    """Over one element that passed the grammar of its edition. `field` names it in refusals."""

    def __init__(self, element: Element, edition: Edition, *, field: tuple[str, ...]) -> None:
        oid = next((value for name, value in element.attributes if name == "OID"), None)
        self.edition = edition
        self.field = field if oid is None else (*field, oid[:64])
        self._element = element
        self._attributes = dict(element.attributes)
        self._children = list(element.children)

    def optional(self, name: str) -> str | None:
        """An attribute as written."""
        return self._attributes.pop(name, None)

    def text(self, name: str) -> str:
        """An attribute that must be there, and say something. Raises CallerError."""
        value = self.optional(name)
        if not value:
            self.refuse(f"{split(name)[1]} must not be empty", name)
        return value

    def flag(self, name: str) -> bool:
        """Yes or No; absent: No. Raises CallerError."""
        value = self._attributes.pop(name, "No")
        if value not in ("Yes", "No"):
            self.refuse("must be Yes or No", name)
        return value == "Yes"

    def whole(self, name: str, *, least: int) -> int | None:
        """A whole number of at most nine digits. Raises CallerError."""
        value = self.optional(name)
        if value is None:
            return None
        stripped = value.strip()
        if not (stripped.isascii() and stripped.isdigit() and len(stripped) <= _MOST_DIGITS and int(stripped) >= least):
            self.refuse(f"must be a whole number of at least {least}", name)
        return int(stripped)

    def choice(self, name: str, kind: type[_Choice]) -> _Choice | None:
        """One of a list of ODM's. Raises CallerError."""
        value = self.optional(name)
        found = next((one for one in kind if one.value == value), None)
        if value is not None and found is None:
            self.refuse(f"must be one of {', '.join(kind)}", name)
        return found

    def required(self, name: str, kind: type[_Choice]) -> _Choice:
        """One of a list of ODM's, that must be there. Raises CallerError."""
        return self.choice(name, kind) or self.refuse(f"must be one of {', '.join(kind)}", name)

    def children(self, *names: str) -> "list[Cursor]":
        """Those of these names, in the order of the document."""
        if not self._children:
            return []
        wanted = {clark(self.edition.namespace, name) for name in names}
        found = [one for one in self._children if one.name in wanted]
        self._children = [one for one in self._children if one.name not in wanted]
        return [Cursor(one, self.edition, field=(*self.field, split(one.name)[1])) for one in found]

    def child(self, name: str) -> "Cursor | None":
        """The one of this name, if there is one."""
        return next(iter(self.children(name)), None)

    def foreign(self, name: str) -> "list[Cursor]":
        """Children that are ODM 2.0's, in whichever edition: what ODM 1.3 has a place for extensions for. Raises
        CallerError for one that does not fit ODM 2.0."""
        if not self._children:
            return []
        wanted = clark(ODM_2_0, name)
        found = [one for one in self._children if one.name == wanted]
        self._children = [one for one in self._children if one.name != wanted]
        for one in found:
            check(one, Edition.V2_0, field=self.field)
        return [Cursor(one, Edition.V2_0, field=(*self.field, name)) for one in found]

    def elements(self, *names: str) -> tuple[Element, ...]:
        """Children of these names, whole, as they are."""
        return tuple(one._element for one in self.children(*names))

    def again(self) -> "Cursor":
        """Over the same element, of which nothing was asked yet."""
        return Cursor(self._element, self.edition, field=self.field)

    @property
    def name(self) -> str:
        """Without its namespace."""
        return split(self._element.name)[1]

    def said(self) -> str:
        """The text of an element that holds nothing else. Raises CallerError."""
        self.nothing_more()
        return self._element.text

    def texts(self, name: str) -> Texts:
        """A child that holds TranslatedText alone (Description, Question …); none: no texts. Raises CallerError."""
        holder = self.child(name)
        return () if holder is None else holder.translations()

    def translations(self) -> Texts:
        """Its own TranslatedText, and nothing else. Raises CallerError."""
        found = [_translation(one) for one in self.children("TranslatedText")]
        self.nothing_more()
        return tuple(found)

    def aliases(self) -> tuple[Alias, ...]:
        """Raises CallerError."""
        found = []
        for one in self.children("Alias"):
            found.append(Alias(context=one.optional("Context") or "", name=one.optional("Name") or ""))
            one.nothing_more()
        return tuple(found)

    def kept(self) -> Kept:
        """All that was not asked for, under full names; elements in the order of the schema, foreign ones last."""
        if self.is_read():
            return NOTHING_KEPT
        attributes = [
            (name if name.startswith("{") else clark(self.edition.namespace, name), value)
            for name, value in self._attributes.items()
        ]
        order = rules(self.edition)[self.name].order
        parts = sorted(self._children, key=lambda one: order.get(one.name, len(order)))
        self._attributes, self._children = {}, []
        return Kept(attributes=tuple(sorted(attributes)), parts=tuple(parts))

    def is_read(self) -> bool:
        """Whether nothing is left of it."""
        return not self._attributes and not self._children

    def nothing_more(self) -> None:
        """Raises CallerError for what is left: it has no place here, and is not dropped in silence."""
        for name in (*self._attributes, *(one.name for one in self._children)):
            self.refuse(f"{split(name)[1][:64]} is not supported here: take it out", name)

    def refuse(self, message: str, name: str | None = None) -> NoReturn:
        """CallerError at this element, or at one of its attributes or children."""
        raise CallerError(message, field=self.field if name is None else (*self.field, split(name)[1][:64]))


def _translation(cursor: Cursor) -> Translation:
    language = cursor.optional(LANGUAGE) or ""
    own = cursor.optional("Type") if cursor.edition is Edition.V2_0 else None
    media_type = own or cursor.optional(_MEDIA_TYPE) or "text/plain"
    return Translation(language=language, text=cursor.said(), media_type=media_type)
