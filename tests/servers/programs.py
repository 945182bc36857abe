"""Where the server programs lie: the services folder first, then `PATH`, then Debian's own places.

Nothing is installed or downloaded here; `.ci/install-servers` does that.
"""

import os
import shutil
from pathlib import Path

_DEBIAN_POSTGRES = Path("/usr/lib/postgresql")


class MissingProgram(Exception):
    """A server program is neither in the services folder nor on `PATH`."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is neither in {services_dir() / 'bin'} nor on PATH; run .ci/install-servers")


def services_dir() -> Path:
    """Folder that `.ci/install-servers` fills: `CONSENTRY_SERVICES_DIR`, else `~/.cache/consentry-services`."""
    chosen = os.environ.get("CONSENTRY_SERVICES_DIR")
    return Path(chosen) if chosen else Path.home() / ".cache" / "consentry-services"


def program(name: str) -> Path:
    """Absolute path of `name` (`ipfs`, `geth`, `anvil`, `forge`, `bao`, `redis-server`, `postgres`, `initdb`).

    Raises `MissingProgram` when there is none.
    """
    installed = services_dir() / "bin" / name
    if os.access(installed, os.X_OK):
        return installed
    on_path = shutil.which(name)
    if on_path is not None:
        return Path(on_path)
    for candidate in _newest_first(_DEBIAN_POSTGRES):
        if os.access(candidate / "bin" / name, os.X_OK):
            return candidate / "bin" / name
    raise MissingProgram(name)


def script_packages() -> Path:
    """Absolute path of the `node_modules` with foreign clients of the API. Raises `MissingProgram` without them."""
    folder = services_dir() / "clients"
    if not (folder / "stamp").is_file():
        raise MissingProgram("clients/stamp")
    return folder / "node_modules"


def library(name: str) -> Path:
    """Absolute path of a shared library that Debian keeps in a folder of its own (`faketime/libfaketimeMT.so.1`).

    Raises `MissingProgram` when there is none.
    """
    for folder in (Path("/usr/lib"), *sorted(Path("/usr/lib").glob("*-linux-gnu"))):
        if (folder / name).is_file():
            return folder / name
    raise MissingProgram(name)


def _newest_first(folder: Path) -> list[Path]:
    versions = [entry for entry in folder.glob("*") if entry.name.isdigit()]
    return sorted(versions, key=lambda entry: int(entry.name), reverse=True)
