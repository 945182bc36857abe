"""What the researcher will ask for: tables by their names, and a profile. Read from files before anything is started.

Not done here: judging views and profiles; that is the gateway's, and what it refuses is refused before a patient is
enrolled.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from gateway import jsontext
from gateway.demo.model import WrongCallError
from gateway.errors import CallerError
from gateway.jsontext import JsonValue

TITLE = "Consentry demo: conditions and observations"
PURPOSE = "HRESCH"
DATA_USE = ("DUO:0000042",)
"""GA4GH DUO: general research use."""
SAFE_HARBOR = "safe-harbor"
ENOUGH = 24
"""Patients with a consent from whom on the shipped profile's k of 11 can be reached."""
WARNING = "too few patients for k = 11: shown with k = 1, which no steward should approve for real data"
_TABLE = re.compile("[a-z][a-z0-9_]{0,62}")
_SMALL: dict[str, JsonValue] = {"k": 1, "l": 1, "t": 1, "suppressedMost": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """`tables`: ViewDefinitions by name. `profile`: a name, or a whole profile. `warning`: what must be said of it
    aloud, or ""."""

    tables: dict[str, JsonValue] = field(repr=False)
    profile: JsonValue = field(repr=False)
    warning: str = ""


def make_wish(views: Sequence[Path], profile: Path | None, *, consenting: int) -> Wish:
    """`consenting`: patients who will give a consent. Raises WrongCallError naming the file."""
    tables = load_tables(views)
    if profile is not None:
        return Wish(tables=tables, profile=_read(profile))
    if consenting >= ENOUGH:
        return Wish(tables=tables, profile=SAFE_HARBOR)
    return Wish(tables=tables, profile=small_profile(), warning=WARNING)


def load_tables(views: Sequence[Path]) -> dict[str, JsonValue]:
    """Of the files; without any, the three that ship. A table is called as its view, or its file, is."""
    if not views:
        shipped = sorted((files("gateway.demo") / "views").iterdir(), key=lambda item: item.name)
        return {item.name.removesuffix(".json"): jsontext.loads(item.read_bytes()) for item in shipped}
    tables: dict[str, JsonValue] = {}
    for path in views:
        view = _read(path)
        if not isinstance(view.get("resource"), str) or view.get("resourceType", "ViewDefinition") != "ViewDefinition":
            raise WrongCallError(f"{path}: no ViewDefinition: it has no resource")
        name = view.get("name", path.stem)
        if not isinstance(name, str) or not _TABLE.fullmatch(name):
            raise WrongCallError(f"{path}: a table's name is lower-case letters, digits and underscores")
        if name in tables:
            raise WrongCallError(f"{path}: there is a table {name} already")
        tables[name] = view
    return tables


def small_profile() -> dict[str, JsonValue]:
    """Safe Harbor for so few patients that nobody is hidden among others: for a demonstration, and nothing else."""
    text = (files("gateway.deid") / "profiles" / f"{SAFE_HARBOR}.json").read_bytes()
    whole = jsontext.loads(text)
    if not isinstance(whole, dict):
        raise AssertionError("a profile that ships is an object")
    return {**whole, "profile": "demo-small", "anonymity": {**_SMALL}}


def _read(path: Path) -> dict[str, JsonValue]:
    try:
        value = jsontext.loads(path.read_bytes())
    except OSError as error:
        raise WrongCallError(f"{path}: cannot be read: {error.strerror}") from error
    except CallerError as error:
        raise WrongCallError(f"{path}: {error.message}") from error
    if not isinstance(value, dict):
        raise WrongCallError(f"{path}: no JSON object")
    return value
