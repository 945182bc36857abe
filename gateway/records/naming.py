"""By what a reference names a resource: the text of `Reference.reference` against what a record is called.

True here: pure; a name is `Type/id`, or the `fullUrl` under which a Bundle brought the resource. A relative reference
means a record of that type and id, an absolute one or a URN the very text that a record came under
(https://hl7.org/fhir/R4/references.html#literal, https://hl7.org/fhir/R4/bundle.html#references). Not done here:
references by identifier, conditional ones (`Practitioner?identifier=…`), and fragments (`#id`), which name nothing
outside their resource.
"""

import re
from collections.abc import Iterable

LONGEST = 255
"""Characters of a name; a longer URL is none."""
MOST = 4
"""Names of one record: an amendment keeps those of before."""
_HISTORY = re.compile(r"/_history/[A-Za-z0-9.-]{1,64}\Z")
_RELATIVE = re.compile(r"[A-Za-z]{1,64}/[A-Za-z0-9.-]{1,64}\Z")


def names_of(resource_type: str, id: object, full_url: str | None) -> tuple[str, ...]:
    """What a resource is called."""
    named = [f"{resource_type}/{id}"] if isinstance(id, str) else []
    if full_url and len(full_url) <= LONGEST:
        named.append(full_url)
    return tuple(named)


def joined(names: Iterable[str], before: Iterable[str]) -> tuple[str, ...]:
    """The names of a version, and those that versions before it had."""
    return tuple(dict.fromkeys((*names, *before)))[:MOST]


def named_by(reference: str) -> str | None:
    """The name that a reference means, whatever version of it; None for what can name no record."""
    name = _HISTORY.sub("", reference)
    return name if 0 < len(name) <= LONGEST and not name.startswith("#") and "?" not in name else None


def key_of(name: str) -> str:
    """The last step of a name, which all names of one resource mostly share: what is looked up."""
    return re.split(r"[/:]", name)[-1]


def is_called(name: str, names: Iterable[str]) -> bool:
    """Whether a record of these names is meant."""
    is_relative = _RELATIVE.match(name) is not None
    return any(one == name or (is_relative and one.endswith(f"/{name}")) for one in names)
