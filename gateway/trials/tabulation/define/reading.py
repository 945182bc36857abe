"""How an element of Define-XML is read: its attributes and children by name, and what was passed by.

True here: a refusal names the file and the OID of the element, or its name where it has none.
"""

from collections.abc import Collection
from typing import Final, NoReturn

from gateway.trials.tabulation.define.markup import Element
from gateway.trials.tabulation.define.model import DefinedType
from gateway.trials.tabulation.places import fault

_TYPES: Final = {one.value: one for one in DefinedType}
_ENGLISH: Final = ("en", "en-us", "en-gb")


class Reading:
    """One document."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._unread: set[str] = set()

    def refuse(self, element: Element, text: str) -> NoReturn:
        raise fault(text, file=self.file, variable=(element.attributes.get("OID") or element.name)[:200])

    def need(self, element: Element, name: str) -> str:
        value = element.attributes.get(name)
        if not value:
            self.refuse(element, f"has no {name}")
        return value

    def whole(self, element: Element, name: str) -> int | None:
        """A whole number of 0 to 2^31 - 1; None where there is none."""
        value = element.attributes.get(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) <= 10 and int(value) < 2**31):
            self.refuse(element, f"{name} is no whole number")
        return int(value)

    def flag(self, element: Element, name: str) -> bool:
        """Yes or No; No where it does not say."""
        value = element.attributes.get(name, "No")
        if value not in ("Yes", "No"):
            self.refuse(element, f"{name} is neither Yes nor No")
        return value == "Yes"

    def type(self, element: Element) -> DefinedType:
        value = self.need(element, "DataType")
        if value not in _TYPES:
            self.refuse(element, "has a DataType that Define-XML does not have")
        return _TYPES[value]

    def only(self, element: Element, name: str) -> Element:
        found = [one for one in element.children if one.name == name]
        if len(found) != 1:
            self.refuse(element, f"has {len(found)} {name}; one has to be")
        return found[0]

    def said(self, element: Element, name: str) -> str:
        """The text of its one child of a name."""
        return self.only(element, name).text

    def text(self, element: Element, name: str = "Description") -> str | None:
        """What its Description, or Decode, says: in English, or in the first language that is there."""
        texts = [
            one
            for child in element.children
            if child.name == name
            for one in child.children
            if one.name == "TranslatedText"
        ]
        if not texts:
            return None
        english = [one for one in texts if one.attributes.get("xml:lang", "en").lower() in _ENGLISH]
        chosen = (english or texts)[0]
        for one in texts:
            if one is not chosen:
                self._unread.add(f"{element.name}/{name}[{one.attributes.get('xml:lang', '')[:20]}]")
        return chosen.text

    def references(self, element: Element, name: str, attribute: str) -> tuple[str, ...]:
        """What its children of a name refer to."""
        return tuple(self.need(one, attribute) for one in element.children if one.name == name)

    def aliases(self, element: Element) -> tuple[tuple[str, str], ...]:
        return tuple(
            (self.need(one, "Context"), self.need(one, "Name")) for one in element.children if one.name == "Alias"
        )

    def pass_by(self, element: Element, children: Collection[str], attributes: Collection[str]) -> None:
        """Notes what of an element is not among those that are read."""
        self._unread.update(f"{element.name}/{one.name}" for one in element.children if one.name not in children)
        self._unread.update(f"{element.name}/@{name}" for name in element.attributes if name not in attributes)

    def unread(self) -> tuple[str, ...]:
        return tuple(sorted(self._unread))
