"""What README.md must say of settings and commands, told by the program itself; and what it says."""

import re
from pathlib import Path

from typer.main import get_command

from gateway.cli import app
from gateway.settings import PREFIX, Settings

REPOSITORY = Path(__file__).resolve().parents[2]


def text() -> str:
    return (REPOSITORY / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text(), re.M | re.S)


def settings_table() -> str:
    """A row for each setting."""
    rows = []
    for name, setting in Settings.model_fields.items():
        default = str(setting.default) if setting.default not in ("", ()) else ""
        shown = f"`{default}`" if default else ""
        rows.append(f"| `{PREFIX}{name.upper()}` | {shown} | {setting.description} |\n")
    return "".join(rows)


def limits() -> str:
    """The table of what one document may ask for."""
    return text().split("## What one request may ask\n")[1].split("\nThese are counted")[0].split("|---|---|---|\n")[1]


def commands() -> str:
    """A line for each command: how it is called, and the first sentence of its help."""
    found = _commands(get_command(app), "consentry")
    width = max(len(name) for name, _ in found)
    return "".join(f"{name.ljust(width)}  {meaning}\n" for name, meaning in found)


def _commands(command: object, path: str) -> list[tuple[str, str]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        summary = str(getattr(command, "help", "")).split("\n")[0].partition(". ")[0].rstrip(".")
        return [(path, summary)]
    return [row for name, below in inner.items() for row in _commands(below, f"{path} {name}")]
