"""Tables of a study as files: Dataset-JSON, NDJSON or transport files, each whole or not there at all.

True here: what a file says of a table is what it was described with; what the asked form cannot say is refused with row
and variable, and nothing is cut or rounded. A table that came in another kind of file gets what the asked form needs
and the table does not say (widths, when it was made), from its rows and from the study.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from gateway.demo.model import StepFailedError
from gateway.errors import CallerError
from gateway.exchange.formats import Format
from gateway.trials.tabulation.dataset_json import write_json, write_ndjson
from gateway.trials.tabulation.described import Described, FileKind
from gateway.trials.tabulation.fitting import fitted
from gateway.trials.tabulation.model import Row, Table
from gateway.trials.tabulation.xpt import Encoding, write_xpt

_ENDINGS: Final = {Format.DATASET_JSON: ".json", Format.NDJSON: ".ndjson", Format.XPT: ".xpt"}


def write_table(described: Described, rows: Sequence[Row], folder: Path, *, format: Format, created: str) -> str:
    """The name of the file. `created`: of a table that does not say when it was made. Raises StepFailedError."""
    table = described.table
    name = Path(described.file.name).stem + _ENDINGS[format]
    table = replace(table, created=table.created or created, records=len(rows))
    encoding = described.file.encoding if described.file.kind is FileKind.XPT else Encoding.UTF_8
    if format is Format.XPT:
        if table.stored is None:
            table = fitted(table, rows, encoding=encoding.value)
        octets: Iterator[bytes] = write_xpt(table, rows, file=name, encoding=encoding)
    else:
        octets = _json(table, rows, format, name)
    write_whole(octets, folder / name)
    return name


def write_whole(octets: Iterable[bytes], path: Path) -> None:
    """The owner's alone; under its name when all of it is durable. Raises StepFailedError."""
    being = path.with_name(path.name + ".part")
    try:
        with open(os.open(being, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            for part in octets:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        being.replace(path)
    except CallerError as error:
        being.unlink(missing_ok=True)
        raise StepFailedError(f"{path.name}: {error.message}") from error
    except OSError as error:
        raise StepFailedError(f"{path.name}: cannot be written: {error.strerror}") from error
    except BaseException:
        being.unlink(missing_ok=True)
        raise


def _json(table: Table, rows: Sequence[Row], format: Format, name: str) -> Iterator[bytes]:
    write = write_ndjson if format is Format.NDJSON else write_json
    return write(table, rows, file=name)
