"""Elements of ODM 1.3.2, made in the order of its schema.

True here: what a model kept is written under its own name; what is ODM 2.0's is an extension in that namespace, which
ODM 1.3.2 allows.
"""

from collections.abc import Iterable, Mapping

from gateway.errors import CallerError
from gateway.trials.definition.elements import LANGUAGE, NOTHING_KEPT, ODM_1_3, ODM_2_0, Element, Kept, clark, split
from gateway.trials.definition.grammar import Edition, rules
from gateway.trials.definition.texts import Alias, Texts


def later(name: str) -> str:
    """An attribute or element of ODM 2.0."""
    return clark(ODM_2_0, name)


def build(
    name: str,
    attributes: Mapping[str, str | None],
    children: Iterable[Element | None] = (),
    *,
    kept: Kept = NOTHING_KEPT,
) -> Element:
    """Attributes and children that are None are left out."""
    order = rules(Edition.V1_3)[name].order
    parts = [one for one in (*children, *kept.parts) if one is not None]
    ordered = sorted(parts, key=lambda one: order.get(one.name, len(order)))
    given = {key: value for key, value in attributes.items() if value is not None}
    given |= {_unqualified(key): value for key, value in kept.attributes}
    return Element(
        name=clark(ODM_1_3, name),
        attributes=tuple(given.items()),
        content=tuple(ordered),
    )


def _unqualified(name: str) -> str:
    """ODM 1.3's own attributes have no prefix."""
    namespace, local = split(name)
    return local if namespace == ODM_1_3 else name


def text(name: str, said: str | None) -> Element | None:
    """An element that holds a text; None for none."""
    return None if said is None else Element(name=clark(ODM_1_3, name), content=(said,) if said else ())


def ref(name: str, attribute: str, oid: str | None) -> Element | None:
    """An element that names a part."""
    return None if oid is None else Element(name=clark(ODM_1_3, name), attributes=((attribute, oid),))


def texts(name: str, said: Texts) -> Element | None:
    """An element that holds TranslatedText; None for no texts."""
    return None if not said else Element(name=clark(ODM_1_3, name), content=translations(said, ODM_1_3))


def translations(said: Texts, namespace: str) -> tuple[Element, ...]:
    """TranslatedText of either edition."""
    found = []
    for one in said:
        attributes: list[tuple[str, str]] = [(LANGUAGE, one.language)] if one.language else []
        if namespace == ODM_2_0:
            attributes.append(("Type", one.media_type))
        elif one.media_type != "text/plain":
            attributes.append((later("Type"), one.media_type))
        content = (one.text,) if one.text else ()
        found.append(Element(name=clark(namespace, "TranslatedText"), attributes=tuple(attributes), content=content))
    return tuple(found)


def described(said: Texts) -> Element | None:
    """ODM 2.0's Description, where ODM 1.3 has a plain text alone and there is more to say."""
    if is_plain(said):
        return None
    return Element(name=later("Description"), content=translations(said, ODM_2_0))


def is_plain(said: Texts) -> bool:
    """Whether a text without language and type says all."""
    return not said or (len(said) == 1 and not said[0].language and said[0].media_type == "text/plain")


def aliases(given: Iterable[Alias]) -> list[Element]:
    return [build("Alias", {"Context": one.context, "Name": one.name}) for one in given]


def yes(value: bool) -> str:
    return "Yes" if value else "No"


def number(value: int | None) -> str | None:
    return None if value is None else str(value)


def refuse(message: str, *where: str) -> CallerError:
    """What ODM 1.3.2 cannot say."""
    return CallerError(f"{message}, which ODM 1.3.2 cannot say", field=("ODM", *(one[:64] for one in where)))
