"""A registry's JSON, read by name: what is absent is nothing said, what is of another type is refused with its path.

True here: texts come without the white space around them, an empty one is absent; lengths and counts are bounded.
Members that nobody asks for are passed over: a registry tells far more than what was promised.
"""

from dataclasses import dataclass

from gateway.errors import CallerError
from gateway.trials.registration.declared import MOST_SUBJECTS
from gateway.trials.registration.model import LONGEST_LINE, LONGEST_TEXT, MOST_ITEMS

_FLAGS = {"Yes": True, "No": False, "Accepts Healthy Volunteers": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One object of the record, and the path to it."""

    tree: dict[str, object]
    field: tuple[str, ...]

    def under(self, *names: str) -> "Told":
        """The object at a path; an empty one where there is none. Raises CallerError."""
        here = self
        for name in names:
            value = here.tree.get(name, {})
            if not isinstance(value, dict):
                raise CallerError("must be an object", field=(*here.field, name))
            here = Told(tree=value, field=(*here.field, name))
        return here

    def each(self, *names: str, most: int = MOST_ITEMS) -> list["Told"]:
        """The objects of a list at a path. Raises CallerError."""
        listed = [(value, (*self.field, *names, str(at))) for at, value in enumerate(self._items(names, most))]
        for value, place in listed:
            if not isinstance(value, dict):
                raise CallerError("must be an object", field=place)
        return [Told(tree=value, field=place) for value, place in listed if isinstance(value, dict)]

    def lines(self, *names: str) -> tuple[str, ...]:
        """The texts of a list at a path. Raises CallerError."""
        place = (*self.field, *names)
        found = [
            _text(value, (*place, str(at)), LONGEST_LINE) for at, value in enumerate(self._items(names, MOST_ITEMS))
        ]
        return tuple(one for one in found if one is not None)

    def line(self, name: str) -> str | None:
        """Raises CallerError."""
        return _text(self.tree.get(name), (*self.field, name), LONGEST_LINE)

    def prose(self, name: str) -> str | None:
        """A longer text. Raises CallerError."""
        return _text(self.tree.get(name), (*self.field, name), LONGEST_TEXT)

    def needed(self, name: str) -> str:
        """A text that must be there. Raises CallerError."""
        found = self.line(name)
        if found is None:
            raise CallerError("is missing", field=(*self.field, name))
        return found

    def number(self, name: str) -> int | None:
        """A whole number, as a number or as a text of digits. Raises CallerError."""
        value = self.tree.get(name)
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 9:
            value = int(value)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_SUBJECTS:
            raise CallerError("must be a whole number", field=(*self.field, name))
        return value

    def flag(self, name: str) -> bool | None:
        """true, false, `Yes` or `No`. Raises CallerError."""
        value = self.tree.get(name)
        if isinstance(value, str):
            value = _FLAGS.get(value)
            if value is None:
                raise CallerError("must be Yes or No", field=(*self.field, name))
        if value is not None and not isinstance(value, bool):
            raise CallerError("must be true or false", field=(*self.field, name))
        return value

    def _items(self, names: tuple[str, ...], most: int) -> list[object]:
        value = self.under(*names[:-1]).tree.get(names[-1], [])
        if not isinstance(value, list):
            raise CallerError("must be a list", field=(*self.field, *names))
        if len(value) > most:
            raise CallerError(f"has more than {most} items", field=(*self.field, *names))
        return value


def _text(value: object, field: tuple[str, ...], most: int) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise CallerError("must be a text", field=field)
    if len(value) > most:
        raise CallerError(f"has more than {most} characters", field=field)
    return value.strip() or None
