"""A study's file, checked by `anchoring.verifier.study`, which needs nothing of this gateway."""

import gzip
import zlib
from pathlib import Path
from typing import Final

from anchoring.verifier.study.check import check_file
from anchoring.verifier.study.lines import Readable
from anchoring.verifier.study.report import Report
from anchoring.verifier.verify import Refused, Unchecked, read_json
from gateway.errors import CallerError
from gateway.upkeep.report import Progress

_GZIP: Final = b"\x1f\x8b"


def check_study(path: Path, *, rpc: str | None, deployment: Path | None, progress: Progress) -> Report:
    """Plain or gzip. Raises CallerError for what is no such file, or cannot be checked."""
    try:
        known = None if deployment is None else read_json(deployment.read_bytes())
        with path.open("rb") as file:
            packed = file.peek(2)[:2] == _GZIP
            given: Readable = gzip.GzipFile(fileobj=file) if packed else file
            return check_file(given, rpc=rpc, known=known, progress=lambda octets: progress("octets checked", octets))
    except (Refused, Unchecked, EOFError, OSError, zlib.error) as error:
        raise CallerError(f"not checked: {error}", field=("file",)) from error
